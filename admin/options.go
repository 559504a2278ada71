package admin

import (
	"fmt"
	"time"

	"github.com/elasticjob-go/elastic/internal/layout"
)

// Via is the way by which an act came.
type Via string

// The ways.
const (
	ViaAPI     Via = Via(layout.ViaAPI)
	ViaCLI     Via = Via(layout.ViaCLI)
	ViaConsole Via = Via(layout.ViaConsole)
	ViaFile    Via = Via(layout.ViaFile)
)

// As names who acts through a client: a person, or a program. It is stored with
// every act. A client without it only reads.
func As(by string) Option { return func(c *Client) { c.by = by } }

// Through says by which way a client acts. The default is ViaAPI.
func Through(via Via) Option { return func(c *Client) { c.via = layout.Via(via) } }

// ActOption configures an act.
type ActOption func(*options)

// options are those of one act.
type options struct {
	why        string
	revision   uint64
	dryRun     bool
	op         string
	force      bool
	fleetClock bool
}

// Why is the reason of an act, at most 256 bytes of text. It is stored with the
// act.
func Why(text string) ActOption { return func(o *options) { o.why = text } }

// IfRevision makes an act fail with [ErrChanged] unless the job has this
// revision.
func IfRevision(rev uint64) ActOption { return func(o *options) { o.revision = rev } }

// DryRun makes an act read and check as ever, and write nothing. The receipt
// says what would change.
func DryRun() ActOption { return func(o *options) { o.dryRun = true } }

// Op names an act, so that it is done once however often the call is repeated:
// a call with an op that was used returns the receipt of the first one. It is a
// UUID of version 7, as [NewOp] returns, whose time lies within an hour of now.
func Op(id string) ActOption { return func(o *options) { o.op = id } }

// Force acts although the act would be refused without it. Each act says what
// for.
func Force() ActOption { return func(o *options) { o.force = true } }

// FleetClock makes an act use the clock of the fleet where this computer's is
// wrong. Fires between the fleet's last heartbeat and now can then count as
// due.
func FleetClock() ActOption { return func(o *options) { o.fleetClock = true } }

// Settings are the values of options, for other implementations of [API].
type Settings struct {
	Why        string
	Revision   uint64 // of IfRevision; 0 without it
	DryRun     bool
	Op         string
	Force      bool
	FleetClock bool
}

// SettingsOf returns the values of options. It refuses an option that is nil.
func SettingsOf(all ...ActOption) (Settings, error) {
	var o options
	for i, set := range all {
		if set == nil {
			return Settings{}, invalid("option %d is nil", i+1)
		}
		set(&o)
	}
	return Settings{
		Why:        o.why,
		Revision:   o.revision,
		DryRun:     o.dryRun,
		Op:         o.op,
		Force:      o.force,
		FleetClock: o.fleetClock,
	}, nil
}

// opAge is how old or how far in the future the time of an op may be. An entry
// of the audit is kept for longer than that, so a repeated call finds it.
const opAge = time.Hour

// collect returns the options of an act, or what is wrong with them.
func (c *Client) collect(all []ActOption) (options, error) {
	var o options
	for i, set := range all {
		if set == nil {
			return o, invalid("option %d is nil", i+1)
		}
		set(&o)
	}
	if err := layout.CheckBy(c.by); err != nil {
		return o, invalid("say who acts, by admin.As: the name %w", err)
	}
	if err := layout.CheckWhy(o.why); err != nil {
		return o, invalid("%w", err)
	}
	if o.op == "" {
		return o, nil
	}
	at, err := opTime(o.op)
	if err != nil {
		return o, err
	}
	if age := time.Since(at); age > opAge || age < -opAge {
		return o, invalid(
			"the op %s is of %s; want one of the last hour, so that it is still known whether it was done",
			o.op,
			at.UTC().Format(time.RFC3339),
		)
	}
	return o, nil
}

// Check refuses a via that is none, when the client is made.
func (c *Client) check() error {
	switch c.via {
	case layout.ViaAPI, layout.ViaCLI, layout.ViaConsole, layout.ViaFile:
		return nil
	}
	return fmt.Errorf("make the client: the way must be api, cli, console or file, is %.40q", c.via)
}
