package etcd

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
	"github.com/elasticjob-go/elastic/store/internal/closer"
	"github.com/elasticjob-go/elastic/store/internal/endpoint"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
)

func init() {
	store.Register("etcd", store.Driver{
		Open:   func(ctx context.Context, c store.Config) (store.Store, error) { return open(ctx, c) },
		Params: endpoint.TLSParams,
	})
}

// defaultPort is the one that etcd registered.
const defaultPort = "2379"

// callOptions are those that the client library gives to its own calls: a call
// waits for a connection, as long as its context allows; the server alone
// bounds the size of requests (it refuses them, see Caps) and of replies.
var callOptions = []grpc.CallOption{grpc.WaitForReady(true), grpc.MaxCallSendMsgSize(2 << 20), grpc.MaxCallRecvMsgSize(math.MaxInt32)}

// dialOptions have a server that was away found again within a second or two;
// by gRPC's default it would be asked for only every two minutes in the end,
// longer than any session lives.
var dialOptions = []grpc.DialOption{
	grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           grpcbackoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
		MinConnectTimeout: connectTimeout,
	}),
}

// open connects to the servers of a URL and returns once one has answered a
// linearizable read. Tests pass more options.
func open(ctx context.Context, c store.Config, more ...grpc.DialOption) (*client, error) {
	if len(c.Hosts) == 0 {
		return nil, fmt.Errorf("%w: the URL names no host", store.ErrInvalid)
	}
	if c.User != "" && c.Password == "" {
		return nil, fmt.Errorf("%w: the user has no password: write USER:PASSWORD@HOST or password_file=FILE; leave the user out if the client's certificate names it", store.ErrInvalid)
	}
	keys := newKeyspace(c.Namespace)
	if len(keys.root) > maxNamespace {
		return nil, fmt.Errorf("%w: the namespace has %d bytes when escaped, at most %d are allowed", store.ErrInvalid, len(keys.root), maxNamespace)
	}
	security, err := endpoint.TLS(c.Params)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	hosts := endpoint.Addresses(c.Hosts, defaultPort)

	set := closer.New[*watch]()
	s := newStore(newConns(security != nil), keys, set)
	s.account, s.release = accountOf(c, hosts)
	dial := append([]grpc.DialOption{
		grpc.WithContextDialer(s.conns.dial),
		grpc.WithChainUnaryInterceptor(s.authenticated, sendOnce, s.conns.overdue),
	}, dialOptions...)
	if s.account != nil {
		dial = append(dial, grpc.WithPerRPCCredentials(s.account))
	}
	if name := c.Params["server_name"]; name != "" {
		// The client library names each server by its host, and gRPC prefers
		// that to the name in the TLS configuration.
		dial = append(dial, grpc.WithAuthority(name))
	}
	if security != nil {
		dial = append(dial, grpc.WithTransportCredentials(&handshaker{security, s.conns}))
	}
	opened := context.AfterFunc(ctx, func() { set.Close(ctx) }) // as long as this function runs
	client, err := clientv3.New(clientv3.Config{
		Endpoints: hosts, Context: set.Context(), Logger: zap.NewNop(), DialOptions: append(dial, more...),
		// gRPC asks for a sign of life on an idle connection no more often than
		// this; see conns.
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 3 * time.Second,
	})
	if err != nil {
		set.Close(ctx)
		s.release()
		return nil, s.openError(ctx, hosts, err)
	}
	s.use(client)
	if c.RequestTimeout > 0 {
		s.timeout = c.RequestTimeout
	}
	if err := s.hello(ctx, hosts); err != nil || !opened() {
		s.Close(ctx)
		return nil, s.openError(ctx, hosts, err)
	}
	return s, nil
}

// hello asks for a linearizable read until it is answered. It does not wait for
// a connection in silence as other calls do, to be able to say what is wrong
// with it; and it returns at once when waiting does not help.
func (s *client) hello(ctx context.Context, hosts []string) error {
	if s.account != nil {
		if _, number := s.account.current(); number == 0 {
			// The check of the password waits for a connection. So see first
			// that there can be one.
			err := s.greet(context.WithValue(ctx, strangerKey{}, true), hosts)
			if err != nil && !is(rpctypes.Error(err), rpctypes.ErrUserEmpty, rpctypes.ErrPermissionDenied) {
				return err
			}
		}
	}
	return s.greet(ctx, hosts)
}

func (s *client) greet(ctx context.Context, hosts []string) error {
	for pause := (&backoff.Backoff{Next: 20 * time.Millisecond, Most: 500 * time.Millisecond}); ; pause.Wait(ctx) {
		reply, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte(s.keys.probe()), CountOnly: true}, grpc.WaitForReady(false))
		if err == nil {
			s.saw(reply.Header.Revision)
			return nil
		}
		if refusal(err) != nil {
			return err
		}
		f := answerFault(err)
		if f != nil && len(hosts) == 1 {
			return f
		}
		all := s.conns.faultsOf(ctx, hosts)
		final := len(all) == len(hosts)
		var texts []string
		for _, h := range all {
			final = final && h.final
			texts = append(texts, h.text)
		}
		why := error(&fault{text: strings.Join(texts, "; "), cause: err})
		switch {
		case len(all) > 0:
		case f != nil:
			why = f
		default:
			why = err
		}
		if final {
			return why
		}
		if cause := ctx.Err(); cause != nil {
			if len(all) > 0 || f != nil {
				return &lateError{why.Error(), cause}
			}
			return reason(ctx, err)
		}
	}
}

// faultsOf returns why hosts have no connection, as far as it is known. A host
// that ended a connection without a word is looked at more closely.
func (l *conns) faultsOf(ctx context.Context, hosts []string) []*fault {
	var all []*fault
	for _, addr := range hosts {
		f := l.fault(addr)
		if f == nil {
			continue
		}
		if !f.final && endedEarly(f.cause) && ctx.Err() == nil {
			if found := l.probe(ctx, addr, l.secure); found != nil {
				f = found
				l.note(addr, f)
			}
		}
		if len(hosts) > 1 {
			f = &fault{text: addr + ": " + f.text, cause: f.cause, final: f.final}
		}
		all = append(all, f)
	}
	return all
}

// openError says what is wrong, and what to do about it.
func (s *client) openError(ctx context.Context, hosts []string, err error) error {
	class := store.ErrUnavailable
	if c := refusal(err); c != nil {
		class = c
	}
	if err == nil {
		err = &lateError{"the store was opened too late", ctx.Err()}
	}
	hint := ""
	switch e := rpctypes.Error(err); {
	case is(e, rpctypes.ErrUserEmpty):
		hint = "; the server wants a user: write etcd://USER:PASSWORD@HOST, or name a certificate whose name is that of a user"
	case is(e, rpctypes.ErrPermissionDenied):
		hint = fmt.Sprintf("; the user needs a role with: grant-permission ROLE readwrite %s/ %s0", s.keys.root, s.keys.root)
	}
	return fmt.Errorf("%w: etcd at %s: %w%s", class, strings.Join(hosts, ", "), reason(ctx, err), hint)
}
