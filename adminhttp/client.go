package adminhttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/admin"
	"github.com/elasticjob-go/elastic/status"
	"github.com/elasticjob-go/elastic/store"
)

// Client implements admin.API through a server. Make it with [NewClient]. Its
// methods are safe for concurrent use.
//
// Errors have the causes that admin.Client's have, and [ErrForbidden]. An act
// whose answer was lost is sent again with the same op, so it is done once. If
// there is no answer to that either, the error is store.ErrUnknown.
type Client struct {
	base  string
	token string
	via   admin.Via
	http  *http.Client
}

// ClientOption configures a Client.
type ClientOption func(*Client)

// Token is sent with each request.
func Token(secret string) ClientOption { return func(c *Client) { c.token = secret } }

// Through says by which way the client's acts come. The default is
// admin.ViaAPI.
func Through(via admin.Via) ClientOption { return func(c *Client) { c.via = via } }

// Over sends requests through a client of the caller's, with its TLS and its
// proxies.
func Over(client *http.Client) ClientOption { return func(c *Client) { c.http = client } }

// NewClient returns a client of the server at a URL such as
// https://elastic.example.com. Nothing is sent.
func NewClient(server string, options ...ClientOption) (*Client, error) {
	u, err := url.Parse(server)
	switch {
	case err != nil:
		return nil, errors.New("make the client: the URL can't be read; want one such as https://elastic.example.com")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, errors.New("make the client: want a URL such as https://elastic.example.com")
	case u.User != nil:
		return nil, errors.New("make the client: the URL holds a user; send a token in its place")
	}
	c := &Client{
		base: strings.TrimSuffix(u.Scheme+"://"+u.Host+u.EscapedPath(), "/") + prefix,
		via:  admin.ViaAPI,
		http: &http.Client{Timeout: 2 * maxTime, CheckRedirect: noRedirect},
	}
	for i, o := range options {
		if o == nil {
			return nil, fmt.Errorf("make the client: option %d is nil", i+1)
		}
		o(c)
	}
	if c.http == nil {
		return nil, errors.New("make the client: the HTTP client is nil")
	}
	return c, nil
}

// noRedirect keeps the token from other servers.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

var _ admin.API = (*Client)(nil)

// maxAnswer bounds the size of an answer.
const maxAnswer = 64 << 20

// send sends a request and decodes the answer into out.
func (c *Client) send(
	ctx context.Context, method, path string, query url.Values, header http.Header, in, out any,
) error {
	if strings.Contains(path, "//") || strings.HasSuffix(path, "/") {
		return fmt.Errorf("%w: a name is empty", admin.ErrInvalid)
	}
	var body io.Reader
	if in != nil {
		if err := checkText(reflect.ValueOf(in)); err != nil {
			return fmt.Errorf("%w: %w", admin.ErrInvalid, err)
		}
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return fmt.Errorf("%w: make the request: %w", admin.ErrInvalid, err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept", "application/json")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("%w: read the answer: %w", store.ErrUnavailable, err)
	case len(text) > maxAnswer:
		return fmt.Errorf("the answer has more than %d MiB", maxAnswer>>20)
	case answer.StatusCode >= 300:
		return problemIn(answer, text).errorOf()
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("the server's answer can't be read; is %s an elastic server of this version? %w", c.base, err)
	}
	return nil
}

// problemIn returns the problem in an answer. An answer of another server, such
// as a proxy, has only its status.
func problemIn(answer *http.Response, text []byte) *Problem {
	p := &Problem{}
	kind := answer.Header.Get("Content-Type")
	if strings.HasPrefix(kind, "application/problem+json") && json.Unmarshal(text, p) == nil {
		p.Status = answer.StatusCode
		return p
	}
	return &Problem{
		Status: answer.StatusCode,
		Detail: "the server answered " + answer.Status + " without saying why",
	}
}

// get reads.
func get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	var out T
	err := c.send(ctx, http.MethodGet, path, query, nil, nil, &out)
	return out, err
}

// act acts. It sends the same op again if the answer is lost.
func (c *Client) act(ctx context.Context, method, path string, in any, opts []admin.ActOption) (admin.Receipt, error) {
	o, err := admin.SettingsOf(opts...)
	if err != nil {
		return admin.Receipt{}, err
	}
	query := url.Values{}
	if o.Why != "" {
		query.Set("why", o.Why)
	}
	for name, set := range map[string]bool{"dryRun": o.DryRun, "force": o.Force, "fleetClock": o.FleetClock} {
		if set {
			query.Set(name, "true")
		}
	}
	header := http.Header{}
	header.Set(viaHeader, string(c.via))
	if o.Revision > 0 {
		header.Set("If-Match", etag(o.Revision))
	}
	named := o.Op != ""
	if !named {
		o.Op = admin.NewOp()
	}
	header.Set("Idempotency-Key", o.Op)
	var r admin.Receipt
	for try := range tries {
		if try > 0 && !sleep(ctx, pause) {
			break
		}
		err = c.send(ctx, method, path, query, header, in, &r)
		if !errors.Is(err, store.ErrUnavailable) || answered(err) {
			break
		}
	}
	switch {
	case err == nil:
		if r.Earlier && !named {
			r.Applied, r.Earlier = true, false // by the request whose answer was lost
		}
		return r, nil
	case errors.Is(err, store.ErrUnavailable) && !answered(err):
		return admin.Receipt{}, fmt.Errorf("%w: the server did not answer: %w", store.ErrUnknown, err)
	}
	return admin.Receipt{}, err
}

