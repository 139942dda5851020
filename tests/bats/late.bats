#!/usr/bin/env bats
# incr-publish, when answers of Redis are lost and its own bytes arrive late:
# what it says of a line is true, whatever comes of it.

load helper

setup() {
	use_redis
	cd "$BATS_TEST_TMPDIR" || return
	PROXIED=$(mktemp -d /tmp/incr-late.XXXXXX)
	OWN_REDIS=$PROXIED/redis
}

teardown() {
	end_background
	rm -rf "$PROXIED"
}

# open_publish [ARG...]: incr-publish -e behind the proxy, fed by 7; its
# first line is published.
open_publish() {
	local server=${REDIS_URL#unix://}
	background "$ROOT/tests/bats/proxy.pl" "$PROXIED/s" "$server" . 7>&-
	wait_for 5 test -S "$PROXIED/s"
	mkfifo in
	exec 7<>in
	REDIS_URL=unix://$PROXIED/s background incr-publish -e "$@" <in >out \
		2>err 7>&-
	pid=$!
	say 1
	wait_for 5 answered 1
}

say() { increment "$1" >&7; }
answered() { [ "$(wc -l <out)" = "$1" ]; }
# tell hold-in|hold-out|cut
tell() {
	touch "$1"
	wait_for 5 not test -e "$1"
}
# leaves STATUS: at the end of its input
leaves() {
	local status=0
	exec 7>&-
	wait_for 10 gone "$pid"
	wait "$pid" || status=$?
	[ "$status" -eq "$1" ] || { cat out err; echo "status $status"; return 1; }
}
verdicts() { sed 's/.*"code":"\([a-z-]*\)".*/\1/; s/.*"value":\([0-9]*\)}/\1/' out | xargs; }

@test "answers that mean nothing: tried again ever more seldom" {
	local before since
	own_redis
	open_publish
	touch lies
	echo :77 >lie.new # none of publish
	mv lie.new lie
	before=$(connections)
	since=${EPOCHREALTIME/./}
	say 2
	wait_for 5 elapsed "$since" 2000000
	# 0.05, 0.1, 0.2, 0.4, 0.8, 1 s, less a quarter
	[ $(($(connections) - before)) -le 12 ]
	rm lie lies
	wait_for 5 answered 2
	leaves 0
	[ "$(ready)" = 2 ]
	[ "$(verdicts)" = '1 2' ]
}
connections() {
	rcli info stats | sed -n 's/^total_connections_received:\([0-9]*\).*/\1/p'
}

@test "an answer that is lost: repeated, answered and pushed once" {
	open_publish
	tell hold-out
	say 2
	wait_for 5 has_ready 2
	tell cut
	wait_for 5 answered 2
	say 3
	wait_for 5 answered 3
	leaves 0
	[ "$(verdicts)" = "1 2 3" ]
	increments 1 3 | cmp - <(queue)
}

@test "an answer that is lost, and Redis restarted: pushed once all the same" {
	own_redis
	open_publish -w 20
	tell hold-out
	say 2
	wait_for 5 has_ready 2
	redis_stop "$PROXIED/redis"
	own_redis
	tell cut
	wait_for 10 answered 2
	leaves 0
	[ "$(verdicts)" = "1 2" ]
	increments 1 2 | cmp - <(queue)
}

# take_over: the next connection reaches a Redis that has what this one had
# when it was saved.
take_over() {
	remember "$(cat "$PROXIED/redis/redis.pid")"
	mv "$PROXIED/redis" "$PROXIED/old"
	mkdir "$PROXIED/redis"
	cp "$PROXIED/old/dump.rdb" "$PROXIED/redis"
	own_redis --appendonly no
}

# What a consumer takes from the first Redis is counted, whatever the second
# one has.
@test "an answer that is lost, and a failover that lost the batch: unknown" {
	own_redis
	open_publish -w 20
	rcli save
	tell hold-out
	say 2
	wait_for 5 has_ready 2
	take_over
	tell cut
	wait_for 10 answered 2
	say 3
	wait_for 5 answered 3
	leaves 111
	[ "$(verdicts)" = "1 unknown 3" ]
	{ increment 1; increment 3; } | cmp - <(queue)
}

@test "the same without -e: 111, and of unknown outcome" {
	own_redis
	open_publish
	leaves 0
	mkfifo silent
	exec 7<>silent
	REDIS_URL=unix://$PROXIED/s background incr-publish <silent 2>err 7>&-
	pid=$!
	say 2
	wait_for 5 has_ready 2
	rcli save
	tell hold-out
	say 3
	wait_for 5 has_ready 3
	take_over
	tell cut
	leaves 111
	grep -qx 'incr-publish: redis: restarted or replaced, and lacks the last batch; 1 line not delivered (1 of unknown outcome)' err
	increments 1 2 | cmp - <(queue)
}

# Its run_id is that of before, but what it has is that of the other one.
@test "an answer that is lost, and a Redis that was a replica meanwhile: unknown" {
	local port
	own_redis
	open_publish -w 20
	port=$(free_port)
	redis_start "$PROXIED/other" --port "$port"
	remember "$(cat "$PROXIED/other/redis.pid")"
	rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::publisher::*" >key
	redis-cli -p "$port" set "$(cat key)" "$(rcli get "$(cat key)")"
	tell hold-out
	say 2
	wait_for 5 has_ready 2
	rcli replicaof 127.0.0.1 "$port"
	wait_for 10 has_ready 0
	rcli replicaof no one
	tell cut
	wait_for 10 answered 2
	leaves 111
	[ "$(verdicts)" = "1 unknown" ]
	has_ready 0
}

@test "a call that met no script was not sent: unavailable" {
	own_redis
	open_publish -w 1
	rcli script flush
	touch leave
	say 2
	wait_for 5 answered 2
	leaves 111
	[ "$(verdicts)" = "1 unavailable" ]
	has_ready 1
}

@test "an answer that is lost, and no way back: unknown" {
	open_publish -w 1
	tell hold-out
	say 2
	wait_for 5 has_ready 2
	rm "$PROXIED/s"
	tell cut
	wait_for 5 answered 2
	# What comes now was certainly not sent.
	say 3
	wait_for 5 answered 3
	leaves 111
	[ "$(verdicts)" = "1 unknown unavailable" ]
	increments 1 2 | cmp - <(queue)
}

@test "an answer that is lost, and the repeat is refused: unknown" {
	open_publish -w 2
	tell hold-out
	say 2
	wait_for 5 has_ready 2
	rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::publisher::*" >key
	rcli del "$(cat key)"
	rcli lpush "$(cat key)" "no number"
	tell cut
	wait_for 5 answered 2
	leaves 111
	[ "$(verdicts)" = "1 unknown" ]
	increments 1 2 | cmp - <(queue)
}

@test "an answer that is lost, and what was published is forgotten: unknown" {
	open_publish
	tell hold-out
	say 2
	wait_for 5 has_ready 2
	rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::publisher::*" >key
	rcli del "$(cat key)"
	tell cut
	wait_for 5 answered 2
	say 3
	wait_for 5 answered 3
	leaves 111
	[ "$(verdicts)" = "1 unknown 3" ]
	increments 1 3 | cmp - <(queue)
}

# lie TEXT: the answer to the next call, which Redis has done.
lie() {
	echo "$1" >text
	mv text lie
}

@test "an error that may be a proxy's is a lost answer: pushed once" {
	open_publish
	lie 'ERR upstream failure'
	say 2
	wait_for 5 answered 2
	lie 'upstream connect error or disconnect'
	say 3
	wait_for 5 answered 3
	leaves 0
	increments 1 3 | cmp - out
	increments 1 3 | cmp - <(queue)
}

@test "an error that may be a proxy's, and no way back: unknown" {
	open_publish -w 1
	touch leave
	lie 'ERR upstream failure'
	say 2
	wait_for 5 answered 2
	leaves 111
	[ "$(verdicts)" = "1 unknown" ]
	increments 1 2 | cmp - <(queue)
}

@test "an error that may be a proxy's, of a new publisher: another one" {
	lie 'ERR upstream failure'
	open_publish
	[ ! -e lie ]
	leaves 0
	increment 1 | cmp - <(queue)
	[ "$(rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::publisher::*" |
		wc -l)" = 2 ]
	quiet err
}

@test "a new publisher whose id is in use already takes another one" {
	lie 'BUSY says a proxy, and that it did nothing'
	open_publish
	[ ! -e lie ]
	leaves 0
	increment 1 | cmp - <(queue)
}

@test "a first sending that was done before: the batch is somebody else's" {
	open_publish
	# A copy of this process, of a cloned machine, has gone on.
	rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::publisher::*" >key
	rcli set "$(cat key)" '2 1234'
	say 2
	wait_for 5 answered 2
	rcli set "$(cat key)" '7 1234'
	say 3
	wait_for 5 answered 3
	leaves 0
	increments 1 3 | cmp - <(queue)
}

@test "a repeat of what a copy of the process did not do: pushed, once" {
	open_publish
	rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::publisher::*" >key
	tell hold-in
	say 2
	wait_for 5 test -s held-in
	rcli set "$(cat key)" '2 1234'
	tell cut
	wait_for 5 answered 2
	rm held-in
	leaves 0
	increments 1 2 | cmp - <(queue)
}

# told_early: the publisher has been told a time that is earlier than Redis's
told_early() {
	own_redis
	open_publish
	touch early
	say 2
	wait_for 5 answered 2
	[ ! -e early ]
}

@test "a clock of Redis that is ahead of what it told: sent again, in time" {
	told_early
	rcli config resetstat
	say 3 # this one is too late, at first
	wait_for 5 answered 3
	rcli info commandstats | grep -q 'cmdstat_evalsha:calls=2,'
	leaves 0
	increments 1 3 | cmp - <(queue)
}

@test "bytes that arrive late: the repeat was done, they do nothing" {
	open_publish
	tell hold-in
	say 2
	wait_for 5 test -s held-in
	tell cut
	wait_for 5 answered 2
	rm held-in
	say 3
	wait_for 5 answered 3
	leaves 0
	[ "$(verdicts)" = "1 2 3" ]
	increments 1 3 | cmp - <(queue)
}

@test "bytes that arrive late, the repeat found the queue full: unknown" {
	open_publish -w 2 --high-water 3
	tell hold-in
	say 2
	wait_for 5 test -s held-in
	rcli lpush "rmq::queue::[$INCR_QUEUE]::ready" x y
	tell cut
	wait_for 5 answered 2
	[ "$(verdicts)" = "1 unknown" ]
	rcli ltrim "rmq::queue::[$INCR_QUEUE]::ready" 2 -1
	# They count now, whatever was said.
	rm held-in
	wait_for 5 has_ready 2
	leaves 111
	increments 1 2 | cmp - <(queue)
}

# accepted: a line now, and not refused because the outage is not over yet
accepted() {
	local n
	n=$(wc -l <out)
	printf 'b\t%s\n' "$(increment 1001)" >&7
	wait_for 5 answered $((n + 1))
	tail -n 1 out | grep -qF "$(increment 1001)"
}

# More than a socket takes, in one batch: Redis never had its last byte.  Each
# line has a key of its own for its mark, with the name of the queue in it.
@test "a batch that did not leave whole in time: unavailable, never pushed" {
	export INCR_QUEUE
	INCR_QUEUE=$(printf %0128d 0)
	own_redis
	mkfifo in
	exec 7<>in
	perl -e 'fcntl(STDOUT, 1031, 1 << 20)' >&7 # F_SETPIPE_SZ
	background incr-publish -e -t -w 1 <in >out 2>err 7>&-
	pid=$!
	printf 'a\t%s\n' "$(increment 1)" >&7
	wait_for 5 answered 1
	kill -STOP "$pid" "$(cat "$PROXIED/redis/redis.pid")"
	increments 2 1000 | awk '{ printf "%024d.2\t%s\n", NR, $0 }' >&7
	kill -CONT "$pid"
	wait_for 10 answered 1000
	[ "$(grep -c '"unavailable"' out)" = 999 ]
	kill -CONT "$(cat "$PROXIED/redis/redis.pid")"
	wait_for 20 accepted
	leaves 111
	{ increment 1; increment 1001; } | cmp - <(queue)
}

# -- a large batch, which is a transaction -------------------------------------

# many FROM TO: so many lines, in one batch
many() {
	increments "$1" "$2" >many
	cat many >&7
}
# answered_once N: N lines, in order, and pushed once
answered_once() {
	wait_for 10 answered "$1"
	leaves 0
	increments 1 "$1" | cmp - out
	increments 1 "$1" | cmp - <(queue)
}
executed() { rcli info commandstats | grep -q "cmdstat_exec:calls=$1,"; }
# Nothing of it is left under another name.
no_other_list() {
	[ -z "$(rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::*::pushing")" ]
}

@test "a transaction whose answer is lost: repeated, pushed once" {
	own_redis
	open_publish
	touch lose-exec
	many 2 501
	wait_for 10 test -s held-out
	has_ready 501
	tell cut
	answered_once 501
	executed 1 # the repeat is the script
	no_other_list
}

@test "a transaction that arrives late: the repeat was done, it does nothing" {
	own_redis
	open_publish
	touch hold-exec
	many 2 501
	wait_for 10 test -s held-in
	has_ready 1
	tell cut
	wait_for 10 answered 501
	rm held-in
	wait_for 10 executed 1
	answered_once 501
	no_other_list
}

@test "a transaction that arrives late, its record is gone: unknown, not pushed" {
	own_redis
	open_publish
	touch hold-exec
	many 2 501
	wait_for 10 test -s held-in
	rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::publisher::*" >key
	rcli del "$(cat key)"
	tell cut
	wait_for 10 answered 501
	rm held-in
	wait_for 10 executed 1
	leaves 111
	[ "$(verdicts | xargs -n1 | sort | uniq -c | xargs)" = '1 1 500 unknown' ]
	has_ready 1
	no_other_list
}

@test "a transaction that is too late by the time of Redis: sent again" {
	told_early
	many 3 502
	answered_once 502
	executed 1 # it is told the time, and then the script pushes
	rcli info commandstats | grep -q 'cmdstat_lpushx:calls=1,'
}

@test "MULTI without an answer: nothing was sent, and no way back: unavailable" {
	open_publish -w 1
	tell hold-out
	many 2 501
	wait_for 10 test -s held-out
	rm "$PROXIED/s"
	tell cut
	wait_for 10 answered 501
	leaves 111
	[ "$(verdicts | xargs -n1 | sort | uniq -c | xargs)" = '1 1 500 unavailable' ]
	has_ready 1
}

@test "MULTI that a proxy refuses: the script pushes, once" {
	own_redis
	open_publish
	echo 'ERR unknown command' >no-multi
	many 2 501
	answered_once 501
	not executed 1
}

@test "an error that may be a proxy's, to a transaction: repeated, pushed once" {
	own_redis
	open_publish
	lie 'ERR upstream failure'
	many 2 501
	wait_for 10 answered 501
	[ ! -e lie ]
	answered_once 501
	executed 1
}
