package adminhttp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

type identityKey struct{}

// caller returns who sends the request of a context.
func caller(ctx context.Context) Identity {
	i, _ := ctx.Value(identityKey{}).(Identity)
	return i
}

const roleKey = "role" // of an operation's metadata

// identify finds out who calls, and refuses those whose role or patterns do not
// suffice for the operation.
func (s *server) identify(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(c huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(c)
		who, err := s.Identify(r)
		switch {
		case errors.Is(err, ErrUnidentified):
			w.Header().Set("WWW-Authenticate", `Bearer realm="elastic"`)
			refuse(w, http.StatusUnauthorized, "send a valid token, as Authorization: Bearer …")
			return
		case errors.Is(err, ErrTooMany):
			w.Header().Set("Retry-After", "60")
			refuse(w, http.StatusTooManyRequests, "too many wrong tokens came from this address; wait a minute")
			return
		case err != nil:
			s.Log.Error("a caller could not be identified", "error", err)
			refuse(w, http.StatusInternalServerError, "the caller could not be identified; the server's log says why")
			return
		}
		needs, _ := c.Operation().Metadata[roleKey].(Role)
		if !who.Role.Includes(needs) {
			refuse(w, http.StatusForbidden,
				"this needs the role "+string(needs)+"; "+who.Name+" has "+string(who.Role))
			return
		}
		if job := c.Param("job"); needs != RoleRead && job != "" && !who.mayChange(job) {
			refuse(w, http.StatusForbidden, who.Name+" may not change the job "+job)
			return
		}
		if needs != RoleRead && c.Param("job") == "" && len(who.Jobs) > 0 {
			refuse(w, http.StatusForbidden, who.Name+" may change some jobs only, and nothing else")
			return
		}
		next(huma.WithValue(c, identityKey{}, who))
	}
}

// refuse answers a request with a problem.
func refuse(w http.ResponseWriter, status int, detail string) {
	writeProblem(w, requestProblem(status, detail))
}

func writeProblem(w http.ResponseWriter, p *Problem) {
	text, err := json.Marshal(p)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_, _ = w.Write(text) // the caller may be gone
}
