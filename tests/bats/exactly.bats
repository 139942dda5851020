#!/usr/bin/env bats
# incr-flush with a consumer's stream: batches, the ledger, adoption,
# acknowledgement.  Streams are made by hand; the consumers are registered.

load helper

A=aaaaaaaa-0000-4000-8000-00000000000a
B=bbbbbbbb-0000-4000-8000-00000000000b
C=cccccccc-0000-4000-8000-00000000000c

setup() {
	use_redis
	use_postgres
	DIR=$BATS_TEST_TMPDIR
	known $A $B
}

teardown() {
	end_background
}

start() { checkpoint "$1" 0 0; }
end() { checkpoint "$1" 0 0 false ',"end":true'; }
# batch CONSUMER SEQ VALUE [ADOPTED]: of one line
batch() { increment "$3"; checkpoint "$1" "$2" 1 "${4:-false}"; }
ledger() { sql "select seq from incr_ledger where consumer = '$1'"; }
# in_ledger CONSUMER SEQ
in_ledger() { sql "insert into incr_ledger (consumer, queue, seq) values ('$1', '$INCR_QUEUE', $2)"; }

# flush_stream COMMAND: its output is the stream; status and output as run.
flush_stream() { run incr-flush -i 20 < <("$@"); }

three() { start $A; batch $A 1 1; batch $A 2 2; batch $A 3 4; end $A; }

# logged: notes all statements of this test's database from now on
logged() {
	sql "alter database $(sql 'select current_database()') set log_statement = 'all'"
	LOG_FROM=$(stat -c %s "$INCR_SUITE/pg.log")
}
# statements TEXT: how many with TEXT were noted, or DETAILs of one
statements() { log_since "$LOG_FROM" | grep -c "$1" || :; }

@test "a stream is counted, in one statement" {
	logged
	flush_stream three
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(statements 'insert into public.increments')" -eq 1 ]
	sum_is 7
	[ "$(ledger $A)" = 3 ]
}

@test "the same stream again counts nothing" {
	flush_stream three
	flush_stream three
	[ "$status" -eq 0 ]
	sum_is 7
}

@test "a gap is a bug, nothing of it counted" {
	stream() { start $A; batch $A 1 1; batch $A 3 2; end $A; }
	flush_stream stream
	[ "$status" -eq 101 ]
	[ "$output" = "incr-flush: stdin: batch out of order: expected 2, got 3" ]
	sum_is 0
}

@test "a wrong line count is a bug, nothing of it counted" {
	stream() { start $A; increment 1; increment 2; checkpoint $A 1 1; end $A; }
	flush_stream stream
	[ "$status" -eq 101 ]
	sum_is 0
}

@test "a consumer that is not registered is a configuration error" {
	rcli srem "incr::queue::[$INCR_QUEUE]::consumers" $A
	rcli del "incr::queue::[$INCR_QUEUE]::consumer::$A::last"
	flush_stream three
	[ "$status" -eq 100 ]
	[[ "$output" == *"consumer $A is not registered here"* ]]
	sum_is 0
	stream() { start $A; end $A; }
	flush_stream stream
	[ "$status" -eq 0 ]
}

@test "a consumer that is not registered any more where others were: 111" {
	export RUNTIME_DIRECTORY=$DIR/once
	mkdir "$RUNTIME_DIRECTORY"
	flush_stream three
	[ "$status" -eq 0 ]
	# The same queue, and another one.
	stream() { start $C; batch $C 1 1; end $C; }
	flush_stream stream
	[ "$status" -eq 111 ]
	[[ "$output" == *"consumer $C is not registered here"* ]]
	INCR_QUEUE=$INCR_QUEUE-b flush_stream stream
	[ "$status" -eq 100 ]
	[ "$(grep -l '^incr-flush work stream ' "$RUNTIME_DIRECTORY"/*.once | wc -l)" = 1 ]
}

# Others have counted and swept it while its pipe was paused.
@test "a swept consumer whose row went back is no other Redis: told, 111" {
	rcli srem "incr::queue::[$INCR_QUEUE]::consumers" $A
	flush_stream three
	[ "$status" -eq 111 ]
	diff - <(echo "$output") <<-END
		incr-flush: ledger: consumer $A went back to batch 0: 1 lost, 0 restored (--keep)
		incr-flush: stdin: a batch that was counted, but Postgres went back
	END
	in_ledger $A 1
	flush_stream three
	[ "$status" -eq 111 ]
	[[ "$output" == *"went back to batch 1: 1 lost"* ]]
	sum_is 0
}