const (
	tries = 3 // of an act whose answer is lost
	pause = 200 * time.Millisecond
)

// answered reports whether an error is the server's.
func answered(err error) bool {
	var e *remoteError
	return errors.As(err, &e)
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func seg(name string) string { return url.PathEscape(name) }

// Jobs implements admin.API.
func (c *Client) Jobs(ctx context.Context, q admin.JobQuery) (admin.JobPage, error) {
	v := url.Values{}
	set(v, "text", q.Text)
	set(v, "instance", q.Instance)
	set(v, "sort", string(q.Sort))
	set(v, "cursor", q.Cursor)
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	var states, labels []string
	for _, s := range q.States {
		states = append(states, string(s))
	}
	for name, value := range q.Requires {
		labels = append(labels, name+"="+value)
	}
	set(v, "state", strings.Join(states, ","))
	set(v, "requires", strings.Join(labels, ","))
	return get[admin.JobPage](ctx, c, "/jobs", v)
}

func set(v url.Values, name, value string) {
	if value != "" {
		v.Set(name, value)
	}
}

// Job implements admin.API.
func (c *Client) Job(ctx context.Context, name string) (admin.JobDetail, error) {
	return get[admin.JobDetail](ctx, c, "/jobs/"+seg(name), nil)
}

// Revisions implements admin.API.
func (c *Client) Revisions(ctx context.Context, job string) ([]admin.Revision, error) {
	return get[[]admin.Revision](ctx, c, "/jobs/"+seg(job)+"/revisions", nil)
}

// Apply implements admin.API.
func (c *Client) Apply(ctx context.Context, job elastic.Job, opts ...admin.ActOption) (admin.Receipt, error) {
	return c.act(ctx, http.MethodPut, "/jobs/"+seg(job.Name), job, opts)
}

// Rollback implements admin.API.
func (c *Client) Rollback(ctx context.Context, job string, rev uint64, opts ...admin.ActOption) (admin.Receipt, error) {
	return c.act(ctx, http.MethodPost, "/jobs/"+seg(job)+"/rollback", map[string]uint64{"rev": rev}, opts)
}

// Disable implements admin.API.
func (c *Client) Disable(ctx context.Context, job string, opts ...admin.ActOption) (admin.Receipt, error) {
	return c.act(ctx, http.MethodPost, "/jobs/"+seg(job)+"/disable", nil, opts)
}

// Enable implements admin.API.
func (c *Client) Enable(ctx context.Context, job string, opts ...admin.ActOption) (admin.Receipt, error) {
	return c.act(ctx, http.MethodPost, "/jobs/"+seg(job)+"/enable", nil, opts)
}

// DisableShards implements admin.API.
func (c *Client) DisableShards(
	ctx context.Context, job string, shards []int, opts ...admin.ActOption,
) (admin.Receipt, error) {
	return c.act(ctx, http.MethodPost, "/jobs/"+seg(job)+"/shards/disable", shardList(shards), opts)
}

// EnableShards implements admin.API.
func (c *Client) EnableShards(
	ctx context.Context, job string, shards []int, opts ...admin.ActOption,
) (admin.Receipt, error) {
	return c.act(ctx, http.MethodPost, "/jobs/"+seg(job)+"/shards/enable", shardList(shards), opts)
}

func shardList(shards []int) map[string][]int {
	if shards == nil {
		shards = []int{}
	}
	return map[string][]int{"shards": shards}
}

// Remove implements admin.API.
func (c *Client) Remove(ctx context.Context, job string, opts ...admin.ActOption) (admin.Receipt, error) {
	return c.act(ctx, http.MethodDelete, "/jobs/"+seg(job), nil, opts)
}

// Restore implements admin.API.
func (c *Client) Restore(ctx context.Context, job string, opts ...admin.ActOption) (admin.Receipt, error) {
	return c.act(ctx, http.MethodPost, "/jobs/"+seg(job)+"/restore", nil, opts)
}

// Shards implements admin.API.
func (c *Client) Shards(ctx context.Context, job string) ([]status.Shard, error) {
	return get[[]status.Shard](ctx, c, "/jobs/"+seg(job)+"/shards", nil)
}

// Why implements admin.API.
func (c *Client) Why(ctx context.Context, q admin.WhyQuery) (admin.Answer, error) {
	if (q.Job == "") == (q.Instance == "") {
		return admin.Answer{}, fmt.Errorf("say why: %w: ask about either a job or an instance", admin.ErrInvalid)
	}
	if q.Instance != "" {
		return get[admin.Answer](ctx, c, "/instances/"+seg(q.Instance)+"/why", nil)
	}
	v := url.Values{}
	v.Set("shard", strconv.Itoa(q.Shard))
	if !q.Fire.IsZero() {
		v.Set("fire", q.Fire.Format(time.RFC3339Nano))
	}
	return get[admin.Answer](ctx, c, "/jobs/"+seg(q.Job)+"/why", v)
}

// Trigger implements admin.API.
func (c *Client) Trigger(
	ctx context.Context, job string, r admin.TriggerRequest, opts ...admin.ActOption,
) (admin.Receipt, error) {
	return c.act(ctx, http.MethodPost, "/jobs/"+seg(job)+"/trigger", r, opts)
}

// Cancel implements admin.API.
func (c *Client) Cancel(
	ctx context.Context, job string, r admin.CancelRequest, opts ...admin.ActOption,
) (admin.Receipt, error) {
	return c.act(ctx, http.MethodPost, "/jobs/"+seg(job)+"/cancel", r, opts)
}

// Instances implements admin.API.
func (c *Client) Instances(ctx context.Context) ([]status.Instance, error) {
	return get[[]status.Instance](ctx, c, "/instances", nil)
}

// Instance implements admin.API.
func (c *Client) Instance(ctx context.Context, id string) (admin.InstanceDetail, error) {
	return get[admin.InstanceDetail](ctx, c, "/instances/"+seg(id), nil)
}

// Cordons implements admin.API.
func (c *Client) Cordons(ctx context.Context) ([]admin.Cordoned, error) {
	return get[[]admin.Cordoned](ctx, c, "/cordons", nil)
}

// Cordon implements admin.API.
func (c *Client) Cordon(ctx context.Context, target string, opts ...admin.ActOption) (admin.Receipt, error) {
	return c.act(ctx, http.MethodPut, "/cordons/"+seg(target), map[string]string{"action": "cordon"}, opts)
}

// Drain implements admin.API.
func (c *Client) Drain(ctx context.Context, target string, opts ...admin.ActOption) (admin.Receipt, error) {
	return c.act(ctx, http.MethodPut, "/cordons/"+seg(target), map[string]string{"action": "drain"}, opts)
}

// Uncordon implements admin.API.
func (c *Client) Uncordon(ctx context.Context, target string, opts ...admin.ActOption) (admin.Receipt, error) {
	return c.act(ctx, http.MethodDelete, "/cordons/"+seg(target), nil, opts)
}

// Leave implements admin.API.
func (c *Client) Leave(ctx context.Context, id string, opts ...admin.ActOption) (admin.Receipt, error) {
	return c.act(ctx, http.MethodPost, "/instances/"+seg(id)+"/leave", nil, opts)
}

// Evict implements admin.API.
func (c *Client) Evict(ctx context.Context, id string, opts ...admin.ActOption) (admin.Receipt, error) {
	return c.act(ctx, http.MethodDelete, "/instances/"+seg(id), nil, opts)
}

// Overview implements admin.API.
func (c *Client) Overview(ctx context.Context) (admin.Overview, error) {
	return get[admin.Overview](ctx, c, "/overview", nil)
}

// Audit implements admin.API.
func (c *Client) Audit(ctx context.Context, q admin.AuditQuery) (admin.AuditPage, error) {
	v := url.Values{}
	set(v, "by", q.By)
	set(v, "target", q.Target)
	set(v, "act", q.Act)
	set(v, "cursor", q.Cursor)
	if !q.Since.IsZero() {
		v.Set("since", q.Since.Format(time.RFC3339Nano))
	}
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return get[admin.AuditPage](ctx, c, "/audit", v)
}

// Doctor implements admin.API.
func (c *Client) Doctor(ctx context.Context, q admin.DoctorQuery) (admin.Report, error) {
	if !q.Write {
		return get[admin.Report](ctx, c, "/doctor", nil)
	}
	var r admin.Report
	err := c.send(ctx, http.MethodPost, "/doctor", nil, nil, nil, &r)
	return r, err
}

// Pause implements admin.API.
func (c *Client) Pause(ctx context.Context, opts ...admin.ActOption) (admin.Receipt, error) {
	return c.act(ctx, http.MethodPost, "/pause", nil, opts)
}

// Resume implements admin.API.
func (c *Client) Resume(ctx context.Context, opts ...admin.ActOption) (admin.Receipt, error) {
	return c.act(ctx, http.MethodPost, "/resume", nil, opts)
}

// Repair implements admin.API.
func (c *Client) Repair(ctx context.Context, key string, opts ...admin.ActOption) (admin.Receipt, error) {
	return c.act(ctx, http.MethodPost, "/repair", map[string]string{"key": key}, opts)
}
