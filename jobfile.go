package elastic

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/elasticjob-go/elastic/internal/layout"
)

// LoadJobs reads the jobs of a file; see [ReadJobs].
func LoadJobs(path string) ([]Job, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load jobs: %w", err)
	}
	defer f.Close()
	jobs, err := ReadJobs(f, os.LookupEnv)
	if err != nil {
		return nil, fmt.Errorf("load jobs of %s:\n%w", path, err)
	}
	return jobs, nil
}

// ReadJobs reads jobs as YAML, or as JSON, which is YAML:
//
//	jobs:
//	  - name: report
//	    schedule: 0 0 3 * * ?
//	    timeZone: Asia/Shanghai
//	    shards: 3
//	    shardParameters: {0: Beijing, 1: Shanghai, 2: Guangzhou}
//	    failover: true
//	    timeout: 90m
//	    parameter: ${REPORT_BUCKET:-reports}
//
// The keys are those of the job as the store holds it; [JobSchema] describes them for editors and other tools. In values, ${NAME} stands for
// the variable of that name, ${NAME:-text} for text where there is none, and $$ for a dollar sign; lookup is [os.LookupEnv] or what a
// program likes better.
//
// Nothing is guessed: a key that does not exist, one that is there twice, a value of another type, a variable that is not set and everything
// that [Job.Validate] refuses, but for the name of a strategy, which Scheduler.Add knows, are errors. They name the line, and all are told at once.
func ReadJobs(r io.Reader, lookup func(string) (string, bool)) ([]Job, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxJobFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxJobFile {
		return nil, fmt.Errorf("a file of jobs has at most %d bytes", maxJobFile)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, err
	}
	if root.Kind == 0 {
		return nil, errors.New(`it is empty: it must begin with "jobs:"`)
	}
	p := jobParser{lookup: lookup}
	jobs := p.file(root.Content[0])
	return jobs, errors.Join(p.faults...)
}

// maxJobFile is what 10,000 long jobs take.
const maxJobFile = 16 << 20

// jobDoc is a job in a file. Its tags are those of layout.Spec.
type jobDoc struct {
	Name            string            `yaml:"name"`
	Description     string            `yaml:"description"`
	Schedule        string            `yaml:"schedule"`
	After           []string          `yaml:"after"`
	AfterEnds       AfterEnds         `yaml:"afterEnds"`
	TimeZone        string            `yaml:"timeZone"`
	Start           time.Time         `yaml:"start"`
	End             time.Time         `yaml:"end"`
	Except          []string          `yaml:"except"`
	Jitter          layout.Duration   `yaml:"jitter"`
	Shards          int               `yaml:"shards"`
	Broadcast       bool              `yaml:"broadcast"`
	Parameter       string            `yaml:"parameter"`
	ShardParameters map[int]string    `yaml:"shardParameters"`
	Sharding        string            `yaml:"sharding"`
	Failover        bool              `yaml:"failover"`
	MaxAttempts     int               `yaml:"maxAttempts"`
	Misfire         Misfire           `yaml:"misfire"`
	MisfireWindow   layout.Duration   `yaml:"misfireWindow"`
	Overlap         Overlap           `yaml:"overlap"`
	Timeout         layout.Duration   `yaml:"timeout"`
	CarryOn         layout.Duration   `yaml:"carryOn"`
	Retries         int               `yaml:"retries"`
	RetryDelay      layout.Duration   `yaml:"retryDelay"`
	RetryMaxDelay   layout.Duration   `yaml:"retryMaxDelay"`
	MaxConcurrent   int               `yaml:"maxConcurrent"`
	Requires        map[string]string `yaml:"requires"`
	DisabledShards  []int             `yaml:"disabledShards"`
	Unclaimed       bool              `yaml:"unclaimed"`
	Disabled        bool              `yaml:"disabled"`
}

func (d jobDoc) job() Job {
	return Job{
		Name: d.Name, Description: d.Description, Schedule: d.Schedule, After: d.After, AfterEnds: d.AfterEnds, TimeZone: d.TimeZone, Start: d.Start, End: d.End, Except: d.Except,
		Jitter: time.Duration(d.Jitter), Shards: d.Shards, Broadcast: d.Broadcast, Parameter: d.Parameter, ShardParameters: d.ShardParameters,
		Sharding: d.Sharding, Failover: d.Failover, MaxAttempts: d.MaxAttempts, Misfire: d.Misfire, MisfireWindow: time.Duration(d.MisfireWindow),
		Overlap: d.Overlap, Timeout: time.Duration(d.Timeout), CarryOn: time.Duration(d.CarryOn), Retries: d.Retries, RetryDelay: time.Duration(d.RetryDelay),
		RetryMaxDelay: time.Duration(d.RetryMaxDelay), MaxConcurrent: d.MaxConcurrent, Requires: d.Requires, DisabledShards: d.DisabledShards,
		Unclaimed: d.Unclaimed, Disabled: d.Disabled,
	}
}

// jobKeys are the keys of a job in a file, in the order of jobDoc.
var jobKeys = func() (keys []string) {
	for f := range reflect.TypeFor[jobDoc]().Fields() {
		keys = append(keys, f.Tag.Get("yaml"))
	}
	return keys
}()

// jobParser reads one file and keeps all that is wrong with it.
type jobParser struct {
	lookup func(string) (string, bool)
	faults []error
}

