package elastic

import (
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/elasticjob-go/elastic/internal/faults"
	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
	"github.com/elasticjob-go/elastic/sharding"
)

// Option sets what concerns this process alone, and is not stored.
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
	middleware   []Middleware

	faults faults.List
}

// DefaultDrain is how long running handlers may go on when the instance leaves, if WithDrainTimeout does not say. Kubernetes
// kills a container 30 seconds after it asked it to end; this leaves five for the handlers' return and the good-bye.
const DefaultDrain = 25 * time.Second

// grace is how long handlers get to return once their contexts have ended because the instance leaves.
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

// WithName names the instance, for people and logs. The default is the host's name. Names need not be unique: an instance's ID
// has a part that is fresh for every session.
func WithName(name string) Option { return func(c *config) { c.name = name } }

// WithExclusiveName names the instance and says that nobody else has that name: a pod of a StatefulSet, a machine that runs one process. A
// process that is restarted under it takes the place of the one before at once, without waiting until that one's session expires.
//
// Two live processes under one exclusive name are a mistake: the second to come wins, and Run of the first ends with ErrNameTaken.
func WithExclusiveName(name string) Option {
	return func(c *config) { c.name, c.exclusive = name, true }
}

// WithWeight makes the instance take more shards than others, in proportion; 1 to 1,000,000, default 1.
func WithWeight(weight int) Option { return func(c *config) { c.weight = weight } }

// WithLabels gives the instance labels, such as "zone": "eu-1", that jobs can require; see [Job.Requires]. Names are as those of jobs, values
// text of at most 100 bytes; at most 64 labels.
func WithLabels(labels map[string]string) Option {
	return func(c *config) { c.labels = maps.Clone(labels) }
}

// WithStrategy makes a sharding strategy known, so that jobs can name it: a function of one's own, or shards that are pinned to machines; see
// [sharding.Func] and [sharding.Pin]. Give it to all instances that have such jobs: one that does not know the strategy assigns nothing. If the strategy
// leaves a shard out, or names somebody who is not live, the assignment stays as it is, and an event says so.
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

// validate asks a value of the program whether it is valid, if it can tell. The
// error has its text made already.
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

// WithMaxConcurrent sets how many shards the instance runs at a time, of all jobs; others that are due wait their turn, first come first
// served. Default 0: all that it has.
func WithMaxConcurrent(n int) Option { return func(c *config) { c.most = n } }

// WithSessionTTL asks for sessions of this time to live: how long after a crash the others know. Shorter fails over sooner, and
// takes a hiccup of the network for a death. The default is the URL's session_ttl, or [store.DefaultTTL]; the store may
// grant another.
//
// [store.DefaultTTL]: https://pkg.go.dev/github.com/elasticjob-go/elastic/store#DefaultTTL
func WithSessionTTL(ttl time.Duration) Option { return func(c *config) { c.ttl = ttl } }

// WithDrainTimeout sets how long running handlers may go on when the instance
// leaves; default DefaultDrain. Zero ends their contexts at once. As long as
// handlers run, an event of the kind [observe.Leaving] says every five seconds
// which.
func WithDrainTimeout(d time.Duration) Option { return func(c *config) { c.drain = d } }

// WithJoinDelay sets how long a new instance waits for its share of shards that others run; default 1s. Longer moves fewer shards
// in a rolling restart, shorter spreads the load sooner. It counts on the instance that leads, so give all the same.
func WithJoinDelay(d time.Duration) Option { return func(c *config) { c.joinDelay = d } }

// Testing replaces what a scheduler takes from the system, so that a test takes
// the same course each time. A nil field leaves the default, or what an earlier
// WithTesting has set. A function that panics, blocks for a second, or returns a
// value out of its range is replaced by the default for that call, and an event
// of the kind [observe.Trouble] tells.
type Testing struct {
	// Now is the clock by which fires are due. Sessions, timeouts and delays do
	// not depend on it. The default is time.Now.
	Now func() time.Time

	// Incarnation returns the part of the instance's ID that is new for every
	// session: 1 to 100 of the letters and digits that a job's name can have. It
	// is called from one goroutine at a time. It must never return one value for
	// two sessions of instances of one name: an ID that never comes back is what
	// proves a dead instance dead. The default is random.
	Incarnation func() string

	// Random returns a part of d, from zero to d: the random part of the pauses
	// between tries when the store does not answer. It is called from many
	// goroutines at once. The default is math/rand.
	Random func(d time.Duration) time.Duration
}

// WithTesting is for tests only. Package elastictest gives it to its instances.
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
// ([Event.Alarm]) at level Warn, the begin of a run at Debug, others at Info; see
// [observe.Log]. Without it nothing is logged. A logger is an observer; see
// [WithEvents].
func WithLogger(l *slog.Logger) Option {
	return func(c *config) {
		if l == nil || guard.IsNil(l.Handler()) {
			c.faults.Add("option WithLogger: the logger is nil, or has no handler")
			return
		}
		c.observers = append(c.observers, observe.Log(l))
	}
}

// WithEvents makes f an observer: it is called with everything that the
// scheduler does, in order, while Run lasts. It may be given more than once;
// each f has a goroutine of its own, so one is never called twice at a time, and
// two may run at the same time.
//
// Whatever f does, it delays nothing but itself. When more than 4,096 events
// wait for it the oldest are dropped, and it is told how many by an event of
// kind [observe.ObserverFailed]; the other observers hear that it is slow, has
// blocked for ten seconds, or has panicked. A panic does not end the process.
//
// When the scheduler has ended, f gets five seconds for the events that wait,
// less if drain timeout and grace have passed, and each call half a second.
// Then Run returns an error that says how many events f has lost. So f may call
// Close, which returns when f has been given up.
func WithEvents(f func(Event)) Option {
	return func(c *config) {
		if f == nil {
			c.faults.Add("option WithEvents: the function is nil")
			return
		}
		c.observers = append(c.observers, f)
	}
}

// AddOption says how a job is added.
type AddOption func(*addition)

type addition struct {
	overwrite  bool
	middleware []Middleware
	faults     faults.List
}

// Overwrite has the job given to Add replace the one in the store. Its schedule counts from then on, unless it is the same.
func Overwrite() AddOption { return func(a *addition) { a.overwrite = true } }
