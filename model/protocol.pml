/* The protocol, as SPIN can check it: every interleaving of a small world.
 *
 * What is checked is written beside the step that could break it, as an assertion; what must happen in the end is in
 * Settled and in the two LTL formulas. docs/design/model.md says what is modelled, what is not, and what came out.
 *
 * Reads and writes of the store are steps of their own: between an instance's read, its decision, the moment at which its
 * transaction is applied and the moment at which it gets the answer, anything else may happen. The conditions and the writes of one
 * transaction are one step, for that is what the store promises.
 *
 * Everything that can go wrong has a budget, so that the world is finite. What heals it has none.
 */

#ifndef INSTANCES
#define INSTANCES 3
#endif
#ifndef SHARDS
#define SHARDS 2
#endif
#ifndef FAULTS
#define FAULTS 1	/* crashes, expiries of a living instance's session, sessions given up early, departures */
#endif
#ifndef FIRES
#define FIRES 1		/* scheduled times */
#endif
#ifndef LOST
#define LOST 1		/* requests or answers that get lost */
#endif
#ifndef MOVES
#define MOVES 0		/* assignments that are written without need, to anybody, even to the dead */
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 2	/* of one fire; hand-overs don't count */
#endif

#ifndef RESHARDS
#define RESHARDS 0	/* assignments that divide the work otherwise, so that a shard can get another's */
#endif
#define SPAN    16	/* from a floor of the fences to its ceiling: more than all claims of this world, so that none comes to the ceiling */

#define QUIET   (faults == 0 && moves == 0)	/* nothing more goes wrong, and at least one instance is up, or comes back */
#define IDS     (INSTANCES + FAULTS)	/* a fault ends at most one session, so no more are ever needed */
#define AGENTS  (INSTANCES * SHARDS)
#define NOBODY  0

/* Mutants: the protocol with one rule left out. Each must be rejected; run.sh sees to it. */
#ifdef NO_PROOF_OF_DEATH
#define PROVEN(a)        true		/* not seen among the live ones is taken for dead */
#else
#define PROVEN(a)        ag[a].proof
#endif
#ifdef RUNNING_IS_BELIEVED
#define MAY_ASK          false		/* a running record is believed because it is there */
#else
#define MAY_ASK          true
#endif
#ifdef COMPLETE_WITHOUT_COMPARE
#define END_COMPARES     false
#else
#define END_COMPARES     true
#endif
#ifdef CLAIM_WITHOUT_COMPARE
#define CLAIM_COMPARES   false
#else
#define CLAIM_COMPARES   true
#endif
#ifdef CLAIM_WITHOUT_OWN_KEY
#define OWN_KEY_EXISTS(id) true
#else
#define OWN_KEY_EXISTS(id) ALIVE(id)
#endif
#ifdef LEAVING_STILL_CLAIMS
#define MAY_CLAIM(p)     true		/* it takes over what it has just handed over, and so on for ever */
#else
#define MAY_CLAIM(p)     !proc[p].leaving
#endif
#ifdef CLAIM_WITHOUT_ASSIGNMENT
#define ASSIGNMENT_HOLDS(a) true	/* not a mutant: safety rests on records alone, so this must be accepted */
#else
#define ASSIGNMENT_HOLDS(a) ag[a].guard
#endif

#ifdef CLAIM_IGNORES_FLOOR
#define NEXT_FENCE(p, a) (ag[a].rec.fence + 1)
#else
#define NEXT_FENCE(p, a) (ag[a].rec.fence + 1 > proc[p].floor -> ag[a].rec.fence + 1 : proc[p].floor)
#endif
#ifdef RESHARD_KEEPS_FLOOR
#define RAISED(f)        f
#else
#define RAISED(f)        f + SPAN
#endif

/* ---- the store ---- */

typedef Record {
	bit  running;
	byte owner;	/* an instance's ID */
	byte fire;	/* the scheduled time that ran last, or runs */
	byte attempt;
	byte fence;
	byte version	/* of the key: the store counts it */
};

Record rec[SHARDS];		/* /runs/{job}/{shard} */
byte keys;			/* /instances/{id}: which exist, as bits */
byte assigned[SHARDS];		/* /assignments/{job} */
byte floor = 1;			/* in it: the least fence of a claim that rests on it */

