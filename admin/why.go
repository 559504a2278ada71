package admin

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/fleet"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/status"
)

// WhyQuery asks why something runs where it does, or does not run: a job, a
// shard of it, a fire, or an instance.
type WhyQuery struct {
	Job   string `json:"job,omitempty"`
	Shard int    `json:"shard"` // AllShards, or a number

	// Fire is a scheduled time that the question is about.
	Fire time.Time `json:"fire,omitzero"`

	// Instance is an ID; then the other fields must be empty.
	Instance string `json:"instance,omitempty"`
}

// AllShards is the Shard of a question about a whole job.
const AllShards = -1

// Answer says why. It is computed by the functions that decide for the
// instances, from what the store holds: nothing is guessed. Only an instance
// itself knows of its limits and whether its process is stopped.
type Answer struct {
	// Summary is the answer in a sentence or two.
	Summary string `json:"summary"`

	// Fine reports whether nothing is wrong.
	Fine bool `json:"fine"`

	// Reason is the reason of a shard, of the job, or of the instance.
	Reason status.Reason `json:"reason"`

	// Details are what the answer rests on, each with a heading such as
	// "where", "run" or "next".
	Details []Detail `json:"details,omitempty"`

	// Basis names the documents that were read, with their versions.
	Basis []string  `json:"basis"`
	AsOf  time.Time `json:"asOf"`
}

// Detail is a part of an answer.
type Detail struct {
	Head string `json:"head"`
	Text string `json:"text"`
}

// Why answers a question. It sends three gets and three lists about a job, and
// seven lists and one for each job of the instance about an instance.
func (c *Client) Why(ctx context.Context, q WhyQuery) (Answer, error) {
	a, err := c.why(ctx, q)
	if err != nil {
		return Answer{}, fmt.Errorf("say why: %w", err)
	}
	return a, nil
}

func (c *Client) why(ctx context.Context, q WhyQuery) (Answer, error) {
	switch {
	case (q.Job == "") == (q.Instance == ""):
		return Answer{}, invalid("ask about either a job or an instance")
	case q.Instance != "":
		return c.whyInstance(ctx, q.Instance)
	}
	j, ns, err := c.job(ctx, q.Job)
	if err != nil {
		return Answer{}, err
	}
	if q.Shard < AllShards || q.Shard >= max(j.Shards(), 1) {
		return Answer{}, invalid("the shard must be 0 to %d, is %d", j.Shards()-1, q.Shard)
	}
	w := &why{fleetView: fleetView{Namespace: ns}, job: j, now: c.now()}
	switch {
	case !q.Fire.IsZero() && j.Spec != nil && j.Err == nil:
		w.fire(q.Fire, q.Shard)
	case q.Shard == AllShards || j.Spec == nil || j.Err != nil:
		w.all()
	default:
		w.shard(q.Shard)
	}
	w.basis(q.Shard)
	return w.Answer, nil
}

// why makes an answer about a job.
type why struct {
	Answer
	fleetView
	job *fleet.Job
	now time.Time
}

func (w *why) detail(head, format string, a ...any) {
	w.Details = append(w.Details, Detail{head, fmt.Sprintf(format, a...)})
}

// all answers about a whole job.
func (w *why) all() {
	s := w.Status(w.job, w.now)
	w.Reason = s.Reason
	switch s.State {
	case status.JobIdle, status.JobRunning, status.JobDisabled:
		w.Fine = true
	}
	w.Summary = fmt.Sprintf("%s is %s: %s.", s.Name, s.State, s.Reason.Text)
	counts := map[string][]int{}
	var order []string
	for _, shard := range w.Shards(w.job, w.now) {
		key := fmt.Sprintf("%s: %s", shard.State, shard.Reason.Text)
		if counts[key] == nil {
			order = append(order, key)
		}
		counts[key] = append(counts[key], shard.Shard)
	}
	for _, key := range order {
		w.detail("shard "+FormatShards(counts[key]), "%s", key)
	}
	w.places()
	w.next(s.Due, s.Next)
}

// places says which instances may not own shards of the job.
func (w *why) places() {
	var not []string
	may := 0
	for _, p := range w.Place(w.job) {
		if p.May {
			may++
			continue
		}
		not = append(not, fmt.Sprintf("%s: %s", layout.InstanceName(p.ID), p.Text))
	}
	text := fleet.Counted(may, "instance") + " may own its shards"
	const most = 8
	if len(not) > 0 {
		text += "; not " + strings.Join(not[:min(len(not), most)], ", not ")
	}
	if len(not) > most {
		text += fmt.Sprintf(", and %d more", len(not)-most)
	}
	w.detail("where", "%s", text)
}

