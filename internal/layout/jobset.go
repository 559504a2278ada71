package layout

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/elasticjob-go/elastic/store"
)

// MaxSets is how many sets of jobs an instance names at most.
const MaxSets = 32

// MaxPart is how many bytes a part of a set takes at most.
const MaxPart = 128 << 10

// maxParts bounds what a header may ask a reader to fetch: 8 million names of
// the shortest kind.
const maxParts = 256

// JobSet is a set of names of jobs, shared by all instances that name its hash.
// The jobs that an instance has are the sets that it names, in their order:
// each adds its names, or takes them away.
type JobSet struct {
	Names []string // sorted, each once
	Minus bool     // the names are taken away
}

// NewJobSet returns the set of the given names, in any order.
func NewJobSet(names []string, minus bool) JobSet {
	return JobSet{slices.Compact(slices.Sorted(slices.Values(names))), minus}
}

// Hash names the set: it is made of the sorted names and of what they are for.
func (s JobSet) Hash() string {
	h := sha256.New()
	if s.Minus {
		h.Write([]byte("minus\n"))
	}
	for _, name := range s.Names {
		h.Write([]byte(name))
		h.Write([]byte("\n"))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// checkHash returns an error unless hash has the form of one.
func checkHash(hash string) error {
	b, err := hex.DecodeString(hash)
	if err != nil || len(b) != 16 || hex.EncodeToString(b) != hash {
		return fmt.Errorf("%.40q is not the hash of a set of jobs", hash)
	}
	return nil
}

type setHeaderDoc struct {
	V     int  `json:"v"`
	Parts int  `json:"parts"`
	Names int  `json:"names"`
	Minus bool `json:"minus,omitempty"`
}

type setPartDoc struct {
	V     int      `json:"v"`
	Names []string `json:"names"`
}

// Documents returns the set as it is stored: the header, which goes below
// SetKey(hash, 0), and the parts, from SetKey(hash, 1) on. The header is to be
// written last: a set with a header is complete.
func (s JobSet) Documents() [][]byte {
	docs := [][]byte{nil}
	for names := s.Names; len(names) > 0; {
		n, size := 0, len(`{"v":1,"names":[]}`)
		for n < len(names) && size+len(names[n])+len(`"",`) <= MaxPart {
			size += len(names[n]) + len(`"",`)
			n++
		}
		docs = append(docs, encode(setPartDoc{version, names[:n]}))
		names = names[n:]
	}
	docs[0] = encode(setHeaderDoc{version, len(docs) - 1, len(s.Names), s.Minus})
	return docs
}

// ErrSetIncomplete says that a set of jobs, or a part of it, is not in the
// store.
var ErrSetIncomplete = errors.New("the set is not in the store, or not all of it")

// DecodeJobSet reads the set of the given hash from its documents, by the
// number in their keys. What is missing, half written or altered is an error.
func DecodeJobSet(hash string, docs map[int][]byte) (JobSet, error) {
	set, err := decodeJobSet(docs)
	if err == nil && set.Hash() != hash {
		err = errors.New("its names have another hash")
	}
	if err != nil {
		return JobSet{}, fmt.Errorf("set of jobs %.40q: %w", hash, err)
	}
	return set, nil
}

func decodeJobSet(docs map[int][]byte) (JobSet, error) {
	if docs[0] == nil {
		return JobSet{}, ErrSetIncomplete
	}
	var header setHeaderDoc
	if err := versioned(docs[0], "the header of a set", &header); err != nil {
		return JobSet{}, err
	}
	if header.Parts < 0 || header.Parts > maxParts || header.Names < 0 {
		return JobSet{}, fmt.Errorf("a header with %d parts and %d names: want at most %d parts", header.Parts, header.Names, maxParts)
	}
	set := JobSet{Minus: header.Minus}
	for part := 1; part <= header.Parts; part++ {
		if docs[part] == nil {
			return JobSet{}, ErrSetIncomplete
		}
		var d setPartDoc
		if err := versioned(docs[part], "a part of a set", &d); err != nil {
			return JobSet{}, err
		}
		for _, name := range d.Names {
			if err := CheckName(name); err != nil {
				return JobSet{}, fmt.Errorf("the name %.40q %w", name, err)
			}
		}
		set.Names = append(set.Names, d.Names...)
	}
	if len(set.Names) != header.Names {
		return JobSet{}, fmt.Errorf("it has %d names, and its header says %d", len(set.Names), header.Names)
	}
	return set, nil
}

// SetOf returns the hash and the number in a key of a set's document, which has
// exactly the form jobsets/HASH/NUMBER. Any other key is not one, and false is
// returned.
func SetOf(key string) (hash string, part int, ok bool) {
	rest, ok := strings.CutPrefix(key, JobSets+"/")
	if !ok {
		return "", 0, false
	}
	hash, number, _ := strings.Cut(rest, "/")
	part, err := strconv.Atoi(number)
	if err != nil || part < 0 || checkHash(hash) != nil || SetKey(hash, part) != key {
		return "", 0, false
	}
	return hash, part, true
}

// Sets are sets of jobs by their hashes.
type Sets map[string]JobSet

// DecodeJobSets returns those of the sets below JobSets that can be read.
func DecodeJobSets(entries []store.Entry) Sets {
	docs := map[string]map[int][]byte{}
	for _, e := range entries {
		hash, part, ok := SetOf(e.Key)
		if !ok {
			continue
		}
		if docs[hash] == nil {
			docs[hash] = map[int][]byte{}
		}
		docs[hash][part] = e.Value
	}
	sets := Sets{}
	for hash, parts := range docs {
		if set, err := DecodeJobSet(hash, parts); err == nil {
			sets[hash] = set
		}
	}
	return sets
}

// Whole reports whether all sets of the given hashes are there.
func (s Sets) Whole(hashes []string) bool {
	for _, hash := range hashes {
		if _, ok := s[hash]; !ok {
			return false
		}
	}
	return true
}

// Has reports whether an instance that names these hashes has a job. An
// instance of which a set is missing has none.
func (s Sets) Has(hashes []string, job string) bool {
	if !s.Whole(hashes) {
		return false
	}
	for _, hash := range slices.Backward(hashes) {
		if set := s[hash]; set.contains(job) {
			return !set.Minus
		}
	}
	return false
}

// Names returns the jobs of an instance that names these hashes, sorted.
func (s Sets) Names(hashes []string) []string {
	if !s.Whole(hashes) {
		return nil
	}
	have := map[string]bool{}
	for _, hash := range hashes {
		for _, name := range s[hash].Names {
			if s[hash].Minus {
				delete(have, name)
			} else {
				have[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(have))
}

func (s JobSet) contains(job string) bool {
	_, ok := slices.BinarySearch(s.Names, job)
	return ok
}
