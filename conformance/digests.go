package conformance

import (
	"errors"
	"fmt"

	"github.com/elasticjob-go/elastic/store"
)

// digests: equal digests of a prefix mean equal content.
func digests() []testCase {
	return []testCase{
		{name: "DIG/SeesEveryChange", run: digestSeesEveryChange},
		{name: "DIG/PrefixBoundary", run: digestPrefixBoundary},
		{name: "DIG/Refused", run: digestRefused},
	}
}

// digest reads the digest of a prefix.
func (c *client) digest(prefix string) store.Digest {
	c.t.Helper()
	d, err := insist(c.t, func() (store.Digest, error) { return c.Digest(c.t.ctx(), prefix) })
	if err != nil {
		c.t.Fatalf("digest of %q: %v", prefix, err)
	}
	return d
}

// A digest that another client reads at once after a commit differs from all
// digests of other contents before it: after a create, a write of the same
// value, a delete, and a delete with a create of the same or of another key.
func digestSeesEveryChange(t *test) {
	a, b := t.open(), t.open()
	if !t.caps.Digest {
		return // DIG/Refused says what holds then
	}
	seen := map[store.Digest]string{}
	look := func(after string) {
		t.Helper()
		content := fmt.Sprint(versionsOf(b.list("d")))
		d := b.digest("d")
		if was, ok := seen[d]; ok && was != content {
			t.Fatalf("%s: the digest %+v is that of\n%s\nand of\n%s", after, d, was, content)
		}
		seen[d] = content
		if again := b.digest("d"); content != "[]" && again != d {
			t.Logf("%s: the digest of the same content is %+v, and then %+v", after, d, again)
		}
	}
	look("nothing")
	for i := range 3 {
		a.do(nil, store.Create(fmt.Sprint("d/", i), []byte("v")))
		look("a create")
	}
	for range 3 {
		a.do(nil, store.Set("d/1", []byte("v")))
		look("a write of the same value")
	}
	a.do(nil, store.Set("d/0", []byte("older key")))
	look("a write of another key")
	a.do(nil, store.Delete("d/1"))
	look("a delete")
	a.do(nil, store.Create("d/1", []byte("v")))
	look("a create of the key that was deleted")
	a.do(nil, store.Delete("d/2"), store.Create("d/3", []byte("v")))
	look("a delete and a create in one transaction")
	for range 3 {
		a.do(nil, store.Delete("d/3"))
		look("a delete of the latest key")
		a.do(nil, store.Create("d/3", []byte("v")))
		look("a create of the latest key")
	}
	a.do(nil, store.Delete("d/0"), store.Delete("d/1"), store.Delete("d/3"))
	look("a delete of all")
}

// versionsOf returns which writes a list shows.
func versionsOf(entries []store.Entry) (all []string) {
	for _, e := range entries {
		all = append(all, fmt.Sprint(e.Key, "@", e.Version, ",", e.Created))
	}
	return all
}

// A change inside the prefix is seen at any depth, and keys beside it, whose
// names begin alike, do not count.
func digestPrefixBoundary(t *test) {
	c := t.open()
	if !t.caps.Digest {
		return
	}
	c.do(nil, store.Create("d/k/deep", nil))
	before := c.digest("d")
	c.do(nil, store.Create("dX/k", nil), store.Create("d-/k", nil), store.Create("e", nil))
	if after := c.digest("d"); after.Keys != before.Keys {
		t.Fatalf("the digest counts %d keys after creates beside the prefix, and %d before", after.Keys, before.Keys)
	}
	before = c.digest("d")
	whole := c.digest("")
	c.do(nil, store.Set("d/k/deep", nil))
	if c.digest("d") == before || c.digest("") == whole {
		t.Fatal("a digest does not see a write two levels below its prefix")
	}
	if d := c.digest("d/k/deep"); d.Keys != 0 {
		t.Fatalf("the digest of a key counts %d keys, want none: a key is not below itself", d.Keys)
	}
}

// A store without digests refuses the call before it sends anything.
func digestRefused(t *test) {
	c := t.open()
	_, err := c.Digest(t.ctx(), "d")
	_, digester := c.Portable.Driver().(store.Digester)
	switch {
	case t.caps.Digest && err != nil:
		t.Fatalf("Caps.Digest is set, and Digest fails: %v", err)
	case t.caps.Digest && !digester:
		t.Fatal("Caps.Digest is set, and the store is no Digester")
	case !t.caps.Digest && !errors.Is(err, store.ErrInvalid):
		t.Fatalf("Caps.Digest is not set: got %v, want ErrInvalid", err)
	}
}
