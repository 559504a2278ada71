//go:build unix

package main

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

// watched cancels when everything has been written that is waited for.
type watched struct {
	mu     sync.Mutex
	text   strings.Builder
	want   []string
	cancel func()
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if len(w.missing()) == 0 {
		w.cancel()
	}
	return len(p), nil
}

func (w *watched) missing() (missing []string) {
	for _, want := range w.want {
		if !strings.Contains(w.text.String(), want) {
			missing = append(missing, want)
		}
	}
	return missing
}

func TestScriptsRunURLsAreCalledAndAFailureIsAnAlarm(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out := &watched{cancel: cancel, want: []string{
		"script backup: part 0 of 2: north & south\n",
		"script backup: part 1 of 2: \"quoted\" $(date)\n",
		"call: part 0 of 2: {\"region\": \"north \\u0026 south\", \"attempt\": 1}\n",
		"call: part 1 of 2: {\"region\": \"\\\"quoted\\\" $(date)\", \"attempt\": 1}\n",
		"alarm: kinds: broken",
	}}
	if err := run(ctx, out); err != nil {
		t.Error(err)
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	if missing := out.missing(); len(missing) > 0 {
		t.Errorf("there is no %q in\n%s", missing, out.text.String())
	}
}
