package jobfile

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/internal/elasticjob"
)

// fieldKind is what a key of a job takes.
type fieldKind uint8

const (
	textKind fieldKind = iota
	numberKind
	boolKind
	durationKind
	instantKind
	textsKind
	numbersKind
	numberedKind // texts by number
	labelsKind   // texts by text
)

// jobField is a key of a job in a file.
type jobField struct {
	kind fieldKind
	read func(value, *Job)
}

// jobKeys are the keys of a job in a file, in the order of the documentation.
// They are those of layout.Spec.
var jobKeys = []string{
	"name", "description", "schedule", "after", "afterEnds", "timeZone", "start", "end", "except", "jitter", "shards", "broadcast",
	"parameter", "shardParameters", "sharding", "failover", "maxAttempts", "misfire", "misfireWindow", "overlap", "timeout", "carryOn",
	"retries", "retryDelay", "retryMaxDelay", "maxConcurrent", "requires", "disabledShards", "unclaimed", "disabled",
}

var jobFields = map[string]*jobField{
	"name":            text(func(j *Job) *string { return &j.Name }),
	"description":     text(func(j *Job) *string { return &j.Description }),
	"schedule":        text(func(j *Job) *string { return &j.Schedule }),
	"after":           texts(func(j *Job) *[]string { return &j.After }),
	"afterEnds":       text(func(j *Job) *elastic.AfterEnds { return &j.AfterEnds }),
	"timeZone":        text(func(j *Job) *string { return &j.TimeZone }),
	"start":           instant(func(j *Job) *time.Time { return &j.Start }),
	"end":             instant(func(j *Job) *time.Time { return &j.End }),
	"except":          texts(func(j *Job) *[]string { return &j.Except }),
	"jitter":          duration(func(j *Job) *time.Duration { return &j.Jitter }),
	"shards":          number(func(j *Job) *int { return &j.Shards }),
	"broadcast":       truth(func(j *Job) *bool { return &j.Broadcast }),
	"parameter":       text(func(j *Job) *string { return &j.Parameter }),
	"shardParameters": {numberedKind, func(v value, j *Job) { j.ShardParameters = v.numbered() }},
	"sharding":        text(func(j *Job) *string { return &j.Sharding }),
	"failover":        truth(func(j *Job) *bool { return &j.Failover }),
	"maxAttempts":     number(func(j *Job) *int { return &j.MaxAttempts }),
	"misfire":         text(func(j *Job) *elastic.Misfire { return &j.Misfire }),
	"misfireWindow":   duration(func(j *Job) *time.Duration { return &j.MisfireWindow }),
	"overlap":         text(func(j *Job) *elastic.Overlap { return &j.Overlap }),
	"timeout":         duration(func(j *Job) *time.Duration { return &j.Timeout }),
	"carryOn":         duration(func(j *Job) *time.Duration { return &j.CarryOn }),
	"retries":         number(func(j *Job) *int { return &j.Retries }),
	"retryDelay":      duration(func(j *Job) *time.Duration { return &j.RetryDelay }),
	"retryMaxDelay":   duration(func(j *Job) *time.Duration { return &j.RetryMaxDelay }),
	"maxConcurrent":   number(func(j *Job) *int { return &j.MaxConcurrent }),
	"requires":        {labelsKind, func(v value, j *Job) { j.Requires = v.labels() }},
	"disabledShards":  {numbersKind, func(v value, j *Job) { j.DisabledShards = v.numbers() }},
	"unclaimed":       truth(func(j *Job) *bool { return &j.Unclaimed }),
	"disabled":        truth(func(j *Job) *bool { return &j.Disabled }),
}

func text[T ~string](of func(*Job) *T) *jobField {
	return &jobField{textKind, func(v value, j *Job) { *of(j) = T(v.text()) }}
}

func texts(of func(*Job) *[]string) *jobField {
	return &jobField{textsKind, func(v value, j *Job) {
		for _, item := range v.list(map[string]string{"after": "[report]", "except": "[2026-12-25, SAT-SUN]"}[v.key]) {
			*of(j) = append(*of(j), item.text())
		}
	}}
}

func number(of func(*Job) *int) *jobField {
	return &jobField{numberKind, func(v value, j *Job) { *of(j) = v.number() }}
}

func truth(of func(*Job) *bool) *jobField {
	return &jobField{boolKind, func(v value, j *Job) { *of(j) = v.truth() }}
}

func duration(of func(*Job) *time.Duration) *jobField {
	return &jobField{durationKind, func(v value, j *Job) { *of(j) = v.duration() }}
}

