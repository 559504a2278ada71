package wire

import "time"

// JobConfig is the schema of elastic.Job in JSON: the keys of a job file.
// Durations are text such as "1h30m".
type JobConfig struct {
	Name            string            `json:"name"`
	Description     string            `json:"description,omitempty"`
	Schedule        string            `json:"schedule,omitempty"`
	After           []string          `json:"after,omitempty"`
	AfterEnds       string            `json:"afterEnds,omitempty"`
	TimeZone        string            `json:"timeZone,omitempty"`
	Start           time.Time         `json:"start,omitzero"`
	End             time.Time         `json:"end,omitzero"`
	Except          []string          `json:"except,omitempty"`
	Jitter          string            `json:"jitter,omitempty"`
	Shards          int               `json:"shards,omitempty"`
	Broadcast       bool              `json:"broadcast,omitempty"`
	Parameter       string            `json:"parameter,omitempty"`
	ShardParameters map[string]string `json:"shardParameters,omitempty"`
	Sharding        string            `json:"sharding,omitempty"`
	Failover        bool              `json:"failover,omitempty"`
	MaxAttempts     int               `json:"maxAttempts,omitempty"`
	Misfire         string            `json:"misfire,omitempty"`
	MisfireWindow   string            `json:"misfireWindow,omitempty"`
	Overlap         string            `json:"overlap,omitempty"`
	Timeout         string            `json:"timeout,omitempty"`
	CarryOn         string            `json:"carryOn,omitempty"`
	Retries         int               `json:"retries,omitempty"`
	RetryDelay      string            `json:"retryDelay,omitempty"`
	RetryMaxDelay   string            `json:"retryMaxDelay,omitempty"`
	MaxConcurrent   int               `json:"maxConcurrent,omitempty"`
	Requires        map[string]string `json:"requires,omitempty"`
	DisabledShards  []int             `json:"disabledShards,omitempty"`
	Unclaimed       bool              `json:"unclaimed,omitempty"`
	Disabled        bool              `json:"disabled,omitempty"`
}
