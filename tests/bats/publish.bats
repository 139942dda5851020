#!/usr/bin/env bats
# incr-publish: every line on the queue once, whatever happens to it, to
# Redis or to the connection.

bats_require_minimum_version 1.5.0
load helper

setup() {
	use_redis
	dir=$BATS_TEST_TMPDIR
	OWN_REDIS=$dir/redis
}

teardown() {
	end_background
}

# queue_is_exactly FROM TO: those values, each once, in any order.
queue_is_exactly() {
	cmp <(increments "$1" "$2" | sort) <(queue | sort)
}

publishers() { rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::publisher::*"; }
publishers_are() { [ "$(publishers | wc -l)" = "$1" ]; }

# open_publish [ARG...]: fed through descriptor 7, answers in $dir/out (or
# that FIFO), messages in $dir/err; sets pid.
open_publish() {
	mkfifo "$dir/in"
	exec 7<>"$dir/in" # a FIFO opened for both does not wait
	[ -p "$dir/out" ] || : >"$dir/out"
	publish "$@" <"$dir/in"
}

# publish [ARG...]: in the background, with the input and without the
# descriptors of the test, SIGINT as in a terminal; sets pid.
publish() {
	env --default-signal=INT incr-publish "$@" <&0 >"$dir/out" 2>"$dir/err" 3>&- 7>&- 8>&- 9>&- &
	pid=$!
	remember "$pid"
}

close_input() { exec 7>&-; }

# open_answers: $dir/out is a FIFO, read through descriptor 8.
open_answers() {
	mkfifo "$dir/out"
	exec 9<>"$dir/out" 8<"$dir/out"
}

answered() { [ "$(wc -l <"$dir/out")" -ge "$1" ]; }
# accepted N: line N is, now, and not refused because an outage is not over
accepted() {
	local n
	n=$(wc -l <"$dir/out")
	increment "$1" >&7
	wait_for 5 answered $((n + 1))
	[ "$(tail -n 1 "$dir/out")" = "$(increment "$1")" ]
}

# leaves STATUS: the publisher ends by itself, with this status.
leaves() {
	local status=0
	wait_for 10 gone "$pid"
	wait "$pid" || status=$?
	[ "$status" -eq "$1" ]
}

# -- the plain case ----------------------------------------------------------

@test "lines are put on the queue in order, in canonical form" {
	{
		increment 1
		echo ' { "value" : 2, "key" : "6F1B3C1E-7A4F-4F60-9A53-2B0F0F3A9A11" } '
		printf '{"key":"%s","value":3}' "$KEY"
	} | incr-publish
	increments 1 3 | cmp - <(queue)
	[ "$(rcli sismember rmq::queues "$INCR_QUEUE")" = 1 ]
}

@test "no input: nothing is published, exit 0" {
	incr-publish </dev/null
	has_ready 0
}

@test "a typed line is answered within 10 ms, while input stays open" {
	local i line from best=1000000 took
	open_answers
	open_publish -e
	# Others use the machine, too: what would wait for more to come
	# would be late every time.
	for i in {1..200}; do
		from=${EPOCHREALTIME/./}
		increment "$i" >&7
		read -r -t 5 line <&8
		took=$((${EPOCHREALTIME/./} - from))
		[ "$line" = "$(increment "$i")" ]
		[ "$took" -ge "$best" ] || best=$took
		[ "$best" -gt 10000 ] || break
	done
	close_input
	[ "$best" -le 10000 ]
}

# Where Redis has answered before the next two thousand lines are read, what was
# read by then is sent: others use the machine, too.
@test "100,000 lines from a file are 50 calls, or some more" {
	local pushes
	own_redis
	increments 1 100000 >"$dir/lines"
	for _ in {1..8}; do
		rcli del "rmq::queue::[$INCR_QUEUE]::ready"
		rcli config resetstat
		incr-publish <"$dir/lines"
		has_ready 100000
		pushes=$(calls evalsha)
		[ "$pushes" -ge 50 ]
		[ "$pushes" -gt 100 ] || return 0
	done
	echo "$pushes calls"
	false
}

@test "a line written in pieces is one line" {
	open_publish -e
	printf '{"key":"%s",' "$KEY" >&7
	wait_for 5 kill -0 "$pid"
	printf '"value":1}\n' >&7
	wait_for 5 answered 1
	close_input
	leaves 0
	increment 1 | cmp - <(queue)
}

# -- bad lines ---------------------------------------------------------------

bad_lines() {
	increment 1
	echo
	echo '{"key":"x","value":1}'
	increment 2
	head -c 5000 /dev/zero | tr '\0' x
	echo
	echo '{"checkpoint":{}}'
	increment 3
}

@test "without -e bad lines are named, the rest is published, exit 1" {
	run incr-publish < <(bad_lines)
	[ "$status" -eq 1 ]
	[ "${#lines[@]}" -eq 4 ]
	[[ "${lines[0]}" == "incr-publish: line 2: not-json: "* ]]
	[[ "${lines[1]}" == "incr-publish: line 3: key-not-a-uuid: "* ]]
	[[ "${lines[2]}" == "incr-publish: line 5: too-long: "* ]]
	[[ "${lines[3]}" == "incr-publish: line 6: control-line: "* ]]
	increments 1 3 | cmp - <(queue)
}

@test "only the first ten bad lines are named, all are counted" {
	run incr-publish < <(seq 2000)
	[ "$status" -eq 1 ]
	[ "${#lines[@]}" -eq 12 ]
	[[ "${lines[11]}" == *" 2000 of 2000 lines rejected" ]]
}

@test "with -e every line is answered in order, bad ones by errors in place" {
	run incr-publish -e < <(bad_lines)
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 7 ]
	[ "${lines[0]}" = "$(increment 1)" ]
	[[ "${lines[1]}" == '{"error":{"code":"not-json",'*',"line":2}}' ]]
	[[ "${lines[2]}" == '{"error":{"code":"key-not-a-uuid",'*',"line":3}}' ]]
	[ "${lines[3]}" = "$(increment 2)" ]
	[[ "${lines[4]}" == '{"error":{"code":"too-long",'*',"line":5}}' ]]
	[[ "${lines[5]}" == '{"error":{"code":"control-line",'*',"line":6}}' ]]
	[ "${lines[6]}" = "$(increment 3)" ]
}