@test "a consumer swept before it was asked about is no other Redis" {
	rcli srem "incr::queue::[$INCR_QUEUE]::consumers" $A
	# It went on under a new id.
	stream() { start $A; start $B; batch $B 1 1; end $B; }
	flush_stream stream
	[ "$status" -eq 0 ]
	sum_is 1
	# What it took was counted by another, or it adopted, and was killed.
	in_ledger $A 2
	stream() { start $A; batch $A 1 2; batch $A 2 4; end $A; }
	flush_stream stream
	[ "$status" -eq 0 ]
	sum_is 1
	stream() { start $A; batch $B 2 8 true; end $A; }
	flush_stream stream
	[ "$status" -eq 0 ]
	sum_is 9
	[ "$(ledger $B)" = 2 ]
}

@test "another queue than --queue is a configuration error" {
	three >"$DIR/s"
	run incr-flush -q other <"$DIR/s"
	[ "$status" -eq 100 ]
	sum_is 0
}

@test "a stream without end: what is complete is counted, status 111" {
	stream() { start $A; batch $A 1 1; increment 2; }
	flush_stream stream
	[ "$status" -eq 111 ]
	sum_is 1
	[ "$(ledger $A)" = 1 ]
}

@test "a consumer killed inside a checkpoint: no fault of ours, status 111" {
	stream() {
		start $A
		batch $A 1 1
		increment 2
		checkpoint $A 2 1 | head -c 30
	}
	flush_stream stream
	[ "$status" -eq 111 ]
	sum_is 1
	[ "$(ledger $A)" = 1 ]
}

@test "a consumer killed inside its beginning: no bad line, status 111" {
	stream() { start $A | head -c 90; }
	flush_stream stream
	[ "$status" -eq 111 ]
	[ "$output" = 'incr-flush: stdin: ended without an end checkpoint from incr-consume' ]
}

@test "a second consumer in one stream" {
	stream() { start $A; batch $A 1 1; start $B; batch $B 1 2; end $B; }
	flush_stream stream
	[ "$status" -eq 0 ]
	sum_is 3
	[ "$(ledger $A)$(ledger $B)" = 11 ]
}

@test "adopted batches: only what is above the ledger is counted" {
	in_ledger $B 4
	stream() {
		start $A
		batch $A 1 1
		batch $B 3 100 true
		batch $B 4 100 true
		batch $B 5 2 true
		batch $B 6 4 true
		batch $A 2 8
		end $A
	}
	flush_stream stream
	[ "$status" -eq 0 ]
	sum_is 15
	[ "$(ledger $A)" = 2 ]
	[ "$(ledger $B)" = 6 ]
}

# The other has moved the ledger row, not committed, and waits for the key.
@test "an adopted range is not counted before who has its row is done" {
	in_ledger $B 2
	hold "insert into increments values ('$KEY', 100)"
	stream() { start $A; batch $B 3 1 true; batch $B 4 2 true; end $A; }
	stream >"$DIR/s"
	other() { start $B; batch $B 3 1 true; end $B; }
	other >"$DIR/other"
	logged
	background incr-flush <"$DIR/other"
	wait_for 5 waits_for_lock 1
	background incr-flush <"$DIR/s"
	flush=$!
	# It passes the row over and looks again.
	wait_for 5 looked 2
	waits_for_lock 1
	[ "$(ledger $B)" = 2 ]
	unlock
	wait "$flush"
	sum_is 3
	[ "$(ledger $B)" = 4 ]
	[ "$(statements "\$1 = '{$B}'.*\$3 = '{4}', \$4 = '{4}'")" -eq 1 ]
}
looked() { [ "$(statements 'skip locked), seen as')" -ge "$1" ]; }

@test "an own range that is partly there is dropped with 111" {
	in_ledger $A 2
	flush_stream three
	[ "$status" -eq 111 ]
	sum_is 0
}

@test "a ledger that is lower than it can be: what is lost is said" {
	in_ledger $B 1
	stream() { start $A; batch $B 4 1 true; end $A; }
	flush_stream stream
	[ "$status" -eq 0 ]
	[ "$output" = "incr-flush: ledger: consumer $B went back to batch 1: 2 lost, 0 restored (--keep)" ]
	sum_is 1
	[ "$(sql "select seq from incr_ledger where consumer = '$B'")" = 4 ]
}

