// Command cron holds this module's schedules and those of its peers against a
// second opinion, and measures Next.
//
//	GOWORK=off go run .                     both tables
//	GOWORK=off go run . -raw figures.csv    and every single measurement
//
// Agreement: an expression in a zone from a moment on is a case; it agrees when
// the next 10 fires are those of crontest.Oracle. Cases are apart for zones
// whose clock never changes, where all crons should be of one mind, and for
// those near a change, where a library may have another policy than ours and
// not be wrong for it.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
)

func main() {
	raw := flag.String("raw", "", "write every measurement of Next to this `file`")
	rounds := flag.Int("rounds", 7, "measure Next so many times, in random order")
	flag.Parse()
	agreement("Quartz", quartzExpressions, quartzPeers)
	agreement("Unix", unixExpressions, unixPeers)
	figures := speed(*rounds)
	if *raw == "" {
		return
	}
	if err := os.WriteFile(*raw, []byte(figures), 0o644); err != nil {
		log.Fatal(fmt.Errorf("write the measurements: %w", err))
	}
}
