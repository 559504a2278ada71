package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/checker"
)

// The store is gone for so long that all sessions end. No instance died, so no
// run is repeated.
func TestCarryOn_RunsOutliveStore(t *testing.T) {
	onEveryStore(t, runsThatCarryOnOutliveAStoreThatIsGone)
}

func runsThatCarryOnOutliveAStoreThatIsGone(t *testing.T, on kind) {
	s := settings{
		shards:   3,
		schedule: "0/20 * * * * ?",
		work:     12 * time.Second,
		ttl:      3 * time.Second,
		on:       on,
	}
	f := newFleet(t, s)
	f.args = append(f.args, "-carry-on", "2m")
	f.start("a")
	f.start("b")
	var cut []checker.Line
	for shard := range s.shards {
		cut = append(cut, f.AwaitLine(0, fmt.Sprintf("the first start of shard %d", shard), func(l checker.Line) bool {
			return l.Event == "start" && l.Shard == shard
		}))
	}
	f.server.Kill()
	f.Act(time.Now(), checker.Kill, nil)
	all := f.Processes()
	for _, w := range all {
		f.Await(w.Name+" to have lost its session", func() bool { return w.Said("kind=lost") > 0 })
	}
	f.server.Restart()
	f.Act(time.Now(), checker.Start, nil)
	for _, l := range cut {
		f.Await("the end of "+l.String(), func() bool { return f.ended(l) })
	}
	f.finish()
	f.NoRepeats()
	t.Logf("%d runs were reclaimed before they ended", all[0].Said("kind=reclaimed")+all[1].Said("kind=reclaimed"))
}
