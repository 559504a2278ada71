package main

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe"
)

// board prints the demonstration: a table that is redrawn in place on a terminal,
// otherwise a line for each important event.
type board struct {
	out    *os.File
	ledger *ledger
	table  bool // draw the table
	color  bool
	start  time.Time

	mu     sync.Mutex
	places []place  // one for each name
	news   []string // the lines printed so far, with their times
	drawn  int      // lines of the table when it was last drawn
	fires  int      // fires reported so far
}

// place is the last known state of the instance of a name.
type place struct {
	name, state string
	machine     *machine
	shards      []int // that it owns
}

const newsLines = 12 // shown below the table

func newBoard(out *os.File, l *ledger) *board {
	b := &board{out: out, ledger: l, start: time.Now()}
	b.table = isTerminal(out)
	b.color = b.table && os.Getenv("NO_COLOR") == ""
	return b
}

// isTerminal reports whether f understands escape sequences.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" &&
		(runtime.GOOS != "windows" || os.Getenv("WT_SESSION") != "")
}

// show sets the state of an instance.
func (b *board) show(m *machine, state string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.places, func(p place) bool { return p.name == m.name })
	if i < 0 {
		i, b.places = len(b.places), append(b.places, place{name: m.name})
	}
	if b.places[i].machine != m {
		b.places[i] = place{name: m.name, machine: m}
	}
	b.places[i].state = state
}

// event records an event of a scheduler. Events say which instance owns which
// shard; runs come from the ledger.
func (b *board) event(m *machine, e elastic.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.places, func(p place) bool { return p.machine == m })
	if i < 0 || b.places[i].state == "crashed" || b.places[i].state == "dead" {
		return // a crashed machine reports nothing
	}
	p := &b.places[i]
	switch e.Kind {
	case observe.Vanished:
		for i, p := range b.places {
			if p.name == instanceName(e.Subject) && p.state == "crashed" {
				b.places[i].state, b.places[i].shards = "dead", nil // the others own its shards now
				b.tell("the store ends the session of %s", p.name)
			}
		}
	case observe.Gained:
		p.shards = append(p.shards, e.Shard)
		slices.Sort(p.shards)
	case observe.Dropped:
		p.shards = slices.DeleteFunc(p.shards, func(shard int) bool { return shard == e.Shard })
	case observe.TookOver:
		b.tell("%s takes over shard %d (attempt %d, fence %d)", m.name, e.Shard, e.Attempt, e.Fence)
	}
}

// say prints a line, with the time since the start.
func (b *board) say(format string, a ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tell(format, a...)
}

// tell is like say; the caller holds b.mu.
func (b *board) tell(format string, a ...any) {
	line := fmt.Sprintf("%5.1fs  ", time.Since(b.start).Seconds()) + fmt.Sprintf(format, a...)
	b.news = append(b.news, line)
	if !b.table {
		fmt.Fprintln(b.out, line)
	}
}

// live redraws the board until the returned function is called.
func (b *board) live() (end func()) {
	over := make(chan struct{})
	var drawing sync.WaitGroup
	drawing.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			b.refresh()
			select {
			case <-tick.C:
			case <-over:
				b.refresh()
				return
			}
		}
	})
	return func() {
		close(over)
		drawing.Wait()
	}
}

func (b *board) refresh() {
	runs := b.ledger.all()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.table {
		b.draw(runs)
		return
	}
	for _, fire := range fullFires(runs)[b.fires:] {
		b.fires++
		b.tell("fire %s is done:%s", fire.Format(time.TimeOnly), ownersOf(runs, fire))
	}
}

