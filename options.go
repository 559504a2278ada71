package elastic

import (
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/elasticjob-go/elastic/history"
	"github.com/elasticjob-go/elastic/internal/faults"
	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/sharding"
)

// Option configures this scheduler. Options are not stored.
type Option func(*config)

type config struct {
	name, host   string
	weight       int
	exclusive    bool
	strategies   map[string]sharding.Strategy
	labels       map[string]string
	most         int
	ttl          time.Duration
	drain, grace time.Duration
	joinDelay    time.Duration
	clock        *clock  // nil: time.Now
	names        *names  // nil: incarnation
	chance       *chance // nil: math/rand
	observers    []func(observe.Event)
	loggers      []*slog.Logger
	history      *history.Recorder // nil: none
	namespace    string            // that Open was given; empty: it is not known
	exporters    []Exporter
	tracer       Tracer // nil: none
	middleware   []Middleware

	faults faults.List
}

// DefaultDrain is the drain timeout without [WithDrainTimeout]. Kubernetes
// kills a container 30 seconds after it asked the container to end. The default
// leaves five of these for the return of the handlers and the end of the
// session.
const DefaultDrain = 25 * time.Second

// grace is the time that handlers have to return after a drain has ended their
// contexts.
const grace = 3 * time.Second

func configure(options []Option) (config, error) {
	host := hostName()
	c := config{
		name:      instanceName(host),
		host:      host,
		weight:    1,
		drain:     DefaultDrain,
		grace:     grace,
		joinDelay: time.Second,
	}
	for i, o := range options {
		if o == nil {
			c.faults.Add("option %d is nil", i+1)
			continue
		}
		o(&c)
	}
	fault := func(option, format string, a ...any) {
		c.faults.AddField("option "+option, format, a...)
	}
	if err := layout.CheckName(c.name); err != nil {
		fault("WithName", "%v", err)
	}
	if c.weight < 1 || c.weight > maxWeight {
		fault("WithWeight", "must be 1 to %d, is %d", maxWeight, c.weight)
	}
	for _, err := range layout.CheckLabels(c.labels) {
		fault("WithLabels", "%v", err)
	}
	if err := (layout.Instance{Name: c.name, Host: c.host, Labels: c.labels}).Check(); err != nil {
		fault("WithLabels", "%v", err)
	}
	if c.most < 0 {
		fault("WithMaxConcurrent", "must not be negative, is %d", c.most)
	}
	if c.ttl < 0 {
		fault("WithSessionTTL", "must be positive, is %s", c.ttl)
	}
	if c.drain < 0 {
		fault("WithDrainTimeout", "must not be negative, is %s", c.drain)
	}
	if c.joinDelay < 0 {
		fault("WithJoinDelay", "must not be negative, is %s", c.joinDelay)
	}
	return c, c.faults.Err()
}

const maxWeight = layout.MaxWeight

// WithName sets the name of the instance, for people and logs. The default is
// the name of the host. Names need not be unique: an instance ID has a part
// that is new for every session.
func WithName(name string) Option { return func(c *config) { c.name = name } }

// WithExclusiveName sets the name of the instance and declares that name unique
// in the fleet, as that of a pod of a StatefulSet. A process that restarts
// under the name takes the place of its predecessor at once. It does not wait
// until the predecessor's session expires.
//
// Two live processes must not have one exclusive name. If it happens, the later
// one wins, and Run of the other ends with [ErrNameTaken].
func WithExclusiveName(name string) Option {
	return func(c *config) { c.name, c.exclusive = name, true }
}

// WithWeight sets the weight of the instance, 1 to 1,000,000. An instance gets
// shards in proportion to its weight. The default is 1.
func WithWeight(weight int) Option { return func(c *config) { c.weight = weight } }

// WithLabels gives the instance labels, such as "zone": "eu-1", that jobs can
// require; see [Job.Requires]. Label names follow the rules of job names. A
// value is text of at most 100 bytes. An instance has at most 64 labels, and
// its key, with all of them, at most 4 KiB.
func WithLabels(labels map[string]string) Option {
	return func(c *config) { c.labels = maps.Clone(labels) }
}

// WithStrategy registers a sharding strategy, so that jobs can name it: a
// function of the program, or shards that are pinned to instances. See
// [sharding.Func] and [sharding.Pin].
//
// Give it to all instances that have such jobs: an instance that does not know
// the strategy assigns nothing. If the strategy leaves a shard out, or names an
// instance that is not live, the assignment stays as it is, and an event
// reports it.
func WithStrategy(s sharding.Strategy) Option {
	return func(c *config) { c.addStrategy(s) }
}

func (c *config) addStrategy(s sharding.Strategy) {
	if guard.IsNil(s) {
		c.faults.Add("option WithStrategy: the strategy is nil")
		return
	}
	name, err := guard.Call(guard.Patience, s.Name)
	if err != nil {
		c.faults.Add("option WithStrategy: Name of the %T %w", s, err)
		return
	}
	if err := layout.CheckName(name); err != nil {
		c.faults.Add("option WithStrategy: the name %q %w", name, err)
		return
	}
	if _, err := sharding.ByName(name); err == nil {
		c.faults.Add("option WithStrategy: strategy %q is built in; choose another name", name)
		return
	}
	if _, taken := c.strategies[name]; taken {
		c.faults.Add("option WithStrategy: there are two strategies of the name %q", name)
		return
	}
	if err := validate(s); err != nil {
		c.faults.Add("option WithStrategy: strategy %q is not valid: %w", name, err)
		return
	}
	if c.strategies == nil {
		c.strategies = map[string]sharding.Strategy{}
	}
	c.strategies[name] = s
}

