package layout

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/elasticjob-go/elastic/internal/years"
)

// version is the form of the documents that this package writes.
const version = 1

// instanceVersion is the version of the documents of instances. Version 1
// listed the names of jobs and was never released.
const instanceVersion = 2

// Level is what this program understands. A program that writes something which
// needs a level does not do so while a live instance has a lower one.
const Level = 1

// Instance is one live scheduler: what it tells the others about itself. It is
// small, and changes seldom: what changes often is in its Heartbeat.
type Instance struct {
	Name      string            `json:"name"`
	Host      string            `json:"host,omitempty"`
	PID       int               `json:"pid,omitempty"`
	Weight    int               `json:"weight"`
	State     State             `json:"state"`
	Labels    map[string]string `json:"labels,omitempty"`
	Exclusive bool              `json:"exclusive,omitempty"` // no other instance has its name
	Sets      []string          `json:"sets"`                // hashes of the sets of its jobs, in their order; see JobSet
	Level     int               `json:"level"`               // see the constant
	Started   time.Time         `json:"started"`
}

// State is whether an instance may own shards.
type State string

// The states.
const (
	Up       State = "up"
	Draining State = "draining" // it leaves, and finishes what it runs
	ClockOff State = "clockOff" // its clock differs from most others', so it begins nothing
)

// Meets says whether the instance has all labels that a job requires.
func (i Instance) Meets(requires map[string]string) bool {
	for name, value := range requires {
		if have, ok := i.Labels[name]; !ok || have != value {
			return false
		}
	}
	return true
}

// Equal reports whether two documents say the same.
func (i Instance) Equal(o Instance) bool {
	return i.Name == o.Name && i.Host == o.Host && i.PID == o.PID && i.Weight == o.Weight && i.State == o.State &&
		i.Exclusive == o.Exclusive && i.Level == o.Level && i.Started.Equal(o.Started) &&
		maps.Equal(i.Labels, o.Labels) && slices.Equal(i.Sets, o.Sets)
}

// Check returns an error unless the document has room for as many sets as an
// instance may name.
func (i Instance) Check() error {
	i.Sets = slices.Repeat([]string{JobSet{}.Hash()}, MaxSets)
	i.State = Draining
	i.Level = math.MaxInt32
	i.PID = math.MaxInt32
	i.Weight = MaxWeight
	i.Started = time.Date(2000, 1, 1, 0, 0, 0, int(999*time.Millisecond), time.UTC)
	if n := len(i.Encode()); n > MaxInstance {
		labels := len(encode(i.Labels))
		return fmt.Errorf("the instance's key would take %d bytes, and may take %d; its labels take %d of them, so use fewer or shorter ones",
			n, MaxInstance, labels)
	}
	return nil
}

type instanceDoc struct {
	V int `json:"v"`
	Instance
}

// Encode returns the document as it is stored.
func (i Instance) Encode() []byte {
	i.Started = milliseconds(i.Started)
	if i.Sets == nil {
		i.Sets = []string{}
	}
	return encode(instanceDoc{instanceVersion, i})
}

// DecodeInstance reads a stored document. Fields that it does not know are a
// newer program's, and no matter.
func DecodeInstance(b []byte) (Instance, error) {
	var d instanceDoc
	if err := decode(b, "an instance", &d); err != nil {
		return Instance{}, err
	}
	if d.V != instanceVersion {
		return Instance{}, fmt.Errorf("instance of version %d: this program reads version %d", d.V, instanceVersion)
	}
	if d.Weight < 1 || d.Weight > MaxWeight {
		return Instance{}, fmt.Errorf("instance with the weight %d: want 1 to %d", d.Weight, MaxWeight)
	}
	if d.Level < 1 {
		return Instance{}, fmt.Errorf("instance of the level %d: want at least 1", d.Level)
	}
	if len(d.Sets) > MaxSets {
		return Instance{}, fmt.Errorf("instance with %d sets of jobs: want at most %d", len(d.Sets), MaxSets)
	}
	for _, hash := range d.Sets {
		if err := checkHash(hash); err != nil {
			return Instance{}, fmt.Errorf("instance with a set of jobs: %w", err)
		}
	}
	return d.Instance, within("an instance", d.Started)
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