func (p *jobParser) fault(n *yaml.Node, format string, a ...any) {
	p.faults = append(p.faults, fmt.Errorf("line %d: %s", n.Line, fmt.Sprintf(format, a...)))
}

func (p *jobParser) file(n *yaml.Node) (jobs []Job) {
	values := p.mapping(n, "the file", []string{"jobs"})
	list, ok := values["jobs"]
	if !ok {
		if len(p.faults) == 0 {
			p.fault(n, `there is no "jobs:"`)
		}
		return nil
	}
	if list.Kind != yaml.SequenceNode {
		p.fault(list, `"jobs" must be a list: a line that begins with "- name: " for each`)
		return nil
	}
	seen := map[string]int{}
	for _, item := range list.Content {
		before := len(p.faults)
		j := p.job(item)
		if len(p.faults) > before {
			continue
		}
		if line, twice := seen[j.Name]; twice {
			p.fault(item, "job %q is there already, on line %d", j.Name, line)
		}
		seen[j.Name] = item.Line
		if err := j.validate(anyStrategy); err != nil {
			p.fault(item, "%v", err)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

func (p *jobParser) job(n *yaml.Node) Job {
	values := p.mapping(n, "a job", jobKeys)
	p.expand(n)
	p.durations(values)
	var d jobDoc
	if err := n.Decode(&d); err != nil {
		var wrong *yaml.TypeError
		if !errors.As(err, &wrong) {
			p.fault(n, "%v", err)
			return Job{}
		}
		for _, text := range wrong.Errors {
			p.faults = append(p.faults, errors.New(text))
		}
	}
	return d.job()
}

// durations reports those that can't be read, and takes zero for them: the decoder would name the line of the job.
func (p *jobParser) durations(values map[string]*yaml.Node) {
	for f := range reflect.TypeFor[jobDoc]().Fields() {
		key := f.Tag.Get("yaml")
		value := values[key]
		if f.Type != reflect.TypeFor[layout.Duration]() || value == nil || value.Kind != yaml.ScalarNode {
			continue
		}
		if err := new(layout.Duration).UnmarshalText([]byte(value.Value)); err != nil {
			p.fault(value, "%s: %v, want one such as 90s or 1h30m", key, err)
			value.SetString("0s")
		}
	}
}

// mapping returns the values of a mapping, and refuses keys that are not among those it may have.
func (p *jobParser) mapping(n *yaml.Node, what string, may []string) map[string]*yaml.Node {
	values := map[string]*yaml.Node{}
	if n.Kind != yaml.MappingNode {
		p.fault(n, "%s must be keys with values, such as %q", what, may[0]+": …")
		return values
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case slices.Contains(may, key.Value):
			values[key.Value] = value
		default:
			text := fmt.Sprintf("%s has no key %q", what, key.Value)
			if near := nearest(key.Value, may); near != "" {
				text += fmt.Sprintf(": did you mean %q?", near)
			} else {
				text += ": there are " + strings.Join(may, ", ")
			}
			p.fault(key, "%s", text)
		}
	}
	return values
}

// expand replaces the variables in all values below n. What came out of the environment is a value and never YAML: it can't bring keys.
func (p *jobParser) expand(n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 1; i < len(n.Content); i += 2 {
			p.expand(n.Content[i])
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			p.expand(item)
		}
	case yaml.ScalarNode:
		if !strings.Contains(n.Value, "$") {
			return
		}
		value, err := expand(n.Value, p.lookup)
		if err != nil {
			p.fault(n, "%v", err)
			return
		}
		if n.Value = value; n.Style == 0 {
			n.Tag = "" // plain: what it is, a number perhaps, is told by the new value
		}
	}
}

// expand replaces ${NAME}, ${NAME:-text} and $$.
func expand(text string, lookup func(string) (string, bool)) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "$")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		switch {
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			text = rest[1:]
		case strings.HasPrefix(rest, "{"):
			inner, after, closed := strings.Cut(rest[1:], "}")
			if !closed {
				return "", fmt.Errorf("%q has no closing brace", "$"+rest)
			}
			name, otherwise, has := strings.Cut(inner, ":-")
			value, set := lookup(name)
			switch {
			case name == "":
				return "", fmt.Errorf("%q names no variable", "${"+inner+"}")
			case set && (value != "" || !has):
				b.WriteString(value)
			case has:
				b.WriteString(otherwise)
			default:
				return "", fmt.Errorf("the variable %s is not set: set it, or write ${%s:-something} for what to take then", name, name)
			}
			text = after
		default:
			return "", fmt.Errorf("%q: write ${NAME} for a variable, $$ for a dollar sign", "$"+rest)
		}
	}
}

// nearest returns the one of the keys that somebody who wrote key may have meant; empty if none is near.
func nearest(key string, keys []string) string {
	best, at := "", 3
	for _, k := range keys {
		if d := distance(strings.ToLower(key), strings.ToLower(k)); d < at && d < len(k)/2+1 {
			best, at = k, d
		}
	}
	return best
}

// distance is how many letters must be inserted, deleted or replaced to make b of a (Levenshtein 1965).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for k := range row {
		row[k] = k
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for k := range len(b) {
			cost := diagonal
			if a[i] != b[k] {
				cost = 1 + min(diagonal, row[k], row[k+1])
			}
			diagonal, row[k+1] = row[k+1], cost
		}
	}
	return row[len(b)]
}
