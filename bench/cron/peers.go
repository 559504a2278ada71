package main

import (
	"fmt"
	"time"

	"github.com/adhocore/gronx"
	"github.com/elasticjob-go/elastic/cron"
	netresearch "github.com/netresearch/go-cron"
	"github.com/reugn/go-quartz/quartz"
	robfig "github.com/robfig/cron/v3"
)

// next returns the first fire after a moment; the zero time when there is none.
type next func(time.Time) time.Time

// peer is a library, set up as its documentation advises for the dialect.
type peer struct {
	name  string
	parse func(expr string, loc *time.Location) (next, error)
}

var quartzPeers = []peer{
	{"elastic/cron", ours},
	{"robfig/cron v3.0.1", withRobfig(robfig.NewParser(robfig.Second | robfig.Minute |
		robfig.Hour | robfig.Dom | robfig.Month | robfig.Dow))},
	{"netresearch/go-cron v0.9.1", withNetresearch(netresearch.MustNewParser(netresearch.Second | netresearch.Minute |
		netresearch.Hour | netresearch.Dom | netresearch.Month | netresearch.Dow |
		netresearch.YearOptional | netresearch.Extended).
		WithMaxSearchYears(50))},
	{"reugn/go-quartz v0.15.2", withQuartz},
	{"adhocore/gronx v1.20.4", withGronx},
}

var unixPeers = []peer{
	{"elastic/cron", ours},
	{
		"robfig/cron v3.0.1",
		withRobfig(robfig.NewParser(robfig.Minute | robfig.Hour | robfig.Dom | robfig.Month | robfig.Dow)),
	},
	{"netresearch/go-cron v0.9.1", withNetresearch(netresearch.MustNewParser(netresearch.Minute | netresearch.Hour |
		netresearch.Dom | netresearch.Month | netresearch.Dow | netresearch.DowOrDom).WithMaxSearchYears(50))},
	{"adhocore/gronx v1.20.4", withGronx},
}

func ours(expr string, loc *time.Location) (next, error) {
	s, err := cron.Parse(expr, loc)
	if err != nil {
		return nil, err
	}
	return s.Next, nil
}

func withRobfig(p robfig.Parser) func(string, *time.Location) (next, error) {
	return func(expr string, loc *time.Location) (next, error) {
		s, err := p.Parse("CRON_TZ=" + loc.String() + " " + expr)
		if err != nil {
			return nil, err
		}
		return s.Next, nil
	}
}

func withNetresearch(p netresearch.Parser) func(string, *time.Location) (next, error) {
	return func(expr string, loc *time.Location) (next, error) {
		s, err := p.Parse("CRON_TZ=" + loc.String() + " " + expr)
		if err != nil {
			return nil, err
		}
		return s.Next, nil
	}
}

func withQuartz(expr string, loc *time.Location) (next, error) {
	t, err := quartz.NewCronTriggerWithLoc(expr, loc)
	if err != nil {
		return nil, err
	}
	return func(at time.Time) time.Time {
		ns, err := t.NextFireTime(at.UnixNano())
		if err != nil {
			return time.Time{}
		}
		return time.Unix(0, ns)
	}, nil
}

// withGronx parses at each call, as that is the library's only way.
func withGronx(expr string, loc *time.Location) (next, error) {
	if !gronx.IsValid(expr) {
		return nil, fmt.Errorf("gronx refuses %q", expr)
	}
	return func(at time.Time) time.Time {
		t, err := gronx.NextTickAfter(expr, at.In(loc), false)
		if err != nil {
			return time.Time{}
		}
		return t
	}, nil
}
