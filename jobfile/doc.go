// Package jobfile reads the jobs of a program from a file, in YAML or JSON:
//
//	jobs:
//	  - name: report
//	    schedule: 0 0 3 * * ?
//	    timeZone: Asia/Shanghai
//	    shards: 3
//	    shardParameters: {0: Beijing, 1: Shanghai, 2: Guangzhou}
//	    failover: true
//	    timeout: 90m
//	    parameter: ${REPORT_BUCKET:-reports}
//
// A program reads the file and adds each job with its handler:
//
//	file, err := jobfile.Load("jobs.yaml")
//	if err != nil {
//		return err
//	}
//	for _, job := range file.Jobs {
//		if err := scheduler.Add(job.Job, handlers[job.Name]); err != nil {
//			return err
//		}
//	}
//
// # Format
//
// The keys of a job are those of the stored job. [Schema] describes them for
// editors and other tools.
//
// In values, ${NAME} is replaced by the variable NAME, ${NAME:-text} by text if
// the variable is not set or empty, and $$ by a dollar sign. The value of a
// variable is always text: it is never read as YAML.
//
// Anchors, aliases and merges (<<) work. Keys at the top that begin with "x-"
// are ignored, so they can hold what jobs share. Numbers are decimal integers.
// Booleans are true or false. Durations have a unit, such as 1h30m. Instants
// have an offset from UTC, as in RFC 3339.
//
// The reader never guesses. All of these are errors: an unknown key, a key that
// occurs twice, a value of another type, a second document, a variable that is
// not set, a name in after that is not a job of the file, jobs that follow each
// other in a cycle, and everything that Job.Validate refuses.
package jobfile
