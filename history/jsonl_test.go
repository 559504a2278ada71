package history_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/elasticjob-go/elastic/history"
)

// Each row is a line of JSON. Full files are renamed, and the oldest removed.
func TestJSONL_RotatesItsFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "history")
	sink := history.NewJSONL(dir, history.JSONLOptions{MaxBytes: 2000, Keep: 2})
	for n := range 30 {
		if err := sink.Write(context.Background(), history.Batch{Runs: []history.Run{run(n, "ok")}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "history*.jsonl"))
	if err != nil || len(files) != 3 {
		t.Fatalf("got %q, %v", files, err)
	}
	fence := int64(0)
	for _, name := range files[:2] { // the last one in order is the file that is written to
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			var row struct{ Run history.Run }
			if err := json.Unmarshal(line, &row); err != nil || row.Run.Job != "report" {
				t.Fatalf("%s: %v", line, err)
			}
			if row.Run.Fence <= fence {
				t.Errorf("fence %d after %d", row.Run.Fence, fence)
			}
			fence = row.Run.Fence
		}
	}
}

// A line that a crash has cut does not spoil the next one.
func TestJSONL_GoesOnAfterACrash(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "history.jsonl")
	if err := os.WriteFile(name, []byte(`{"run":{"ns":"n"`), 0o600); err != nil {
		t.Fatal(err)
	}
	sink := history.NewJSONL(dir, history.JSONLOptions{})
	if err := sink.Write(context.Background(), history.Batch{Runs: []history.Run{run(1, "ok")}}); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	if len(lines) != 2 || !json.Valid(lines[1]) {
		t.Errorf("got %s", b)
	}
}

// A tee fails if one sink fails, and refuses only if no sink fails otherwise.
func TestTee_FailsIfOneFails(t *testing.T) {
	fails := sinkFunc(func(context.Context, history.Batch) error { return errors.New("no answer") })
	refuses := sinkFunc(func(context.Context, history.Batch) error { return history.Refuse(errors.New("too long")) })
	for _, row := range []struct {
		sinks         []history.Sink
		ok, isRefused bool
	}{
		{[]history.Sink{history.NewRing(0), history.NewRing(0)}, true, false},
		{[]history.Sink{history.NewRing(0), refuses}, false, true},
		{[]history.Sink{refuses, fails}, false, false},
		{nil, true, false},
	} {
		err := history.Tee(row.sinks...).Write(context.Background(), history.Batch{Runs: []history.Run{run(1, "ok")}})
		if (err == nil) != row.ok || history.Refused(err) != row.isRefused {
			t.Errorf("got %v, refused: %t", err, history.Refused(err))
		}
	}
}
