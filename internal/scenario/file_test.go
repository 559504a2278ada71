package scenario_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/internal/scenario"
	"github.com/elasticjob-go/elastic/internal/vtime"
)

func TestFile_ReadAndWrittenUnchanged(t *testing.T) {
	const text = "# why\n\njob report schedule=\"0 * * * * ?\" shards=2 failover\n----\nok\n\n" +
		"# and\nput runs/report/0\n{}\n{}\n----\n\n# the end\n"
	f, err := scenario.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Steps) != 2 || f.Steps[0].Line != 3 || f.Steps[0].Verb != "job" || f.Steps[0].Output != "ok\n" ||
		f.Steps[1].Input != "{}\n{}\n" || f.After != "\n# the end\n" {
		t.Errorf("read as %+v", f)
	}
	if args := f.Steps[0].Args; len(args) != 4 || args[1].Name != "schedule" ||
		args[1].Value != "0 * * * * ?" || args[3].Valued {
		t.Errorf("its arguments were read as %+v", args)
	}
	if got := f.String(); got != text {
		t.Errorf("written as\n%s\nwant\n%s", got, text)
	}
}

func TestFile_ErrorsNameLine(t *testing.T) {
	for text, want := range map[string]string{
		"tick 1s\n":                  "line 1: tick has no line with ---- below it",
		"\n\ntick 1s\n\n----\n":      "line 3: tick has no line",
		"job a schedule=\"x\n----\n": "line 1: a quote that does not end",
		" \n----\n":                  "line 1: no verb",
	} {
		if _, err := scenario.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives the error %v, want %q", text, err, want)
		}
	}
}

const beginning = "job report schedule=\"0 * * * * ?\" shards=2 failover\n----\n\n" +
	"work report 20s\n----\n\nstart a b\n----\n\nfire report\n----\n\n"

func TestScenario_FailsIfExpectationFails(t *testing.T) {
	for rest, want := range map[string]string{
		"expect report/0 idle\n----\n":        "line 13: expect report/0 idle: not so: report/0: running on a@1",
		"expect runs report/0 = 2\n----\n":    "it ran 1 times",
		"expect events took over = 1\n----\n": "there were 0",
		"expect dead a\n----\n":               "a is not dead",
		"expect report shared by a\n----\n":   "owned by a@1 b@1",
		"expect report/0 owned by b\n----\n":  "owned by a@1 b@1",
		"until report/0 failed\n----\n":       "5m0s passed, and it is not so",
		"expect nothing\n----\n":              "not a condition: nothing",
		"expect report/0 idle on\n----\n":     "not a condition",
		"expect report idle\n----\n":          "not a condition",
		"expect runs report = 2\n----\n":      `"report" is not JOB/SHARD`,
		"explode a\n----\n":                   "no verb \"explode\": there are add, clock",
		"tick\n----\n":                        "it is used otherwise: tick DURATION",
		"tick soon\n----\n":                   "invalid duration",
		"job other schedule=soon\n----\n":     `job "other" is not valid`,
		"job other colour=red\n----\n":        "no such argument as colour=red",
		"spec other shards=2\n----\n":         "the store holds no job other",
		"put jobs/x\n----\n":                  "it is used otherwise: put KEY",
		"put jobs/x\n{c}\n----\n":             `no instance "c" has ever joined`,
		"doom a some time\n----\n":            "it is used otherwise: doom NAME",
		"fault a thoughts refuse\n----\n":     "it is used otherwise: fault NAME",
		"start c age=7\n----\n":               "no such argument as age",
		"tick 10s\n----\n\nslow a 1h\n----\n\n" +
			"delete instances/a@1\n----\n\nuntil report/0 running on b\n----\n\n" +
			"tick 1s\n----\n": "two runs beside each other",
		"put runs/report/9\n{\"v\":1,\"state\":\"idle\",\"fire\":\"2000-01-01T00:00:01Z\",\"fence\":7," +
			"\"attempt\":1," +
			"\"started\":\"2000-01-01T00:00:05Z\",\"ended\":\"2000-01-01T00:00:05Z\",\"result\":\"ok\"}\n----\n": "at rest the store holds runs/report/9",
		"until quiet\n----\n\nput runs/report/0\n{\"v\":1,\"state\":\"running\",\"fire\":\"2000-01-01T00:01:01Z\"," +
			"\"fence\":999946684860099,\"owner\":\"{b}\",\"attempt\":1," +
			"\"started\":\"2000-01-01T00:00:05Z\"}\n----\n": "and yet: runs/report/0",
	} {
		f, err := scenario.Parse(beginning + rest)
		if err != nil {
			t.Fatalf("%q: %v", rest, err)
		}
		vtime.Test(t, func(t *testing.T) {
			if _, err := scenario.Run(t, f); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q gives the error\n\t%v\nwant\n\t%s", rest, err, want)
			}
		})
	}
}

func TestScenario_OutputIsWhatHappened(t *testing.T) {
	f, err := scenario.Parse(beginning + "kill b\n----\nnothing happens\n")
	if err != nil {
		t.Fatal(err)
	}
	vtime.Test(t, func(t *testing.T) {
		told, err := scenario.Run(t, f)
		if err != nil {
			t.Fatal(err)
		}
		if got := told.Steps[4].Output; !strings.Contains(got, "00:01:00  b dies in report/1 of 00:01:00\n") ||
			strings.Contains(got, "nothing") {
			t.Errorf("the output is\n%s", got)
		}
	})
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("a =b c=\"d e\" =\nx\n----\ny\n\n# z")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := scenario.Parse(text)
		if err != nil {
			return
		}
		if got := file.String(); strings.TrimRight(got, "\n") != strings.TrimRight(text, "\n") {
			t.Errorf("%q is written as %q", text, got)
		}
	})
}