@test "with -e order is kept over many batches with errors between" {
	seq 20000 | awk -v k="$KEY" '$1 % 7 { printf "{\"key\":\"%s\",\"value\":%d}\n", k, $1; next }
		{ print "bad" }' >"$dir/lines"
	incr-publish -e <"$dir/lines" >"$dir/out"
	awk '$1 == "bad" { print NR }' "$dir/lines" >"$dir/bad"
	sed -n 's/.*"not-json".*"line":\([0-9]*\)}}/\1/p' "$dir/out" | cmp - "$dir/bad"
	cmp <(grep -v '^bad' "$dir/lines") <(grep -v '"error"' "$dir/out")
	grep -n '"error"' "$dir/out" | cut -d: -f1 | cmp - "$dir/bad"
	grep -v '^bad' "$dir/lines" | cmp - <(queue)
}

@test "an error line is passed on with its own number, never published" {
	local error='{"error":{"code":"not-json","detail":"no","line":77}}'
	run incr-publish -e < <(increment 1; echo "$error"; increment 2)
	[ "$status" -eq 0 ]
	[ "${lines[1]}" = "$error" ]
	[ "${#lines[@]}" -eq 3 ]
	has_ready 2
	run incr-publish <<<"$error"
	[ "$status" -eq 1 ]
	[[ "$output" == "incr-publish: line 77: not-json: "* ]]
	has_ready 2
}

@test "with -e half a line at the end is unavailable, a whole one counts" {
	run incr-publish -e < <(increment 1; increment 2 | head -c 40)
	[ "$status" -eq 111 ]
	[ "${lines[0]}" = "$(increment 1)" ]
	[[ "${lines[1]}" == '{"error":{"code":"unavailable",'*',"line":2}}' ]]
	run incr-publish -e < <(increment 3 | head -c -1)
	[ "$status" -eq 0 ]
	[ "$output" = "$(increment 3)" ]
	has_ready 2
	# Without -e it is named as what it is.
	run incr-publish < <(increment 4 | head -c 40)
	[ "$status" -eq 1 ]
	[[ "$output" == "incr-publish: line 1: not-json: "* ]]
}

@test "an error line needs no Redis to be passed on" {
	export REDIS_URL=unix://$dir/nobody
	run timeout 20 incr-publish -e -w 60 \
		<<<'{"error":{"code":"not-json","detail":"no","line":1}}'
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 1 ]
}

