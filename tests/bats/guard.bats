#!/usr/bin/env bats
# What a run of the tests has started ends with it, also when it is interrupted.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	GUARD=$ROOT/build/guard
	[ -x "$GUARD" ] || skip 'no build/guard: make units'
	cp "$(command -v sleep)" idle
	starter >starts
	chmod +x starts
}
teardown() {
	pkill -9 -f "$PWD/idle" || :
	end_background
}

# What tests start: a child, one with a time limit, one in a session of its own
# that does not obey, a daemon.
starter() {
	cat <<-END
		#!/bin/sh
		$PWD/idle 1000 &
		timeout 900 $PWD/idle 1001 &
		(setsid sh -c 'trap "" TERM; $PWD/idle 1002; $PWD/idle 1003' &)
		(setsid $PWD/idle 1004 >daemon 2>&1 &)
		\${1:-wait}
	END
}
idle() { [ "$(pgrep -cf "^$PWD/idle")" = "$1" ]; }

# ends SIGNAL COMMAND...: sent to its process, everything is gone with it.
ends() {
	local signal=$1
	shift
	background "$@"
	wait_for 10 idle 4
	kill -"$signal" $!
	wait_for 20 gone $!
	idle 0
}

@test "an interrupt ends all that was started, a time limit, too" {
	for signal in INT TERM HUP; do
		ends "$signal" "$GUARD" ./starts
	done
	run -143 "$GUARD" sh -c 'kill -TERM $$'
	run -7 "$GUARD" sh -c 'exit 7'
	run -111 "$GUARD" ./none
}

@test "who has the number of a process of a test by now is not ended with it" {
	./idle 1000 3>&- &
	echo "$! $(($(started $!) - 1))" >pids
	end_background
	not gone $!
	echo "$! $(started $!)" >pids
	end_background
	wait_for 10 gone $!
}

@test "what is left when the command ends, ends" {
	"$GUARD" ./starts true
	idle 0
}

@test "when the parent of the guard is killed, all ends" {
	background sh -c '"$1" ./starts; :' parent "$GUARD"
	wait_for 10 idle 4
	kill -9 $!
	wait_for 20 idle 0
}

@test "a child of a child is told to end, not only killed" {
	cat >child <<-'END'
		trap 'touch told; exit' TERM
		sleep infinity &
		touch up
		wait
	END
	background "$GUARD" sh -c 'sh child & wait'
	wait_for 10 test -e up
	kill $!
	wait_for 20 gone $!
	[ -e told ]
}

# tree: the scripts of the tests, with a bats and a long test that go on
tree() {
	mkdir -p t/tests/ci t/tests/long t/build t/path
	cp "$GUARD" t/build
	cp "$ROOT/tests/ci/check" t/tests/ci
	cp "$ROOT/tests/long/run" t/tests/long
	cp starts t/tests/long/endless
	printf '#!/bin/sh\nexec %s wait\n' "$PWD/starts" >t/path/bats
	chmod +x t/path/bats
	PATH=$PWD/t/path:$PATH
}

@test "make check is interrupted: bats and all that it started end" {
	tree
	MAKE=true ends INT t/tests/ci/check bats
	MAKE=true ends TERM t/tests/ci/check units bats
}

@test "make test-long is interrupted: the scenario and all of it end" {
	tree
	ends INT t/tests/long/run endless
}

@test "CI is interrupted: make and all that it started end" {
	tree
	mkdir t/.ci
	cp "$ROOT/.ci/run" t/.ci
	printf '#!/bin/sh\nexec build/guard %s\n' "$PWD/starts" >t/path/make
	chmod +x t/path/make
	ends TERM t/.ci/run
}

# fails TIMES [OF]: a bats of so many tests, else two, that runs two; one of them
# fails so often, and says why
fails() {
	cat >t/path/bats <<-END
		#!/bin/sh
		echo >>$PWD/tries
		for last; do :; done
		echo "\$last" >$PWD/filter
		echo 1..${2-2}
		echo ok 1 good
		if [ "\$(wc -l <$PWD/tries)" -le $1 ]; then
			echo 'not ok 2 late [it] is # timeout after 180s'
			echo '# (in test file x, line 3)'
			exit 1
		fi
		echo ok 2 late
	END
}

@test "make check tells why a test needed a second try, and gives it no third" {
	tree
	fails 1
	MAKE=true run -0 t/tests/ci/check bats
	[ "$(cat filter)" = '^(late \[it\] is)$' ]
	[ "${lines[1]}" = '    at first not ok 2 late [it] is # timeout after 180s' ]
	[ "${lines[2]}" = '    (in test file x, line 3)' ]
	[ "${lines[3]}" = '1 needed a second try' ]
	[ "${lines[4]}" = '3 passed, 0 failed' ]
	rm tries
	fails 2
	MAKE=true run -1 t/tests/ci/check bats
	[ "$(wc -l <tries)" = 2 ]
	[ "${lines[-2]}" = '1 needed a second try' ]
	[ "${lines[-1]}" = '2 passed, 1 failed' ]
}

@test "make check fails if the suite ended early, whatever passes later" {
	tree
	fails 1 3
	MAKE=true run -1 t/tests/ci/check bats
	[ "$(wc -l <tries)" = 1 ]
	[ "${lines[-1]}" = '1 passed, 1 failed' ]
}
