package admin

import (
	"context"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/status"
)

// API is everything that can be asked and changed. [Client] implements it on a
// store.
type API interface {
	Jobs
	Runs
	Instances
	Namespace
}

// Jobs reads and changes jobs. [Client] documents the methods.
type Jobs interface {
	Jobs(ctx context.Context, q JobQuery) (JobPage, error)
	Job(ctx context.Context, name string) (JobDetail, error)
	Revisions(ctx context.Context, job string) ([]Revision, error)
	Apply(ctx context.Context, job elastic.Job, opts ...ActOption) (Receipt, error)
	Rollback(ctx context.Context, job string, rev uint64, opts ...ActOption) (Receipt, error)
	Disable(ctx context.Context, job string, opts ...ActOption) (Receipt, error)
	Enable(ctx context.Context, job string, opts ...ActOption) (Receipt, error)
	DisableShards(ctx context.Context, job string, shards []int, opts ...ActOption) (Receipt, error)
	EnableShards(ctx context.Context, job string, shards []int, opts ...ActOption) (Receipt, error)
	Remove(ctx context.Context, job string, opts ...ActOption) (Receipt, error)
	Restore(ctx context.Context, job string, opts ...ActOption) (Receipt, error)
}

// Runs reads and changes what runs. [Client] documents the methods.
type Runs interface {
	Shards(ctx context.Context, job string) ([]status.Shard, error)
	Why(ctx context.Context, q WhyQuery) (Answer, error)
	Trigger(ctx context.Context, job string, r TriggerRequest, opts ...ActOption) (Receipt, error)
	Cancel(ctx context.Context, job string, r CancelRequest, opts ...ActOption) (Receipt, error)
}

// Instances reads and changes instances. [Client] documents the methods.
type Instances interface {
	Instances(ctx context.Context) ([]status.Instance, error)
	Instance(ctx context.Context, id string) (InstanceDetail, error)
	Cordons(ctx context.Context) ([]Cordoned, error)
	Cordon(ctx context.Context, target string, opts ...ActOption) (Receipt, error)
	Drain(ctx context.Context, target string, opts ...ActOption) (Receipt, error)
	Uncordon(ctx context.Context, target string, opts ...ActOption) (Receipt, error)
	Leave(ctx context.Context, id string, opts ...ActOption) (Receipt, error)
	Evict(ctx context.Context, id string, opts ...ActOption) (Receipt, error)
}

// Namespace reads and changes the namespace as a whole. [Client] documents the
// methods.
type Namespace interface {
	Overview(ctx context.Context) (Overview, error)
	Audit(ctx context.Context, q AuditQuery) (AuditPage, error)
	Doctor(ctx context.Context, q DoctorQuery) (Report, error)
	Pause(ctx context.Context, opts ...ActOption) (Receipt, error)
	Resume(ctx context.Context, opts ...ActOption) (Receipt, error)
	Repair(ctx context.Context, key string, opts ...ActOption) (Receipt, error)
}

var _ API = (*Client)(nil)
