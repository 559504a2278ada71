package file

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/elasticjob-go/elastic/store"
)

const stormWriters = 6

// stormChild commits as fast as it can, until it is killed, and prints each
// commit once it is acknowledged. Writer w counts up its own two keys in one
// transaction.
func stormChild(dir string) {
	d, err := connect(dir, true)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	d.dir.journal.grow = 20_000 // so that some are killed in the middle of a rewrite; nothing is written yet
	ctx := context.Background()
	var wg sync.WaitGroup
	for w := range stormWriters {
		wg.Go(func() {
			a, b := fmt.Sprintf("w/%d/a", w), fmt.Sprintf("w/%d/b", w)
			write := store.Set
			e, err := d.Get(ctx, a)
			if errors.Is(err, store.ErrNotFound) {
				write = store.Create
			}
			n, _ := strconv.Atoi(strings.TrimSpace(string(e.Value)))
			for {
				n++
				value := fmt.Appendf(nil, "%d %*s", n, n%700, "")
				r, err := d.Commit(ctx, store.Txn{Do: []store.Op{write(a, value), write(b, value)}})
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				write = store.Set
				fmt.Fprintf(os.Stdout, "%d %d %d\n", w, n, r.Versions[0]) // one write call: the reader gets it though we die
			}
		})
	}
	wg.Wait()
}

func TestKillingTheProcessLosesNothingThatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	acked := [stormWriters]int{}
	newest := uint64(0)
	for round := range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "FILE_TEST_STORM="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		kill := 20 + rand.IntN(400)
		for n := 0; lines.Scan(); n++ {
			var w, x int
			var v uint64
			if _, err := fmt.Sscan(lines.Text(), &w, &x, &v); err != nil {
				t.Fatalf("%q: %v", lines.Text(), err)
			}
			acked[w], newest = x, max(newest, v)
			if n == kill {
				cmd.Process.Kill()
			}
		}
		cmd.Wait()

		c := openAt(t, dir)
		for w := range stormWriters {
			a, errA := c.Get(t.Context(), fmt.Sprintf("w/%d/a", w))
			b, errB := c.Get(t.Context(), fmt.Sprintf("w/%d/b", w))
			if acked[w] == 0 && errors.Is(errA, store.ErrNotFound) && errors.Is(errB, store.ErrNotFound) {
				continue
			}
			n, _ := strconv.Atoi(strings.TrimSpace(string(a.Value)))
			if errA != nil || errB != nil || string(a.Value) != string(b.Value) || a.Version != b.Version {
				t.Fatalf("round %d, writer %d: half a transaction: %.20q@%d %v, %.20q@%d %v", round, w, a.Value, a.Version, errA, b.Value, b.Version, errB)
			}
			if n != acked[w] && n != acked[w]+1 {
				t.Fatalf("round %d, writer %d: got %d, was acknowledged up to %d", round, w, n, acked[w])
			}
			acked[w] = n
		}
		v := do(t, c, nil, store.Create(fmt.Sprintf("round/%d", round), nil))
		if uint64(v) <= newest {
			t.Fatalf("round %d: version %d after %d", round, v, newest)
		}
		mustClose(t, c)
	}
}
