package httpcall

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic"
)

// fields are the names of the fields, in the order of the documentation.
var fields = []string{
	"job", "shard", "total", "parameter", "job_parameter",
	"fire", "trigger", "attempt", "fence", "key",
}

// value returns the value of a field in a run.
func value(field string, run elastic.Run) string {
	switch field {
	case "job":
		return run.Job
	case "shard":
		return strconv.Itoa(run.Shard)
	case "total":
		return strconv.Itoa(run.Shards)
	case "parameter":
		return run.Parameter
	case "job_parameter":
		return run.JobParameter
	case "fire":
		return run.Fire.UTC().Format(time.RFC3339)
	case "trigger":
		return strconv.FormatUint(run.Trigger, 10)
	case "attempt":
		return strconv.Itoa(run.Attempt)
	case "fence":
		return strconv.FormatUint(run.Fence(), 10)
	default:
		return run.Key()
	}
}

// placeholder matches a field. Other braces have no meaning, because JSON is
// full of them.
var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

// template is a text with fields: text[0] field[0] text[1] …
type template struct {
	text   []string
	fields []string
}

func parseTemplate(s string) (template, error) {
	var t template
	last := 0
	for _, at := range placeholder.FindAllStringIndex(s, -1) {
		field := s[at[0]+1 : at[1]-1]
		if !slices.Contains(fields, field) {
			return t, fmt.Errorf("there is no field {%s}; the fields are {%s}", field, strings.Join(fields, "}, {"))
		}
		t.text = append(t.text, s[last:at[0]])
		t.fields = append(t.fields, field)
		last = at[1]
	}
	t.text = append(t.text, s[last:])
	return t, nil
}

// fill returns the text with the escaped values of the fields.
func (t template) fill(run elastic.Run, escape func(string) string) string {
	if len(t.fields) == 0 {
		return t.text[0]
	}
	var b strings.Builder
	for i, field := range t.fields {
		b.WriteString(t.text[i])
		b.WriteString(escape(value(field, run)))
	}
	b.WriteString(t.text[len(t.fields)])
	return b.String()
}

// inJSON escapes a text for a JSON string.
func inJSON(s string) string {
	b, err := json.Marshal(s) // replaces bytes that are not UTF-8
	if err != nil {
		return ""
	}
	return string(b[1 : len(b)-1])
}

// inXML escapes a text for XML, as text or as the value of an attribute.
func inXML(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return ""
	}
	return b.String()
}

func asItIs(s string) string { return s }

// probe is a run whose text fields are valid JSON only in quotes.
var probe = elastic.Run{
	Job:          "x",
	Parameter:    "x",
	JobParameter: "x",
	Shards:       1,
	Attempt:      1,
}
