package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/history/internal/page"
)

// place is the position of a row in a list, as a cursor has it.
type place struct {
	at    time.Time
	ints  []int64
	texts []string
}

func (p place) cursor(query string) page.Cursor {
	return page.Cursor{Query: query, At: p.at.UnixMicro(), Ints: p.ints, Texts: p.texts}
}

// list returns a page of rows that are sorted, newest first. after reports
// whether a row comes after a cursor.
func list[T any](
	rows []T,
	limit int,
	query string,
	c *page.Cursor,
	of func(*T) place,
	after func(*T, *page.Cursor) bool,
) Page[T] {
	var p Page[T]
	for i := range rows {
		if c != nil && !after(&rows[i], c) {
			continue
		}
		if len(p.Items) == limit {
			p.Next = of(&p.Items[limit-1]).cursor(query).Encode()
			return p
		}
		p.Items = append(p.Items, rows[i])
	}
	return p
}

// gapsIn returns the gaps of a namespace that fall into the time of a page:
// from its last row to its first, and beyond where the list ends. The caller
// holds r.mu.
func (r *Ring) gapsIn(namespace string, oldest, newest time.Time) []Gap {
	var found []Gap
	for _, g := range r.gaps.all() {
		if g.Namespace == namespace && !g.To.Before(oldest) && (newest.IsZero() || !g.From.After(newest)) {
			found = append(found, g)
		}
	}
	return found
}

// Covered returns the time that a page is about, for the gaps of the page.
// first reports whether it is the first page; at returns the time of a row, by
// which the list is ordered. A zero time means that there is no bound. It is
// for readers.
func Covered[T any](p *Page[T], first bool, since, until time.Time, at func(*T) time.Time) (oldest, newest time.Time) {
	oldest, newest = since, until
	if len(p.Items) == 0 {
		return oldest, newest
	}
	if p.Next != "" {
		oldest = at(&p.Items[len(p.Items)-1])
	}
	if !first {
		newest = at(&p.Items[0])
	}
	return oldest, newest
}

// compareFires orders runs of a job: by fire, trigger, shard and fence, the
// greatest first.
func compareFires(a, b *Run) int {
	return cmp.Or(
		b.Fire.Compare(a.Fire),
		cmp.Compare(b.Trigger, a.Trigger),
		cmp.Compare(b.Shard, a.Shard),
		cmp.Compare(b.Fence, a.Fence),
	)
}

// compareEnds orders runs by their end, job, shard and fence, the greatest
// first.
func compareEnds(a, b *Run) int {
	return cmp.Or(
		b.Ended.Compare(a.Ended),
		strings.Compare(b.Job, a.Job),
		cmp.Compare(b.Shard, a.Shard),
		cmp.Compare(b.Fence, a.Fence),
	)
}

