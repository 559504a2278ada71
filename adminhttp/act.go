package adminhttp

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/adminhttp/internal/wire"
)

// viaHeader names the way by which an act came: cli, console, file or api.
const viaHeader = "Elastic-Via"

// optionsOf returns the options for package admin.
func optionsOf(a wire.Act) ([]admin.ActOption, error) {
	opts := []admin.ActOption{admin.Why(a.Why)}
	if a.DryRun {
		opts = append(opts, admin.DryRun())
	}
	if a.Force {
		opts = append(opts, admin.Force())
	}
	if a.FleetClock {
		opts = append(opts, admin.FleetClock())
	}
	if a.Key != "" {
		opts = append(opts, admin.Op(a.Key))
	}
	if a.IfMatch != "" {
		rev, err := strconv.ParseUint(strings.Trim(a.IfMatch, `"`), 10, 64)
		if err != nil || rev == 0 {
			return nil, requestProblem(http.StatusBadRequest, `If-Match: want a revision in quotes, such as "14"`)
		}
		opts = append(opts, admin.IfRevision(rev))
	}
	return opts, nil
}

// receipt is the answer to an act.
type receipt struct {
	ETag string `header:"ETag"`
	Body admin.Receipt
}

// do acts in the name of the caller.
func (s *server) do(
	ctx context.Context,
	a wire.Act,
	act func(*admin.Client, []admin.ActOption) (admin.Receipt, error),
) (*receipt, error) {
	opts, err := optionsOf(a)
	if err != nil {
		return nil, err
	}
	c, err := s.Admin.For(caller(ctx).Name, admin.Via(a.Via))
	if err != nil {
		return nil, problemOf(err)
	}
	r, err := act(c, opts)
	if err != nil {
		return nil, problemOf(err)
	}
	answer := &receipt{Body: r}
	if r.Rev > 0 {
		answer.ETag = etag(r.Rev)
	}
	return answer, nil
}

func etag(rev uint64) string { return strconv.Quote(strconv.FormatUint(rev, 10)) }

// answer is the answer to a read.
type answer[T any] struct {
	Body T
}

// read returns the answer to a read, or its problem.
func read[T any](body T, err error) (*answer[T], error) {
	if err != nil {
		return nil, problemOf(err)
	}
	return &answer[T]{body}, nil
}

// register adds a route. Its errors are problems.
func register[I, O any](api huma.API, op huma.Operation, f func(context.Context, *I) (*O, error)) {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")
	op.Responses = map[string]*huma.Response{
		"default": {
			Description: "A problem, as RFC 9457 has it.",
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
		},
	}
	huma.Register(api, op, f)
}

// operation describes a route. The paths are relative to the prefix.
func operation(id, method, path string, role Role, summary string) huma.Operation {
	return huma.Operation{
		OperationID:  id,
		Method:       method,
		Path:         path,
		Summary:      summary,
		Description:  "Needs the role " + string(role) + ".",
		Metadata:     map[string]any{roleKey: role},
		MaxBodyBytes: maxBody,
	}
}
