package fenced

import (
	"net/http"
	"strings"
	"testing"
)

func start(t *testing.T) *Server {
	t.Helper()
	s, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func post(t *testing.T, s *Server, body string) int {
	t.Helper()
	answer, err := http.Post(s.URL(), "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

func TestResource_RefusesSmallerFences(t *testing.T) {
	s := start(t)
	for _, row := range []struct {
		body string
		want int
	}{
		{"report/0 5 1", http.StatusOK},
		{"report/0 5 1", http.StatusOK},
		{"report/0 7 2", http.StatusOK},
		{"report/0 6 1", http.StatusConflict},
		{"report/1 1 1", http.StatusOK},
		{"report/1 0 1", http.StatusBadRequest},
		{"report/1", http.StatusBadRequest},
		{"report/1 2 3 4", http.StatusBadRequest},
	} {
		if got := post(t, s, row.body); got != row.want {
			t.Errorf("%q: got status %d, want %d", row.body, got, row.want)
		}
	}
	if wrong := Check(s.Log()); len(wrong) > 0 || len(s.Log()) != 5 || Refused(s.Log()) != 1 {
		t.Errorf(
			"got %d writes, %d refused, and %v, want 5, 1 and nothing wrong", len(s.Log()), Refused(s.Log()), wrong,
		)
	}
}

func TestCheck_FindsResourceThatTakesAll(t *testing.T) {
	s := start(t)
	s.blind = true
	for _, body := range []string{"report/0 5 1", "report/0 7 2", "report/0 6 1"} {
		post(t, s, body)
	}
	if wrong := Check(s.Log()); len(wrong) != 1 {
		t.Errorf("got %q, want the write with fence 6 after the one with 7", wrong)
	}
}

func TestCheck_FindsDoctoredLog(t *testing.T) {
	for name, log := range map[string][]Write{
		"a smaller fence accepted": {
			{Key: "a/0", Fence: 2, PID: 1, Accepted: true}, {Key: "a/0", Fence: 1, PID: 2, Accepted: true},
		},
		"a greater fence refused": {
			{Key: "a/0", Fence: 2, PID: 1, Accepted: true}, {Key: "a/0", Fence: 3, PID: 2},
		},
		"the first write refused": {{Key: "a/0", Fence: 2, PID: 1}},
		"one fence used by two processes": {
			{Key: "a/0", Fence: 2, PID: 1, Accepted: true}, {Key: "a/0", Fence: 2, PID: 2, Accepted: true},
		},
		"a smaller fence after a pause": {
			{Key: "a/0", Fence: 2, PID: 1, Accepted: true},
			{Key: "b/0", Fence: 1, PID: 2, Accepted: true},
			{Key: "a/0", Fence: 1, PID: 1, Accepted: true},
		},
		"smaller after an equal was taken": {
			{Key: "a/0", Fence: 2, PID: 1, Accepted: true},
			{Key: "a/0", Fence: 2, PID: 1, Accepted: true},
			{Key: "a/0", Fence: 1, PID: 1, Accepted: true},
		},
	} {
		if wrong := append(Check(log), Shared(log)...); len(wrong) != 1 {
			t.Errorf("%s: got %q, want one thing", name, wrong)
		}
	}
}
