// Package tracing reads the tables that Apache ShardingSphere ElasticJob writes
// its runs to, JOB_EXECUTION_LOG and JOB_STATUS_TRACE_LOG, from MySQL, MariaDB
// and PostgreSQL. It writes nothing to that database.
//
// [Open] connects, [Source.Import] copies rows into a [history.Sink], and
// [Source.Ended] tells the doctor whether a run has ended.
package tracing
