package layout

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/faults"
	"github.com/elasticjob-go/elastic/store"
)

// MaxDocument is how many bytes a document may have: every store takes so many
// in one value.
const MaxDocument = store.SmallestValue

// MaxSpec is how many bytes a job may have as it is stored, with what the store
// keeps about it beside. The rest of the value is for documents that wrap it.
const MaxSpec = MaxDocument - 16<<10

// Limits of a job.
const (
	MaxName      = 100
	MaxShards    = 10_000
	MaxAttempts  = 100
	MaxWeight    = 1_000_000
	MaxLabels    = 64
	MaxParameter = failover.MaxParameter
	MaxParamsAll = 64 << 10 // bytes of all parameters of a job
	MaxJitter    = 24 * time.Hour
	MaxAfter     = 10 // jobs that one follows
)

// CheckName returns an error unless name can name a job or an instance. The set
// is small on purpose: names are keys, labels of metrics, parts of URLs and
// arguments of commands.
func CheckName(name string) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("must have 1 to %d characters, has %d", MaxName, len(name))
	}
	for _, c := range name {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return fmt.Errorf("must hold only letters a to z, digits and . _ -, has %q", c)
		}
	}
	if name == "." || name == ".." {
		return errors.New(`must not be "." or ".."`)
	}
	return nil
}

// CheckID returns an error unless id can be the ID of an instance.
func CheckID(id string) error {
	if id == "" || len(id) > failover.MaxOwner {
		return fmt.Errorf("must have 1 to %d characters, has %d", failover.MaxOwner, len(id))
	}
	for part := range strings.SplitSeq(id, "@") {
		if err := CheckName(part); err != nil {
			return err
		}
	}
	return nil
}

// CheckParameter returns an error unless a handler would get text as it was
// given.
func CheckParameter(text string) error {
	if len(text) > MaxParameter {
		return fmt.Errorf("must have at most %d bytes, has %d", MaxParameter, len(text))
	}
	if !utf8.ValidString(text) {
		return errors.New("must be UTF-8 text; encode what is not, as base64 for example")
	}
	return nil
}

