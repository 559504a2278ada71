package jobfile

import (
	"slices"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/internal/layout"
)

// kind is the type of a key's value.
type kind uint8

const (
	textKind kind = iota
	numberKind
	boolKind
	durationKind
	instantKind
	textsKind
	numbersKind
	numberedKind // texts by number
	namedKind    // texts by name
	sectionKind  // a mapping with keys of its own
)

// field is a key of a mapping that is read into a T.
type field[T any] struct {
	name   string
	words  string // describe it in the schema
	kind   kind
	read   func(value, *T)
	schema map[string]any // beside what follows from the kind
	secret bool           // no message shows the value
}

// namesOf returns the names of fields, in their order.
func namesOf[T any](fields []field[T]) []string {
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
	}
	return names
}

// find returns the field of a name; nil if there is none.
func find[T any](fields []field[T], name string) *field[T] {
	i := slices.IndexFunc(fields, func(f field[T]) bool { return f.name == name })
	if i < 0 {
		return nil
	}
	return &fields[i]
}

// with returns the field with bounds for the schema.
func (f field[T]) with(schema map[string]any) field[T] {
	f.schema = schema
	return f
}

// hidden returns the field as one whose value no message shows.
func (f field[T]) hidden() field[T] {
	f.secret = true
	return f
}

// enum returns the schema of a text that is one of several.
func enum[S ~string](values ...S) map[string]any { return map[string]any{"enum": values} }

func text[T any, S ~string](name, words string, of func(*T) *S) field[T] {
	return field[T]{name: name, words: words, kind: textKind, read: func(v value, t *T) { *of(t) = S(v.text()) }}
}

func texts[T any](name, words, example string, of func(*T) *[]string) field[T] {
	return field[T]{name: name, words: words, kind: textsKind, read: func(v value, t *T) { *of(t) = v.texts(example) }}
}

func number[T any](name, words string, of func(*T) *int) field[T] {
	return field[T]{name: name, words: words, kind: numberKind, read: func(v value, t *T) { *of(t) = v.number() }}
}

func boolean[T any](name, words string, of func(*T) *bool) field[T] {
	return field[T]{name: name, words: words, kind: boolKind, read: func(v value, t *T) { *of(t) = v.boolean() }}
}

func duration[T any](name, words string, of func(*T) *time.Duration) field[T] {
	return field[T]{name: name, words: words, kind: durationKind, read: func(v value, t *T) { *of(t) = v.duration() }}
}

func instant[T any](name, words string, of func(*T) *time.Time) field[T] {
	return field[T]{name: name, words: words, kind: instantKind, read: func(v value, t *T) { *of(t) = v.instant() }}
}

