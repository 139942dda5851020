#!/usr/bin/env bats
# Several adopted consumers in one statement: each is counted only if its own
# ledger row moves, and none waits for another's.  Streams are made by hand.

# bats file_tags=points
bats_require_minimum_version 1.5.0
INCR_BIN=${INCR_POINTS_BIN:-$BATS_TEST_DIRNAME/../../build/points/bin}
load helper

A=aaaaaaaa-0000-4000-8000-00000000000a
B=bbbbbbbb-0000-4000-8000-00000000000b
C=cccccccc-0000-4000-8000-00000000000c
D=dddddddd-0000-4000-8000-00000000000d

setup_file() {
	unset MAKEFLAGS MAKELEVEL
	[ -n "${INCR_POINTS_BIN:-}" ] || make -s -C "$ROOT" points >/dev/null
}

setup() {
	use_redis
	use_postgres
	DIR=$BATS_TEST_TMPDIR
	known $A $B $C $D
	in_ledger $B 2
	in_ledger $C 4
	sql "alter database $(sql 'select current_database()') set log_statement = 'all'"
	LOG_FROM=$(stat -c %s "$INCR_SUITE/pg.log")
}

teardown() {
	end_background
}

in_ledger() { sql "insert into incr_ledger (consumer, queue, seq) values ('$1', '$INCR_QUEUE', $2)"; }
rows() { sql "select string_agg(seq::text, ' ' order by consumer) from incr_ledger"; }
rows_are() { [ "$(rows)" = "$1" ]; }
# batch CONSUMER SEQ VALUE: adopted, of one line
batch() { increment "$3"; checkpoint "$1" "$2" 1 true; }
# What B, C and D left: of B one or two batches, D never was in the ledger.
stream() {
	checkpoint $A 0 0
	batch $B 3 1
	[ "$1" = 1 ] || batch $B 4 2
	batch $C 5 4
	batch $D 1 8
	checkpoint $A 0 0 false ',"end":true'
}
# counted: statements that were for the table
counted() { log_since "$LOG_FROM" | grep -c 'insert into public.increments' || :; }

# flushed POINT N: incr-flush, $flush, stopped at POINT if there is one
flushed() {
	stream "$2" >"$DIR/stream"
	INCR_POINT=$1 background incr-flush <"$DIR/stream" 2>"$DIR/err"
	flush=$!
	[ -z "$1" ] || wait_for 10 stopped
}
stopped() { grep -q '^State:	T' "/proc/$flush/status"; }

@test "they go in one statement" {
	flushed '' 2
	wait "$flush"
	rows_are '4 5 1'
	sum_is 15
	[ "$(counted)" = 1 ]
	quiet "$DIR/err"
}

@test "sums that no bigint has, lines without a key, dead letters" {
	stream 2 | sed 's/"value":[0-9]*/"value":9223372036854775807/' >"$DIR/stream"
	{
		checkpoint $A 0 0
		echo nonsense
		checkpoint $B 3 1 true
		for _ in 1 2 3; do increment 9223372036854775807; done
		checkpoint $C 5 3 true
		checkpoint $D 1 0 true
		checkpoint $A 0 0 false ',"end":true'
	} >"$DIR/stream"
	run incr-flush <"$DIR/stream"
	[ "$status" = 1 ]
	rows_are '3 5 1'
	sum_is 27670116110564327421
}

@test "a row that is locked before it was read is passed over, and waits" {
	hold "select from incr_ledger where consumer = '$B' for update"
	flushed '' 2
	wait_for 5 sum_is 12
	rows_are '2 5 1'
	not gone "$flush"
	unlock
	wait "$flush"
	rows_are '4 5 1'
	sum_is 15
	[ "$(counted)" = 2 ]
	quiet "$DIR/err"
}

@test "so is one that is locked when the statement comes" {
	flushed flush-adopted-closed:stop 2
	hold "select from incr_ledger where consumer = '$B' for update"
	kill -CONT "$flush"
	wait_for 5 sum_is 12
	rows_are '2 5 1'
	not gone "$flush"
	unlock
	wait "$flush"
	rows_are '4 5 1'
	sum_is 15
}

@test "a row that somebody else moved: not counted again, the others are" {
	flushed flush-adopted-closed:stop 2
	sql "update incr_ledger set seq = 4 where consumer = '$B'"
	kill -CONT "$flush"
	wait "$flush"
	rows_are '4 5 1'
	sum_is 12
}

@test "a part of a range that somebody else counted: only the rest is" {
	flushed flush-adopted-closed:stop 2
	sql "update incr_ledger set seq = 3 where consumer = '$B'"
	kill -CONT "$flush"
	wait "$flush"
	rows_are '4 5 1'
	sum_is 14
}

@test "a first range that somebody else counted" {
	flushed flush-adopted-closed:stop 1
	in_ledger $D 1
	kill -CONT "$flush"
	wait "$flush"
	rows_are '3 5 1'
	sum_is 5
}

@test "a session that has the row ends: the statement that waits goes on" {
	flushed flush-adopted-closed:stop 2
	hold "update incr_ledger set seq = 4 where consumer = '$B'"
	kill -CONT "$flush"
	wait_for 5 sum_is 12
	unlock # rolled back
	wait "$flush"
	rows_are '4 5 1'
	sum_is 15
}

