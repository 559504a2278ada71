package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/internal/backoff"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
)

const (
	// checkTimeout bounds one check of a password. The server needs some 60 ms
	// of a processor for it, and a fleet may ask for many at once; a check that
	// is given up costs the server as much as one that is waited for.
	checkTimeout = 30 * time.Second

	// longestPause is the longest pause between two checks of a password.
	longestPause = 5 * time.Second

	// calmAfter is the time without a check after which the next one begins
	// without a pause.
	calmAfter = 20 * time.Second

	// tries is how many tokens are tried for one call.
	tries = 3
)

// account is a user of a cluster, with the token that stands for the password.
// All stores of the process with the same user, password and servers share it.
//
// To check a password costs an etcd server a lot, by design. So a process has
// it checked once for each token that the server refuses, however many calls
// and streams were refused; all of them wait for that one check. It is bounded
// by nothing that they are bounded by: a check that is given up when a caller's
// time is over would be begun again from the start, while the server still
// works on the one before. A connection that breaks costs no check: the old
// token serves until it is refused.
type account struct {
	user     string
	password func() string

	mu     sync.Mutex
	stores int            // that use the account
	token  string         // empty if the servers have authentication turned off
	number int            // counts the tokens; 0 before the first
	check  *passwordCheck // under way; nil without one
	pause  backoff.Backoff
	last   time.Time // end of the last check

	refused refusedPassword
}

// refusedPassword is a password that the server has refused. It is not checked
// again before a pause is over.
type refusedPassword struct {
	password string
	err      error
	until    time.Time
}

// passwordCheck is one check of the password.
type passwordCheck struct {
	done chan struct{} // closed at the end

	// Valid when done is closed. errAbandoned if the store has been closed
	// that did the check.
	err error

	mu    sync.Mutex
	fault error // of the last attempt, while the check goes on
}

var errAbandoned = errors.New("the store that had the password checked was closed")

// accountKey tells apart what can't share a token.
type accountKey struct {
	hosts, user, password, security string
}

var (
	accountsMu sync.Mutex
	accounts   = map[accountKey]*account{}
)

// accountOf returns the account of a URL, and a function to be called when the
// store is closed. The account is nil without a user.
func accountOf(c store.Config, hosts []string) (a *account, release func()) {
	if c.User == "" {
		return nil, func() {}
	}
	key := accountKey{hosts: strings.Join(hosts, ","), user: c.User, password: c.CurrentPassword()}
	for _, name := range []string{"tls", "ca", "cert", "key", "server_name"} {
		key.security += name + "=" + c.Params[name] + "&"
	}
	accountsMu.Lock()
	defer accountsMu.Unlock()
	a = accounts[key]
	if a == nil {
		a = &account{user: c.User, password: c.CurrentPassword}
		accounts[key] = a
	}
	a.stores++
	return a, sync.OnceFunc(func() {
		accountsMu.Lock()
		defer accountsMu.Unlock()
		if a.stores--; a.stores == 0 {
			delete(accounts, key)
		}
	})
}

// current returns the token, and its number.
func (a *account) current() (string, int) {
	if a == nil {
		return "", 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.token, a.number
}

// login is the request for a token, on a connection of one store.
type login func(ctx context.Context, user, password string) (token string, err error)

// renew returns when there is a token with a number above old, or with the
// reason why there is none. Until then ask is called by one of all callers of
// renew, as long as life goes on.
func (a *account) renew(ctx, life context.Context, old int, ask login) error {
	for {
		c, err := a.join(life, old, ask)
		if c == nil {
			return err
		}
		select {
		case <-c.done:
			if !errors.Is(c.err, errAbandoned) {
				return c.err
			}
			if life.Err() != nil {
				return c.err
			}
		case <-ctx.Done():
			return c.late(ctx.Err())
		}
	}
}

// join returns the check that is under way, after it has begun one if there is
// none, or nil if none is needed or allowed.
func (a *account) join(life context.Context, old int, ask login) (*passwordCheck, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.number > old:
		return nil, nil
	case a.check != nil:
		return a.check, nil
	case a.refused.err != nil && time.Now().Before(a.refused.until) && a.password() == a.refused.password:
		return nil, a.refused.err
	}
	if time.Since(a.last) > calmAfter {
		a.pause = backoff.Backoff{Next: 100 * time.Millisecond, Most: longestPause}
	}
	a.check = &passwordCheck{done: make(chan struct{})}
	go a.run(life, a.check, ask, !a.last.IsZero() && time.Since(a.last) <= calmAfter)
	return a.check, nil
}

