package engine

import (
	"slices"
	"strings"

	"github.com/elasticjob-go/elastic/store"
)

// packed is a transaction with the moves that it makes.
type packed struct {
	txn   store.Txn
	batch []*move
	rest  []*move // those that are not in it, in their order
	full  bool    // it holds no further move
}

// pack makes one transaction of as many moves as a store takes, in their order.
// most bounds them; 0: as many as fit. Moves that must not be beside those of
// another transaction under way are passed over. One of the others always fits:
// if it is too large by itself the store says so.
func (e *Engine) pack(l *lane, at *slot, moves []*move, most int) packed {
	if at.limit > 0 && (most == 0 || at.limit < most) {
		most = at.limit
	}
	caps := e.cfg.Store.Caps()
	caps.MaxTxn = l.size.most(caps.MaxTxn)
	var beside []*packer
	for _, s := range []*slot{&l.sound[0], &l.sound[1], &l.again} {
		if s != at && s.taken {
			beside = append(beside, &s.keys)
		}
	}
	return at.keys.pack(moves, most, caps, beside)
}

// named is a key of a transaction.
type named struct {
	key      string
	version  store.Version // that a condition asks for
	compared bool
	written  bool
}

// packer makes transactions. Between two of them it knows the keys of the last.
type packer struct {
	keys  []named // sorted
	txn   store.Txn
	bytes int
	last  []store.Cond // the guards of the move that was added last
}

func (p *packer) pack(moves []*move, most int, caps store.Caps, beside []*packer) packed {
	p.keys, p.last = p.keys[:0], nil
	p.bytes = 0
	size := min(len(moves), caps.MaxOps)
	p.txn = store.Txn{Do: make([]store.Op, 0, size)}
	out := packed{batch: make([]*move, 0, size)}
	for i, m := range moves {
		if most > 0 && len(out.batch) == most {
			out.full = true
			out.rest = append(out.rest, moves[i:]...)
			break
		}
		if p.clashes(m, beside) {
			out.rest = append(out.rest, m)
			continue
		}
		if !p.add(m, caps) {
			out.full = true
			out.rest = append(out.rest, moves[i:]...)
			break
		}
		out.batch = append(out.batch, m)
	}
	for _, m := range out.rest {
		m.waited = true
	}
	out.txn = p.txn
	p.txn = store.Txn{}
	return out
}

// clashes reports whether a move must not be under way at the same time as other
// transactions: it writes what one of them writes or compares, or compares what
// one of them writes. Then one of the two would fail.
func (p *packer) clashes(m *move, beside []*packer) bool {
	for _, other := range beside {
		if other.names(m) {
			return true
		}
		if sameGuards(m.guards, p.last) {
			continue // they were looked at for the move before
		}
		for _, c := range m.guards {
			if i, found := other.find(c.Key); found && other.keys[i].written {
				return true
			}
		}
	}
	return false
}

// add takes a move into the transaction if it fits, or if it is the first.
func (p *packer) add(m *move, caps store.Caps) bool {
	// What one move guards, another must not write: conditions are looked at
	// before all writes, so both would pass, and the guard would hold no longer
	// for what was written.
	clash := p.names(m)
	keys, bytes := 1, len(m.op.Key)+len(m.op.Value)
	if m.at != 0 {
		bytes += len(m.op.Key)
	}
	for _, op := range m.also {
		keys, bytes = keys+1, bytes+len(op.Key)+len(op.Value)
	}
	shared := sameGuards(m.guards, p.last)
	if !shared {
		for _, c := range m.guards {
			i, found := p.find(c.Key)
			switch {
			case !found:
				keys, bytes = keys+1, bytes+len(c.Key)
			case p.keys[i].written || p.keys[i].version != c.Version:
				clash = true
			}
		}
	}
	first := len(p.txn.Do) == 0
	if !first && (clash || len(p.keys)+keys > caps.MaxOps || p.bytes+bytes > caps.MaxTxn) {
		return false
	}
	if !shared {
		for _, c := range m.guards {
			p.compare(c)
		}
		p.last = m.guards
	}
	if m.at != 0 {
		p.compare(store.At(m.op.Key, m.at))
	}
	p.bytes += bytes
	p.write(m.op)
	for _, op := range m.also {
		p.write(op)
	}
	return true
}

// names reports whether the transaction names a key that a move writes.
func (p *packer) names(m *move) bool {
	_, found := p.find(m.op.Key)
	for _, op := range m.also {
		if !found {
			_, found = p.find(op.Key)
		}
	}
	return found
}

// write adds a write.
func (p *packer) write(op store.Op) {
	p.insert(op.Key).written = true
	p.txn.Do = append(p.txn.Do, op)
}

// compare adds a condition, unless it is there.
func (p *packer) compare(c store.Cond) {
	n := p.insert(c.Key)
	if n.compared {
		return
	}
	n.compared, n.version = true, c.Version
	p.txn.If = append(p.txn.If, c)
}

func (p *packer) find(key string) (int, bool) {
	return slices.BinarySearchFunc(p.keys, key, func(n named, key string) int { return strings.Compare(n.key, key) })
}

// insert returns the place of a key, which is valid until the next one.
func (p *packer) insert(key string) *named {
	i, found := p.find(key)
	if !found {
		p.keys = slices.Insert(p.keys, i, named{key: key})
	}
	return &p.keys[i]
}

// sameGuards reports whether two lists of guards are one: the shards of a job
// share theirs.
func sameGuards(a, b []store.Cond) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