# -- input, output, signals --------------------------------------------------

@test "standard input that can't be read is 111, not its end" {
	run incr-publish </
	[ "$status" -eq 111 ]
	[ "$output" = "incr-publish: stdin: Is a directory" ]
	run sh -c 'incr-publish <&-'
	[ "$status" -eq 111 ]
}

@test "a full disk is 111, and so is a reader that has gone" {
	run sh -c "incr-publish -e >/dev/full" < <(increment 1)
	[ "$status" -eq 111 ]
	[[ "$output" == "incr-publish: stdout: "* ]]
	run bash -c 'incr-publish -e | true; exit "${PIPESTATUS[0]}"' \
		< <(increments 1 100000)
	[ "$status" -eq 111 ]
}

@test "a reader that goes is noticed with nothing to write" {
	open_answers
	open_publish -e
	increment 1 >&7
	read -r -t 5 <&8
	exec 8<&- 9>&-
	leaves 111
	close_input
}

@test "answers that nobody reads stop the reading of input, none is lost" {
	local read_before
	increments 1 100000 >"$dir/lines"
	open_answers
	publish -e -w 60 <"$dir/lines"
	exec 9>&-
	wait_for 5 asleep "$pid"
	read_before=$(awk '/^rchar/ { print $2 }' "/proc/$pid/io")
	[ "$read_before" -lt "$(stat -c %s "$dir/lines")" ]
	cmp "$dir/lines" - <&8
	exec 8<&-
	leaves 0
	has_ready 100000
}

# asleep PID: it has something on the queue and does nothing any more.
asleep() {
	local before after
	[ "$(ready)" -gt 0 ]
	before=$(cat "/proc/$1/io")
	sleep 0.1
	after=$(cat "/proc/$1/io")
	[ "$before" = "$after" ]
}

@test "after SIGTERM input is taken to its end, exit 0" {
	open_publish -e
	increment 1 >&7
	wait_for 5 answered 1
	kill "$pid"
	kill "$pid"
	increments 2 5 >&7
	wait_for 5 answered 5
	close_input
	leaves 0
	increments 1 5 | cmp - <(queue)
}

@test "after SIGTERM input that does not end is waited for --grace, then 111" {
	open_publish -e -g 0.2
	increment 1 >&7
	wait_for 5 answered 1
	kill "$pid"
	leaves 111
	[ "$(cat "$dir/err")" = "incr-publish: stdin: no end of input within 0.2 s of a signal (--grace); 0 lines not delivered (0 of unknown outcome)" ]
	close_input
}

@test "after SIGTERM lines that Redis does not take are counted, 111" {
	export REDIS_URL=unix://$dir/nobody
	open_publish -g 0.5
	increments 1 500 >&7
	wait_for 5 grep -q waiting "$dir/err"
	kill "$pid"
	leaves 111
	grep -q ' 500 lines not delivered' "$dir/err"
	close_input
}

@test "a second SIGINT ends at once" {
	open_publish -e
	increment 1 >&7
	wait_for 5 answered 1
	kill -INT "$pid"
	increment 2 >&7
	wait_for 5 answered 2
	kill -INT "$pid"
	leaves 130
	close_input
}

@test "kill -9: what was answered is on the queue, nothing is there twice" {
	local n
	open_publish -e
	increments 1 1000000 >"$dir/in" 2>/dev/null 3>&- 7>&- &
	remember $!
	wait_for 10 answered 3000
	kill -9 "$pid"
	wait_for 5 gone "$pid"
	close_input
	wait_for 5 queue_at_rest
	n=$(ready)
	queue_is_exactly 1 "$n"
	head -n "$(wc -l <"$dir/out")" <(queue) | cmp - "$dir/out"
}

# Redis has done what was still on its way: it goes by the round.
queue_at_rest() {
	local before
	before=$(ready)
	rcli ping
	[ "$(ready)" = "$before" ]
}

# -- Redis goes away ---------------------------------------------------------

