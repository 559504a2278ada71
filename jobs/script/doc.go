// Package script has a handler that runs a program: a shell script, a binary,
// anything executable.
//
//	h, err := script.New(script.Script{
//		Path:   "/usr/local/bin/backup",
//		Args:   []string{"--all"},
//		Output: script.Log(logger),
//	})
//
// The program and its arguments are fixed in code. The run is described by
// environment variables only:
//
//	ELASTICJOB_JOB            the job's name
//	ELASTICJOB_SHARD          the number of the shard, from 0
//	ELASTICJOB_TOTAL          the job's number of shards
//	ELASTICJOB_PARAMETER      the shard's parameter
//	ELASTICJOB_JOB_PARAMETER  the job's parameter
//	ELASTICJOB_FIRE           the scheduled time, RFC 3339, in the job's zone
//	ELASTICJOB_TRIGGER        the number of the run's trigger; 0: the schedule
//	ELASTICJOB_ATTEMPT        from 1; a lost or leaving instance adds one
//	ELASTICJOB_PREVIOUS       the instance of the attempt before this one
//	ELASTICJOB_FENCE          a number that grows with every run of the shard
//	ELASTICJOB_KEY            the same for all attempts at this run, such as
//	                          "backup/0/2026-01-02T03:00:00Z"
//
// All of them are set in every run; they are empty if there is no value. The
// other variables are those of this process without the URL and the credentials
// of its store (see [Environ]), or Env.
//
// Stored values never become part of a command line. In a shell script, write
// "$ELASTICJOB_PARAMETER" in quotes, and never pass it to eval.
package script