// jobFields are the keys of a job, in the order of the documentation. They are
// those of layout.Spec, name, broadcast and run. elastic.Job documents them in
// full.
var jobFields = []field[Job]{
	text("name", "identifies the job in its namespace",
		func(j *Job) *string { return &j.Name }).
		with(map[string]any{
			"minLength": 1,
			"maxLength": layout.MaxName,
			"pattern":   `^[A-Za-z0-9._-]+$|` + variablePattern,
		}),
	text("description", "a note for people",
		func(j *Job) *string { return &j.Description }),
	text("schedule",
		`when the job fires: Quartz ("0 0 3 * * ?"), Unix ("0 3 * * *"), @daily, @every 10s, @at <instant>, @after 10m, @manual`,
		func(j *Job) *string { return &j.Schedule }),
	texts("after",
		"jobs that this one follows, in place of a schedule: it runs for a fire when all their shards have ended it", "[report]",
		func(j *Job) *[]string { return &j.After }),
	text("afterEnds", "how the fires of those jobs must have ended; default succeeded",
		func(j *Job) *elastic.AfterEnds { return &j.AfterEnds }).
		with(enum(elastic.AfterSucceeded, elastic.AfterEnded)),
	text("timeZone",
		"the zone of the schedule: an IANA name such as Asia/Shanghai, or an offset such as UTC+08:00; default UTC",
		func(j *Job) *string { return &j.TimeZone }),
	instant("start", "no fire before it; an instant with its offset, such as 2027-01-01T00:00:00+08:00",
		func(j *Job) *time.Time { return &j.Start }),
	instant("end", "no fire at or after it; an instant with its offset",
		func(j *Job) *time.Time { return &j.End }),
	texts("except",
		`times without fires: dates, weekdays ("SAT-SUN"), daily windows ("22:00-06:00")`, "[2026-12-25, SAT-SUN]",
		func(j *Job) *[]string { return &j.Except }),
	duration("jitter", "spreads the starts of shards that fire together; at most 24h",
		func(j *Job) *time.Duration { return &j.Jitter }),
	number("shards", "the number of parts of the job, 1 to 10000; default 1",
		func(j *Job) *int { return &j.Shards }),
	boolean("broadcast", "one shard for each live instance, in place of shards",
		func(j *Job) *bool { return &j.Broadcast }),
	text("parameter", "passed to every shard, at most 4 KiB",
		func(j *Job) *string { return &j.Parameter }),
	{
		name:  "shardParameters",
		words: "passed to single shards, by their number from 0",
		kind:  numberedKind,
		read:  func(v value, j *Job) { j.ShardParameters = v.numbered() },
	},
	text("sharding", "the strategy that assigns shards to instances; default sticky",
		func(j *Job) *string { return &j.Sharding }),
	boolean("failover", "another instance repeats a run at once when its instance dies",
		func(j *Job) *bool { return &j.Failover }),
	number("maxAttempts", "the number of attempts at a fire whose instances die, 1 to 100; default 3",
		func(j *Job) *int { return &j.MaxAttempts }),
	text("misfire", "what happens to fires that could not begin in time; default once",
		func(j *Job) *elastic.Misfire { return &j.Misfire }).
		with(enum(elastic.MisfireOnce, elastic.MisfireSkip, elastic.MisfireAll)),
	duration("misfireWindow", "how late a fire may begin",
		func(j *Job) *time.Duration { return &j.MisfireWindow }),
	text("overlap", "what happens to a fire that comes while its shard still runs; default queue",
		func(j *Job) *elastic.Overlap { return &j.Overlap }).
		with(enum(elastic.OverlapQueue, elastic.OverlapSkip, elastic.OverlapReplace)),
	duration("timeout", "ends the context of a run that takes longer; default none",
		func(j *Job) *time.Duration { return &j.Timeout }),
	duration("carryOn",
		"how long handlers continue without a session, and how long other instances wait for them; at most 24h; default 0",
		func(j *Job) *time.Duration { return &j.CarryOn }),
	number("retries", "how often a handler that returned an error is called again, 0 to 100; default 0",
		func(j *Job) *int { return &j.Retries }),
	duration("retryDelay", "the longest wait before the first retry, doubled for each further one; default 1s",
		func(j *Job) *time.Duration { return &j.RetryDelay }),
	duration("retryMaxDelay", "the longest wait before any retry; default 1m",
		func(j *Job) *time.Duration { return &j.RetryMaxDelay }),
	number("maxConcurrent", "shards of the job that one instance runs at a time; default all",
		func(j *Job) *int { return &j.MaxConcurrent }),
	{
		name:  "requires",
		words: "labels that an instance must have",
		kind:  namedKind,
		read:  func(v value, j *Job) { j.Requires = v.named("labels", "{zone: eu}") },
	},
	{
		name:  "disabledShards",
		words: "shards on which no run begins",
		kind:  numbersKind,
		read:  func(v value, j *Job) { j.DisabledShards = v.numbers("[0, 2]") },
	},
	boolean("unclaimed", "runs are not recorded: no store traffic, and weaker promises",
		func(j *Job) *bool { return &j.Unclaimed }),
	boolean("disabled", "no run begins; runs in progress finish",
		func(j *Job) *bool { return &j.Disabled }),
	{
		name:   "run",
		words:  "the work of a run, for programs that take it from the file; it is never stored",
		kind:   sectionKind,
		read:   func(v value, j *Job) { j.Run = v.run() },
		schema: runSchema(),
	},
}
