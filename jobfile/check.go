package jobfile

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/elasticjob-go/elastic/internal/faults"
)

// validate reports what Job.Validate refuses, each fault on the line of its
// key.
func (p *reader) validate(j *fileJob) {
	for _, fault := range faults.All(j.job.Validate()) {
		if fault.Local { // such as the name of a strategy that the program may have
			continue
		}
		key := keyOf(fault, j)
		problem := fault.Err.Error()
		if variable := p.variableIn(j, fault.Field, key); variable != "" {
			problem = hidden(variable)
		} else if n := j.values[key]; n != nil {
			n = p.resolve(n)
			if n.Kind == yaml.ScalarNode && !strings.Contains(problem, clip(n.Value)) {
				problem = shownText(n) + " " + problem
			}
		}
		p.faults.AddAt(j.lineOf(key), "%s: %s", key, problem)
		j.faults++
	}
}

// hidden returns the problem of a value that comes from a variable.
func hidden(variable string) string {
	return "the value of " + variable + " is not valid here; it is not shown, as it comes from a variable"
}

// camel returns the key of a field, such as "timeZone" for "time zone".
func camel(field string) string {
	words := strings.Fields(field)
	for i := 1; i < len(words); i++ {
		words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
	}
	return strings.Join(words, "")
}

// keyOf returns the key that a fault of Job.Validate is about. Faults of a
// schedule can be about one of several keys.
func keyOf(fault *faults.Fault, j *fileJob) string {
	key := camel(fault.Field)
	if key != "schedule" {
		return key
	}
	for begin, other := range map[string]string{"exception": "except", "start ": "start", "end ": "end"} {
		if strings.HasPrefix(fault.Err.Error(), begin) && j.values[other] != nil {
			return other
		}
	}
	return key
}

// variableIn returns the text that brings a variable into the values that the
// message of a fault can show; empty if there is none.
func (p *reader) variableIn(j *fileJob, field, key string) string {
	keys := []string{key}
	if field == "schedule" {
		keys = []string{"schedule", "except", "start", "end", "timeZone"} // a message can show all of them
	}
	return p.firstVariable(j, keys...)
}

// firstVariable returns the first text with a variable at or below the values
// of keys; empty if there is none.
func (p *reader) firstVariable(j *fileJob, keys ...string) string {
	for _, key := range keys {
		if n := j.values[key]; n != nil {
			if text := p.variableBelow(n, 3); text != "" {
				return text
			}
		}
	}
	return ""
}

// variableBelow returns the first text with a variable at or below n.
func (p *reader) variableBelow(n *yaml.Node, depth int) string {
	n = p.resolve(n)
	if n.Kind == yaml.ScalarNode && p.expanded[n].variable {
		return clip(n.Value)
	}
	if depth > 0 {
		for _, item := range n.Content {
			if text := p.variableBelow(item, depth-1); text != "" {
				return text
			}
		}
	}
	return ""
}

func (p *reader) hasVariable(n *yaml.Node) bool { return p.variableBelow(n, 2) != "" }

// validateRun reports what Validate of a script or a request refuses. err is
// its error; prefix begins the keys. Where a message can show a value, it is
// replaced if that value comes from a variable.
func (p *reader) validateRun(j *fileJob, prefix string, err error) {
	for _, fault := range faults.All(err) {
		key := prefix + camel(fault.Field)
		switch fault.Field {
		case "URL":
			key = prefix + "url"
		case "add env":
			key = prefix + "env"
		}
		problem := fault.Err.Error()
		var shows []string
		switch {
		case strings.HasSuffix(key, ".body"): // its message can show the content type
			shows = []string{key, prefix + "headers"}
		case !slices.Contains([]string{prefix + "headers", prefix + "env", prefix + "args"}, key):
			shows = []string{key}
		}
		if p.firstVariable(j, shows...) != "" {
			problem = hidden("a variable")
		}
		p.faults.AddAt(j.lineOf(key), "%s: %s", key, problem)
	}
}
