package zookeeper

import (
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// A renewal counts when the leader must have heard of it, and that is not at
// once.
func TestDeadlineRestsOnARenewalThatTheLeaderHasHeardOf(t *testing.T) {
	l := &link{}
	l.granted.Store(int64(12 * time.Second)) // heard of after 3 s
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	w := &wire{link: l, answered: []time.Time{at(0)}} // the handshake
	for _, c := range []struct{ ping, want int }{{1, 0}, {2, 0}, {3, 0}, {4, 1}, {5, 2}, {6, 3}, {20, 6}, {21, 6}, {23, 20}} {
		storetest.Equal(t, "after a ping", w.extend(at(c.ping)).Sub(start), time.Duration(c.want)*time.Second)
	}
}

func TestSessionKnowsOfItsEndBeforeOthersDo(t *testing.T) {
	t.Parallel()
	storetest.SessionKnowsOfItsEndBeforeOthersDo(t, backend(server(t)))
}

func TestSessionThatBeganSlowlyIsRenewedInTime(t *testing.T) {
	t.Parallel()
	storetest.SessionThatBeganSlowlyIsRenewedInTime(t, backend(server(t)))
}

// A connection that has gone silent is replaced before the session ends.
func TestSession_SilentConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	storetest.SilentConnectionIsReplacedBeforeItCostsTheSession(t, backend(server(t)))
}

func TestServerThatSwallowsEverythingIsLeftForAnother(t *testing.T) {
	t.Parallel()
	storetest.ServerThatSwallowsEverythingIsLeftForAnother(t, backend(server(t)))
}
