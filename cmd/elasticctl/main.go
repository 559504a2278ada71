// Command elasticctl looks after elastic's jobs, and those of ElasticJob, from
// a terminal.
//
//	elasticctl elasticjob doctor --from zookeeper://10.0.0.1/namespace
//
// Its exit codes are the same for all commands:
//
//	0    done; nothing is wrong
//	1    failed
//	2    wrong usage
//	3    not found
//	4    changed meanwhile
//	5    refused: invalid, disabled, busy, or something can't be moved
//	6    the store can't be reached
//	7    not allowed
//	8    the outcome of a write is unknown
//	9    --wait timed out, or a run that was waited for failed
//	10   differences or findings
//	130  interrupted
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
