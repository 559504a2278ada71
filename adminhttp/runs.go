package adminhttp

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/adminhttp/internal/wire"
	"github.com/elasticjob-go/elastic/status"
)

type whyInput struct {
	wire.JobPath
	Shard int       `query:"shard" minimum:"-1" maximum:"9999" default:"-1" doc:"A shard; -1 means the whole job."`
	Fire  time.Time `query:"fire" doc:"A scheduled time that the question is about."`
}

type triggerInput struct {
	wire.JobPath
	wire.Act
	Body admin.TriggerRequest
}

type cancelInput struct {
	wire.JobPath
	wire.Act
	Body admin.CancelRequest
}

func (s *server) runRoutes(api huma.API) {
	register(api, operation("shards", "GET", "/jobs/{job}/shards", RoleRead, "List the shards of a job"),
		func(ctx context.Context, in *wire.JobPath) (*answer[[]status.Shard], error) {
			return read(s.Admin.Shards(ctx, in.Job))
		})
	register(api, operation("why", "GET", "/jobs/{job}/why", RoleRead, "Say why a job or a shard runs or does not"),
		func(ctx context.Context, in *whyInput) (*answer[admin.Answer], error) {
			return read(s.Admin.Why(ctx, admin.WhyQuery{Job: in.Job, Shard: in.Shard, Fire: in.Fire}))
		})
	register(api, operation("trigger", "POST", "/jobs/{job}/trigger", RoleOperate, "Run a job now"),
		func(ctx context.Context, in *triggerInput) (*receipt, error) {
			return s.do(ctx, in.Act, func(c *admin.Client, o []admin.ActOption) (admin.Receipt, error) {
				return c.Trigger(ctx, in.Job, in.Body, o...)
			})
		})
	register(api, operation("cancel", "POST", "/jobs/{job}/cancel", RoleOperate, "Cancel a fire or a trigger"),
		func(ctx context.Context, in *cancelInput) (*receipt, error) {
			return s.do(ctx, in.Act, func(c *admin.Client, o []admin.ActOption) (admin.Receipt, error) {
				return c.Cancel(ctx, in.Job, in.Body, o...)
			})
		})
}
