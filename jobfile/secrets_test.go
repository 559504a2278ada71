package jobfile_test

import (
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/jobfile"
)

// No error shows the value of a variable, which can be secret.
func TestRead_ErrorsShowNoVariable(t *testing.T) {
	lookup := func(string) (string, bool) { return "S3cr3t", true }
	for _, line := range []string{
		"shards: ${S}",
		"shards: 2${S}",
		"disabled: ${S}",
		"retries: ${S}",
		"timeout: ${S}",
		"sharding: ${S}",
		"timeZone: ${S}",
		"start: ${S}",
		"misfire: ${S}",
		"overlap: ${S}",
		"jitter: ${S}",
		"except: ${S}",
		"after: ${S}",
		`disabledShards: ["${S}"]`,
		`shardParameters: {0: a, "${S}": b}`,
		"requires: ${S}",
		"failover: ${S}",
		"maxAttempts: ${S}",
		`parameter: {a: "${S}"}`,
		"nosuch: ${S}",
		"run: ${S}",
		"run: {script: ${S}}",
		`run: {script: {path: a, grace: "${S}"}}`,
		`run: {script: {path: a, maxOutput: "${S}"}}`,
		`run: {script: {path: a, env: {"${S}": b}}}`,
		`run: {script: {path: a, env: "${S}"}}`,
		`run: {http: {url: "${S}"}}`,
		`run: {http: {url: "http://${S}"}}`,
		`run: {http: {url: "http://{x}/${S}"}}`,
		`run: {http: {url: "http://a.example/", method: "${S}"}}`,
		`run: {http: {url: "http://a.example/", method: POST, body: "${S}", headers: {Content-Type: application/json}}}`,
		`run: {http: {url: "http://a.example/", method: POST, body: "{}", headers: {Content-Type: "${S}"}}}`,
		`run: {http: {url: "http://a.example/", headers: {Host: "${S}"}}}`,
	} {
		text := "jobs:\n  - name: a\n    schedule: '@daily'\n    " + line + "\n"
		_, err := jobfile.Read(strings.NewReader(text), lookup)
		if err != nil && strings.Contains(err.Error(), "S3cr3t") {
			t.Errorf("%s: %v", line, err)
		}
	}
}
