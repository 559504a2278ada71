package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
)

// AuditQuery selects entries of the audit. The zero value selects all.
type AuditQuery struct {
	By     string    `json:"by,omitempty"`
	Target string    `json:"target,omitempty"` // a job, an instance, or the target of a cordon
	Act    string    `json:"act,omitempty"`
	Since  time.Time `json:"since,omitzero"`

	// Limit is the size of a page, 1 to MaxPage; zero means DefaultPage. Cursor
	// is the Cursor of the page before.
	Limit  int    `json:"limit,omitempty"`
	Cursor string `json:"cursor,omitempty"`
}

// AuditPage is a part of the entries that a query selects, the latest first.
type AuditPage struct {
	Entries []Receipt `json:"entries"`
	Total   int       `json:"total"`
	Cursor  string    `json:"cursor,omitempty"` // of the next page; empty: there is none

	// Unreadable is the number of entries that can't be read.
	Unreadable int `json:"unreadable,omitempty"`
}

// Audit returns what operators did. Entries are kept for a day, and the newest
// 1,000 for 90 days. Programs that change their own jobs write none: see
// Revisions. Audit sends one list.
func (c *Client) Audit(ctx context.Context, q AuditQuery) (AuditPage, error) {
	page, err := c.audit(ctx, q)
	if err != nil {
		return AuditPage{}, fmt.Errorf("read the audit: %w", err)
	}
	return page, nil
}

func (c *Client) audit(ctx context.Context, q AuditQuery) (AuditPage, error) {
	if q.Limit < 0 || q.Limit > MaxPage {
		return AuditPage{}, invalid("the limit must be 1 to %d, is %d", MaxPage, q.Limit)
	}
	if q.Cursor != "" {
		if _, err := opTime(q.Cursor); err != nil {
			return AuditPage{}, invalid("the cursor is not one that a page had; begin without one")
		}
	}
	read, err := c.lists(ctx, layout.Audits)
	if err != nil {
		return AuditPage{}, err
	}
	var page AuditPage
	for _, e := range slices.Backward(read[0]) { // their IDs are in the order of time
		id, ok := layout.AuditID(e.Key)
		if !ok {
			continue
		}
		a, err := layout.DecodeAudit(e.Value)
		if err != nil {
			page.Unreadable++
			continue
		}
		r := receiptOf(id, a)
		r.Applied = true
		if !q.selects(r) {
			continue
		}
		page.Total++
		switch {
		case q.Cursor != "" && id >= q.Cursor:
		case len(page.Entries) < cmp.Or(q.Limit, DefaultPage):
			page.Entries = append(page.Entries, r)
		case page.Cursor == "":
			page.Cursor = page.Entries[len(page.Entries)-1].ID
		}
	}
	return page, nil
}

func (q AuditQuery) selects(r Receipt) bool {
	return (q.By == "" || q.By == r.By) && (q.Target == "" || q.Target == r.Target) &&
		(q.Act == "" || q.Act == r.Act) && !r.At.Before(q.Since)
}
