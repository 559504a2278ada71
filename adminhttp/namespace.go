package adminhttp

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/adminhttp/internal/wire"
)

type auditInput struct {
	By     string    `query:"by"`
	Target string    `query:"target"`
	Act    string    `query:"act"`
	Since  time.Time `query:"since"`
	Limit  int       `query:"limit" minimum:"0" maximum:"500" doc:"The size of a page; 200 if not given."`
	Cursor string    `query:"cursor" doc:"The cursor of the page before."`
}

type repairInput struct {
	wire.Act
	Body struct {
		Key string `json:"key" doc:"A key whose value can't be read."`
	}
}

func (s *server) namespaceRoutes(api huma.API) {
	register(api, operation("me", "GET", "/me", RoleRead, "Say who the caller is"),
		func(ctx context.Context, _ *empty) (*answer[Identity], error) {
			return &answer[Identity]{caller(ctx)}, nil
		})
	register(api, operation("overview", "GET", "/overview", RoleRead, "Count jobs and instances by state"),
		func(ctx context.Context, _ *empty) (*answer[admin.Overview], error) {
			return read(s.Admin.Overview(ctx))
		})
	register(api, operation("audit", "GET", "/audit", RoleRead, "List what operators did"),
		func(ctx context.Context, in *auditInput) (*answer[admin.AuditPage], error) {
			return read(s.Admin.Audit(ctx, admin.AuditQuery(*in)))
		})
	register(api, operation("doctor", "GET", "/doctor", RoleRead, "Look for what keeps jobs from running"),
		func(ctx context.Context, _ *empty) (*answer[admin.Report], error) {
			return read(s.Admin.Doctor(ctx, admin.DoctorQuery{}))
		})
	register(api, operation("doctorWrite", "POST", "/doctor", RoleOperate, "Look, and test writes to the store"),
		func(ctx context.Context, _ *empty) (*answer[admin.Report], error) {
			return read(s.Admin.Doctor(ctx, admin.DoctorQuery{Write: true}))
		})
	s.namespaceAct(api, operation("pause", "POST", "/pause", RoleOperate, "Pause the namespace"), (*admin.Client).Pause)
	s.namespaceAct(api, operation("resume", "POST", "/resume", RoleOperate, "End the pause"), (*admin.Client).Resume)
	register(api, operation("repair", "POST", "/repair", RoleAdmin, "Replace a value that can't be read"),
		func(ctx context.Context, in *repairInput) (*receipt, error) {
			return s.do(ctx, in.Act, func(c *admin.Client, o []admin.ActOption) (admin.Receipt, error) {
				return c.Repair(ctx, in.Body.Key, o...)
			})
		})
}

func (s *server) namespaceAct(
	api huma.API,
	op huma.Operation,
	act func(*admin.Client, context.Context, ...admin.ActOption) (admin.Receipt, error),
) {
	register(api, op, func(ctx context.Context, in *wire.Act) (*receipt, error) {
		return s.do(ctx, *in, func(c *admin.Client, o []admin.ActOption) (admin.Receipt, error) {
			return act(c, ctx, o...)
		})
	})
}