@test "without Redis lines wait, this is said once, and so is its return" {
	export REDIS_URL=unix://$dir/redis/redis.sock
	increments 1 3000 >"$dir/lines"
	publish <"$dir/lines"
	wait_for 5 grep -q waiting "$dir/err"
	own_redis
	leaves 0
	[ "$(wc -l <"$dir/err")" = 2 ]
	grep -q '^incr-publish: redis: .*; waiting$' "$dir/err"
	grep -q "^incr-publish: queue $INCR_QUEUE: publishing again$" "$dir/err"
	increments 1 3000 | cmp - <(queue)
}

@test "a Redis that takes connections and answers no call: said once" {
	own_redis
	open_publish -e -w 5
	increment 1 >&7
	wait_for 5 answered 1
	rcli client pause 60000 write
	increment 2 >&7
	wait_for 5 grep -q '^incr-publish: redis: no answer in time; waiting$' "$dir/err"
	# It connects again, calls again, and the line is unknown in the end.
	wait_for 10 answered 2
	[ "$(wc -l <"$dir/err")" = 1 ]
	rcli client unpause
	wait_for 10 accepted 3
	wait_for 5 grep -q "queue $INCR_QUEUE: publishing again$" "$dir/err"
	close_input
	leaves 111
	[ "$(wc -l <"$dir/err")" = 2 ]
}

@test "without Redis --wait without -e ends with 111" {
	export REDIS_URL=unix://$dir/nobody
	run timeout 20 incr-publish -w 0.3 < <(increments 1 5)
	[ "$status" -eq 111 ]
	[[ "${lines[-1]}" == "incr-publish: redis: "*"; 5 lines not delivered (0 of unknown outcome)" ]]
}

@test "a stopped Redis: unavailable after the wait, published after a restart" {
	own_redis
	open_publish -e -w 3 # longer than the longest back-off
	increment 1 >&7
	wait_for 5 answered 1
	redis_stop "$dir/redis"
	{ increment 2; echo bad; increment 3; } >&7
	wait_for 5 answered 4
	sed -n 2,4p "$dir/out" | grep -o '"code":"[a-z-]*".*"line":[0-9]*' |
		sed 's/,.*,/ /' >"$dir/codes"
	cmp "$dir/codes" - <<-END
		"code":"unavailable" "line":2
		"code":"not-json" "line":3
		"code":"unavailable" "line":4
	END
	# The wait is over for the lines that come now, too.
	sent=${EPOCHREALTIME/./}
	increment 4 >&7
	wait_for 5 answered 5
	not elapsed "$sent" 2500000
	own_redis
	wait_for 10 taken_again
	close_input
	leaves 111
	{ increment 1; increment 5; } | cmp - <(queue)
}

# taken_again: one more line, and it is not unavailable any more.
taken_again() {
	local n
	n=$(wc -l <"$dir/out")
	increment 5 >&7
	wait_for 5 answered $((n + 1))
	[ "$(tail -n 1 "$dir/out")" = "$(increment 5)" ]
}

@test "a Redis that is away: all that has not been sent is unavailable in time" {
	own_redis
	open_publish -e -w 2
	increment 1 >&7
	wait_for 5 answered 1
	redis_stop "$dir/redis"
	sent=${EPOCHREALTIME/./}
	increments 2 10000 >&7 # many more than two batches
	wait_for 5 answered 10000
	not elapsed "$sent" 5500000
	[ "$(grep -c '"unavailable"' "$dir/out")" = 9999 ]
	close_input
	leaves 111
}

@test "lines are unavailable each after its own wait, younger ones are not" {
	own_redis --min-replicas-to-write 1
	open_publish -e -w 2
	# Its answer tells that the line behind it has been read, too.
	{ echo bad; increment 1; } >&7
	wait_for 5 answered 1
	since=${EPOCHREALTIME/./}
	wait_for 2 elapsed "$since" 1500000 # so much younger are the others
	increments 2 3 >&7
	POLL=0.02 wait_for 5 answered 2
	rcli config set min-replicas-to-write 0 >/dev/null
	grep -q '"unavailable".*"line":2}' "$dir/out"
	wait_for 5 answered 4
	close_input
	leaves 111
	increments 2 3 | cmp - <(sed 1,2d "$dir/out")
	increments 2 3 | cmp - <(queue)
}

