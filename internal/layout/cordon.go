package layout

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Action is the effect of a cordon.
type Action string

// The actions. None of them guards a claim: they place and hold work. The exact
// stop of a job is to disable it.
const (
	// ActionCordon gives the instances no shards. What they run goes on.
	ActionCordon Action = "cordon"

	// ActionDrain is ActionCordon, and tells running handlers that their shards
	// are moving.
	ActionDrain Action = "drain"

	// ActionLeave makes one instance end as on SIGTERM.
	ActionLeave Action = "leave"

	// ActionPause stops all new work of the namespace: nothing begins, is taken
	// over or is abandoned.
	ActionPause Action = "pause"

	// ActionNone lifts the cordon. Its key is deleted later, so that its
	// version can't be mistaken for that of a cordon of the same name.
	ActionNone Action = "none"
)

// Match says what the name in a cordon's key is the name of.
type Match string

// The matches.
const (
	MatchName Match = "name" // instances of this name
	MatchHost Match = "host" // instances on this host
	MatchID   Match = "id"   // the one instance with this ID
	MatchAll  Match = "all"  // the namespace
)

// Namespace is the name in the key of a cordon for the whole namespace.
const Namespace = "@all"

// MaxCordons is how many cordons a namespace may have.
const MaxCordons = 1000

// Cordon is an operator's wish about instances. It is never inferred from a
// missing key or a failed read.
type Cordon struct {
	Match   Match
	Action  Action
	Changed Changed
}

type cordonDoc struct {
	V       int     `json:"v"`
	Match   Match   `json:"match"`
	Action  Action  `json:"action"`
	Changed Changed `json:"changed"`
}

// Encode returns the document as it is stored.
func (c Cordon) Encode() []byte {
	return encode(cordonDoc{version, c.Match, c.Action, c.Changed.clamped()})
}

// DecodeCordon reads the document that is stored below the name. It refuses
// what the name and the match don't agree on, and fields that it does not know.
func DecodeCordon(name string, b []byte) (Cordon, error) {
	var d cordonDoc
	if err := versioned(b, "a cordon", &d); err != nil {
		return Cordon{}, err
	}
	c := Cordon{d.Match, d.Action, d.Changed}
	if err := c.Check(name); err != nil {
		return Cordon{}, fmt.Errorf("cordon of %.100q: %w", name, err)
	}
	return c, nil
}

// Check returns an error unless the cordon may be stored below the name.
func (c Cordon) Check(name string) error {
	allowed := map[Match][]Action{
		MatchName: {ActionCordon, ActionDrain, ActionNone},
		MatchHost: {ActionCordon, ActionDrain, ActionNone},
		MatchID:   {ActionCordon, ActionDrain, ActionLeave, ActionNone},
		MatchAll:  {ActionPause, ActionNone},
	}[c.Match]
	if allowed == nil {
		return fmt.Errorf("the match must be name, host, id or all, is %q", c.Match)
	}
	if !slices.Contains(allowed, c.Action) {
		return fmt.Errorf("the action must be one of %v for the match %s, is %q", allowed, c.Match, c.Action)
	}
	if err := c.checkName(name); err != nil {
		return err
	}
	return c.Changed.Check()
}

func (c Cordon) checkName(name string) error {
	switch c.Match {
	case MatchAll:
		if name != Namespace {
			return fmt.Errorf("the name must be %s", Namespace)
		}
		return nil
	case MatchID:
		if !strings.Contains(name, "@") {
			return errors.New("the name must be an ID, NAME@INCARNATION")
		}
		return CheckID(name)
	}
	return CheckName(name)
}

// Meets reports whether the cordon is for an instance.
func (c Cordon) Meets(name, id string, i Instance) bool {
	switch c.Match {
	case MatchName:
		return name == i.Name
	case MatchHost:
		return name == i.Host
	case MatchID:
		return name == id
	}
	return false
}
