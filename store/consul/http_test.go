package consul

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/storetest"
)

// What an answer means for a write is decided here: a class says that nothing
// was done and never will be, nil that nobody knows.
func TestAnswersAreTakenForWhatTheySay(t *testing.T) {
	none := http.Header{}
	index, leaderless := http.Header{"X-Consul-Index": {"7"}}, http.Header{"X-Consul-Index": {"7"}, "X-Consul-Knownleader": {"false"}}
	for _, c := range []struct {
		name         string
		method, path string
		code         int
		header       http.Header
		text         string
		usable       bool
		class        error
	}{
		{"a key", "GET", "/v1/kv/k", 200, index, "", true, nil},
		{"no key", "GET", "/v1/kv/k", 404, index, "", true, nil},
		{"no such page", "GET", "/v1/kv/k", 404, none, "404 page not found", false, store.ErrUnavailable},
		{"a read without a leader", "GET", "/v1/kv/k", 200, leaderless, "", false, store.ErrUnavailable},
		{"no key, without a leader", "GET", "/v1/kv/k", 404, leaderless, "", false, store.ErrUnavailable},
		{"a write, whatever it says of leaders", "PUT", "/v1/txn", 200, leaderless, "", true, nil},
		{"a conflict", "PUT", "/v1/txn", 409, none, "", true, nil},
		{"no session", "PUT", "/v1/session/renew/x", 404, none, "Session id 'x' not found", true, nil},
		{"denied", "PUT", "/v1/txn", 403, none, "Permission denied", false, store.ErrPermission},
		{"too large", "PUT", "/v1/txn", 413, none, "too large", false, store.ErrTooLarge},
		{"nonsense", "PUT", "/v1/txn", 400, none, "Failed to parse body", false, store.ErrInvalid},
		{"too much", "PUT", "/v1/txn", 429, none, "slow down", false, store.ErrUnavailable},
		{"no leader", "PUT", "/v1/txn", 500, none, "rpc error: No cluster leader", false, store.ErrUnavailable},
		{"a leader that has lost its leadership", "PUT", "/v1/txn", 500, none, "leadership lost while committing log", false, nil},
		{"a server that ends", "PUT", "/v1/txn", 500, none, "rpc error making call: EOF", false, nil},
		{"a proxy", "PUT", "/v1/txn", 502, none, "Bad Gateway", false, nil},
		{"another", "PUT", "/v1/txn", 503, none, "upstream connect error", false, nil},
		{"a redirect", "PUT", "/v1/txn", 307, none, "", false, nil},
	} {
		r, _ := http.NewRequest(c.method, "http://h"+c.path, nil)
		err := unusable(r, &http.Response{StatusCode: c.code, Header: c.header, Body: io.NopCloser(strings.NewReader(c.text))})
		storetest.Equal(t, c.name+": usable", err == nil, c.usable)
		storetest.Equal(t, c.name+": class", refusal(err), c.class)
	}
}
