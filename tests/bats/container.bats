#!/usr/bin/env bats
# Programs as the main process of a container: process 1 of a PID namespace,
# which the kernel spares every signal that it does not handle, and which is
# the parent of all that others leave over.

bats_require_minimum_version 1.5.0
load helper

setup() {
	use_pid_namespaces
}

teardown() {
	end_background
}

# container PROGRAM COMMAND...: $main is its process 1, once that is PROGRAM.
container() {
	local program=$1
	shift
	background unshare --pid --fork --kill-child --mount-proc \
		env --default-signal=INT "$@" 2>err
	outside=$!
	wait_for 10 became "$outside" "$program"
	main=$(pgrep -P "$outside")
}

became() { # PARENT PROGRAM
	grep -qx "$2" "/proc/$(pgrep -P "$1")/comm"
}

# In the same container, as by docker exec; what it leaves ends once it is
# process 1's.
leave_over() { # STATUS
	nsenter --target "$main" --pid --mount setsid sh -c '
		(
			until read -r _ _ _ parent _ </proc/self/stat &&
				[ "$parent" = 1 ]; do :; done
			exit '"$1"'
		) &
		echo left'
}

has_child() { pgrep -P "$main" -x "$1"; }
no_zombie() { [ -z "$(pgrep -P "$main" -r Z)" ]; }
lone() { [ -z "$(pgrep -P "$main" -x sh)" ]; }
has_batches() { not no_batches; }
counted() { psql -XAtq "$DATABASE_URL" -c 'select sum(value) from increments'; }
# SIGINT is number 2.  A child of bash has it blocked, too, until it is another
# program.
ready_for_signals() {
	grep -q '^Name:.*incr-' "/proc/$main/status" &&
		grep -q '^SigBlk:.*[2367abef]$' "/proc/$main/status"
}
catches_signals() { grep -q '^SigCgt:.*[2367abef]$' "/proc/$main/status"; }
took_signal() { ! grep -q '^S[hi][dg]Pnd:.*[1-9a-f]' "/proc/$main/status"; }

ends_with() { # STATUS
	local status=0
	wait_for 20 gone "$outside"
	wait "$outside" || status=$?
	[ "$status" -eq "$1" ]
}

@test "SIGTERM to the main process of incr-drain alone ends it with 0 in 2 s" {
	for signal in TERM INT; do
		container incr-flush incr-drain
		wait_for 10 has_child incr-consume
		increments 1 10 | incr-publish
		wait_for 10 has_batches
		wait_for 10 ready_for_signals
		begun=${EPOCHREALTIME/./}
		kill -s "$signal" "$main"
		ends_with 0
		# Two seconds; eleven if it waits for its neighbour.
		not elapsed "$begun" 6000000
		quiet err
	done
	[ "$(counted)" = 110 ]
	no_batches
}

@test "a SIGTERM that is passed on twice, or to no child, changes nothing" {
	container incr-flush incr-drain
	wait_for 10 has_child incr-consume
	# Between exec and this the kernel spares process 1.
	wait_for 10 ready_for_signals
	kill "$main"
	kill "$main" 2>/dev/null || :
	ends_with 0
	# The number of somebody else, left over in the environment.
	background sleep infinity
	stranger=$!
	mkfifo hold
	exec 7<>hold
	background env --default-signal=INT INCR_CHILD="$stranger" \
		incr-flush <hold 7>&-
	main=$!
	wait_for 10 ready_for_signals
	kill "$main"
	wait_for 10 took_signal
	exec 7>&-
	wait_for 10 gone "$main"
	wait "$main"
	kill -0 "$stranger"
}

@test "what is left over in a container is reaped, and its status is nobody's" {
	container incr-flush incr-drain
	wait_for 10 has_child incr-consume
	leave_over 100
	wait_for 10 lone
	no_zombie
	kill "$main"
	ends_with 0
	mkfifo hold
	exec 7<>hold
	for program in 'incr-validate -e' 'incr-publish -e' incr-consume \
		'incr-serve -l 127.0.0.1:0'; do
		# shellcheck disable=SC2086
		container "${program%% *}" $program <hold >out
		leave_over 100
		wait_for 10 lone
		no_zombie
		kill -9 "$outside"
	done
}

@test "a second SIGINT ends process 1, too" {
	mkfifo hold
	exec 7<>hold
	for program in incr-validate incr-publish incr-flush; do
		container "$program" "$program" <hold
		wait_for 10 ready_for_signals
		kill -INT "$main"
		wait_for 10 took_signal
		kill -INT "$main"
		ends_with 130
	done
}

@test "process 1 that has nothing to finish ends at the first signal" {
	own_redis
	kill -STOP "$(redis_pid)"
	container incr-audit incr-audit
	wait_for 10 catches_signals
	kill "$main"
	ends_with 143
}
