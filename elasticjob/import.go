package elasticjob

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/store"
)

// Fidelity says how well something of ElasticJob's is moved.
type Fidelity string

// The fidelities.
const (
	Exact     Fidelity = "exact"
	Differs   Fidelity = "differs"    // it works, but otherwise
	Cannot    Fidelity = "cannot"     // it has no counterpart, or is code
	NotNeeded Fidelity = "not needed" // elastic always does it, or needs no setting
)

// Remark is a line of an import's report.
type Remark struct {
	Job      string   `json:"job"`
	What     string   `json:"what"` // a key of ElasticJob's configuration
	Fidelity Fidelity `json:"fidelity"`
	Text     string   `json:"text"`
}

// ImportOptions says what is imported, and how.
type ImportOptions struct {
	Match     string            // a pattern of path.Match for names of jobs; empty: all
	Zone      string            // of jobs without a timeZone, which use their JVM's
	Rename    map[string]string // new names by old ones
	Unclaimed bool              // jobs without monitorExecution become unclaimed
	Now       time.Time
	Horizon   time.Duration // how far expressions are checked
}

// Imported is a job that was taken over.
type Imported struct {
	Job      elastic.Job
	Alarms   []Alarm
	Comments []string // for the worker's configuration, above the job
}

// Alarm is the target of an ElasticJob error handler, with ${NAME} in place of
// each secret.
type Alarm struct {
	Job  string
	Kind string // mail, dingTalk or weCom
	Keys []string
	Text map[string]string
}

// Import is the result of reading a namespace.
type Import struct {
	Jobs    []Imported
	Remarks []Remark
	Checks  []Check // of expressions, each once
}

// ReadJobs imports the jobs of a namespace. It reads only. The error is
// store.ErrInvalid for bad options, and for a job whose zone is not known.
func (c *Client) ReadJobs(ctx context.Context, o ImportOptions) (*Import, error) {
	if _, err := path.Match(o.Match, ""); err != nil {
		return nil, fmt.Errorf("%w: pattern %q: %w", store.ErrInvalid, o.Match, err)
	}
	names, err := c.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	snapshots := make([]*Snapshot, len(names))
	faults := make([]error, len(names))
	var wg sync.WaitGroup
	slots := make(chan struct{}, jobsAtOnce)
	for i, name := range names {
		if matches, _ := path.Match(o.Match, name); o.Match != "" && !matches {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			snapshots[i], faults[i] = again(ctx, func() (*Snapshot, error) { return c.Settings(ctx, name) })
		})
	}
	wg.Wait()
	var list []*Snapshot
	var remarks []Remark
	for i, s := range snapshots {
		switch {
		case faults[i] != nil && ctx.Err() != nil:
			return nil, faults[i]
		case faults[i] != nil:
			remarks = append(remarks, Remark{names[i], "config", Cannot, oneLine(faults[i].Error())})
		case s != nil && s.at("config") != nil:
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: %s has no job of ElasticJob's%s", store.ErrInvalid, c.root, matching(o.Match))
	}
	imported, err := ImportJobs(list, o)
	if err != nil {
		return nil, err
	}
	imported.Remarks = append(remarks, imported.Remarks...)
	return imported, nil
}

func matching(pattern string) string {
	if pattern == "" {
		return ""
	}
	return fmt.Sprintf(" that matches %q", pattern)
}

// ImportJobs imports jobs from their snapshots. It reads nothing.
func ImportJobs(list []*Snapshot, o ImportOptions) (*Import, error) {
	if o.Zone != "" {
		if _, err := cron.LoadLocation(o.Zone); err != nil {
			return nil, fmt.Errorf("%w: zone: %w", store.ErrInvalid, err)
		}
	}
	i := &Import{}
	checks := newChecker(o.Now, o.Horizon)
	taken := map[string]string{}
	for _, s := range list {
		m := &mover{options: o, facts: factsOf(s), job: s.Job, out: i, checks: checks}
		if o.Zone == "" && m.config != nil && m.config.Cron != "" && m.config.TimeZone == "" {
			return nil, fmt.Errorf("%w: job %s has no timeZone, so ElasticJob uses that of its JVMs; say which one "+
				"that is: --zone Asia/Shanghai",
				store.ErrInvalid, s.Job)
		}
		if !m.move() {
			continue
		}
		if other, twice := taken[m.to.Job.Name]; twice {
			m.remark("jobName", Cannot, "it would have the name of job %s; --rename gives it another", other)
			continue
		}
		taken[m.to.Job.Name] = s.Job
		i.Jobs = append(i.Jobs, m.to)
	}
	for old := range o.Rename {
		if !slices.ContainsFunc(list, func(s *Snapshot) bool { return s.Job == old }) {
			return nil, fmt.Errorf("%w: rename: there is no job %q", store.ErrInvalid, old)
		}
	}
	i.Checks = checks.done()
	return i, nil
}

