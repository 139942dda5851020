#!/usr/bin/env bats
# Drains of one machine in namespaces of their own: pids are used twice, and
# start times are counted from another boot. Who lives is never taken for dead,
# and who is dead is succeeded in time.

bats_require_minimum_version 1.5.0
load helper

setup() {
	use_pid_namespaces
}

teardown() {
	end_background
}

# How a drain is put into namespaces.
PIDS='unshare --pid --fork --kill-child --mount-proc'
FOREIGN_PROC='unshare --pid --fork --kill-child'
TIMES='unshare --time --boottime 86400 --fork --kill-child'
needs_times() {
	$TIMES true 2>/dev/null || skip "no time namespaces here"
}

# drain NAME WORDS [ARG...]: incr-drain there, known in Redis; $! is unshare, or
# the drain itself
drain() {
	local name=$1 words=$2 before
	shift 2
	before=$(count_consumers)
	# shellcheck disable=SC2086 # its words
	background $words incr-drain "$@" 2>"$name"
	wait_for 10 eval '[ "$(count_consumers)" -gt '"$before"' ]'
}

consumers() { rcli --raw smembers "incr::queue::[$INCR_QUEUE]::consumers" | sort; }
count_consumers() { rcli scard "incr::queue::[$INCR_QUEUE]::consumers"; }
records() {
	rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::consumer::*::owner" |
		while read -r key; do rcli --raw get "$key"; done
}
has_records() { [ "$(records | wc -l)" = "$1" ]; }

# busy ROUNDS: so often something is counted; four looks at least each.
busy() {
	local n sum
	sum=$(sum_of)
	for n in $(seq "$1"); do
		increment 1 | incr-publish
		sum=$((sum + 1))
		wait_for 10 sum_is "$sum"
	done
}

# all_live: nobody took anybody's place while much was counted
all_live() {
	local before
	before=$(consumers)
	busy 12
	[ "$(consumers)" = "$before" ] || { cat a b; return 1; }
	[ -z "$(said a)" ] && [ -z "$(said b)" ]
}

@test "drains with the same pids in two PID namespaces: both live" {
	drain a "$PIDS" -- -i 0.3
	drain b "$PIDS" -- -i 0.3
	wait_for 5 has_records 2
	# The same pids indeed, and only the namespace tells them apart.
	[ "$(records | cut -d ' ' -f 3 | sort -u | wc -l)" = 1 ]
	[ "$(records | cut -d ' ' -f 2 | sort -u | wc -l)" = 2 ]
	all_live
}

@test "drains in two time namespaces: both live" {
	needs_times
	drain a '' -- -i 0.3
	drain b "$TIMES" -- -i 0.3
	wait_for 5 has_records 2
	[ "$(records | cut -d ' ' -f 2 | sort -u | wc -l)" = 2 ]
	all_live
}

@test "a drain that sees the /proc of others judges nobody by it" {
	drain a "$FOREIGN_PROC" -- -i 0.3
	wait_for 5 has_records 1
	[ "$(records | cut -d ' ' -f 2)" = '?' ]
	drain b "$FOREIGN_PROC" -- -i 0.3
	all_live
}

# succeeded WORDS: a drain there that holds a batch, all of it killed
succeeded() {
	local from inner
	drain a "$1" -- -i 20
	dead=$!
	increment 5 | incr-publish
	wait_for 5 eval '[ -n "$(batches)" ]'
	drain b '' -- -i 20
	sum_is 0
	from=${EPOCHREALTIME/./}
	# incr-flush and its child, incr-consume
	inner=$(pgrep -P "$dead")
	kill -9 $(pgrep -P "$inner") "$inner" "$dead"
	wait_for 10 sum_is 5
	not elapsed "$from" 10000000
	wait_for 5 no_batches
}

@test "a drain that dies with its PID namespace is succeeded in time" {
	succeeded "$PIDS"
}

@test "a drain that dies in a time namespace is succeeded in time" {
	needs_times
	succeeded "$TIMES"
}

# -- metrics -----------------------------------------------------------------

shows() { # N: so many programs called incr-flush
	[ "$(incr-metrics | grep -c '^incr_build_info{.*program="incr-flush"')" = "$1" ]
}

@test "two containers that share INCR_METRICS_DIR both show" {
	local dead file host
	mkdir metrics
	export INCR_METRICS_DIR=$PWD/metrics
	drain a "$PIDS" -- -i 0.3
	dead=$!
	drain b "$PIDS" -- -i 0.3
	wait_for 5 shows 2
	# No series twice.
	[ -z "$(incr-metrics | grep -v '^#' | sed 's/ [^ ]*$//' | sort | uniq -d)" ]
	host=$(hostname | tr -c 'A-Za-z0-9.\n-' _)
	incr-metrics | grep '^incr_flushed_total' | grep -qF "host=\"$host\",pidns=\""
	[ "$(find metrics -name "incr-flush-$host-*-1.prom" | wc -l)" = 2 ]
	# One that is gone: gauges for ten seconds, counters for five minutes.
	file=$(for f in metrics/incr-flush-*; do
		[ "$(readlink "/proc/$(pgrep -P "$dead")/ns/pid" | tr -dc 0-9)" != \
			"$(sed 's/.*-\([0-9]*\)-[0-9]*.prom/\1/' <<<"$f")" ] ||
			echo "$f"
	done)
	kill -9 "$dead"
	wait_for 5 gone "$dead"
	shows 2
	touch -d '12 seconds ago' "$file"
	shows 1
	[ "$(incr-metrics | grep -c '^incr_flushed_total')" = 2 ]
	# Process 1 here is older than that, and is another one.
	touch -d '6 minutes ago' "$file"
	[ "$(incr-metrics | grep -c '^incr_flushed_total')" = 1 ]
}