func (w *why) next(due, next time.Time) {
	switch {
	case !due.IsZero():
		w.detail("next", "the fire of %s is due since %s", stamp(due), w.now.Sub(due).Round(time.Second))
	case !next.IsZero():
		w.detail("next", "%s, in %s", stamp(next), next.Sub(w.now).Round(time.Second))
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// shard answers about one shard.
func (w *why) shard(i int) {
	s := w.Shard(w.job, i, w.now)
	w.Reason = s.Reason
	name := fmt.Sprintf("%s/%d", s.Job, s.Shard)
	switch s.State {
	case status.ShardRunning:
		w.Fine = true
		w.Summary = fmt.Sprintf("%s runs on %s since %s (attempt %d, fence %d): %s.", name, s.RunsOn,
			w.now.Sub(s.Started).Round(time.Second), s.Attempt, s.Fence, s.Reason.Text)
		if s.RunsOn == "" {
			w.Summary = fmt.Sprintf("%s was handed over, and its owner takes it over.", name)
		}
	case status.ShardIdle, status.ShardDisabled:
		w.Fine = true
		w.Summary = fmt.Sprintf("%s is %s: %s.", name, s.State, s.Reason.Text)
	default:
		w.Summary = fmt.Sprintf("%s is %s: %s.", name, s.State, s.Reason.Text)
	}
	w.detail("where", "%s", w.WhereWords(w.job, i))
	w.places()
	w.run(s)
	w.next(s.Due, s.Next)
}

// run tells the run in progress, or the last one.
func (w *why) run(s status.Shard) {
	if s.Fire.IsZero() {
		w.detail("run", "the shard has never run")
		return
	}
	what := "fire " + stamp(s.Fire)
	if s.Trigger != 0 {
		what = fmt.Sprintf("trigger %d of %s", s.Trigger, stamp(s.Fire))
	}
	what += fmt.Sprintf(", begun %s, attempt %d", stamp(s.Started), s.Attempt)
	if s.Result != "" {
		what += fmt.Sprintf(", %s after %s", s.Result, s.Ended.Sub(s.Started).Round(time.Millisecond))
	}
	if s.Error != "" {
		what += ": " + s.Error
	}
	w.detail("run", "%s", what)
}

// missedWords says why fires are missed.
var missedWords = map[failover.Code]string{
	failover.CodeMissedTooLate:    "it is older than the misfire window of the job",
	failover.CodeMissedSuperseded: "a later fire stands for it, as the misfire policy says",
	failover.CodeMissedOverlap:    "it came while the shard ran, and overlap is skip",
	failover.CodeMissedJobChanged: "the job changed before it began",
	failover.CodeMissedCancelled:  "it was cancelled, or one after it",
	failover.CodeMissedClock:      "a wrong clock wrote the time after which fires count",
}

// fire answers about a fire, on one shard or all.
func (w *why) fire(fire time.Time, shard int) {
	j := w.job
	schedule, err := j.Spec.Times()
	if err != nil || !schedule.Next(fire.Add(-1)).Equal(fire) {
		w.Summary = fmt.Sprintf("%s has no fire at %s.", j.Name, stamp(fire))
		w.Reason = status.Reason{Code: "no_such_fire", Text: "the schedule has no fire at that time"}
		if err == nil {
			if next := schedule.Next(fire); !next.IsZero() {
				w.detail("next", "the first fire after it is %s", stamp(next))
			}
		}
		return
	}
	if fire.After(w.now) {
		w.Fine = true
		w.Summary = fmt.Sprintf(
			"The fire of %s is in the future, in %s.",
			stamp(fire),
			fire.Sub(w.now).Round(time.Second),
		)
		w.Reason = status.Reason{Code: string(failover.CodeNoFireDue), Text: "it is in the future"}
		return
	}
	w.Fine = true
	groups := map[string][]int{}
	var order []string
	for i := range j.Shards() {
		if shard != AllShards && shard != i {
			continue
		}
		fine, why := w.fireOn(fire, i)
		w.Fine = w.Fine && fine
		if groups[why.Text] == nil {
			order = append(order, why.Text)
		}
		groups[why.Text] = append(groups[why.Text], i)
		if w.Reason.Code == "" || !fine {
			w.Reason = why
		}
	}
	for _, text := range order {
		w.detail("shard "+FormatShards(groups[text]), "%s", text)
	}
	w.Summary = fmt.Sprintf("The fire of %s: %s.", stamp(fire), w.Reason.Text)
}

// fireOn says what became of a fire on a shard.
func (w *why) fireOn(fire time.Time, i int) (fine bool, _ status.Reason) {
	j := w.job
	s := w.Shard(j, i, w.now)
	r := j.Records[i]
	p, v := j.Policy(i), w.View(j, i, w.now)
	base := p.Base(failover.View{Record: failover.Record{Fence: 1, Fire: time.Unix(0, 1)}, Now: w.now})
	switch {
	case r.Err != nil:
		return false, s.Reason
	case !r.IsManual() && r.Fire.Equal(fire) && r.State == failover.StateRunning:
		return true, status.Reason{Code: string(failover.CodeHandlerRuns), Text: "it runs on " + s.RunsOn}
	case !r.IsManual() && r.Fire.Equal(fire):
		text := fmt.Sprintf("it ran: %s after %s", s.Result, s.Ended.Sub(s.Started).Round(time.Millisecond))
		return s.Result == string(failover.ResultSucceeded) || s.Result == string(failover.ResultSkipped),
			status.Reason{Code: "ran", Args: map[string]string{"result": s.Result}, Text: text}
	case r.Fire.Equal(fire):
		return true, status.Reason{Code: "ran", Text: "it began; the record has a later trigger"}
	case r.Fire.After(fire):
		return true, status.Reason{
			Code: "later_fire",
			Args: map[string]string{"fire": stamp(r.Fire)},
			Text: "the record has a later fire, " + stamp(r.Fire) + "; whether this one ran, the history says",
		}
	case !fire.After(base):
		return true, status.Reason{
			Code: "before_since",
			Args: map[string]string{"since": stamp(base)},
			Text: "fires of the shard count from " + stamp(base) + ", when the job was made, changed or enabled",
		}
	}
	d := failover.Decide(p, v)
	if !d.Missed.IsZero() && !fire.Before(d.Missed) && fire.Before(d.MissedBefore) {
		return false, status.Reason{
			Code: string(d.MissedCode),
			Text: "it did not run, and will not: " + missedWords[d.MissedCode],
		}
	}
	return s.State != status.ShardLate && s.State != status.ShardStuck && s.State != status.ShardUnowned,
		status.Reason{Code: s.Reason.Code, Args: s.Reason.Args, Text: "it is due and has not begun: " + s.Reason.Text}
}

// basis names what was read.
func (w *why) basis(shard int) {
	j := w.job
	if j.Doc != nil {
		w.Basis = append(w.Basis, fmt.Sprintf("%s rev %d", layout.JobKey(j.Name), j.Doc.Rev))
	}
	if j.Assignment != nil {
		w.Basis = append(w.Basis, fmt.Sprintf("%s epoch %d", layout.AssignmentKey(j.Name), j.Assignment.Epoch))
	}
	if r, ok := j.Records[shard]; ok {
		w.Basis = append(w.Basis, fmt.Sprintf("%s version %d", layout.RunKey(j.Name, shard), r.Version))
	}
	w.AsOf = w.now.UTC()
}

// whyInstance answers about an instance.
func (c *Client) whyInstance(ctx context.Context, id string) (Answer, error) {
	d, err := c.instance(ctx, id)
	if err != nil {
		return Answer{}, err
	}
	cordons, err := c.Cordons(ctx)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{
		Reason: d.Reason,
		Fine:   d.State == status.InstanceUp,
		AsOf:   c.now().UTC(),
		Basis:  []string{layout.InstanceKey(id)},
	}
	runs := 0
	for _, s := range d.Shards {
		if s.RunsOn == id {
			runs++
		}
	}
	a.Summary = fmt.Sprintf("%s is %s. It owns %s and runs %d.", id, d.State, fleet.Counted(d.Owned, "shard"), runs)
	if d.Reason.Text != "" {
		a.Details = append(a.Details, Detail{"state", d.Reason.Text})
	}
	a.Details = append(a.Details, Detail{"jobs", fmt.Sprintf("it has %s", fleet.Counted(d.Jobs, "job"))})
	for _, o := range cordons {
		_, host := cordonOf(o.Target)
		if o.Target == id || o.Target == d.Name || o.Target == layout.Namespace ||
			o.Target == hostPrefix+d.Host && host == d.Host {
			a.Fine = false
			text := fmt.Sprintf("%s of %s by %s since %s", o.Action, o.Target, o.Changed.By, stamp(o.Changed.At))
			if o.Changed.Why != "" {
				text += ": " + o.Changed.Why
			}
			a.Details = append(a.Details, Detail{"cordon", text})
		}
	}
	return a, nil
}
