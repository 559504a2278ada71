package adminhttp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/adminhttp/internal/wire"
)

// Options configure New. Admin and Identify are required.
type Options struct {
	// Admin is a client of the namespace. Acts are done in the name of the
	// caller; the name of the client itself is not used.
	Admin *admin.Client

	// Identify says who sends a request.
	Identify Identify

	// Hosts are the names by which the API is addressed, without a port. None
	// means any. Other names are refused, which keeps web pages from reaching a
	// server on the reader's own machine by a name of theirs.
	Hosts []string

	// Log receives what callers are not told. Nil discards it.
	Log *slog.Logger
}

// The limits of the API.
const (
	maxBody     = 1 << 20
	maxInFlight = 64
	maxTime     = 15 * time.Second
)

// New returns the handler of the API: all paths below /api/v1.
func New(o Options) (http.Handler, error) {
	if o.Admin == nil {
		return nil, errors.New("make the HTTP API: Options.Admin is nil")
	}
	if o.Identify == nil {
		return nil, errors.New("make the HTTP API: Options.Identify is nil; see Tokens and Everyone")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &server{Options: o, slots: make(chan struct{}, maxInFlight)}
	return s.guard(s.mux()), nil
}

type server struct {
	Options
	slots chan struct{} // one for each request in flight
}

const prefix = "/api/v1"

// mux returns the routes.
func (s *server) mux() *http.ServeMux {
	mux := http.NewServeMux()
	api := humago.NewWithPrefix(mux, prefix, config())
	api.UseMiddleware(s.identify(api))
	s.jobRoutes(api)
	s.runRoutes(api)
	s.instanceRoutes(api)
	s.namespaceRoutes(api)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, r.Method+" "+r.URL.Path+" is no route of this API")
	})
	return mux
}

// config returns huma's configuration: no pages, no links to schemas in bodies.
func config() huma.Config {
	c := huma.DefaultConfig("elastic", "v1")
	c.Info.Description = "Read and change the jobs and instances of a namespace."
	c.CreateHooks = nil
	c.Transformers = []huma.Transformer{transform}
	c.DocsPath, c.SchemasPath = "", ""
	c.RejectUnknownQueryParameters = true
	c.Servers = []*huma.Server{{URL: prefix}}
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer"},
	}
	c.Security = []map[string][]string{{"token": {}}}
	c.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[elastic.Job](), reflect.TypeFor[wire.JobConfig]())
	return c
}

// schemaName names the schema of a type. Two packages have a Change.
func schemaName(t reflect.Type, hint string) string {
	if t == reflect.TypeFor[admin.Change]() {
		return "FieldChange"
	}
	return huma.DefaultSchemaNamer(t, hint)
}

// guard refuses requests before they reach a route.
func (s *server) guard(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, "the request comes from a page of another origin")
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		if !s.named(r.Host) {
			refuse(w, http.StatusForbidden, "this host is not served here; use one of: "+strings.Join(s.Hosts, ", "))
			return
		}
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			h.Set("Retry-After", "1")
			refuse(w, http.StatusServiceUnavailable, "too many requests are in flight; try again in a second")
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), maxTime)
		defer cancel()
		r = r.WithContext(ctx)
		if p := readBody(w, r); p != nil {
			writeProblem(w, p)
			return
		}
		origins.Handler(next).ServeHTTP(w, r)
	})
}

// named reports whether a Host header has one of the names.
func (s *server) named(host string) bool {
	if len(s.Hosts) == 0 {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	for _, h := range s.Hosts {
		if strings.EqualFold(h, host) {
			return true
		}
	}
	return false
}
