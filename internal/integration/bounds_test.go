package integration

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// Times that a stored document cannot hold are refused, and the error names
// the bounds.
func TestJob_YearsAreBounded(t *testing.T) {
	west := time.FixedZone("", -5*3600)
	for name, j := range map[string]elastic.Job{
		"9999-12-31 in New York": {End: time.Date(9999, 12, 31, 23, 59, 59, 0, west)},
		"year 10000":             {End: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"the greatest":           {End: time.Unix(1<<62, 0)},
		"before year 0":          {Start: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)},
		"an instant":             {Schedule: "@at 9999-12-31T23:59:59-05:00"},
	} {
		j.Name = "j"
		if j.Schedule == "" {
			j.Schedule = "@every 1s"
		}
		if err := j.Validate(); err == nil || !strings.Contains(err.Error(), "years 1 to 9999 in UTC") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// An instance adds, runs, triggers and leaves without a panic, whatever its
// clock shows.
func TestRun_AnyClock(t *testing.T) {
	for _, at := range []time.Time{
		time.Unix(1<<62, 0), time.Unix(math.MinInt64, 0), time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), {},
		time.Date(9999, 12, 31, 23, 59, 50, 0, time.UTC), time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -5*3600)),
	} {
		vtime.Test(t, func(t *testing.T) {
			begun := time.Now()
			clock := elastic.WithTesting(elastic.Testing{Now: func() time.Time { return at.Add(time.Since(begun)) }})
			f := fleet{server: memory.NewServer()}
			for range 2 {
				f.run(t, 20*time.Second, clock)
			}
			f.canBeRead(t)
		})
	}
}