// Runs lists attempts.
func (r *Ring) Runs(_ context.Context, q RunQuery) (Page[Run], error) {
	if err := q.Check(); err != nil {
		return Page[Run]{}, fmt.Errorf("list runs: %w", err)
	}
	id := q.Fingerprint()
	c, err := page.Decode(q.Cursor, id, 3, 1)
	if err != nil {
		return Page[Run]{}, fmt.Errorf("list runs: %w: %w", ErrQuery, err)
	}
	at := func(run *Run) time.Time { return run.Ended }
	compare := compareEnds
	if q.Job != "" {
		at = func(run *Run) time.Time { return run.Fire }
		compare = compareFires
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var rows []Run
	for _, run := range r.runs.all() {
		if q.matches(&run, at(&run)) {
			rows = append(rows, run)
		}
	}
	slices.SortFunc(rows, func(a, b Run) int { return compare(&a, &b) })
	p := list(rows, q.Limit, id, c, func(run *Run) place {
		return placeOf(run, at(run))
	}, func(run *Run, c *page.Cursor) bool {
		last := runAt(c)
		return compare(run, &last) > 0
	})
	oldest, newest := Covered(&p, c == nil, q.Since, q.Until, at)
	p.Gaps = r.gapsIn(q.Namespace, oldest, newest)
	return p, nil
}

// Fingerprint identifies the query in its cursors.
func (q RunQuery) Fingerprint() string {
	q.Limit, q.Cursor = 0, ""
	return page.Fingerprint("runs", q)
}

func placeOf(run *Run, at time.Time) place {
	return place{at, []int64{int64(run.Trigger), int64(run.Shard), run.Fence}, []string{run.Job}}
}

// runAt returns a run at the place of a cursor.
func runAt(c *page.Cursor) Run {
	at := time.UnixMicro(c.At).UTC()
	return Run{
		RunKey:  RunKey{Job: c.Texts[0], Shard: int(c.Ints[1]), Fence: c.Ints[2]},
		Trigger: uint64(c.Ints[0]),
		Fire:    at,
		Ended:   at,
	}
}

// fireKey identifies a fire of a job.
type fireKey struct {
	at      int64
	trigger uint64
}

// fires returns the fires of a job, newest first. The caller holds r.mu.
func (r *Ring) fires(namespace, job string, since, until time.Time) []Fire {
	found := map[fireKey]*Fire{}
	for _, run := range r.runs.all() {
		if run.Namespace != namespace || run.Job != job || !within(run.Fire, since, until) {
			continue
		}
		key := fireKey{run.Fire.UnixMicro(), run.Trigger}
		f := found[key]
		if f == nil {
			f = &Fire{
				Namespace:  namespace,
				Job:        job,
				Fire:       run.Fire,
				Trigger:    run.Trigger,
				FirstStart: run.Started,
			}
			found[key] = f
		}
		f.Tally.Add(run.Result)
		f.Shards = max(f.Shards, run.Shards)
		if run.Started.Before(f.FirstStart) {
			f.FirstStart = run.Started
		}
		if run.Ended.After(f.LastEnd) {
			f.LastEnd = run.Ended
		}
	}
	fires := make([]Fire, 0, len(found))
	for _, f := range found {
		fires = append(fires, *f)
	}
	slices.SortFunc(fires, compareFireRows)
	return fires
}

func compareFireRows(a, b Fire) int {
	return cmp.Or(b.Fire.Compare(a.Fire), cmp.Compare(b.Trigger, a.Trigger))
}

// Fires lists the fires of a job.
func (r *Ring) Fires(_ context.Context, q FireQuery) (Page[Fire], error) {
	if err := q.Check(); err != nil {
		return Page[Fire]{}, fmt.Errorf("list fires: %w", err)
	}
	id := page.Fingerprint("fires", q.Namespace, q.Job, q.Since, q.Until)
	c, err := page.Decode(q.Cursor, id, 1, 0)
	if err != nil {
		return Page[Fire]{}, fmt.Errorf("list fires: %w: %w", ErrQuery, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	rows := r.fires(q.Namespace, q.Job, q.Since, q.Until)
	p := list(rows, q.Limit, id, c, func(f *Fire) place {
		return place{f.Fire, []int64{int64(f.Trigger)}, nil}
	}, func(f *Fire, c *page.Cursor) bool {
		return compareFireRows(*f, Fire{Fire: time.UnixMicro(c.At), Trigger: uint64(c.Ints[0])}) > 0
	})
	oldest, newest := Covered(&p, c == nil, q.Since, q.Until, func(f *Fire) time.Time { return f.Fire })
	p.Gaps = r.gapsIn(q.Namespace, oldest, newest)
	return p, nil
}

// Missed lists fires that were not run.
func (r *Ring) Missed(_ context.Context, q MissedQuery) (Page[Missed], error) {
	if err := q.Check(); err != nil {
		return Page[Missed]{}, fmt.Errorf("list missed fires: %w", err)
	}
	id := page.Fingerprint("missed", q.Namespace, q.Job, q.Since, q.Until)
	c, err := page.Decode(q.Cursor, id, 1, 1)
	if err != nil {
		return Page[Missed]{}, fmt.Errorf("list missed fires: %w: %w", ErrQuery, err)
	}
	compare := func(a, b Missed) int {
		return cmp.Or(b.First.Compare(a.First), strings.Compare(b.Job, a.Job), cmp.Compare(b.Shard, a.Shard))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	rows := slices.DeleteFunc(r.miss.all(), func(m Missed) bool {
		return m.Namespace != q.Namespace || q.Job != "" && m.Job != q.Job || !within(m.First, q.Since, q.Until)
	})
	slices.SortFunc(rows, compare)
	p := list(rows, q.Limit, id, c, func(m *Missed) place {
		return place{m.First, []int64{int64(m.Shard)}, []string{m.Job}}
	}, func(m *Missed, c *page.Cursor) bool {
		return compare(*m, Missed{First: time.UnixMicro(c.At), Job: c.Texts[0], Shard: int(c.Ints[0])}) > 0
	})
	oldest, newest := Covered(&p, c == nil, q.Since, q.Until, func(m *Missed) time.Time { return m.First })
	p.Gaps = r.gapsIn(q.Namespace, oldest, newest)
	return p, nil
}

// Events lists events of instances.
func (r *Ring) Events(_ context.Context, q EventQuery) (Page[Event], error) {
	if err := q.Check(); err != nil {
		return Page[Event]{}, fmt.Errorf("list events: %w", err)
	}
	id := page.Fingerprint("events", q.Namespace, q.Instance, q.Kinds, q.Since, q.Until)
	c, err := page.Decode(q.Cursor, id, 1, 1)
	if err != nil {
		return Page[Event]{}, fmt.Errorf("list events: %w: %w", ErrQuery, err)
	}
	compare := func(a, b Event) int {
		return cmp.Or(b.At.Compare(a.At), strings.Compare(b.Instance, a.Instance), cmp.Compare(b.Seq, a.Seq))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	rows := slices.DeleteFunc(r.evts.all(), func(e Event) bool {
		return e.Namespace != q.Namespace || q.Instance != "" && e.Instance != q.Instance ||
			len(q.Kinds) > 0 && !slices.Contains(q.Kinds, e.Kind) || !within(e.At, q.Since, q.Until)
	})
	slices.SortFunc(rows, compare)
	p := list(rows, q.Limit, id, c, func(e *Event) place {
		return place{e.At, []int64{int64(e.Seq)}, []string{e.Instance}}
	}, func(e *Event, c *page.Cursor) bool {
		return compare(*e, Event{At: time.UnixMicro(c.At), Instance: c.Texts[0], Seq: uint64(c.Ints[0])}) > 0
	})
	oldest, newest := Covered(&p, c == nil, q.Since, q.Until, func(e *Event) time.Time { return e.At })
	p.Gaps = r.gapsIn(q.Namespace, oldest, newest)
	return p, nil
}

// Audit lists changes that operators made.
func (r *Ring) Audit(_ context.Context, q AuditQuery) (Page[Audit], error) {
	if err := q.Check(); err != nil {
		return Page[Audit]{}, fmt.Errorf("list the audit: %w", err)
	}
	id := page.Fingerprint("audit", q.Namespace, q.Target, q.Since, q.Until)
	c, err := page.Decode(q.Cursor, id, 0, 1)
	if err != nil {
		return Page[Audit]{}, fmt.Errorf("list the audit: %w: %w", ErrQuery, err)
	}
	compare := func(a, b Audit) int { return cmp.Or(b.At.Compare(a.At), strings.Compare(b.ID, a.ID)) }
	r.mu.Lock()
	defer r.mu.Unlock()
	rows := slices.DeleteFunc(r.auds.all(), func(a Audit) bool {
		return a.Namespace != q.Namespace || q.Target != "" && a.Target != q.Target || !within(a.At, q.Since, q.Until)
	})
	slices.SortFunc(rows, compare)
	p := list(rows, q.Limit, id, c, func(a *Audit) place {
		return place{a.At, nil, []string{a.ID}}
	}, func(a *Audit, c *page.Cursor) bool {
		return compare(*a, Audit{At: time.UnixMicro(c.At), ID: c.Texts[0]}) > 0
	})
	oldest, newest := Covered(&p, c == nil, q.Since, q.Until, func(a *Audit) time.Time { return a.At })
	p.Gaps = r.gapsIn(q.Namespace, oldest, newest)
	return p, nil
}

// Log returns the log of an attempt.
func (r *Ring) Log(_ context.Context, key RunKey) (Log, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.logs.all() {
		if l.RunKey == key {
			l.Gzip = slices.Clone(l.Gzip)
			return l, nil
		}
	}
	return Log{}, fmt.Errorf("read the log of %s: %w", key, ErrNotFound)
}

// Histogram counts the attempts of a job.
func (r *Ring) Histogram(_ context.Context, q HistogramQuery) ([]Bucket, error) {
	if err := q.Check(); err != nil {
		return nil, fmt.Errorf("count runs: %w", err)
	}
	r.mu.Lock()
	fires := r.fires(q.Namespace, q.Job, q.Since, q.Until)
	r.mu.Unlock()
	var buckets []Bucket
	for _, f := range slices.Backward(fires) {
		start := q.Since.Add(f.Fire.Sub(q.Since) / q.Width() * q.Width())
		last := len(buckets) - 1
		if last < 0 || !buckets[last].Start.Equal(start) {
			buckets = append(buckets, Bucket{Start: start, End: start.Add(q.Width())})
			last++
		}
		b := &buckets[last].Tally
		b.OK += f.OK
		b.Failed += f.Failed
		b.Skipped += f.Skipped
		b.Lost += f.Lost
		b.Other += f.Other
	}
	return buckets, nil
}
