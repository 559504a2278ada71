/* Failover as ElasticJob 3.0.3 has it, reduced to the nodes that matter. SPIN finds by itself how a shard is blocked
 * for ever; docs/design/model.md tells the trace.
 *
 * Two instances and two shards. An instance is two threads, as there: the listener that hears of crashes, and the
 * worker that fires. Every operation on the registry is a step of its own, so a crash may fall between any two. A killed instance is
 * started again, under a new ID. Nothing else goes wrong: no session is lost, no write fails, no event is missed by who lives.
 *
 * Simplified in favour of the old protocol: there is no lock and no leader to wait for; an assignment follows
 * membership at once, but for the rule that is the point: it waits while any running node exists.
 * The tick that an instance misses while it is down is not asked for. What is asked: once nobody is killed any more, no shard is
 * marked running by an instance that is dead.
 */

#ifndef CRASHES
#define CRASHES 2
#endif
#define IDS (2 + CRASHES)	/* IDs 1..IDS; 0 is nobody, or no node */

byte me[2];			/* the ID of each process; 0: it is down */
byte next = 3;
byte crashes = CRASHES;

byte owner[2];			/* sharding/{i}/instance */
byte running[2];		/* sharding/{i}/running: persistent, holds the ID of who runs it */
byte failover[2];		/* sharding/{i}/failover: ephemeral, of who claimed it */
byte failovering[2];		/* sharding/{i}/failovering: the same, persistent */
bit  items[2];			/* leader/failover/items/{i}: somebody should take it */

bit  due[2];			/* the next tick of the owner has come for this shard */
byte deaths[2];			/* events that this process has not handled yet: the IDs that are gone, as bits */
bit  joined[2];			/* its own start, likewise */
bit  busy[2];			/* its listener handles an event */

#define UP(id)   ((id) != 0 && (me[0] == (id) || me[1] == (id)))
#define THERE(i) (running[i] != 0)

/* The listener: D when somebody dies, O when it has started itself. */
proctype Listener(byte p) {
	byte id, dead, i;
again:
	atomic { id = 0; dead = 0; i = 0; busy[p] = 0 };
end:	if
	:: atomic { me[p] != 0 && deaths[p] != 0 ->
		id = me[p];
		dead = 1;
		do
		:: !(deaths[p] & (1 << dead)) -> dead++
		:: else -> break
		od;
		deaths[p] = deaths[p] & ~(1 << dead); busy[p] = 1 }
	:: atomic { me[p] != 0 && deaths[p] == 0 && joined[p] -> id = me[p]; joined[p] = 0; busy[p] = 1; goto own }
	fi;

	/* D1, D2: what the dead instance had claimed. Its running node stays: this is the fault */
	if
	:: failovering[0] == dead || failovering[1] == dead ->
		i = 0;
		do
		:: i < 2 ->
			if
			:: me[p] != id -> goto again
			:: me[p] == id && failovering[i] == dead ->
				atomic { me[p] == id -> items[i] = 1;
#ifdef REMOVE_RUNNING
					running[i] = 0	/* 3.0.5, #2432 */
#endif
				}
			:: else
			fi;
			i++
		:: else -> break
		od
	:: else ->
		/* D3: what it ran as its own */
		i = 0;
		do
		:: i < 2 ->
			if
			:: me[p] != id -> goto again
			:: atomic { me[p] == id && THERE(i) && owner[i] == dead ->
				if
				:: failover[i] == 0 -> items[i] = 1
				:: else
				fi };
				if
				:: atomic { me[p] == id -> running[i] = 0 }
				:: me[p] != id -> goto again
				fi
			:: else
			fi;
			i++
		:: else -> break
		od
	fi;
	goto claim;

own:	/* O: only the only instance cleans up after those that are gone */
	if
	:: me[1 - p] == 0 ->
		i = 0;
		do
		:: i < 2 ->
			if
			:: me[p] != id -> goto again
			:: atomic { me[p] == id && (THERE(i) && !UP(running[i]) || failovering[i] != 0 && !UP(failovering[i])) ->
				items[i] = 1; running[i] = 0; failovering[i] = 0 }
			:: else
			fi;
			i++
		:: else -> break
		od
	:: else -> goto again
	fi;

claim:	/* F4, F5, F6 */
	i = 0;
	do
	:: i < 2 ->
		if
		:: me[p] != id -> goto again
		:: atomic { me[p] == id && items[i] -> failover[i] = id };
			if
			:: atomic { me[p] == id -> failovering[i] = id }
			:: me[p] != id -> goto again
			fi;
			if
			:: atomic { me[p] == id -> items[i] = 0 }
			:: me[p] != id -> goto again
			fi
		:: else
		fi;
		i++
	:: else -> break
	od;
	goto again
}

