#!/usr/bin/env bats
# A consumer lives only while both its halves do: one half of a drain stands
# still, or can't reach a server, with a healthy second drain beside it.
# No process is gone, so only marks can tell.

bats_require_minimum_version 1.5.0
load helper

setup() {
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	export TMPDIR=$PWD
}

teardown() {
	end_background
}

# drain NAME [ARG...]: its halves are $consume and $flush
drain() {
	local name=$1
	shift
	background setsid incr-drain "$@" 2>"$name.err"
	flush=$!
	wait_for 10 grep -qx incr-flush "/proc/$flush/comm"
	wait_for 10 has_consume
	consume=$(pgrep -P "$flush" -x incr-consume)
	wait_for 10 marked "$((++drains))"
}
drains=0
has_consume() { pgrep -P "$flush" -x incr-consume; }
# marked N: so many consumers have a flush mark
marked() {
	[ "$(rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::consumer::*::flush" |
		grep -c .)" -ge "$1" ]
}
taken() { not no_batches && [ "$(ready)" = 0 ]; }

# sent: increments 1 to 10, now in a batch of the first drain
sent() {
	begun=${EPOCHREALTIME/./}
	increments 1 10 | incr-publish
	wait_for 5 taken
}
in_time() { # SUM
	wait_for 10 sum_is "$1"
	echo "# visible after $(((${EPOCHREALTIME/./} - begun) / 1000)) ms" >&3
	not elapsed "$begun" 10000000
}

@test "incr-flush stands still: the other drain counts in ten seconds" {
	drain first
	sent
	kill -STOP "$flush"
	stopped=$flush
	drain second
	in_time 55
	wait_for 5 no_batches
	# It wakes up, and what it held is not counted again.
	kill -CONT "$stopped"
	begun=${EPOCHREALTIME/./}
	increment 100 | incr-publish
	in_time 155
	[ "$(rejected)" = 0 ]
}

# Its mark is the short one: it has something in hand.
read_by_flush() {
	local mark
	mark=$(rcli get "$(rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::consumer::*::flush")")
	((${mark%% *} - $(date +%s%3N) <= 1000))
}

@test "incr-consume stands still right after a take: ten seconds" {
	drain first
	sent
	wait_for 5 read_by_flush
	increment 100 | incr-publish
	wait_for 5 taken
	kill -STOP "$consume"
	drain second
	# Not only when the first flush has closed its window.
	in_time 155
	not elapsed "$begun" 6000000
	wait_for 5 no_batches
}

@test "an incr-flush that never began: its consumer's batches after five seconds" {
	mkfifo lines
	exec 9<>lines
	background incr-consume >lines 9>&-
	wait_for 10 registered_one
	sent
	drain second
	in_time 55
	wait_for 5 no_batches
}
registered_one() { [ "$(rcli scard "incr::queue::[$INCR_QUEUE]::consumers")" = 1 ]; }

@test "while its flush stands still a consumer takes and adopts nothing" {
	drain first
	kill -STOP "$flush"
	id=$(rcli --raw smembers "incr::queue::[$INCR_QUEUE]::consumers")
	wait_for 10 run_out
	increments 1 10 | incr-publish
	for _ in 1 2 3 4 5; do
		wait_for 5 owner_lives 0 850
		wait_for 5 owner_lives 900 1000 # renewed, and looked in between
	done
	[ "$(ready)" = 10 ]
	no_batches
	begun=${EPOCHREALTIME/./}
	drain second
	in_time 55
}
run_out() {
	local until
	until=$(rcli get "incr::queue::[$INCR_QUEUE]::consumer::$id::flush")
	((${until%% *} < $(date +%s%3N)))
}
owner_lives() { # FROM TO: milliseconds
	local ms
	ms=$(rcli pttl "incr::queue::[$INCR_QUEUE]::consumer::$id::owner")
	((ms >= $1 && ms <= $2))
}
