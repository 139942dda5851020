#!/usr/bin/env bats
# incr-listen: sockets for a command, which outlive what it starts.

bats_require_minimum_version 1.5.0
load helper

setup() {
	# BATS' folders can be too long for the path of a socket.
	folder=$(mktemp -d /tmp/incr-listen.XXXXXX)
	cd "$folder" || return
}

teardown() {
	end_background
	rm -rf "$folder"
}

# What the command is told, and what it has.
told='echo "$LISTEN_FDS ${LISTEN_FDNAMES-none}"
	[ "$LISTEN_PID" = $$ ] && readlink /proc/$$/fd/3 /proc/$$/fd/4'

@test "the command has the sockets from descriptor 3 on, and is told of them" {
	LISTEN_FDNAMES=x LISTEN_FDS=9 run -0 incr-listen ./s 127.0.0.1:0 \
		-- sh -c "$told" 3>&- 4>&- 5>&-
	[ "${lines[0]}" = '2 none' ]
	[[ "${lines[1]}" == socket:* && "${lines[2]}" == socket:* ]]
	[ "${lines[1]}" != "${lines[2]}" ]
	# Whatever numbers are taken already.
	run -0 incr-listen ./s 127.0.0.1:0 -- sh -c "$told" \
		3</dev/null 4</dev/null 5</dev/null
	[[ "${lines[1]}" == socket:* && "${lines[2]}" == socket:* ]]
	[ "${lines[1]}" != "${lines[2]}" ]
}

@test "the pid stays the same, and the command keeps its words" {
	background incr-listen ./s -- sh -c 'echo "$$ $*" >words; exec sleep infinity' \
		x --help -- -V
	listen=$!
	wait_for 5 test -s words
	[ "$(cat words)" = "$listen --help -- -V" ]
	[ "$(stat -c %a s)" = 660 ]
	# Only the command ends the socket: another one may not have it.
	run -100 incr-listen ./s -- true
	[ "$output" = 'incr-listen: ./s: another server is listening there' ]
	kill "$listen"
	wait_for 5 gone "$listen"
	run -0 incr-listen ./s -- true
}

@test "incr-serve serves on them" {
	mkfifo verdicts
	exec {verdicts}<>verdicts
	background incr-listen 127.0.0.1:0 ./s -- incr-serve --port-file port \
		<&"$verdicts" >out 2>err
	wait_for 5 curl -fs --unix-socket ./s http://x/health/live
	curl -fs "http://127.0.0.1:$(cat port)/health/live"
}

@test "what it can't do ends with 100, and leaves no socket" {
	touch file
	for wrong in '' ./s '-- true' './s --' './s ./t true' '--no-such ./s -- true' \
		'./s nowhere -- true' './s ./file -- true' './s ./no/s -- true'; do
		# shellcheck disable=SC2086
		run -100 incr-listen $wrong
		[ "${#lines[@]}" = 1 ]
		[ ! -e s ]
	done
	many=$(for i in $(seq 33); do echo "./s$i"; done)
	# shellcheck disable=SC2086
	run -100 incr-listen $many -- true
	[ "$output" = 'incr-listen: ./s33: more than 32 sockets' ]
	[ -z "$(ls s* 2>/dev/null)" ]
}

@test "a command that is missing: 127, one that can't be executed: 126" {
	touch file
	run -127 incr-listen ./s -- ./missing
	[ "$output" = 'incr-listen: ./missing: No such file or directory' ]
	[ ! -e s ]
	run -126 incr-listen ./s -- ./file
	[ ! -e s ]
}

@test "no room for the sockets to be handed over: 111, and no socket is left" {
	not sanitized incr-listen || skip 'valgrind needs descriptors itself'
	few() { (ulimit -n 20 && incr-listen ./s -- true); }
	run -111 few
	[ "$output" = 'incr-listen: LISTEN_FDS: Invalid argument' ]
	[ ! -e s ]
}
