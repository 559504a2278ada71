package admin

import (
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
)

// Receipt says what an act did. It is stored in the transaction of the act, so
// that it exists if and only if the act was applied.
type Receipt struct {
	// ID names the entry of the audit. It is empty if nothing was written.
	ID string `json:"id,omitempty"`

	Act    string    `json:"act"`
	Target string    `json:"target,omitempty"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Why    string    `json:"why,omitempty"`

	// Rev is the revision of the job that the act wrote; 0 if it wrote none.
	Rev uint64 `json:"rev,omitempty"`

	// Number is the number of a trigger or a cancel that was given.
	Number uint64 `json:"number,omitempty"`

	// Changes are the fields that the act changed, or would change.
	Changes []Change `json:"changes,omitempty"`

	// Consequences say in words what follows from a change, and Warnings what
	// may not be meant.
	Consequences []string `json:"consequences,omitempty"`
	Warnings     []string `json:"warnings,omitempty"`

	// Applied reports whether this call wrote something. It is false after a
	// dry run, if there was nothing to change, and if an earlier call of the
	// same op had done it: then Earlier is true.
	Applied bool `json:"applied"`
	Earlier bool `json:"earlier,omitempty"`

	// Differs reports whether there was something to change.
	Differs bool `json:"differs"`
}

// Change is a field that an act changed, with its values as text.
type Change struct {
	Field string `json:"field"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
}

// numberField is the field of an entry that holds the number of a trigger or a
// cancel.
const numberField = "number"

// receiptOf returns the receipt that an entry of the audit is.
func receiptOf(id string, a layout.Audit) Receipt {
	r := Receipt{
		ID:      id,
		Act:     a.Act,
		Target:  a.Target,
		By:      a.Changed.By,
		At:      a.Changed.At.UTC(),
		Why:     a.Changed.Why,
		Rev:     a.Rev,
		Differs: true,
	}
	for _, c := range a.Changes {
		if c.Field != numberField {
			r.Changes = append(r.Changes, Change(c))
		}
	}
	r.Number = numberIn(a.Changes)
	return r
}
