package layout

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// version is the form of the documents that this package writes.
const version = 1

// Instance is one live scheduler: what it tells the others about itself.
type Instance struct {
	Name      string            `json:"name"`
	Host      string            `json:"host,omitempty"`
	PID       int               `json:"pid,omitempty"`
	Weight    int               `json:"weight"`
	State     State             `json:"state"`
	Labels    map[string]string `json:"labels,omitempty"`
	Exclusive bool              `json:"exclusive,omitempty"` // nobody else has its name
	Jobs      []string          `json:"jobs"`                // it has handlers for, sorted
	Started   time.Time         `json:"started"`
	Clock     time.Time         `json:"clock,omitzero"` // what it showed when this was written
}

// State is whether an instance may own shards.
type State string

// The states.
const (
	Up       State = "up"
	Draining State = "draining" // it leaves, and finishes what it runs
	ClockOff State = "clockOff" // its clock differs from most others', so it begins nothing
)

// Has says whether the instance has a handler for a job.
func (i Instance) Has(job string) bool {
	_, ok := slices.BinarySearch(i.Jobs, job)
	return ok
}

// Meets says whether the instance has all labels that a job requires.
func (i Instance) Meets(requires map[string]string) bool {
	for name, value := range requires {
		if have, ok := i.Labels[name]; !ok || have != value {
			return false
		}
	}
	return true
}

// Equal says whether two documents say the same, whenever they were written.
func (i Instance) Equal(o Instance) bool {
	return i.Name == o.Name && i.Host == o.Host && i.PID == o.PID && i.Weight == o.Weight && i.State == o.State && i.Exclusive == o.Exclusive && maps.Equal(i.Labels, o.Labels) &&
		i.Started.Equal(o.Started) && slices.Equal(i.Jobs, o.Jobs)
}

// Encode returns the document as it is stored.
func (i Instance) Encode() []byte {
	i.Started = i.Started.UTC().Truncate(time.Millisecond)
	if !i.Clock.IsZero() {
		i.Clock = i.Clock.UTC().Truncate(time.Millisecond)
	}
	return encode(struct {
		V int `json:"v"`
		Instance
	}{version, i})
}

// DecodeInstance reads a stored document. Fields that it does not know are a newer program's, and no matter.
func DecodeInstance(b []byte) (Instance, error) {
	var d struct {
		V int `json:"v"`
		Instance
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return Instance{}, fmt.Errorf("not an instance: %w", err)
	}
	if d.V != version {
		return Instance{}, wrongVersion("instance", d.V)
	}
	if d.Weight < 1 {
		return Instance{}, fmt.Errorf("instance with the weight %d: want at least 1", d.Weight)
	}
	slices.Sort(d.Jobs)
	return d.Instance, nil
}

// InstanceID makes the ID of an instance. An incarnation is fresh for every session, so an ID that is gone never comes back.
func InstanceID(name, incarnation string) string { return name + "@" + incarnation }

// InstanceName returns the name in an instance's ID.
func InstanceName(id string) string {
	name, _, _ := strings.Cut(id, "@")
	return name
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		// Documents are plain structs of strings, numbers and times within years 0 to 9999.
		panic(fmt.Sprintf("layout: encode %T: %v", v, err))
	}
	return b
}

func wrongVersion(what string, v int) error {
	return fmt.Errorf("%s of version %d: this program reads version %d", what, v, version)
}
