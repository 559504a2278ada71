#!/bin/sh
# Checks every model, and that the checks can fail. Prints a table; exits with 1 if anything came out otherwise than expected.
# Needs spin and a C compiler.
set -u
cd "$(dirname "$0")" || exit 1
models=$(pwd)
for tool in spin gcc; do
	command -v $tool >/dev/null || { echo "model: $tool is missing: apt-get install spin gcc" >&2; exit 1; }
done
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
cd "$work" || exit 1
unexpected=0

# check EXPECTED MODEL PROPERTY DEFINES: what SPIN says of one property of one model.
# EXPECTED is holds or fails; PROPERTY is safety, or the name of a formula, which is checked under weak fairness.
check() {
	expected=$1 model=$2 property=$3
	shift 3
	if [ "$property" = safety ]; then
		how="-DSAFETY" what="" claim="$*"
	else
		how="-DNFAIR=6" what="-a -f -N $property" claim="-DLIVENESS $*"
	fi
	optimise=-O1
	[ "$expected" = holds ] || optimise=-O0	# found at once: compiling takes longer than searching
	rm -f pan* ./*.trail
	result=error
	# The words of $claim, $how and $what are arguments of their own.
	if spin -a $claim "$models/$model.pml" >spin.log 2>&1 && gcc -w $optimise $how -DCOLLAPSE -DVECTORSZ=2048 -DMEMLIM=3500 -o pan pan.c 2>gcc.log; then
		./pan $what -m200000 -w22 >pan.log 2>&1
		# A search that was cut short, by depth or by memory, has proved nothing.
		if grep -q 'errors: 0' pan.log && ! grep -q -e 'max search depth' -e 'Search not completed' -e 'out of memory' pan.log; then
			result=holds
		elif grep -q -e 'assertion violated' -e 'acceptance cycle' pan.log; then
			result=fails
		fi
	fi
	states=$(awk '/states, stored/ { print $1; exit }' pan.log 2>/dev/null)
	seconds=$(awk '/elapsed time/ { print $4; exit }' pan.log 2>/dev/null)
	verdict=$result
	if [ "$result" != "$expected" ]; then
		verdict="$result, EXPECTED $expected"
		unexpected=1
		tail -n 5 spin.log gcc.log pan.log >&2 2>/dev/null
	fi
	printf '%-14s %-22s %10s %6s  %-6s %s\n' "$model" "$property" "${states:-?}" "${seconds:-?}" "$verdict" "$(echo "$*" | sed 's/-D//g')"
}

printf '%-14s %-22s %10s %6s  %-6s %s\n' model property states s result variant

# The protocol.
check holds protocol safety
check holds protocol safety -DMOVES=1 -DSHARDS=1
check holds protocol safety -DFAULTS=2 -DLOST=0 -DSHARDS=1
check holds protocol safety -DFAULTS=2 -DLOST=0 -DINSTANCES=2 -DCRASHES_ONLY
check holds protocol safety -DFIRES=2 -DSHARDS=1
check holds protocol no_orphan_for_ever -DLOST=0
check holds protocol every_due_fire_begins -DLOST=0 -DSHARDS=1

check holds protocol safety -DRESHARDS=1 -DLOST=0 -DINSTANCES=2

# Safety rests on records alone: without the guard on the assignment it must still hold.
check holds protocol safety -DMOVES=1 -DSHARDS=1 -DCLAIM_WITHOUT_ASSIGNMENT

# Mutants.
for mutant in $(cat "$models/mutants"); do
	check fails protocol safety -DMOVES=1 -DSHARDS=1 -D"$mutant"
done
check fails protocol no_orphan_for_ever -DSHARDS=1 -DLOST=0 -DRUNNING_IS_BELIEVED

# Fences across shards do rest on the guard, and on the floor.
for mutant in CLAIM_WITHOUT_ASSIGNMENT CLAIM_IGNORES_FLOOR RESHARD_KEEPS_FLOOR; do
	check fails protocol safety -DRESHARDS=1 -DLOST=0 -DINSTANCES=2 -D"$mutant"
done

# The old protocol: two crashes block a shard, one does not.
check holds elasticjob303 safety -DCRASHES=1
check fails elasticjob303 safety
check fails elasticjob303 safety -DONE_STAYS_UP
check fails elasticjob303 safety -DEVENTS_HANDLED
check fails elasticjob303 safety -DEVENTS_HANDLED -DREMOVE_RUNNING

exit $unexpected
