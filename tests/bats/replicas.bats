#!/usr/bin/env bats
# --replicas: nothing counts before so many replicas have it.  Real sentinels,
# failovers to a replica that lacks what the primary had last.

bats_require_minimum_version 1.5.0
load helper
load sentinels

setup() {
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	export INCR_QUEUE=q$BATS_SUITE_TEST_NUMBER-$$
}
teardown() { end_background; }

lines() { [ "$(wc -l <"$1")" = "$2" ]; }

@test "a primary that was cut off is killed: with 1 replica all counts once" {
	group
	lossy_failover 12000 4000 1
	[ "$lost $doubled $wrong" = '0 0 0' ]
}

@test "a primary that was cut off is killed: with 2 replicas all counts once" {
	group
	lossy_failover 12000 4000 2
	[ "$lost $doubled $wrong" = '0 0 0' ]
}

# -- an old primary that lives on ----------------------------------------------

# parted OPTION...: of both incr-consume.  100 lines wait, and every replica has
# them.  Then the replicas and the sentinel lose the primary, and a replica
# takes over, but a drain still has the old primary; another has the new one.
# The drain is not held up longer than that takes: without a mark of incr-flush
# for five seconds it would connect anew.
parted() {
	# It may connect again, also once the replicas may not.
	redis-cli -p "$P1" acl setuser old on '>old' allkeys allchannels +@all
	REDIS_URL=redis://old:old@127.0.0.1:$P1 \
		background incr-consume "$@" >lines 2>err.old
	old=$!
	wait_for 10 has '"seq":0' lines
	kill -STOP "$old"
	increments 1 100 | incr-publish -r "redis://127.0.0.1:$P1"
	wait_for 10 in_sync
	cut_links sentinel
	kill -CONT "$old"
	fail_over "$P1"
}
# the old primary's batch, and what became of it
taken() {
	[ -n "$(cut_cli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::consumer::*::batch::*")" ]
}
refused() { cut_cli info commandstats | grep evalsha | grep -q 'rejected_calls=[1-9]\|failed_calls=[1-9]'; }

@test "an old primary lives on: without a fence all that was ready counts twice" {
	group
	parted -R 0
	wait_for 10 has '"seq":1' lines
	REDIS_URL=redis://:cut@127.0.0.1:$P1 incr-flush <lines || [ $? = 111 ]
	incr-consume -o -R 0 | incr-flush
	sum_is 10100
}

@test "an old primary lives on: with --replicas 1 nothing is taken from it" {
	group
	parted -R 1
	wait_for 10 taken
	wait_for 10 has 'replicas con' err.old
	incr-consume -o -R 1 | incr-flush
	not has '"seq":1' lines
	sum_is 5050
	# Nor is anything published there.
	increments 1 10 >in
	REDIS_URL=redis://:cut@127.0.0.1:$P1 run -111 incr-publish -e -w 1 <in
	[ "$(grep -c '"unavailable"' <<<"$output")" = 10 ]
	[[ "$output" == *"0 of 1 replicas connected (--replicas)"* ]]
}

@test "an old primary lives on: min-replicas-to-write 1 is a fence, too" {
	group
	redis-cli -p "$P1" config set min-replicas-to-write 1
	parted -R 0
	wait_for 10 refused
	incr-consume -o -R 0 | incr-flush
	not has '"seq":1' lines
	sum_is 5050
}

@test "who has nothing to do notices that the primary lost its replicas" {
	group
	background incr-consume -R 1 >lines 2>err
	wait_for 10 has '"seq":0' lines
	cut_links sentinel
	fail_over "$P1"
	increment 1 | incr-publish
	wait_for 20 has '"value":1}' lines
}

# -- replicas that are away, late or fewer -------------------------------------

