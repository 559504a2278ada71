package adminhttp

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/adminhttp/internal/wire"
	"github.com/elasticjob-go/elastic/status"
)

type jobsInput struct {
	Text     string   `query:"text" doc:"Words that must all occur in the name, the description or the schedule."`
	States   []string `query:"state" doc:"The states to select, separated by commas."`
	Instance string   `query:"instance" doc:"Selects jobs of which this instance owns a shard."`
	Requires []string `query:"requires" doc:"Labels that the jobs require, as name=value, separated by commas."`
	Sort     string   `query:"sort" enum:"name,next,last,state" default:"name"`
	Limit    int      `query:"limit" minimum:"0" maximum:"500" doc:"The size of a page; 200 if not given."`
	Cursor   string   `query:"cursor" doc:"The cursor of the page before."`
}

func (in jobsInput) query() (admin.JobQuery, error) {
	q := admin.JobQuery{
		Text:     in.Text,
		Instance: in.Instance,
		Sort:     admin.JobSort(in.Sort),
		Limit:    in.Limit,
		Cursor:   in.Cursor,
	}
	for _, s := range in.States {
		q.States = append(q.States, status.JobState(s))
	}
	for _, label := range in.Requires {
		name, value, ok := strings.Cut(label, "=")
		if !ok {
			return q, requestProblem(http.StatusBadRequest, "requires: want labels as name=value")
		}
		if q.Requires == nil {
			q.Requires = map[string]string{}
		}
		q.Requires[name] = value
	}
	return q, nil
}

type jobAnswer struct {
	ETag string `header:"ETag"`
	Body admin.JobDetail
}

type applyInput struct {
	wire.JobPath
	wire.Act
	Body elastic.Job
}

type rollbackInput struct {
	wire.JobPath
	wire.Act
	Body struct {
		Rev uint64 `json:"rev" minimum:"1" doc:"The revision to bring back."`
	}
}

type shardsInput struct {
	wire.JobPath
	wire.Act
	Body struct {
		Shards []int `json:"shards" nullable:"false" maxItems:"10000"`
	}
}

// jobAct is an input of an act on a job without a body.
type jobAct struct {
	wire.JobPath
	wire.Act
}

func (s *server) jobRoutes(api huma.API) {
	register(api, operation("jobs", "GET", "/jobs", RoleRead, "List jobs"),
		func(ctx context.Context, in *jobsInput) (*answer[admin.JobPage], error) {
			q, err := in.query()
			if err != nil {
				return nil, err
			}
			return read(s.Admin.Jobs(ctx, q))
		})
	register(api, operation("job", "GET", "/jobs/{job}", RoleRead, "Read a job"),
		func(ctx context.Context, in *wire.JobPath) (*jobAnswer, error) {
			d, err := s.Admin.Job(ctx, in.Job)
			if err != nil {
				return nil, problemOf(err)
			}
			return &jobAnswer{ETag: etag(d.Rev), Body: d}, nil
		})
	register(api, operation("revisions", "GET", "/jobs/{job}/revisions", RoleRead, "List the revisions of a job"),
		func(ctx context.Context, in *wire.JobPath) (*answer[[]admin.Revision], error) {
			return read(s.Admin.Revisions(ctx, in.Job))
		})
	register(api, operation("apply", "PUT", "/jobs/{job}", RoleAdmin, "Create or replace a job"),
		func(ctx context.Context, in *applyInput) (*receipt, error) {
			if in.Body.Name != in.Job {
				return nil, requestProblem(http.StatusUnprocessableEntity,
					fmt.Sprintf("the name in the body, %.80q, is not that of the path, %.80q", in.Body.Name, in.Job))
			}
			return s.do(ctx, in.Act, func(c *admin.Client, o []admin.ActOption) (admin.Receipt, error) {
				return c.Apply(ctx, in.Body, o...)
			})
		})
	register(api, operation("rollback", "POST", "/jobs/{job}/rollback", RoleAdmin, "Bring an earlier revision back"),
		func(ctx context.Context, in *rollbackInput) (*receipt, error) {
			return s.do(ctx, in.Act, func(c *admin.Client, o []admin.ActOption) (admin.Receipt, error) {
				return c.Rollback(ctx, in.Job, in.Body.Rev, o...)
			})
		})
	s.jobAct(api, operation("disable", "POST", "/jobs/{job}/disable", RoleOperate, "Begin nothing more"),
		(*admin.Client).Disable)
	s.jobAct(api, operation("enable", "POST", "/jobs/{job}/enable", RoleOperate, "Begin fires again"),
		(*admin.Client).Enable)
	s.jobAct(api, operation("remove", "DELETE", "/jobs/{job}", RoleAdmin, "Remove a job"),
		(*admin.Client).Remove)
	s.jobAct(api, operation("restore", "POST", "/jobs/{job}/restore", RoleAdmin, "Bring a removed job back"),
		(*admin.Client).Restore)
	s.shardsAct(api, operation("disableShards", "POST", "/jobs/{job}/shards/disable", RoleOperate, "Disable shards"),
		(*admin.Client).DisableShards)
	s.shardsAct(api, operation("enableShards", "POST", "/jobs/{job}/shards/enable", RoleOperate, "Enable shards"),
		(*admin.Client).EnableShards)
}

// jobAct registers an act on a job.
func (s *server) jobAct(
	api huma.API,
	op huma.Operation,
	act func(*admin.Client, context.Context, string, ...admin.ActOption) (admin.Receipt, error),
) {
	register(api, op, func(ctx context.Context, in *jobAct) (*receipt, error) {
		return s.do(ctx, in.Act, func(c *admin.Client, o []admin.ActOption) (admin.Receipt, error) {
			return act(c, ctx, in.Job, o...)
		})
	})
}

// shardsAct registers an act on shards of a job.
func (s *server) shardsAct(
	api huma.API,
	op huma.Operation,
	act func(*admin.Client, context.Context, string, []int, ...admin.ActOption) (admin.Receipt, error),
) {
	register(api, op, func(ctx context.Context, in *shardsInput) (*receipt, error) {
		return s.do(ctx, in.Act, func(c *admin.Client, o []admin.ActOption) (admin.Receipt, error) {
			return act(c, ctx, in.Job, in.Body.Shards, o...)
		})
	})
}
