package history

import (
	"fmt"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/failover"
)

// row returns a run of a result, with its number as fence.
func row(n int, result failover.Result) *Run {
	return &Run{RunKey: RunKey{Namespace: "n", Job: "j", Fence: int64(n)}, Result: result}
}

func fences(rows []Row) string {
	var parts []string
	for _, r := range rows {
		parts = append(parts, fmt.Sprint(r.(*Run).Fence))
	}
	return strings.Join(parts, " ")
}

// A full buffer drops the oldest success, then the oldest row. A success that
// finds only other rows is dropped itself.
func TestBuffer_DropsSuccessesFirst(t *testing.T) {
	var b buffer
	for i := range bufferRows {
		result := failover.ResultFailed
		if i == 3 || i == 5 {
			result = failover.ResultSucceeded
		}
		if dropped := b.push(row(i, result)); len(dropped) > 0 {
			t.Fatalf("row %d: dropped %s", i, fences(dropped))
		}
	}
	for _, step := range []struct {
		push failover.Result
		want string
	}{
		{failover.ResultFailed, "3"},
		{failover.ResultSkipped, "5"},
		{failover.ResultLost, "10001"}, // the skipped one
		{failover.ResultSucceeded, "10003"},
		{failover.ResultFailed, "0"},
		{failover.ResultFailed, "1"},
	} {
		n := bufferRows + map[string]int{"3": 0, "5": 1, "10001": 2, "10003": 3, "0": 4, "1": 5}[step.want]
		if got := fences(b.push(row(n, step.push))); got != step.want {
			t.Errorf("push %d %s: dropped %s, want %s", n, step.push, got, step.want)
		}
	}
	if got := fences(b.take(3)); got != "2 4 6" {
		t.Errorf("take: got %s, want 2 4 6", got)
	}
	b.putBack([]Row{row(4, failover.ResultFailed), row(6, failover.ResultFailed)})
	if got := fences(b.take(3)); got != "4 6 7" {
		t.Errorf("take after putBack: got %s, want 4 6 7", got)
	}
}

// The buffer keeps to its bound in bytes, and its counters agree with its rows.
func TestBuffer_KeepsToItsBytes(t *testing.T) {
	var b buffer
	long := strings.Repeat("x", MaxError)
	for i := range 3 * bufferRows {
		r := row(i, failover.ResultFailed)
		if i%2 == 0 {
			r.Error = long
		}
		b.push(r)
		if i%7 == 0 {
			b.take(2)
		}
		if b.bytes > bufferBytes || b.live > bufferRows || len(b.rows) > 2*bufferRows+64 {
			t.Fatalf("after %d rows: %d bytes, %d rows, %d places", i, b.bytes, b.live, len(b.rows))
		}
	}
	live, bytes := 0, 0
	for _, r := range b.rows {
		if r != nil {
			live++
			bytes += r.size()
		}
	}
	if live != b.live || bytes != b.bytes {
		t.Errorf("it counts %d rows of %d bytes, and has %d of %d", b.live, b.bytes, live, bytes)
	}
}