#define ALIVE(id) (keys & (1 << (id)))

/* ---- time, and faults ---- */

byte clock = 1;			/* the latest scheduled time */
byte faults = FAULTS;
byte lost   = LOST;
byte moves  = MOVES;
byte reshards = RESHARDS;
byte nextID = INSTANCES + 1;

/* ---- the instances ---- */

typedef Process {
	bit  up;
	bit  returns;	/* it is down, and will be started again; or it leaves, and will */
	bit  leaving;
	byte me;	/* the ID of its session; NOBODY between two sessions. The session may be over at the store, unnoticed */
	byte floor;	/* of the fences, as its replica shows the assignment */
	bit  fresh;	/* its replica shows the assignment as it is */
	byte owned	/* the shards that its replica gives it, as bits */
};
Process proc[INSTANCES];

mtype = { none, begin, takeOver, abandon, complete, handOver,	/* transactions */
          sent, applied,					/* how far one is */
          claiming, working, finished, yielded };		/* phases of a local run, as in failover.Phase */

/* What one process does about one shard. */
typedef Agent {
	bit   known;		/* rec is what a read or our own last write showed */
	Record rec;
	bit   proof;		/* rec.owner was found dead by a linearizable read */
	bit   awaits;		/* the assignment that guarded a claim is old: wait for the watch */

	mtype op = none;	/* the transaction under way */
	mtype stage = none;
	byte  as;		/* the instance that sent it */
	byte  fire;		/* to begin */
	byte  next;		/* the fence of a claim */
	bit   guard;		/* the assignment has not changed since it was decided */

	mtype phase = none;	/* of the local run */
	byte  owner;		/* the instance that claimed it */
	byte  fence		/* of the claim */
};
Agent ag[AGENTS];

#define AGENT(p, s)  ((p) * SHARDS + (s))
#define OWNED(p, s)  (proc[p].owned & (1 << (s)))

/* ---- history, for the assertions only ---- */

byte begun[SHARDS];		/* the fires that began with attempt 1, as bits */
byte highest[SHARDS];		/* the greatest fence so far */
byte outranked;			/* the greatest fence, of any shard, before the work was divided otherwise */

#define clearRecord(r) r.running = 0; r.owner = NOBODY; r.fire = 0; r.attempt = 0; r.fence = 0; r.version = 0
#define copyRecord(to, from) to.running = from.running; to.owner = from.owner; to.fire = from.fire; \
	to.attempt = from.attempt; to.fence = from.fence; to.version = from.version
inline unlearn(a) {
	ag[a].known = 0; ag[a].proof = 0; clearRecord(ag[a].rec)
}
inline noRun(a) {
	ag[a].phase = none; ag[a].owner = NOBODY; ag[a].fence = 0
}
inline noOp(a) {
	ag[a].op = none; ag[a].stage = none; ag[a].as = NOBODY; ag[a].fire = 0; ag[a].guard = 0; ag[a].next = 0
}
/* A shard that this process neither owns nor runs is forgotten; if it comes back its record is read again. */
inline tidy(p, s, a) {
	if
	:: !OWNED(p, s) && ag[a].phase == none && ag[a].op == none -> unlearn(a)
	:: else
	fi
}

inline send(a, what, id) {
	ag[a].op = what; ag[a].stage = sent; ag[a].as = id; ag[a].guard = proc[p].fresh
}

/* A claim that holds: the handler starts. Invariant 1: no other execution has a session that lives. */
inline start(p, s, a) {
	ag[a].phase = working;
	q = 0;
	do
	:: q < INSTANCES ->
		assert(q == p || ag[AGENT(q, s)].phase != working || !ALIVE(ag[AGENT(q, s)].owner) || !ALIVE(ag[a].owner));
		q++
	:: else -> break
	od;
	q = 0
}

