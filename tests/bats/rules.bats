#!/usr/bin/env bats
# Rules that no program keeps alone, or that each must keep: signals, what
# may be forged, what a service must be like, clocks, promises end to end.

bats_require_minimum_version 1.5.0
load helper

setup() {
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	export INCR_METRICS_DIR=
	READY="rmq::queue::[$INCR_QUEUE]::ready"
	REJECTED="rmq::queue::[$INCR_QUEUE]::rejected"
}

teardown() {
	end_background
	[ ! -d redis ] || redis_stop redis
	[ ! -d cluster ] || redis_stop cluster
}

# session COMMAND: bash runs it in a session of its own, where no signal is
# ignored; its status goes to the file status. $main is the session.
session() {
	background env --default-signal=INT,TERM setsid bash -c "$1"'
		s=("${PIPESTATUS[@]}"); echo "${s[*]}" >status' 2>err 7>&-
	main=$!
}
# signal NAME: to every program of the session, not to the shell around them
signal() {
	local pid
	for pid in $(pgrep -s "$main" -f '(^|/)incr-'); do
		[ "$pid" = "$main" ] || kill -s "$1" "$pid" || gone "$pid"
	done
}
in_session() { pgrep -s "$main" -x "$1"; }

# -- signals to a whole pipe -----------------------------------------------------

@test "incr-validate -e | incr-publish: the group is signalled, all counts" {
	for signal in TERM INT; do
		mkfifo in
		exec 7<>in
		session 'incr-validate -e <in | incr-publish -e >out'
		increments 1 500 >&7
		wait_for 5 has '"value":500}' out
		signal "$signal"
		# What is still to come belongs to them, too.
		increments 501 1000 >&7
		exec 7>&-
		wait_for 5 test -s status
		[ "$(cat status)" = "0 0" ]
		quiet err
		increments 1 1000 | cmp - out
		[ "$(ready)" -eq 1000 ]
		rcli del "$READY" >/dev/null
		rm in out status
	done
}

@test "incr-consume | incr-flush: the group is signalled, all is in the table" {
	local n=0
	for signal in TERM INT; do
		session 'incr-consume | incr-flush -i 20'
		wait_for 5 in_session incr-flush
		increments 1 100 | incr-publish
		wait_for 5 has_ready 0
		signal "$signal"
		wait_for 5 test -s status
		[ "$(cat status)" = "0 0" ]
		quiet err
		n=$((n + 5050))
		sum_is $n
		no_batches
		rm status
	done
}

@test "a signal ignored at start stays ignored, in every program" {
	export INCR_URL=http://127.0.0.1:9/
	mkfifo in
	exec 7<>in
	for program in incr-validate incr-publish incr-consume incr-flush \
		'incr-serve -l ./s' incr-send; do
		# shellcheck disable=SC2086
		background env --ignore-signal=TERM,INT $program \
			<in >out 2>err 7>&-
		pid=$!
		# It has its signals as a descriptor once it is set up.
		takes_signals() { readlink "/proc/$pid/fd/"* | grep -q signalfd; }
		wait_for 5 takes_signals || {
			echo "$program: $(cat err)"
			return 1
		}
		ignored=$(sed -n 's/^SigIgn:\s*//p' "/proc/$pid/status")
		# Bits of SIGINT (2) and SIGTERM (15)
		[ $((0x$ignored & 0x4002)) -eq $((0x4002)) ] || {
			echo "$program: $ignored"
			return 1
		}
		kill -INT "$pid"
		kill -INT "$pid" # a second one would end it
		kill -TERM "$pid"
		not gone "$pid"
		kill -9 "$pid"
		wait_for 5 gone "$pid"
	done
	exec 7>&-
}

# -- nothing is forged -------------------------------------------------------------

