#!/usr/bin/env bats
# Ten seconds from the 202: what makes a window close early, and what is said
# when it was not early enough.  Streams are made by hand, and older than they
# are; tests/bench/staleness measures the real thing.

load helper

A=aaaaaaaa-0000-4000-8000-00000000000a

setup() {
	use_redis
	use_postgres
	DIR=$BATS_TEST_TMPDIR
	export INCR_METRICS_DIR=$DIR
	known $A
	seq=0
}

teardown() {
	end_background
	exec 8>&-
}

# fed [OPTION...]: incr-flush in the background, its input is descriptor 8.
fed() {
	mkfifo "$DIR/in"
	exec 8<>"$DIR/in"
	background incr-flush "$@" <"$DIR/in" 2>"$DIR/err" 8>&-
	flush=$!
	point 0 >&8
}

# point LINES [AGE_MS]
point() {
	local since=
	[ -z "${2-}" ] || since=",\"since\":$(($(date +%s%3N) - $2))"
	checkpoint $A $seq "$1" false "$since"
}

# batch VALUE [AGE_MS]: of one line that has waited so long before the take
batch() {
	seq=$((seq + 1))
	increment "$1" >&8
	point 1 "${2-}" >&8
}

metric() { awk -v n="^$1{" '$0 ~ n { print $2 }' "$DIR"/incr-flush-*-"$flush".prom; }
# exceeds METRIC VALUE
exceeds() { awk -v v="$(metric "$1")" -v w="$2" 'BEGIN { exit !(v > w) }'; }

@test "what has waited in the queue is told with its batch" {
	local emptied="incr::queue::[$INCR_QUEUE]::emptied" past
	past=$(($(date +%s%3N) - 5000))
	increment 1 | incr-publish
	rcli set "$emptied" $past
	incr-consume -o >"$DIR/out"
	has ",\"since\":$past,\"adopted\":false" "$DIR/out"
	# Not of its beginning and its end, nor where it is not known.
	[ "$(grep -c since "$DIR/out")" = 1 ]
	rcli del "$emptied"
	increment 1 | incr-publish
	incr-consume -o -n 1 >"$DIR/out"
	has '"seq":1,' "$DIR/out"
	not has since "$DIR/out"
}

@test "a window closes for its oldest increment, also if that was not taken" {
	fed
	batch 1 20000
	wait_for 5 sum_is 1
	batch 2
	batch 4 8500
	wait_for 4 sum_is 7
	# Without it, it goes on filling, for no statement was slow.
	since=${EPOCHREALTIME/./}
	batch 8 5500
	wait_for 5 sum_is 15
	elapsed "$since" 1200000
}

@test "a statement that was slow is begun earlier the next time" {
	sql "create function slow() returns trigger language plpgsql as
		'begin perform pg_sleep(3); return null; end';
		create trigger slow after insert on increments
		execute function slow()"
	fed
	batch 1 20000
	wait_for 8 sum_is 1
	batch 2 4900 # 3.35 s to go, without the statement
	runs() {
		[ "$(sql "select 1 from pg_stat_activity where
			datname = current_database() and state = 'active' and
			application_name = 'incr-flush'")" ]
	}
	wait_for 2 runs
	sum_is 1
}

@test "what is late is said once, and shown as long as it waits" {
	lock increments
	fed
	batch 1 9000
	wait_for 4 has 'window: increments wait for more than 10 s' "$DIR/err"
	wait_for 4 exceeds incr_flush_staleness_seconds 10.5
	wait_for 4 exceeds incr_flush_staleness_seconds 11.5
	sum_is 0
	batch 2 9000
	unlock
	wait_for 4 sum_is 3
	# Another episode after one that was in time.
	batch 4 8500
	wait_for 4 sum_is 7
	in_time() { not exceeds incr_flush_staleness_seconds 10; }
	wait_for 4 in_time
	[ "$(wc -l <"$DIR/err")" = 1 ]
	batch 8 10500
	wait_for 4 sum_is 15
	exceeds_again() { exceeds incr_flush_staleness_seconds 10; }
	wait_for 4 exceeds_again
	[ "$(grep -cxF 'incr-flush: window: increments wait for more than 10 s' \
		"$DIR/err")" = 2 ]
	[ "$(wc -l <"$DIR/err")" = 2 ]
	# It does not stay once nothing waits.
	fell() { grep -q '^incr_flush_staleness_seconds{.*} 0$' "$DIR"/incr-flush-*-"$flush".prom; }
	wait_for 15 fell
}

@test "an interval beyond ten seconds is a promise given up by choice" {
	fed -i 11
	batch 1 20000
	wait_for 4 exceeds incr_flush_staleness_seconds 20
	sum_is 0
	kill "$flush"
	[ ! -s "$DIR/err" ]
}

@test "flushes that were started together do not tick together" {
	local n fds=() texts=()
	for n in 1 2 3 4 5 6 7 8; do
		A=aaaaaaaa-0000-4000-8000-00000000000$n
		known $A
		mkfifo "$DIR/in$n"
		exec {fd}<>"$DIR/in$n"
		fds+=("$fd")
		background incr-flush -i 2 <"$DIR/in$n" 2>>"$DIR/err"
		point 0 >&"$fd"
	done
	# All are there before the first line comes.
	connected() {
		[ "$(sql "select count(*) from pg_stat_activity where
			datname = current_database() and
			application_name = 'incr-flush'")" = 8 ]
	}
	wait_for 10 connected
	seq=1
	for n in 1 2 3 4 5 6 7 8; do
		A=aaaaaaaa-0000-4000-8000-00000000000$n
		texts+=("$(increment 1 && point 1)")
	done
	for n in 0 1 2 3 4 5 6 7; do echo "${texts[n]}" >&"${fds[n]}"; done
	wait_for 10 sum_is 8
	# Up to a second apart: that all eight are within 0.15 s is a chance of
	# one in 70,000.
	[ "$(sql 'select max(committed_at) - min(committed_at) >
		interval $$0.15 s$$ from incr_ledger')" = t ]
	for n in "${fds[@]}"; do exec {n}>&-; done
}