/* The process gives its session up: it is no instance any more. Its handlers are told, and may or may not obey. */
inline lose(p) {
	proc[p].me = NOBODY; proc[p].owned = 0; proc[p].fresh = 0; proc[p].floor = 0;
	t = 0;
	do
	:: t < SHARDS ->
		ag[AGENT(p, t)].awaits = 0;
		if
		:: ag[AGENT(p, t)].phase == claiming -> noRun(AGENT(p, t))
		:: else
		fi;
		if
		:: ag[AGENT(p, t)].op == none -> unlearn(AGENT(p, t))
		:: else		/* the answer, if there is one, makes it read again */
		fi;
		t++
	:: else -> break
	od;
	t = 0
}

/* The store applies a transaction. ag[a].rec is what the sender knows; it becomes what it wrote. */
inline apply(s, a) {
	if
	:: ag[a].op == begin ->
		assert(ALIVE(ag[a].as));				/* the dead claim nothing */
		assert(!rec[s].running);
		assert(!(begun[s] & (1 << ag[a].fire)));		/* invariant 2: one begin a fire */
		begun[s] = begun[s] | (1 << ag[a].fire);
		ag[a].rec.running = 1; ag[a].rec.owner = ag[a].as; ag[a].rec.fire = ag[a].fire;
		ag[a].rec.attempt = 1; ag[a].rec.fence = ag[a].next
	:: ag[a].op == takeOver || ag[a].op == abandon ->
		assert(ALIVE(ag[a].as));
		/* Invariant 3: attempt k was running, not completed, and its owner was dead; or it is the claimer's own, and not run. */
		assert(rec[s].running);
		assert(rec[s].owner == NOBODY || !ALIVE(rec[s].owner) || rec[s].owner == ag[a].as);
		if
		:: ag[a].op == abandon -> ag[a].rec.running = 0; ag[a].rec.owner = NOBODY
		:: else ->
			if
			:: ag[a].rec.owner != NOBODY -> ag[a].rec.attempt++
			:: else		/* handed over: nobody died of it */
			fi;
			assert(ag[a].rec.attempt <= ATTEMPTS);
			ag[a].rec.owner = ag[a].as; ag[a].rec.fence = ag[a].next
		fi
	:: else ->	/* complete, hand over: a zombie's never succeeds after a take-over */
		assert(rec[s].running && rec[s].owner == ag[a].owner && rec[s].fence == ag[a].fence);
		ag[a].rec.owner = NOBODY;
		ag[a].rec.running = (ag[a].op == handOver -> 1 : 0)
	fi;
	if
	:: ag[a].op == begin || ag[a].op == takeOver ->
		assert(ag[a].rec.fence > highest[s]);			/* invariant 1: fences strictly grow */
		assert(ag[a].rec.fence > outranked);			/* across all shards, when the work is divided otherwise */
		highest[s] = ag[a].rec.fence
	:: else -> assert(ag[a].rec.fence == highest[s])
	fi;
	ag[a].rec.version = rec[s].version + 1;
	ag[a].proof = 0;
	copyRecord(rec[s], ag[a].rec);
	ag[a].stage = applied
}

#define CLAIM(a)  (ag[a].op == begin || ag[a].op == takeOver)
#define END(a)    (ag[a].op == complete || ag[a].op == handOver)
#define SAME(s, a) (ag[a].rec.version == rec[s].version || (END(a) && !END_COMPARES) || (CLAIM(a) && !CLAIM_COMPARES))
#define GUARDS(a) (END(a) || (OWN_KEY_EXISTS(ag[a].as) && ASSIGNMENT_HOLDS(a)))

#define MINE(a) (ag[a].rec.running && ag[a].phase != none && ag[a].rec.owner == ag[a].owner && ag[a].rec.fence == ag[a].fence)

#define ME       proc[p].me
#define DECIDES  (proc[p].up && ME != NOBODY && ag[a].op == none && ag[a].known)
#define ORPHAN   (ag[a].rec.owner == NOBODY || ag[a].rec.owner == ME || PROVEN(a))
/* decideIdle and decideOrphan come to this point: no local run that counts, and the shard is owned. */
#define FREE     (DECIDES && OWNED(p, s) && (ag[a].phase == none || (ag[a].phase == claiming && MINE(a) && ag[a].owner != ME)) && !ag[a].awaits)

