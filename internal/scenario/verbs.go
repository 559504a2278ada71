package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic"
)

// verb is a command of a scenario.
type verb struct {
	usage string
	quiet bool // it changes nothing by itself, so only what happened is written below it
	do    func(w *world, s Step) error
}

var verbs map[string]verb

func init() { // it names functions that name it
	verbs = map[string]verb{
		"job": {
			"job NAME schedule=… [shards=N] [failover] [misfire=…] [window=…] [overlap=…] " +
				"[attempts=N] [timeout=…] [sharding=…] [disabled]",

			true,
			addJob,
		},
		"work": {
			"work JOB[/SHARD] DURATION [deaf] [fail|panic|crash]: what handlers do that begin from now on",
			true,
			setWork,
		},
		"start": {
			"start NAME… [name=…] [ttl=…] [drain=…] [weight=N] [clock=±…] [only]: " +
				"with only, without waiting for their shares",

			false,
			start,
		},
		"kill": {"kill NAME…: as kill -9", false, each((*world).Crash)},
		"pause": {"pause NAME…: as SIGSTOP", false, each(func(w *world, name string) {
			w.doubt(name)
			w.Pause(name)
		})},
		"resume": {"resume NAME…", false, each((*world).Resume)},
		"cut":    {"cut NAME…: from the store", false, each((*world).Cut)},
		"heal":   {"heal NAME…", false, each((*world).Heal)},
		"leave":  {"leave NAME…: as SIGTERM; waits for nothing", false, each((*world).Leave)},
		"evict":  {"evict NAME…: an operator deletes its key", false, evict},
		"expire": {"expire NAME…: the store ends its session", false, expire},
		"doom":   {"doom NAME before|after write N: it dies then", true, doom},
		"fault": {
			"fault NAME reads|writes|all|none [below=PREFIX] [refuse] [slow=…] [late=…] " +
				"[lose=reply|request] [nth=N]: of its requests from now on",

			true,
			fault,
		},
		"slow":   {"slow NAME DURATION: its watches are late", true, slow},
		"clock":  {"clock NAME ±DURATION: its clock is wrong by that", true, setClock},
		"tick":   {"tick DURATION: time passes", false, tick},
		"fire":   {"fire JOB: time passes to its next fire", false, fire},
		"until":  {"until CONDITION: time passes", false, until},
		"expect": {"expect CONDITION", true, expect},
		"spec": {
			"spec JOB [shards=N] [schedule=…] [failover=…] [disabled=…] [sharding=…]: an operator changes it",
			false,
			changeSpec,
		},
		"put": {
			"put KEY, and the value below: an operator, or a bug, writes it. {a} is the ID of instance a", false, put,
		},
		"delete":  {"delete KEY…", false, deleteKeys},
		"add":     {"add NAME JOB: an instance takes part in a job again", false, addTo},
		"remove":  {"remove NAME JOB: an instance takes part in a job no more", false, removeFrom},
		"trigger": {"trigger NAME JOB [shard=N] [parameter=…]: an instance's program asks for a run", false, trigger},
		"compact": {"compact: the store forgets its history", false, func(w *world, _ Step) error {
			w.Server().Compact()
			return nil
		}},
	}
}

// known lists the verbs.
func known() string { return strings.Join(slices.Sorted(maps.Keys(verbs)), ", ") }

var errUsage = errors.New("it is used otherwise")

func usage(s Step) error { return fmt.Errorf("%w: %s", errUsage, verbs[s.Verb].usage) }

// words returns the arguments that have no value, and the others by name; all
// must be among those allowed.
func words(s Step, allowed ...string) (plain []string, named map[string]string, err error) {
	named = map[string]string{}
	for _, a := range s.Args {
		switch {
		case !a.Valued:
			plain = append(plain, a.Name)
		case !slices.Contains(allowed, a.Name):
			return nil, nil, fmt.Errorf("no such argument as %s: %w", a.Name, usage(s))
		default:
			named[a.Name] = a.Value
		}
	}
	return plain, named, nil
}

// each makes a verb from a function on one instance.
func each(f func(w *world, name string)) func(w *world, s Step) error {
	return func(w *world, s Step) error {
		names, _, err := words(s)
		if err != nil || len(names) == 0 {
			return errors.Join(err, usage(s))
		}
		for _, name := range names {
			f(w, name)
		}
		return nil
	}
}

