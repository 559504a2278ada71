// Package script holds a handler that runs a program of the machine: a shell script, a binary, anything executable.
//
//	h, err := script.New(script.Script{
//		Path:   "/usr/local/bin/backup",
//		Args:   []string{"--all"},
//		Output: script.Log(logger),
//	})
//
// The program and its arguments are fixed in code. What belongs to the run, and so comes from the store, is passed by environment only:
//
//	ELASTICJOB_JOB            the job's name
//	ELASTICJOB_SHARD          the number of the shard, from 0
//	ELASTICJOB_TOTAL          how many shards the job has
//	ELASTICJOB_PARAMETER      the shard's parameter
//	ELASTICJOB_JOB_PARAMETER  the job's parameter
//	ELASTICJOB_FIRE           the scheduled time in RFC 3339, in the job's zone
//	ELASTICJOB_TRIGGER        the number of the trigger that asked for the run; 0 if it was the schedule
//	ELASTICJOB_ATTEMPT        from 1; more if instances died, or left, while they ran this fire
//	ELASTICJOB_PREVIOUS       the instance whose unfinished run this one repeats
//	ELASTICJOB_FENCE          a number that grows with every run of the shard
//	ELASTICJOB_KEY            what is the same for all attempts at this work, such as "backup/0/2026-01-02T03:00:00Z"
//
// The rest of the environment is that of this process, without the URL and the credentials of its store (see [Environ]), or Env.
//
// All are set in every run, empty where there is nothing to say. Nothing that is stored becomes a part of a command line. A script
// must do its part: in a shell write "$ELASTICJOB_PARAMETER" in quotes, and never eval it.
package script
