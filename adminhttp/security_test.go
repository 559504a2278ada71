package adminhttp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/adminhttp"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

func newStore(t *testing.T) store.Store {
	t.Helper()
	p := store.NewPortable(memory.NewServer().Connect("admin"), store.Config{})
	t.Cleanup(func() { p.Close(context.Background()) })
	return p
}

// request sends a request and returns the status and the problem, if it is one.
func request(t *testing.T, r *http.Request) (int, adminhttp.Problem) {
	t.Helper()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p adminhttp.Problem
	if answer.StatusCode >= 400 {
		if got := answer.Header.Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("%s %s: %d with the content type %q: %s", r.Method, r.URL.Path, answer.StatusCode, got, text)
		}
		if err := json.Unmarshal(text, &p); err != nil || p.Detail == "" || p.Status != answer.StatusCode {
			t.Errorf("%s %s: %d is not a problem: %s", r.Method, r.URL.Path, answer.StatusCode, text)
		}
	}
	return answer.StatusCode, p
}

func newRequest(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, reader)
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// routes are all routes with a body that fits, and the role that they need.
var routes = []struct {
	method, path, body string
	role               adminhttp.Role
}{
	{"GET", "/me", "", adminhttp.RoleRead},
	{"GET", "/overview", "", adminhttp.RoleRead},
	{"GET", "/jobs", "", adminhttp.RoleRead},
	{"GET", "/jobs/report", "", adminhttp.RoleRead},
	{"GET", "/jobs/report/shards", "", adminhttp.RoleRead},
	{"GET", "/jobs/report/revisions", "", adminhttp.RoleRead},
	{"GET", "/jobs/report/why", "", adminhttp.RoleRead},
	{"GET", "/instances", "", adminhttp.RoleRead},
	{"GET", "/instances/a@1", "", adminhttp.RoleRead},
	{"GET", "/instances/a@1/why", "", adminhttp.RoleRead},
	{"GET", "/cordons", "", adminhttp.RoleRead},
	{"GET", "/audit", "", adminhttp.RoleRead},
	{"GET", "/doctor", "", adminhttp.RoleRead},
	{"POST", "/doctor", "", adminhttp.RoleOperate},
	{"POST", "/jobs/report/trigger", "{}", adminhttp.RoleOperate},
	{"POST", "/jobs/report/cancel", `{"trigger":1}`, adminhttp.RoleOperate},
	{"POST", "/jobs/report/disable", "", adminhttp.RoleOperate},
	{"POST", "/jobs/report/enable", "", adminhttp.RoleOperate},
	{"POST", "/jobs/report/shards/disable", `{"shards":[0]}`, adminhttp.RoleOperate},
	{"POST", "/jobs/report/shards/enable", `{"shards":[0]}`, adminhttp.RoleOperate},
	{"PUT", "/cordons/web-1", `{"action":"cordon"}`, adminhttp.RoleOperate},
	{"DELETE", "/cordons/web-1", "", adminhttp.RoleOperate},
	{"POST", "/pause", "", adminhttp.RoleOperate},
	{"POST", "/resume", "", adminhttp.RoleOperate},
	{"PUT", "/jobs/report", `{"name":"report","schedule":"@daily","shards":1}`, adminhttp.RoleAdmin},
	{"POST", "/jobs/report/rollback", `{"rev":1}`, adminhttp.RoleAdmin},
	{"DELETE", "/jobs/report", "", adminhttp.RoleAdmin},
	{"POST", "/jobs/report/restore", "", adminhttp.RoleAdmin},
	{"POST", "/instances/a@1/leave", "", adminhttp.RoleAdmin},
	{"DELETE", "/instances/a@1", "", adminhttp.RoleAdmin},
	{"POST", "/repair", `{"key":"jobs/report"}`, adminhttp.RoleAdmin},
}

// roles are those to try; "" is a caller without a token.
var roles = []adminhttp.Role{"", "guest", adminhttp.RoleRead, adminhttp.RoleOperate, adminhttp.RoleAdmin}

