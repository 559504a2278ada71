package engine

import (
	"github.com/elasticjob-go/elastic/internal/layout"
	"github.com/elasticjob-go/elastic/observe"
)

// rememberedStrays bounds how many stray keys are remembered as reported.
const rememberedStrays = 1000

// reportStray reports keys below this program's prefixes that have not the form
// of its keys, such as jobs/backup/report, each once. They are ignored: what was
// put there by hand, or by another program, must not be taken for a job.
func (e *Engine) reportStray(keys ...string) {
	for _, key := range keys {
		if e.strays[key] || len(e.strays) >= rememberedStrays {
			continue
		}
		e.strays[key] = true
		e.emit(observe.Event{
			Kind:    observe.Stray,
			Shard:   -1,
			Subject: key,
			Code:    "stray_key",
			Args:    map[string]string{"key": key, "prefix": layout.Prefix(key)},
			Detail:  "this key is not one of elastic's and is ignored; delete it, or move it to another namespace",
		})
	}
}