#define CLAIM_STANDS_NOT (DECIDES && ag[a].phase != none && ag[a].phase != working && !MINE(a))
#define ACTS (CLAIM_STANDS_NOT \
	|| (DECIDES && MINE(a) && ((ag[a].phase == claiming && ag[a].owner == ME) || ag[a].phase == finished || ag[a].phase == yielded)) \
	|| (FREE && !ag[a].rec.running && ag[a].rec.fire < clock) \
	|| (FREE && ag[a].rec.running && ORPHAN))

/* failover.Decide, as far as it acts. */
inline consider(p, s, a) {
	if
	:: CLAIM_STANDS_NOT -> noRun(a); tidy(p, s, a)	/* it was not applied, or somebody has taken the run over */
	:: else
	fi;
	if
	/* the claim was applied, though its answer was lost */
	:: DECIDES && MINE(a) && ag[a].phase == claiming && ag[a].owner == ME -> start(p, s, a)

	/* the handler has returned; perhaps under an earlier incarnation: the compare says whether the claim still holds */
	:: DECIDES && MINE(a) && ag[a].phase == finished -> send(a, complete, ME)
	:: DECIDES && MINE(a) && ag[a].phase == yielded  -> send(a, handOver, ME)

	/* a fire is due */
	:: FREE && !ag[a].rec.running && ag[a].rec.fire < clock ->
		ag[a].phase = claiming; ag[a].owner = ME; ag[a].fence = NEXT_FENCE(p, a);
		send(a, begin, ME); ag[a].fire = clock; ag[a].next = ag[a].fence

	/* the run's owner is dead, or nobody, or this instance, which does not run it */
	:: FREE && ag[a].rec.running && ORPHAN && (ag[a].rec.attempt < ATTEMPTS || ag[a].rec.owner == NOBODY) ->
		ag[a].phase = claiming; ag[a].owner = ME; ag[a].fence = NEXT_FENCE(p, a);
		send(a, takeOver, ME); ag[a].next = ag[a].fence
	:: FREE && ag[a].rec.running && ORPHAN && !(ag[a].rec.attempt < ATTEMPTS || ag[a].rec.owner == NOBODY) ->
		noRun(a);
		send(a, abandon, ME)
	:: else
	fi
}

/* One process and one of its shards: the engine's shard.go. */
proctype Shard(byte p; byte s; byte a) {
	byte q, t;
end:	do
	/* read the record */
	:: d_step { proc[p].up && ME != NOBODY && ag[a].op == none && !ag[a].known && (OWNED(p, s) || ag[a].phase != none) ->
		copyRecord(ag[a].rec, rec[s]); ag[a].known = 1; ag[a].proof = 0;
		consider(p, s, a) }

	/* something has changed: a fire is due, the watch has shown the assignment, the instance has joined again */
	:: d_step { ACTS -> consider(p, s, a) }

	/* a linearizable read finds the owner's key absent. One that finds it present changes nothing, so it is no step */
	:: d_step { FREE && ag[a].rec.running && !ORPHAN && MAY_ASK && !ALIVE(ag[a].rec.owner) ->
		ag[a].proof = 1;
		consider(p, s, a) }

	/* blocked: the one key is watched, if a fire is due */
	:: d_step { FREE && ag[a].rec.running && !ORPHAN && ag[a].rec.fire < clock && ag[a].rec.version != rec[s].version -> unlearn(a) }

	/* the transaction reaches the store, be its sender alive or not */
	:: d_step { ag[a].stage == sent && SAME(s, a) && GUARDS(a) -> apply(s, a) }
	:: d_step { ag[a].stage == sent && !(SAME(s, a) && GUARDS(a)) ->
		if
		:: ag[a].phase == claiming || !proc[p].up -> noRun(a)
		:: else
		fi;
		if
		:: !proc[p].up || ME != ag[a].as -> noOp(a); unlearn(a)
		:: else ->
			if
			:: !END(a) && !OWN_KEY_EXISTS(ag[a].as) -> noOp(a); lose(p)	/* declared dead, and so it is */
			:: (END(a) || OWN_KEY_EXISTS(ag[a].as)) && !GUARDS(a) -> noOp(a); ag[a].awaits = !proc[p].fresh
			:: else -> noOp(a); unlearn(a)
			fi
		fi;
		tidy(p, s, a) }

	/* the answer */
	:: d_step { ag[a].stage == applied && proc[p].up && ME == ag[a].as ->
		if
		:: CLAIM(a) -> noOp(a); start(p, s, a)
		:: END(a) -> noOp(a); noRun(a)
		:: else -> noOp(a)
		fi;
		tidy(p, s, a) }
	:: d_step { ag[a].stage == applied && !(proc[p].up && ME == ag[a].as) ->
		if
		:: ag[a].phase == claiming || !proc[p].up -> noRun(a)
		:: else
		fi;
		noOp(a); unlearn(a) }

	/* the request or the answer is lost: read the record, and decide again */
	:: d_step { ag[a].stage != none && (lost > 0 || !proc[p].up) ->
		if
		:: proc[p].up -> lost--
		:: else
		fi;
		unlearn(a);
#ifdef UNKNOWN_IS_YES
		if
		:: CLAIM(a) && ME == ag[a].as && ag[a].phase == claiming -> noOp(a); start(p, s, a)
		:: else -> noOp(a)
		fi;
#else
		if
		:: (ag[a].phase == claiming && ME != ag[a].as) || !proc[p].up -> noRun(a)
		:: else
		fi;
		noOp(a);
#endif
		tidy(p, s, a) }

	/* the handler returns: done (even if it was told to stop); or stopped, as the session is over; or as the instance leaves */
	:: d_step { proc[p].up && ag[a].phase == working -> ag[a].phase = finished; consider(p, s, a) }
	:: d_step { proc[p].up && ag[a].phase == working && ag[a].owner != ME -> noRun(a); tidy(p, s, a) }
	:: d_step { proc[p].up && ag[a].phase == working && ag[a].owner == ME && proc[p].leaving -> ag[a].phase = yielded; consider(p, s, a) }
	od
}

