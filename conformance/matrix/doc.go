// Package matrix runs the conformance suite on every driver of this repository, on servers in containers where an engine
// answers and in processes otherwise, and prints what came of it as a table. It holds tests only.
package matrix
