package elasticjob

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/go-zookeeper/zk"
)

// DefaultSettle is how long an owner must have been absent before a repair if
// Options do not say: Java's own failover goes first.
const DefaultSettle = 30 * time.Second

const (
	jobsAtOnce       = 8
	repairsPerMinute = 20 // of a job
)

// Doctor finds what keeps shards from running, and repairs it if it is asked
// to. Several may run beside each other.
type Doctor struct {
	Client  *Client
	Options Options       // Settle: zero means the longer of DefaultSettle and the client's Granted
	Match   string        // a pattern of path.Match for names of jobs; empty: all
	Repair  bool          // otherwise nothing is written
	Yes     []Rule        // rules of the class Ask that are repaired, too
	Audit   func(Audit)   // each write before it is sent; may be nil
	Every   time.Duration // between two looks of Watch; zero: 30 s

	// Ended reports whether the run of a shard that a live instance began at a
	// moment has ended, and when, by the tracing tables of ElasticJob. Nil
	// means that there are none. See package tracing.
	Ended EndedFunc

	lost     uint64
	patients map[string]*patient
	mu       sync.Mutex // of came
	came     map[string][]string
}

// EndedFunc is the type of Doctor.Ended. It is called by several goroutines.
type EndedFunc func(
	ctx context.Context, job string, shard int, instance string, since time.Time,
) (at time.Time, ended bool, err error)

// patient is a job that is being looked at.
type patient struct {
	seen    *Seen
	watched map[string]bool // IDs
	repairs []time.Time
}

// Outcome is a finding with the result of its repair.
type Outcome struct {
	*Finding
	Repaired bool   `json:"repaired"`
	Left     string `json:"left,omitempty"` // why a repair was not made, or came to nothing
}

// Report is the result of a look.
type Report struct {
	Jobs       int       `json:"jobs"`       // that were read
	Unreadable int       `json:"unreadable"` // jobs of which something could not be read
	Outcomes   []Outcome `json:"findings"`
}

// Findings returns the number of findings that need a repair or a person, and
// have not been repaired. What an operator has decided is none.
func (r *Report) Findings() (n int) {
	notes := []Rule{NoJob, LongRun, ShardDisabled, JobDisabled, UnmonitoredClaim}
	for _, o := range r.Outcomes {
		if !o.Repaired && !slices.Contains(notes, o.Rule) {
			n++
		}
	}
	return n
}

func (d *Doctor) prepare() error {
	if d.patients != nil {
		return nil
	}
	if _, err := path.Match(d.Match, ""); err != nil {
		return fmt.Errorf("%w: pattern %q: %w", store.ErrInvalid, d.Match, err)
	}
	if d.Options.Settle <= 0 {
		d.Options.Settle = max(DefaultSettle, d.Client.Granted())
	}
	if d.Audit == nil {
		d.Audit = func(Audit) {}
	}
	d.patients, d.came = map[string]*patient{}, map[string][]string{}
	d.lost = d.Client.lost.Load()
	return nil
}

// Look looks at all jobs once. If there is something to repair it watches for
// Options.Settle and looks at those jobs again. The error is store.ErrInvalid
// for a namespace that is not ElasticJob's, and the client's if nothing could
// be read.
func (d *Doctor) Look(ctx context.Context) (*Report, error) {
	if err := d.prepare(); err != nil {
		return nil, err
	}
	report, err := d.round(ctx, nil, false)
	if err != nil {
		return nil, err
	}
	again := map[string]bool{}
	for _, o := range report.Outcomes {
		if o.Actionable() {
			again[o.Job] = true
		}
	}
	if len(again) == 0 {
		return report, nil
	}
	const slack = 100 * time.Millisecond
	if err := pause(ctx, d.Options.Settle+slack); err != nil {
		return nil, err
	}
	second, err := d.round(ctx, again, d.Repair)
	if err != nil {
		return nil, err
	}
	for _, o := range report.Outcomes {
		if !again[o.Job] {
			second.Outcomes = append(second.Outcomes, o)
		}
	}
	second.Jobs, second.Unreadable = report.Jobs, report.Unreadable
	sortOutcomes(second.Outcomes)
	return second, nil
}

