package elastic_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic"
	_ "github.com/elasticjob-go/elastic/store/memory"
)

// Labels that would not fit into the instance's key are refused.
func TestWithLabels_BoundsTheKey(t *testing.T) {
	labels := map[string]string{}
	for n := range 60 {
		labels[fmt.Sprint("label", n)] = strings.Repeat("x", 100)
	}
	_, err := elastic.Open(t.Context(), "memory://labels", elastic.WithLabels(labels))
	if err == nil || !strings.Contains(err.Error(), "fewer or shorter") {
		t.Errorf("got %v, want an error that says what to do", err)
	}
}
