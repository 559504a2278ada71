package layout

import "strconv"

// keptRevisions is how many replaced revisions of a job are kept.
const keptRevisions = 8

// RevisionKey is the key of a revision of a job that was replaced. Each of the
// last eight has a key of its own; then the oldest gives way. The value is the
// document of the job as it was replaced, written by the transaction that
// replaces it: a job that never changed has none.
func RevisionKey(job string, rev uint64) string {
	return RevisionsOf(job) + "/" + strconv.FormatUint(rev%keptRevisions, 10)
}

// Replaced returns the key of the revision that a write over j must keep, the
// value for it, and whether an older revision has that key already.
func (j Job) Replaced(job string) (key string, value []byte, exists bool) {
	return RevisionKey(job, j.Rev), j.Encode(), j.Rev > keptRevisions
}
