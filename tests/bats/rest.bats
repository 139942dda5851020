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
sleeps() { [ "$(cat "/proc/$up/comm")" = sleep ]; }
no_drain() { ! descendants "$up" | xargs -r ps -o comm= -p | grep -qx incr-flush; }

@test "drains rest and go on, also over a restart, and it is said each time" {
	local since
	use_given
	up_start --ingests 1
	[ "$(drains)" = 2 ]
	post 1
	wait_for 15 sum_is 1
	run -100 incr-up --check --rest
	[ "$output" = 'incr-up: --rest: not with --check' ]
	[ ! -e "$INCR_STATE/rest" ]
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
	run -0 timeout 20 incr-up --rest
	run -1 timeout 20 incr-up --resume
	[ "$output" = 'incr-up: drains: none (--drains 0): nothing drains the queue' ]
	up_stop
	# The last one is no longer kept running.
	up_start --ingests 1 --drains 1
	wait_for 15 sum_is 1
	[ "$(drains)" = 1 ]
	kill "$(cut -d ' ' -f 1 "$INCR_STATE/run/drain-1.keeper")"
	wait_for 20 has 'incr-up: drains: all have ended; increments wait in the queue' err
	[ "$(drains)" = 'none: all have ended' ]
	run -1 timeout 20 incr-up --resume
	[ "$output" = 'incr-up: drains: all have ended: nothing drains the queue' ]
	# A rest that it has not seen yet is one at its end, too.
	post 2
	[ "$(ready)" = 1 ]
	echo now >"$INCR_STATE/rest"
	up_stop
	[ "$(ready)" = 1 ]
}

@test "drains of an incr-up that was killed rest, too; an older one lives" {
	local drain
	use_given
	up_start --ingests 1 --drains 1
	drain=$(part drain-1)
	kill -9 "$up"
	wait "$up" || :
	up=
	kill -0 "$drain"
	run -0 incr-up --rest
	[ "${lines[-1]}" = "incr-up: $INCR_STATE: incr-up does not run; this holds from its next start on" ]
	gone "$drain"
	post 1
	[ "$(ready)" = 1 ]
	# Release 0.1.0 dies of the signal, and does not tell of its drains.
	rm "$INCR_STATE/run/drains"
	# shellcheck disable=SC2016
	background sh -c 'exec 9>>"$1" && flock 9 && echo $$ >"$1" && exec sleep infinity' \
		- "$INCR_STATE/lock"
	up=$!
	wait_for 5 sleeps
	run -124 timeout 2 incr-up --rest
	kill -0 "$up"
}