@test "in another database nothing is counted" {
	flushed flush-adopted-closed:stop 2
	sql "update incr_database set id = gen_random_uuid()"
	kill -CONT "$flush"
	wait_for 10 gone "$flush"
	rows_are '2 4'
	sum_is 0
	grep -q 'this is no longer database' "$DIR/err"
}

# Its transaction is one statement, which ends without it.
@test "a process that stands still holds no row that others count" {
	increments 1 3 >"$DIR/lines"
	INCR_POINT=flush-sent:stop background incr-flush <"$DIR/lines"
	flush=$!
	wait_for 10 stopped
	increment 10 | incr-flush
	sum_is 16
	kill -CONT "$flush"
	wait "$flush"
	sum_is 16
}

# -- rows that went back -------------------------------------------------------

of() { echo "incr::queue::[$INCR_QUEUE]::consumer::$1::$2"; }
# unacknowledged CONSUMER SEQ...: in Redis, and A is the owner
unacknowledged() {
	local id=$1
	shift
	for seq; do rcli zadd "$(of "$id" batches)" 1 "$seq"; done >/dev/null
	rcli set "$(of "$id" owner)" "$A 1" >/dev/null
}
# let_go CONSUMER SEQ...: it has no owner, and these batches
let_go() {
	[[ "$(rcli get "$(of "$1" owner)")" == 00000000-* ]]
	[ "$(rcli --raw zrange "$(of "$1" batches)" 0 -1 | xargs)" = "${*:2}" ]
}
row_is() { sql "update incr_ledger set seq = $2 where consumer = '$1'"; }
lost_one() { grep -Fxq "incr-flush: ledger: consumer $B went back to batch 1: 1 lost, 0 restored (--keep)" "$DIR/err"; }

@test "rows that went back: older batches go first, a gap is passed, or neither" {
	row_is $B 1
	row_is $C 3
	unacknowledged $B 3 4
	unacknowledged $C 4 5
	flushed '' 2
	wait "$flush"
	rows_are '4 3 1'
	sum_is 11
	lost_one
	[ "$(wc -l <"$DIR/err")" = 1 ]
	let_go $C 4 5
	[ "$(rcli exists "$(of $B batches)")" = 0 ]
}

@test "one that goes back after it was read is passed from where it is" {
	flushed flush-adopted-closed:stop 2
	row_is $B 1
	kill -CONT "$flush"
	wait "$flush"
	rows_are '4 5 1'
	sum_is 15
	lost_one
}

@test "so is one of another server" {
	flushed flush-adopted-closed:stop 2
	sql "select pg_terminate_backend(pid) from pg_stat_activity
		where application_name = 'incr-flush'
		and datname = current_database()" >/dev/null
	row_is $B 1
	kill -CONT "$flush"
	wait "$flush"
	rows_are '4 5 1'
	sum_is 15
	lost_one
}

@test "what a row had once is neither counted nor acknowledged after it is gone" {
	row_is $B 3
	unacknowledged $B 3 4
	flushed flush-adopted-closed:stop 2
	row_is $B 2
	kill -CONT "$flush"
	wait "$flush"
	rows_are '2 5 1'
	sum_is 12
	let_go $B 3 4
}

@test "a gap is passed from exactly the row that was read" {
	row_is $B 1
	flushed flush-restored:stop 2
	row_is $B 3
	kill -CONT "$flush"
	wait "$flush"
	rows_are '4 5 1'
	sum_is 14
	lost_one
}

# Redis refuses meanwhile, so that the acknowledgements are not under way.
@test "what was committed and went back is not acknowledged, nothing of it" {
	own_redis
	known $A $B $C $D
	unacknowledged $B 3 4 5
	unacknowledged $C 5
	mkfifo "$DIR/in"
	exec 7<>"$DIR/in"
	background incr-flush <"$DIR/in" 2>"$DIR/err" 7>&-
	flush=$!
	{ checkpoint $A 0 0; batch $C 5 4; } >&7
	wait_for 10 rows_are '2 5'
	wait_for 10 acknowledged $C 5
	rcli config set min-replicas-to-write 1 >/dev/null
	batch $B 3 1 >&7
	wait_for 10 rows_are '3 5'
	batch $B 4 2 >&7
	wait_for 10 rows_are '4 5'
	row_is $B 2
	n=$(reads)
	batch $B 5 16 >&7
	wait_for 10 read_more_than "$n"
	rcli config set min-replicas-to-write 0 >/dev/null
	wait_for 10 let_go $B 3 4 5
	checkpoint $A 0 0 false ',"end":true' >&7
	exec 7>&-
	wait "$flush"
	let_go $B 3 4 5
	not grep -q 'another Redis' "$DIR/err"
}
acknowledged() { [ "$(rcli get "$(of "$1" acknowledged)")" = "$2" ]; }
# reads: of ledger rows
reads() { log_since "$LOG_FROM" | grep -c 'order by consumer for update skip locked' || :; }
read_more_than() { [ "$(reads)" -gt "$1" ]; }
