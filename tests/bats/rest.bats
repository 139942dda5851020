#!/usr/bin/env bats
# Drains of incr-up that rest, and what it says when nothing drains.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper
load up

setup() { up_setup; }
teardown() { up_teardown; }

drains() { cat "$INCR_STATE/run/drains"; }
post() { curl -sf -o answer -d "$(increment "$1")" "$url"; }
no_drain() { ! descendants "$up" | xargs -r ps -o comm= -p | grep -qx incr-flush; }

@test "drains rest and go on, also over a restart, and it is said each time" {
	local since
	use_given
	up_start --ingests 1
	[ "$(drains)" = 2 ]
	post 1
	wait_for 15 sum_is 1
	run -0 incr-up --rest
	[ -z "$output" ]
	no_drain
	since=$(cat "$INCR_STATE/rest")
	[ "$(drains)" = "none: at rest since $since" ]
	[ "$(grep -c "^incr-up: drains: at rest since $since; increments wait in the queue; run: incr-up --resume$" err)" = 1 ]
	# A second time it changes nothing.
	run -0 incr-up --rest
	[ "$(cat "$INCR_STATE/rest")" = "$since" ]
	post 2
	[ "$(ready)" = 1 ]
	run -1 incr-up --check
	[[ "$output" == *"warning: drains: at rest since $since; run: incr-up --resume"* ]]
	# The end counts nothing, and the next start does not, either.
	up_stop
	up_start --ingests 1
	[ "$(drains)" = "none: at rest since $since" ]
	grep -q "^incr-up: drains: at rest since $since" err
	[ "$(ready)" = 1 ]
	sum_is 1
	run -0 incr-up --resume
	[ "$(drains)" = 2 ]
	wait_for 15 sum_is 3
	run -0 incr-up --resume
	# Without an incr-up it holds from the next start on.
	up_stop
	run -0 incr-up --rest
	[ "$output" = "incr-up: $INCR_STATE: incr-up does not run; this holds from its next start on" ]
	[ -s "$INCR_STATE/rest" ]
	run -0 incr-up --resume
	[ ! -e "$INCR_STATE/rest" ]
	run -100 incr-up --rest --state "$PWD/none"
	[ "$output" = "incr-up: $PWD/none: no system of incr-up" ]
	[ ! -e none ]
}

@test "without drains, or when all have ended, it says that nothing drains" {
	use_given
	up_start --ingests 1 --drains 0
	[ "$(drains)" = 'none: none (--drains 0)' ]
	grep -qx 'incr-up: drains: none (--drains 0); increments wait in the queue' err
	post 1
	[ "$(ready)" = 1 ]
	up_stop
	# The last one is no longer kept running.
	up_start --ingests 1 --drains 1
	wait_for 15 sum_is 1
	[ "$(drains)" = 1 ]
	kill "$(cut -d ' ' -f 1 "$INCR_STATE/run/drain-1.keeper")"
	wait_for 20 has 'incr-up: drains: all have ended; increments wait in the queue' err
	[ "$(drains)" = 'none: all have ended' ]
	up_stop
}
