// Package elasticjob knows the words of Apache ShardingSphere ElasticJob, so
// that they are answered with ours.
package elasticjob

import "strings"

// Strategy returns our name of a sharding strategy of ElasticJob, or nothing.
func Strategy(name string) string { return strategies[strings.ToUpper(name)] }

var strategies = map[string]string{
	"AVG_ALLOCATION":       "average",
	"ODEVITY":              "odevity",
	"ROUND_ROBIN":          "rotate",
	"SINGLE_SHARD_BALANCE": "single",
}

// Key returns what to write for a key of ElasticJob's configuration, or
// nothing.
func Key(key string) string { return keys[strings.ToLower(key)] }

var keys = map[string]string{
	"cron":                                  `write "schedule"`,
	"elasticjobtype":                        "leave it out: the handler decides what the job does",
	"joberrorhandlertype":                   "leave it out: see retries, and observe/alarm",
	"jobexecutorthreadpoolsizeprovidertype": `write "maxConcurrent"`,
	"joblistenertypes":                      "leave it out: see middleware",
	"jobname":                               `write "name"`,
	"jobparameter":                          `write "parameter"`,
	"jobshardingstrategytype":               `write "sharding"`,
	"maxtimediffseconds":                    "leave it out: clocks are always compared",
	"monitorexecution":                      `leave it out, or write "unclaimed: true" for false`,
	"overwrite":                             "leave it out: it is an option of Scheduler.Add",
	"props":                                 "leave it out: it is for the handler",
	"reconcileintervalminutes":              "leave it out: assignments are always mended",
	"shardingitemparameters":                `write "shardParameters"`,
	"shardingtotalcount":                    `write "shards"`,
	"staticsharding":                        `write "sharding: static"`,
}
