// Package admin reads and changes the jobs and instances of a namespace from
// outside: for commands, consoles and scripts.
//
//	a, err := admin.Open(ctx, "etcd://127.0.0.1:2379/reports", admin.As("li"))
//	…
//	defer a.Close(ctx)
//	page, err := a.Jobs(ctx, admin.JobQuery{})
//
// A program that takes part in a namespace does not need it: elastic.Scheduler
// answers the same questions.
//
// # Reads
//
// A read asks the store when it is called, and keeps nothing. Each method
// documents how many requests it sends. The answers are types of package
// status, which are computed by the functions that decide for the instances:
// a fire that an answer calls late is one that an instance would begin.
//
// # Acts
//
// An act reads what it depends on, checks it, and writes one transaction that
// compares what it has read. The transaction also creates an entry of the
// audit: by whom, when, why and what changed. So the entry is the receipt of
// the act: it exists if and only if the act was applied.
//
// If the answer of the store is lost, the act reads its entry, and so returns
// what is true. If that read fails as well, the error is store.ErrUnknown. An
// act with an [Op] can be repeated by any client: it is done once.
//
// If another writer was faster, an act whose wish does not depend on the change
// (all but Apply, Rollback, Restore and Repair) is tried again, five times at
// most. Others return [ErrChanged], and so does an act with [IfRevision].
//
// The clock of the client decides since when a schedule is in force. It is
// compared with those of the instances, and [ErrClock] refuses a wrong one.
//
// # Errors
//
// Errors read "verb object: cause". The exported errors of this package and of
// package store are causes: compare with [errors.Is].
package admin
