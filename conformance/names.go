package conformance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/elasticjob-go/elastic/store"
)

// names: every key that store.CheckKey allows is carried, as it is, and no
// other is sent.
func names() []testCase {
	return []testCase{
		{name: "KEY/Weird", run: weirdKeys},
		{name: "KEY/Invalid", run: invalidKeys},
		{name: "KEY/Length", run: longKeys},
		{name: "KEY/Distinct", run: distinctKeys},
		{name: "KEY/NamespaceIsolation", run: namespaceIsolation},
		{name: "KEY/ReservedUnseen", run: reservedUnseen},
	}
}

func weird() []string {
	segments := []string{
		" ", "a b", " a", "a ", "%", "%2F", "%00", "@", "+", "?", "a?b=c&d", "#", ":", "=", "=2F", "\\", `"`, "'", "`",
		"$", "*", "[a]", "{b}", "<c>", "|", ";", ",", "~", "^", "!",
		"...", ".a", "a.", "..a", "-", "_", ".hidden", ".sys2", "zookeeper", "etcd", "consul",
		"\x01", "\x1f", "\x7f", "\u0085", "\t", "\n", "\r\n",
		"é", "e\u0301", "ß", "日本語", "한국어", "مرحبا", "\u202eabc", "\u200d", "\ufeff", "\ufffd", "\uffff", "\ue000",
		"🙂", "👨\u200d👩\u200d👧", "\U0010ffff",
	}
	slices.Sort(segments)
	return segments
}

func weirdKeys(t *test) {
	a, b := t.open(), t.open()
	ss := a.session(0)
	f := t.follow(b, "d")
	var want []string
	for i, segment := range weird() {
		last, inside := "d/last/"+segment, "d/inside/"+segment+"/k"
		a.do(ss, store.CreateEphemeral(inside, nil))
		version := a.do(ss, store.Create(last, nil))
		a.commit(store.Txn{
			If: []store.Cond{store.At(last, version), store.Exists(inside)},
			Do: []store.Op{store.Set(last, []byte(segment))},
		})
		b.wantValue(last, segment)
		b.wantKeys("d/inside/"+segment, inside)
		a.conflicts(store.Txn{Do: []store.Op{store.Create(last, nil)}}, last, store.Present)
		if segment != store.Reserved && i%7 == 0 {
			a.do(nil, store.Create(segment+"/top", nil))
			b.wantKeys(segment, segment+"/top")
			a.do(nil, store.Delete(segment+"/top"))
		}
		want = append(want, last, inside)
	}
	slices.Sort(want)
	b.wantKeys("d", want...)
	f.untilEqual(b.list("d"))
	for _, segment := range weird() {
		a.do(nil, store.Delete("d/last/"+segment), store.Delete("d/inside/"+segment+"/k"))
	}
	b.wantKeys("")
	f.untilEqual(nil)
}

func invalidKeys(t *test) {
	c := t.open()
	long := strings.Repeat("x", store.MaxSegment+1)
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/.", "a/../b", "./a", "a\x00b", "\xff", "a/\xc3\x28",
		"\xed\xa0\x80",
		long, "a/" + long, strings.Repeat("abcd/", store.MaxKey/5) + "x",
		store.Reserved, store.Reserved + "/sessions/1",
	} {
		_, err := c.Get(t.ctx(), key)
		t.want(fmt.Sprintf("get %q", key), err, store.ErrInvalid)
		for _, txn := range []store.Txn{
			{Do: []store.Op{store.Create(key, nil)}},
			{Do: []store.Op{store.Create("fine", nil), store.Delete(key)}},
			{If: []store.Cond{store.Exists(key)}, Do: []store.Op{store.Create("fine", nil)}},
		} {
			_, err := c.Commit(t.ctx(), txn)
			t.want(text(txn), err, store.ErrInvalid)
		}
		if key == "" {
			continue // as a prefix it is the namespace
		}
		_, err = c.List(t.ctx(), key)
		t.want(fmt.Sprintf("list %q", key), err, store.ErrInvalid)
		w, err := c.Watch(t.ctx(), key)
		t.want(fmt.Sprintf("watch %q", key), err, store.ErrInvalid)
		if w != nil {
			t.Fatalf("watch %q: a watch and an error", key)
		}
	}
	c.wantKeys("")
}

func longKeys(t *test) {
	c := t.open()
	for _, r := range []string{"x", "=", "é", "日", "🙂", "\x01"} { // the worst for one escaping or another
		segment := strings.Repeat(r, store.MaxSegment/len(r))
		key := strings.Repeat(segment+"/", 4)
		key += strings.Repeat(r, (store.MaxKey-len(key))/len(r))
		c.do(nil, store.Create(key, []byte(r)))
		c.wantValue(key, r)
		c.wantKeys(segment, key)
		f := t.follow(c, segment+"/"+segment)
		f.untilEqual(c.list(segment))
		c.do(nil, store.Delete(key))
		f.untilEqual(nil)
	}
}

// Names that look alike, to a person or to a file system, are different keys.
func distinctKeys(t *test) {
	c := t.open()
	all := []string{
		"d/A", "d/a", "d/e\u0301", "d/é", "d/a ", "d/ a", "d/%61", "d/=61", "d/ß", "d/ss", "d/K", "d/\u212a",
	}
	slices.Sort(all)
	for _, key := range all {
		c.do(nil, store.Create(key, []byte(key)))
	}
	for _, key := range all {
		c.wantValue(key, key)
	}
	c.wantKeys("d", all...)
}

func namespaceIsolation(t *test) {
	other := newTest(t.TB, t.harness)
	a, b := t.open(), other.open()
	f := other.follow(b, "")
	f.reset()
	ss := a.session(0)
	a.do(ss, store.Create("d/k", []byte("a")), store.CreateEphemeral("d/eph", nil))
	b.wantKeys("")
	b.wantAbsent("d/k")
	b.do(nil, store.Create("d/k", []byte("b")))
	f.until("its own key is seen", func() bool { return len(f.state) > 0 })
	if !f.equal(b.list("")) {
		t.Fatalf("the watch of one namespace saw %q, want d/k", f.keys())
	}
	a.wantValue("d/k", "a")
	t.want("close session", ss.Close(t.ctx()), nil)
	b.wantKeys("", "d/k")
	a.wantKeys("", "d/k")
}

// Keys of a driver itself, such as markers of sessions, are no part of the
// namespace.
func reservedUnseen(t *test) {
	c := t.open()
	f := t.follow(c, "")
	f.reset()
	for i := range 3 {
		ss := c.session(0)
		c.do(ss, store.Create(fmt.Sprintf("k%d", i), nil))
		if i == 2 {
			t.want("close session", ss.Close(t.ctx()), nil)
		}
	}
	c.wantKeys("", "k0", "k1", "k2")
	f.untilEqual(c.list(""))
	_, err := c.List(t.ctx(), store.Reserved)
	t.want("list what is reserved", err, store.ErrInvalid)
}
