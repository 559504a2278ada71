package conformance

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/elasticjob-go/elastic/store"
)

// linear returns the cases for linearizability. The final state of the first
// three proves that concurrent work had a sequential order; the others check
// whole histories: see register.
func linear() []testCase {
	return []testCase{
		{name: "LIN/Counter", run: counter},
		{name: "LIN/Transfers", run: transfers},
		{name: "LIN/Election", run: election},
		{name: "LIN/Register", run: func(t *test) { t.register(func(func() bool, []*client) {}) }},
		{name: "LIN/RegisterOnABadNetwork", run: registerOnABadNetwork, needs: []Fault{Wires}},
		{name: "LIN/RegisterOnACluster", run: registerOnACluster, needs: []Fault{Clusters}},
	}
}

// Every increment counts once. The value alternates between two, so that equal
// bytes are written again and again.
func counter(t *test) {
	const workers, each = 8, 30
	clients := []*client{t.open(), t.open(), t.open(), t.open()}
	clients[0].do(nil, store.Create("d/count", []byte("0")), store.Create("d/parity", []byte("even")))
	t.all(workers, func(w int) error {
		c := clients[w%len(clients)]
		for done := 0; done < each; {
			count, err := c.Get(t.ctx(), "d/count")
			if err != nil {
				return err
			}
			parity := []byte("even")
			if number(count)%2 == 0 {
				parity = []byte("odd")
			}
			_, err = c.Commit(t.ctx(), store.Txn{
				If: []store.Cond{store.At("d/count", count.Version)},
				Do: []store.Op{
					store.Set("d/count", []byte(strconv.Itoa(number(count)+1))), store.Set("d/parity", parity),
				},
			})
			if err == nil {
				done++
			} else if !errors.Is(err, store.ErrConflict) {
				return err
			}
		}
		return nil
	})
	clients[0].wantValue("d/count", strconv.Itoa(workers*each))
	clients[0].wantValue("d/parity", "even")
}

// Money moves between accounts; the sum never changes.
func transfers(t *test) {
	const accounts, start, workers, each = 5, 100, 8, 20
	clients := []*client{t.open(), t.open(), t.open(), t.open()}
	for i := range accounts {
		clients[0].do(nil, store.Create(fmt.Sprintf("d/%d", i), []byte(strconv.Itoa(start))))
	}
	var finished atomic.Int32
	t.all(workers+1, func(w int) error {
		c := clients[w%len(clients)]
		if w == workers {
			for finished.Load() < workers {
				entries, err := c.List(t.ctx(), "d")
				if err != nil {
					return err
				}
				sum := 0
				for _, e := range entries {
					sum += number(e)
				}
				if t.caps.AtomicList && sum != accounts*start {
					return fmt.Errorf("the accounts hold %d, want %d", sum, accounts*start)
				}
			}
			return nil
		}
		defer finished.Add(1)
		for done := 0; done < each; {
			from, err := c.Get(t.ctx(), fmt.Sprintf("d/%d", (w+done)%accounts))
			if err != nil {
				return err
			}
			to, err := c.Get(t.ctx(), fmt.Sprintf("d/%d", (w+done+1+w%3)%accounts))
			if err != nil {
				return err
			}
			_, err = c.Commit(t.ctx(), store.Txn{
				If: []store.Cond{store.At(from.Key, from.Version), store.At(to.Key, to.Version)},
				Do: []store.Op{
					store.Set(from.Key, []byte(strconv.Itoa(number(from)-1))),
					store.Set(to.Key, []byte(strconv.Itoa(number(to)+1))),
				},
			})
			if err == nil {
				done++
			} else if !errors.Is(err, store.ErrConflict) {
				return err
			}
		}
		return nil
	})
	sum := 0
	for _, e := range clients[0].list("d") {
		sum += number(e)
	}
	if sum != accounts*start {
		t.Fatalf("the accounts hold %d, want %d", sum, accounts*start)
	}
}

// Each leader raises the epoch in the transaction that makes it leader; a write
// of an older leader never lands.
func election(t *test) {
	const candidates, terms = 4, 5
	var clients []*client
	for range candidates {
		clients = append(clients, t.open())
	}
	clients[0].do(nil, store.Create("epoch", []byte("0")))
	t.all(candidates, func(i int) error {
		c := clients[i]
		for won := 0; won < terms; {
			ss, err := c.NewSession(t.ctx(), store.SessionOptions{})
			if err != nil {
				return err
			}
			epoch, err := c.Get(t.ctx(), "epoch")
			if err != nil {
				return err
			}
			mine := strconv.Itoa(number(epoch) + 1)
			_, err = c.Commit(t.ctx(), store.Txn{
				Session: ss,
				If:      []store.Cond{store.At("epoch", epoch.Version)},
				Do:      []store.Op{store.CreateEphemeral("leader", []byte(mine)), store.Set("epoch", []byte(mine))},
			})
			if err == nil {
				won++
				leader, err := c.Get(t.ctx(), "leader")
				if err != nil || string(leader.Value) != mine || leader.Owner != ss.ID() {
					return fmt.Errorf("leader of epoch %s reads %q of %q, %w", mine, leader.Value, leader.Owner, err)
				}
				_, err = c.Commit(t.ctx(), store.Txn{
					Session: ss,
					If:      []store.Cond{store.Exists("leader")},
					Do:      []store.Op{store.Create("log/"+mine, nil)},
				})
				if err != nil {
					return fmt.Errorf("leader of epoch %s writes: %w", mine, err)
				}
			} else if !errors.Is(err, store.ErrConflict) {
				return err
			}
			if err := ss.Close(t.ctx()); err != nil {
				return err
			}
		}
		return nil
	})
	clients[0].wantValue("epoch", strconv.Itoa(candidates*terms))
	if got := len(clients[0].list("log")); got != candidates*terms {
		t.Fatalf("%d leaders wrote, want %d", got, candidates*terms)
	}
}
