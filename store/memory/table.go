package memory

import (
	"slices"
	"sort"
	"strings"

	"github.com/elasticjob-go/elastic/store"
)

// record is one write of one key. It is never changed once it is made, so that
// tables, watches and histories can share it.
type record struct {
	key     string
	value   []byte
	version store.Version
	rev     uint64 // of this write
	created uint64
	lease   *lease // nil for a lasting key
}

func (r *record) owner() string {
	if r.lease == nil {
		return ""
	}
	return r.lease.id
}

// entries copies records out. All values share one allocation, which lives as
// long as any of them.
func entries(records []*record) []store.Entry {
	size := 0
	for _, r := range records {
		size += len(r.value)
	}
	values := make([]byte, 0, size)
	out := make([]store.Entry, len(records))
	for i, r := range records {
		from := len(values)
		values = append(values, r.value...)
		// The third index keeps an append to one value from running into the
		// next.
		value := values[from:len(values):len(values)]
		out[i] = store.Entry{
			Key:     r.key,
			Value:   value,
			Version: r.version,
			Created: r.created,
			Owner:   r.owner(),
		}
	}
	return out
}

// table keeps records in the order of their keys, in pages that are sorted and
// in order: a B+ tree of two levels. A find is two binary searches, a write
// moves at most one page, and the keys below a prefix are a run of neighbours,
// so that a List costs what it returns and not what the namespace holds. At
// 100,000 keys there are some 300 pages; a tree of more levels would save
// nothing that can be measured.
type table struct {
	pages [][]*record // none is empty
}

const pageSize = 512

// find returns where key is, or where it would be.
func (t *table) find(key string) (page, i int, found bool) {
	page = sort.Search(len(t.pages), func(p int) bool { return t.pages[p][0].key > key })
	if page > 0 {
		page--
	}
	if page == len(t.pages) {
		return page, 0, false
	}
	order := func(r *record, key string) int { return strings.Compare(r.key, key) }
	i, found = slices.BinarySearchFunc(t.pages[page], key, order)
	return page, i, found
}

// get returns nil for a key that is absent.
func (t *table) get(key string) *record {
	page, i, found := t.find(key)
	if !found {
		return nil
	}
	return t.pages[page][i]
}

func (t *table) put(r *record) {
	page, i, found := t.find(r.key)
	switch {
	case found:
		t.pages[page][i] = r
	case len(t.pages) == 0:
		t.pages = append(t.pages, append(make([]*record, 0, pageSize), r))
	default:
		t.pages[page] = slices.Insert(t.pages[page], i, r)
		if full := t.pages[page]; len(full) == pageSize {
			upper := append(make([]*record, 0, pageSize), full[pageSize/2:]...)
			clear(full[pageSize/2:])
			t.pages[page] = full[:pageSize/2]
			t.pages = slices.Insert(t.pages, page+1, upper)
		}
	}
}

func (t *table) remove(key string) {
	page, i, found := t.find(key)
	if !found {
		return
	}
	t.pages[page] = slices.Delete(t.pages[page], i, i+1)
	switch left := t.pages[page]; {
	case len(left) == 0:
		t.pages = slices.Delete(t.pages, page, page+1)
	case page+1 < len(t.pages) && len(left)+len(t.pages[page+1]) < pageSize/2:
		t.pages[page] = append(left, t.pages[page+1]...)
		t.pages = slices.Delete(t.pages, page+1, page+2)
	}
}

// digest counts the records strictly below prefix and returns the revision of
// the last write among them. A later write has a greater one, and a delete
// makes them fewer unless another was created since: so equal digests mean
// equal content.
func (t *table) digest(prefix string) store.Digest {
	var d store.Digest
	t.each(prefix, "", func(r *record) bool {
		d.Keys++
		d.Mark = max(d.Mark, r.rev)
		return true
	})
	return d
}

// below returns the records strictly below prefix whose keys are greater than
// after, at most limit of them.
func (t *table) below(prefix, after string, limit int) []*record {
	var out []*record
	t.each(prefix, after, func(r *record) bool {
		if len(out) == limit {
			return false
		}
		out = append(out, r)
		return true
	})
	return out
}

// each calls f for the records strictly below prefix whose keys are greater
// than after, in their order, until it returns false.
func (t *table) each(prefix, after string, f func(*record) bool) {
	if prefix != "" {
		prefix += "/"
	}
	page, i, found := t.find(max(prefix, after))
	if found && after >= prefix {
		i++
	}
	for ; page < len(t.pages); page, i = page+1, 0 {
		for _, r := range t.pages[page][i:] {
			if !strings.HasPrefix(r.key, prefix) || !f(r) {
				return
			}
		}
	}
}
