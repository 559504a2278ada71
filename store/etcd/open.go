package etcd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
	"github.com/elasticjob-go/elastic/store/internal/remote"
	"github.com/elasticjob-go/elastic/store/internal/running"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	grpcbackoff "google.golang.org/grpc/backoff"
)

func init() {
	store.Register("etcd", store.Driver{
		Open:   func(ctx context.Context, c store.Config) (store.Store, error) { return open(ctx, c) },
		Params: remote.TLSParams,
	})
}

// defaultPort is the one that etcd registered.
const defaultPort = "2379"

// callOptions are those that the client library gives to its own calls: a call waits for a connection, as long as its
// context allows; the server alone bounds the size of requests (it refuses them, see Caps) and of replies.
var callOptions = []grpc.CallOption{grpc.WaitForReady(true), grpc.MaxCallSendMsgSize(2 << 20), grpc.MaxCallRecvMsgSize(math.MaxInt32)}

// dialOptions have a server that was away found again within a second or two; by gRPC's default it would be asked
// for only every two minutes in the end, longer than any session lives.
var dialOptions = []grpc.DialOption{
	grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           grpcbackoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
		MinConnectTimeout: 3 * time.Second,
	}),
}

// open connects to the servers of a URL and returns once one has answered a linearizable read. Tests pass more options.
func open(ctx context.Context, c store.Config, more ...grpc.DialOption) (*driver, error) {
	if len(c.Hosts) == 0 {
		return nil, fmt.Errorf("%w: the URL names no host", store.ErrInvalid)
	}
	layout := newLayout(c.Namespace)
	if len(layout.root) > maxNamespace {
		return nil, fmt.Errorf("%w: the namespace has %d bytes when escaped, at most %d are allowed", store.ErrInvalid, len(layout.root), maxNamespace)
	}
	security, err := remote.TLS(c.Params)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	hosts := remote.Addresses(c.Hosts, defaultPort)

	lines := newLines()
	dial := append([]grpc.DialOption{grpc.WithContextDialer(lines.dial), grpc.WithChainUnaryInterceptor(sendOnce, lines.overdue)}, dialOptions...)
	if name := c.Params["server_name"]; name != "" {
		// The client library names each server by its host, and gRPC prefers that to the name in the TLS configuration.
		dial = append(dial, grpc.WithAuthority(name))
	}
	if security != nil {
		dial = append(dial, grpc.WithTransportCredentials(&handshaker{security}))
	}
	set := running.New[*watch]()
	opened := context.AfterFunc(ctx, func() { set.Close(ctx) }) // as long as this function runs
	client, err := clientv3.New(clientv3.Config{
		Endpoints: hosts, Username: c.User, Password: c.Password, Context: set.Context(), Logger: zap.NewNop(), DialOptions: append(dial, more...),
		// gRPC asks for a sign of life on an idle connection no more often than this; see lines.
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 3 * time.Second,
	})
	if err != nil {
		set.Close(ctx)
		return nil, openError(ctx, hosts, err)
	}
	s := newStore(client, lines, layout, set)
	if c.RequestTimeout > 0 {
		s.timeout = c.RequestTimeout
	}
	if err := s.hello(ctx); err != nil || !opened() {
		s.Close(ctx)
		return nil, openError(ctx, hosts, err)
	}
	return s, nil
}

// hello asks for a linearizable read until it is answered. It does not wait for a connection in silence as other calls
// do, to be able to say what is wrong with it.
func (s *driver) hello(ctx context.Context) error {
	var last error
	for pause := (&backoff.Backoff{Next: 20 * time.Millisecond, Most: 500 * time.Millisecond}); ; pause.Wait(ctx) {
		reply, err := s.kv.Range(ctx, &pb.RangeRequest{Key: []byte(s.layout.probe()), CountOnly: true}, grpc.WaitForReady(false))
		if err == nil {
			s.saw(reply.Header.Revision)
			return nil
		}
		if refusal(err) != nil {
			return err
		}
		if ctx.Err() != nil {
			return errors.Join(last, ctx.Err())
		}
		// With TLS 1.3 a server's refusal of our certificate comes when we take the connection for made, and is told or
		// drowned by its end, as chance has it.
		if last == nil || !strings.Contains(last.Error(), "tls: ") {
			last = err
		}
	}
}

func openError(ctx context.Context, hosts []string, err error) error {
	class := store.ErrUnavailable
	if c := refusal(err); c != nil {
		class = c
	}
	if err == nil {
		err = ctx.Err()
	}
	return fmt.Errorf("%w: etcd at %s: %w", class, strings.Join(hosts, ", "), reason(ctx, err))
}