// mover moves one job.
type mover struct {
	*facts
	options ImportOptions
	job     string
	out     *Import
	checks  *checker
	to      Imported
	failed  bool
}

func (m *mover) remark(what string, f Fidelity, format string, a ...any) {
	text := fmt.Sprintf(format, a...)
	m.out.Remarks = append(m.out.Remarks, Remark{m.job, oneLine(what), f, oneLine(text)})
}

// fail says why the job is left out.
func (m *mover) fail(what, format string, a ...any) {
	m.remark(what, Cannot, "%s; the job is left out", fmt.Sprintf(format, a...))
	m.failed = true
}

var goodName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)

// move reports whether the job was taken over.
func (m *mover) move() bool {
	if m.configErr != nil {
		m.fail("config", "%s", m.configErr.Error())
		return false
	}
	for _, u := range m.s.Unread {
		m.remark(u.Path, Cannot, "%s", "it was not read: "+u.Why)
	}
	c, j := m.config, &m.to.Job
	j.Name = cmp.Or(m.options.Rename[m.job], m.job)
	if !goodName.MatchString(j.Name) {
		m.fail("jobName", "%.120q is no name here (letters, digits and . _ -, up to 100); say --rename old=new", j.Name)
	}
	if j.Name != m.job {
		m.remark("jobName", Exact, "%s", "renamed to "+j.Name)
	}
	if c.Name != "" && c.Name != m.job {
		m.remark("jobName", Differs, "config says %.120q, the node is %s; the node counts", c.Name, m.job)
	}
	j.Description = c.Description
	j.Parameter = c.Parameter
	j.Shards = c.Shards
	j.Disabled = true
	m.schedule()
	m.parameters()
	m.strategy()
	m.policies()
	m.errorHandler()
	m.code()
	m.operators()
	m.settings()
	if m.failed {
		return false
	}
	if err := j.Validate(); err != nil {
		m.fail("the job", "%s", oneLine(err.Error()))
		return false
	}
	return true
}

// oddDays are days of a month that not every month has, with W, and lists with
// W.
var oddDays = regexp.MustCompile(`(^|,)(29|30|31)W|,[0-9L]+W|[0-9L]W,`)

func (m *mover) schedule() {
	c, j := m.config, &m.to.Job
	if c.Cron == "" {
		j.Schedule = "@manual"
		m.remark("cron", Exact, "a one-off job: @manual, which Scheduler.Trigger runs")
		return
	}
	j.Schedule = c.Cron
	j.TimeZone = m.options.Zone
	if c.TimeZone != "" {
		var known bool
		if j.TimeZone, known = javaZone(c.TimeZone); !known {
			m.remark("timeZone", Differs, "Java does not know %.60q and silently takes GMT: imported as UTC, which "+
				"is when the job fires today", c.TimeZone)
		}
	}
	loc, err := cron.LoadLocation(j.TimeZone)
	if err != nil {
		m.fail("timeZone", "%s", oneLine(err.Error()))
		return
	}
	s, err := cron.Parse(c.Cron, loc)
	if err != nil {
		m.fail("cron", "%s", oneLine(err.Error()))
		return
	}
	if fields := strings.Fields(c.Cron); len(fields) > 3 && oddDays.MatchString(fields[3]) {
		m.remark("cron", Differs, "%q: Quartz 2.3 leaves out the days in a list with W, and takes another day for "+
			"29W to 31W in a month that ends before; compare with --quartz-check", c.Cron)
	}
	if shifts(loc, m.options.Now) {
		m.remark("cron", Differs, "the clock of %s is set twice a year: Quartz fires in the second of two equal "+
			"hours, elastic in the first; compare with --quartz-check", j.TimeZone)
	}
	m.checks.add(c.Cron, j.TimeZone, s)
}