// Each route is open to the roles that include its own, and to no other. The
// table has every route of the OpenAPI document.
func TestRoles_EachRoute(t *testing.T) {
	var who adminhttp.Identity
	var fails error
	url := serve(t, newStore(t), func(*http.Request) (adminhttp.Identity, error) { return who, fails })
	for _, route := range routes {
		for _, role := range roles {
			who, fails = adminhttp.Identity{Name: "li", Role: role}, nil
			if role == "" {
				fails = adminhttp.ErrUnidentified
			}
			got, p := request(t, newRequest(t, route.method, url+"/api/v1"+route.path, route.body))
			refused := got == http.StatusForbidden || got == http.StatusUnauthorized
			switch {
			case role == "" && got != http.StatusUnauthorized:
				t.Errorf("%s %s without a token: got %d", route.method, route.path, got)
			case role != "" && role.Includes(route.role) && refused:
				t.Errorf("%s %s as %s: refused: %s", route.method, route.path, role, p.Detail)
			case role != "" && !role.Includes(route.role) && got != http.StatusForbidden:
				t.Errorf("%s %s as %s: got %d, want 403", route.method, route.path, role, got)
			case got >= 500:
				t.Errorf("%s %s as %s: got %d: %s", route.method, route.path, role, got, p.Detail)
			}
		}
	}
	documented := 0
	for _, item := range document(t)["paths"].(map[string]any) {
		documented += len(item.(map[string]any))
	}
	if documented != len(routes) {
		t.Errorf("the document has %d operations and the table %d", documented, len(routes))
	}
}

// document returns the committed OpenAPI document.
func document(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// A caller with patterns changes the jobs that match, and nothing else.
func TestJobs_PatternsRestrictChanges(t *testing.T) {
	who := adminhttp.Identity{Name: "li", Role: adminhttp.RoleAdmin, Jobs: []string{"report-*"}}
	url := serve(t, newStore(t), func(*http.Request) (adminhttp.Identity, error) { return who, nil }) + "/api/v1"
	job := func(name string) string { return fmt.Sprintf(`{"name":%q,"schedule":"@daily","shards":1}`, name) }
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"PUT", "/jobs/report-a", job("report-a"), http.StatusOK},
		{"PUT", "/jobs/billing", job("billing"), http.StatusForbidden},
		{"GET", "/jobs/billing", "", http.StatusNotFound},
		{"GET", "/jobs", "", http.StatusOK},
		{"POST", "/pause", "", http.StatusForbidden},
		{"PUT", "/cordons/web-1", `{"action":"drain"}`, http.StatusForbidden},
		{"POST", "/repair", `{"key":"jobs/billing"}`, http.StatusForbidden},
	} {
		if got, p := request(t, newRequest(t, c.method, url+c.path, c.body)); got != c.want {
			t.Errorf("%s %s: got %d, want %d: %s", c.method, c.path, got, c.want, p.Detail)
		}
	}
}

