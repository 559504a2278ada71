package failover

// Code names the reason of a decision, or of missed fires, for programs. It is
// in snake_case and keeps its meaning in later versions; new ones may come.
type Code string

// The codes of decisions, with the names of their arguments where they have any.
const (
	CodeClaimApplied     Code = "claim_applied"       // the claim was applied, though its answer was lost
	CodeHandlerReturned  Code = "handler_returned"    // the result is to be recorded
	CodeHandlerStopped   Code = "handler_stopped"     // it was stopped unfinished: its instance leaves, or its shard moves
	CodeHandlerRuns      Code = "handler_runs"        // here, and no later fire matters
	CodeClaimLost        Code = "claim_lost"          // a handler that lost its claim has not returned
	CodeWentOn           Code = "went_on"             // the handler went on while this instance had no session
	CodeReplaced         Code = "replaced"            // a later fire replaces the run
	CodeNotOwner         Code = "not_owner"           // another instance owns the shard
	CodeFenceAtEnd       Code = "fence_at_end"        // the fence of the record can't grow
	CodeJobDisabled      Code = "job_disabled"        // the job is disabled, or the shard is, or the job has fewer shards
	CodeTriggered        Code = "triggered"           // Trigger is to be begun
	CodeFireDue          Code = "fire_due"            // Fire is to be begun
	CodeNoFireDue        Code = "no_fire_due"         // the next fire is in the future
	CodeScheduleOver     Code = "schedule_over"       // the schedule has no further fire
	CodeRunsElsewhere    Code = "runs_elsewhere"      // instance: another live instance runs the shard
	CodeOwnerUnproven    Code = "owner_unproven"      // instance: whether it is dead must be asked
	CodeOwnerMayCarryOn  Code = "owner_may_carry_on"  // instance, left: it is dead, and its handler may go on for a while
	CodeOwnerDead        Code = "owner_dead"          // instance: its run is taken over
	CodeHandedOver       Code = "handed_over"         // the run is without an owner, and is taken over
	CodeRunForgotten     Code = "run_forgotten"       // this instance claimed the run, and does not run it
	CodeFailoverOff      Code = "failover_off"        // instance: the run is given up
	CodeNoAttemptLeft    Code = "no_attempt_left"     // instance, attempts: the run is given up
	CodeRunOfDisabledJob Code = "run_of_disabled_job" // instance: the run is given up
)

// The codes of missed fires.
const (
	CodeMissedTooLate    Code = "missed_too_late"    // they are older than the job's misfire window
	CodeMissedSuperseded Code = "missed_superseded"  // a later fire stands for them, as the misfire policy has it
	CodeMissedOverlap    Code = "missed_overlap"     // they came while the handler ran, and the overlap policy skips them
	CodeMissedJobChanged Code = "missed_job_changed" // the job was changed before they began, and what counts are fires from then on
	CodeMissedClock      Code = "missed_clock"       // a clock that was wrong has written from when on fires count
)