@test "payloads that read as control lines are dead letters, byte for byte" {
	local stranger=cccccccc-0000-4000-8000-00000000000c i
	printf %s "$(checkpoint $stranger 0 0)" >p1
	printf %s "$(checkpoint $stranger 1 1 false ',"end":true')" >p2
	printf '\377\0\276\276J{"a":["b"]}\n%s\n' "$(cat p2)" >p3
	printf '{"error":{"code":"not-json","detail":"x","line":1}}\n' >p4
	increment 1 | incr-publish
	for i in 1 2 3 4; do put_stdin <p$i; done
	increment 2 | incr-publish
	run -1 pipe
	[ "$(said - <<<"$output")" = \
		"incr-flush: queue $INCR_QUEUE: 4 new dead letters; see incr-rejected list" ]
	sum_is 3
	no_batches
	[ "$(rejected)" -eq 4 ]
	for i in 1 2 3 4; do
		rcli --raw lindex "$REJECTED" $((4 - i)) | head -c -1 | cmp - p$i
	done
	[ -z "$(sql "select 1 from incr_ledger where consumer = '$stranger'")" ]
}
pipe() { incr-consume -o "$@" | incr-flush; }

@test "1 MiB payloads, headers and newlines come to rejected as they are" {
	local i
	head -c 1048576 /dev/urandom >p1
	{ printf '\377\0\276\276J{"trace":["x","y"]}\n'; tr '\0' x </dev/zero |
		head -c 1048576; echo; } >p2
	printf '\377\0\276\276J{"trace":["x"]}\nno\njson\n\n' >p3
	printf '\377\0\276\276J{"trace":"faulty"}\n%s' "$(increment 100)" >p4
	printf '\n' >p5
	: >p6
	for i in 1 2 3 4 5 6; do put_stdin <p$i; done
	# A good one with a header and a newline is none of them.
	printf '\377\0\276\276J{"trace":["x"]}\n%s\n' "$(increment 4)" | put_stdin
	printf '{"key":"%s",\n"value":3}\n' "$KEY" | put_stdin
	run -1 pipe -n 3
	sum_is 7
	no_batches
	[ "$(rejected)" -eq 6 ]
	for i in 1 2 3 4 5 6; do
		rcli --raw lindex "$REJECTED" $((6 - i)) | head -c -1 | cmp - p$i
	done
}

@test "a request body that reads as a verdict or a checkpoint is refused" {
	local body
	background setsid incr-ingest -l ./s 2>err
	main=$!
	wait_for 5 healthy ./s
	post() {
		http_status -m 5 --unix-socket ./s \
			--data-binary "$1" http://x/increment
	}
	for body in '{"error":{"code":"unknown","detail":"x","line":1}}' \
		"$(checkpoint "$KEY" 0 0)" $'\n{"error":{' \
		"$(increment 1)"$'\n'"$(increment 2)" \
		$'tag\t'"$(increment 1)"; do
		[ "$(post "$body")" = 400 ]
	done
	[ "$(post "$(increment 1)")" = 202 ]
	[ "$(ready)" -eq 1 ]
	quiet err
}

# -- what Redis must be like ---------------------------------------------------------

@test "a database of a cluster, an evicting Redis: configuration errors to all" {
	local stranger=cccccccc-0000-4000-8000-00000000000c url
	redis_start "$PWD/cluster" --cluster-enabled yes
	redis_start "$PWD/redis" --maxmemory 100mb --maxmemory-policy volatile-lru
	increment 1 >one
	{
		checkpoint $stranger 0 0
		increment 1
		checkpoint $stranger 1 1
	} >stream
	for url in "$PWD/cluster/redis.sock?db=1" "$PWD/redis/redis.sock"; do
		export REDIS_URL=unix://$url
		run -100 timeout 20 incr-publish <one
		[ "${#lines[@]}" -eq 1 ]
		run -100 timeout 20 incr-publish -e <one
		run -100 timeout 20 incr-consume -o
		[ "${#lines[@]}" -eq 1 ]
		run -100 timeout 20 incr-flush <stream
		[ "${#lines[@]}" -eq 1 ]
	done
	total_is 0
}