/* The worker: G. What it claimed comes first and excludes all else (G1); what is marked as running is dropped (G2), whoever it is that
 * runs it, and if nothing is left nothing is cleaned. */
proctype Worker(byte p) {
	byte id, i;
	bit claimed;
again:
	id = 0; i = 0; claimed = 0;
end:	if
	:: atomic { me[p] != 0 && failover[0] == me[p] && !THERE(0) -> id = me[p]; i = 0; claimed = 1 }
	:: atomic { me[p] != 0 && failover[1] == me[p] && !THERE(1) -> id = me[p]; i = 1; claimed = 1 }
	:: atomic { me[p] != 0 && failover[0] != me[p] && failover[1] != me[p] && due[0] && owner[0] == me[p] && !THERE(0) -> id = me[p]; i = 0; due[0] = 0 }
	:: atomic { me[p] != 0 && failover[0] != me[p] && failover[1] != me[p] && due[1] && owner[1] == me[p] && !THERE(1) -> id = me[p]; i = 1; due[1] = 0 }
	fi;
	/* G5, G6, G7, G8, G9 */
	if
	:: atomic { me[p] == id -> running[i] = id }
	:: me[p] != id -> goto again
	fi;
	if
	:: atomic { me[p] == id -> running[i] = 0 }
	:: me[p] != id -> goto again
	fi;
	if
	:: claimed ->
		if
		:: atomic { me[p] == id -> failover[i] = 0 }
		:: me[p] != id -> goto again
		fi;
		if
		:: atomic { me[p] == id -> failovering[i] = 0 }
		:: me[p] != id -> goto again
		fi
	:: else
	fi;
	goto again
}

#ifdef EVENTS_HANDLED	/* the other is up, and whoever is killed has handled every crash it was told of */
#define MAY_DIE (me[1 - p] != 0 && deaths[p] == 0 && !busy[p])
#elif defined(ONE_STAYS_UP)
#define MAY_DIE (me[1 - p] != 0)
#else
#define MAY_DIE true
#endif

/* Processes are killed, and started again. A restart does not wait for the session of the one before: the IDs differ. */
proctype Machine(byte p) {
end:	do
	:: atomic { crashes > 0 && me[p] != 0 && MAY_DIE ->
		crashes--;
		if	/* ephemeral nodes go; who lives hears of it */
		:: failover[0] == me[p] -> failover[0] = 0
		:: else
		fi;
		if
		:: failover[1] == me[p] -> failover[1] = 0
		:: else
		fi;
		if
		:: me[1 - p] != 0 -> deaths[1 - p] = deaths[1 - p] | (1 << me[p])
		:: else
		fi;
		deaths[p] = 0; joined[p] = 0;
		me[p] = 0 }
	:: atomic { me[p] == 0 -> me[p] = next; next++; joined[p] = 1 }
	od
}

/* The leader: it shards anew when an owner is gone, but waits while any running node exists, whosoever it is. */
proctype Leader() {
end:	do
	:: atomic { me[0] != 0 && me[1] != 0 && (owner[0] != me[0] || owner[1] != me[1]) && !THERE(0) && !THERE(1) ->
		owner[0] = me[0]; owner[1] = me[1] }
	od
}

/* When nothing can move any more, nobody is killed any more, and all are up: */
proctype Settled() {
	timeout ->
	assert(!THERE(0) && !THERE(1))		/* nothing is marked as running, for nothing runs */
}

init {
	atomic {
		me[0] = 1; me[1] = 2; owner[0] = 1; owner[1] = 2; due[0] = 1; due[1] = 1;
		run Listener(0); run Worker(0); run Machine(0);
		run Listener(1); run Worker(1); run Machine(1);
		run Leader(); run Settled()
	}
}
