package alarm

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/elasticjob-go/elastic/internal/faults"
	"github.com/elasticjob-go/elastic/observe"
)

// The defaults for zero fields of Config.
const (
	DefaultQuiet     = 10 * time.Minute
	DefaultPerMinute = 20 // the limit of the robots of DingTalk and WeCom
	DefaultQueue     = 100
	DefaultTimeout   = 10 * time.Second
)

const (
	// gather is how long the first alarm of a matter waits for others: the
	// shards of a job often fail together.
	gather = time.Second

	// maxGroups is the number of matters that are counted apart.
	maxGroups = 256
)

// Config is the configuration of a Sender.
type Config struct {
	// Name begins each message, such as the name of the cluster. Empty means
	// none.
	Name string

	// Targets get every alarm, independently of each other. There must be at
	// least one.
	Targets []Target

	// Rules decide which events are alarms: an event is one if a rule says so.
	// Nil means Default.
	Rules []Rule

	// Quiet is the time after a message during which no other message about the
	// same matter (the same kind of event of the same job) is sent. Further
	// events are counted, and the next message has their number. Zero means
	// DefaultQuiet.
	Quiet time.Duration

	// PerMinute is the largest number of messages in any minute. Further
	// messages wait, and their events are counted. Zero means DefaultPerMinute.
	PerMinute int

	// Queue is the number of messages that can wait for a slow target. Further
	// messages are dropped, and the next message has the number of alarms that
	// were not sent. Zero means DefaultQueue.
	Queue int

	// Timeout bounds each attempt to send a message. There are three attempts,
	// with pauses of one and five seconds. Zero means DefaultTimeout.
	Timeout time.Duration

	// OnError is called with the reason when a message could not be sent. It
	// may be called from several goroutines at once. The error has no secrets
	// of the target, such as tokens in URLs. Nil discards the error.
	OnError func(error)
}

// Sender sends alarms. Its methods are safe for concurrent use.
type Sender struct {
	cfg    Config
	outs   []*out
	ctx    context.Context // ends all sending
	cancel context.CancelFunc
	wake   chan struct{} // wakes dispatch
	done   chan struct{} // closed when all goroutines have ended

	mu      sync.Mutex
	closing bool
	groups  map[matter]*group
	omitted int         // alarms without a group
	sent    []time.Time // times of the last messages, at most PerMinute
}

// matter is the common subject of alarms that are sent in one message.
type matter struct {
	kind      observe.Kind
	job, what string
}

// group has the alarms of one matter since the last message about it.
type group struct {
	message Message
	due     time.Time // of the next message, if there are alarms by then
}

// Start returns a Sender that works until Close. One error has all faults of
// the settings, those of the targets included.
func Start(c Config) (*Sender, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.Quiet = cmp.Or(c.Quiet, DefaultQuiet)
	c.PerMinute = cmp.Or(c.PerMinute, DefaultPerMinute)
	c.Queue = cmp.Or(c.Queue, DefaultQueue)
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	c.Targets = slices.Clone(c.Targets)
	c.Rules = slices.Clone(c.Rules)
	if c.Rules == nil {
		c.Rules = []Rule{Default}
	}
	s := &Sender{
		cfg:    c,
		wake:   make(chan struct{}, 1),
		done:   make(chan struct{}),
		groups: make(map[matter]*group),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for _, t := range c.Targets {
		s.outs = append(s.outs, &out{
			target:  t,
			timeout: c.Timeout,
			onError: c.OnError,
			queue:   make(chan Message, c.Queue),
		})
	}
	go func() {
		defer close(s.done)
		defer s.cancel()
		var group sync.WaitGroup
		for _, o := range s.outs {
			group.Go(func() { o.send(s.ctx) })
		}
		s.dispatch()
		for _, o := range s.outs {
			close(o.queue)
		}
		group.Wait()
	}()
	return s, nil
}

func (c Config) check() error {
	var list faults.List
	if len(c.Targets) == 0 {
		list.Add("targets: must have at least one")
	}
	for i, t := range c.Targets {
		if t == nil {
			list.Add("targets: number %d is nil", i)
			continue
		}
		if v, ok := t.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				list.Add("targets: %w", err)
			}
		}
	}
	for i, r := range c.Rules {
		if r == nil {
			list.Add("rules: number %d is nil", i)
		}
	}
	for _, n := range []struct {
		name  string
		value int64
		text  any
	}{
		{"quiet", int64(c.Quiet), c.Quiet}, {"per minute", int64(c.PerMinute), c.PerMinute},
		{"queue", int64(c.Queue), c.Queue}, {"timeout", int64(c.Timeout), c.Timeout},
	} {
		if n.value < 0 {
			list.Add("%s: must not be negative, is %v", n.name, n.text)
		}
	}
	return list.ErrOf("alarms are not valid")
}