@test "a Redis that stops in the middle of a call: unknown, never sent again" {
	local n
	own_redis
	open_publish -e -w 2
	increment 1 >&7
	wait_for 5 answered 1
	kill -STOP "$(redis_pid)"
	increments 2 4 >&7
	wait_for 5 answered 4
	[ "$(sed 1d "$dir/out" | grep -c '"unknown"')" = 3 ]
	kill -CONT "$(redis_pid)"
	wait_for 10 accepted 5
	close_input
	leaves 111
	# The old connection's bytes were there: done late, once, under the
	# old id; the last line has another.
	n=$(ready)
	[ "$n" = 2 ] || [ "$n" = 5 ]
	[ "$(queue | sort | uniq -d | wc -l)" = 0 ]
	publishers_are 2
}

@test "a Redis that stops and goes on within the wait: once, and answered" {
	own_redis
	open_publish -e -w 20
	increment 1 >&7
	wait_for 5 answered 1
	kill -STOP "$(redis_pid)"
	increments 2 4 >&7
	wait_for 8 hung_up
	kill -CONT "$(redis_pid)"
	wait_for 8 answered 4
	close_input
	leaves 0
	increments 1 4 | cmp - <(queue)
	publishers_are 1
}

# hung_up: the publisher's answer did not come in time (two seconds).
hung_up() { grep -q waiting "$dir/err"; }

@test "connections killed between and in sendings: every line once" {
	own_redis
	increments 1 100000 >"$dir/lines"
	publish -e -w 60 <"$dir/lines"
	while kill -0 "$pid" 2>/dev/null; do
		rcli client kill type normal skipme yes >/dev/null
	done
	leaves 0
	cmp "$dir/lines" "$dir/out"
	queue_is_exactly 1 100000
}

@test "Redis killed and restarted from its AOF in the middle: every line once" {
	local i again
	# everysec can keep back for two seconds what it has acknowledged.
	own_redis --appendfsync always
	increments 1 150000 | awk '{ print "t" NR "\t" $0 }' >"$dir/lines"
	publish -e -t -w 60 <"$dir/lines"
	for i in 1 2; do
		wait_for 10 answered $((i * 30000))
		kill -9 "$(redis_pid)"
		wait_for 5 gone "$(redis_pid)"
		own_redis --appendfsync always
	done
	wait_for 20 gone "$pid"
	# A batch that was sent, and that the restarted Redis lacks: nobody
	# can tell it from one that another Redis had.  Its tags can.
	again=$(grep -c '"unknown"' "$dir/out" || :)
	echo "$again unknown"
	[ "$again" -le 2000 ]
	paste "$dir/lines" "$dir/out" | sed -n '/"unknown"/s/	[^	]*	[^	]*$//p' >"$dir/again"
	[ "$(wc -l <"$dir/again")" = "$again" ]
	not grep -vFx -f "$dir/lines" <(grep -v '"unknown"' "$dir/out")
	incr-publish -e -t <"$dir/again" | cmp "$dir/again"
	queue_is_exactly 1 150000
}

@test "after a restart of Redis lines go under a new id" {
	own_redis
	open_publish -e
	increment 1 >&7
	wait_for 5 answered 1
	redis_stop "$dir/redis"
	own_redis
	increment 2 >&7
	wait_for 5 answered 2
	publishers_are 2
	close_input
	leaves 0
}

@test "a publisher whose key is gone goes on under a new id" {
	open_publish -e
	increment 1 >&7
	wait_for 5 answered 1
	increment 2 >&7
	wait_for 5 answered 2
	rcli del "$(publishers)"
	increment 3 >&7
	wait_for 5 answered 3
	close_input
	leaves 0
	increments 1 3 | cmp - <(queue)
	publishers_are 1
	# It does not prove that the lines are gone.
	quiet "$dir/err"
}

@test "a full Redis: unavailable, and taken again once there is room" {
	own_redis
	open_publish -e -w 60
	increment 1 >&7
	wait_for 5 answered 1
	rcli config set maxmemory 1 >/dev/null
	increments 2 3 >&7
	wait_for 5 answered 3 # at once
	[ "$(grep -c '"unavailable".*"line":[23]}' "$dir/out")" = 2 ]
	wait_for 5 grep -q OOM "$dir/err"
	rcli config set maxmemory 0 >/dev/null
	increment 4 >&7
	wait_for 5 answered 4
	close_input
	leaves 111
	{ increment 1; increment 4; } | cmp - <(queue)
	[ "$(grep -cx 'incr-publish: redis: out of memory (OOM); waiting' "$dir/err")" = 1 ]
	[ "$(tail -n 1 "$dir/err")" = "incr-publish: queue $INCR_QUEUE: publishing again" ]
	quiet "$dir/err"
}