func addJob(w *world, s Step) error {
	j := elastic.Job{}
	for i, a := range s.Args {
		var err error
		switch a.Name {
		case "schedule":
			j.Schedule = a.Value
		case "shards":
			j.Shards, err = strconv.Atoi(a.Value)
		case "failover":
			j.Failover = true
		case "disabled":
			j.Disabled = true
		case "misfire":
			j.Misfire = elastic.Misfire(a.Value)
		case "window":
			j.MisfireWindow, err = time.ParseDuration(a.Value)
		case "overlap":
			j.Overlap = elastic.Overlap(a.Value)
		case "attempts":
			j.MaxAttempts, err = strconv.Atoi(a.Value)
		case "timeout":
			j.Timeout, err = time.ParseDuration(a.Value)
		case "sharding":
			j.Sharding = a.Value
		default:
			if i > 0 {
				return fmt.Errorf("no such argument as %s: %w", a, usage(s))
			}
			j.Name = a.Name
		}
		if err != nil {
			return fmt.Errorf("%s: %w", a, err)
		}
	}
	if err := j.Validate(); err != nil {
		return err
	}
	w.jobs = append(w.jobs, j.Name)
	w.specs[j.Name] = j
	w.Add(j, elastic.HandlerFunc(w.handle))
	return nil
}

func setWork(w *world, s Step) error {
	plain, _, err := words(s)
	if err != nil || len(plain) < 2 {
		return errors.Join(err, usage(s))
	}
	var k work
	k.takes, err = time.ParseDuration(plain[1])
	if err != nil {
		return err
	}
	for _, a := range plain[2:] {
		switch a {
		case "deaf":
			k.deaf = true
		case "fail", "panic", "crash":
			k.ends = a
		default:
			return usage(s)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.work[plain[0]] = k
	return nil
}

func start(w *world, s Step) error {
	names, with, err := words(s, "name", "ttl", "drain", "weight", "clock")
	if err != nil {
		return err
	}
	var options []elastic.Option
	for option, value := range with {
		switch d, err := time.ParseDuration(value); {
		case option == "name":
		case option == "weight":
			weight, err := strconv.Atoi(value)
			if err != nil {
				return fmt.Errorf("weight: %w", err)
			}
			options = append(options, elastic.WithWeight(weight))
		case err != nil:
			return fmt.Errorf("%s: %w", option, err)
		case option == "ttl":
			options = append(options, elastic.WithSessionTTL(d))
		case option == "drain":
			options = append(options, elastic.WithDrainTimeout(d))
		case option == "clock":
			for _, name := range names {
				w.setSkew(name, d)
			}
		}
	}
	wait := true
	for _, name := range names {
		if name == "only" {
			wait = false
			continue
		}
		first := len(w.Up()) == 0 && len(names) > 1
		w.StartAs(
			name,
			cmp.Or(with["name"], name),
			append(options, elastic.WithTesting(elastic.Testing{Now: w.clock(name)}))...,
		)
		if first && wait {
			w.Advance(headStart)
		}
	}
	if wait {
		w.Settle()
	}
	return nil
}

// headStart is how much earlier the first of several instances starts: it then
// has all shards for a moment, and the others get theirs in a known order.
const headStart = time.Second

func tick(w *world, s Step) error {
	if len(s.Args) != 1 {
		return usage(s)
	}
	d, err := time.ParseDuration(s.Args[0].Name)
	if err != nil {
		return err
	}
	w.Advance(d)
	return nil
}

func fire(w *world, s Step) error {
	if len(s.Args) != 1 {
		return usage(s)
	}
	w.NextFire(s.Args[0].Name)
	return nil
}

func addTo(w *world, s Step) error {
	if len(s.Args) != 2 {
		return usage(s)
	}
	j, ok := w.specs[s.Args[1].Name]
	if !ok {
		return fmt.Errorf("no job %s in this story", s.Args[1])
	}
	return w.AddTo(s.Args[0].Name, j, elastic.HandlerFunc(w.handle))
}

func removeFrom(w *world, s Step) error {
	if len(s.Args) != 2 {
		return usage(s)
	}
	return w.Scheduler(s.Args[0].Name).Unregister(s.Args[1].Name)
}

func trigger(w *world, s Step) error {
	names, with, err := words(s, "shard", "parameter")
	if err != nil || len(names) != 2 {
		return errors.Join(err, usage(s))
	}
	var options []elastic.TriggerOption
	if value, ok := with["shard"]; ok {
		shard, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("shard: %w", err)
		}
		options = append(options, elastic.OnShards(shard))
	}
	if value, ok := with["parameter"]; ok {
		options = append(options, elastic.WithParameter(value))
	}
	_, err = w.Scheduler(names[0]).Trigger(context.Background(), names[1], options...)
	return err
}
