package jobfile

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/elasticjob-go/elastic/cron"
	"github.com/elasticjob-go/elastic/internal/elasticjob"
)

// value is the value of a key in a file. Its methods read it as a type, and
// report a fault if it has another.
type value struct {
	p      *reader
	j      *fileJob
	key    string
	node   *yaml.Node
	secret bool // no message shows it
}

// item returns a part of v.
func (v value) item(n *yaml.Node) value {
	v.node = n
	return v
}

// fault reports a fault of the value, which the message shows as it is in the
// file.
func (v value) fault(format string, args ...any) {
	v.p.faults.AddAt(v.node.Line, "%s: %s", v.key, lazy(func() string {
		text := strings.TrimPrefix(fmt.Sprint(v.shown()), "is ")
		return text + " " + fmt.Sprintf(format, args...)
	}))
}

// want reports that the value is not what the key takes, such as "a list".
func (v value) want(format string, args ...any) {
	v.p.faults.AddAt(v.node.Line, "%s: must be %s", v.key, lazy(func() string {
		return fmt.Sprintf(format, args...)
	}))
}

// shown returns the value for a message.
func (v value) shown() fmt.Stringer {
	n := v.p.resolve(v.node)
	if v.secret && n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return lazy(func() string { return "is the text" })
	}
	return shown(n)
}

func (v value) hasVariable() bool { return v.p.hasVariable(v.node) }

// scalar returns a single value with its variables replaced. plain reports
// whether it has no quotes.
func (v value) scalar(want string) (text string, plain, ok bool) {
	n := v.p.resolve(v.node)
	if n.Kind != yaml.ScalarNode {
		v.want("%s, %s", want, v.shown())
		return "", false, false
	}
	if n.Style&yaml.TaggedStyle != 0 {
		v.fault("has a tag, which is not read here; write the value alone, or put it in quotes")
		return "", false, false
	}
	quoted := yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
	plain = n.Style&quoted == 0
	if plain && (n.Tag == "!!null" || n.Value == "") {
		v.p.faults.AddAt(v.node.Line, "%s: has no value; write %s, or leave the key out", v.key, want)
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
	strategy := elasticjob.Strategy(text)
	switch {
	case v.hasVariable():
	case v.key == "misfire" && (text == "true" || text == "false"):
		v.fault("is ElasticJob's; write %s", map[string]string{"true": "once", "false": "skip"}[text])
		return ""
	case v.key == "sharding" && strategy != "" && text == strings.ToUpper(text):
		v.fault("is ElasticJob's name of a strategy; write %s", strategy)
		return ""
	}
	return text
}

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

func (v value) boolean() bool {
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
		v.fault("has days, which a duration does not have; write %dh", 24*n)
	default:
		v.fault("is not a duration; write one such as 90s or 1h30m")
	}
	return 0
}

// instant requires the offset in the value itself, as the schedule @at does:
// otherwise it would move with the time zone beside it.
func (v value) instant() time.Time {
	const example = "2027-01-01T00:00:00+08:00"
	text, _, ok := v.scalar("an instant such as " + example)
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
		v.fault("is not an instant; write %s", example)
	default:
		v.fault("%s", lazy(func() string { return v.instantFault(text) }))
	}
	return time.Time{}
}

// instantFault returns what package cron says about an instant that it cannot
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

// list returns the items of a list.
func (v value) list(example string) []value {
	n := v.p.resolve(v.node)
	if n.Kind != yaml.SequenceNode {
		v.want("a list, %s; write one such as %s", v.shown(), example)
		return nil
	}
	var items []value
	for _, item := range n.Content {
		if v.p.left <= 0 {
			break
		}
		items = append(items, v.item(item))
	}
	return items
}

func (v value) texts(example string) []string {
	var list []string
	for _, item := range v.list(example) {
		list = append(list, item.text())
	}
	return list
}

func (v value) numbers(example string) []int {
	var list []int
	for _, item := range v.list(example) {
		list = append(list, item.number())
	}
	return list
}

// elasticJobItems matches the shard parameters of ElasticJob, such as 0=a,1=b.
var elasticJobItems = regexp.MustCompile(`^\s*[0-9]+\s*=[^,]*(,\s*[0-9]+\s*=[^,]*)*$`)

// numbered returns texts by the number of their shard.
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
		v.want("texts by the number of their shard, %s; write them as {0: Beijing, 1: Shanghai}", v.shown())
		return nil
	}
	all := map[int]string{}
	for _, e := range v.p.entries(n, v.key, nil) {
		shard, err := strconv.Atoi(e.name)
		if !decimal.MatchString(e.name) || e.name == "-0" || err != nil {
			v.p.faults.AddAt(e.line, "%s: %q is not the number of a shard in decimal digits; write one such as 3",
				v.key, clip(e.name))
			continue
		}
		all[shard] = v.item(e.value).text()
	}
	return all
}

// named returns texts by name, such as labels.
func (v value) named(what, example string) map[string]string {
	n := v.p.resolve(v.node)
	if n.Kind != yaml.MappingNode {
		v.want("%s with values, %s; write them as %s", what, v.shown(), example)
		return nil
	}
	all := map[string]string{}
	for _, e := range v.p.entries(n, v.key, nil) {
		all[e.name] = v.item(e.value).text()
	}
	return all
}
