package adminhttp

import (
	"context"

	"github.com/danielgtaylor/huma/v2"
	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/adminhttp/internal/wire"
	"github.com/elasticjob-go/elastic/status"
)

type instanceAct struct {
	wire.InstancePath
	wire.Act
}

type cordonInput struct {
	wire.TargetPath
	wire.Act
	Body struct {
		Action string `json:"action" enum:"cordon,drain" doc:"cordon keeps shards away; drain also ends runs."`
	}
}

type uncordonInput struct {
	wire.TargetPath
	wire.Act
}

type empty struct{}

func (s *server) instanceRoutes(api huma.API) {
	register(api, operation("instances", "GET", "/instances", RoleRead, "List instances"),
		func(ctx context.Context, _ *empty) (*answer[[]status.Instance], error) {
			return read(s.Admin.Instances(ctx))
		})
	register(api, operation("instance", "GET", "/instances/{id}", RoleRead, "Read an instance"),
		func(ctx context.Context, in *wire.InstancePath) (*answer[admin.InstanceDetail], error) {
			return read(s.Admin.Instance(ctx, in.ID))
		})
	register(api, operation("whyInstance", "GET", "/instances/{id}/why", RoleRead, "Say what an instance waits for"),
		func(ctx context.Context, in *wire.InstancePath) (*answer[admin.Answer], error) {
			return read(s.Admin.Why(ctx, admin.WhyQuery{Instance: in.ID}))
		})
	register(api, operation("leave", "POST", "/instances/{id}/leave", RoleAdmin, "Ask an instance to leave"),
		func(ctx context.Context, in *instanceAct) (*receipt, error) {
			return s.do(ctx, in.Act, func(c *admin.Client, o []admin.ActOption) (admin.Receipt, error) {
				return c.Leave(ctx, in.ID, o...)
			})
		})
	register(api, operation("evict", "DELETE", "/instances/{id}", RoleAdmin, "Declare an instance dead"),
		func(ctx context.Context, in *instanceAct) (*receipt, error) {
			return s.do(ctx, in.Act, func(c *admin.Client, o []admin.ActOption) (admin.Receipt, error) {
				return c.Evict(ctx, in.ID, o...)
			})
		})
	register(api, operation("cordons", "GET", "/cordons", RoleRead, "List cordons and the pause"),
		func(ctx context.Context, _ *empty) (*answer[[]admin.Cordoned], error) {
			return read(s.Admin.Cordons(ctx))
		})
	register(api, operation("cordon", "PUT", "/cordons/{target}", RoleOperate, "Cordon or drain instances"),
		func(ctx context.Context, in *cordonInput) (*receipt, error) {
			return s.do(ctx, in.Act, func(c *admin.Client, o []admin.ActOption) (admin.Receipt, error) {
				if in.Body.Action == "drain" {
					return c.Drain(ctx, in.Target, o...)
				}
				return c.Cordon(ctx, in.Target, o...)
			})
		})
	register(api, operation("uncordon", "DELETE", "/cordons/{target}", RoleOperate, "Lift a cordon"),
		func(ctx context.Context, in *uncordonInput) (*receipt, error) {
			return s.do(ctx, in.Act, func(c *admin.Client, o []admin.ActOption) (admin.Receipt, error) {
				return c.Uncordon(ctx, in.Target, o...)
			})
		})
}