// Check returns all faults of the spec in one error. Each is a [faults.Fault]
// that names the field, the value and what is allowed.
func (s Spec) Check() error {
	var list faults.List
	fault := list.AddField
	s.checkText(fault)
	if list.Len() > 0 {
		return list.Err() // invalid or far too long text makes the other checks pointless
	}
	if _, err := s.Location(); err != nil {
		fault("time zone", "%v", err)
		s.TimeZone = "" // so that the rest is judged by itself
	}
	if _, err := s.Times(); err != nil {
		fault("schedule", "%v", err)
	}
	if len(s.After) > 0 {
		s.checkAfter(fault)
	} else if s.AfterEnds != "" {
		fault("after ends", "needs jobs to follow, in after; is %q", s.AfterEnds)
	}
	if s.Jitter < 0 || time.Duration(s.Jitter) > MaxJitter {
		fault("jitter", "must be 0 to %s, is %s", MaxJitter, time.Duration(s.Jitter))
	}
	if s.Broadcast() {
		s.checkBroadcast(fault)
		s.DisabledShards, s.ShardParameters = nil, nil // so that the rest is judged by itself
	} else {
		if s.Shards < 1 || s.Shards > MaxShards {
			fault("shards", "must be 1 to %d, is %d", MaxShards, s.Shards)
		}
		if err := CheckName(s.Sharding); err != nil { // whether there is such a strategy, each program knows for itself
			fault("sharding", "the name of a strategy %v", err)
		}
	}
	if s.MaxAttempts < 1 || s.MaxAttempts > MaxAttempts {
		fault("max attempts", "must be 1 to %d, is %d", MaxAttempts, s.MaxAttempts)
	}
	oneOf(fault, "misfire", s.Misfire, failover.MisfireOnce, failover.MisfireSkip, failover.MisfireAll)
	oneOf(fault, "overlap", s.Overlap, failover.OverlapQueue, failover.OverlapSkip, failover.OverlapReplace)
	if s.MisfireWindow < 0 {
		fault("misfire window", "must not be negative, is %s", time.Duration(s.MisfireWindow))
	}
	if s.Timeout < 0 {
		fault("timeout", "must not be negative, is %s", time.Duration(s.Timeout))
	}
	if s.CarryOn < 0 || time.Duration(s.CarryOn) > failover.MaxCarryOn || time.Duration(s.CarryOn)%time.Millisecond != 0 {
		fault("carry on", "must be 0 to %s, in whole milliseconds, is %s", failover.MaxCarryOn, time.Duration(s.CarryOn))
	}
	if s.CarryOn > 0 && s.Unclaimed {
		fault("carry on", "a job without claims has nothing that could be claimed again")
	}
	if s.Retries < 0 || s.Retries > MaxAttempts {
		fault("retries", "must be 0 to %d, is %d", MaxAttempts, s.Retries)
	}
	if s.Retries > 0 && s.RetryDelay <= 0 {
		fault("retry delay", "must be positive, is %s", time.Duration(s.RetryDelay))
	}
	if s.Retries == 0 && s.RetryDelay != 0 {
		fault("retry delay", "has no effect without retries, is %s; set retries, or leave it out", time.Duration(s.RetryDelay))
	}
	if s.Retries == 0 && s.RetryMaxDelay != 0 {
		fault("retry max delay", "has no effect without retries, is %s; set retries, or leave it out", time.Duration(s.RetryMaxDelay))
	}
	if s.Retries > 0 && s.RetryMaxDelay < s.RetryDelay {
		fault("retry max delay", "must not be shorter than the retry delay, %s, is %s", time.Duration(s.RetryDelay), time.Duration(s.RetryMaxDelay))
	}
	if s.MaxConcurrent < 0 {
		fault("max concurrent", "must not be negative, is %d", s.MaxConcurrent)
	}
	if i := slices.IndexFunc(s.DisabledShards, func(shard int) bool { return shard < 0 || shard >= s.Shards }); i >= 0 {
		fault("disabled shards", "there is no shard %d: the job has shards 0 to %d", s.DisabledShards[i], s.Shards-1)
	}
	if !slices.IsSorted(s.DisabledShards) {
		fault("disabled shards", "must be sorted, are %v", s.DisabledShards)
	}
	if s.Unclaimed && s.Failover {
		fault("failover", "a job without claims has none: nobody else knows what an instance ran when it died")
	}
	s.checkRequires(fault)
	s.checkParameters(fault)
	return list.Err()
}

// checkText refuses what a document can't hold: text that is not UTF-8, and
// more bytes than every store takes.
func (s Spec) checkText(fault func(field, format string, a ...any)) {
	text := func(field string, values ...string) {
		for _, value := range values {
			if !utf8.ValidString(value) {
				fault(field, "must be UTF-8 text, is %.40q", value)
			}
		}
	}
	text("description", s.Description)
	text("schedule", s.Schedule)
	text("after", s.After...)
	text("time zone", s.TimeZone)
	text("schedule", s.Except...)
	s.Since, s.Resharded, s.Enabled, s.EnabledShards = time.Time{}, time.Time{}, time.Time{}, nil
	if n := len(s.encode()); n > maxOwnSpec {
		part, most := s.largest()
		fault(part, "the job takes %d bytes as it is stored, and may take %d; this part takes %d of them", n, maxOwnSpec, most)
	}
}

// maxOwnSpec is how much of MaxSpec is for the job itself; the rest is for
// EnabledShards at most.
const maxOwnSpec = MaxSpec - 56<<10

// largest returns the field that takes most bytes, and how many those are.
func (s Spec) largest() (field string, most int) {
	for _, part := range []struct {
		field string
		value any
	}{
		{"description", s.Description}, {"schedule", s.Schedule}, {"after", s.After}, {"time zone", s.TimeZone}, {"except", s.Except},
		{"parameter", s.Parameter}, {"shard parameters", s.ShardParameters}, {"sharding", s.Sharding}, {"requires", s.Requires},
		{"disabled shards", s.DisabledShards},
	} {
		if n := len(encode(part.value)); n > most {
			field, most = part.field, n
		}
	}
	return field, most
}

