package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/observe"
)

// conditions describes the conditions of until and expect. The words of a
// record can be in any order, and are optional.
const conditions = `JOB/SHARD idle|running|gone [ok|failed|lost|replaced|cancelled] [on NAME] [fire T]
	[attempt N] [fence N]; JOB shared by NAME…; JOB/SHARD owned by NAME; runs JOB/SHARD [of T] [on NAME] = N; alive NAME; dead NAME; events KIND = N; quiet`

// until lets time pass until a condition holds.
func until(w *world, s Step) error {
	holds, err := w.condition(s.Args)
	if err != nil {
		return err
	}
	for begin := time.Now(); ; w.Advance(10 * time.Millisecond) {
		why := holds()
		if why == "" {
			return nil
		}
		if time.Since(begin) >= patience {
			return fmt.Errorf("%s passed, and it is not so: %s", patience, why)
		}
	}
}

// patience bounds the wait for a condition.
const patience = 5 * time.Minute

func expect(w *world, s Step) error {
	holds, err := w.condition(s.Args)
	if err != nil {
		return err
	}
	if why := holds(); why != "" {
		return fmt.Errorf("not so: %s", why)
	}
	return nil
}

// condition parses a condition. The returned function gives the reason why it
// does not hold, or an empty string if it does.
func (w *world) condition(args []Arg) (func() string, error) {
	text := make([]string, len(args))
	for i, a := range args {
		text[i] = a.String()
	}
	bad := fmt.Errorf("not a condition: %s; there are %s", strings.Join(text, " "), conditions)
	switch {
	case len(text) == 0:
		return nil, bad
	case text[0] == "quiet":
		return func() string { return w.InProgress() }, nil
	case (text[0] == "alive" || text[0] == "dead") && len(text) == 2:
		return func() string {
			if w.Alive(text[1]) != (text[0] == "alive") {
				return text[1] + " is not " + text[0]
			}
			return ""
		}, nil
	case text[0] == "runs" && len(text) >= 4:
		return w.countRuns(text[1:], bad)
	case text[0] == "events" && len(text) >= 4:
		return w.countEvents(text[1:], bad)
	case len(text) >= 4 && text[1] == "shared" && text[2] == "by":
		return func() string { return w.shared(text[0], text[3:]) }, nil
	case len(text) == 4 && text[1] == "owned" && text[2] == "by":
		return w.ownedBy(text[0], text[3])
	case strings.Contains(text[0], "/") && len(text) > 1:
		return w.recordIs(text[0], text[1:], bad)
	}
	return nil, bad
}

// equals reads "= N" at the end of a condition.
func equals(text []string, bad error) (rest []string, n int, err error) {
	if len(text) < 2 || text[len(text)-2] != "=" {
		return nil, 0, bad
	}
	n, err = strconv.Atoi(text[len(text)-1])
	return text[:len(text)-2], n, err
}

func (w *world) countRuns(text []string, bad error) (func() string, error) {
	text, want, err := equals(text, bad)
	if err != nil {
		return nil, err
	}
	job, shard, err := shardOf(text[0])
	if err != nil {
		return nil, err
	}
	var of, on string
	for rest := text[1:]; len(rest) > 0; rest = rest[2:] {
		switch {
		case len(rest) > 1 && rest[0] == "of":
			of = rest[1]
		case len(rest) > 1 && rest[0] == "on":
			on = rest[1]
		default:
			return nil, bad
		}
	}
	return func() string {
		got := 0
		for _, r := range w.RunsOf(job, shard) {
			if (of == "" || w.occasion(job, r.Trigger, r.Fire) == of) && (on == "" || r.Instance == on) {
				got++
			}
		}
		if got != want {
			return fmt.Sprintf("it ran %d times", got)
		}
		return ""
	}, nil
}

func (w *world) countEvents(text []string, bad error) (func() string, error) {
	text, want, err := equals(text, bad)
	if err != nil {
		return nil, err
	}
	kind := observe.Kind(strings.Join(text, " "))
	return func() string {
		got := 0
		for _, e := range w.Events() {
			if e.Kind == kind {
				got++
			}
		}
		if got != want {
			return fmt.Sprintf("there were %d", got)
		}
		return ""
	}, nil
}

// shared returns why a job's shards are not spread evenly over exactly these
// instances.
func (w *world) shared(job string, names []string) string {
	counts := map[string]int{}
	for _, name := range w.Owners(job) {
		counts[name]++
	}
	least, most := 1<<30, 0
	for _, n := range counts {
		least, most = min(least, n), max(most, n)
	}
	if len(counts) != len(names) || most-least > 1 || slices.ContainsFunc(names, func(name string) bool {
		return counts[name] == 0
	}) {
		return "owned by " + w.owners(job)
	}
	return ""
}

func (w *world) ownedBy(what, name string) (func() string, error) {
	job, shard, err := shardOf(what)
	return func() string {
		if owners := w.Owners(job); shard >= len(owners) || owners[shard] != name {
			return "owned by " + w.owners(job)
		}
		return ""
	}, err
}

// recordIs parses the expected content of a record.
func (w *world) recordIs(what string, text []string, bad error) (func() string, error) {
	job, shard, err := shardOf(what)
	if err != nil {
		return nil, err
	}
	checks := []func(r failover.Record) bool{}
	for i := 0; i < len(text); i++ {
		word, value := text[i], ""
		if slices.Contains([]string{"on", "fire", "attempt", "fence"}, word) {
			if i++; i == len(text) {
				return nil, bad
			}
			value = text[i]
		}
		n, _ := strconv.Atoi(value)
		switch word {
		case "gone":
			checks = append(checks, func(r failover.Record) bool { return r.Fence == 0 })
		case "idle", "running":
			checks = append(checks, func(r failover.Record) bool { return r.Fence != 0 && r.State.String() == word })
		case "ok", "failed", "lost", "replaced", "cancelled":
			checks = append(checks, func(r failover.Record) bool { return string(r.Result) == word })
		case "on":
			checks = append(checks, func(r failover.Record) bool {
				return w.NameOf(r.Owner) == value || r.Owner == value
			})
		case "fire":
			checks = append(checks, func(r failover.Record) bool { return clock(r.Fire) == value })
		case "attempt":
			checks = append(checks, func(r failover.Record) bool { return r.Attempt == n })
		case "fence":
			checks = append(checks, func(r failover.Record) bool { return w.fence(job, shard, r.Fence) == n })
		default:
			return nil, bad
		}
	}
	return func() string {
		r := w.Record(job, shard)
		for _, holds := range checks {
			if !holds(r) {
				return w.recordLine(what, r.Encode())
			}
		}
		return ""
	}, nil
}

func shardOf(what string) (job string, shard int, err error) {
	job, number, ok := strings.Cut(what, "/")
	if ok {
		shard, err = strconv.Atoi(number)
	}
	if !ok || err != nil {
		return "", 0, fmt.Errorf("%q is not JOB/SHARD", what)
	}
	return job, shard, nil
}