// A value in the store that is accepted ends no process, and no instance
// replaces it by one that cannot be read. A value that is refused stops its
// job alone.
func TestStored_PoisonValues(t *testing.T) {
	const bad, good = "9999-12-31T23:59:59-23:00", "2020-01-01T00:00:00Z"
	const spec = `{"v":2,"state":"job","rev":1,"changed":{"by":"a@1","at":"2020-01-01T00:00:00Z","via":"code"},` +
		`"spec":{"schedule":"* * * * * ?","shards":2,"sharding":"sticky","failover":true,` +
		`"maxAttempts":3,"misfire":"once","overlap":"queue","resharded":"RESHARDED",` +
		`"since":"SINCE"}}`
	at := func(resharded, since string) string {
		return strings.NewReplacer("RESHARDED", resharded, "SINCE", since).Replace(spec)
	}
	record := func(change, to string) string {
		return strings.Replace(`{"v":1,"state":"idle","fire":"2000-01-01T00:00:00Z","fence":7,"attempt":1,`+
			`"started":"2000-01-01T00:00:00Z","ended":"2000-01-01T00:00:01Z","result":"ok"}`, change, to, 1)
	}
	assignment := func(change, to string) string {
		return strings.Replace(`{"v":1,"epoch":1,"strategy":"sticky","shards":1,"instances":["g@1"],"owners":[0]}`,
			change, to, 1)
	}
	for name, row := range map[string]struct{ key, value string }{
		"resharded in the year 10000":   {"jobs/j", at(bad, good)},
		"in force since the year 10000": {"jobs/j", at(good, bad)},
		"an end in the year 10000": {
			"jobs/j",
			strings.Replace(at(good, good), `"shards"`, `"end":"`+bad+`","shards"`, 1),
		},
		"grown in the year 10000": {"assignments/j", assignment(`"epoch"`, `"grown":"`+bad+`","epoch"`)},
		"more owners than shards can be": {
			"assignments/j",
			assignment(`"shards":1,"instances":["g@1"],"owners":[0]`,
				`"shards":20000,"instances":["g@1"],"owners":[`+strings.Repeat("0,", 19999)+`0]`),
		},
		"fences at their bound": {
			"assignments/j",
			assignment(`"epoch"`, `"fences":2305843009213693952,"epoch"`),
		},
		"a surplus at its bound": {"assignments/j", assignment(`"epoch"`, `"surplus":10000,"epoch"`)},
		"an epoch at its bound":  {"assignments/j", assignment(`"epoch":1`, `"epoch":4611686018427387904`)},
		"an owner that is no ID": {"assignments/j", assignment(`"g@1"`, `"a/b"`)},
		"a trigger for the year 10000": {
			"signals/j",
			`{"v":1,"triggers":[{"seq":1,"by":"x","at":"2000-01-01T00:00:00Z","resharded":"` + bad + `"}]}`,
		},
		"a trigger with the greatest number": {
			"signals/j",
			`{"v":1,"triggers":[{"seq":4611686018427387904,"by":"x","at":"2000-01-01T00:00:00Z",` +
				`"resharded":"2000-01-01T00:00:00Z"}]}`,
		},
		"a record with the greatest fence":   {"runs/j/0", record(`"fence":7`, `"fence":4611686018427387904`)},
		"a record one below that":            {"runs/j/0", record(`"fence":7`, `"fence":4611686018427387903`)},
		"a record with the greatest trigger": {"runs/j/0", record(`"fence":7`, `"fence":7,"trigger":4611686018427387904`)},
		"a record of the last second": {
			"runs/j/0",
			record(`"fire":"2000-01-01T00:00:00Z"`, `"fire":"9999-12-31T23:59:59Z"`),
		},
		"a running record with all attempts": {
			"runs/j/0",
			record(`"state":"idle","fire":"2000-01-01T00:00:00Z","fence":7,"attempt":1,`+
				`"started":"2000-01-01T00:00:00Z","ended":"2000-01-01T00:00:01Z","result":"ok"`,
				`"state":"running","owner":"g@1","fire":"2000-01-01T00:00:00Z","fence":7,`+
					`"attempt":1073741824,"started":"2000-01-01T00:00:00Z"`),
		},
		"a record that was always handed over": {
			"runs/j/0",
			record(`"state":"idle","fire":"2000-01-01T00:00:00Z","fence":7,"attempt":1,`+
				`"started":"2000-01-01T00:00:00Z","ended":"2000-01-01T00:00:01Z","result":"ok"`,
				`"state":"running","owner":"g@1","fire":"2000-01-01T00:00:00Z","fence":7,"attempt":9,`+
					`"handOvers":9,"started":"2000-01-01T00:00:00Z"`),
		},
		"an instance of the greatest weight": {
			"instances/g@1",
			`{"v":2,"name":"g","weight":1000000000000000000,"state":"up","sets":[],"level":1,"started":"2000-01-01T00:00:00Z"}`,
		},
		"an instance of the year 10000": {
			"instances/g@1",
			`{"v":2,"name":"g","weight":1,"state":"up","sets":[],"level":1,"started":"` + bad + `"}`,
		},
	} {
		vtime.Test(t, func(t *testing.T) {
			f := fleet{server: memory.NewServer()}
			f.put(t, row.key, row.value)
			f.run(t, 20*time.Second)
			f.run(t, 20*time.Second)
			if f.runs["sound"] < 20 {
				t.Errorf("%s: the valid job ran only %d times in 40 s", name, f.runs["sound"])
			}
			f.canBeRead(t)
			if t.Failed() {
				t.Log(name)
			}
		})
	}
}

// fleet runs one instance after another on one store. Each has the job j, whose
// stored form is under test, and a valid job.
type fleet struct {
	server *memory.Server
	runs   map[string]int
	broken map[string]bool // keys whose values could not be read when they were put
}

func (f *fleet) put(t *testing.T, key, value string) {
	t.Helper()
	if f.broken == nil {
		f.broken = map[string]bool{}
	}
	f.broken[key] = readable(key, []byte(value)) != nil
	c := f.server.Connect("by hand")
	if _, err := c.Commit(t.Context(), store.Txn{Do: []store.Op{store.Create(key, []byte(value))}}); err != nil {
		t.Fatal(err)
	}
}