func (s Spec) checkAfter(fault func(field, format string, a ...any)) {
	for _, name := range s.After {
		if err := CheckName(name); err != nil {
			fault("after", "the name %q %v", name, err)
		}
	}
	if len(s.After) > MaxAfter {
		fault("after", "must name at most %d jobs, has %d", MaxAfter, len(s.After))
	}
	oneOf(fault, "after ends", s.AfterEnds, failover.WhenSucceeded, failover.WhenEnded)
	if s.Misfire == failover.MisfireSkip {
		fault("misfire", "must be once or all where a job follows others: their fires are over when it begins, however long they took")
	}
	if s.Overlap == failover.OverlapSkip {
		fault("overlap", "must be queue or replace where a job follows others: the times of their fires say nothing about when those have ended")
	}
	if s.Unclaimed {
		fault("unclaimed", "a job that follows others needs claims: without them nobody knows which fires it has run")
	}
}

// checkBroadcast refuses what needs shards that are there tomorrow.
func (s Spec) checkBroadcast(fault func(field, format string, a ...any)) {
	if s.Sharding != BroadcastSharding {
		fault("sharding", "a broadcast has none, as each instance has one shard; is %q", s.Sharding)
	}
	if len(s.ShardParameters) > 0 {
		fault("shard parameters", "a broadcast has none, as its shards come and go with the instances")
	}
	if len(s.DisabledShards) > 0 {
		fault("disabled shards", "a broadcast has none, as its shards come and go with the instances")
	}
	if s.Failover {
		fault("failover", "a broadcast has none: each instance runs for itself")
	}
}

// BroadcastSharding is what a broadcast names as its strategy.
const BroadcastSharding = "broadcast"

func (s Spec) checkRequires(fault func(field, format string, a ...any)) {
	for _, err := range CheckLabels(s.Requires) {
		fault("requires", "%v", err)
	}
}

// CheckLabels returns what is wrong with the labels of an instance or of a job.
func CheckLabels(labels map[string]string) []error {
	if len(labels) > MaxLabels {
		return []error{fmt.Errorf("must be at most %d labels, are %d", MaxLabels, len(labels))}
	}
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if err := CheckLabel(name, labels[name]); err != nil {
			wrong = append(wrong, err)
		}
	}
	return wrong
}

// CheckLabel returns an error unless an instance can have such a label.
func CheckLabel(name, value string) error {
	if err := CheckName(name); err != nil {
		return fmt.Errorf("the name of label %q %w", name, err)
	}
	if len(value) > MaxName || !utf8.ValidString(value) {
		return fmt.Errorf("the value of label %s must be text of at most %d bytes, has %d", name, MaxName, len(value))
	}
	return nil
}

func (s Spec) checkParameters(fault func(field, format string, a ...any)) {
	if err := CheckParameter(s.Parameter); err != nil {
		fault("parameter", "%v", err)
	}
	total := len(s.Parameter)
	for _, shard := range slices.Sorted(maps.Keys(s.ShardParameters)) {
		p := s.ShardParameters[shard]
		total += len(p)
		if shard < 0 || shard >= s.Shards {
			fault("shard parameters", "there is no shard %d: the job has shards 0 to %d", shard, s.Shards-1)
		}
		if err := CheckParameter(p); err != nil {
			fault("shard parameters", "the one of shard %d %v", shard, err)
		}
	}
	if total > MaxParamsAll {
		fault("shard parameters", "all together must have at most %d bytes, have %d", MaxParamsAll, total)
	}
}

func oneOf[T ~string](fault func(field, format string, a ...any), field string, value T, allowed ...T) {
	if slices.Contains(allowed, value) {
		return
	}
	names := make([]string, len(allowed))
	for i, a := range allowed {
		names[i] = string(a)
	}
	fault(field, "must be one of %s, is %q", strings.Join(names, ", "), value)
}
