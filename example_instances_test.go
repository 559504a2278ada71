package elastic_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/sharding"
	"github.com/elasticjob-go/elastic/store/memory"
)

// A store that a program has made itself, as one for tests.
func ExampleNew() {
	server := memory.NewServer()
	s, err := elastic.New(server.Connect("a"), elastic.WithName("a"))
	if err != nil {
		fmt.Println(err)
		return
	}
	ran := make(chan elastic.Run)
	s.MustAdd(elastic.Job{
		Name:     "report",
		Schedule: "@manual",
	}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		ran <- run
		return nil
	}))
	stop := running(s)
	byHand(s, "report")
	fmt.Println((<-ran).Job)
	stop()
	for _, e := range server.Dump() { // what stays
		fmt.Println(e.Key)
	}
	// Output:
	// report
	// assignments/report
	// jobs/report
	// jobsets/331d26d6d8f862e46ba900811be8a7a1/0
	// jobsets/331d26d6d8f862e46ba900811be8a7a1/1
	// runs/report/0
	// signals/report
}

// What is wrong with a URL or an option is told by Open, and secrets are in no
// error.
func ExampleOpen() {
	_, err := elastic.Open(context.Background(), "redis://user:secret@db/jobs")
	fmt.Println(err)
	_, err = elastic.Open(context.Background(), "memory://demo", elastic.WithWeight(0), elastic.WithName("a/b"))
	fmt.Println(err)
	// Output:
	// store: invalid request: store URL "redis://***@db/jobs": no driver for "redis" is linked in (there are: memory); import its package, such as _ "github.com/elasticjob-go/elastic/store/all"
	// open the scheduler: option WithName: must hold only letters a to z, digits and . _ -, has '/'
	// option WithWeight: must be 1 to 1000000, is 0
}

// A large machine takes twice the shards of a small one, and shards that need a
// graphics card run where one is.
func ExampleOption() {
	server := memory.NewServer()
	instance := func(name string, options ...elastic.Option) *elastic.Scheduler {
		s, err := elastic.New(server.Connect(name), append(options,
			elastic.WithName(name),
			elastic.WithSessionTTL(5*time.Second),    // how long after a crash the others know
			elastic.WithDrainTimeout(10*time.Second), // what running handlers get when it leaves
			elastic.WithJoinDelay(0),                 // and not wait for others that may join, too
			elastic.WithMaxConcurrent(4),             // runs at a time, of all jobs
		)...)
		if err != nil {
			panic(err)
		}
		return s
	}
	large := instance("large", elastic.WithWeight(2), elastic.WithLabels(map[string]string{"gpu": "yes"}))
	small := instance("small")

	shares := make(chan string)
	for _, s := range []*elastic.Scheduler{large, small} {
		on := map[*elastic.Scheduler]string{large: "large", small: "small"}[s]
		tell := elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
			shares <- fmt.Sprint(run.Job, " on ", on)
			return nil
		})
		s.MustAdd(elastic.Job{Name: "mails", Schedule: "@manual", Shards: 3}, tell)
		s.MustAdd(elastic.Job{Name: "render", Schedule: "@manual", Requires: map[string]string{"gpu": "yes"}}, tell)
		defer running(s)()
	}
	shared(server, "mails", 2)
	byHand(large, "mails")
	byHand(large, "render")
	fmt.Println(strings.Join(collect(shares, 4), "\n"))
	// Output:
	// mails on large
	// mails on large
	// mails on small
	// render on large
}

// shared returns when a job's shards are shared by so many instances.
func shared(server *memory.Server, job string, instances int) {
	for {
		for _, e := range server.Dump() {
			if e.Key == "assignments/"+job && strings.Count(string(e.Value), "@") == instances {
				return
			}
		}
		time.Sleep(time.Millisecond)
	}
}