// ownersOf lists the instances that ran fire, each with its shards.
func ownersOf(runs []run, fire time.Time) (text string) {
	by := map[string][]int{}
	for _, r := range runs {
		if r.done && r.fire.Equal(fire) {
			by[r.machine.name] = append(by[r.machine.name], r.shard)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		slices.Sort(by[name])
		text += fmt.Sprintf("  %s %v", name, by[name])
	}
	return text
}

// draw prints the table over the previous one.
func (b *board) draw(runs []run) {
	lines := []string{
		b.paint(bold, "elastic quickstart") + fmt.Sprintf("%48.1fs", time.Since(b.start).Seconds()), "",
		b.paint(dim, "  instance  state     owns shards"),
	}
	for _, p := range b.places {
		state := b.paint(colors[p.state], fmt.Sprintf("%-8s", p.state))
		owned := strings.Trim(fmt.Sprint(p.shards), "[]")
		lines = append(lines, fmt.Sprintf("  %-8s  %s  %s", p.name, state, owned))
	}
	lines = append(lines, "", b.paint(dim, "  shard  fire      attempt  fence          runs on"))
	latest := map[int]run{}
	for _, r := range runs {
		latest[r.shard] = r
	}
	for shard := range job.Shards {
		if r, ok := latest[shard]; ok {
			lines = append(lines, b.row(r))
		} else {
			lines = append(lines, fmt.Sprintf("  %-5d", shard))
		}
	}
	lines = append(lines, "")
	lines = append(lines, b.news[max(0, len(b.news)-newsLines):]...)

	var text strings.Builder
	if b.drawn > 0 {
		fmt.Fprintf(&text, "\x1b[%dA", b.drawn) // cursor up to the first line of the previous table
	}
	for _, line := range lines {
		text.WriteString(line + "\x1b[K\n") // and erase the rest of the old line
	}
	b.drawn = len(lines)
	fmt.Fprint(b.out, text.String())
}

// row formats the latest run of a shard.
func (b *board) row(r run) string {
	const width = 12
	color, note, length := green, "", width
	switch {
	case r.done:
		note = "done"
	case !r.ended.IsZero():
		color, note = red, "crashed"
		length = int(width * r.ended.Sub(r.began) / work)
	default:
		color = yellow
		length = min(int(width*time.Since(r.began)/work), width)
	}
	if r.from != "" {
		note += b.paint(yellow, " again, after "+instanceName(r.from))
	}
	bar := b.paint(color, strings.Repeat("━", length)) + strings.Repeat(" ", width-length)
	return fmt.Sprintf("  %-5d  %s  %-7d  %-13d  %-7s  %s  %s",
		r.shard, r.fire.Format(time.TimeOnly), r.attempt, r.fence, r.machine.name, bar, note)
}

// instanceName returns the name in an instance ID, without the incarnation.
func instanceName(id string) string {
	name, _, _ := strings.Cut(id, "@")
	return name
}

// sum prints the result.
func (b *board) sum(t tally) {
	fmt.Fprintf(b.out, "\n  due         %4d   %d fires of %d shards\n", t.due, t.due/job.Shards, job.Shards)
	fmt.Fprintf(b.out, "  runs        %4d   attempts that began\n", t.runs)
	fmt.Fprintf(b.out, "  take-overs  %4d   of them, after a crash\n", t.takeOvers)
	fmt.Fprintf(b.out, "  lost        %s   due, but not done\n", b.verdict(t.lost))
	fmt.Fprintf(b.out, "  double      %s   done twice, or by two instances at a time\n", b.verdict(t.double))
	fmt.Fprintf(b.out, "  left over   %s   keys in the store that should be gone\n", b.verdict(t.left))
}

// verdict formats the number of faults, green for none and red otherwise.
func (b *board) verdict(faults []string) string {
	color := green
	if len(faults) > 0 {
		color = red
	}
	return b.paint(color, fmt.Sprintf("%4d", len(faults)))
}

// Terminal color codes.
const (
	bold   = 1
	dim    = 2
	red    = 31
	green  = 32
	yellow = 33
)

var colors = map[string]int{"alive": green, "draining": yellow, "crashed": red, "dead": red, "left": dim}

func (b *board) paint(color int, text string) string {
	if !b.color {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", color, text)
}