// Observe receives an event, as elastic.WithEvents calls it. It does not wait
// until an alarm is sent. After Close it does nothing.
func (s *Sender) Observe(e observe.Event) {
	if !slices.ContainsFunc(s.cfg.Rules, func(r Rule) bool { return r(e) }) {
		return
	}
	s.mu.Lock()
	isNew := s.note(e, time.Now())
	s.mu.Unlock()
	if isNew { // dispatch knows when the others are due
		s.rouse()
	}
}

// rouse wakes dispatch.
func (s *Sender) rouse() {
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
}

// note counts an event. It reports whether the event begins a new matter.
func (s *Sender) note(e observe.Event, now time.Time) (isNew bool) {
	if s.closing {
		return false
	}
	of := matter{e.Kind, e.Job, what(e)}
	g := s.groups[of]
	if g == nil {
		if len(s.groups) == maxGroups {
			s.omitted++
			return false
		}
		isNew = true
		g = &group{due: now.Add(gather)}
		s.groups[of] = g
	}
	if g.message.Count == 0 {
		g.message = Message{Name: s.cfg.Name, Since: e.Time}
	}
	g.message.Event = e
	g.message.Count++
	return isNew
}

// Close sends the messages that wait, without regard to Quiet, and ends the
// Sender. If PerMinute does not allow all of them, the last message has the
// number of alarms that were not sent. When ctx ends, Close gives up, and its
// error has the number of unsent messages. It may be called more than once.
func (s *Sender) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.rouse()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	unsent := 0
	for _, o := range s.outs {
		unsent += int(o.waiting.Load())
	}
	s.cancel()
	return fmt.Errorf("close alarms: %d messages were not sent in time: %w", unsent, context.Cause(ctx))
}

// dispatch passes messages to the targets when they are due, until the Sender
// is closed.
func (s *Sender) dispatch() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.wake:
		case <-timer.C:
		case <-s.ctx.Done():
			return
		}
		s.mu.Lock()
		closing := s.closing
		var due []Message
		var next time.Duration
		if closing {
			due = s.takeAll(time.Now())
		} else {
			due, next = s.take(time.Now())
		}
		s.mu.Unlock()
		for _, m := range due {
			for _, o := range s.outs {
				o.put(m)
			}
		}
		if closing {
			return
		}
		if next > 0 {
			timer.Reset(next)
		}
	}
}

// take returns the messages that are due and allowed, and the time until the
// next; 0 if there is none.
func (s *Sender) take(now time.Time) (due []Message, next time.Duration) {
	for _, of := range s.inOrder() {
		g := s.groups[of]
		wait := g.due.Sub(now)
		if wait <= 0 {
			if g.message.Count == 0 {
				delete(s.groups, of) // no alarm came within Quiet
				continue
			}
			if wait = s.allowed(now); wait <= 0 {
				due = append(due, s.message(g, now))
				g.due = now.Add(s.cfg.Quiet)
				wait = s.cfg.Quiet
			}
		}
		if next == 0 || wait < next {
			next = wait
		}
	}
	return due, next
}

// takeAll returns a message about each matter with alarms, as far as PerMinute
// allows. The last has the number of the other alarms.
func (s *Sender) takeAll(now time.Time) (all []Message) {
	for _, of := range s.inOrder() {
		g := s.groups[of]
		switch {
		case g.message.Count == 0:
		case s.allowed(now) <= 0 || len(all) == 0:
			all = append(all, s.message(g, now))
		default:
			all[len(all)-1].Omitted += g.message.Count
		}
	}
	return all
}

// inOrder returns the matters in the order in which they are due.
func (s *Sender) inOrder() []matter {
	return slices.SortedFunc(maps.Keys(s.groups), func(a, b matter) int {
		return cmp.Or(
			s.groups[a].due.Compare(s.groups[b].due),
			cmp.Compare(a.job, b.job),
			cmp.Compare(a.kind, b.kind),
			cmp.Compare(a.what, b.what),
		)
	})
}

// allowed returns the time until another message may be sent.
func (s *Sender) allowed(now time.Time) time.Duration {
	if len(s.sent) < s.cfg.PerMinute {
		return 0
	}
	return s.sent[0].Add(time.Minute).Sub(now)
}

// message returns the message of a group, and begins a new one.
func (s *Sender) message(g *group, now time.Time) Message {
	m := g.message
	m.Omitted = s.omitted
	s.omitted = 0
	g.message = Message{}
	s.sent = append(s.sent, now)
	if extra := len(s.sent) - s.cfg.PerMinute; extra > 0 {
		s.sent = slices.Delete(s.sent, 0, extra)
	}
	return m
}