func instant(of func(*Job) *time.Time) *jobField {
	return &jobField{instantKind, func(v value, j *Job) { *of(j) = v.instant() }}
}

// value is what a file gives a key.
type value struct {
	p    *fileReader
	j    *fileJob
	key  string
	node *yaml.Node
	line int
}

// fault reports what is wrong with the value, with the value as the file has
// it.
func (v value) fault(format string, args ...any) {
	v.p.faults.AddAt(v.line, "%s: %s", v.key, lazy(func() string {
		what := fmt.Sprint(shown(v.p.resolve(v.node)))
		return strings.TrimPrefix(what, "is ") + " " + fmt.Sprintf(format, args...)
	}))
}

// scalar returns a single value, variables read. plain reports whether it is
// without quotes.
func (v value) scalar(want string) (text string, plain, ok bool) {
	n := v.p.resolve(v.node)
	if n.Kind != yaml.ScalarNode {
		v.p.faults.AddAt(v.line, "%s: must be %s, %s", v.key, want, shown(n))
		return "", false, false
	}
	if n.Style&yaml.TaggedStyle != 0 {
		v.fault("has a tag, which is not read here; write the value alone, or put it in quotes")
		return "", false, false
	}
	plain = n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	if plain && (n.Tag == "!!null" || n.Value == "") {
		v.p.faults.AddAt(v.line, "%s: has no value; write %s, or leave the key out", v.key, want)
		return "", false, false
	}
	text, ok = v.p.expand(n, v)
	return text, plain, ok
}

func (v value) text() string {
	text, _, ok := v.scalar("text")
	if !ok {
		return ""
	}
	switch {
	case v.key == "misfire" && (text == "true" || text == "false") && !v.hasVariable():
		v.fault("is ElasticJob's; write %s", map[string]string{"true": "once", "false": "skip"}[text])
		return ""
	case v.key == "sharding" && elasticjob.Strategy(text) != "" && text == strings.ToUpper(text) && !v.hasVariable():
		v.fault("is ElasticJob's name of a strategy; write %s", elasticjob.Strategy(text))
		return ""
	}
	return text
}

func (v value) hasVariable() bool { return v.p.hasVariable(v.node) }

var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)

func (v value) number() int {
	text, plain, ok := v.scalar("a whole number such as 3")
	if !ok {
		return 0
	}
	if !plain {
		v.fault("is text; write a whole number such as 3 without quotes")
		return 0
	}
	if !decimal.MatchString(text) {
		v.fault("is not a whole number in decimal digits; write one such as 3")
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		v.fault("is out of range; write a smaller number")
	}
	return n
}

func (v value) truth() bool {
	text, plain, ok := v.scalar("true or false")
	if !ok {
		return false
	}
	switch text {
	case "true", "True", "TRUE", "false", "False", "FALSE":
		if !plain {
			v.fault("is text; write true or false without quotes")
		}
		return text[0]|0x20 == 't'
	}
	if v.hasVariable() {
		v.fault("is not true or false; write one of them")
		return false
	}
	switch text {
	case "yes", "Yes", "YES", "y", "Y", "on", "On", "ON", "1":
		v.fault("is not true or false; write true")
	case "no", "No", "NO", "n", "N", "off", "Off", "OFF", "0":
		v.fault("is not true or false; write false")
	default:
		v.fault("is not true or false; write one of them")
	}
	return false
}

var (
	digits = regexp.MustCompile(`^[0-9]{1,9}$`)
	days   = regexp.MustCompile(`^([0-9]{1,5}) ?d(ays?)?$`)
)

func (v value) duration() time.Duration {
	text, _, ok := v.scalar("a duration such as 90s or 1h30m")
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err == nil {
		return d
	}
	days := days.FindStringSubmatch(text)
	switch {
	case v.hasVariable():
		v.fault("is not a duration; write one such as 90s or 1h30m")
	case digits.MatchString(text):
		v.fault("has no unit; write %ss for seconds", text)
	case days != nil:
		n, _ := strconv.Atoi(days[1])
		v.fault("has a unit that there is not; write %dh", 24*n)
	default:
		v.fault("is not a duration; write one such as 90s or 1h30m")
	}
	return 0
}

