package jobfile

import (
	"encoding/json"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// Schema returns the JSON schema (draft 2020-12) of job files, for editors and
// other tools. It is made from the same declarations as the reader. A schema
// cannot express every rule, such as whether a schedule ever fires; [Read] checks
// those too.
func Schema() []byte {
	properties := map[string]any{}
	for _, key := range jobKeys {
		s := schemaOf(jobFields[key].kind)
		for name, value := range schemaBounds[key] {
			s[name] = value
		}
		s["description"] = schemaWords[key]
		properties[key] = s
	}
	text, err := json.MarshalIndent(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "Jobs", "type": "object", "additionalProperties": false, "required": []string{"jobs"},
		"patternProperties": map[string]any{"^x-": map[string]any{}},
		"properties": map[string]any{"jobs": map[string]any{
			"type": "array",
			"items": map[string]any{
				"type": "object", "additionalProperties": false, "required": []string{"name"}, "properties": properties,
			},
		}},
	}, "", "  ")
	if err != nil {
		panic("jobfile: encode the schema: " + err.Error()) // maps of strings and numbers
	}
	return append(text, '\n')
}

// schemaOf returns what a kind of value looks like in a file. Strings with ${} stand for numbers and truths, too.
func schemaOf(kind fieldKind) map[string]any {
	const variable = `\$\{[^}]+\}`
	or := func(kind string) map[string]any {
		return map[string]any{"anyOf": []any{map[string]any{"type": kind}, map[string]any{"type": "string", "pattern": variable}}}
	}
	text := map[string]any{"type": "string"}
	switch kind {
	case durationKind:
		return map[string]any{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|` + variable}
	case instantKind:
		return map[string]any{"type": "string", "format": "date-time"}
	case numberKind:
		return or("integer")
	case boolKind:
		return or("boolean")
	case textsKind:
		return map[string]any{"type": "array", "items": text}
	case numbersKind:
		return map[string]any{"type": "array", "items": or("integer")}
	case numberedKind, labelsKind:
		return map[string]any{"type": "object", "additionalProperties": text}
	}
	return text
}

var schemaBounds = map[string]map[string]any{
	"name":      {"minLength": 1, "maxLength": layout.MaxName, "pattern": `^[A-Za-z0-9._-]+$|\$\{[^}]+\}`},
	"afterEnds": {"enum": []failover.Ends{elastic.AfterSucceeded, elastic.AfterEnded}},
	"misfire":   {"enum": []failover.Misfire{elastic.MisfireOnce, elastic.MisfireSkip, elastic.MisfireAll}},
	"overlap":   {"enum": []failover.Overlap{elastic.OverlapQueue, elastic.OverlapSkip, elastic.OverlapReplace}},
}

// schemaWords says of each key what it is for, in a line; Job has the whole.
var schemaWords = map[string]string{
	"name":            "identifies the job in its namespace",
	"description":     "for people",
	"schedule":        `when the job fires: Quartz ("0 0 3 * * ?"), Unix ("0 3 * * *"), @daily, @every 10s, @at <instant>, @after 10m, @manual`,
	"after":           "jobs that this one follows, in place of a schedule: it runs for a fire when all their shards have ended it",
	"afterEnds":       "how they must have ended; default succeeded",
	"timeZone":        "in which the schedule is read: an IANA name such as Asia/Shanghai, or an offset such as UTC+08:00; default UTC",
	"start":           "no fire before it; an instant with its offset, such as 2027-01-01T00:00:00+08:00",
	"end":             "no fire at or after it; an instant with its offset",
	"except":          `times without fires: dates, weekdays ("SAT-SUN"), daily windows ("22:00-06:00")`,
	"jitter":          "spreads the starts of shards that fire together; at most 24h",
	"shards":          "into how many parts the job is cut, 1 to 10000; default 1",
	"broadcast":       "one shard for each live instance, in place of shards",
	"parameter":       "for every shard, at most 4 KiB",
	"shardParameters": "for single shards, by their number from 0",
	"sharding":        "the strategy by which shards are given to instances; default sticky",
	"failover":        "repeat a run at once when its instance dies",
	"maxAttempts":     "how often a fire is tried when instances die of it, 1 to 100; default 3",
	"misfire":         "what becomes of fires that could not begin in time; default once",
	"misfireWindow":   "how late a fire may begin",
	"overlap":         "what becomes of a fire that comes while its shard still runs; default queue",
	"carryOn":         "for how long handlers go on when their instance loses its session, and others wait before they take over; at most 24h; default 0",
	"timeout":         "ends the context of a run that takes longer; default none",
	"retries":         "how often a handler that returned an error is called again, 0 to 100; default 0",
	"retryDelay":      "before the first retry at most, then doubled; default 1s",
	"retryMaxDelay":   "before any retry at most; default 1m",
	"maxConcurrent":   "shards of the job that one instance runs at a time; default all",
	"requires":        "labels that an instance must have",
	"disabledShards":  "shards on which nothing begins",
	"unclaimed":       "runs are not recorded: no store traffic, and weaker promises",
	"disabled":        "nothing begins; what runs may finish",
}
