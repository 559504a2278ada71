package elasticjob

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A document with everything is read, and nothing in it is instantiated.
func TestReadConfig_ReadsEveryKey(t *testing.T) {
	text, err := os.ReadFile("testdata/config-3.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := ReadConfig(string(text), "com.acme.MyJob")
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Dialect: "3", Class: "com.acme.MyJob", Name: "demo.job-1", Cron: "* 0/5 * * * ?", TimeZone: "GMT+08:00",
		Description: "line1\nline2 中文", Parameter: "a: b # c", ItemParameters: "0=Beijing,1=Shanghai", Shards: 3,
		Strategy: "AVG_ALLOCATION", ErrorHandler: "LOG", Pool: "CPU", Label: "blue",
		MonitorExecution: true, Failover: true, Misfire: true, StaticSharding: true, MaxTimeDiff: -1,
		ReconcileIntervals: 10,
		Listeners:          []string{"l1", "l2"}, Tracing: true, OldPoolKey: true,
		Props: []Prop{
			{Name: "script.command.line", Value: `echo 'x' "y"`, Text: `echo 'x' "y"`},
			{Name: "streaming.process", Value: "true", Text: "true"},
		},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

// Absent keys of 2.1.x are the defaults of its builder.
func TestReadConfig_Reads21(t *testing.T) {
	c, err := ReadConfig(`{"jobName":"j","jobClass":"com.acme.J","jobType":"DATAFLOW",
		"cron":"0 0 3 * * ?","shardingTotalCount":"2","streamingProcess":true,
		"jobProperties":{"job_exception_handler":"com.acme.H","executor_service_handler":"com.acme.P"}}`, "")
	if err != nil {
		t.Fatal(err)
	}
	if c.Dialect != "2.1" ||
		c.Class != "com.acme.J" ||
		!c.MonitorExecution ||
		!c.Misfire ||
		c.Failover ||
		c.Shards != 2 ||
		c.ErrorHandler != "com.acme.H" ||
		c.Pool != "com.acme.P" ||
		c.prop("streaming.process") != "true" {
		t.Errorf("got %+v", c)
	}
}

// Bad documents are refused with the reason.
func TestReadConfig_RefusesBadDocuments(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "can't be read as YAML",
		"a: [":                       "can't be read as YAML",
		"- a":                        "not a mapping",
		"{\"a\":":                    "can't be read as JSON",
		"cron: x":                    "shardingTotalCount is 0",
		"shardingTotalCount: many\n": "want a number",
		"misfire: perhaps\nshardingTotalCount: 1\n":                   "want true or false",
		"props: " + strings.Repeat("{a: ", 40):                        "can't be read as YAML",
		"props: " + strings.Repeat("[", 40) + strings.Repeat("]", 40): "nested deeper",
		strings.Repeat("x", maxNode+1):                                "at most",
	} {
		if _, err := ReadConfig(text, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

// Plain scalars of props are what SnakeYAML makes of them; quoted ones are
// text.
func TestProps_AreWhatJavaSees(t *testing.T) {
	for text, want := range map[string]string{
		"0123": "83", "12:30": "750", "yes": "true", "Off": "false", "1_000": "1000", "0x1F": "31", "0b101": "5",
		"-17": "-17", "08": "08",
		"1.0": "1.0", "1e7": "1.0E7", "0.00001": "1.0E-5", "100.50": "100.5", "~": "null", "'0123'": "0123",
		`"yes"`: "yes", "plain": "plain",
		"y": "y", "1.2.3": "1.2.3", ".inf": "Infinity",
	} {
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte("k: "+text), &doc); err != nil {
			t.Fatal(err)
		}
		if p := propOf("k", doc.Content[0].Content[1]); p.Value != want {
			t.Errorf("%s: Java sees %q, want %q", text, p.Value, want)
		}
	}
}

// Java takes GMT for every zone that it does not know.
func TestJavaZone(t *testing.T) {
	for text, want := range map[string]string{
		"GMT+08:00": "UTC+08:00 true", "GMT+8": "UTC+08:00 true", "GMT-0530": "UTC-05:30 true",
		"GMT+800": "UTC+08:00 true", "GMT": "UTC true",
		"GMT+25": "UTC false", "GMT+8:0": "UTC false", "Asia/Shanghai": "UTC false", "GMT+0": "UTC true",
	} {
		zone, known := javaZone(text)
		if got := fmt.Sprint(zone, " ", known); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

func FuzzReadConfig(f *testing.F) {
	text, err := os.ReadFile("testdata/config-3.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add(`{"jobName":"j","shardingTotalCount":2,"jobProperties":[]}`)
	f.Add("a: &a [*a]\nshardingTotalCount: 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ReadConfig(text, "X")
		if err == nil && c.Shards < 1 {
			t.Errorf("%q: %d shards", text, c.Shards)
		}
	})
}
