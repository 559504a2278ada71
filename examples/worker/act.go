package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic"
)

// act is what the runs of a job do, for tests of what a job can be told. Its parameter says it, in one or more of:
//
//	take 3s           take this long, in place of -work
//	take 3s each 10s  the same for fires at multiples of 10 s; the others take no time
//	fail 2            fail at the first two calls of each run
//	give up           fail, and say that trying again would not help
//	again 2           ask to be called again at once, twice
//	skip              say that there is nothing to do
type act struct {
	take, each  time.Duration
	fail, again int
	giveUp      bool
	skip        bool
}

// readAct reads a parameter such as "fail 2, take 1s".
func readAct(parameter string, work time.Duration) (act, error) {
	a := act{take: work}
	var faults []error
	number := func(text string) (n int) {
		n, err := strconv.Atoi(text)
		faults = append(faults, err)
		return n
	}
	duration := func(text string) time.Duration {
		d, err := time.ParseDuration(text)
		faults = append(faults, err)
		return d
	}
	for part := range strings.SplitSeq(parameter, ",") {
		switch words := strings.Fields(part); {
		case len(words) == 0:
		case len(words) == 2 && words[0] == "take":
			a.take = duration(words[1])
		case len(words) == 4 && words[0] == "take" && words[2] == "each":
			a.take, a.each = duration(words[1]), duration(words[3])
		case len(words) == 2 && words[0] == "fail":
			a.fail = number(words[1])
		case len(words) == 2 && words[0] == "again":
			a.again = number(words[1])
		case len(words) == 2 && words[0] == "give" && words[1] == "up":
			a.giveUp = true
		case len(words) == 1 && words[0] == "skip":
			a.skip = true
		default:
			faults = append(faults, fmt.Errorf("there is no act %q", strings.TrimSpace(part)))
		}
	}
	return a, errors.Join(faults...)
}

var errAsked = errors.New("it was asked to fail")

// run does it.
func (a act) run(ctx context.Context, run elastic.Run) error {
	take := a.take
	if a.each > 0 && run.Fire.UnixNano()%int64(a.each) != 0 {
		take = 0
	}
	select {
	case <-time.After(take):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	switch {
	case a.skip:
		return elastic.Skip("there is nothing to do")
	case a.giveUp:
		return elastic.Permanent(errAsked)
	case run.Retry < a.fail:
		return errAsked
	case run.Retry < a.again:
		return elastic.RetryIn(0, errAsked)
	}
	return nil
}

// actor is a handler whose jobs' parameters say what it does.
func actor(work time.Duration) elastic.HandlerFunc {
	return func(ctx context.Context, run elastic.Run) error {
		a, err := readAct(run.JobParameter, work)
		if err != nil {
			return elastic.Permanent(fmt.Errorf("the parameter %q says nothing that can be done: %w", run.JobParameter, err))
		}
		return a.run(ctx, run)
	}
}
