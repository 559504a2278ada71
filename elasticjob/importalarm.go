package elasticjob

import (
	"regexp"
	"strings"
)

var (
	secretName = regexp.MustCompile(`(?i)pass|secret|token|webhook|credential|api.?key|authorization`)
	notInNames = regexp.MustCompile(`[^A-Z0-9]+`)
)

// variable returns the name of an environment variable for a property.
func variable(name string) string {
	text := strings.Trim(notInNames.ReplaceAllString(strings.ToUpper(name), "_"), "_")
	if text == "" || text[0] >= '0' && text[0] <= '9' {
		return "ELASTICJOB_" + text
	}
	return text
}

// errorHandler makes an alarm of an error handler that sends.
func (m *mover) errorHandler() {
	c := m.config
	kinds := map[string]struct {
		kind, prefix string
		keys         [][2]string // ours, theirs
	}{
		"EMAIL": {
			"mail",
			"email.",
			[][2]string{
				{"host", "host"},
				{"port", "port"},
				{"username", "username"},
				{"password", "password"},
				{
					"from",
					"from",
				},
				{"to", "to"},
				{"cc", "cc"},
				{"bcc", "bcc"},
				{"ssl", "useSsl"},
				{"subject", "subject"},
			},
		},
		"WECHAT": {"weCom", "wechat.", [][2]string{{"url", "webhook"}}},
		"DINGTALK": {
			"dingTalk",
			"dingtalk.",
			[][2]string{{"url", "webhook"}, {"keyword", "keyword"}, {"secret", "secret"}},
		},
	}
	switch shortClass(c.ErrorHandler) {
	case "", "LOG", "THROW", "IGNORE", "DefaultJobExceptionHandler":
		return
	}
	k, known := kinds[c.ErrorHandler]
	if !known {
		m.remark("jobErrorHandlerType", Cannot, "%.120q is code: events of failed runs are given to observers, see "+
			"WithEvents", c.ErrorHandler)
		return
	}
	a := Alarm{Job: m.to.Job.Name, Kind: k.kind, Text: map[string]string{}}
	for _, key := range k.keys {
		value := c.prop(k.prefix + key[1])
		if value == "" {
			continue
		}
		if secretName.MatchString(key[1]) {
			value = "${" + variable(m.to.Job.Name+"."+k.prefix+key[1]) + "}"
		}
		a.Keys = append(a.Keys, key[0])
		a.Text[key[0]] = value
	}
	m.to.Alarms = append(m.to.Alarms, a)
	m.remark("jobErrorHandlerType", Differs,
		"%s: give these values to package observe/alarm in the worker; they are under x-alarms in the file, with "+
			"variables in place of secrets", c.ErrorHandler)
}
