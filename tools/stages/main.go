// Command stages runs make targets one after another and prints a table of
// them at the end: stage, time, tests, failures.
//
//	stages [-from STAGE] [-not "NAME: REASON"]... STAGE...
//	stages gotest [-quiet] GO-TEST-ARGUMENTS...
//
// The first form runs `make STAGE` for each stage and stops at the first that
// fails; then the output of the failing tests comes last, in at most 60 lines,
// and the command to start again there. The output of each stage is also in
// .bin/stages/STAGE.log. -from skips the stages before STAGE, and says so.
//
// The second form runs `go test -json` and prints a line a package, and of the
// tests that failed their output. With -v it prints a line a test, too. It ends
// with a line "tests: N passed, N failed, N skipped" that the first form counts.
package main

import (
	"fmt"
	"os"
)

func main() {
	var err error
	if len(os.Args) > 1 && os.Args[1] == "gotest" {
		err = goTest(os.Args[2:], os.Stdout)
	} else {
		err = runStages(os.Args[1:], os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
