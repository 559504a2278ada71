package failover

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic/internal/years"
)

// Begin claims a fire. The record must be idle, and the caller must own the
// shard.
func (r Record) Begin(fire time.Time, owner string, now time.Time) Record {
	return Record{
		Fire:    fire,
		Trigger: r.Trigger,
		Done:    r.Done,
		Fence:   r.nextFence(now),
		State:   StateRunning,
		Owner:   owner,
		Attempt: 1,
		Started: now,
	}
}

// nextFence returns the least fence of the next claim; the assignment of the
// job can ask for a greater one. The first fence of a record is the time in
// milliseconds since 1970. So if an operator deletes a record, the shard
// continues with greater fences than before, and a resource that remembers the
// old ones accepts the new ones. Each further claim adds one. No shard is
// claimed a thousand times a second for long.
func (r Record) nextFence(now time.Time) uint64 {
	if r.Fence == 0 {
		return uint64(max(years.Clamp(now).UnixMilli(), 1))
	}
	return r.Fence + 1
}

// Complete ends a run. The caller must own the run, and write at the version of
// its claim.
func (r Record) Complete(result Result, message string, now time.Time) Record {
	r.State = StateIdle
	r.Owner = ""
	r.CarryOn = 0
	r.Ended = now
	r.Result = result
	r.Error = cut(message)
	return r
}

// TakeOver claims the run of a dead owner, for another attempt at the same fire
// or trigger. One write takes the run over and cleans up after the dead owner.
// The attempt has no trace yet. The caller must own the shard, and the owner of
// the run must be proven dead.
func (r Record) TakeOver(owner string, now time.Time) Record {
	r.Owner = owner
	r.Started = now
	r.Trace = Trace{}
	r.Attempt++
	r.Fence++
	return r
}

// Reclaim continues a run that an earlier incarnation of this instance claimed,
// whose session is over: the same attempt and handler with a new fence. The
// caller must run the handler, and write at the version of its claim.
func (r Record) Reclaim(owner string) Record {
	r.Owner = owner
	r.Fence++
	return r
}

// Abandon gives up the run of a dead owner. The conditions are those of
// TakeOver.
func (r Record) Abandon(now time.Time) Record {
	return r.Complete(ResultLost, "the instance "+r.lostOwner()+" did not finish it", now)
}

// HandOver leaves a run without an owner, so that the next owner of the shard
// takes it over at once. The caller must own the run, its handler must have
// stopped unfinished, and it must write at the version of its claim.
func (r Record) HandOver() Record {
	r.Owner, r.CarryOn = "", 0
	r.HandOvers++
	return r
}

func (r Record) lostOwner() string {
	if r.Owner == "" {
		return "that left"
	}
	return r.Owner
}

// cut shortens a message to MaxError bytes without splitting a character. Bytes
// that are not UTF-8 become U+FFFD, as in JSON, where they take three times the
// space.
func cut(message string) string {
	message = strings.ToValidUTF8(message, "\uFFFD")
	if len(message) <= MaxError {
		return message
	}
	const mark = "…"
	end := MaxError - len(mark)
	for !utf8.RuneStart(message[end]) {
		end--
	}
	return message[:end] + mark
}
