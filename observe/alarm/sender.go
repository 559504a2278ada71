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

// What is used where a Config says nothing.
const (
	DefaultQuiet     = 10 * time.Minute
	DefaultPerMinute = 20 // what robots of DingTalk and WeCom may send
	DefaultQueue     = 100
	DefaultTimeout   = 10 * time.Second
)

const (
	// gather is how long the first alarm of its kind waits for others like it: the shards of a job mostly fail together.
	gather = time.Second

	// maxGroups bounds how many kinds of alarms are counted apart.
	maxGroups = 256
)

// Config says what is an alarm, who is told, and how often.
type Config struct {
	// Name is what messages begin with, such as that of the cluster. Empty means nothing.
	Name string

	// Targets are told of every alarm, each by itself. There must be one at least.
	Targets []Target

	// Rules say which events are alarms: those that any of them says. Nil means Default.
	Rules []Rule

	// Quiet is how long nothing more is sent about the same matter (the same kind of event of the same job) after a message about it. What
	// comes meanwhile is counted, and the count is sent at the end. Zero means DefaultQuiet.
	Quiet time.Duration

	// PerMinute bounds how many messages are sent in any minute, whatever they are about. What is too much waits and is counted. Zero
	// means DefaultPerMinute.
	PerMinute int

	// Queue is how many messages wait at most for a target that is slow. What has no room is left out, and the next message says how
	// much that was. Zero means DefaultQueue.
	Queue int

	// Timeout bounds each attempt to send. There are three, a second and five seconds apart. Zero means DefaultTimeout.
	Timeout time.Duration

	// OnError is told what could not be sent, and why. It may be called from several goroutines at once. The error has no secrets
	// of the target, such as tokens in URLs. Nil means that nobody is told.
	OnError func(error)
}

// Sender gives alarms. Its methods are safe for concurrent use.
type Sender struct {
	cfg    Config
	outs   []*out
	ctx    context.Context // of all sending
	cancel context.CancelFunc
	wake   chan struct{} // there is something new to dispatch
	done   chan struct{} // closed when all has ended

	mu      sync.Mutex
	closing bool
	groups  map[matter]*group
	omitted int         // alarms that are in no group
	sent    []time.Time // the last messages, at most PerMinute
}

// matter is what alarms have in common that are sent as one.
type matter struct {
	kind      observe.Kind
	job, what string
}

// group is the alarms about one matter since the last message about it.
type group struct {
	message Message
	due     time.Time // of the next message, if there is anything to say by then
}

// Start returns a Sender that works until Close. All that is wrong with the settings, those of the targets included, is in one error.
func Start(c Config) (*Sender, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.Quiet, c.PerMinute = cmp.Or(c.Quiet, DefaultQuiet), cmp.Or(c.PerMinute, DefaultPerMinute)
	c.Queue, c.Timeout = cmp.Or(c.Queue, DefaultQueue), cmp.Or(c.Timeout, DefaultTimeout)
	c.Targets, c.Rules = slices.Clone(c.Targets), slices.Clone(c.Rules)
	if c.Rules == nil {
		c.Rules = []Rule{Default}
	}
	s := &Sender{cfg: c, wake: make(chan struct{}, 1), done: make(chan struct{}), groups: make(map[matter]*group)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for _, t := range c.Targets {
		s.outs = append(s.outs, &out{target: t, timeout: c.Timeout, onError: c.OnError, queue: make(chan Message, c.Queue)})
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
		list.Add("targets: there is none")
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

// Observe takes an event; it is for elastic.WithEvents. It never waits for anything to be sent. After Close it does nothing.
func (s *Sender) Observe(e observe.Event) {
	if !slices.ContainsFunc(s.cfg.Rules, func(r Rule) bool { return r(e) }) {
		return
	}
	s.mu.Lock()
	isNew := s.note(e, time.Now())
	s.mu.Unlock()
	if isNew { // else it is known when to look at it
		s.rouse()
	}
}

// rouse has dispatch look at what there is.
func (s *Sender) rouse() {
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
}

// note counts an event, and says whether it is about a new matter.
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

// Close sends what waits, without regard to Quiet, and ends the Sender. If PerMinute does not allow for all of it, the last message
// says how many alarms were left out. When ctx ends it gives up, and the error says how much was not sent. It may be called more than
// once.
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

// dispatch hands messages to the targets when they are due, until the Sender is closed.
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

// take returns the messages that are due and may be sent, and how long to wait for the next; zero if there is none.
func (s *Sender) take(now time.Time) (due []Message, next time.Duration) {
	for _, of := range s.inOrder() {
		g := s.groups[of]
		wait := g.due.Sub(now)
		if wait <= 0 {
			if g.message.Count == 0 {
				delete(s.groups, of) // it is quiet again
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

// takeAll returns a message about each matter there is something to say about, as far as PerMinute allows, and what it doesn't allow for as
// a number in the last.
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
		return cmp.Or(s.groups[a].due.Compare(s.groups[b].due), cmp.Compare(a.job, b.job), cmp.Compare(a.kind, b.kind), cmp.Compare(a.what, b.what))
	})
}

// allowed returns how long it takes until another message may be sent.
func (s *Sender) allowed(now time.Time) time.Duration {
	if len(s.sent) < s.cfg.PerMinute {
		return 0
	}
	return s.sent[0].Add(time.Minute).Sub(now)
}

// message takes what is to be said from a group.
func (s *Sender) message(g *group, now time.Time) Message {
	m := g.message
	m.Omitted, s.omitted = s.omitted, 0
	g.message = Message{}
	s.sent = append(s.sent, now)
	if extra := len(s.sent) - s.cfg.PerMinute; extra > 0 {
		s.sent = slices.Delete(s.sent, 0, extra)
	}
	return m
}
