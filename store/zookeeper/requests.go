package zookeeper

import "github.com/go-zookeeper/zk"

// The requests that this driver sends itself.

// barrier is a transaction that changes nothing. The servers agree on its place
// among all others, so what is asked after it on this connection sees every
// commit that was acknowledged before.
//
// A sync does less: a server brings itself up to what its leader has, but the
// leader answers its own clients at once, from a state to which it may not have
// applied yet what the others have acknowledged; and so does one that the
// others have just given up (ZOOKEEPER-1675).
func barrier(path string) ask {
	return ask{opMulti, func(p *packet) {
		p.int(opCheck).bool(false).int(-1).text(path).int(-1) // of whatever version; if there is no such node, that is agreed on, too
		p.int(-1).bool(true).int(-1)                          // the end
	}}
}

// syncing asks for a sign of life of the leader, if through another server.
func syncing(path string) ask { return ask{opSync, func(p *packet) { p.text(path) }} }

// dataOf, childrenOf and isThere ask for what a node has, and with notice for
// an event, once, when that changes.

func dataOf(path string, notice bool) ask {
	return ask{opGetData, func(p *packet) { p.text(path).bool(notice) }}
}
func childrenOf(path string, notice bool) ask {
	return ask{opGetChildren, func(p *packet) { p.text(path).bool(notice) }}
}
func isThere(path string, notice bool) ask {
	return ask{opExists, func(p *packet) { p.text(path).bool(notice) }}
}

// arming has the server tell of every change at and below a path, and disarming
// undoes that.
func arming(path string) ask {
	return ask{opAddWatch, func(p *packet) { p.text(path).int(recursiveMode) }}
}
func disarming(path string) ask {
	return ask{opRemoveWatches, func(p *packet) { p.text(path).int(anyWatcher) }}
}

func makingDirectory(path string, acl []zk.ACL) ask {
	return ask{opCreateContainer, func(p *packet) {
		p.text(path).int(-1) // without data
		p.int(int32(len(acl)))
		for _, a := range acl {
			p.int(a.Perms).text(a.Scheme).text(a.ID)
		}
		p.int(containerFlag)
	}}
}
