package jobfile_test

import (
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/jobfile"
)

// A variable whose value does not fit the place where a job file names it may
// hold a secret: the error does not show the value.
func TestReadJobs_ErrorsShowNoVariable(t *testing.T) {
	lookup := func(string) (string, bool) { return "S3cr3t", true }
	for _, line := range []string{
		"shards: ${S}", "shards: 2${S}", "disabled: ${S}", "retries: ${S}", "timeout: ${S}", "sharding: ${S}", "timeZone: ${S}", "start: ${S}", "misfire: ${S}", "overlap: ${S}",
		"jitter: ${S}", "except: ${S}", "after: ${S}", "disabledShards: [\"${S}\"]", "shardParameters: {0: a, \"${S}\": b}", "requires: ${S}", "failover: ${S}", "maxAttempts: ${S}",
		"parameter: {a: \"${S}\"}", "nosuch: ${S}",
	} {
		_, err := jobfile.Read(strings.NewReader("jobs:\n  - name: a\n    schedule: '@daily'\n    "+line+"\n"), lookup)
		if err != nil && strings.Contains(err.Error(), "S3cr3t") {
			t.Errorf("%s: %v", line, err)
		}
	}
}