// instant wants the offset in the value itself, as the schedule @at does:
// otherwise it would move with the time zone beside it.
func (v value) instant() time.Time {
	const want = "an instant such as 2027-01-01T00:00:00+08:00"
	text, _, ok := v.scalar(want)
	if !ok {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	switch {
	case err == nil && t.IsZero():
		v.fault("is not after 0001-01-01T00:00:00Z; leave %s out for no bound", v.key)
	case err == nil:
		return t
	case v.hasVariable():
		v.fault("is not an instant; write %s", want[len("an instant such as "):])
	default:
		v.fault("%s", lazy(func() string { return v.instantFault(text) }))
	}
	return time.Time{}
}

// instantFault returns what package cron says about an instant that it can't
// read.
func (v value) instantFault(text string) string {
	zone := ""
	if n := v.j.values["timeZone"]; n != nil {
		zone = v.p.resolve(n).Value
	}
	loc, err := cron.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	var fault *cron.SyntaxError
	if _, err := cron.Parse("@at "+text, loc); errors.As(err, &fault) && fault.Remedy != "" {
		return fault.Problem + "; " + fault.Remedy
	}
	return "is not an instant; write one such as 2027-01-01T00:00:00+08:00"
}

// list returns the values of a list.
func (v value) list(example string) (items []value) {
	n := v.p.resolve(v.node)
	if n.Kind != yaml.SequenceNode {
		v.p.faults.AddAt(v.line, "%s: must be a list, %s; write one such as %s", v.key, shown(n), example)
		return nil
	}
	for _, item := range n.Content {
		if v.p.left <= 0 {
			break
		}
		items = append(items, value{v.p, v.j, v.key, item, item.Line})
	}
	return items
}

func (v value) numbers() (list []int) {
	for _, item := range v.list("[0, 2]") {
		list = append(list, item.number())
	}
	return list
}

var elasticJobItems = regexp.MustCompile(`^\s*[0-9]+\s*=[^,]*(,\s*[0-9]+\s*=[^,]*)*$`)

func (v value) numbered() map[int]string {
	n := v.p.resolve(v.node)
	if n.Kind == yaml.ScalarNode && elasticJobItems.MatchString(n.Value) {
		v.fault("is ElasticJob's form; write %s", lazy(func() string {
			var items []string
			for item := range strings.SplitSeq(n.Value, ",") {
				number, text, _ := strings.Cut(item, "=")
				items = append(items, strings.TrimSpace(number)+": "+strings.TrimSpace(text))
			}
			return "{" + clip(strings.Join(items, ", ")) + "}"
		}))
		return nil
	}
	if n.Kind != yaml.MappingNode {
		v.p.faults.AddAt(v.line, "%s: must be texts by the number of their shard, %s; write them as {0: Beijing, 1: Shanghai}", v.key, shown(n))
		return nil
	}
	all := map[int]string{}
	for _, e := range v.p.entries(n, v.key, nil) {
		shard, err := strconv.Atoi(e.name)
		if !decimal.MatchString(e.name) || e.name == "-0" || err != nil {
			v.p.faults.AddAt(e.line, "%s: %q is not the number of a shard in decimal digits; write one such as 3", v.key, clip(e.name))
			continue
		}
		all[shard] = value{v.p, v.j, v.key, e.value, e.value.Line}.text()
	}
	return all
}

func (v value) labels() map[string]string {
	n := v.p.resolve(v.node)
	if n.Kind != yaml.MappingNode {
		v.p.faults.AddAt(v.line, "%s: must be labels with values, %s; write them as {zone: eu}", v.key, shown(n))
		return nil
	}
	all := map[string]string{}
	for _, e := range v.p.entries(n, v.key, nil) {
		all[e.name] = value{v.p, v.j, v.key, e.value, e.value.Line}.text()
	}
	return all
}

// entry is a key with its value.
type entry struct {
	name  string
	value *yaml.Node
	line  int
	flow  bool // of a mapping in braces
}

// entries returns what a mapping has, merges included: what stands in the
// mapping itself wins, and of several merges the first.
func (p *fileReader) entries(n *yaml.Node, what string, may []string) []entry {
	if n.Kind != yaml.MappingNode {
		p.faults.AddAt(n.Line, `%s must be keys with values, such as %q, %s`, what, may[0]+": …", shown(n))
		return nil
	}
	seen := map[string]bool{}
	var list []entry
	p.collect(n, what, seen, &list, 0)
	return list
}

// maxMerges is how deep merges may lie in merges.
const maxMerges = 20

func (p *fileReader) collect(n *yaml.Node, what string, seen map[string]bool, list *[]entry, depth int) {
	if depth > maxMerges {
		p.faults.AddAt(n.Line, "<<: more than %d merges lie in each other; take some out", maxMerges)
		return
	}
	own := map[string]int{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		written := n.Content[i]
		key := p.resolve(written)
		if p.left <= 0 {
			return
		}
		name := key.Value
		switch line, twice := own[name]; {
		case key.Kind != yaml.ScalarNode:
			p.faults.AddAt(written.Line, "%s: a key must be a single text, %s", what, shown(key))
			continue
		case twice:
			p.faults.AddAt(written.Line, "%s: the key %q is there already, on line %d; take one out", what, clip(name), line)
			continue
		}
		own[name] = written.Line
		switch {
		case key.Tag == "!!merge":
			merges = append(merges, n.Content[i+1])
		case !seen[name]:
			seen[name] = true
			*list = append(*list, entry{name, n.Content[i+1], written.Line, n.Style&yaml.FlowStyle != 0})
		}
	}
	for _, m := range merges {
		p.merge(m, what, seen, list, depth+1)
	}
}

func (p *fileReader) merge(written *yaml.Node, what string, seen map[string]bool, list *[]entry, depth int) {
	switch n := p.resolve(written); n.Kind {
	case yaml.MappingNode:
		p.collect(n, what, seen, list, depth)
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if n := p.resolve(item); n.Kind == yaml.MappingNode {
				p.collect(n, what, seen, list, depth)
			} else {
				p.faults.AddAt(item.Line, "<<: takes keys with values, such as *defaults, %s", shown(n))
			}
			if p.left <= 0 {
				return
			}
		}
	default:
		p.faults.AddAt(written.Line, "<<: takes keys with values, such as *defaults, %s", shown(n))
	}
}

