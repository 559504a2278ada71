// Package admin reads and changes the jobs and instances of a namespace from
// outside: for commands, consoles and scripts.
//
//	a, err := admin.Open(ctx, "etcd://127.0.0.1:2379/reports", admin.As("li"))
//	…
//	defer a.Close(ctx)
//	page, err := a.Jobs(ctx, admin.JobQuery{})
//
// A program that takes part in a namespace does not need it: elastic.Scheduler
// answers and changes the same.
//
// # Reads
//
// A read asks the store when it is called, and keeps nothing. Each method
// documents how many requests it sends. The answers are types of package
// status, which are computed by the functions that decide for the instances:
// a fire that an answer calls late is one that an instance would begin.
//
// # Errors
//
// Errors read "verb object: cause". The exported errors of this package and of
// package store are causes: compare with [errors.Is].
package admin
