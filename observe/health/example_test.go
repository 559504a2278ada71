package health_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/elasticjob-go/elastic"
	"github.com/elasticjob-go/elastic/observe/health"
)

// A program serves the probes beside whatever else it serves.
func ExampleHandler() {
	s, err := elastic.Open(context.Background(), "memory:///health")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	mux := http.NewServeMux()
	mux.Handle("/health/", http.StripPrefix("/health", health.Handler(s)))

	for _, path := range []string{"/health/livez", "/health/readyz?plain"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 {"probe":"livez","ok":true}
	// 503 readyz fails
	// not_started: the instance has not joined yet
}

// look asks a program for its state, as a script of an operator does.
func look(url string) (health.Status, error) {
	var s health.Status
	r, err := http.Get(url + "/readyz")
	if err != nil {
		return s, err
	}
	defer r.Body.Close()
	return s, json.NewDecoder(r.Body).Decode(&s)
}

// A probe that fails says why, with codes for programs.
func ExampleStatus() {
	var scheduler *elastic.Scheduler // one that is not there has not started
	var source health.Source = scheduler
	server := httptest.NewServer(health.Handler(source))
	defer server.Close()
	status, err := look(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, reason := range status.Reasons {
		fmt.Println(status.Probe, reason.Code)
	}
	// Output:
	// readyz not_started
}

// A reason has a code for programs, and a text for people.
func ExampleReason() {
	r := health.Reason{Code: "no_session", Text: "the instance has no session with the store"}
	fmt.Printf("%s: %s\n", r.Code, r.Text)
	// Output:
	// no_session: the instance has no session with the store
}