#define IDLE(p, s) (ag[AGENT(p, s)].phase == none && ag[AGENT(p, s)].op == none)
#if SHARDS == 2
#define NOTHING_RUNS(p) (IDLE(p, 0) && IDLE(p, 1))
#define NO_REQUEST(p)   (ag[AGENT(p, 0)].op == none && ag[AGENT(p, 1)].op == none)
#else
#define NOTHING_RUNS(p) IDLE(p, 0)
#define NO_REQUEST(p)   (ag[AGENT(p, 0)].op == none)
#endif

/* The process dies. A transaction that is on its way may still arrive; nothing else of it is left. */
inline crash(p) {
	proc[p].up = 0; proc[p].me = NOBODY; proc[p].owned = 0; proc[p].fresh = 0; proc[p].floor = 0; proc[p].leaving = 0; proc[p].returns = 0;
	t = 0;
	do
	:: t < SHARDS ->
		ag[AGENT(p, t)].awaits = 0;
		if
		:: ag[AGENT(p, t)].stage == sent ->	/* owner and fence stay for the assertion only */
			if
			:: ag[AGENT(p, t)].phase == claiming -> noRun(AGENT(p, t))
			:: else
			fi
		:: else -> noOp(AGENT(p, t)); noRun(AGENT(p, t)); unlearn(AGENT(p, t))
		fi;
		t++
	:: else -> break
	od;
	t = 0
}

inline depart(p) {
	proc[p].leaving = 1;
	if
	:: MAY_CLAIM(p)
	:: else ->
		proc[p].owned = 0;
		t = 0;
		do
		:: t < SHARDS -> tidy(p, t, AGENT(p, t)); t++
		:: else -> break
		od;
		t = 0
	fi
}

#define BELONGS(p) (proc[p].up && !proc[p].leaving && ME != NOBODY && ALIVE(ME))
#define STAYS(p)   ((proc[p].up && !proc[p].leaving) || proc[p].returns)
#if INSTANCES == 3
#define OTHERS(p)  ((p != 0 && STAYS(0)) || (p != 1 && STAYS(1)) || (p != 2 && STAYS(2)))
#else
#define OTHERS(p)  ((p != 0 && STAYS(0)) || (p != 1 && STAYS(1)))
#endif

