package otel

// OpenTelemetry has no conventions for scheduled jobs yet. These names are the
// only place to change when it has.
const (
	systemKey   = "job.system"
	systemValue = "elasticjob"

	jobKey       = "elasticjob.job"
	namespaceKey = "elasticjob.namespace"
	instanceKey  = "elasticjob.instance"
	shardKey     = "elasticjob.shard"
	shardsKey    = "elasticjob.shards"
	fireKey      = "elasticjob.fire"    // RFC 3339, in UTC
	triggerKey   = "elasticjob.trigger" // the number of the trigger
	attemptKey   = "elasticjob.attempt"
	fenceKey     = "elasticjob.fence"
	previousKey  = "elasticjob.previous" // the instance of the attempt before
	retryKey     = "elasticjob.retry"
	lateKey      = "elasticjob.late_ms"
	resultKey    = "elasticjob.result"
	codeKey      = "elasticjob.code"
	slowKey      = "elasticjob.slow" // see TracingOptions.Slow
	linkKey      = "elasticjob.link" // of a link: trigger or attempt

	runName     = "run "
	callName    = "call "
	triggerName = "trigger "

	exceptionEvent   = "exception"
	exceptionType    = "exception.type"
	exceptionMessage = "exception.message"
	exceptionStack   = "exception.stacktrace"
)