# pair: a primary at $P1 and a replica at $P2
pair() {
	P1=$(free_port) P2=$(free_port)
	instance p1 "$P1"
	instance p2 "$P2" --replicaof "127.0.0.1 $P1"
	wait_for 10 have_all 1
	export REDIS_URL="redis://127.0.0.1:$P1"
}
have_all() { [ "$(redis-cli -p "$P1" wait "$1" 100)" = "$1" ]; }
get() { redis-cli -p "$P1" get "incr::queue::[$INCR_QUEUE]::$1"; }
halt() { kill -STOP "$(cat p2.pid)"; }
go_on() { kill -CONT "$(cat p2.pid)"; }

@test "the queue notes how many; who is told none takes it, fewer is refused" {
	pair
	increment 1 | incr-publish
	[ "$(get replicas)" = '' ]
	increment 1 | incr-publish -R 1
	[ "$(get replicas)" = 1 ]
	increment 1 >line
	run -100 incr-publish -R 0 <line
	[[ "$output" == *"the queue has noted 1 replicas, not 0 (--replicas)" ]]
	INCR_REPLICAS=0 run -100 incr-consume -o
	increment 1 | incr-publish
	kill -9 "$(cat p2.pid)"
	wait_for 10 not have_all 1
	run -111 incr-publish -w 0.7 <line
	[[ "$output" == *"0 of 1 replicas connected (--replicas)"* ]]
	run -111 incr-consume -o -w 0.7
	[[ "$output" == *"0 of 1 replicas connected (--replicas)"* ]]
	run -0 incr-rejected list
}

@test "who runs already is told within a minute, too" {
	not sanitized incr-publish || skip "what is preloaded must be first"
	pair
	build_clock
	mkfifo in
	exec 7<>in
	background env LD_PRELOAD="$PWD/clock.so" incr-publish -e -w 30 \
		<in >out 2>err 7>&-
	background env LD_PRELOAD="$PWD/clock.so" incr-consume >lines 2>err.consume 7>&-
	increment 1 >&7
	wait_for 10 lines out 1
	wait_for 10 delivered 1
	increment 2 | incr-publish -R 1
	wait_for 10 delivered 2
	echo 61 >ahead
	# The look comes with a call.
	increment 3 >&7
	wait_for 10 delivered 3
	wait_for 10 lines out 2
	halt
	increment 4 >&7
	wait_for 10 has 'redis: 0 of 1 replicas confirmed (--replicas); waiting' err
	wait_for 10 has 'redis: 0 of 1 replicas con' err.consume
	lines out 2
	delivered 3
	go_on
	wait_for 20 lines out 3
	wait_for 20 delivered 4
}

@test "more replicas raise the number that the queue has noted" {
	pair
	P3=$(free_port)
	instance p3 "$P3" --replicaof "127.0.0.1 $P1"
	increment 1 | incr-publish -R 1
	wait_for 10 have_all 2
	increment 1 | incr-publish -R 2
	[ "$(get replicas)" = 2 ]
	incr-consume -o -R 3 -w 0.5 >/dev/null || [ $? = 111 ]
	[ "$(get replicas)" = 2 ]
	run -100 incr-consume -o -R 1
	redis-cli -p "$P1" set "incr::queue::[$INCR_QUEUE]::replicas" 17
	run -100 incr-consume -o
	[[ "$output" == *"replicas of the queue: 17: not a number from 0 to 16" ]]
}

@test "a line has its verdict once the replica has it" {
	pair
	mkfifo in
	exec 7<>in
	background incr-publish -e -w 30 -R 1 <in >out 2>err 7>&-
	increment 1 >&7
	wait_for 10 lines out 1
	halt
	increment 2 >&7
	wait_for 10 has 'redis: 0 of 1 replicas confirmed (--replicas); waiting' err
	[ "$(redis-cli -p "$P1" llen "rmq::queue::[$INCR_QUEUE]::ready")" = 2 ]
	lines out 1
	go_on
	exec 7>&-
	wait_for 20 lines out 2
	[ "$(redis-cli -p "$P1" llen "rmq::queue::[$INCR_QUEUE]::ready")" = 2 ]
}