/* One process, its membership, and what can happen to it. */
proctype Member(byte p) {
	byte t;
end:	do
	/* the session is over, and the process learns it */
	:: d_step { proc[p].up && ME != NOBODY && !ALIVE(ME) -> lose(p) }

	/* join, as another instance */
	:: d_step { proc[p].up && !proc[p].leaving && ME == NOBODY && nextID <= IDS && NO_REQUEST(p) ->
#ifdef ID_COMES_BACK
		ME = p + 1;
#else
		ME = nextID; nextID++;
#endif
		keys = keys | (1 << ME) }

	/* the watch shows the assignment */
	:: d_step { proc[p].up && ME != NOBODY && !proc[p].fresh ->
		proc[p].fresh = 1; proc[p].owned = 0; proc[p].floor = floor;
		t = 0;
		do
		:: t < SHARDS ->
			ag[AGENT(p, t)].awaits = 0;
			if
			:: assigned[t] == ME && MAY_CLAIM(p) -> proc[p].owned = proc[p].owned | (1 << t)
			:: else
			fi;
			tidy(p, t, AGENT(p, t));
			t++
		:: else -> break
		od;
		t = 0 }

	/* it leaves, once nothing runs here */
	:: d_step { proc[p].up && proc[p].leaving && NOTHING_RUNS(p) ->
		keys = keys & ~(1 << ME); lose(p); proc[p].up = 0; proc[p].leaving = 0 }

	/* it is started again */
	:: d_step { !proc[p].up && proc[p].returns && NO_REQUEST(p) -> proc[p].up = 1; proc[p].returns = 0 }

	/* the process is killed; something else stays up, or it is started again */
	:: d_step { faults > 0 && proc[p].up && OTHERS(p) -> faults--; crash(p) }
	:: d_step { faults > 0 && proc[p].up -> faults--; crash(p); proc[p].returns = 1 }

#ifndef CRASHES_ONLY
	/* SIGTERM: from here on it owns nothing, whatever the assignment still says */
	:: d_step { faults > 0 && BELONGS(p) && OTHERS(p) -> faults--; depart(p) }
	:: d_step { faults > 0 && BELONGS(p) -> faults--; depart(p); proc[p].returns = 1 }

	/* the store ends a living process's session: it was paused, cut off, or evicted, and is a zombie until it notices */
	:: d_step { faults > 0 && proc[p].up && ME != NOBODY && ALIVE(ME) -> faults--; keys = keys & ~(1 << ME) }

	/* the process can't be sure of its session, and gives it up while its key still exists */
	:: d_step { faults > 0 && BELONGS(p) -> faults--; lose(p) }
#endif
	od
}

/* Sessions of processes that are gone, or have given them up, end by their TTL. */
#define HELD(id) ((proc[0].up && proc[0].me == id) || (proc[1].up && proc[1].me == id) || (INSTANCES == 3 && proc[INSTANCES - 1].up && proc[INSTANCES - 1].me == id))
proctype Sessions() {
	byte id;
end:	do
	:: d_step { ALIVE(1) && !HELD(1) -> keys = keys & ~(1 << 1) }
	:: d_step { ALIVE(2) && !HELD(2) -> keys = keys & ~(1 << 2) }
	:: d_step { ALIVE(3) && !HELD(3) -> keys = keys & ~(1 << 3) }
#if INSTANCES + FAULTS > 3
	:: d_step { ALIVE(4) && !HELD(4) -> keys = keys & ~(1 << 4) }
#endif
#if INSTANCES + FAULTS > 4
	:: d_step { ALIVE(5) && !HELD(5) -> keys = keys & ~(1 << 5) }
#endif
#if INSTANCES + FAULTS > 5
	:: d_step { ALIVE(6) && !HELD(6) -> keys = keys & ~(1 << 6) }
#endif
	od
}

#define MAY_OWN(p) (proc[p].up && !proc[p].leaving && proc[p].me != NOBODY && ALIVE(proc[p].me))
#define WRONG(s) (!(assigned[s] == proc[0].me && MAY_OWN(0)) && !(assigned[s] == proc[1].me && MAY_OWN(1)) \
	&& !(INSTANCES == 3 && assigned[s] == proc[INSTANCES - 1].me && MAY_OWN(INSTANCES - 1)))

