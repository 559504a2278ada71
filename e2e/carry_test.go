package e2e

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/checker"
)

// The store is gone for so long that everybody's session is over. Nobody died, and so nothing is run again.
func TestRunsThatCarryOnOutliveAStoreThatIsGone(t *testing.T) {
	onEveryStore(t, runsThatCarryOnOutliveAStoreThatIsGone)
}

func runsThatCarryOnOutliveAStoreThatIsGone(t *testing.T, on kind) {
	s := settings{shards: 3, schedule: "0/20 * * * * ?", work: 12 * time.Second, ttl: 3 * time.Second, on: on}
	f := newFleet(t, s)
	f.args = append(f.args, "-carry-on", "2m")
	f.start("a")
	f.start("b")
	var cut []checker.Line
	for shard := range s.shards {
		cut = append(cut, f.awaitLine(0, fmt.Sprintf("the first start of shard %d", shard), func(l checker.Line) bool {
			return l.Event == "start" && l.Shard == shard
		}))
	}
	f.server.Kill()
	f.act(time.Now(), checker.Kill, nil)
	for _, w := range f.workers {
		f.await(w.name+" to have lost its session", func() bool { return w.said("msg=lost") > 0 })
	}
	f.server.Restart()
	f.act(time.Now(), checker.Start, nil)
	for _, l := range cut {
		f.await("the end of "+l.String(), func() bool { return f.ended(l) })
	}
	noRepeats(t, f.finish())
	t.Logf("%d runs were claimed anew before they ended", f.workers[0].said("msg=reclaimed")+f.workers[1].said("msg=reclaimed"))
}

// said returns how often something is in what the worker has said.
func (w *worker) said(what string) int {
	w.fleet.t.Helper()
	text, err := os.ReadFile(w.log)
	if err != nil {
		w.fleet.t.Fatal(err)
	}
	return bytes.Count(text, []byte(what))
}
