package admin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/fleet"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// The time of an act decides since when a schedule is in force, so a wrong
// clock on an operator's computer could lose fires or begin old ones. It is
// compared with those that the instances have written.

// oldestClock is how old the clock in a heartbeat can be: two resync periods.
const oldestClock = 2 * time.Minute

// moment is the time of an act, and the instances that live then.
type moment struct {
	time.Time
	fleet *fleet.Namespace
}

// clock returns the time of an act. It sends two lists, and one for each set of
// jobs that it has not seen.
func (c *Client) clock(ctx context.Context, o options) (moment, error) {
	read, err := c.lists(ctx, layout.Instances, layout.Clocks)
	if err != nil {
		return moment{}, err
	}
	ns, err := c.namespace(ctx, read[0], nil)
	if err != nil {
		return moment{}, err
	}
	m := moment{fleet: ns}
	m.Time, err = judge(c.now(), ns.Clocks(read[1]), o.fleetClock)
	return m, err
}

// judge compares a clock with those of instances, which can be as old as
// oldestClock. Where there are none, it has the last word.
func judge(own time.Time, clocks []time.Time, useFleet bool) (time.Time, error) {
	if len(clocks) == 0 {
		return own, nil
	}
	slices.SortFunc(clocks, time.Time.Compare)
	median := clocks[(len(clocks)-1)/2]
	behind, ahead := median.Sub(own), own.Sub(median)
	if behind <= failover.MaxSkew && ahead <= oldestClock+failover.MaxSkew {
		return own, nil
	}
	if useFleet {
		return median, nil
	}
	return own, fmt.Errorf(
		"%w: it shows %s, and the last heartbeats of the instances %s; set it, or use the fleet's clock",
		ErrClock,
		own.UTC().Format(time.RFC3339),
		median.UTC().Format(time.RFC3339),
	)
}
