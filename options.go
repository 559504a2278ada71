package elastic

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

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
	now          func() time.Time
	incarnation  func() string
	random       func(time.Duration) time.Duration
	observers    []func(observe.Event)
	middleware   []Middleware
}

// DefaultDrain is how long running handlers may go on when the instance leaves, if WithDrainTimeout does not say. Kubernetes
// kills a container 30 seconds after it asked it to end; this leaves five for the handlers' return and the good-bye.
const DefaultDrain = 25 * time.Second

// grace is how long handlers get to return once their contexts have ended because the instance leaves.
const grace = 3 * time.Second

func configure(options []Option) (config, error) {
	host := hostName()
	c := config{name: instanceName(host), host: host, weight: 1, drain: DefaultDrain, grace: grace, joinDelay: time.Second, now: time.Now, incarnation: incarnation}
	for _, o := range options {
		o(&c)
	}
	var faults []error
	fault := func(option, format string, a ...any) {
		faults = append(faults, fmt.Errorf("option %s: %s", option, fmt.Sprintf(format, a...)))
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
	for _, name := range slices.Sorted(maps.Keys(c.strategies)) {
		if _, err := sharding.ByName(name); err == nil || layout.CheckName(name) != nil || c.strategies[name] == nil {
			fault("WithStrategy", "%q is the name of a strategy that is always there, or none that a strategy can have, or the strategy is nil", name)
		}
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
	return c, errors.Join(faults...)
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
	return func(c *config) {
		if c.strategies == nil {
			c.strategies = map[string]sharding.Strategy{}
		}
		if s == nil {
			c.strategies[""] = nil
			return
		}
		c.strategies[s.Name()] = s
	}
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

// WithDrainTimeout sets how long running handlers may go on when the instance leaves; default DefaultDrain. Zero ends their
// contexts at once.
func WithDrainTimeout(d time.Duration) Option { return func(c *config) { c.drain = d } }

// WithJoinDelay sets how long a new instance waits for its share of shards that others run; default 1s. Longer moves fewer shards
// in a rolling restart, shorter spreads the load sooner. It counts on the instance that leads, so give all the same.
func WithJoinDelay(d time.Duration) Option { return func(c *config) { c.joinDelay = d } }

// WithClock has fires measured by another clock than time.Now, for tests of what a wrong one does. Sessions, timeouts and
// delays don't depend on it.
func WithClock(now func() time.Time) Option { return func(c *config) { c.now = now } }

// WithIncarnations has f make what is fresh in the instance's ID for every session, and not chance, for tests that must be the same
// each time: who gets which shard depends on the IDs. f returns 1 to 100 of the letters and digits that a job's name may have, is
// called from one goroutine at a time, and must never return the same for two sessions of instances of one name: that an ID never
// comes back is what proves a dead instance dead.
func WithIncarnations(f func() string) Option { return func(c *config) { c.incarnation = f } }

// WithRandom has f draw the random part of the pauses between tries, when the store does not answer, for tests that must be the same
// each time: f returns a part of d, from zero up to it. It is called from many goroutines at once.
func WithRandom(f func(d time.Duration) time.Duration) Option {
	return func(c *config) { c.random = f }
}

// WithLogger logs what the scheduler does: changes as Info, what needs a person as Warn, each run as Debug. Without it nothing is
// logged.
func WithLogger(l *slog.Logger) Option { return WithEvents(observe.Log(l)) }

// WithEvents has f called with everything that the scheduler does, in order, from one goroutine while Run lasts. A slow f delays
// nothing but itself: when more than 4,096 events wait, the oldest are dropped. It may be given more than once.
func WithEvents(f func(Event)) Option {
	return func(c *config) { c.observers = append(c.observers, f) }
}

// AddOption says how a job is added.
type AddOption func(*addition)

type addition struct {
	overwrite  bool
	middleware []Middleware
}

// Overwrite has the job given to Add replace the one in the store. Its schedule counts from then on, unless it is the same.
func Overwrite() AddOption { return func(a *addition) { a.overwrite = true } }
