package jobs_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/jobs/dataflow"
	"github.com/elasticjob-go/elastic/jobs/httpcall"
	"github.com/elasticjob-go/elastic/jobs/script"
	"github.com/elasticjob-go/elastic/observe/alarm"
	"github.com/elasticjob-go/elastic/sharding"
)

// tables returns the tables of docs/guide/kinds.md by the names in the comments
// before them: the cells of each row, without the heading.
func tables(t *testing.T) map[string][][]string {
	t.Helper()
	page, err := os.ReadFile("../docs/guide/kinds.md")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][][]string)
	for _, found := range regexp.MustCompile(`<!-- table: (\S+) -->\n\|.*\n\|.*\n((?:\|.*\n)+)`).FindAllStringSubmatch(string(page), -1) {
		for line := range strings.Lines(found[2]) {
			cells := strings.Split(strings.Trim(line, "| \n"), " | ")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			all[found[1]] = append(all[found[1]], cells)
		}
	}
	return all
}

// names returns the first cells of a table.
func names(rows [][]string) (names []string) {
	for _, row := range rows {
		names = append(names, strings.Trim(row[0], "`"))
	}
	return names
}

// docs/guide/kinds.md has a row for each setting, in the order of the fields.
// docs/guide/kinds.md has a row for each setting, in the order of the fields.
func TestDocs_NameEachSettingOnce(t *testing.T) {
	all := tables(t)
	for name, settings := range map[string]any{
		"dataflow.Dataflow": dataflow.Dataflow[int]{},
		"dataflow.Resuming": dataflow.Resuming[int, int]{},
		"script.Script":     script.Script{},
		"httpcall.Request":  httpcall.Request{},
		"alarm.Config":      alarm.Config{},
		"alarm.Webhook":     alarm.Webhook{},
		"alarm.Slack":       alarm.Slack{},
		"alarm.DingTalk":    alarm.DingTalk{},
		"alarm.WeCom":       alarm.WeCom{},
		"alarm.Feishu":      alarm.Feishu{}, "alarm.Mail": alarm.Mail{},
	} {
		var want []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(settings)) {
			want = append(want, f.Name)
		}
		if got := names(all[name]); !slices.Equal(got, want) {
			t.Errorf("%s: the page has %q, the struct %q", name, got, want)
		}
		delete(all, name)
	}
	for _, other := range []string{"environment", "fields", "strategies"} {
		delete(all, other)
	}
	if len(all) > 0 {
		t.Errorf("there are tables of something else: %v", all)
	}
}

// The defaults in docs/guide/kinds.md are those of the code.
func TestDocs_HaveTheDefaults(t *testing.T) {
	all := tables(t)
	for setting, want := range map[string]any{
		"script.Script Grace": script.DefaultGrace, "script.Script MaxOutput": script.DefaultMaxOutput,
		"httpcall.Request Timeout":        httpcall.DefaultTimeout,
		"httpcall.Request ConnectTimeout": httpcall.DefaultConnectTimeout,
		"httpcall.Request MaxResponse":    httpcall.DefaultMaxResponse,
		"alarm.Config Quiet":              alarm.DefaultQuiet,
		"alarm.Config PerMinute":          alarm.DefaultPerMinute,
		"alarm.Config Queue":              alarm.DefaultQueue,
		"alarm.Config Timeout":            alarm.DefaultTimeout,
	} {
		table, field, _ := strings.Cut(setting, " ")
		row := slices.IndexFunc(all[table], func(cells []string) bool { return cells[0] == "`"+field+"`" })
		if row < 0 {
			t.Errorf("%s is not on the page", setting)
			continue
		}
		// The page writes 10m0s as 10m.
		text := strings.TrimSuffix(fmt.Sprint(want), "m0s") + "m"
		if !strings.HasSuffix(fmt.Sprint(want), "m0s") {
			text = fmt.Sprint(want)
		}
		if got := all[table][row][1]; got != text && got != text+" bytes" {
			t.Errorf("%s: the page says %s, the code %s", setting, got, text)
		}
	}
}

// docs/guide/kinds.md names the built-in strategies, and no others.
func TestDocs_NameTheStrategies(t *testing.T) {
	_, err := sharding.ByName("?")
	for _, name := range names(tables(t)["strategies"]) {
		if s, e := sharding.ByName(name); e != nil || s.Name() != name {
			t.Errorf("%s: %v", name, e)
		}
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not one of those in %v", name, err)
		}
	}
	_, list, _ := strings.Cut(err.Error(), "there are: ")
	if got, want := len(names(tables(t)["strategies"])), strings.Count(list, ",")+1; got != want {
		t.Errorf("the page has %d strategies, the code %d: %s", got, want, list)
	}
}

// docs/guide/kinds.md names the fields of a template, and no others.
func TestDocs_NameTheFields(t *testing.T) {
	_, err := httpcall.New(httpcall.Request{URL: "http://a.example/{unknown}"})
	if err == nil {
		t.Fatal("an unknown field is accepted")
	}
	_, list, _ := strings.Cut(err.Error(), "the fields are ")
	if got := strings.Join(names(tables(t)["fields"]), ", "); got != list {
		t.Errorf("the page has %s, the code %s", got, list)
	}
}

// docs/guide/kinds.md names the variables of a script, and no others.
func TestDocs_NameTheVariables(t *testing.T) {
	var got []string
	h, err := script.New(script.Script{Path: "env", Env: []string{}, Output: func(_ elastic.Run, line string) {
		name, _, _ := strings.Cut(line, "=")
		got = append(got, name)
	}})
	if err != nil {
		t.Skip("there is no program env here: ", err)
	}
	if err := h.Handle(t.Context(), elastic.Run{}); err != nil {
		t.Fatal(err)
	}
	want := names(tables(t)["environment"])
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the page has %q, the script %q", want, got)
	}
}