// What a request can have wrong is refused with a problem, and writes nothing.
func TestRequests_BadInput(t *testing.T) {
	s := newStore(t)
	a, err := admin.New(s, admin.As("li"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close(context.Background())
	h, err := adminhttp.New(adminhttp.Options{
		Admin:    a,
		Identify: adminhttp.Everyone("li", adminhttp.RoleAdmin),
		Hosts:    adminhttp.Loopback(),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	const fits = `{"name":"a","schedule":"@daily","shards":1}`
	for _, c := range []struct {
		name, method, path, body string
		change                   func(*http.Request)
		want                     int
		detail                   string
	}{
		{
			name:   "an unknown field",
			method: "PUT",
			path:   "/jobs/a",
			body:   `{"name":"a","schedul":"@daily"}`,
			want:   422,
		},
		{
			name:   "a key twice",
			method: "PUT",
			path:   "/jobs/a",
			body:   `{"name":"a","shards":1,"shards":2}`,
			want:   400,
			detail: `"shards" twice`,
		},
		{
			name:   "half a body",
			method: "PUT",
			path:   "/jobs/a",
			body:   `{"name":`,
			want:   400,
		},
		{
			name:   "no UTF-8",
			method: "PUT",
			path:   "/jobs/a",
			body:   "{\"name\":\"\xff\"}",
			want:   400,
			detail: "UTF-8",
		},
		{
			name:   "another name",
			method: "PUT",
			path:   "/jobs/b",
			body:   fits,
			want:   422,
			detail: "not that of the path",
		},
		{
			name:   "no body",
			method: "PUT",
			path:   "/jobs/a",
			want:   400,
		},
		{
			name:   "deep",
			method: "PUT",
			path:   "/jobs/a",
			body:   strings.Repeat("[", 40),
			want:   400,
			detail: "nested deeper",
		},
		{
			name:   "too large",
			method: "PUT",
			path:   "/jobs/a",
			body:   `{"name":"` + strings.Repeat("a", 2<<20) + `"}`,
			want:   413,
		},
		{
			name:   "another content type",
			method: "PUT",
			path:   "/jobs/a",
			body:   fits,
			want:   415,
			change: func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
		},
		{
			name:   "a revision that is none",
			method: "POST",
			path:   "/jobs/a/disable",
			want:   400,
			detail: "If-Match",
			change: func(r *http.Request) { r.Header.Set("If-Match", "yesterday") },
		},
		{
			name:   "a key that is no UUID",
			method: "POST",
			path:   "/jobs/a/disable",
			want:   422,
			change: func(r *http.Request) { r.Header.Set("Idempotency-Key", "again") },
		},
		{
			name:   "an unknown parameter",
			method: "GET",
			path:   "/jobs?colour=red",
			want:   422,
		},
		{
			name:   "a limit that is no number",
			method: "GET",
			path:   "/jobs?limit=many",
			want:   422,
		},
		{
			name:   "a reason of 300 bytes",
			method: "POST",
			path:   "/jobs/a/disable?why=" + strings.Repeat("x", 300),
			want:   422,
		},
		{
			name:   "no route",
			method: "GET",
			path:   "/nowhere",
			want:   404,
		},
		{
			name:   "another method",
			method: "PATCH",
			path:   "/jobs/a",
			want:   404,
		},
		{
			name:   "another origin",
			method: "POST",
			path:   "/pause",
			want:   403,
			detail: "another origin",
			change: func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		},
		{
			name:   "another name for this machine",
			method: "GET",
			path:   "/jobs",
			want:   403,
			detail: "host",
			change: func(r *http.Request) { r.Host = "evil.example" },
		},
	} {
		r := newRequest(t, c.method, server.URL+"/api/v1"+c.path, c.body)
		if c.change != nil {
			c.change(r)
		}
		got, p := request(t, r)
		if got != c.want || !strings.Contains(p.Detail, c.detail) {
			t.Errorf("%s: got %d %q, want %d with %q", c.name, got, p.Detail, c.want, c.detail)
		}
	}
	if page, err := a.Jobs(t.Context(), admin.JobQuery{}); err != nil || page.Total != 0 {
		t.Errorf("something was written: %+v, %v", page, err)
	}
	if page, err := a.Audit(t.Context(), admin.AuditQuery{}); err != nil || page.Total != 0 {
		t.Errorf("something was written: %+v, %v", page, err)
	}
}

// Tokens are told apart, expire, are read again when the file changes, and stop
// being tried after five failures.
func TestTokens_Identify(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens.yaml")
	write := func(entries ...string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("tokens:\n"+strings.Join(entries, "")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	newToken := func(name string, role adminhttp.Role, expires time.Time) (string, string) {
		t.Helper()
		secret, entry, err := adminhttp.NewToken(name, role, expires)
		if err != nil {
			t.Fatal(err)
		}
		return secret, entry
	}
	li, liEntry := newToken("li", adminhttp.RoleAdmin, time.Time{})
	old, oldEntry := newToken("old", adminhttp.RoleRead, time.Now().Add(-time.Minute))
	write(liEntry, oldEntry)
	faults := newFaults()
	tokens, err := adminhttp.LoadTokens(file, faults.add)
	if err != nil {
		t.Fatal(err)
	}
	identify := func(address, authorization string) (adminhttp.Identity, error) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = address + ":1234"
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		return tokens.Identify(r)
	}
	who, err := identify("10.0.0.1", "Bearer "+li)
	if err != nil || who.Name != "li" || who.Role != adminhttp.RoleAdmin {
		t.Errorf("got %+v, %v", who, err)
	}
	for _, wrong := range []string{"", "Bearer " + old, "Bearer nonsense", "Basic " + li, "Bearer "} {
		if who, err := identify("10.0.0.1", wrong); err != adminhttp.ErrUnidentified {
			t.Errorf("%.12q: got %+v, %v", wrong, who, err)
		}
	}
	for range 5 {
		identify("10.0.0.2", "Bearer nonsense")
	}
	if _, err := identify("10.0.0.2", "Bearer "+li); err != adminhttp.ErrTooMany {
		t.Errorf("after five failures: got %v", err)
	}
	if _, err := identify("10.0.0.3", "Bearer "+li); err != nil {
		t.Errorf("another address: got %v", err)
	}

	ada, adaEntry := newToken("ada", adminhttp.RoleOperate, time.Time{})
	await := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("waited in vain for %s", what)
			}
		}
	}
	write("  - nonsense\n")
	await("the fault", func() bool { identify("10.0.0.4", "Bearer "+li); return faults.count() > 0 })
	if _, err := identify("10.0.0.4", "Bearer "+li); err != nil {
		t.Errorf("after a faulty file: got %v", err)
	}
	write(adaEntry)
	n := 10
	await("the new token", func() bool {
		n++ // an address of its own, so that failures do not add up
		who, err := identify(fmt.Sprintf("10.0.1.%d", n%250), "Bearer "+ada)
		return err == nil && who.Name == "ada"
	})
	if _, err := identify("10.0.0.5", "Bearer "+li); err != adminhttp.ErrUnidentified {
		t.Errorf("a token that was taken out: got %v", err)
	}
}

// faultList collects errors.
type faultList struct{ all chan error }

func newFaults() *faultList { return &faultList{make(chan error, 100)} }

func (f *faultList) add(err error) { f.all <- err }
func (f *faultList) count() int    { return len(f.all) }

// Files of tokens with faults are refused with all of them, and no hash is
// shown.
func TestTokens_RefusesFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens.yaml")
	hash := strings.Repeat("ab", 32)
	for _, c := range []struct {
		text string
		mode os.FileMode
		want string
	}{
		{"tokens: []", 0o600, "there is no token"},
		{"tokens: [{name: a, role: root, sha256: beef}]", 0o600, "role: want read, operate or admin"},
		{"tokens: [{name: a, role: root, sha256: beef}]", 0o600, "64 hexadecimal digits"},
		{"tokens: [{name: a, secret: x}]", 0o600, "secret"},
		{"tokens: [{name: a, role: read, sha256: " + hash + ", jobs: ['[']}]", 0o600, "is not a pattern"},
		{"tokens: []", 0o666, "chmod go-w"},
	} {
		if err := os.WriteFile(file, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := adminhttp.LoadTokens(file, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.text, err, c.want)
		}
	}
	if _, _, err := adminhttp.NewToken("", "root", time.Time{}); err == nil {
		t.Error("a token without a name and with a wrong role was made")
	}
}

// An address that other machines reach needs identification.
func TestListen_RefusesOpenAddress(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:0": true,
		"[::1]:0":     hasIPv6(),
		"localhost:0": true,
		":0":          false,
		"0.0.0.0:0":   false,
		"[::]:0":      false,
		"nonsense":    false,
	} {
		l, err := adminhttp.Listen(address, false)
		if err == nil {
			l.Close()
		}
		if (err == nil) != want {
			t.Errorf("%s: got %v", address, err)
		}
	}
	l, err := adminhttp.Listen("0.0.0.0:0", true)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func hasIPv6() bool {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// A client that sends its header byte by byte is cut off.
func TestServer_CutsSlowClients(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for a timeout of seconds")
	}
	l, err := adminhttp.Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	server := adminhttp.NewServer(http.NotFoundHandler())
	server.ReadHeaderTimeout = 200 * time.Millisecond
	go server.Serve(l)
	defer server.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	for i := 0; ; i++ {
		if _, err := conn.Write([]byte("G")); err != nil {
			return
		}
		one := make([]byte, 1)
		conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := conn.Read(one); err != nil && !os.IsTimeout(err) {
			return
		}
		if i > 400 {
			t.Fatal("a slow client was never cut off")
		}
	}
}

// A store that is closed is a problem of its own.
func TestProblems_ClosedStore(t *testing.T) {
	closed := newStore(t)
	closed.Close(t.Context())
	url := serve(t, closed, adminhttp.Everyone("li", adminhttp.RoleAdmin))
	got, p := request(t, newRequest(t, "GET", url+"/api/v1/jobs", ""))
	if got != http.StatusServiceUnavailable || strings.Contains(p.Detail, "memory://") {
		t.Errorf("got %d %q", got, p.Detail)
	}
}
