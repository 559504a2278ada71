package engine

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/elasticjob-go/elastic/internal/layout"
)

// The jobs of a namespace are divided into groups, by a hash of their names, and
// each group has its own order of the instances, by rendezvous hash of group and
// ID. The first of the order that may lead a job is its leader; the others stand
// in, in that order. So planning is spread over the fleet, and a leader's jobs
// share transactions. An instance that comes or goes changes the leader of its
// own groups only.
//
// There is no election, hence nothing that a crash can leave locked, and safety
// does not rest on which instance leads: every write of a leader compares what
// it was computed from.

// leaderGroups is how many groups there are. More of them spread planning
// further; but a change that concerns all jobs, such as the loss of an instance,
// takes at least one commit for each leader, however few jobs it has.
const leaderGroups = 8

// groupOf returns the group of a job. All programs of a namespace must agree on
// it, or two lead one job and one of them loses each race.
func groupOf(job string) int { return int(mixed(job, 0) % leaderGroups) }

// mixed hashes a name with a number. FNV alone spreads names that differ in the
// last letter over a small part of the range.
func mixed(name string, n uint64) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	x := h.Sum64() ^ (n+1)*0xe599cfefd0bad55f
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// orders are the instances in the order in which they lead each group, made when
// they are asked for.
type orders [leaderGroups][]*peer

func (o *orders) of(group int, peers []*peer) []*peer {
	if o[group] == nil && len(peers) > 0 {
		o[group] = rendezvous(group, peers)
	}
	return o[group]
}

// rendezvous returns instances in the order in which they lead a group.
func rendezvous(group int, peers []*peer) []*peer {
	type place struct {
		peer *peer
		hash uint64
	}
	places := make([]place, len(peers))
	for i, p := range peers {
		places[i] = place{p, mixed(p.id, uint64(group))}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(b.hash, a.hash), strings.Compare(a.peer.id, b.peer.id))
	})
	order := make([]*peer, len(places))
	for i, p := range places {
		order[i] = p.peer
	}
	return order
}

// standIns is how many instances look at a job in full: its leader, and those
// that come next. The others look only whether shards have no owner.
const standIns = 3

// rankFor returns how many instances come before this one in leading a job, or -1 if
// this one may not lead it. From standIns on the number can be too large:
// instances that may not lead the job are counted as well.
func (e *Engine) rankFor(j *job) int {
	rank := 0
	for _, p := range e.replica.orders.of(j.group, e.replica.peers) {
		switch {
		case e.isMe(p.id):
			if !p.mayLead(j) {
				return -1
			}
			return rank
		case rank >= standIns || p.mayLead(j):
			rank++
		}
	}
	return -1
}

// leads reports whether this instance is the leader of a job.
func (e *Engine) leads(j *job) bool { return e.rankFor(j) == 0 }

// mayLead reports whether an instance may lead a job. It may lead one of which it
// may own no shards, because of its labels or a cordon: if none may own, the
// leader says so in the assignment.
func (p *peer) mayLead(j *job) bool { return p.readable && p.State == layout.Up && p.Has(j.name) }
