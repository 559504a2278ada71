package adminhttp

import (
	"errors"
	"net/http"
	"path"
	"slices"
)

// Role says which acts a caller is allowed. Each role includes those before it.
type Role string

// The roles.
const (
	RoleRead    Role = "read"    // ask
	RoleOperate Role = "operate" // trigger, cancel, disable, enable, cordon, drain, pause
	RoleAdmin   Role = "admin"   // also change and remove jobs, evict and repair
)

var order = []Role{RoleRead, RoleOperate, RoleAdmin}

// Includes reports whether a role may do what another may.
func (r Role) Includes(other Role) bool {
	has, needs := slices.Index(order, r), slices.Index(order, other)
	return has >= 0 && needs >= 0 && has >= needs
}

// Identity is who sends a request.
type Identity struct {
	Name string `json:"name"` // stored with each act
	Role Role   `json:"role"`

	// Jobs are patterns of the jobs that the caller may change, as path.Match
	// has them. None means all. Reads are not restricted.
	Jobs []string `json:"jobs,omitempty"`
}

// mayChange reports whether the patterns allow a job.
func (i Identity) mayChange(job string) bool {
	if len(i.Jobs) == 0 {
		return true
	}
	return slices.ContainsFunc(i.Jobs, func(pattern string) bool {
		ok, err := path.Match(pattern, job)
		return ok && err == nil
	})
}

// Identify says who sends a request. ErrUnidentified refuses the request with
// the status 401, ErrTooMany with 429, and any other error with 500; its text
// is logged and not sent. Identify is called from many goroutines at once.
type Identify func(*http.Request) (Identity, error)

// The errors of Identify.
var (
	ErrUnidentified = errors.New("no valid token")
	ErrTooMany      = errors.New("too many wrong tokens")
)

// Everyone returns an Identify that takes every caller for the same one. It is
// for addresses that only this machine reaches.
func Everyone(name string, role Role) Identify {
	return func(*http.Request) (Identity, error) { return Identity{Name: name, Role: role}, nil }
}