@test "a ledger that was set back under an own range: dropped with 111" {
	local status=0
	mkfifo "$DIR/in"
	exec 9<>"$DIR/in"
	background incr-flush -m 1 <"$DIR/in" 9>&-
	flush=$!
	{ start $A; batch $A 1 1; } >&9
	wait_for 5 sum_is 1
	{ batch $A 2 2; } >&9
	wait_for 5 sum_is 3
	sql "update incr_ledger set seq = 1"
	batch $A 3 4 >&9
	wait_for 5 gone "$flush"
	exec 9>&-
	wait "$flush" || status=$?
	[ "$status" -eq 111 ]
	sum_is 3
}

@test "a paused writer that wakes up late counts nothing twice" {
	three >"$DIR/s"
	lock increments
	background incr-flush <"$DIR/s"
	paused=$!
	wait_for 5 waits_for_lock 1
	kill -STOP "$paused"
	background incr-flush <"$DIR/s"
	other=$!
	wait_for 5 waits_for_lock 2
	unlock
	wait "$other"
	sum_is 7
	kill -CONT "$paused"
	wait "$paused"
	sum_is 7
}

@test "dead letters are said when they are there, without a byte of them" {
	printf 'evil\n%s\nevil too\n' "$(increment 1)" |
		while IFS= read -r line; do rcli lpush \
			"rmq::queue::[$INCR_QUEUE]::ready" "$line"; done >/dev/null
	run -1 --separate-stderr bash -c 'set -o pipefail; incr-consume -o | incr-flush'
	[ "$(rejected)" = 2 ]
	[ "$(grep -v '; waiting$' <<<"$stderr")" = \
		"incr-flush: queue $INCR_QUEUE: 2 new dead letters; see incr-rejected list" ]
	# Without any, nothing is said.
	increment 2 | incr-publish
	run -0 --separate-stderr bash -c 'set -o pipefail; incr-consume -o | incr-flush'
	[[ $stderr != *dead* ]]
}

@test "dead letters of the minute after the first are said at the end" {
	rcli lpush "rmq::queue::[$INCR_QUEUE]::ready" evil
	background "$BIN/incr-drain" -- -i 0.1 2>"$DIR/err"
	wait_for 10 grep -q ': 1 new dead letter; ' "$DIR/err"
	rcli lpush "rmq::queue::[$INCR_QUEUE]::ready" evil 'evil too'
	wait_for 10 eval '[ "$(rejected)" = 3 ]'
	no_news() { [ "$(grep -c 'dead letter' "$DIR/err")" = 1 ]; }
	no_news
	kill $!
	wait_for 10 gone $!
	[ "$(grep -o '[0-9]* new dead letters*' "$DIR/err" | xargs)" = \
		'1 new dead letter 2 new dead letters' ]
}

@test "dead letters go to the rejected list byte for byte, status 1" {
	increment 1 | incr-publish
	printf 'no\tjson\377\nx' | rcli -x lpush "rmq::queue::[$INCR_QUEUE]::ready"
	increment 2 | incr-publish
	incr-consume -o >"$DIR/s"
	run incr-flush <"$DIR/s"
	[ "$status" -eq 1 ]
	sum_is 3
	no_batches
	printf 'no\tjson\377\nx\n' >"$DIR/want"
	rcli --raw lindex "rmq::queue::[$INCR_QUEUE]::rejected" 0 >"$DIR/got"
	cmp "$DIR/want" "$DIR/got"
}

# renewals ID: how often the log of MONITOR shows that flush made ID's owner
renewals() { grep -c "lua\] \"SET\" \"incr::queue::\[$INCR_QUEUE\]::consumer::$1::owner\"" "$DIR/monitor"; }
# looks: how often somebody looked for orphans
looks() { grep -c "lua\] \"SMEMBERS\" \"incr::queue::\[$INCR_QUEUE\]::consumers\"" "$DIR/monitor"; }
at_least() { [ "$("$2" "${@:3}")" -ge "$1" ]; }

# Nobody else renews: the consumer has left.  A renewal is due every quarter
# of the life of an owner key.
@test "a lock held for four ownership periods causes no adoption" {
	local id
	own_redis # MONITOR is a burden for everybody who uses the server
	increment 1 | incr-publish
	lock increments
	incr-consume -o >"$DIR/s"
	id=$(head -n 1 "$DIR/s" | grep -o '[0-9a-f-]\{36\}')
	background redis-cli -s "${REDIS_URL#unix://}" monitor >"$DIR/monitor"
	background incr-flush <"$DIR/s"
	flush=$!
	wait_for 5 waits_for_lock 1
	background sh -c 'exec incr-consume' >"$DIR/second"
	wait_for 10 at_least 16 renewals "$id"
	at_least 5 looks
	[ "$(grep -c checkpoint "$DIR/second")" -eq 1 ] # its own beginning
	[ -n "$(batches)" ]
	unlock
	wait "$flush"
	sum_is 1
	no_batches
}

