// Package jobs is empty. The packages below it have handlers: dataflow fetches
// and processes items until none is left, script runs a program, httpcall calls
// a URL. docs/guide/kinds.md describes their settings.
package jobs
