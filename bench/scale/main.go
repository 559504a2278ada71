//go:build unix

// Command scale measures what schedulers cost, each in a process of its own,
// and what a fleet of instances asks of its store.
//
//	GOWORK=off go run .                     all tables
//	GOWORK=off go run . -only fires         one of fires, jobs, fleet
//	GOWORK=off go run . -raw figures.csv    every single measurement, too
//
// Rounds are run in random order, so that what else the machine does hits all
// sides alike. docs/performance.md has results and says how to read them.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
)

// settings are the flags.
type settings struct {
	only      string
	rounds    int
	seconds   int
	raw       string
	instances int
	jobs      int
}

func main() {
	var s settings
	flag.StringVar(&s.only, "only", "", "measure one of fires, jobs, fleet")
	flag.IntVar(&s.rounds, "rounds", 3, "how often each scheduler is measured")
	flag.IntVar(&s.seconds, "seconds", 8, "how long one measurement of fires takes")
	flag.StringVar(&s.raw, "raw", "", "write every measurement to this `file`")
	flag.IntVar(&s.instances, "instances", 100, "the instances of the fleet")
	flag.IntVar(&s.jobs, "jobs", 1000, "the jobs of the fleet")
	one := flag.String("child", "", "measure one case in this process, and print it as JSON")
	flag.Parse()
	switch *one {
	case "":
	case "fleet":
		fleet(s.instances, s.jobs)
	default:
		child(*one)
		return
	}
	if err := run(s); err != nil {
		log.Fatal(err)
	}
}

func run(s settings) error {
	var raw strings.Builder
	raw.WriteString("table,case,peer,measure,value\n")
	if s.only == "" || s.only == "fires" {
		if err := fires(s, &raw); err != nil {
			return err
		}
	}
	if s.only == "" || s.only == "jobs" {
		if err := idle(s, &raw); err != nil {
			return err
		}
	}
	if s.only == "" || s.only == "fleet" {
		if err := measureFleetApart(s); err != nil {
			return err
		}
	}
	if s.raw == "" {
		return nil
	}
	if err := os.WriteFile(s.raw, []byte(raw.String()), 0o644); err != nil {
		return fmt.Errorf("write the measurements: %w", err)
	}
	return nil
}