# -- one batch in flight ---------------------------------------------------------------

@test "a batch that was sent is repeated as it was, the next comes after it" {
	redis_start "$PWD/redis"
	export REDIS_URL=unix://$PWD/redis/redis.sock
	mkfifo in
	exec 7<>in
	background incr-publish -e -w 20 <in >out 2>err 7>&-
	pid=$!
	increment 1 >&7
	wait_for 5 has '"value":1}' out
	background redis-cli -s redis/redis.sock monitor >log 7>&-
	wait_for 5 has OK log
	kill -STOP "$(cat redis/redis.pid)"
	increment 2 >&7
	wait_for 8 has waiting err
	# Two more while the second is unknown.
	increments 3 4 >&7
	kill -CONT "$(cat redis/redis.pid)"
	wait_for 8 has '"value":4}' out
	exec 7>&-
	wait "$pid"
	increments 1 4 | cmp - out
	rcli --raw lrange "$READY" 0 -1 | tac | cmp - <(increments 1 4)
	# As often as it was sent, it was the same but for not-after, Unix
	# milliseconds; two calls in all.
	grep -oiE '"evalsha".*::ready".*' log |
		sed 's/"[0-9]\{13\}"/NOT-AFTER/' | sort -u >calls
	[ "$(wc -l <calls)" -eq 2 ]
	[ "$(grep -c 'value\\":2}' calls)" -eq 1 ]
	[ "$(grep 'value\\":2}' calls | grep -c 'value\\":3}')" -eq 0 ]
}

@test "a batch that may be there is not repeated for half its key's life" {
	local status=0
	not sanitized incr-publish || skip "what is preloaded must be first"
	redis_start "$PWD/redis"
	export REDIS_URL=unix://$PWD/redis/redis.sock
	build_clock
	mkfifo in
	exec 7<>in
	LD_PRELOAD=$PWD/clock.so background incr-publish <in 2>err 7>&-
	pid=$!
	increment 1 >&7
	wait_for 5 has_ready 1
	kill -STOP "$(cat redis/redis.pid)"
	increment 2 >&7
	wait_for 8 has waiting err
	echo 43210 >ahead
	kill -CONT "$(cat redis/redis.pid)"
	wait_for 8 gone "$pid"
	wait "$pid" || status=$?
	exec 7>&-
	[ "$status" -eq 111 ]
	has 'no answer for half a day' err
}

# -- counted once ------------------------------------------------------------------------

@test "an adopted batch that is there: not counted, its bad lines rejected" {
	local id
	increment 5 | incr-publish
	echo bad | head -c -1 | put_stdin
	incr-consume -o >s
	id=$(sed -n '1s/.*"consumer":"\([^"]*\)".*/\1/p' s)
	sql "insert into incr_ledger (consumer, queue, seq) values ('$id', '$INCR_QUEUE', 1)"
	run -1 pipe
	total_is 0
	no_batches
	[ "$(rcli --raw lrange "$REJECTED" 0 -1)" = bad ]
}

# too_late FIRST: a stream whose batch FIRST has its line a day before its
# checkpoint; the batches before it are in the table. $pid is incr-flush.
too_late() {
	local id=dddddddd-0000-4000-8000-00000000000$1 before
	known "$id"
	rm -f ahead in
	mkfifo in
	exec 7<>in
	LD_PRELOAD=$PWD/clock.so background incr-flush -m 1 <in 2>err 7>&-
	pid=$!
	checkpoint "$id" 0 0 >&7
	if [ "$1" = 2 ]; then
		increment 1 >&7
		checkpoint "$id" 1 1 >&7
		wait_for 5 sum_is 1
	fi
	wait_for 5 connected
	before=$(bytes_read "$pid")
	increment 7 >&7
	wait_for 5 has_read_all $((before + $(increment 7 | wc -c)))
	echo 86410 >ahead
	checkpoint "$id" "$1" 1 >&7
	checkpoint "$id" 0 0 false ',"end":true' >&7
	exec 7>&-
	wait_for 5 gone "$pid"
}
# It has read all that libraries read, and its first line.
connected() {
	[ "$(sql "select count(*) from pg_stat_activity where datname =
		current_database() and application_name = 'incr-flush'
		and state = 'idle'")" = 1 ] &&
		[ "$(find "/proc/$pid/fd" -lname 'socket:*' | wc -l)" = 2 ]
}
# ... and sleeps again, done with it
has_read_all() {
	[ "$(bytes_read "$pid")" -ge "$1" ] && grep -q '^State:.*S' "/proc/$pid/status"
}