// Watch looks again and again until ctx ends, and calls each with every report.
// A look that fails is reported as an error, and the next one begins from
// nothing.
func (d *Doctor) Watch(ctx context.Context, each func(*Report, error)) error {
	if err := d.prepare(); err != nil {
		return err
	}
	every := d.Every
	if every <= 0 {
		every = DefaultSettle
	}
	for {
		report, err := d.round(ctx, nil, d.Repair)
		if ctx.Err() != nil {
			return nil
		}
		each(report, err)
		// Two doctors that met at a mark both step back: they must not meet
		// again.
		if pause(ctx, every/2+rand.N(every)) != nil {
			return nil
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	}
}

// round looks at jobs, at all if only is nil.
func (d *Doctor) round(ctx context.Context, only map[string]bool, repair bool) (*Report, error) {
	names, err := d.Client.Jobs(ctx)
	if err != nil {
		return nil, err
	}
	if lost := d.Client.lost.Load(); lost != d.lost {
		d.lost = lost
		for _, p := range d.patients {
			p.seen.Reset()
		}
	}
	there := map[string]bool{}
	for _, name := range names {
		there[name] = true
	}
	for name := range d.patients {
		if !there[name] {
			delete(d.patients, name)
		}
	}
	report := &Report{}
	var foreign []string
	var wg sync.WaitGroup
	var mu sync.Mutex
	var fatal error
	slots := make(chan struct{}, jobsAtOnce)
	matched := 0
	for _, name := range names {
		if matches, _ := path.Match(d.Match, name); d.Match != "" && !matches || only != nil && !only[name] {
			continue
		}
		matched++
		p := d.patients[name]
		if p == nil {
			p = &patient{seen: NewSeen(), watched: map[string]bool{}}
			d.patients[name] = p
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			outcomes, err := d.examine(ctx, name, p, repair)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				fatal = errors.Join(fatal, err)
				report.Unreadable++
				report.Outcomes = append(report.Outcomes, Outcome{Finding: &Finding{
					Job: name, Rule: Unreadable, Class: Tell, What: "the job could not be read: " + err.Error()}})
			case len(outcomes) == 1 && outcomes[0].Rule == NoJob:
				foreign = append(foreign, name)
			default:
				report.Jobs++
				report.Outcomes = append(report.Outcomes, outcomes...)
				if slices.ContainsFunc(outcomes, func(o Outcome) bool { return o.Rule == Unreadable }) {
					report.Unreadable++
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(foreign)
	switch {
	case report.Jobs == 0 && fatal != nil:
		return nil, fatal
	case only != nil:
	case d.Match != "" && matched == 0:
		return nil, fmt.Errorf("%w: no job in %s matches %q", store.ErrInvalid, d.Client.root, d.Match)
	case report.Jobs == 0 && len(foreign) > 0:
		return nil, fmt.Errorf("%w: %s is no namespace of ElasticJob's: none of its %d nodes has a config; name the "+
			"one of the Java programs",
			store.ErrInvalid, d.Client.root, len(foreign))
	case len(foreign) > 0:
		report.Outcomes = append(report.Outcomes, Outcome{Finding: &Finding{Job: foreign[0], Rule: NoJob, Class: Tell,
			What: fmt.Sprintf("the namespace has nodes that are no jobs and were left alone: %d, such as %s",
				len(foreign), quoted(foreign))}})
	}
	sortOutcomes(report.Outcomes)
	return report, nil
}

func sortOutcomes(list []Outcome) {
	slices.SortStableFunc(list, func(a, b Outcome) int {
		if n := strings.Compare(a.Job, b.Job); n != 0 {
			return n
		}
		return shardNumber(a.Finding) - shardNumber(b.Finding)
	})
}

// shardNumber puts what is about the whole job first.
func shardNumber(f *Finding) int {
	if f.Shard == nil {
		return -1
	}
	return *f.Shard
}

// examine looks at one job. A healthy one is read once.
func (d *Doctor) examine(ctx context.Context, job string, p *patient, repair bool) ([]Outcome, error) {
	quick, err := again(ctx, func() (*Snapshot, error) { return d.Client.Collect(ctx, job) })
	if err != nil {
		p.seen.Reset()
		return nil, err
	}
	d.applyWatches(job, p)
	suspects := Examine(quick, NewSeen(), d.Options)
	asks := d.Ended != nil && len(runsOf(quick)) > 0
	if !slices.ContainsFunc(suspects, (*Finding).Actionable) && !severalRuns(quick) && !asks {
		p.seen.Reset()
		return outcomesOf(suspects), nil
	}
	first, second, agreed, err := d.Client.Settled(ctx, job)
	if err != nil {
		p.seen.Reset()
		return nil, err
	}
	p.seen.Observe(first, second, agreed)
	d.watch(ctx, job, p)
	d.applyWatches(job, p)
	var trouble error
	if asks {
		trouble = d.askEnds(ctx, p.seen, second)
	}
	findings := Examine(second, p.seen, d.Options)
	if !agreed {
		findings = confirmed(Examine(first, NewSeen(), d.Options), findings)
	}
	if trouble != nil {
		findings = append(findings, &Finding{
			Job: job, Rule: Unreadable, Class: Tell,
			What: "the tracing tables could not be read: " + oneLine(trouble.Error()),
		})
	}
	outcomes := outcomesOf(findings)
	if repair {
		d.repair(ctx, job, p, outcomes)
	}
	return outcomes, nil
}

// severalRuns reports whether an instance has more than one running mark, of
// which one may have been left: only watching tells.
func severalRuns(s *Snapshot) bool {
	for _, paths := range runsOf(s) {
		if len(paths) > 1 {
			return true
		}
	}
	return false
}

// runsOf returns the paths of the running marks by the instance that they name.
func runsOf(s *Snapshot) map[string][]string {
	runs := map[string][]string{}
	for p, n := range s.Nodes {
		if strings.HasPrefix(p, "sharding/") && strings.HasSuffix(p, "/running") && n.Data != "" {
			runs[n.Data] = append(runs[n.Data], p)
		}
	}
	return runs
}

// askEnds asks the tracing tables about the marks of live instances. An
// execution of several shards ends with its last, so that an instance's marks
// count as ended only if all of them are.
func (d *Doctor) askEnds(ctx context.Context, seen *Seen, s *Snapshot) error {
	ends := map[string]endedRun{}
	defer func() { seen.ended = ends }()
	for owner, paths := range runsOf(s) {
		if !isID(owner) || s.at("instances/"+owner) == nil {
			continue
		}
		mine := map[string]endedRun{}
		for _, p := range paths {
			item, ok := itemNumber(path.Base(path.Dir(p)))
			n := s.at(p)
			if !ok || s.At.Sub(n.Stat.Created) < apart {
				break
			}
			at, ended, err := d.Ended(ctx, s.Job, item, owner, n.Stat.Created)
			if err != nil {
				return err
			}
			if !ended {
				break
			}
			mine[p] = endedRun{n.Stat.Czxid, at}
		}
		if len(mine) == len(paths) {
			maps.Copy(ends, mine)
		}
	}
	return nil
}

func outcomesOf(findings []*Finding) []Outcome {
	outcomes := make([]Outcome, 0, len(findings))
	for _, f := range findings {
		outcomes = append(outcomes, Outcome{Finding: f})
	}
	return outcomes
}

// watch watches for the return of the instances whose absence is observed. An
// event, whichever, ends the absence.
func (d *Doctor) watch(ctx context.Context, job string, p *patient) {
	for _, id := range p.seen.Absent() {
		if p.watched[id] {
			continue
		}
		type reply struct {
			there  bool
			events <-chan zk.Event
		}
		r, err := call(ctx, d.Client, func() (reply, error) {
			there, _, events, err := d.Client.conn.ExistsW(d.Client.root + "/" + job + "/instances/" + id)
			return reply{there, events}, err
		})
		if r.there || err != nil {
			p.seen.Came(id)
			continue
		}
		p.watched[id] = true
		go func() {
			<-r.events
			d.mu.Lock()
			defer d.mu.Unlock()
			d.came[job] = append(d.came[job], id)
		}()
	}
}

// applyWatches takes over what the watches have seen.
func (d *Doctor) applyWatches(job string, p *patient) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range d.came[job] {
		p.seen.Came(id)
		delete(p.watched, id)
	}
	delete(d.came, job)
}

// repair makes the repairs that are due, one transaction for each shard.
func (d *Doctor) repair(ctx context.Context, job string, p *patient, outcomes []Outcome) {
	groups := map[string][]int{}
	var order []string
	for i, o := range outcomes {
		switch {
		case o.change == nil:
			continue
		case o.Class == Ask && !slices.Contains(d.Yes, o.Rule):
			outcomes[i].Left = fmt.Sprintf("a person must decide: --yes %s", o.Rule)
			continue
		case o.Waits != "":
			outcomes[i].Left = o.Waits
			continue
		}
		group := o.path
		if o.Shard != nil && o.Rule != LeftPin {
			group = fmt.Sprint("shard ", *o.Shard)
		}
		if groups[group] == nil {
			order = append(order, group)
		}
		groups[group] = append(groups[group], i)
	}
	// A pin that was left keeps a repair of its mark from being made.
	slices.SortStableFunc(order, func(a, b string) int { return pinsFirst(a) - pinsFirst(b) })
	for _, group := range order {
		var list []*Finding
		for _, i := range groups[group] {
			list = append(list, outcomes[i].Finding)
		}
		now := time.Now()
		p.repairs = slices.DeleteFunc(p.repairs, func(t time.Time) bool { return now.Sub(t) > time.Minute })
		err := error(nil)
		if len(p.repairs) >= repairsPerMinute {
			err = fmt.Errorf("the job had %d repairs in a minute; the rest is left to the next look", repairsPerMinute)
		} else {
			p.repairs = append(p.repairs, now)
			err = d.Client.repairAll(ctx, job, list, d.Audit)
		}
		for _, i := range groups[group] {
			if outcomes[i].Repaired = err == nil; err != nil {
				outcomes[i].Left = oneLine(err.Error())
			}
		}
	}
}

func pinsFirst(group string) int {
	if isPin(group) {
		return 0
	}
	return 1
}

var _ conn = (*zk.Conn)(nil)
