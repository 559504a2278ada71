package elastic

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// fullJob is a job that sets every field.
func fullJob() Job {
	return Job{
		Name:            "report",
		Description:     "reports <of> the night",
		Schedule:        "0 0 3 * * ?",
		TimeZone:        "Asia/Shanghai",
		Start:           time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		End:             time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC),
		Except:          []string{"SAT-SUN"},
		Jitter:          time.Minute,
		Shards:          3,
		Parameter:       "p",
		ShardParameters: map[int]string{1: "one"},
		Sharding:        "average",
		Failover:        true,
		MaxAttempts:     5,
		Misfire:         MisfireAll,
		MisfireWindow:   time.Hour,
		Overlap:         OverlapSkip,
		Timeout:         90 * time.Minute,
		CarryOn:         time.Second,
		Retries:         2,
		RetryDelay:      time.Second,
		RetryMaxDelay:   time.Minute,
		MaxConcurrent:   2,
		Requires:        map[string]string{"zone": "eu"},
		DisabledShards:  []int{2},
		Disabled:        true,
	}
}

// A job is the same after it was written as JSON and read again.
func TestJob_JSONRoundTrip(t *testing.T) {
	for name, job := range map[string]Job{
		"full":      fullJob(),
		"broadcast": {Name: "b", Schedule: "@every 10s", Broadcast: true, Unclaimed: true},
		"follower":  {Name: "f", After: []string{"a", "b"}, AfterEnds: AfterEnded},
	} {
		text, err := json.Marshal(job)
		if err != nil {
			t.Fatal(err)
		}
		var back Job
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		if err := back.Validate(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
		if !reflect.DeepEqual(back.spec(), job.spec()) {
			t.Errorf("%s: got %+v\nwant %+v", name, back.spec(), job.spec())
		}
		for _, kept := range []string{"since", "resharded", "enabled"} {
			if strings.Contains(string(text), `"`+kept) {
				t.Errorf("%s: the text has %s: %s", name, kept, text)
			}
		}
	}
}

// Every field of a job is in its JSON, so that none is lost on the way.
func TestJob_JSONHasEveryField(t *testing.T) {
	job := fullJob()
	v := reflect.ValueOf(job)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if v.Field(i).IsZero() && name != "After" && name != "AfterEnds" && name != "Broadcast" && name != "Unclaimed" {
			t.Errorf("fullJob does not set %s", name)
		}
	}
	var back Job
	text, _ := json.Marshal(job)
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, job) {
		t.Errorf("got  %+v\nwant %+v", back, job)
	}
}

// A key that a job does not have is refused, and so are the keys of the store.
func TestJob_JSONRefusesUnknownKeys(t *testing.T) {
	for _, text := range []string{
		`{"name":"a","schedule":"@daily","shard":3}`,
		`{"name":"a","schedule":"@daily","since":"2026-01-01T00:00:00Z"}`,
		`{"name":"a","timeout":90}`,
		`[]`,
	} {
		var job Job
		if err := json.Unmarshal([]byte(text), &job); err == nil {
			t.Errorf("%s: got %+v, want an error", text, job)
		}
	}
}
