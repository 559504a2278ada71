//go:build unix

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// order is the order of the peers in the tables.
var order = []string{"elastic", "elastic, claimed", "robfig/cron", "gocron", "go-quartz"}

// column is one measure of a table.
type column struct {
	name string
	unit float64 // by which values are divided
	of   func(figures) float64
}

var fireColumns = []column{
	{"CPU µs", 1e3, func(f figures) float64 { return f.CPU }},
	{"allocs", 1, func(f figures) float64 { return f.Allocs }},
	{"bytes", 1, func(f figures) float64 { return f.Bytes }},
	{"p50 ms", 1e6, func(f figures) float64 { return f.P50 }},
	{"p99 ms", 1e6, func(f figures) float64 { return f.P99 }},
	{"max ms", 1e6, func(f figures) float64 { return f.Max }},
	{"fires", 1, func(f figures) float64 { return float64(f.Fires) }},
}

var idleColumns = []column{
	{"heap bytes", 1, func(f figures) float64 { return f.HeapAJob }},
	{"start µs", 1e3, func(f figures) float64 { return f.StartAJob }},
}

// fires prints what a fire costs, and how late it is.
func fires(s settings, raw *strings.Builder) error {
	cases := []request{}
	for _, jobs := range []int{1000, 10_000} {
		for _, peer := range order {
			if jobs > 1000 && peer == "go-quartz" {
				continue // it manages 2,000 to 5,000 fires a second
			}
			cases = append(cases, request{peer, plan{Jobs: jobs, Shards: 1}, s.seconds})
		}
	}
	for _, c := range []plan{{Jobs: 10, Shards: 1000}, {Jobs: 20, Shards: 5000}} {
		for _, peer := range []string{"elastic", "robfig/cron"} {
			cases = append(cases, request{peer, c, s.seconds})
		}
	}
	all, err := rounds(s.rounds, cases)
	if err != nil {
		return err
	}
	title := "Fires each second: median (least to most) of the rounds; CPU, allocations and bytes are a fire"
	table(title, fireColumns, cases, all, raw)
	return nil
}

// idle prints what a job costs that does not fire.
func idle(s settings, raw *strings.Builder) error {
	var cases []request
	for _, peer := range order {
		if peer == "elastic, claimed" {
			continue // the same until it has run
		}
		cases = append(cases, request{peer, plan{Jobs: 10_000, Shards: 1, Idle: true}, 0})
	}
	all, err := rounds(s.rounds, cases)
	if err != nil {
		return err
	}
	title := "Idle jobs: bytes of live heap, and CPU to add and start one; the memory store's copy is in elastic's"
	table(title, idleColumns, cases, all, raw)
	return nil
}

func table(title string, columns []column, cases []request, all map[request][]figures, raw *strings.Builder) {
	fmt.Printf("\n%s\n\n", title)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "jobs × shards\tscheduler")
	for _, c := range columns {
		fmt.Fprint(w, "\t", c.name)
	}
	fmt.Fprintln(w)
	for _, r := range cases {
		name := fmt.Sprintf("%d × %d", r.Plan.Jobs, r.Plan.Shards)
		fmt.Fprintf(w, "%s\t%s", name, r.Peer)
		for _, c := range columns {
			var values []float64
			for _, f := range all[r] {
				values = append(values, c.of(f)/c.unit)
				fmt.Fprintf(raw, "%q,%s,%q,%s,%g\n", title, name, r.Peer, c.name, c.of(f)/c.unit)
			}
			fmt.Fprint(w, "\t", spread(values))
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}

// spread returns the median and the range of values.
func spread(values []float64) string {
	slices.Sort(values)
	n := len(values)
	if n == 1 || values[0] == values[n-1] {
		return digits(values[0])
	}
	return fmt.Sprintf("%s (%s–%s)", digits(values[n/2]), digits(values[0]), digits(values[n-1]))
}

func digits(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
