package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// measured are expressions that most peers read, from the most frequent to a
// rare one.
var measured = []string{"0/5 * * * * ?", "0 0 3 * * ?", "0 15 10 ? * MON-FRI", "0 0 0 L * ?", "0 0 0 29 2 ?"}

var measuredZones = []string{"UTC", "America/New_York"}

// figure is one library's Next of one expression in one zone, in ns a call, one
// value a round.
type figure struct {
	peer, expr, zone string
	next             next
	ns               []float64
}

// speed measures all in one process, each round in another order, and returns
// all values as CSV.
func speed(rounds int) string {
	figures := prepare()
	for range rounds {
		rand.Shuffle(len(figures), func(i, j int) { figures[i], figures[j] = figures[j], figures[i] })
		for _, f := range figures {
			f.ns = append(f.ns, f.measure())
		}
	}
	report(figures)
	var raw strings.Builder
	raw.WriteString("library,expression,zone,ns\n")
	for _, f := range figures {
		for _, ns := range f.ns {
			fmt.Fprintf(&raw, "%s,%q,%s,%.1f\n", f.peer, f.expr, f.zone, ns)
		}
	}
	return raw.String()
}

func prepare() (list []*figure) {
	for _, zone := range measuredZones {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			panic(err)
		}
		for _, expr := range measured {
			for _, p := range quartzPeers {
				if n, err := p.parse(expr, loc); err == nil {
					list = append(list, &figure{peer: p.name, expr: expr, zone: zone, next: n})
				}
			}
		}
	}
	return list
}

// measure follows the fires from 2026 to 2100, for 10 ms at least.
func (f *figure) measure() float64 {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	begin, calls := time.Now(), 0
	for at := start; time.Since(begin) < 10*time.Millisecond; {
		for range 8 {
			if at = f.next(at); at.IsZero() || at.Year() > 2100 {
				at = start
			}
			calls++
		}
	}
	return float64(time.Since(begin).Nanoseconds()) / float64(calls)
}

func report(figures []*figure) {
	fmt.Println("Next, ns a call: median (least to most)")
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "expression\tzone")
	for _, p := range quartzPeers {
		name, _, _ := strings.Cut(p.name, " ")
		fmt.Fprint(w, "\t", name)
	}
	fmt.Fprintln(w)
	for _, expr := range measured {
		for _, zone := range measuredZones {
			fmt.Fprintf(w, "%s\t%s", expr, zone)
			for _, p := range quartzPeers {
				fmt.Fprint(w, "\t", cell(figures, p.name, expr, zone))
			}
			fmt.Fprintln(w)
		}
	}
	w.Flush()
}

func cell(figures []*figure, peer, expr, zone string) string {
	for _, f := range figures {
		if f.peer == peer && f.expr == expr && f.zone == zone {
			slices.Sort(f.ns)
			return fmt.Sprintf("%.0f (%.0f-%.0f)", f.ns[len(f.ns)/2], f.ns[0], f.ns[len(f.ns)-1])
		}
	}
	return "refused"
}
