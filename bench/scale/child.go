//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// request is one measurement that a child is asked for.
type request struct {
	Peer    string
	Plan    plan
	Seconds int
}

// figures are what it measured. Times are in nanoseconds.
type figures struct {
	Fires     int64
	CPU       float64 // a fire
	Allocs    float64 // a fire
	Bytes     float64 // allocated, a fire
	P50, P99  float64 // late
	Max       float64 // late
	HeapAJob  float64 // bytes of live heap a job
	StartAJob float64 // CPU to add and start a job
}

// measure has a process of its own measure one case.
func measure(r request) (f figures, err error) {
	text, err := json.Marshal(r)
	if err != nil {
		return f, err
	}
	self, err := os.Executable()
	if err != nil {
		return f, err
	}
	cmd := exec.Command(self, "-child", string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return f, fmt.Errorf("measure %s: %w", r.Peer, err)
	}
	return f, json.Unmarshal(out, &f)
}

// measureFleetApart has a process of its own measure the fleet, and print it.
func measureFleetApart(s settings) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "-child", "fleet",
		"-instances", strconv.Itoa(s.instances), "-jobs", strconv.Itoa(s.jobs))
	cmd.Stdout = os.Stdout
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("measure a fleet of %d instances: %w", s.instances, err)
	}
	return nil
}

// child measures one case and prints the figures.
func child(text string) {
	var r request
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		log.Fatal(err)
	}
	if path := os.Getenv("SCALE_PROFILE"); path != "" {
		out, err := os.Create(path)
		if err != nil {
			log.Fatal(err)
		}
		defer out.Close()
		if err := pprof.StartCPUProfile(out); err != nil {
			log.Fatal(err)
		}
		defer pprof.StopCPUProfile()
	}
	f, err := r.run()
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(f); err != nil {
		log.Fatal(err)
	}
}

func (r request) run() (f figures, err error) {
	var late lateness
	before, began := heap(), cpuTime()
	stop, err := peers[r.Peer](r.Plan, late.fired)
	if err != nil {
		return f, err
	}
	jobs := float64(r.Plan.Jobs * r.Plan.Shards)
	if r.Plan.Idle {
		waitIdle()
		f.StartAJob = float64(cpuTime()-began) / jobs
		f.HeapAJob = float64(heap()-before) / jobs
		stop()
		return f, nil
	}
	time.Sleep(4 * time.Second) // what starts is not measured
	var memory [2]runtime.MemStats
	runtime.ReadMemStats(&memory[0])
	began = cpuTime()
	late.counting.Store(true)
	time.Sleep(time.Duration(r.Seconds) * time.Second)
	late.counting.Store(false)
	used := cpuTime() - began
	runtime.ReadMemStats(&memory[1])
	stop()
	f.Fires = late.count.Load()
	fires := float64(max(f.Fires, 1))
	f.CPU = float64(used) / fires
	f.Allocs = float64(memory[1].Mallocs-memory[0].Mallocs) / fires
	f.Bytes = float64(memory[1].TotalAlloc-memory[0].TotalAlloc) / fires
	f.P50 = late.quantile(0.5)
	f.P99 = late.quantile(0.99)
	f.Max = late.quantile(1)
	return f, nil
}

// lateness counts fires by how late they are, in hundredths of a millisecond.
// All fires are due at whole seconds.
type lateness struct {
	counting atomic.Bool
	count    atomic.Int64
	by       [100_000]atomic.Int32
}

func (l *lateness) fired() {
	if !l.counting.Load() {
		return
	}
	l.count.Add(1)
	l.by[time.Now().Nanosecond()/10_000].Add(1)
}

func (l *lateness) quantile(q float64) float64 {
	rest := int64(q * float64(l.count.Load()))
	last := 0
	for i := range l.by {
		n := int64(l.by[i].Load())
		if n == 0 {
			continue
		}
		last = i
		if rest -= n; rest <= 0 {
			break
		}
	}
	return float64(last) * 10_000
}

// waitIdle waits until the process uses hardly any CPU.
func waitIdle() {
	for range 600 {
		began := cpuTime()
		time.Sleep(500 * time.Millisecond)
		if cpuTime()-began < 5*time.Millisecond {
			return
		}
	}
}

// heap returns the bytes of the live heap.
func heap() uint64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rounds measures all cases several times, each round in another order.
func rounds(n int, cases []request) (map[request][]figures, error) {
	all := map[request][]figures{}
	for range n {
		order := slices.Clone(cases)
		rand.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
		for _, c := range order {
			f, err := measure(c)
			if err != nil {
				return nil, err
			}
			all[c] = append(all[c], f)
		}
	}
	return all, nil
}
