package docs

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe/health"
)

// The manifest for Kubernetes asks probes that exist, and leaves time for a
// drain.
func TestManifest_FitsTheProgram(t *testing.T) {
	page := read(t, filepath.Join(root, "docs/guide/operating.md"))
	grace := fmt.Sprintf("terminationGracePeriodSeconds: %d\n", int((elastic.DefaultDrain + 10*time.Second).Seconds()))
	if !strings.Contains(page, grace) {
		t.Errorf("docs/guide/operating.md has no %q", grace)
	}
	h := http.StripPrefix("/health", health.Handler((*elastic.Scheduler)(nil)))
	probes := regexp.MustCompile(`httpGet: \{path: (\S+),`).FindAllStringSubmatch(page, -1)
	if len(probes) != 3 {
		t.Errorf("got %d probes, want 3", len(probes))
	}
	for _, m := range probes {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, m[1], nil))
		if w.Code == http.StatusNotFound {
			t.Errorf("the manifest asks %s, which is no probe", m[1])
		}
	}
}