@test "at the high-water mark: unavailable at once, taken again below it" {
	open_publish -e -w 60 --high-water 2
	increments 1 2 >&7
	wait_for 5 answered 2
	increments 3 4 >&7
	# No waiting for room, as long as --wait.
	wait_for 5 answered 4
	[ "$(grep -c '"unavailable".*"line":[34]}' "$dir/out")" = 2 ]
	rcli rpop "rmq::queue::[$INCR_QUEUE]::ready" >/dev/null
	increment 5 >&7
	wait_for 5 answered 5
	close_input
	leaves 111
	{ increment 2; increment 5; } | cmp - <(queue)
	publishers_are 1
}

@test "at the high-water mark without -e: waits, says so, and loses nothing" {
	open_publish --high-water 1000
	increments 1 2500 >&7
	close_input
	wait_for 5 grep -qF "queue $INCR_QUEUE: limit of 1000 ready messages reached (--high-water); waiting" \
		"$dir/err"
	not gone "$pid"
	not has_ready 2500
	wait_for 10 make_room
	leaves 0
	increments 1 2500 | cmp - <(cat "$dir/taken")
	grep -q "queue $INCR_QUEUE: publishing again$" "$dir/err"
}

# Empties the queue; true once nothing more can come.
make_room() {
	local over=0
	gone "$pid" && over=1
	rcli rename "rmq::queue::[$INCR_QUEUE]::ready" taken 2>&1 |
		grep -q OK || [ "$over" = 1 ] || return 1
	rcli --raw lrange taken 0 -1 | tac | grep . >>"$dir/taken"
	rcli del taken
	[ "$over" = 1 ]
}

@test "at the high-water mark a tag that was counted is still known" {
	{ tagged a 1; tagged b 2; } | incr-publish -t
	export INCR_HIGH_WATER=2
	run --separate-stderr incr-publish -e -t \
		< <(tagged n 3; tagged a 1; tagged b 9)
	[ "$status" -eq 111 ]
	[[ "${lines[0]}" == n$'\t{"error":{"code":"unavailable",'*',"line":1}}' ]]
	[ "${lines[1]}" = "$(tagged a 1)" ]
	[[ "${lines[2]}" == b$'\t{"error":{"code":"idempotency-key-reused",'*',"line":3}}' ]]
	[ "${#lines[@]}" -eq 3 ]
	has_ready 2
}

# -- configuration -----------------------------------------------------------

@test "a wrong URL, a password in an argument, an evicting Redis: 100" {
	run incr-publish -r nonsense </dev/null
	[ "$status" -eq 100 ]
	run incr-publish -r redis://:secret@localhost </dev/null
	[ "$status" -eq 100 ]
	[[ "$output" != *secret* ]]
	run incr-publish -w 0 </dev/null
	[ "$status" -eq 100 ]
	run incr-publish --idempotency-window 86401 </dev/null
	[ "$status" -eq 100 ]
	INCR_HIGH_WATER=0 run incr-publish </dev/null
	[ "$status" -eq 100 ]
	own_redis --maxmemory 100mb --maxmemory-policy allkeys-lru
	run timeout 20 incr-publish < <(increment 1)
	[ "$status" -eq 100 ]
	[ "${#lines[@]}" -eq 1 ]
}

# -- tags --------------------------------------------------------------------

tagged() { printf '%s\t' "$1"; increment "$2"; }

@test "a tag counts once, with another increment it is refused" {
	run incr-publish -e -t < <(
		tagged a 1
		tagged b 1
		tagged a 1
		tagged a 2
		tagged '' 3
		tagged '' 3
	)
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "$(tagged a 1)" ]
	[ "${lines[2]}" = "$(tagged a 1)" ]
	[[ "${lines[3]}" == a$'\t{"error":{"code":"idempotency-key-reused",'*',"line":4}}' ]]
	[ "${lines[4]}" = "$(tagged '' 3)" ]
	[ "${#lines[@]}" -eq 6 ]
	{ increment 1; increment 1; increment 3; increment 3; } | cmp - <(queue)
	# Later, from another process, written another way.
	run incr-publish -t < <(
		printf 'a\t{"value":1,"key":"%s"}\n' "$KEY"
		tagged b 7
	)
	[ "$status" -eq 1 ]
	[[ "$output" == "incr-publish: line 2: idempotency-key-reused: "* ]]
	has_ready 4
}