// validate calls v's method Validate, if v has one. The text of the error is
// made already, so that it cannot panic later.
func validate(v any) error {
	asked, ok := v.(interface{ Validate() error })
	if !ok {
		return nil
	}
	var err error
	if fault := guard.Catch(func() { err = asked.Validate() }); fault != nil {
		return fmt.Errorf("Validate of the %T %w", v, fault)
	}
	if err == nil {
		return nil
	}
	text, _ := guard.Show(err)
	return &guard.Error{Err: err, Text: text}
}

// WithMaxConcurrent limits how many shards the instance runs at a time, of all
// jobs. Other due shards wait in the order in which they became due. The
// default, 0, is no limit.
func WithMaxConcurrent(n int) Option { return func(c *config) { c.most = n } }

// WithSessionTTL sets the time to live of sessions: how long after a crash the
// other instances learn of it. With a shorter TTL, failover is faster, but a
// short outage of the network counts as a death. The default is session_ttl of
// the URL, or [store.DefaultTTL]. The store may grant another TTL.
//
// [store.DefaultTTL]:
// https://pkg.go.dev/github.com/elasticjob-go/elastic/store#DefaultTTL
func WithSessionTTL(ttl time.Duration) Option { return func(c *config) { c.ttl = ttl } }

// WithDrainTimeout sets how long running handlers may go on when the instance
// leaves. The default is [DefaultDrain]. Zero ends their contexts at once.
// While handlers run, an event of the kind [observe.Leaving] lists them every
// five seconds.
func WithDrainTimeout(d time.Duration) Option { return func(c *config) { c.drain = d } }

// WithJoinDelay sets how long a new instance waits for its share of the shards
// that others run. The default is 1 s. A longer delay moves fewer shards in a
// rolling restart; a shorter one spreads the load sooner. The value of the
// leader counts, so give all instances the same.
func WithJoinDelay(d time.Duration) Option { return func(c *config) { c.joinDelay = d } }

// Testing replaces what a scheduler takes from the system, so that a test takes
// the same course each time. A nil field leaves the default, or the function of
// an earlier [WithTesting]. If a function panics, blocks for a second, or
// returns a value out of range, the default replaces it for that call, and an
// event of the kind [observe.Trouble] reports it.
type Testing struct {
	// Now is the clock by which fires are due. Sessions, timeouts and delays do
	// not depend on it. The default is time.Now.
	Now func() time.Time

	// Incarnation returns the part of the instance's ID that is new for every
	// session: 1 to 100 of the letters and digits that a job's name can have.
	// It is called from one goroutine at a time. It must never return one value
	// for two sessions of instances of one name: an ID that never comes back
	// proves that a dead instance is dead. The default is random.
	Incarnation func() string

	// Random returns a part of d, from zero to d: the random part of the pauses
	// between tries when the store does not answer. It is called from many
	// goroutines at once. The default is math/rand.
	Random func(d time.Duration) time.Duration
}

// WithTesting is an option for tests. Package elastictest gives it to its
// instances.
func WithTesting(t Testing) Option {
	return func(c *config) {
		if t.Now != nil {
			c.clock = &clock{f: t.Now}
		}
		if t.Incarnation != nil {
			c.names = &names{f: t.Incarnation, used: map[string]bool{}}
		}
		if t.Random != nil {
			c.chance = &chance{f: t.Random}
		}
	}
}

// WithLogger logs the events of the scheduler: events that need a person
// ([Event.Alarm]) at level Warn, the begin of a run at Debug, others at Info;
// see [observe.Log]. Without it nothing is logged. A logger is an observer; see
// [WithEvents].
func WithLogger(l *slog.Logger) Option {
	return func(c *config) {
		if l == nil || guard.IsNil(l.Handler()) {
			c.faults.Add("option WithLogger: the logger is nil, or has no handler")
			return
		}
		c.observers = append(c.observers, observe.Log(l))
		c.loggers = append(c.loggers, l)
	}
}

// WithEvents makes f an observer. While Run lasts, f is called with all events
// of the scheduler, in order. The option can be given more than once. Each f
// has a goroutine of its own, so one f is never called twice at a time, and two
// can run at the same time.
//
// An observer delays nothing but itself. When more than 4,096 events wait for
// f, the oldest are dropped, and an event of the kind [observe.ObserverFailed]
// tells f how many. The other observers get such an event if f is slow, has
// blocked for ten seconds, or has panicked. A panic does not end the process.
//
// When the scheduler has ended, f has five seconds for the events that wait, or
// less if drain timeout and grace have passed, and half a second for each call.
// Then Run returns an error that tells how many events f has lost. So f can
// call Close, which returns at that time.
func WithEvents(f func(Event)) Option {
	return func(c *config) {
		if f == nil {
			c.faults.Add("option WithEvents: the function is nil")
			return
		}
		c.observers = append(c.observers, f)
	}
}

// AddOption configures how [Scheduler.Add] adds a job.
type AddOption func(*addition)

type addition struct {
	overwrite  bool
	middleware []Middleware
	faults     faults.List
}

// Overwrite makes Add replace the stored job. If the schedule changed, only
// fires after the change are due.
func Overwrite() AddOption { return func(a *addition) { a.overwrite = true } }