/* The work is divided otherwise: every replica is old, and so is every guard. */
inline reshard() {
	floor = RAISED(floor);
	q = 0;
	do
	:: q < SHARDS ->
		outranked = (highest[q] > outranked -> highest[q] : outranked);
		q++
	:: else -> break
	od;
	q = 0;
	do
	:: q < INSTANCES -> proc[q].fresh = 0; q++
	:: else -> break
	od;
	q = 0;
	do
	:: q < AGENTS -> ag[q].guard = 0; q++
	:: else -> break
	od;
	q = 0
}

inline assign(s, id) {
	assigned[s] = id;
	q = 0;
	do
	:: q < INSTANCES ->
		if	/* to one that has no shard and gets none, what its replica shows makes no difference */
		:: proc[q].owned != 0 || proc[q].me == id -> proc[q].fresh = 0
		:: else
		fi;
		q++
	:: else -> break
	od;
	q = 0;
	do
	:: q < AGENTS -> ag[q].guard = 0; q++
	:: else -> break
	od;
	q = 0
}

/* Who leads does not matter to safety, so the leader is not modelled, however leaders are spread: a shard whose owner may
 * not own it goes to any instance that may, written by any, and now and then one goes to anybody, for no reason. */
proctype Assignment(byte s) {
	byte q;
end:	do
	:: d_step { WRONG(s) && MAY_OWN(0) -> assign(s, proc[0].me) }
	:: d_step { WRONG(s) && MAY_OWN(1) -> assign(s, proc[1].me) }
#if INSTANCES == 3
	:: d_step { WRONG(s) && MAY_OWN(2) -> assign(s, proc[2].me) }
#endif
	:: d_step { reshards > 0 && s == 0 -> reshards--; reshard() }
	:: d_step { moves > 0 && assigned[s] != 1 -> moves--; assign(s, 1) }
	:: d_step { moves > 0 && assigned[s] != 2 -> moves--; assign(s, 2) }
	:: d_step { moves > 0 && assigned[s] != 3 && INSTANCES == 3 -> moves--; assign(s, 3) }
	od
}

proctype Clock() {
	do
	:: clock < FIRES -> clock++
	:: else -> break
	od
}

/* No more faults: they may end before their budget does. */
proctype Peace() {
end:	faults > 0 || moves > 0 -> d_step { faults = 0; moves = 0 }
}

#define DONE(s)    (!rec[s].running && rec[s].fire == FIRES)
#define STRANDED(s) (rec[s].running && (rec[s].owner == NOBODY || !ALIVE(rec[s].owner)))
#if SHARDS == 2
#define SETTLED (DONE(0) && DONE(1))
#define ORPHANED (STRANDED(0) || STRANDED(1))
#else
#define SETTLED DONE(0)
#define ORPHANED STRANDED(0)
#endif

#ifndef LIVENESS
/* When nothing can move any more, nothing is stuck: each record is idle, and the last fire has begun. */
proctype Settled() {
	timeout -> assert(SETTLED)
}
#else
ltl no_orphan_for_ever   { [] (QUIET -> <> !ORPHANED) }
ltl every_due_fire_begins { <> (SETTLED) }
#endif

init {
	byte p, s;
	d_step {
		p = 0;
		do
		:: p < INSTANCES ->
			proc[p].up = 1; proc[p].me = p + 1; proc[p].fresh = 1; keys = keys | (1 << (p + 1)); p++
		:: else -> break
		od;
		proc[0].owned = 1;
		assigned[0] = 1;
#if SHARDS == 2
		proc[1].owned = 2;
		assigned[1] = 2;
#endif
		p = 0
	}
	atomic {
		p = 0;
		do
		:: p < INSTANCES ->
			run Member(p);
			s = 0;
			do
			:: s < SHARDS -> run Shard(p, s, AGENT(p, s)); s++
			:: else -> break
			od;
			p++
		:: else -> break
		od;
		s = 0;
		do
		:: s < SHARDS -> run Assignment(s); s++
		:: else -> break
		od;
		p = 0; s = 0;
		run Sessions(); run Clock(); run Peace();
#ifndef LIVENESS
		run Settled()
#endif
	}
}