@test "errors keep their tag, lines without one are not-tagged" {
	run incr-publish -e -t < <(
		printf 'x\tbad\n'
		increment 1
		printf 'y\t{"error":{"code":"not-json","detail":"no","line":9}}\n'
		tagged z 1
	)
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == x$'\t{"error":{"code":"not-json",'*',"line":1}}' ]]
	[[ "${lines[1]}" == $'\t{"error":{"code":"not-tagged",'*',"line":2}}' ]]
	[ "${lines[2]}" = $'y\t{"error":{"code":"not-json","detail":"no","line":9}}' ]
	[ "${lines[3]}" = "$(tagged z 1)" ]
	has_ready 1
}

# What is sent within the window may wait for --wait before it is sent, and
# arrive a minute later still.
@test "a tag is remembered for the idempotency window, and --wait and a minute" {
	local left
	tagged w 1 | incr-publish -t --idempotency-window 600
	left=$(rcli ttl "$(marks 0)")
	[ "$left" -gt 630 ]
	[ "$left" -le 660 ]
	tagged w 1 | incr-publish -e -t --idempotency-window 600 -w 100.5
	left=$(rcli ttl "$(marks 0)")
	[ "$left" -gt 730 ]
	[ "$left" -le 761 ]
}

@test "tagged lines, connections killed: every tag once, none refused" {
	own_redis
	seq 20000 | sed 's/.*/t&\t{"key":"'"$KEY"'","value":&}/' >"$dir/lines"
	publish -e -t -w 60 <"$dir/lines"
	while kill -0 "$pid" 2>/dev/null; do
		rcli client kill type normal skipme yes >/dev/null
	done
	leaves 0
	cmp "$dir/lines" "$dir/out"
	queue_is_exactly 1 20000
}

# -- large batches, each a transaction ---------------------------------------

# calls COMMAND: how many there were
calls() {
	rcli info commandstats | sed -n "s/^cmdstat_$1:calls=\([0-9]*\).*/\1/p" | grep . ||
		echo 0
}
# is_whole N: the lines 1 to N are on the queue in order, and counted
is_whole() {
	increments 1 "$1" | cmp - <(queue)
	[ "$(rcli hget "incr::queue::[$INCR_QUEUE]::totals" published)" = "$1" ]
}

@test "a large batch without tags is a transaction, any other a script" {
	local before
	own_redis
	# From files: what a pipe has at a time may be little.
	increments 1 3000 >"$dir/lines"
	incr-publish <"$dir/lines"
	is_whole 3000
	before=$(calls exec)
	[ "$before" -ge 2 ]
	[ "$(publishers | grep -c pushing)" = 0 ]
	increments 3001 3100 | incr-publish
	{ seq 3101 3999; echo 4000; } |
		sed "s/.*/\t{\"key\":\"$KEY\",\"value\":&}/; \$s/^/tag/" >"$dir/lines"
	incr-publish -t <"$dir/lines"
	is_whole 4000
	[ "$(calls exec)" = "$before" ]
	# Lines that have no tag, of a program that is told tags.
	increments 4001 5000 | sed 's/^/\t/' >"$dir/lines"
	incr-publish -t <"$dir/lines"
	is_whole 5000
	[ "$(calls exec)" -gt "$before" ]
}

@test "who may not make a transaction, or a command of it, uses the script" {
	local command n=0
	own_redis
	for command in multi exec del lpushx rpop rpush renamenx; do
		rcli config resetstat
		rcli acl setuser default "-$command"
		increments $((n * 2000 + 1)) $((n * 2000 + 2000)) >"$dir/lines"
		incr-publish <"$dir/lines" >"$dir/out" 2>&1
		rcli acl setuser default "+$command"
		n=$((n + 1))
		[ ! -s "$dir/out" ]
		is_whole $((n * 2000))
		[ "$(calls multi)" -le 1 ] # it is tried once
	done
}

