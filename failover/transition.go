package failover

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic/internal/years"
)

// Begin claims a fire for an instance. Who may: the shard's owner by assignment, on an idle record.
func (r Record) Begin(fire time.Time, owner string, now time.Time) Record {
	return Record{Fire: fire, Trigger: r.Trigger, Done: r.Done, Fence: r.nextFence(now), State: StateRunning, Owner: owner, Attempt: 1, Started: now}
}

// nextFence returns the least fence of the next claim; the job's assignment can ask for a greater one. The first of a record is the time, in milliseconds
// since 1970: a shard whose record an operator has deleted goes on with greater fences than before, so that a resource which remembers the old ones
// does not refuse the new ones. From there it grows by one; no shard is claimed a thousand times a second for long.
func (r Record) nextFence(now time.Time) uint64 {
	if r.Fence == 0 {
		return uint64(max(years.Clamp(now).UnixMilli(), 1))
	}
	return r.Fence + 1
}

// Complete ends a run. Who may: that run's owner, at the version that it wrote.
func (r Record) Complete(result Result, message string, now time.Time) Record {
	r.State, r.Owner, r.CarryOn, r.Ended, r.Result, r.Error = StateIdle, "", 0, now, result, cut(message)
	return r
}

// TakeOver claims a run whose owner is dead, for another attempt at the same fire or trigger. Taking it over and cleaning up after
// the dead owner are one write. Who may: the shard's owner by assignment, on a running record whose owner is proven dead.
func (r Record) TakeOver(owner string, now time.Time) Record {
	r.Owner, r.Started = owner, now
	r.Attempt++
	r.Fence++
	return r
}

// Reclaim has a run go on that was claimed by an earlier incarnation of an instance, whose session is over: the same attempt, by the same
// handler, and a fence of its own. Who may: the process whose handler runs it, at the version that its claim wrote.
func (r Record) Reclaim(owner string) Record {
	r.Owner = owner
	r.Fence++
	return r
}

// Abandon gives a run up whose owner is dead. Who may: as TakeOver.
func (r Record) Abandon(now time.Time) Record {
	return r.Complete(ResultLost, "the instance "+r.lostOwner()+" did not finish it", now)
}

// HandOver leaves a run without an owner, so that the next owner of the shard takes it over at once. Who may: that run's
// owner, at the version that it wrote, when its handler has stopped unfinished.
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

// cut shortens a message to MaxError bytes without splitting a character. What is no text becomes U+FFFD, as it would in
// JSON, where it takes three times the bytes.
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
