// Package adminhttp serves package admin over HTTP, and has a client for it.
//
//	a, err := admin.Open(ctx, "etcd://127.0.0.1:2379/reports")
//	…
//	h, err := adminhttp.New(adminhttp.Options{
//		Admin:    a,
//		Identify: tokens.Identify,
//	})
//	…
//	http.ListenAndServe("127.0.0.1:7080", h)
//
// All routes lie below /api/v1. /api/v1/openapi.json describes them. Answers
// are the types of packages admin and status as JSON. Errors are problem
// details of RFC 9457.
//
// # Acts
//
// The options of an act are query parameters: why, dryRun, force, fleetClock.
// If-Match holds the revision that the caller has seen, in quotes as ETag gives
// it. Idempotency-Key holds the act's op: a request with the same key is done
// once.
//
// # Roles
//
// A caller has one of three roles: read, operate or admin. Identify says who
// sends a request. [Tokens] reads bearer tokens from a file. [Listen] refuses
// an address that other machines reach if there is no Identify.
package adminhttp
