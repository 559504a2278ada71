// Package jobs holds nothing itself. Handlers that are ready to use are in the packages below it: dataflow fetches and processes until
// nothing is left, script runs a program, httpcall calls a URL. Their settings are in docs/kinds.md.
package jobs