// shifts reports whether a zone's offset changes within a year.
func shifts(loc *time.Location, now time.Time) bool {
	_, first := now.In(loc).Zone()
	for month := range 12 {
		if _, offset := now.AddDate(0, month+1, 0).In(loc).Zone(); offset != first {
			return true
		}
	}
	return false
}

// parameters reads item parameters as Java does: pairs with commas between
// them.
func (m *mover) parameters() {
	text := m.config.ItemParameters
	if strings.TrimSpace(text) == "" {
		return
	}
	list := map[int]string{}
	var beyond []string
	for pair := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		item, err := strconv.ParseInt(strings.TrimSpace(name), 10, 32)
		switch {
		case !ok || err != nil || item < 0 || strings.Contains(value, "="):
			m.fail("shardingItemParameters", "%.60q is no pair such as 0=Beijing; Java refuses it, too", pair)
			return
		case int(item) >= m.config.Shards:
			beyond = append(beyond, name)
		default:
			list[int(item)] = value
		}
	}
	if len(list) > 0 {
		m.to.Job.ShardParameters = list
	}
	if len(beyond) > 0 {
		m.remark("shardingItemParameters", Differs, "parameters of shards that the job does not have were dropped: %s",
			quoted(beyond))
	}
}

var strategies = map[string]string{
	"": "average", "AVG_ALLOCATION": "average", "ODEVITY": "odevity", "ROUND_ROBIN": "rotate",
	"SINGLE_SHARDING_BALANCE":              "single",
	"AverageAllocationJobShardingStrategy": "average", "OdevitySortByNameJobShardingStrategy": "odevity",
	"RotateServerByNameJobShardingStrategy": "rotate",
}

