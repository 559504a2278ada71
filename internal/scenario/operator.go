package scenario

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/elasticjob-go/elastic/failover"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/store"
)

func evict(w *world, s Step) error {
	for _, a := range s.Args {
		id, err := w.id(a.Name)
		if err != nil {
			return err
		}
		w.doubt(a.Name)
		if err := w.admin(store.Delete(layout.InstanceKey(id))); err != nil {
			return err
		}
	}
	return nil
}

func expire(w *world, s Step) error {
	for _, a := range s.Args {
		id, err := w.id(a.Name)
		if err != nil {
			return err
		}
		w.doubt(a.Name)
		for _, e := range w.Server().Dump() {
			if e.Key == layout.InstanceKey(id) {
				w.Server().ExpireSession(e.Owner)
			}
		}
	}
	return nil
}

func changeSpec(w *world, s Step) error {
	if len(s.Args) < 2 {
		return usage(s)
	}
	key := layout.JobKey(s.Args[0].Name)
	for _, e := range w.Server().Dump() {
		if e.Key != key {
			continue
		}
		doc, err := layout.DecodeJob(e.Value)
		if err != nil {
			return err
		}
		if doc.Here() == nil {
			return fmt.Errorf("job %s is not here: %s", s.Args[0], doc.Absence())
		}
		spec := *doc.Spec
		old := spec
		for _, a := range s.Args[1:] {
			var err error
			switch a.Name {
			case "shards":
				spec.Shards, err = strconv.Atoi(a.Value)
			case "schedule":
				spec.Schedule = a.Value
			case "failover":
				spec.Failover, err = strconv.ParseBool(a.Value)
			case "disabled":
				spec.Disabled, err = strconv.ParseBool(a.Value)
			case "misfire":
				spec.Misfire = failover.Misfire(a.Value)
			case "sharding":
				spec.Sharding = a.Value
			default:
				return usage(s)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", a, err)
			}
		}
		by := layout.Changed{By: "operator", At: time.Now(), Via: layout.ViaCLI}
		return w.admin(store.Set(key, doc.With(spec.Replaces(old, time.Now()), by).Encode()))
	}
	return fmt.Errorf("the store holds no job %s", s.Args[0])
}

func put(w *world, s Step) error {
	if len(s.Args) != 1 || s.Input == "" {
		return usage(s)
	}
	value, err := w.fill(strings.TrimSuffix(s.Input, "\n"))
	if err != nil {
		return err
	}
	if prefix, _, _ := strings.Cut(s.Args[0].Name, "/"); prefix != "runs" {
		w.stray[s.Args[0].Name] = true
	}
	return w.admin(store.Create(s.Args[0].Name, []byte(value)))
}

// hole is the place of an instance ID in a value. Braces of JSON hold no names.
var hole = regexp.MustCompile(`\{[a-z0-9-]+\}`)

// fill replaces {a} by the ID of instance a.
func (w *world) fill(text string) (string, error) {
	var err error
	filled := hole.ReplaceAllStringFunc(text, func(name string) string {
		id, e := w.id(strings.Trim(name, "{}"))
		err = errors.Join(err, e)
		return id
	})
	return filled, err
}

func deleteKeys(w *world, s Step) error {
	ops := []store.Op{}
	for _, a := range s.Args {
		ops = append(ops, store.Delete(a.Name))
	}
	if len(ops) == 0 {
		return usage(s)
	}
	return w.admin(ops...)
}
