package engine

import (
	"slices"
	"strings"

	"github.com/elasticjob-go/elastic/internal/guard"
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
)

// maxShown bounds how much of a field's value an event shows, in bytes.
const maxShown = 80

// compared returns the fields in which two specs differ: as arguments of an
// event, and in words. Each name of an argument is that of a side, a dot, and
// the field's name in job files.
func compared(a layout.Spec, sideA string, b layout.Spec, sideB string) (args map[string]string, text string) {
	args = map[string]string{}
	var words []string
	for _, d := range layout.Differences(a, b) {
		first, second := guard.Cut(d.A, maxShown), guard.Cut(d.B, maxShown)
		args[sideA+"."+d.Field] = first
		args[sideB+"."+d.Field] = second
		words = append(words, d.Field+": "+sideA+" "+first+", "+sideB+" "+second)
	}
	return args, strings.Join(words, "; ")
}

// tellChange reports that the job in the store was changed, disabled, enabled or
// removed since this instance last saw it. The store does not tell who did that.
func (e *Engine) tellChange(j *job) {
	old := j.told
	if j.removed || j.specVersion != 0 && j.spec == nil {
		return // it can't be read, or is not here, and that was reported
	}
	j.told = j.spec
	ev := observe.Event{Job: j.name, Shard: wholeJob}
	switch {
	case j.spec == nil && old == nil:
		return
	case j.spec == nil:
		ev.Kind, ev.Code, ev.Detail = observe.Changed, "job_removed", "the job was removed from the store"
	case old == nil && !j.spec.Disabled && len(j.spec.DisabledShards) == 0:
		return
	case old == nil && !j.spec.Disabled:
		shards := ranges(slices.Sorted(slices.Values(j.spec.DisabledShards)))
		ev.Kind, ev.Code = observe.Changed, "shards_disabled"
		ev.Args = map[string]string{"shards": shards}
		ev.Detail = "shards of the job are disabled, and nothing of them begins: " + shards
	case old == nil || j.spec.Disabled && !old.Disabled:
		ev.Kind, ev.Code, ev.Detail = observe.Changed, "job_disabled", "the job is disabled: nothing of it begins"
	case old.Disabled && !j.spec.Disabled:
		ev.Kind, ev.Code, ev.Detail = observe.Changed, "job_enabled", "the job is enabled again"
	default:
		ev.Kind, ev.Code = observe.Changed, "job_changed"
	}
	if old != nil && j.spec != nil {
		args, text := compared(*old, "was", *j.spec, "is")
		if len(args) == 0 {
			return
		}
		ev.Args = args
		if ev.Detail != "" {
			ev.Detail += "; "
		}
		ev.Detail += text
	}
	e.emit(ev)
}
