// Package health serves HTTP probes of a scheduler.
//
//	http.Handle("/health/", http.StripPrefix("/health", health.Handler(s)))
//
// The probes have the names that Kubernetes uses:
//
//	/livez     fails if the scheduler's loop has not turned for ten seconds
//	/readyz    fails if the instance takes no part in the jobs, and says why
//	/startupz  fails until the instance has joined for the first time
//
// Only the end of its loop is a reason to restart a process. It is never one
// that the store is down: the instance joins again by itself, and a restart
// would end runs that go on.
//
// A probe that succeeds has the status 200, one that fails 503. The body is
// JSON; with ?plain it is text for people. Probes read the memory of the
// process: they send no request to the store, wait for nothing, and show no
// secret.
package health

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/observe"
)

// MaxIdle is how long the loop of a scheduler may not have turned. It turns at
// least every five seconds.
const MaxIdle = 10 * time.Second

// Source is a scheduler, such as *elastic.Scheduler. Health returns at once.
type Source interface{ Health() observe.Health }

// Status is the result of a probe, as the JSON of its answer has it.
type Status struct {
	Probe    string   `json:"probe"` // "livez", "readyz" or "startupz"
	OK       bool     `json:"ok"`
	Instance string   `json:"instance,omitempty"` // empty without a session
	Reasons  []Reason `json:"reasons,omitempty"`  // why it fails
}

// Reason is one reason for which a probe fails.
type Reason struct {
	// Code is for programs. It keeps its meaning: not_started, ended,
	// loop_blocked, no_session, watch_stale, draining or clock_wrong.
	Code string `json:"code"`

	// Text is for people. Its wording can change in any version.
	Text string `json:"text"`
}

// Handler returns a handler that answers /livez, /readyz and /startupz. It can
// be used at any time, also before Run and after its end. It answers GET and
// HEAD.
func Handler(s Source) http.Handler {
	mux := http.NewServeMux()
	for name, probe := range map[string]func(observe.Health) []Reason{
		"livez":    live,
		"readyz":   ready,
		"startupz": startup,
	} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			h := look(s)
			reasons := probe(h)
			answer(w, r, Status{Probe: name, OK: len(reasons) == 0, Instance: h.Instance, Reasons: reasons})
		})
	}
	return mux
}

// look returns the state of a scheduler. Without one it is the state of one
// that has not run.
func look(s Source) observe.Health {
	if guard.IsNil(s) {
		return observe.Health{}
	}
	return s.Health()
}

// blocked returns the reason that the loop does not turn, or none.
func blocked(h observe.Health) []Reason {
	if h.Idle <= MaxIdle {
		return nil
	}
	return []Reason{{"loop_blocked", "the loop of the scheduler has not turned for " +
		h.Idle.Round(time.Second).String() + "; a function of the program or of a store may block it"}}
}

// live fails only if nothing but a restart would help.
func live(h observe.Health) []Reason { return blocked(h) }

// startup fails until the instance has joined.
func startup(h observe.Health) []Reason {
	if h.Started {
		return nil
	}
	return []Reason{{"not_started", "the instance has not joined yet"}}
}

// ready fails if the instance takes no part in the jobs.
func ready(h observe.Health) []Reason {
	if reasons := startup(h); reasons != nil {
		return reasons
	}
	if h.Ended {
		return []Reason{{"ended", "the scheduler has ended"}}
	}
	reasons := blocked(h)
	if !h.Held {
		reasons = append(reasons, Reason{"no_session", "the instance has no session with the store"})
	}
	if len(h.Stale) > 0 {
		reasons = append(reasons, Reason{"watch_stale", "no contact with the store for the watches of " +
			strings.Join(h.Stale, ", ")})
	}
	if h.Draining {
		reasons = append(reasons, Reason{"draining", "the instance leaves"})
	}
	if h.ClockOff {
		reasons = append(reasons, Reason{"clock_wrong", "the clock differs from most others', so nothing begins here"})
	}
	return reasons
}

// answer writes the result of a probe.
func answer(w http.ResponseWriter, r *http.Request, s Status) {
	code := http.StatusOK
	if !s.OK {
		code = http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.URL.Query().Has("plain") {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(code)
		_, _ = fmt.Fprint(w, s.text()) // a client that is gone needs no answer
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(s)
}

// text returns the result for people.
func (s Status) text() string {
	if s.OK {
		return "ok\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s fails\n", s.Probe)
	for _, r := range s.Reasons {
		fmt.Fprintf(&b, "%s: %s\n", r.Code, r.Text)
	}
	return b.String()
}
