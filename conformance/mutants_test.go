package conformance

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elasticjob-go/elastic/store"
	"github.com/elasticjob-go/elastic/store/memory"
)

// mutant is a driver with one promise broken, as some driver or other has
// broken it, and the cases that must notice.
type mutant struct {
	name    string
	kills   []string
	options []memory.Option
	shared  bool // all namespaces are one
	bend    func(c *memory.Client) store.Store
}

var mutants = []mutant{
	{
		name:  "a missing key is an empty entry",
		kills: []string{"KV/GetMissing"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, get: func(ctx context.Context, key string) (store.Entry, error) {
				e, err := c.Get(ctx, key)
				if errors.Is(err, store.ErrNotFound) {
					return store.Entry{}, nil
				}
				return e, err
			}}
		},
	},
	{
		name:  "reads come from a replica that lags",
		kills: []string{"KV/FreshReads"},
		bend: func(c *memory.Client) store.Store {
			seen := map[string]store.Entry{}
			var mu sync.Mutex
			return bent{Store: c, get: func(ctx context.Context, key string) (store.Entry, error) {
				e, err := c.Get(ctx, key)
				mu.Lock()
				defer mu.Unlock()
				if old, ok := seen[key]; ok && err == nil {
					seen[key] = e
					return old, nil
				}
				seen[key] = e
				return e, err
			}}
		},
	},
	{
		name:  "values are shared with the caller",
		kills: []string{"KV/ValueNotAliased"},
		bend: func(c *memory.Client) store.Store {
			values := map[string][]byte{}
			var mu sync.Mutex
			return bent{Store: c,
				commit: func(ctx context.Context, t store.Txn) (store.Result, error) {
					mu.Lock()
					defer mu.Unlock()
					for _, op := range t.Do {
						values[op.Key] = op.Value
					}
					return c.Commit(ctx, t)
				},
				get: func(ctx context.Context, key string) (store.Entry, error) {
					e, err := c.Get(ctx, key)
					mu.Lock()
					defer mu.Unlock()
					e.Value = values[key]
					return e, err
				},
			}
		},
	},
	{
		name:  "a write of the value that is there is no write",
		kills: []string{"KV/SetSameValue", "TXN/OneOfManyWins"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, commit: func(ctx context.Context, t store.Txn) (store.Result, error) {
				if len(t.Do) == 1 && t.Do[0].Kind == store.OpSet {
					if e, err := c.Get(ctx, t.Do[0].Key); err == nil && bytes.Equal(e.Value, t.Do[0].Value) {
						return store.Result{Versions: []store.Version{e.Version}}, nil
					}
				}
				return c.Commit(ctx, t)
			}}
		},
	},
	{
		name:    "versions come back, and Caps deny it",
		kills:   []string{"KV/Recreate"},
		options: []memory.Option{memory.WeakVersions()},
		bend: func(c *memory.Client) store.Store {
			caps := c.Caps()
			caps.StrongVersions = true
			return bent{Store: c, caps: &caps}
		},
	},
	{
		name:  "a transaction is applied piece by piece",
		kills: []string{"TXN/AllOrNothing", "TXN/NoTornRead", "LIN/Transfers"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, commit: func(ctx context.Context, t store.Txn) (store.Result, error) {
				var all store.Result
				for _, op := range t.Do {
					r, err := c.Commit(ctx, store.Txn{Session: t.Session, If: t.If, Do: []store.Op{op}})
					if err != nil {
						return all, err
					}
					all.Versions = append(all.Versions, r.Versions...)
					t.If = nil
					time.Sleep(200 * time.Microsecond)
				}
				return all, nil
			}}
		},
	},
	{
		name:  "a digest is the number of keys",
		kills: []string{"DIG/SeesEveryChange", "DIG/PrefixBoundary"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, digest: func(ctx context.Context, prefix string) (store.Digest, error) {
				d, err := c.Digest(ctx, prefix)
				return store.Digest{Keys: d.Keys}, err
			}}
		},
	},
	{
		name:  "a digest is the latest version",
		kills: []string{"DIG/SeesEveryChange"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, digest: func(ctx context.Context, prefix string) (store.Digest, error) {
				d, err := c.Digest(ctx, prefix)
				return store.Digest{Mark: d.Mark}, err
			}}
		},
	},
	{
		name:  "a conflict that names all keys names the first",
		kills: []string{"TXN/AllConflicts"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, commit: func(ctx context.Context, t store.Txn) (store.Result, error) {
				r, err := c.Commit(ctx, t)
				var conflict *store.ConflictError
				if errors.As(err, &conflict) {
					conflict.Others = nil
				}
				return r, err
			}}
		},
	},
	{
		name:  "a dead session can write lasting keys",
		kills: []string{"TXN/DeadSession", "TXN/ClosedSession"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, commit: func(ctx context.Context, t store.Txn) (store.Result, error) {
				if !slices.ContainsFunc(t.Do, func(op store.Op) bool { return op.Kind == store.OpCreateEphemeral }) {
					t.Session = nil
				}
				return c.Commit(ctx, t)
			}}
		},
	},
	{
		name:  "a session of another store passes",
		kills: []string{"TXN/ForeignSession"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, commit: func(ctx context.Context, t store.Txn) (store.Result, error) {
				r, err := c.Commit(ctx, t)
				if errors.Is(err, store.ErrInvalid) {
					t.Session = nil
					return c.Commit(ctx, t)
				}
				return r, err
			}}
		},
	},
	{
		name:  "Set takes an ephemeral key off its session",
		kills: []string{"EPH/SetKeepsOwner"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, commit: func(ctx context.Context, t store.Txn) (store.Result, error) {
				if len(t.Do) == 1 && t.Do[0].Kind == store.OpSet {
					if e, err := c.Get(ctx, t.Do[0].Key); err == nil && e.Owner != "" {
						c.Commit(ctx, store.Txn{Do: []store.Op{store.Delete(e.Key)}})
						return c.Commit(ctx, store.Txn{Do: []store.Op{store.Create(e.Key, t.Do[0].Value)}})
					}
				}
				return c.Commit(ctx, t)
			}}
		},
	},
	{
		name:  "sessions are not renewed",
		kills: []string{"SES/StaysAlive", "SES/DeadlineMonotone"},
		bend: func(c *memory.Client) store.Store {
			c.OnRequest(func(r memory.Request) memory.Fault { return memory.Fault{Refuse: r.Kind == memory.Renew} })
			return c
		},
	},
	{
		name:  "a session is over when the server says so, and not before",
		kills: []string{"SES/DeadlineBeforeExpiry"},
		bend: func(c *memory.Client) store.Store {
			return bendSessions(c, func(ss *bentSession) {
				go func() {
					<-ss.Session.Done()
					time.Sleep(ss.TTL())
					close(ss.done)
				}()
			})
		},
	},
	{
		name:  "Close of a session does not wait",
		kills: []string{"SES/CloseRemoves"},
		bend: func(c *memory.Client) store.Store {
			return bendSessions(c, func(ss *bentSession) {
				ss.done = nil
				ss.close = func(context.Context) error {
					time.AfterFunc(5*time.Millisecond, func() { ss.Session.Close(context.Background()) })
					return nil
				}
			})
		},
	},
	{
		name:  "a transaction that was given up comes later",
		kills: []string{"CTX/CancelInFlight"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, commit: func(ctx context.Context, t store.Txn) (store.Result, error) {
				return race(ctx, func() (store.Result, error) {
					time.Sleep(5 * time.Millisecond)
					return c.Commit(context.Background(), t)
				}, store.ErrUnknown)
			}}
		},
	},
	{
		name:  "an unknown outcome is called not applied",
		kills: []string{"CTX/CancelInFlight"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, commit: func(ctx context.Context, t store.Txn) (store.Result, error) {
				return race(ctx, func() (store.Result, error) {
					r, err := c.Commit(context.Background(), t)
					time.Sleep(time.Millisecond)
					return r, err
				}, store.ErrUnavailable)
			}}
		},
	},
	{
		name:  "a prefix without its slash in List",
		kills: []string{"LST/PrefixBoundary"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, list: func(ctx context.Context, prefix string) ([]store.Entry, error) {
				all, err := c.List(ctx, "")
				return slices.DeleteFunc(all, func(e store.Entry) bool {
					return !strings.HasPrefix(e.Key, prefix)
				}), err
			}}
		},
	},
	{name: "List sorts what it escaped", kills: []string{"LST/Sorted"}, bend: func(c *memory.Client) store.Store {
		return bent{Store: c, list: func(ctx context.Context, prefix string) ([]store.Entry, error) {
			all, err := c.List(ctx, prefix)
			slices.SortFunc(all, func(a, b store.Entry) int {
				return strings.Compare(url.PathEscape(a.Key), url.PathEscape(b.Key))
			})
			return all, err
		}}
	}},
	{
		name:   "namespaces are one",
		kills:  []string{"KEY/NamespaceIsolation"},
		shared: true,
		bend:   func(c *memory.Client) store.Store { return c },
	},
	{
		name:  "a prefix without its slash in Watch",
		kills: []string{"WAT/PrefixBoundary"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, watch: func(ctx context.Context, prefix string) (store.Watch, error) {
				w, err := c.Watch(ctx, "")
				other := func(key string) bool { return !strings.HasPrefix(key, prefix) }
				return bentWatch{w, func(u store.Update) (store.Update, bool) {
					u.Entries = slices.DeleteFunc(u.Entries, func(e store.Entry) bool { return other(e.Key) })
					u.Deleted = slices.DeleteFunc(u.Deleted, other)
					return u, u.Reset || len(u.Entries)+len(u.Deleted) > 0
				}}, err
			}}
		},
	},
	{
		name:  "what is written between content and changes is missed",
		kills: []string{"WAT/NoGapAtStart"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, watch: func(ctx context.Context, prefix string) (store.Watch, error) {
				entries, err := c.List(ctx, prefix)
				if err != nil {
					return nil, err
				}
				time.Sleep(time.Millisecond)
				w, err := c.Watch(ctx, prefix)
				return bentWatch{w, func(u store.Update) (store.Update, bool) {
					if u.Reset {
						u.Entries = entries
					}
					return u, true
				}}, err
			}}
		},
	},
	{
		name:  "a delete that leaves nothing is not told",
		kills: []string{"WAT/LastDelete", "WAT/EmptyPrefix"},
		bend: bendWatches(func(u store.Update) (store.Update, bool) {
			return u, u.Reset || len(u.Entries) > 0
		}),
	},
	{
		name:  "a delete is told as an empty value",
		kills: []string{"WAT/DeleteIsDelete"},
		bend: bendWatches(func(u store.Update) (store.Update, bool) {
			for _, key := range u.Deleted {
				u.Entries = append(u.Entries, store.Entry{Key: key, Version: 1 << 40, Created: 1 << 40})
			}
			u.Deleted = nil
			return u, true
		}),
	},
	{
		name:  "a commit is split over two updates",
		kills: []string{"WAT/AtomicCommit"},
		bend: bendWatches(func(u store.Update) (store.Update, bool) {
			if !u.Reset && len(u.Entries) > 1 {
				u.Entries = u.Entries[:1] // the rest comes with the next write, as with one event for each key
			}
			return u, true
		}),
	},
	{
		name:  "a watch that is cut off does not say so",
		kills: []string{"WAT/StaleFlag"},
		bend:  bendWatches(func(u store.Update) (store.Update, bool) { return u, !u.Stale }),
	},
	{name: "an update is told twice", kills: []string{"WAT/OrderedPerKey"}, bend: func(c *memory.Client) store.Store {
		return bent{Store: c, watch: func(ctx context.Context, prefix string) (store.Watch, error) {
			w, err := c.Watch(ctx, prefix)
			return &echo{Watch: w}, err
		}}
	}},
	{
		name:  "an impatient Next loses what it waited for",
		kills: []string{"WAT/ImpatientNext"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, watch: func(ctx context.Context, prefix string) (store.Watch, error) {
				w, err := c.Watch(ctx, prefix)
				return careless{w}, err
			}}
		},
	},
	{
		name:  "the end of Next's ctx ends the watch",
		kills: []string{"WAT/CtxEndsNextOnly"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, watch: func(ctx context.Context, prefix string) (store.Watch, error) {
				w, err := c.Watch(ctx, prefix)
				return fragile{w}, err
			}}
		},
	},
	{
		name:  "updates for a slow reader pile up",
		kills: []string{"WAT/SlowConsumer"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, watch: func(ctx context.Context, prefix string) (store.Watch, error) {
				w, err := c.Watch(ctx, prefix)
				return newPile(w), err
			}}
		},
	},
	{
		name:  "a transaction is sent without its session",
		kills: []string{"FLT/NoGhost"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, commit: func(ctx context.Context, t store.Txn) (store.Result, error) {
				t.Session = nil
				return c.Commit(ctx, t)
			}}
		},
	},
	{
		name:  "a lost reply is called a lost request",
		kills: []string{"FLT/AppliedIsNotDenied", "FLT/LostReplies"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, commit: func(ctx context.Context, t store.Txn) (store.Result, error) {
				r, err := c.Commit(ctx, t)
				if errors.Is(err, store.ErrUnknown) {
					err = store.ErrUnavailable
				}
				return r, err
			}}
		},
	},
	{
		name:  "a lost request is called applied",
		kills: []string{"FLT/LostRequests"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, commit: func(ctx context.Context, t store.Txn) (store.Result, error) {
				r, err := c.Commit(ctx, t)
				if errors.Is(err, store.ErrUnknown) || errors.Is(err, store.ErrUnavailable) {
					return store.Result{Versions: make([]store.Version, len(t.Do))}, nil
				}
				return r, err
			}}
		},
	},
	{
		name:  "conditions are checked before the transaction, not in it",
		kills: []string{"LIN/Register", "LIN/Counter"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, commit: func(ctx context.Context, t store.Txn) (store.Result, error) {
				for _, cond := range t.If {
					e, err := c.Get(ctx, cond.Key)
					if err != nil || cond.Version != 0 && e.Version != cond.Version {
						return store.Result{}, &store.ConflictError{Key: cond.Key, Reason: store.Unclear}
					}
				}
				time.Sleep(time.Millisecond)
				t.If = nil
				return c.Commit(ctx, t)
			}}
		},
	},
	{name: "reads may be a write behind", kills: []string{"LIN/Register"}, bend: func(c *memory.Client) store.Store {
		seen := map[string]store.Entry{}
		var mu sync.Mutex
		return bent{Store: c, get: func(ctx context.Context, key string) (store.Entry, error) {
			e, err := c.Get(ctx, key)
			mu.Lock()
			defer mu.Unlock()
			old, known := seen[key]
			seen[key] = e
			if known && err == nil && old.Version != 0 {
				return old, nil
			}
			return e, err
		}}
	}},
	{name: "each commit reads before it writes", kills: []string{"BUD/Ops"}, bend: func(c *memory.Client) store.Store {
		return bent{Store: c, commit: func(ctx context.Context, t store.Txn) (store.Result, error) {
			c.Get(ctx, t.Do[0].Key)
			return c.Commit(ctx, t)
		}}
	}},
	{name: "a watch polls", kills: []string{"BUD/ForeignWrites"}, bend: func(c *memory.Client) store.Store {
		return bent{Store: c, watch: func(ctx context.Context, prefix string) (store.Watch, error) {
			go func() {
				for { // until the client is closed
					if _, err := c.List(context.Background(), prefix); err != nil {
						return
					}
					time.Sleep(time.Millisecond)
				}
			}()
			return c.Watch(ctx, prefix)
		}}
	}},
	{
		name:  "a watch reads each change again",
		kills: []string{"BUD/WatchChange"},
		bend: func(c *memory.Client) store.Store {
			return bendWatches(func(u store.Update) (store.Update, bool) {
				for _, e := range u.Entries {
					c.Get(context.Background(), e.Key)
				}
				return u, true
			})(c)
		},
	},
	{
		name:  "a watch leaves a goroutine behind",
		kills: []string{"LKG/CancelledWatches"},
		bend: func(c *memory.Client) store.Store {
			return bent{Store: c, watch: func(ctx context.Context, prefix string) (store.Watch, error) {
				go time.Sleep(2 * patience)
				return c.Watch(ctx, prefix)
			}}
		},
	},
}

