package admin

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/internal/fleet"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/status"
)

// JobQuery selects jobs. The zero value selects all.
type JobQuery struct {
	// Text has words that must all occur, in any case, in the name, the
	// description, the schedule or its words.
	Text string `json:"text,omitempty"`

	// States are the states to select; none means all. With states, the records
	// of all jobs that the rest selects are read, not of one page.
	States []status.JobState `json:"states,omitempty"`

	// Instance selects jobs of which this instance owns a shard: an ID, or a
	// name for all instances of that name.
	Instance string `json:"instance,omitempty"`

	// Requires selects jobs that require these labels of instances.
	Requires map[string]string `json:"requires,omitempty"`

	// Sort is the order; empty means by name. Jobs that are equal in it are
	// sorted by name. Sorting by last or state reads the records of all jobs.
	Sort JobSort `json:"sort,omitempty"`

	// Limit is the size of a page, 1 to MaxPage; zero means DefaultPage.
	Limit int `json:"limit,omitempty"`

	// Cursor is the Cursor of the page before; empty means the first page. A
	// page begins after the last job of the page before, whatever was added or
	// removed in between. It is valid for the same query only.
	Cursor string `json:"cursor,omitempty"`
}

// JobSort is an order of jobs.
type JobSort string

// The orders.
const (
	SortName  JobSort = "name"
	SortNext  JobSort = "next"  // the next fire, the soonest first; those without one last
	SortLast  JobSort = "last"  // the last fire, the latest first
	SortState JobSort = "state" // the most urgent first
)

// The sizes of a page.
const (
	DefaultPage = 200
	MaxPage     = 500
)

// JobPage is a part of the jobs that a query selects.
type JobPage struct {
	Jobs   []status.Job `json:"jobs"`
	Total  int          `json:"total"`            // of all pages
	Cursor string       `json:"cursor,omitempty"` // of the next page; empty: there is none
	AsOf   time.Time    `json:"asOf"`

	// Unread is how many jobs have more shards than one call reads. The figures
	// about their runs are zero.
	Unread int `json:"unread,omitempty"`
}

// Jobs returns a page of the jobs that q selects. It sends six lists, and one
// more for each job whose records it needs: those of the page, or all that are
// selected if q has states or sorts by figures of runs.
func (c *Client) Jobs(ctx context.Context, q JobQuery) (JobPage, error) {
	page, err := c.jobs(ctx, q)
	if err != nil {
		return JobPage{}, fmt.Errorf("read the jobs: %w", err)
	}
	return page, nil
}

func (c *Client) jobs(ctx context.Context, q JobQuery) (JobPage, error) {
	after, err := q.check()
	if err != nil {
		return JobPage{}, err
	}
	v, err := c.fleet(ctx)
	if err != nil {
		return JobPage{}, err
	}
	page := JobPage{AsOf: c.now().UTC()}
	selected := slices.DeleteFunc(v.jobs, func(j *fleet.Job) bool { return !q.selects(j) })
	needsRecords := len(q.States) > 0 || q.Sort == SortLast || q.Sort == SortState
	if needsRecords {
		page.Unread, err = c.readRecords(ctx, selected)
		if err != nil {
			return JobPage{}, err
		}
	}
	type row struct {
		job    *fleet.Job
		status status.Job
		place  place
	}
	rows := make([]row, 0, len(selected))
	for _, j := range selected {
		s := v.Status(j, page.AsOf)
		if q.matches(s) {
			rows = append(rows, row{j, s, place{q.key(s), j.Name}})
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return a.place.compare(b.place) })
	page.Total = len(rows)
	begin := 0
	if q.Cursor != "" {
		begin, _ = slices.BinarySearchFunc(rows, after, func(r row, p place) int {
			return cmp.Or(r.place.compare(p), -1) // the last of the page before is not shown again
		})
	}
	end := min(begin+cmp.Or(q.Limit, DefaultPage), len(rows))
	shown := rows[begin:end]
	if !needsRecords {
		jobs := make([]*fleet.Job, len(shown))
		for i, r := range shown {
			jobs[i] = r.job
		}
		page.Unread, err = c.readRecords(ctx, jobs)
		if err != nil {
			return JobPage{}, err
		}
	}
	page.Jobs = make([]status.Job, len(shown))
	for i, r := range shown {
		page.Jobs[i] = v.Status(r.job, page.AsOf)
	}
	if end < len(rows) {
		page.Cursor = rows[end-1].place.cursor()
	}
	return page, nil
}

// check refuses a query that is not valid, and returns where its page begins.
func (q JobQuery) check() (after place, err error) {
	for _, s := range q.States {
		if !slices.Contains(urgency, s) {
			return after, invalid("the state must be one of %v, is %.40q", urgency, s)
		}
	}
	switch q.Sort {
	case "", SortName, SortNext, SortLast, SortState:
	default:
		return after, invalid("the sort must be name, next, last or state, is %.40q", q.Sort)
	}
	if q.Limit < 0 || q.Limit > MaxPage {
		return after, invalid("the limit must be 1 to %d, is %d", MaxPage, q.Limit)
	}
	if q.Cursor == "" {
		return after, nil
	}
	return placeOf(q.Cursor)
}

// selects reports whether q selects a job by its documents.
func (q JobQuery) selects(j *fleet.Job) bool {
	if q.Instance != "" && (j.Assignment == nil || !slices.ContainsFunc(j.Assignment.Owners, func(id string) bool {
		return id == q.Instance || layout.InstanceName(id) == q.Instance
	})) {
		return false
	}
	for name, value := range q.Requires {
		if j.Spec == nil || j.Spec.Requires[name] != value {
			return false
		}
	}
	return true
}

// matches reports whether q selects a job by its status.
func (q JobQuery) matches(s status.Job) bool {
	text := strings.Join([]string{s.Name, s.Description, s.Schedule, s.Words}, " ")
	return matches(text, q.Text) && (len(q.States) == 0 || slices.Contains(q.States, s.State))
}

// urgency is the order of the states.
var urgency = []status.JobState{
	status.JobUnreadable,
	status.JobStuck,
	status.JobUnowned,
	status.JobLate,
	status.JobFailed,
	status.JobRunning,
	status.JobIdle,
	status.JobDisabled,
	status.JobRemoved,
}

// place is where a job is in the order of a query.
type place struct {
	Key  string `json:"k,omitempty"`
	Name string `json:"n"`
}

func (p place) compare(o place) int {
	return cmp.Or(strings.Compare(p.Key, o.Key), strings.Compare(p.Name, o.Name))
}

// sortable is a form of times in which texts are in the order of time.
const sortable = "2006-01-02T15:04:05.000000000Z"

// key returns the text by which q sorts a job.
func (q JobQuery) key(s status.Job) string {
	switch q.Sort {
	case SortNext:
		if s.Next.IsZero() {
			return "~"
		}
		return s.Next.UTC().Format(sortable)
	case SortLast:
		if s.Last.IsZero() {
			return "~"
		}
		return fmt.Sprintf("%020d", ^uint64(0)>>1-uint64(max(s.Last.UnixNano(), 0)))
	case SortState:
		return fmt.Sprintf("%02d", slices.Index(urgency, s.State))
	}
	return ""
}

// cursor returns the place as a text for callers.
func (p place) cursor() string {
	text, _ := json.Marshal(p) // two texts
	return base64.RawURLEncoding.EncodeToString(text)
}

func placeOf(cursor string) (place, error) {
	var p place
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return p, invalid("the cursor is not one that a page had; begin without one")
	}
	return p, nil
}
