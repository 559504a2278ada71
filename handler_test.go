package elastic_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic"
)

// badHandler knows that it can't work.
type badHandler struct{}

func (badHandler) Handle(context.Context, elastic.Run) error { return nil }
func (badHandler) Validate() error                           { return errors.New("batch: must be positive") }

// Add refuses a handler whose Validate returns an error.
func TestAdd_RefusesInvalidHandler(t *testing.T) {
	s, err := elastic.Open(t.Context(), "memory://handlers")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Add(elastic.Job{Name: "report", Schedule: "@daily"}, badHandler{})
	if err == nil ||
		!strings.Contains(err.Error(), `add job "report": its handler is not valid: batch: must be positive`) {
		t.Errorf("got %v", err)
	}
}
