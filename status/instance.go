package status

import "time"

// InstanceState is the state of an instance.
type InstanceState string

// The states of an instance.
const (
	InstanceUp         InstanceState = "up"
	InstanceDraining   InstanceState = "draining"   // it leaves, and finishes what it runs
	InstanceClockOff   InstanceState = "clockOff"   // its clock differs from most others', so it begins nothing
	InstanceCordoned   InstanceState = "cordoned"   // an operator keeps it from owning shards
	InstanceUnreadable InstanceState = "unreadable" // its key can't be read: it counts as alive and owns nothing
)

// Instance is one live instance.
type Instance struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	Host    string            `json:"host,omitempty"`
	PID     int               `json:"pid,omitempty"`
	State   InstanceState     `json:"state"`
	Labels  map[string]string `json:"labels,omitempty"`
	Weight  int               `json:"weight"`
	Started time.Time         `json:"started,omitzero"`

	// Jobs is the number of jobs that it has handlers for, and Owned the number
	// of shards that assignments give it.
	Jobs  int `json:"jobs"`
	Owned int `json:"owned"`

	// Self reports whether it is the instance that answers.
	Self bool `json:"self,omitempty"`

	// Reason is why it is in its state, if it is not up.
	Reason Reason `json:"reason,omitzero"`
}
