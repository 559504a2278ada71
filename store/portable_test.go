package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/internal/vtime"
	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

func open(t *testing.T, o ...memory.Option) (*store.Portable, *memory.Client) {
	t.Helper()
	c := memory.NewServer(o...).Connect("test")
	p := store.NewPortable(c, store.Config{})
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	return p, c
}

func TestRequestsThatMakeNoSenseAreRefusedBeforeAnythingIsSent(t *testing.T) {
	p, c := open(t, memory.MaxOps(3))
	c.OnRequest(func(r memory.Request) memory.Fault {
		t.Errorf("sent: %s %s", r.Kind, r.Key)
		return memory.Fault{}
	})
	ctx := t.Context()
	big := make([]byte, p.Caps().MaxValue+1)
	for name, row := range map[string]struct {
		txn  store.Txn
		want error
	}{
		"bad key in Do":           {store.Txn{Do: []store.Op{store.Create("a//b", nil)}}, store.ErrInvalid},
		"bad key in If":           {store.Txn{If: []store.Cond{store.Exists("")}}, store.ErrInvalid},
		"two writes to a key":     {store.Txn{Do: []store.Op{store.Create("a", nil), store.Delete("a")}}, store.ErrInvalid},
		"two conditions on a key": {store.Txn{If: []store.Cond{store.Exists("a"), store.At("a", 1)}}, store.ErrInvalid},
		"write without a kind":    {store.Txn{Do: []store.Op{{Key: "a"}}}, store.ErrInvalid},
		"ephemeral, no session":   {store.Txn{Do: []store.Op{store.CreateEphemeral("a", nil)}}, store.ErrInvalid},
		"value over the limit":    {store.Txn{Do: []store.Op{store.Create("a", big)}}, store.ErrTooLarge},
		"too many keys":           {store.Txn{Do: []store.Op{store.Delete("a"), store.Delete("b"), store.Delete("c"), store.Delete("d")}}, store.ErrTooLarge},
	} {
		if _, err := p.Commit(ctx, row.txn); !errors.Is(err, row.want) {
			t.Errorf("%s: error %v, want %v", name, err, row.want)
		}
	}
	if _, err := p.Get(ctx, "/a"); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("get: %v", err)
	}
	if _, err := p.List(ctx, "a/"); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("list: %v", err)
	}
	if _, err := p.Watch(ctx, ".."); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("watch: %v", err)
	}
	ended, cancel := context.WithCancelCause(ctx)
	cancel(errors.New("told to stop"))
	if _, err := p.Get(ended, "a"); !errors.Is(err, store.ErrUnavailable) ||
		!strings.Contains(err.Error(), "told to stop") {
		t.Errorf("get after the context ended: %v", err)
	}
	if n := p.Counts(); n != (store.Counts{}) {
		t.Errorf("counted: %+v", n)
	}
}

func TestAKeyThatIsComparedAndWrittenCountsOnce(t *testing.T) {
	p, _ := open(t, memory.MaxOps(3))
	ctx := t.Context()
	keys := []string{"a", "b", "c"}
	create, swap := store.Txn{}, store.Txn{}
	for _, k := range keys {
		create.Do = append(create.Do, store.Create(k, []byte("1")))
	}
	r, err := p.Commit(ctx, create)
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range keys {
		swap.If = append(swap.If, store.At(k, r.Versions[i]))
		swap.Do = append(swap.Do, store.Set(k, []byte("2")))
	}
	if swap.Keys() != 3 || swap.Bytes() != 9 {
		t.Errorf("%d keys and %d bytes, want 3 and 9", swap.Keys(), swap.Bytes())
	}
	if _, err := p.Commit(ctx, swap); err != nil {
		t.Error(err)
	}
	if _, err := p.Commit(ctx, swap); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the same swap again: %v, want ErrConflict", err)
	}
}

func TestAtOfNoVersionIsNeverTrue(t *testing.T) {
	p, _ := open(t)
	if _, err := p.Commit(t.Context(), store.Txn{Do: []store.Op{store.Create("a", nil)}}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Commit(t.Context(), store.Txn{If: []store.Cond{store.At("a", 0)}, Do: []store.Op{store.Set("a", nil)}}); !errors.Is(
		err,
		store.ErrConflict,
	) {
		t.Errorf("error %v, want ErrConflict: a caller that never read the key must not overwrite it", err)
	}
}

func TestEveryCallHasADeadline(t *testing.T) {
	vtime.Test(t, func(t *testing.T) {
		c := memory.NewServer().Connect("test")
		p := store.NewPortable(c, store.Config{RequestTimeout: 2 * time.Second})
		c.Cut()
		start := time.Now()
		if _, err := p.Get(context.Background(), "a"); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("error %v, want ErrUnavailable", err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("gave up after %s, want 2s", took)
		}
		_ = p.Close(context.Background())
		if _, err := p.Get(context.Background(), "a"); !errors.Is(err, store.ErrClosed) {
			t.Errorf("after Close: %v, want ErrClosed", err)
		}
	})
}

func TestCallsAreCounted(t *testing.T) {
	p, _ := open(t)
	ctx := t.Context()
	before := p.Counts()
	_, _ = p.Get(ctx, "a")
	_, _ = p.Commit(ctx, store.Txn{Do: []store.Op{store.Create("a", []byte("12345"))}})
	_, _ = p.List(ctx, "")
	got := p.Counts().Sub(before)
	got.Busy = 0
	if want := (store.Counts{Gets: 1, Lists: 1, Commits: 1, Failures: 1, BytesRead: 5, BytesWritten: 6}); got != want ||
		got.Reads() != 2 {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestOpenKnowsItsDriversAndTheirParameters(t *testing.T) {
	for url, want := range map[string]string{
		"carrier-pigeon://coop/ns": "there are: memory",
		"memory://x?speed=fast":    `does not know the parameter "speed"`,
	} {
		if _, err := store.Open(t.Context(), url); !errors.Is(err, store.ErrInvalid) ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", url, err, want)
		}
	}
	for name, f := range map[string]func(){
		"twice": func() {
			store.Register("memory", store.Driver{Open: func(context.Context, store.Config) (store.Store, error) { return nil, nil }})
		},
		"without Open": func() { store.Register("nothing", store.Driver{}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("registering %s does not panic", name)
				}
			}()
			f()
		}()
	}
}