// shortClass returns a class without its package.
func shortClass(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

func (m *mover) strategy() {
	c, j := m.config, &m.to.Job
	name, known := strategies[shortClass(c.Strategy)]
	switch {
	case c.StaticSharding:
		j.Sharding = "static"
		m.remark("staticSharding", Differs, "shards stay where they are, but those of a dead instance go to another")
	case known:
		j.Sharding = name
		m.remark("jobShardingStrategyType", Differs,
			"%s counts the same way over other instance IDs, so shards lie on other machines; sticky moves fewer of "+
				"them", name)
	default:
		m.remark("jobShardingStrategyType", Cannot,
			"%.120q is your own strategy: write it in Go and give it to WithStrategy; until then sticky is used",
			c.Strategy)
	}
}

func (m *mover) policies() {
	c, j := m.config, &m.to.Job
	switch {
	case c.Failover && c.MonitorExecution:
		j.Failover, j.MaxAttempts = true, elastic.DefaultMaxAttempts
		m.remark("failover", Differs, "a fire is tried three times at most; ElasticJob has no bound")
	case c.Failover:
		m.remark("failover", Differs, "it is off: without monitorExecution ElasticJob never failed over; set "+
			"failover: true if you want it")
	}
	if !c.MonitorExecution {
		if m.options.Unclaimed {
			j.Unclaimed = true
			m.remark("monitorExecution", Differs, "unclaimed: nothing is written for a run, and two may overlap")
		} else {
			m.remark("monitorExecution", Differs, "runs are recorded, so a fire no longer overlaps the run before; "+
				"--unclaimed imports it without records")
		}
	}
	if !j.Unclaimed {
		j.Misfire, j.Overlap = elastic.MisfireSkip, elastic.OverlapSkip
		if c.Misfire {
			j.Misfire, j.Overlap = elastic.MisfireOnce, elastic.OverlapQueue
			m.remark("misfire", Differs, "a missed fire is made up for at once; ElasticJob does it after the next "+
				"regular run")
		}
	}
	switch shortClass(c.Pool) {
	case "", "CPU", "DefaultExecutorServiceHandler":
	case "SINGLE_THREAD":
		j.MaxConcurrent = 1
	default:
		m.remark("jobExecutorThreadPoolSizeProviderType", Cannot, "%.120q is your own pool: maxConcurrent bounds "+
			"what one instance runs at a time", c.Pool)
	}
}

// code adds remarks about Java code that has to be written again.
func (m *mover) code() {
	c := m.config
	if c.Class != "" {
		m.to.Comments = append(m.to.Comments, "Handler in Java: "+oneLine(c.Class))
	}
	for _, listener := range c.Listeners {
		m.remark("jobListenerTypes", Cannot, "%.120q is code: middleware does the same", listener)
	}
	if c.Tracing {
		m.remark("jobExtraConfigurations", Cannot, "tracing into a database is code of the Java programs: "+
			"WithHistory records runs, and --tracing imports those of the tables")
	}
	for _, tag := range c.Extra {
		m.remark("jobExtraConfigurations", Cannot, "%.120q is code", tag)
	}
	if strings.EqualFold(c.prop("streaming.process"), "true") {
		m.remark("streaming.process", Differs, "a data flow that fetches until nothing is left is an option of the "+
			"handler: see package jobs/dataflow")
	}
	switch c.Class {
	case "SCRIPT", "HTTP":
		m.remark("props", Differs, "a %s job: what is executed is part of the worker's configuration and never comes "+
			"from a store; it is a comment in the file", c.Class)
	}
	for _, p := range c.Props {
		if strings.HasPrefix(p.Name, "email.") || strings.HasPrefix(p.Name, "wechat.") ||
			strings.HasPrefix(p.Name, "dingtalk.") ||
			p.Name == "streaming.process" {
			continue
		}
		value := p.Value
		if secretName.MatchString(p.Name) {
			value = "${" + variable(p.Name) + "}"
		}
		m.to.Comments = append(m.to.Comments, fmt.Sprintf("props %s = %s", oneLine(p.Name), strconv.Quote(value)))
		switch {
		case p.Fuzzy:
			m.remark("props", Differs, "%s is written as %.60q, and what Java makes of it depends on its machine",
				p.Name, p.Text)
		case p.Value != p.Text:
			m.remark("props", Differs, "%s is written as %.60q, and Java sees %.60q, as YAML 1.1 has it", p.Name,
				p.Text, p.Value)
		}
		if !strings.HasPrefix(p.Name, "script.") && !strings.HasPrefix(p.Name, "http.") {
			m.remark("props", Differs, "%s is your own property: it belongs into the worker's configuration; it is a "+
				"comment in the file", p.Name)
		}
	}
	for _, key := range c.Unknown {
		m.remark(key, Cannot, "no version of ElasticJob knows this key")
	}
}

// operators adds the decisions that operators made while the jobs ran.
func (m *mover) operators() {
	m.to.Job.DisabledShards = m.disabledShards()
	var disabled []string
	for ip, n := range m.servers {
		if n.Data == "DISABLED" {
			disabled = append(disabled, ip)
		}
	}
	slices.Sort(disabled)
	switch {
	case len(disabled) == 0:
	case len(disabled) == len(m.servers):
		m.remark("servers", Exact, "the job is disabled on all servers: leave disabled: true as it is")
	default:
		m.remark("servers", Differs, "it is disabled on %s only: run the worker elsewhere, or give instances labels "+
			"and the job requires", quoted(disabled))
	}
	if m.config.Disabled {
		m.remark("disabled", Differs, "in ElasticJob it counts when an instance starts; here it counts at once")
	}
}

// settings are those that need no counterpart.
func (m *mover) settings() {
	c := m.config
	not := func(set bool, key, text string) {
		if set {
			m.remark(key, NotNeeded, "%s", text)
		}
	}
	not(c.MaxTimeDiff >= 0, "maxTimeDiffSeconds", "clocks are always compared")
	not(c.ReconcileIntervals > 0, "reconcileIntervalMinutes", "assignments are always mended")
	not(c.Overwrite, "overwrite", "it is an option of Scheduler.Add")
	not(c.Label != "", "label", "ElasticJob stores it and does not use it")
	not(c.MonitorPort > 0, "monitorPort", "elasticctl reads the store")
}