// run runs an instance for a duration. It adds the job unchanged, then with
// more shards, then with fewer, and triggers it in between.
func (f *fleet) run(t *testing.T, d time.Duration, options ...elastic.Option) {
	t.Helper()
	ran := make(chan string, 1<<16)
	s, err := elastic.New(store.NewPortable(f.server.Connect("a"), store.Config{}), append([]elastic.Option{
		elastic.WithName("a"),
		elastic.WithSessionTTL(ttl),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	handler := func(name string) elastic.HandlerFunc {
		return func(context.Context, elastic.Run) error {
			time.Sleep(20 * time.Millisecond) // virtual time must pass, or a backlog of years takes all of it
			ran <- name
			return nil
		}
	}
	s.MustAdd(elastic.Job{Name: "sound", Schedule: "* * * * * ?", Failover: true}, handler("sound"))
	job := elastic.Job{Name: "j", Schedule: "* * * * * ?", Shards: 2, Failover: true}
	s.MustAdd(job, handler("j"))
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for _, shards := range []int{3, 1, 2} {
		time.Sleep(d / 5)
		asked, stop := context.WithTimeout(ctx, d/20)
		_, _ = s.Trigger(asked, "j") // an error is a valid answer
		stop()
		_ = s.Unregister("j")
		job.Shards, job.DisabledShards = shards, nil
		if shards == 3 {
			job.DisabledShards = []int{1}
		}
		if err := s.Add(job, handler("j"), elastic.Overwrite()); err != nil {
			t.Error(err)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	close(ran)
	if f.runs == nil {
		f.runs = map[string]int{}
	}
	for name := range ran {
		f.runs[name]++
	}
}

// canBeRead fails the test if an instance has made a document unreadable.
func (f *fleet) canBeRead(t *testing.T) {
	t.Helper()
	for _, e := range f.server.Dump() {
		if err := readable(e.Key, e.Value); err != nil && !f.broken[e.Key] {
			t.Errorf("%s can't be read: %v\n%.300s", e.Key, err, e.Value)
		}
	}
}

func readable(key string, value []byte) (err error) {
	switch layout.Prefix(key) {
	case layout.Jobs:
		_, err = layout.DecodeSpec(value)
	case layout.Assignments:
		_, err = layout.DecodeAssignment(value)
	case layout.Signals:
		_, err = layout.DecodeSignal(value)
	case layout.Instances:
		_, err = layout.DecodeInstance(value)
	case "runs":
		_, err = failover.Decode(value)
	}
	return err
}

// Any spec, assignment, trigger or record that is accepted survives adding,
// running, resharding, triggers and a restart: nothing panics, and what could
// be read can still be read.
func FuzzStored(f *testing.F) {
	const stored = `{"v":2,"state":"job","rev":1,"changed":{"by":"a@1","at":"2020-01-01T00:00:00Z","via":"code"},`
	keys := []string{"jobs/j", "assignments/j", "signals/j", "runs/j/0", "instances/g@1"}
	for _, seed := range []struct{ key, value string }{
		{
			"jobs/j",
			stored + `"spec":{"schedule":"* * * * * ?","shards":2,"sharding":"sticky","failover":true,` +
				`"maxAttempts":3,"misfire":"once","overlap":"queue",` +
				`"enabledShards":[{"since":"2020-01-01T00:00:00Z","shards":[1]}],` +
				`"resharded":"2020-01-01T00:00:00Z","since":"9999-12-31T23:59:59-23:00"}}`,
		},
		{
			"jobs/j",
			stored + `"spec":{"schedule":"@after 10s","timeZone":"GMT+8",` +
				`"start":"0001-01-01T00:00:00+05:00","shards":0,"sharding":"broadcast",` +
				`"failover":false,"maxAttempts":3,"misfire":"all","overlap":"replace",` +
				`"resharded":"2020-01-01T00:00:00Z","since":"2020-01-01T00:00:00Z"}}`,
		},
		{
			"assignments/j",
			`{"v":1,"epoch":18446744073709551615,"strategy":"sticky","shards":2,` +
				`"instances":["g@1","a@2"],"owners":[0,1],"surplus":10000,` +
				`"fences":2305843009213693952,"grown":"9999-12-31T23:59:59Z",` +
				`"triggers":4611686018427387904}`,
		},
		{
			"signals/j",
			`{"v":1,"triggers":[{"seq":4611686018427387904,"by":"x",` +
				`"at":"0001-01-01T00:00:00-01:00","shards":"0,9999","parameter":"\u0000",` +
				`"resharded":"9999-12-31T23:59:59Z"}]}`,
		},
		{
			"runs/j/0",
			`{"v":1,"state":"running","owner":"g@1","fire":"9999-12-31T23:59:59Z",` +
				`"fence":4611686018427387903,"attempt":1073741824,"handOvers":1073741823,` +
				`"started":"2020-01-01T00:00:00Z","carryOn":86400000,"done":[1,-2]}`,
		},
		{
			"instances/g@1",
			`{"v":2,"name":"g","weight":1000000,"state":"up","sets":["331d26d6d8f862e46ba900811be8a7a1"],` +
				`"level":1,"started":"2020-01-01T00:00:00Z"}`,
		},
	} {
		f.Add(uint8(slices.Index(keys, seed.key)), seed.value)
	}
	f.Fuzz(func(t *testing.T, kind uint8, value string) {
		key := keys[int(kind)%len(keys)]
		if readable(key, []byte(value)) != nil || len(value) > 4<<10 {
			return
		}
		if s, err := layout.DecodeSpec([]byte(value)); err == nil && s.Shards > 50 {
			return // such values are slow and show nothing else
		}
		vtime.Test(t, func(t *testing.T) {
			fl := fleet{server: memory.NewServer()}
			fl.put(t, key, value)
			fl.run(t, 10*time.Second)
			fl.run(t, 10*time.Second)
			fl.canBeRead(t)
		})
	})
}

// A process joins with as many jobs as it likes: its key does not grow with
// them. Another that has the same jobs names the same set.
func TestJoin_FiftyThousandJobs(t *testing.T) {
	const jobs = 50_000
	vtime.Test(t, func(t *testing.T) {
		server := memory.NewServer()
		for _, name := range []string{"a", "b"} {
			client := store.NewPortable(server.Connect(name), store.Config{})
			s, err := elastic.New(client, elastic.WithName(name), elastic.WithSessionTTL(ttl))
			if err != nil {
				t.Fatal(err)
			}
			for n := range jobs {
				// Such a job is not put into the store, so that only the join
				// costs.
				over := elastic.Job{Name: fmt.Sprintf("%0100d", n), Schedule: "@at 1999-01-01T00:00:00Z"}
				if err := s.Add(over, elastic.HandlerFunc(nothing)); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			go func() { _ = s.Run(ctx) }()
			time.Sleep(time.Second)
		}
		content := server.Dump()
		sets := layout.DecodeJobSets(content)
		if len(sets) != 1 {
			t.Errorf("%d sets, want one for both", len(sets))
		}
		for _, name := range []string{"a", "b"} {
			var found *layout.Instance
			for _, e := range content {
				if strings.HasPrefix(e.Key, layout.Instances+"/"+name+"@") {
					i, err := layout.DecodeInstance(e.Value)
					if err != nil || len(e.Value) > 1<<10 {
						t.Errorf("%s has %d bytes: %v", e.Key, len(e.Value), err)
					}
					found = &i
				}
			}
			if found == nil {
				t.Fatalf("%s did not join", name)
			}
			if n := len(sets.Names(found.Sets)); n != jobs {
				t.Errorf("%s has %d jobs, want %d", name, n, jobs)
			}
		}
	})
}

// A job that closes a cycle of followers is refused, and the error names all
// jobs of the cycle.
func TestAdd_RefusesCycles(t *testing.T) {
	s, err := elastic.Open(t.Context(), "memory://cycles")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	handler := elastic.HandlerFunc(nothing)
	s.MustAdd(elastic.Job{Name: "a", After: []string{"c"}}, handler)
	s.MustAdd(elastic.Job{Name: "b", After: []string{"a", "other"}}, handler)
	err = s.Add(elastic.Job{Name: "c", After: []string{"b"}}, handler)
	if err == nil || !strings.Contains(err.Error(), "c → a → b → c is a cycle") {
		t.Errorf("got %v", err)
	}
	if err := s.Unregister("a"); err != nil {
		t.Error(err)
	}
	if err := s.Add(elastic.Job{Name: "c", After: []string{"b"}}, handler); err != nil {
		t.Errorf("Add after a was unregistered, without a cycle: %v", err)
	}
}

// A parameter that is not UTF-8 would reach the handler changed. It is refused
// in jobs and in triggers.
func TestParameter_IsUTF8(t *testing.T) {
	const gbk = "\xd6\xd0\xce\xc4"
	for _, j := range []elastic.Job{{Parameter: gbk}, {ShardParameters: map[int]string{0: gbk}}, {Description: gbk}} {
		j.Name, j.Schedule = "j", "@daily"
		if err := j.Validate(); err == nil || !strings.Contains(err.Error(), "UTF-8") {
			t.Errorf("got %v", err)
		}
	}
	bubble(t, func(c *cluster) {
		c.jobs = []elastic.Job{{Name: "j", Schedule: "@manual"}}
		n := c.start("a")
		c.pass(2 * time.Second)
		if _, err := n.sched.Trigger(context.Background(), "j", elastic.WithParameter(gbk)); err == nil ||
			!strings.Contains(err.Error(), "UTF-8") {
			t.Errorf("a trigger: got %v", err)
		}
	})
}

// An instance's labels are stored in its key, so their number is bounded.
func TestWithLabels_Bound(t *testing.T) {
	labels := map[string]string{}
	for n := range 65 {
		labels[fmt.Sprint("l", n)] = strings.Repeat("x", 100)
	}
	if _, err := elastic.New(store.NewPortable(memory.NewServer().Connect("a"), store.Config{}),
		elastic.WithLabels(labels)); err == nil || !strings.Contains(err.Error(), "at most 64 labels, are 65") {
		t.Errorf("got %v", err)
	}
}

// Errors about an invalid job say what to write instead.
func TestJob_ErrorsSayWhatToWrite(t *testing.T) {
	for want, j := range map[string]elastic.Job{
		"write 2027-01-01T00:00:00+08:00 for the time in Asia/Shanghai": {
			Schedule: "@at 2027-01-01 00:00",
			TimeZone: "Asia/Shanghai",
		},
		"time zone: time zone \"Beijing\" is unknown; did you mean Asia/Shanghai?": {
			Schedule: "@daily",
			TimeZone: "Beijing",
		},
		"time zone: time zone \"CST\" stands for several zones; write Asia/Shanghai or America/Chicago": {
			Schedule: "@daily",
			TimeZone: "CST",
		},
		"sharding: sharding strategy \"AVG_ALLOCATION\" is ElasticJob's name; write average": {
			Schedule: "@daily",
			Sharding: "AVG_ALLOCATION",
		},
		"retry delay: has no effect without retries, is 1s; set retries, or leave it out": {
			Schedule:   "@daily",
			RetryDelay: time.Second,
		},
		"description: the job takes 2097": {Schedule: "@daily", Description: strings.Repeat("x", 2<<20)},
	} {
		j.Name = "j"
		if err := j.Validate(); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 1000 {
			t.Errorf("got %.1000v, want %q", err, want)
		}
	}
	if err := (elastic.Job{Name: "j", Schedule: "@daily", TimeZone: "GMT+8"}).Validate(); err != nil {
		t.Errorf("a fixed offset: %v", err)
	}
}

// A shard whose fence is at the maximum does not run, and an event names its
// record.
func TestStored_LargestFence(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		f := fleet{server: memory.NewServer()}
		f.put(t, "runs/j/0", `{"v":1,"state":"idle","fire":"2000-01-01T00:00:00Z","fence":4611686018427387904,`+
			`"attempt":1,"started":"2000-01-01T00:00:00Z","ended":"2000-01-01T00:00:01Z",`+
			`"result":"ok"}`)
		var said []string
		f.run(t, 10*time.Second, elastic.WithEvents(func(e elastic.Event) {
			if e.Kind == observe.Unreadable {
				said = append(said, fmt.Sprint(e.Subject, ": ", e.Err))
			}
		}))
		if len(said) == 0 || said[0] != "runs/j/0: the fence 4611686018427387904 can't grow" {
			t.Errorf("got %q", said)
		}
	})
}
