package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/atomicmax"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
	"github.com/elasticjob-go/elastic/store/internal/closer"
	"github.com/elasticjob-go/elastic/store/internal/endpoint"
	"github.com/hashicorp/consul/api"
)

func init() {
	store.Register("consul", store.Driver{
		Open:   func(ctx context.Context, c store.Config) (store.Store, error) { return open(ctx, c, nil) },
		Params: append([]string{"token", "token_env", "token_file", "dc", "ns", "partition", "session_ttl_min"}, endpoint.TLSParams...),
	})
}

// defaultPort is that of HTTP on a Consul agent, and defaultTLSPort that of
// HTTPS.
const (
	defaultPort    = "8500"
	defaultTLSPort = "8501"
)

// open connects to the agents of a URL and returns once one has answered a
// linearizable read. Tests see each request of the client library, and may
// answer it themselves, by tap.
func open(ctx context.Context, c store.Config, tap func(http.RoundTripper) http.RoundTripper) (*client, error) {
	if len(c.Hosts) == 0 {
		return nil, fmt.Errorf("%w: the URL names no host", store.ErrInvalid)
	}
	if c.User != "" || c.Password != "" {
		return nil, fmt.Errorf("%w: consul knows tokens and not users: use token_file=FILE or token_env=NAME", store.ErrInvalid)
	}
	keys := newKeyspace(c.Namespace)
	if len(keys.root) > maxNamespace {
		return nil, fmt.Errorf("%w: the namespace has %d bytes when escaped, at most %d are allowed", store.ErrInvalid, len(keys.root), maxNamespace)
	}
	security, err := endpoint.TLS(c.Params)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	secret, err := newToken(c.Params)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	least, err := leastTTL(c.Params)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	s := &client{
		token: secret, keys: keys, caps: capsFor(least, c.SessionTTL), hosts: &hosts{}, namespace: c.Params["ns"], partition: c.Params["partition"],
		timeout: store.DefaultRequestTimeout, wait: wait, probeEvery: probeEvery, patience: patience, silence: silence, leaderEvery: leaderEvery,
		running: closer.New[*watch](),
	}
	if c.RequestTimeout > 0 {
		s.timeout = c.RequestTimeout
	}
	scheme, port := "http", defaultPort
	if security != nil {
		scheme, port = "https", defaultTLSPort
	}
	for _, addr := range endpoint.Addresses(c.Hosts, port) {
		wire := newWire(security, secret, s.namespace != "" || s.partition != "")
		var transport http.RoundTripper = wire
		if tap != nil {
			transport = tap(wire)
		}
		h, err := newHost(addr, scheme, c.Params["dc"], s.namespace, s.partition, transport, wire)
		if err != nil {
			return nil, fmt.Errorf("%w: consul at %s: %w", store.ErrInvalid, addr, err)
		}
		s.hosts.all = append(s.hosts.all, h)
	}
	if err := s.hello(ctx); err != nil {
		s.Close(ctx)
		return nil, err
	}
	return s, nil
}

// leastTTL returns the shortest TTL that the servers grant. It is a setting of
// theirs, session_ttl_min, and the only way to find it out is to be refused,
// which every agent writes to its log as an error. So the URL says it, if it is
// not the default.
func leastTTL(params map[string]string) (time.Duration, error) {
	const usual, shortest = 10 * time.Second, time.Second // in less time than that, three renewals would be lost to any pause
	text, named := params["session_ttl_min"]
	if !named {
		return usual, nil
	}
	least, err := time.ParseDuration(text)
	if err != nil || least <= 0 {
		return 0, fmt.Errorf("parameter session_ttl_min=%q: want a positive duration, such as 1s, as in the configuration of the servers", text)
	}
	return max(least, shortest), nil
}

// others is how long to wait for the answers of the other hosts once one has
// answered, to know on whom to fall back.
const others = 50 * time.Millisecond