// Each instance does what every machine has to do for itself.
func ExampleJob_broadcast() {
	server := memory.NewServer()
	cleaned := make(chan string)
	var last *elastic.Scheduler
	for _, name := range []string{"a", "b", "c"} {
		s, err := elastic.New(server.Connect(name), elastic.WithName(name), elastic.WithJoinDelay(0))
		if err != nil {
			panic(err)
		}
		s.MustAdd(elastic.Job{
			Name:      "clean",
			Schedule:  "@manual",
			Broadcast: true,
		}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
			cleaned <- fmt.Sprintf("%s, one of %d", name, run.Shards)
			return nil
		}))
		defer running(s)()
		last = s
	}
	shared(server, "clean", 3)
	byHand(last, "clean")
	fmt.Println(strings.Join(collect(cleaned, 3), "\n"))
	// Output:
	// a, one of 3
	// b, one of 3
	// c, one of 3
}

// A strategy of one's own says who owns what: here, all shards the instance of
// the greatest name.
func ExampleWithStrategy() {
	last := sharding.Func("last", func(job string, shards int, live []sharding.Instance, prev []string) []string {
		owner := slices.MaxFunc(live, func(a, b sharding.Instance) int { return cmp.Compare(a.ID, b.ID) })
		return slices.Repeat([]string{owner.ID}, shards)
	})
	once(elastic.Job{
		Name:     "report",
		Shards:   2,
		Sharding: "last",
	}, elastic.HandlerFunc(func(ctx context.Context, run elastic.Run) error {
		return nil
	}), elastic.WithStrategy(last))
	// Output:
	// report/0 ok
	// report/1 ok
}

// The name of this machine is unique in the fleet. When its process restarts,
// the new one takes the place of the old one at once.
func ExampleWithExclusiveName() {
	server := memory.NewServer()
	start := func() (s *elastic.Scheduler, ended chan error, joined chan bool) {
		ended, joined = make(chan error, 1), make(chan bool, 1)
		s, err := elastic.New(server.Connect("pod-0"), elastic.WithExclusiveName("pod-0"), elastic.WithEvents(func(e elastic.Event) {
			if e.Kind == observe.Joined {
				joined <- true
			}
		}))
		if err != nil {
			panic(err)
		}
		go func() { ended <- s.Run(context.Background()) }()
		return s, ended, joined
	}
	_, first, joined := start()
	<-joined
	s, second, _ := start()
	fmt.Println(errors.Is(<-first, elastic.ErrNameTaken))
	fmt.Println(s.Close(), <-second)
	// Output:
	// true
	// <nil> <nil>
}

// What happens, as events: to count, to alarm, to log. See package observe for
// the kinds.
func ExampleEvent() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	failed := 0
	count := func(e elastic.Event) {
		if e.Kind == observe.Ended && e.Result == "failed" {
			failed++
		}
	}
	s, err := elastic.Open(context.Background(), "memory://watched", elastic.WithName("a"), elastic.WithLogger(logger), elastic.WithEvents(count))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Close(), failed)
	// Output:
	// <nil> 0
}

// The job in the store wins over the one that a program brings, unless it says
// otherwise.
func ExampleOverwrite() {
	server := memory.NewServer()
	deploy := func(shards int, until observe.Kind, options ...elastic.AddOption) {
		ctx, stop := context.WithCancel(context.Background())
		s, err := elastic.New(server.Connect("a"), elastic.WithEvents(func(e elastic.Event) {
			if e.Kind == until && ctx.Err() == nil {
				fmt.Println(e.Kind)
				stop()
			}
		}))
		if err != nil {
			panic(err)
		}
		s.MustAdd(elastic.Job{Name: "report", Schedule: "@daily", Shards: shards}, reporter{bucket: "s3://reports"}, options...)
		if err := s.Run(ctx); err != nil {
			panic(err)
		}
	}
	deploy(2, observe.Assigned)
	deploy(4, observe.Differs) // it goes on with 2 shards
	deploy(4, observe.Assigned, elastic.Overwrite())
	// Output:
	// assigned
	// differs
	// assigned
}