// Each mutant must be noticed by the cases that it names, and these cases must
// pass without it.
func TestMutants_AreKilled(t *testing.T) {
	stalls := watchForStalls(t)
	byName := map[string]testCase{}
	for _, c := range cases() {
		byName[c.name] = c
	}
	for _, m := range mutants {
		for _, name := range m.kills {
			c, ok := byName[name]
			if !ok {
				t.Fatalf("%s: there is no case %s", m.name, name)
			}
			t.Run(m.name+"/"+name, func(t *testing.T) {
				if !c.alone {
					t.Parallel()
				}
				sound := mutant{bend: func(c *memory.Client) store.Store { return c }}
				if a := run(t, &mutantHarness{mutant: sound}, c, stalls); a.Failed() {
					t.Fatalf("without the mutant: %s", a.failure)
				}
				a := try(t, &mutantHarness{mutant: m}, c)
				if !a.Failed() {
					t.Fatal("the mutant lives")
				}
				t.Log(a.failure)
			})
		}
	}
}

// mutantHarness opens mutants on memory servers.
type mutantHarness struct {
	mutant
	server *memory.Server // of the last namespace
}

func (h *mutantHarness) New(testing.TB) Namespace {
	if h.server == nil || !h.shared {
		h.server = memory.NewServer(h.options...)
	}
	return &mutantNamespace{server: h.server, bend: h.bend, clients: map[store.Store]*memory.Client{}}
}

func (h *mutantHarness) Lacks() map[Fault]string { return nil }

type mutantNamespace struct {
	server  *memory.Server
	bend    func(c *memory.Client) store.Store
	clients map[store.Store]*memory.Client
}

func (n *mutantNamespace) Open(testing.TB) store.Store {
	c := n.server.Connect("mutant")
	s := store.NewPortable(n.bend(c), store.Config{})
	n.clients[s] = c
	return s
}

func (n *mutantNamespace) ExpireSession(_ testing.TB, id string) { n.server.ExpireSession(id) }
func (n *mutantNamespace) Cut(_ testing.TB, s store.Store)       { n.clients[s].Cut() }
func (n *mutantNamespace) Heal(_ testing.TB, s store.Store)      { n.clients[s].Heal() }
func (n *mutantNamespace) Compact(testing.TB)                    { n.server.Compact() }