@test "while the replica is away one batch is unknown, the others unavailable" {
	pair
	mkfifo in
	exec 7<>in
	background incr-publish -e -w 1.5 -R 1 <in >out 2>err 7>&-
	increment 1 >&7
	wait_for 10 lines out 1
	halt
	increment 2 >&7
	wait_for 10 lines out 2
	for i in 3 4 5; do
		increment "$i" >&7
		wait_for 10 lines out "$i"
	done
	[ "$(grep -c '"unknown"' out)" = 1 ]
	[ "$(grep -c '"unavailable"' out)" = 3 ]
	go_on
	wait_for 20 accepted
	exec 7>&-
	[ "$(redis-cli -p "$P1" llen "rmq::queue::[$INCR_QUEUE]::ready")" = 3 ]
}

# accepted: a line now, and not refused because the outage is not over yet
accepted() {
	local n
	n=$(wc -l <out)
	increment 6 >&7
	wait_for 5 lines out $((n + 1))
	[ "$(tail -n 1 out)" = "$(increment 6)" ]
}

# delivered NUMBER: the lines so far
delivered() { [ "$(grep -vc '^{"checkpoint"' lines)" = "$1" ]; }

@test "a batch is delivered once the replica has it, under the same name" {
	pair
	background incr-consume -R 1 >lines 2>err
	wait_for 10 has '"seq":0' lines
	halt
	increments 1 10 | redis-cli -p "$P1" -x lpush \
		"rmq::queue::[$INCR_QUEUE]::ready"
	wait_for 10 has 'redis: 0 of 1 replicas confirmed (--replicas); waiting' err
	delivered 0
	go_on
	wait_for 10 has '"seq":1' lines
	delivered 1
	[ "$(grep -c '"seq":0' lines)" = 1 ]
}

@test "an adopted batch is delivered once the replica has it" {
	pair
	background incr-consume -R 1 >lines
	wait_for 10 has '"seq":0' lines
	halt
	A=aaaaaaaa-0000-4000-8000-000000000001
	P="incr::queue::[$INCR_QUEUE]::consumer"
	redis-cli -p "$P1" <<-END
		multi
		rpush $P::$A::batch::1 x
		zadd $P::$A::batches 1 1
		set $P::$A::last 1
		sadd ${P}s $A
		exec
	END
	wait_for 10 adopted
	since=${EPOCHREALTIME/./}
	wait_for 2 elapsed "$since" 700000
	delivered 0
	go_on
	wait_for 10 has '"adopted":true' lines
	delivered 1
}
adopted() { [ -n "$(redis-cli -p "$P1" get "$P::$A::owner")" ]; }

# The replica is never there in time, so that each WAIT takes all of its 250 ms:
# a renewal 250 ms after the answer to the one before would be 500 behind it.
@test "the next renewal does not wait for replicas" {
	pair
	background incr-consume -R 1 >lines 2>err
	wait_for 10 has '"seq":0' lines
	halt
	background redis-cli -p "$P1" monitor >calls
	wait_for 10 renewed_soon
}
renewed_soon() { [ "$(shortest <calls)" -lt 450 ]; }
# shortest: of the times, in milliseconds, between two renewals over the same
# connection of which the first was waited for.  A look has the same three words,
# and more keys.
shortest() {
	awk 'BEGIN { least = 99999 }
	$3 == "lua]" { next }
	/"WAIT"/ { waited = renewed }
	/"EVALSHA" "[0-9a-f]*" "6" .*"1000" "" "/ {
		if (waited && ($1 - last) * 1000 < least)
			least = ($1 - last) * 1000
		last = $1; renewed = 1; waited = 0
		next
	}
	/"SELECT"/ { waited = 0 }
	!/"WAIT"/ { renewed = 0 }
	END { printf "%d\n", least }'
}

@test "how long replicas were waited for is a metric" {
	pair
	mkdir metrics
	increment 1 | INCR_METRICS_DIR=metrics incr-publish -R 1
	incr-consume -o -R 1 >/dev/null
	grep -qE '^incr_replica_wait_seconds_count.* [1-9]' metrics/*.prom
}
