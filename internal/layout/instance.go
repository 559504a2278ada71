package layout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic/internal/years"
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
	i.Started = years.Clamp(i.Started).Truncate(time.Millisecond)
	i.Clock = years.Clamp(i.Clock).Truncate(time.Millisecond)
	return encode(struct {
		V int `json:"v"`
		Instance
	}{version, i})
}

// DecodeInstance reads a stored document. Fields that it does not know are a
// newer program's, and no matter.
func DecodeInstance(b []byte) (Instance, error) {
	var d struct {
		V int `json:"v"`
		Instance
	}
	if err := decode(b, "an instance", &d); err != nil {
		return Instance{}, err
	}
	if d.V != version {
		return Instance{}, wrongVersion("instance", d.V)
	}
	if d.Weight < 1 || d.Weight > MaxWeight {
		return Instance{}, fmt.Errorf("instance with the weight %d: want 1 to %d", d.Weight, MaxWeight)
	}
	if err := within("an instance", d.Started, d.Clock); err != nil {
		return Instance{}, err
	}
	slices.Sort(d.Jobs)
	return d.Instance, nil
}

// InstanceID makes the ID of an instance. An incarnation is fresh for every
// session, so an ID that is gone never comes back.
func InstanceID(name, incarnation string) string { return name + "@" + incarnation }

// InstanceName returns the name in an instance's ID.
func InstanceName(id string) string {
	name, _, _ := strings.Cut(id, "@")
	return name
}

// encode returns a document as JSON. It can't fail: documents are structs of
// strings, numbers and times that years.Clamp returned. What HTML gives a
// meaning stays as it is, so that a < takes one byte and not six.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// decode reads a document of a kind into v.
func decode(b []byte, kind string, v any) error {
	if !utf8.Valid(b) {
		return fmt.Errorf("not %s: it is not UTF-8", kind)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("not %s: %w", kind, err)
	}
	return nil
}

// versioned reads a document of a kind and of the present version into v, which
// has a field "v", and refuses fields that v does not have.
func versioned(b []byte, kind string, v any) error {
	var head struct {
		V int `json:"v"`
	}
	if err := decode(b, kind, &head); err != nil {
		return err
	}
	if head.V != version {
		return wrongVersion(kind, head.V)
	}
	return strict(b, kind, v)
}

// within returns an error unless all times are zero or in the years 1 to 9999.
func within(kind string, times ...time.Time) error {
	for _, t := range times {
		if err := years.Check(t); err != nil {
			return fmt.Errorf("%s whose time %w", kind, err)
		}
	}
	return nil
}

func wrongVersion(what string, v int) error {
	return fmt.Errorf("%s of version %d: this program reads version %d", what, v, version)
}
