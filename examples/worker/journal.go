package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/elasticjob-go/elastic"
)

// journal tells a test what really ran. A program that is deployed has no use for it.
type journal struct {
	file *os.File // nil: tell nobody
	name string   // of the instance
	full bool     // tell all that handlers are told, too
}

// line is what it tells. Several processes share a file: each line is one write, at the end.
type line struct {
	Event    string    `json:"event"` // start, end
	Job      string    `json:"job"`
	Shard    int       `json:"shard"`
	Fire     time.Time `json:"fire"`
	Attempt  int       `json:"attempt"`
	Fence    uint64    `json:"fence"`
	PID      int       `json:"pid"`
	Instance string    `json:"instance"`
	Time     time.Time `json:"time"`
	Outcome  string    `json:"outcome,omitempty"` // of an end: ok; "unfinished: " if another instance is to go on; else the error

	// What is told only with -act.
	Total     int    `json:"total,omitempty"`
	Parameter string `json:"parameter,omitempty"`
	Trigger   uint64 `json:"trigger,omitempty"`
	Retry     int    `json:"retry,omitempty"`
}

func openJournal(path string, full bool) (*journal, error) {
	if path == "" {
		return &journal{}, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	return &journal{file: f, full: full}, err
}

// of returns the journal of one instance of this process.
func (j *journal) of(name string) *journal { return &journal{j.file, name, j.full} }

// Close closes the file.
func (j *journal) Close() error { return j.file.Close() } // of a nil file: an error, and nothing else

// record returns a handler that tells when h starts and how it ends. If it can't tell it does not start.
func (j *journal) record(h elastic.HandlerFunc) elastic.HandlerFunc {
	if j.file == nil {
		return h
	}
	return func(ctx context.Context, run elastic.Run) error {
		fence := run.Fence() // by which a line that ends belongs to one that starts: a run that carries on gets others
		if err := j.write("start", "", run, fence); err != nil {
			return err
		}
		err := h(ctx, run)
		if failed := j.write("end", outcome(err), run, fence); failed != nil {
			return failed
		}
		return err
	}
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, elastic.ErrShutdown), errors.Is(err, elastic.ErrSessionLost), errors.Is(err, errRefused):
		return "unfinished: " + err.Error()
	}
	return err.Error()
}

func (j *journal) write(event, outcome string, run elastic.Run, fence uint64) error {
	l := line{
		Event: event, Job: run.Job, Shard: run.Shard, Fire: run.Fire.UTC(), Attempt: run.Attempt, Fence: fence,
		PID: os.Getpid(), Instance: j.name, Time: time.Now().UTC(), Outcome: outcome,
	}
	if j.full {
		l.Total, l.Parameter, l.Trigger, l.Retry = run.Shards, run.Parameter, run.Trigger, run.Retry
	}
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}