// hello asks all hosts at once, and goes on with the one that answers first:
// the others may be slow to say that they are not there.
func (s *client) hello(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		host int
		err  error
	}
	answers := make(chan answer)
	for i, h := range s.hosts.all {
		go func() { answers <- answer{i, s.greet(ctx, h)} }()
	}
	errs := make([]error, len(s.hosts.all))
	class, found := error(store.ErrUnavailable), false
	for range s.hosts.all {
		a := <-answers
		h := s.hosts.all[a.host]
		errs[a.host] = a.err
		switch refused := refusal(a.err); {
		case a.err == nil:
			s.heard(h)
			if !found {
				found = true
				s.hosts.at.Store(int32(a.host))
				defer time.AfterFunc(others, cancel).Stop()
			}
		case final(refused) && !found && class == store.ErrUnavailable:
			class = refused
			cancel()
		default:
			atomicmax.Raise(&h.failed, int64(time.Since(epoch)))
		}
	}
	if found {
		return nil
	}
	var text []string
	for i, h := range s.hosts.all {
		text = append(text, fmt.Sprintf("consul at %s: %v", h.addr, errs[i]))
	}
	return because(ctx, fmt.Errorf("%w: %s", class, strings.Join(text, "; ")))
}

// manyOps is one more operation than a transaction could have before Consul
// 1.14, which has what is needed besides.
const manyOps = 65

// greetPatience is the time that the first attempt to greet a host has. Each
// attempt has twice that of the one before.
const greetPatience = time.Second

// greet asks one host until it answers: a transaction that only reads, with
// more operations than old servers take, for a key that is not there. It needs
// no rights but to read below the namespace.
func (s *client) greet(ctx context.Context, h *host) error {
	ops := make(api.KVTxnOps, manyOps)
	for i := range ops {
		ops[i] = s.op(checkAt, s.keys.probe())
	}
	var last error
	patience, failures, finals := greetPatience, 0, 0
	for pause := (&backoff.Backoff{Next: 20 * time.Millisecond, Most: 500 * time.Millisecond}); ; pause.Wait(ctx) {
		// One that takes the connection and never answers is left for another
		// of the host's addresses. One that is slow is given more time.
		inTime, cancel := context.WithTimeout(ctx, patience)
		_, reply, _, err := h.api.KV().Txn(ops, s.query(inTime))
		cancel()
		patience *= 2
		var status *statusError
		switch {
		case errors.As(err, &status) && status.code == http.StatusRequestEntityTooLarge:
			return &statusError{http.StatusBadRequest, fmt.Sprintf("the server is older than Consul 1.14, which is the first that will do: %s", status.text)}
		case errors.As(err, &status) && status.code == http.StatusNotFound:
			return &statusError{http.StatusBadRequest, "this is no Consul, or one of before 2016: it has no transactions"}
		case err == nil:
			for _, e := range reply.Errors {
				if f, why := (&plan{ops: ops, keys: make([]string, manyOps)}).faultOf(e); f == denied {
					return deniedError{why}
				}
			}
			// An edition without namespaces and partitions ignores them in
			// transactions, and refuses them here.
			if s.namespace == "" && s.partition == "" {
				return nil
			}
			if _, _, err = h.api.KV().Get(s.keys.probe(), s.query(ctx)); err == nil {
				return nil
			}
		}
		if failures++; failures&(failures-1) == 0 && ctx.Err() == nil && h.wire.speaksTLS(ctx, h.addr, err) {
			err = errSpeaksTLS // asked less and less often, for a server that is not ready yet
		}
		reason, certain := explain(err)
		if final(refusal(err)) {
			return reason
		}
		if certain {
			finals++
		}
		// What says more wins: an agent that refuses a connection, or a
		// certificate, is told or drowned by the end of the connection, as
		// chance has it.
		if last == nil || ctx.Err() == nil && weight(reason) >= weight(last) {
			last = reason
		}
		if ctx.Err() != nil || finals > 0 && finals >= h.wire.dialer.Addresses(h.addr) {
			return last
		}
		h.turn()
	}
}
