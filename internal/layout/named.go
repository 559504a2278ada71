package layout

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Named is a job as files and programs write it: its spec with its name, and
// without what only the store keeps.
type Named struct {
	Name      string
	Broadcast bool
	Spec
}

// namedDoc has outer fields in place of those of Spec that are written in
// another way, or not at all.
type namedDoc struct {
	Name      string `json:"name"`
	Schedule  string `json:"schedule,omitempty"`
	Shards    int    `json:"shards,omitempty"`
	Broadcast bool   `json:"broadcast,omitempty"`
	Spec
	EnabledShards *EnabledShards `json:"enabledShards,omitempty"`
	Enabled       *time.Time     `json:"enabled,omitempty"`
	Resharded     *time.Time     `json:"resharded,omitempty"`
	Since         *time.Time     `json:"since,omitempty"`
}

// MarshalJSON writes the keys of job files.
func (n Named) MarshalJSON() ([]byte, error) {
	return encode(namedDoc{
		Name:      n.Name,
		Broadcast: n.Broadcast,
		Spec:      n.Spec,
		Shards:    n.Spec.Shards,
		Schedule:  n.Spec.Schedule,
	}), nil
}

// UnmarshalJSON reads the keys of job files. It refuses others, and those that
// only the store keeps.
func (n *Named) UnmarshalJSON(b []byte) error {
	if err := decode(b, "a job", &json.RawMessage{}); err != nil {
		return err
	}
	var d namedDoc
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return fmt.Errorf("not a job: %w", err)
	}
	if d.EnabledShards != nil || d.Enabled != nil || d.Resharded != nil || d.Since != nil {
		return errors.New("not a job: leave out enabled, enabledShards, resharded and since; the store keeps them")
	}
	d.Spec.Shards, d.Spec.Schedule = d.Shards, d.Schedule
	*n = Named{d.Name, d.Broadcast, d.Spec}
	return nil
}
