package storetest

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// NoGoroutineLeft fails the test if a goroutine runs after it that did not
// before. Call it first.
func NoGoroutineLeft(t testing.TB) {
	before := stacks()
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		deadline := time.Now().Add(5 * time.Second)
		for {
			left := 0
			var example string
			for head, s := range stacks() {
				if _, was := before[head]; !was {
					left++
					example = s
				}
			}
			if left == 0 {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("%d goroutines left, such as\n%s", left, example)
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
}

// stacks returns the goroutines of the product's and its dependencies' making,
// by their number.
func stacks() map[string]string {
	buf := make([]byte, 4<<20)
	all := map[string]string{}
	for s := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		head, _, _ := strings.Cut(s, " [")
		if !strings.Contains(s, "testing.") && !strings.Contains(s, "os/exec") {
			all[head] = s
		}
	}
	return all
}
