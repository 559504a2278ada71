package layout

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/elasticjob-go/elastic/store"
)

// manyNames returns n names of the greatest length.
func manyNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%0*d", MaxName, i)
	}
	return names
}

// stored returns the documents of a set by the numbers in their keys.
func stored(s JobSet) map[int][]byte {
	docs := map[int][]byte{}
	for part, doc := range s.Documents() {
		docs[part] = doc
	}
	return docs
}

// A set of any size is read as it was written, in parts that every store takes.
func TestJobSet_ReadAsWritten(t *testing.T) {
	for _, n := range []int{0, 1, 5, 50_000} {
		for _, minus := range []bool{false, true} {
			s := NewJobSet(manyNames(n), minus)
			docs := stored(s)
			for part, doc := range docs {
				if len(doc) > MaxPart {
					t.Errorf("part %d of %d names has %d bytes", part, n, len(doc))
				}
			}
			got, err := DecodeJobSet(s.Hash(), docs)
			if err != nil || !slices.Equal(got.Names, s.Names) || got.Minus != minus {
				t.Errorf("%d names: %v", n, err)
			}
		}
	}
}

// Names in any order, and twice, are one set; other names, or the same to be
// taken away, are another.
func TestJobSet_Hash(t *testing.T) {
	one := NewJobSet([]string{"b", "a", "b"}, false)
	if two := NewJobSet([]string{"a", "b"}, false); one.Hash() != two.Hash() || checkHash(one.Hash()) != nil {
		t.Errorf("hashes %s and %s", one.Hash(), two.Hash())
	}
	seen := map[string]bool{one.Hash(): true}
	for _, s := range []JobSet{NewJobSet([]string{"a", "b"}, true), NewJobSet([]string{"ab"}, false), NewJobSet(nil, false), NewJobSet(nil, true)} {
		if seen[s.Hash()] {
			t.Errorf("%+v has the hash of another", s)
		}
		seen[s.Hash()] = true
	}
}

// A set that is not all there, or is not what its hash says, is refused.
func TestDecodeJobSet_Refuses(t *testing.T) {
	s := NewJobSet(manyNames(3000), false)
	for name, spoil := range map[string]func(docs map[int][]byte){
		"no header":            func(docs map[int][]byte) { delete(docs, 0) },
		"a part missing":       func(docs map[int][]byte) { delete(docs, 2) },
		"half a part":          func(docs map[int][]byte) { docs[2] = docs[2][:100] },
		"a header of tomorrow": func(docs map[int][]byte) { docs[0] = []byte(`{"v":2,"parts":3,"names":3000}`) },
		"a part of tomorrow":   func(docs map[int][]byte) { docs[1] = []byte(strings.Replace(string(docs[1]), `"v":1`, `"v":2`, 1)) },
		"another count":        func(docs map[int][]byte) { docs[0] = []byte(`{"v":1,"parts":3,"names":2999}`) },
		"fewer parts":          func(docs map[int][]byte) { docs[0] = []byte(`{"v":1,"parts":1,"names":3000}`) },
		"too many parts":       func(docs map[int][]byte) { docs[0] = []byte(`{"v":1,"parts":1000000,"names":3000}`) },
		"another order":        func(docs map[int][]byte) { docs[1], docs[2] = docs[2], docs[1] },
		"another mark": func(docs map[int][]byte) {
			docs[0] = []byte(strings.Replace(string(docs[0]), `}`, `,"minus":true}`, 1))
		},
		"a name with a slash": func(docs map[int][]byte) { docs[3] = []byte(`{"v":1,"names":["a/b"]}`) },
	} {
		docs := stored(s)
		spoil(docs)
		if _, err := DecodeJobSet(s.Hash(), docs); err == nil {
			t.Errorf("%s: the set is accepted", name)
		}
	}
	if _, err := DecodeJobSet(s.Hash(), nil); !errors.Is(err, ErrSetIncomplete) {
		t.Errorf("nothing: got %v", err)
	}
}

func FuzzDecodeJobSet(f *testing.F) {
	s := NewJobSet([]string{"a", "b"}, false)
	f.Add(s.Documents()[0], s.Documents()[1])
	f.Fuzz(func(t *testing.T, header, part []byte) {
		docs := map[int][]byte{0: header, 1: part}
		set, err := decodeJobSet(docs)
		if err != nil {
			return
		}
		if _, err := DecodeJobSet(set.Hash(), docs); err != nil {
			t.Error(err)
		}
	})
}

// An instance has the jobs of its sets, in their order; one of which a set is
// missing has none.
func TestSets_InTheirOrder(t *testing.T) {
	all := NewJobSet([]string{"a", "b", "c"}, false)
	without := NewJobSet([]string{"b"}, true)
	again := NewJobSet([]string{"b", "d"}, false)
	var entries []store.Entry
	for _, s := range []JobSet{all, without, again} {
		for part, doc := range s.Documents() {
			entries = append(entries, store.Entry{Key: SetKey(s.Hash(), part), Value: doc})
		}
	}
	sets := DecodeJobSets(append(entries, store.Entry{Key: "jobsets/odd/0"}))
	for want, hashes := range map[string][]string{
		"[]":        {},
		"[a b c]":   {all.Hash()},
		"[a c]":     {all.Hash(), without.Hash()},
		"[a b c d]": {all.Hash(), without.Hash(), again.Hash()},
		"[a c d]":   {all.Hash(), again.Hash(), without.Hash()},
	} {
		names := sets.Names(hashes)
		if got := fmt.Sprint(names); got != want {
			t.Errorf("%d sets: got %s, want %s", len(hashes), got, want)
		}
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			if got := sets.Has(hashes, name); got != slices.Contains(names, name) {
				t.Errorf("%d sets have %s: %t", len(hashes), name, got)
			}
		}
	}
	missing := []string{all.Hash(), NewJobSet([]string{"x"}, false).Hash()}
	if sets.Has(missing, "a") || sets.Names(missing) != nil || sets.Whole(missing) {
		t.Error("an instance of which a set is missing has jobs")
	}
}
