package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/store/memory"
)

// doom makes an instance die before or after one of its next writes.
func doom(w *world, s Step) error {
	plain, _, err := words(s)
	if err != nil || len(plain) != 4 || plain[2] != "write" || plain[1] != "before" && plain[1] != "after" {
		return errors.Join(err, usage(s))
	}
	name := plain[0]
	nth, err := strconv.Atoi(plain[3])
	if err != nil {
		return err
	}
	die := func() { w.Crash(name) }
	w.Client(name).OnRequest(func(r memory.Request) memory.Fault {
		switch {
		case r.Kind != memory.Transact || r.N < nth:
			return memory.Fault{}
		case r.N > nth:
			return memory.Fault{Before: time.Hour} // what comes at the same instant must not be faster than death
		case plain[1] == "before":
			return memory.Fault{BeforeApply: die}
		}
		return memory.Fault{AfterApply: die}
	})
	return nil
}

func fault(w *world, s Step) error {
	var f memory.Fault
	var name, which, below string
	nth := 0
	for i, a := range s.Args {
		var err error
		switch {
		case i == 0:
			name = a.Name
		case i == 1:
			which = a.Name
		case a.Name == "below":
			below = a.Value
		case a.Name == "refuse":
			f.Refuse = true
		case a.Name == "slow":
			f.Before, err = time.ParseDuration(a.Value)
		case a.Name == "late":
			f.Late, err = time.ParseDuration(a.Value)
		case a.Name == "lose" && a.Value == "reply":
			f.LoseReply, f.Broken = true, true
		case a.Name == "lose" && a.Value == "request":
			f.LoseRequest, f.Broken = true, true
		case a.Name == "nth":
			nth, err = strconv.Atoi(a.Value)
		default:
			return usage(s)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", a, err)
		}
	}
	kinds := map[string][]memory.Kind{
		"reads": {memory.Get, memory.List}, "writes": {memory.Transact}, "none": {},
		"all": {memory.Get, memory.List, memory.Transact, memory.WatchStart, memory.NewSession, memory.Renew},
	}[which]
	if kinds == nil {
		return usage(s)
	}
	w.Client(name).OnRequest(func(r memory.Request) memory.Fault {
		key := r.Key
		if r.Kind == memory.Transact && len(r.Txn.Do) > 0 {
			key = r.Txn.Do[0].Key
		}
		if !slices.Contains(kinds, r.Kind) || !strings.HasPrefix(key, below) || nth > 0 && r.N != nth {
			return memory.Fault{}
		}
		return f
	})
	return nil
}

func slow(w *world, s Step) error {
	if len(s.Args) != 2 {
		return usage(s)
	}
	lag, err := time.ParseDuration(s.Args[1].Name)
	if err != nil {
		return err
	}
	w.Client(s.Args[0].Name).SlowWatches(lag, 0)
	return nil
}

func setClock(w *world, s Step) error {
	if len(s.Args) != 2 {
		return usage(s)
	}
	d, err := time.ParseDuration(s.Args[1].Name)
	if err != nil {
		return err
	}
	w.setSkew(s.Args[0].Name, d)
	return nil
}
