package adminhttp

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/status"
	"github.com/elasticjob-go/elastic/store"
)

// Problem is the body of an answer that is an error, as RFC 9457 has it.
type Problem struct {
	Type   string `json:"type" doc:"Names the cause, such as /problems/changed."`
	Title  string `json:"title" doc:"The cause in words."`
	Status int    `json:"status" doc:"The HTTP status."`
	Detail string `json:"detail" doc:"What was tried, on what, and what is wrong."`

	// Faults are those of the fields of the request.
	Faults []admin.Fault `json:"faults,omitempty"`

	// Rev and Changed say who changed a job meanwhile.
	Rev     uint64         `json:"rev,omitempty"`
	Changed *status.Change `json:"changed,omitempty"`

	// Key is the key whose value can't be read.
	Key string `json:"key,omitempty"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// problemPath is the path of all types of problems.
const problemPath = "/problems/"

// cause is a cause of errors with its form over HTTP.
type cause struct {
	err    error
	name   string
	status int
}

// causes are looked through in their order: an error can have several.
var causes = []cause{
	{store.ErrUnknown, "unknown-outcome", http.StatusBadGateway},
	{admin.ErrNotFound, "not-found", http.StatusNotFound},
	{admin.ErrChanged, "changed", http.StatusPreconditionFailed},
	{admin.ErrRemoved, "removed", http.StatusGone},
	{admin.ErrExists, "exists", http.StatusConflict},
	{admin.ErrDisabled, "disabled", http.StatusConflict},
	{admin.ErrUnclaimed, "unclaimed", http.StatusConflict},
	{admin.ErrBroadcast, "broadcast", http.StatusConflict},
	{admin.ErrBusy, "busy", http.StatusConflict},
	{admin.ErrClock, "clock", http.StatusConflict},
	{admin.ErrRefused, "refused", http.StatusConflict},
	{admin.ErrUnreadable, "unreadable", http.StatusConflict},
	{admin.ErrInvalid, "invalid", http.StatusUnprocessableEntity},
	{store.ErrTooLarge, "too-large", http.StatusUnprocessableEntity},
	{store.ErrInvalid, "invalid", http.StatusUnprocessableEntity},
	{store.ErrPermission, "store-permission", http.StatusBadGateway},
	{store.ErrUnavailable, "store-unavailable", http.StatusServiceUnavailable},
	{store.ErrClosed, "closed", http.StatusServiceUnavailable},
}

// problemOf returns an error of package admin as a problem.
func problemOf(err error) *Problem {
	p := &Problem{
		Type:   problemPath + "internal",
		Title:  http.StatusText(http.StatusInternalServerError),
		Status: http.StatusInternalServerError,
		Detail: err.Error(),
	}
	for _, c := range causes {
		if errors.Is(err, c.err) {
			p.Type = problemPath + c.name
			p.Title = c.err.Error()
			p.Status = c.status
			break
		}
	}
	var changed *admin.ChangedError
	if errors.As(err, &changed) {
		p.Rev, p.Changed = changed.Rev, &changed.By
	}
	var unreadable *admin.UnreadableError
	if errors.As(err, &unreadable) {
		p.Key = unreadable.Key
	}
	var invalid *admin.InvalidError
	if errors.As(err, &invalid) {
		p.Faults = invalid.Faults
	}
	return p
}

// requestProblem is the problem of a request that does not fit the API.
func requestProblem(status int, message string, errs ...error) *Problem {
	p := &Problem{
		Type:   problemPath + strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "-"),
		Title:  http.StatusText(status),
		Status: status,
		Detail: message,
	}
	for _, err := range errs {
		if err == nil {
			continue
		}
		var detail huma.ErrorDetailer
		if !errors.As(err, &detail) {
			p.Faults = append(p.Faults, admin.Fault{Want: err.Error()})
			continue
		}
		d := detail.ErrorDetail()
		p.Faults = append(p.Faults, admin.Fault{
			Field: strings.TrimPrefix(d.Location, "body."),
			Want:  fmt.Sprintf("%s: %s, is %.80s", d.Location, d.Message, fmt.Sprint(d.Value)),
		})
	}
	return p
}

// transform makes problems of the errors that huma answers with itself.
func transform(_ huma.Context, _ string, body any) (any, error) {
	e, ok := body.(*huma.ErrorModel)
	if !ok {
		return body, nil
	}
	var errs []error
	for _, detail := range e.Errors {
		errs = append(errs, detail)
	}
	return requestProblem(e.Status, e.Detail, errs...), nil
}

// errorOf returns the error that a problem was.
func (p *Problem) errorOf() error {
	name := strings.TrimPrefix(p.Type, problemPath)
	for _, c := range causes {
		if c.name == name {
			return &remoteError{problem: p, cause: c.err}
		}
	}
	switch p.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return &remoteError{problem: p, cause: ErrForbidden}
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		return &remoteError{problem: p, cause: admin.ErrInvalid}
	case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusGatewayTimeout, http.StatusBadGateway:
		return &remoteError{problem: p, cause: store.ErrUnavailable}
	}
	return &remoteError{problem: p}
}

// ErrForbidden: the caller's role does not suffice, or the token is wrong.
var ErrForbidden = errors.New("not allowed")

// remoteError is an error that a server answered with.
type remoteError struct {
	problem *Problem
	cause   error
}

func (e *remoteError) Error() string { return e.problem.Detail }

// Unwrap returns the cause, and the typed error that it was.
func (e *remoteError) Unwrap() []error {
	var all []error
	if e.cause != nil {
		all = append(all, e.cause)
	}
	p := e.problem
	if p.Changed != nil {
		all = append(all, &admin.ChangedError{Rev: p.Rev, By: *p.Changed})
	}
	if p.Key != "" {
		all = append(all, &admin.UnreadableError{Key: p.Key, Err: errors.New(p.Detail)})
	}
	if len(p.Faults) > 0 {
		all = append(all, &admin.InvalidError{Faults: p.Faults})
	}
	return all
}