// resolve returns the node that an alias stands for, and any other itself. It
// counts the visits: a file whose aliases multiply the work is refused.
func (p *fileReader) resolve(n *yaml.Node) *yaml.Node {
	if p.left--; p.left == 0 {
		p.faults.AddAt(n.Line, "the aliases of the file stand for too much; write out what they stand for")
	}
	for range maxMerges {
		if n.Kind != yaml.AliasNode {
			break
		}
		n = n.Alias
	}
	return n
}

// unknown reports a key that there is not.
func (p *fileReader) unknown(e entry, what string, may []string) {
	p.faults.AddAt(e.line, "%s has no key %q%s", what, clip(e.name), lazy(func() string {
		near := nearest(e.name, may)
		answer := elasticjob.Key(e.name)
		switch {
		case what == "a job" && answer != "":
			return ", which is ElasticJob's; " + answer
		case e.flow && e.value.Kind == yaml.ScalarNode && e.value.Tag == "!!null" && e.value.Value == "":
			return "; if it belongs to the value before it, put that in quotes"
		case near != "":
			return fmt.Sprintf(": did you mean %q?", near)
		}
		return ": there are " + strings.Join(may, ", ")
	}))
}

// expansion is a text with its variables read.
type expansion struct {
	text     string
	variable bool
	failed   bool
}

// expand replaces the variables in a text. What came out of the environment is
// a value and never YAML: it can't bring keys.
func (p *fileReader) expand(n *yaml.Node, v value) (string, bool) {
	x, done := p.expanded[n]
	if !done {
		text, variable, err := expand(n.Value, p.lookup)
		if err != nil {
			v.p.faults.AddAt(n.Line, "%s: %v", v.key, err)
		}
		x = expansion{text, variable, err != nil}
		if variable || x.failed || v.key == "after" {
			p.expanded[n] = x
		}
	}
	return x.text, !x.failed
}

// expand replaces ${NAME}, ${NAME:-text} and $$, and reports whether there was
// a variable.
func expand(text string, lookup func(string) (string, bool)) (value string, variable bool, err error) {
	if !strings.Contains(text, "$") {
		return text, false, nil
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "$")
		b.WriteString(before)
		if !found {
			return b.String(), variable, nil
		}
		switch {
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			text = rest[1:]
		case strings.HasPrefix(rest, "{"):
			inner, after, closed := strings.Cut(rest[1:], "}")
			if !closed {
				return "", true, fmt.Errorf("%q has no closing brace", clip("$"+rest))
			}
			name, otherwise, has := strings.Cut(inner, ":-")
			value, set := lookup(name)
			switch {
			case name == "":
				return "", true, fmt.Errorf("%q names no variable", clip("${"+inner+"}"))
			case set && (value != "" || !has):
				b.WriteString(value)
			case has:
				b.WriteString(otherwise)
			default:
				name = clip(name)
				return "", true, fmt.Errorf("the variable %s is not set: set it, or write ${%s:-something} for what to take then", name, name)
			}
			variable, text = true, after
		default:
			return "", true, fmt.Errorf("%q: write ${NAME} for a variable, $$ for a dollar sign", clip("$"+rest))
		}
	}
}
