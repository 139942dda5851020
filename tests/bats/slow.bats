#!/usr/bin/env bats
# Ten seconds where each statement takes long: a drain is killed at the end of
# its statement, which is rolled back, and one that does not see its processes,
# as on another machine, takes over.  No other moment costs as much.

bats_require_minimum_version 1.5.0
load helper

setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true # they measure time
}

setup() {
	"${APART[@]}" true 2>/dev/null || skip 'needs root'
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	export TMPDIR=$PWD
}

teardown() {
	end_background
}

# Before a command: nobody sees its processes.  The first one there could not
# be killed from within.
# shellcheck disable=SC2016 # for the inner shell
APART=(unshare --pid --fork --kill-child --mount-proc sh -c '"$@"; :' sh)

# slow SECONDS: so long takes each statement, whatever its keys
slow() {
	sql "create or replace function slow() returns trigger
		language plpgsql as 'begin perform pg_sleep($1); return null; end';
		create or replace trigger slow after insert on increments
		execute function slow()"
}

drain() { background "${APART[@]}" incr-drain 2>>drain.err; }

taken() { not no_batches && [ "$(ready)" = 0 ]; }
in_time() { # SUM
	wait_for 10 total_is "$1"
	echo "# visible after $(((${EPOCHREALTIME/./} - begun) / 1000)) ms" >&3
	not elapsed "$begun" 10000000
}

# lasted SECONDS: a statement has; $backend executes it
lasted() {
	backend=$(sql "select pid from pg_stat_activity where state = 'active'
		and datname = current_database()
		and application_name = 'incr-flush'
		and query_start < now() - interval '1 s' * $1")
	[ "$backend" ]
}

killed_in_its_statement() { # SECONDS OF_WHICH
	slow "$1"
	drain
	first=$!
	increment 1 | incr-publish
	# That window told what a statement costs.
	wait_for 15 total_is 1
	wait_for 5 no_batches
	begun=${EPOCHREALTIME/./}
	increment 2 | incr-publish
	wait_for 5 taken
	drain
	POLL=0.02 wait_for 15 lasted "$2"
	kill -9 "$first"
	sql "select pg_terminate_backend($backend)"
	in_time 3
	wait_for 5 no_batches
}

@test "killed in a statement of 1.5 s: ten seconds" {
	killed_in_its_statement 1.5 1.2
}

@test "killed in a statement of 2.5 s: ten seconds" {
	killed_in_its_statement 2.5 2.2
}

# keys N: increments of value 1, each of a key of its own, or all of $one_key
keys() {
	local n
	for ((n = 0; n < $1; n++)); do
		increment 1 "$(printf '%08x-0000-4000-8000-000000000001' \
			"${one_key:-$n}")"
	done
}

machine_dies() { # SECONDS OF_WHICH [DRAINS]
	drains=${3:-8}
	slow "$1"
	# shellcheck disable=SC2016 # for the inner shell
	background "${APART[@]}" sh -c 'for n in $(seq "$1"); do
		incr-drain -n 1 2>>drain.err & done; wait' drains "$drains"
	first=$!
	wait_for 10 marked "$drains"
	keys 64 | incr-publish
	wait_for 20 total_is 64
	wait_for 5 no_batches
	begun=${EPOCHREALTIME/./}
	sent=64
	wait_for 5 spread
	drain
	wait_for 10 marked $((drains + 1))
	POLL=0.02 wait_for 15 lasted "$2"
	kill -9 "$first"
	sql "select pg_terminate_backend(pid) from pg_stat_activity
		where state = 'active' and application_name = 'incr-flush'
		and datname = current_database()"
	in_time "$sent"
	wait_for 5 no_batches
}
marked() {
	[ "$(rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::consumer::*::flush" |
		grep -c .)" -ge "$1" ]
}
# spread: sends until most of them have batches
spread() {
	keys 32 | incr-publish
	sent=$((sent + 32))
	wait_for 5 taken
	[ "$(holders)" -gt $((drains / 2)) ]
}
holders() { batches | sed 's/::batch::.*//' | sort -u | wc -l; }

@test "a machine with eight drains dies, statements of 0.5 s: ten seconds" {
	machine_dies 0.5 0.3
}

@test "a machine with eight drains dies, statements of 2.5 s: ten seconds" {
	machine_dies 2.5 2.2
}

# Whose rows are the same wait for each other: four seconds in all.
@test "a machine with eight drains of one key dies, 0.5 s: ten seconds" {
	one_key=7
	machine_dies 0.5 0.3
}

@test "a machine with two drains of one key dies, 2 s: ten seconds" {
	one_key=7
	machine_dies 2 1.7 2
}

@test "a statement of more than 2.8 s: the promise is at risk, and this is told" {
	export INCR_METRICS_DIR=$PWD
	slow 3
	background setsid incr-drain 2>drain.err
	flush=$!
	for n in 1 2; do
		increment "$n" | incr-publish
		wait_for 20 no_batches_left
	done
	wait_for 5 at_risk 1
	said='incr-flush: postgres: statements take more than 2.8 s; after a kill increments may be later than 10 s'
	[ "$(said drain.err)" = "$said" ]
	# Over, and told again when it begins again.
	for n in 0 3 3; do
		slow "$n"
		increment 1 | incr-publish
		wait_for 20 no_batches_left
		[ "$n" != 0 ] || wait_for 5 at_risk 0
	done
	wait_for 5 at_risk 1
	[ "$(grep -cxF "$said" drain.err)" = 2 ]
}
no_batches_left() { has_ready 0 && no_batches; }
at_risk() {
	grep -q "^incr_flush_promise_at_risk{.*} $1\$" incr-flush-*-"$flush".prom
}