@test "a large batch is waited for as others are, with --replicas" {
	local port
	own_redis
	redis_start "$dir/replica"
	remember "$(cat "$dir/replica/redis.pid")"
	port=$(free_port)
	rcli config set port "$port"
	redis-cli -s "$dir/replica/redis.sock" replicaof 127.0.0.1 "$port"
	wait_for 10 in_sync
	increments 1 1000 >"$dir/lines"
	incr-publish -R 1 <"$dir/lines"
	is_whole 1000
	[ "$(calls exec)" -ge 1 ]
	[ "$(calls wait)" -ge 2 ] # one is for the introduction
}
in_sync() { rcli info replication | grep -q state=online; }

@test "a script that Redis has forgotten: the transaction is made again" {
	own_redis
	open_publish -e
	increment 1 >&7
	wait_for 5 answered 1
	rcli script flush
	increments 2 501 >"$dir/many"
	cat "$dir/many" >&7
	wait_for 5 answered 501
	close_input
	leaves 0
	is_whole 501
	[ "$(calls exec)" = 2 ]
}

@test "no room for a large batch: answered unavailable at once, and not pushed" {
	own_redis
	open_publish -e -w 60
	increment 1 >&7
	wait_for 5 answered 1
	rcli config set maxmemory 1
	increments 2 501 >"$dir/many"
	cat "$dir/many" >&7
	wait_for 20 answered 501
	[ "$(grep -c '"code":"unavailable"' "$dir/out")" = 500 ]
	rcli config set maxmemory 0
	cat "$dir/many" >&7
	wait_for 20 answered 1001
	close_input
	leaves 111
	is_whole 501
}

@test "a large batch, and lists of the wrong type: nothing is moved" {
	own_redis
	increments 1 500 >"$dir/many"
	for key in "rmq::queue::[$INCR_QUEUE]::ready" "incr::queue::[$INCR_QUEUE]::totals"; do
		rcli del "$key"
		rcli set "$key" x
		incr-publish -e -w 0.5 <"$dir/many" >"$dir/out" 2>"$dir/err" && return 1
		[ "$(grep -c '"code":"unavailable"' "$dir/out")" = 500 ]
		[ "$(rcli get "$key")" = x ]
		rcli del "$key"
		has_ready 0
		[[ "$(rcli hget "incr::queue::[$INCR_QUEUE]::totals" published)" =~ ^0?$ ]]
		for publisher in $(publishers); do
			[[ "$(rcli get "$publisher")" =~ ^0($|\ ) ]]
			rcli del "$publisher"
		done
	done
	incr-publish <"$dir/many"
	is_whole 500
}

# -- size, metrics -----------------------------------------------------------

@test "memory stays below 8 MB over 100,000 lines" {
	not sanitized incr-publish || skip "memory says nothing here"
	increments 1 100000 >"$dir/lines"
	open_publish -e
	cat "$dir/lines" >&7
	wait_for 20 answered 100000
	[ "$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status")" -lt 8192 ]
	close_input
	leaves 0
}

@test "metrics: published, batches, rejected by code" {
	export INCR_METRICS_DIR=$dir/metrics
	mkdir "$INCR_METRICS_DIR"
	bad_lines >"$dir/lines"
	incr-publish -e <"$dir/lines" >"$dir/out"
	cat "$INCR_METRICS_DIR"/incr-publish-*.prom >"$dir/prom"
	grep -qE '^incr_published_total\{program="incr-publish",host="[^"]+",pidns="[0-9]+",pid="[0-9]+"\} 3$' "$dir/prom"
	grep -qE '^incr_rejected_total\{code="too-long",.*\} 1$' "$dir/prom"
	grep -qE '^incr_rejected_total\{code="unknown",.*\} 0$' "$dir/prom"
	grep -qE '^incr_publish_seconds_count\{.*\} 1$' "$dir/prom"
	[ "$(grep -c '^# TYPE incr_rejected_total counter$' "$dir/prom")" = 1 ]
	# Its file, whole, and that of the queue.
	[ "$(ls -A "$INCR_METRICS_DIR" | wc -l)" = 2 ]
	[ -f "$INCR_METRICS_DIR/incr-queue-$INCR_QUEUE.prom" ]
}

@test "metrics that can't be written are said once, the lines are published" {
	INCR_METRICS_DIR=$dir/missing run incr-publish < <(increment 1)
	[ "$status" -eq 0 ]
	[ "$output" = "incr-publish: metrics: No such file or directory" ]
	has_ready 1
}
