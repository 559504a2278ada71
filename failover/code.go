package failover

// Code names the reason of a decision, or of missed fires, for programs. It is
// in snake_case and keeps its meaning in later versions, which may add codes.
type Code string

// The codes of decisions. Words before a colon are the names of the arguments.
const (
	CodeClaimApplied     Code = "claim_applied"       // the claim was applied, though its answer was lost
	CodeHandlerReturned  Code = "handler_returned"    // the result must be recorded
	CodeHandlerStopped   Code = "handler_stopped"     // it stopped unfinished: its instance leaves, or the shard moves
	CodeHandlerRuns      Code = "handler_runs"        // the handler runs here, and no later fire matters
	CodeClaimLost        Code = "claim_lost"          // a handler that lost its claim has not returned
	CodeWentOn           Code = "went_on"             // the handler continued while this instance had no session
	CodeReplaced         Code = "replaced"            // a later fire replaces the run
	CodeNotOwner         Code = "not_owner"           // another instance owns the shard
	CodeFenceAtEnd       Code = "fence_at_end"        // the fence of the record cannot grow
	CodeJobDisabled      Code = "job_disabled"        // the job or the shard is disabled, or the job has fewer shards
	CodeTriggered        Code = "triggered"           // Trigger must begin
	CodeFireDue          Code = "fire_due"            // Fire must begin
	CodeNoFireDue        Code = "no_fire_due"         // the next fire is in the future
	CodeScheduleOver     Code = "schedule_over"       // the schedule has no further fire
	CodeRunsElsewhere    Code = "runs_elsewhere"      // instance: another live instance runs the shard
	CodeOwnerUnproven    Code = "owner_unproven"      // instance: a read must prove whether it is dead
	CodeOwnerMayCarryOn  Code = "owner_may_carry_on"  // instance, left: it is dead, and its handler may still run
	CodeOwnerDead        Code = "owner_dead"          // instance: it is dead, and its run is taken over
	CodeHandedOver       Code = "handed_over"         // the run has no owner, and is taken over
	CodeRunForgotten     Code = "run_forgotten"       // this instance claimed the run, and does not run it
	CodeFailoverOff      Code = "failover_off"        // instance: the run is abandoned
	CodeNoAttemptLeft    Code = "no_attempt_left"     // instance, attempts: the run is abandoned
	CodePaused           Code = "paused"              // an operator paused the namespace
	CodeCancelled        Code = "cancelled"           // by, why: an operator cancelled the fire or the trigger
	CodeRunOfDisabledJob Code = "run_of_disabled_job" // instance: the run is abandoned
)

// The codes of missed fires.
const (
	CodeMissedTooLate    Code = "missed_too_late"    // the fires are older than the misfire window of the job
	CodeMissedSuperseded Code = "missed_superseded"  // a later fire stands for them, according to the misfire policy
	CodeMissedOverlap    Code = "missed_overlap"     // they came during a run, and the overlap policy skips them
	CodeMissedJobChanged Code = "missed_job_changed" // the job changed before they began
	CodeMissedCancelled  Code = "missed_cancelled"   // an operator cancelled the last of them
	CodeMissedClock      Code = "missed_clock"       // a wrong clock wrote the time after which fires count
)