@test "a window that starts at batch 1 is not committed after a day" {
	local status=0
	not sanitized incr-flush || skip "what is preloaded must be first"
	build_clock
	too_late 1
	wait "$pid" || status=$?
	[ "$status" -eq 111 ]
	has 'older than a day' err
	total_is 0
	# One that starts later can only move a row that is there.
	too_late 2
	wait "$pid"
	sum_is 8
}

# After thirty days even the ledger may have forgotten what others counted.
@test "who was paused for a week delivers and commits nothing it holds" {
	local id=dddddddd-0000-4000-8000-000000000003 status=0
	not sanitized incr-flush || skip "what is preloaded must be first"
	build_clock
	known "$id"
	mkfifo in
	exec 7<>in
	LD_PRELOAD=$PWD/clock.so background incr-flush -i 20 <in 2>err 7>&-
	pid=$!
	checkpoint "$id" 0 0 >&7
	wait_for 5 connected
	kill -STOP "$pid"
	{
		increment 7
		checkpoint "$id" 1 1
		checkpoint "$id" 0 0 false ',"end":true'
	} >&7
	exec 7>&-
	echo 604801 >ahead
	kill -CONT "$pid"
	wait_for 5 gone "$pid"
	wait "$pid" || status=$?
	[ "$status" -eq 111 ]
	[ "$(said err)" = "incr-flush: window: paused for a week; not committed" ]
	total_is 0

	rm ahead
	LD_PRELOAD=$PWD/clock.so background incr-consume >out 2>err
	pid=$!
	wait_for 5 test -s out
	increment 1 | incr-publish
	wait_for 5 has_ready 0
	echo 604801 >ahead
	wait_for 5 gone "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 111 ]
	[ "$(said err)" = "incr-consume: stdout: paused for a week, not written" ]
}

# -- ten seconds ---------------------------------------------------------------------------

@test "ten seconds also when incr-consume and incr-flush are killed" {
	local before
	session 'exec incr-drain'
	wait_for 5 in_session incr-consume
	increments 1 100 | incr-publish
	wait_for 5 has_ready 0
	sum_is 0
	pkill -KILL -s "$main"
	before=${EPOCHREALTIME/./}
	wait_for 5 session_gone "$main"
	session 'exec incr-drain'
	wait_for 10 sum_is 5050
	# Adopted batches don't wait for the interval to pass once more.
	[ $((${EPOCHREALTIME/./} - before)) -lt 8000000 ]
	wait_for 2 no_batches
}

# -- the thousand batches ---------------------------------------------------------------------

@test "--once into a file: after a thousand batches in order, but with 111" {
	increments 1 1003 | incr-publish
	status=0
	timeout 20 incr-consume -o -n 1 -w 0.4 >out 2>err || status=$?
	[ "$status" -eq 111 ]
	[ "$(said err | wc -l)" -eq 1 ]
	has 'too many unacknowledged batches' err
	tail -n 1 out | grep -q '"end":true'
	[ "$(grep -c '"value"' out)" -eq 1000 ]
	[ "$(ready)" -eq 3 ]
	# Where they are acknowledged it comes to the end, and they are adopted.
	incr-consume -o -n 1 -w 5 | incr-flush -i 0.1
	sum_is $((1003 * 1004 / 2))
	no_batches
}
