package sqlhistory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/history"
)

// numbered are the results by their number in the database. Those before
// firstBad are not failures.
var numbered = []failover.Result{
	failover.ResultSucceeded,
	failover.ResultSkipped,
	failover.ResultFailed,
	failover.ResultLost,
	failover.ResultCancelled,
	failover.ResultReplaced,
	history.ResultHandedOver,
}

const (
	firstBad = 2

	// unknownResult is the number of a result that this version does not know.
	unknownResult = 99

	resultPrefix = "result "
)

// numberOf returns the number of a result. That of "result 9", which a newer
// version has written, is 9.
func numberOf(r failover.Result) int64 {
	if n := slices.Index(numbered, r); n >= 0 {
		return int64(n)
	}
	if digits, ok := strings.CutPrefix(string(r), resultPrefix); ok {
		if n, err := strconv.ParseUint(digits, 10, 15); err == nil {
			return int64(n)
		}
	}
	return unknownResult
}

// resultOf returns the result of a number.
func resultOf(n int64) failover.Result {
	if n >= 0 && n < int64(len(numbered)) {
		return numbered[n]
	}
	return failover.Result(fmt.Sprintf("%s%d", resultPrefix, n))
}
