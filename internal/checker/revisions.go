package checker

import (
	"bytes"

	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

// revision checks a write of a job by an instance against the document before
// it: instances create jobs and replace specs, one revision after the other,
// and the transaction that replaces a revision keeps it. Only a call of its
// program makes an instance remove a job, and then the change has a name.
func (a *Audit) revision(job string, old *layout.Job, next layout.Job, op store.Op) {
	if a.byOperator() {
		return
	}
	switch {
	case next.State != layout.JobPresent && (next.State != layout.JobRemoved || next.Changed.Op == ""):
		a.breach(8, job, -1, "an instance removed the job by itself, or moved it")
	case op.Kind == store.OpCreate && next.Rev != 1:
		a.breach(8, job, -1, "created as revision %d", next.Rev)
	case op.Kind == store.OpCreate:
	case old == nil || old.State != layout.JobPresent:
		a.breach(8, job, -1, "an instance replaced a job that is not here, or can't be read: %+v", old)
	case next.Rev != old.Rev+1:
		a.breach(8, job, -1, "revision %d after %d", next.Rev, old.Rev)
	case !a.guarded(op.Key, true):
		a.breach(8, job, -1, "replaced without a look at the revision before it")
	case !a.keeps(job, *old):
		a.breach(8, job, -1, "revision %d was replaced and not kept", old.Rev)
	}
}

// keeps reports whether the commit writes down the revision that it replaces.
func (a *Audit) keeps(job string, old layout.Job) bool {
	key, value, _ := old.Replaced(job)
	for _, op := range a.now.Do {
		if op.Key == key && op.Kind != store.OpDelete && bytes.Equal(op.Value, value) {
			return true
		}
	}
	return false
}

// below checks a write below the name of a job: it compares the version of the
// job, so that nothing is left below one that was removed. The ends of runs do
// not, and what a claim compares is checked elsewhere.
func (a *Audit) below(op store.Op) {
	job, _ := layout.JobOf(op.Key)
	switch layout.Prefix(op.Key) {
	case layout.Signals, layout.Revisions:
	default:
		return
	}
	if !a.byOperator() && !a.guarded(layout.JobKey(job), true) {
		a.breach(8, job, -1, "%s was written without a guard on the job", op.Key)
	}
}
