package layout

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic/failover"
)

// Limits of an entry of the audit.
const (
	maxChanges = 4 << 10 // bytes of the changes of an entry
	maxSaved   = 8 << 10 // bytes of a value that a repair replaced
)

// MaxAudit is how many bytes an entry takes at most. What is saved is stored as
// text in which each byte takes up to six.
const MaxAudit = 64 << 10

// Audit is the receipt of one act of an operator. The transaction that acts
// writes it, so its presence proves that the act was applied.
type Audit struct {
	Act     string  // such as "disable"
	Target  string  // a job, an instance, or the name in a cordon's key; empty: the namespace
	Changed Changed // by whom, when, by which way and why; Op names an act on many targets
	Rev     uint64  // of the job that the act wrote; zero: it wrote none
	Changes []Change
	Omitted int    // changes that found no room
	Saved   string // the value that a repair replaced
}

// Change is a field that an act changed.
type Change struct {
	Field string `json:"field"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
}

type auditDoc struct {
	V       int      `json:"v"`
	Act     string   `json:"act"`
	Target  string   `json:"target,omitempty"`
	Changed Changed  `json:"changed"`
	Rev     uint64   `json:"rev,omitempty"`
	Changes []Change `json:"changes,omitempty"`
	Omitted int      `json:"omitted,omitempty"`
	Saved   string   `json:"saved,omitempty"`
}

// Check returns an error unless the entry can be stored and read.
func (a Audit) Check() error {
	if err := CheckName(a.Act); err != nil {
		return fmt.Errorf("the act of an entry %w", err)
	}
	if len(a.Target) > MaxBy || !utf8.ValidString(a.Target) {
		return fmt.Errorf("the target of an entry must be text of at most %d bytes, has %d", MaxBy, len(a.Target))
	}
	if len(a.Saved) > maxSaved || !utf8.ValidString(a.Saved) {
		return fmt.Errorf(
			"the value that an entry saves must be text of at most %d bytes, has %d",
			maxSaved,
			len(a.Saved),
		)
	}
	if a.Rev > failover.MaxFence || a.Omitted < 0 {
		return errors.New("an entry with a number that is negative or too great")
	}
	return a.Changed.Check()
}

// Encode returns the document as it is stored. Of changes it takes as many as
// find room, in their order, and counts the others.
func (a Audit) Encode() []byte {
	d := auditDoc{version, a.Act, a.Target, a.Changed.clamped(), a.Rev, nil, a.Omitted, a.Saved}
	room := maxChanges
	for _, c := range a.Changes {
		if room -= len(encode(c)) + len(","); room < 0 {
			d.Omitted += len(a.Changes) - len(d.Changes)
			break
		}
		d.Changes = append(d.Changes, c)
	}
	return encode(d)
}

// DecodeAudit reads a stored entry. Fields that it does not know are a newer
// program's, and are ignored: an entry is never written again.
func DecodeAudit(b []byte) (Audit, error) {
	if len(b) > MaxAudit {
		return Audit{}, fmt.Errorf("not an entry of the audit: it has %d bytes, and may have %d", len(b), MaxAudit)
	}
	var d auditDoc
	if err := decode(b, "an entry of the audit", &d); err != nil {
		return Audit{}, err
	}
	if d.V != version {
		return Audit{}, wrongVersion("entry of the audit", d.V)
	}
	a := Audit{d.Act, d.Target, d.Changed, d.Rev, d.Changes, d.Omitted, d.Saved}
	if err := a.Check(); err != nil {
		return Audit{}, err
	}
	return a, nil
}

// AuditID returns the ID in the key of an entry, which is a UUID in lower case.
// Any other key is not an entry's, and false is returned.
func AuditID(key string) (id string, ok bool) {
	id, ok = NameOf(Audits, key)
	if !ok || len(id) != 36 {
		return "", false
	}
	for i, c := range []byte(id) {
		dash := slices.Contains([]int{8, 13, 18, 23}, i)
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdef", rune(c)) {
			return "", false
		}
	}
	return id, true
}