@test "once flush is gone, the next consumer adopts what it held" {
	increment 1 | incr-publish
	lock increments
	incr-consume -o >"$DIR/s"
	background incr-flush <"$DIR/s"
	flush=$!
	wait_for 5 waits_for_lock 1
	kill -9 "$flush"
	unlock
	background setsid sh -c 'incr-consume | incr-flush -i 0.1'
	wait_for 5 no_batches
	sum_is 1
}

@test "a window older than three intervals is left to others" {
	increment 1 | incr-publish
	lock increments
	incr-consume -o >"$DIR/s"
	background incr-flush -i 0.2 <"$DIR/s"
	flush=$!
	wait_for 5 waits_for_lock 1
	background setsid sh -c 'incr-consume | incr-flush -i 0.1'
	wait_for 5 waits_for_lock 2 # its first look at the ledger went through
	unlock
	wait "$flush"
	wait_for 5 no_batches
	sum_is 1
}

@test "Redis away at the acknowledgement: done when it is back" {
	own_redis --appendfsync always
	increments 1 3 | incr-publish
	echo nonsense | rcli -x lpush "rmq::queue::[$INCR_QUEUE]::ready"
	incr-consume -o >"$DIR/s"
	lock increments
	background incr-flush <"$DIR/s" 2>"$DIR/err"
	flush=$!
	wait_for 5 waits_for_lock 1
	redis_stop "$OWN_REDIS"
	unlock
	wait_for 5 sum_is 6
	wait_for 5 grep -q '^incr-flush: redis: .*; waiting$' "$DIR/err"
	redis_start "$OWN_REDIS" --appendfsync always
	wait_for 5 gone "$flush"
	no_batches
	[ "$(rejected)" -eq 1 ]
	[ "$(said "$DIR/err")" = \
		"incr-flush: queue $INCR_QUEUE: 1 new dead letter; see incr-rejected list" ]
	[ "$(wc -l <"$DIR/err")" -eq 2 ]
	sum_is 6
}

# used PID: its CPU time so far, in ticks of 10 ms
used() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
refusals() { rcli info errorstats | grep -o 'WRONGTYPE:count=[0-9]*' | cut -d= -f2; }

@test "Redis refuses the acknowledgement: tried with back-off, then done" {
	local list="rmq::queue::[$INCR_QUEUE]::rejected" before since
	own_redis # Other tests provoke the same refusal.
	rcli lpush "rmq::queue::[$INCR_QUEUE]::ready" nonsense
	incr-consume -o >"$DIR/s"
	rcli set "$list" x
	since=$(date +%s%3N)
	background incr-flush <"$DIR/s" 2>"$DIR/err"
	flush=$!
	wait_for 5 grep -q 'redis: WRONGTYPE .*; waiting$' "$DIR/err"
	before=$(used "$flush")
	wait_for 10 at_least 7 refusals
	# Six pauses that double, of at least 37, 75, 150, 300, 600 and 750 ms.
	[ $(($(date +%s%3N) - since)) -ge 1800 ]
	[ $(($(used "$flush") - before)) -lt 20 ]
	rcli del "$list"
	wait_for 5 gone "$flush"
	[ "$(rejected)" -eq 1 ]
	no_batches
}

@test "old ledger rows go, if of our queue and not registered" {
	in_ledger 00000000-0000-4000-8000-000000000001 1
	in_ledger $B 1
	sql "update incr_ledger set committed_at = now() - interval '31 days'"
	in_ledger 00000000-0000-4000-8000-000000000002 1
	sql "insert into incr_ledger values ('00000000-0000-4000-8000-000000000003',
		'other', 1, now() - interval '31 days')"
	mkfifo "$DIR/in"
	exec 8<>"$DIR/in"
	background incr-flush <"$DIR/in" 8>&-
	start $A >&8
	left() { [ "$(sql 'select count(*) from incr_ledger')" = "$1" ]; }
	wait_for 5 left 3
	[ "$(sql "select count(*) from incr_ledger where consumer in ('$B',
		'00000000-0000-4000-8000-000000000002',
		'00000000-0000-4000-8000-000000000003')")" = 3 ]
}