// run does a check: it asks until the server has said yes or no. soon says that
// the last check is not long ago, so that a pause comes first.
func (a *account) run(life context.Context, c *passwordCheck, ask login, soon bool) {
	for {
		if soon {
			a.pause.Wait(life)
		}
		soon = true
		password := a.password()
		ctx, cancel := context.WithTimeout(life, checkTimeout)
		token, err := ask(ctx, a.user, password)
		cancel()
		switch {
		case err == nil, is(rpctypes.Error(err), rpctypes.ErrAuthNotEnabled):
			a.end(c, token, nil, password)
			return
		case life.Err() != nil:
			a.end(c, "", errAbandoned, password)
			return
		case refusal(err) == store.ErrPermission:
			a.end(c, "", wrongPassword(a.user, err), password)
			return
		}
		c.mu.Lock()
		c.fault = err
		c.mu.Unlock()
	}
}

// end takes the result of a check over.
func (a *account) end(c *passwordCheck, token string, err error, password string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.check = nil
	a.last = time.Now()
	a.refused = refusedPassword{}
	switch {
	case err == nil:
		a.token = token
		a.number++
	case !errors.Is(err, errAbandoned):
		a.refused = refusedPassword{password: password, err: err, until: a.last.Add(a.pause.Pause())}
	}
	c.err = err
	close(c.done)
}

// late is the error of a caller whose time has ended before the check.
func (c *passwordCheck) late(cause error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault != nil {
		return &lateError{"the password could not be checked in time: " + plain(c.fault), cause}
	}
	return &lateError{"the server has not checked the password in time", cause}
}

func wrongPassword(user string, err error) error {
	return fmt.Errorf("%w; user %q does not exist or has another password", rpctypes.Error(err), user)
}

// tokenRefused reports whether the server wants another token. The error of a
// watch has only the text.
func tokenRefused(err error) bool {
	if err == nil {
		return false
	}
	wanted := []error{rpctypes.ErrInvalidAuthToken, rpctypes.ErrAuthOldRevision, rpctypes.ErrUserEmpty}
	if is(rpctypes.Error(err), wanted...) {
		return true
	}
	for _, e := range wanted {
		if strings.HasSuffix(err.Error(), e.Error()) {
			return true
		}
	}
	return false
}

// renewToken is renew for the calls and streams of a store. Without an account
// it returns the refusal.
func (s *client) renewToken(ctx context.Context, old int, refusal error) error {
	if s.account == nil {
		return refusal
	}
	return s.account.renew(ctx, s.running.Context(), old, s.login)
}

func (s *client) login(ctx context.Context, user, password string) (string, error) {
	reply, err := s.auth.Authenticate(ctx, &pb.AuthenticateRequest{Name: user, Password: password}, callOptions...)
	if err != nil {
		return "", err
	}
	return reply.Token, nil
}

// GetRequestMetadata gives gRPC the token for a call or a stream.
func (a *account) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	token, _ := a.current()
	if token == "" || ctx.Value(strangerKey{}) != nil {
		return nil, nil
	}
	return map[string]string{rpctypes.TokenFieldNameGRPC: token}, nil
}

// RequireTransportSecurity tells gRPC that a token may travel without TLS: the
// URL decides.
func (a *account) RequireTransportSecurity() bool { return false }

// strangerKey marks the context of a call that shows no token and wants none.
type strangerKey struct{}

// authenticated is an interceptor that repeats a call with another token when
// the server refuses the token. A call that was refused was not carried out.
func (s *client) authenticated(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if s.account == nil || method == pb.Auth_Authenticate_FullMethodName || ctx.Value(strangerKey{}) != nil {
		return invoke(ctx, method, request, reply, conn, opts...)
	}
	for try := 1; ; try++ {
		_, number := s.account.current()
		var err error
		if number > 0 {
			if err = invoke(ctx, method, request, reply, conn, opts...); !tokenRefused(err) {
				return err
			}
			if try == tries {
				// The library would go on for a hundred times.
				return fmt.Errorf("%w; the server refuses a token that it has just given: %w", store.ErrPermission, err)
			}
		}
		if err := s.renewToken(ctx, number, err); err != nil {
			return err
		}
	}
}
