#!/usr/bin/env bats
# What a sanitizer finds in any program is written where the suite looks for it,
# also from inside a sandbox.  Only of a build with sanitizers.

load helper

setup() {
	grep -q __asan_init "$BIN/incr-serve" || skip 'a build without sanitizers'
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	sockets=$(mktemp -d /tmp/incr-reports.XXXXXX)
	mkdir reports
	export INCR_REPORTS=$PWD/reports
	export ASAN_OPTIONS=$ASAN_OPTIONS:log_path=$INCR_REPORTS/asan
}

teardown() {
	end_background
	rm -rf "$sockets"
}

# reported PID: it got a fault of memory, and says so
reported() {
	kill -SEGV "$1"
	wait_for 10 gone "$1"
	wait_for 5 grep -q AddressSanitizer "reports/asan.$1"
}

# reads PID: the program has begun to wait for what comes, behind its sandbox
reads() { [[ "$(cat "/proc/$1/wchan")" =~ poll|pipe|ep_ ]]; }

@test "a finding in any program is seen, also in a sandbox" {
	local program
	mkfifo in
	exec {hold}<>in
	for program in incr-validate incr-publish incr-flush incr-send \
		'incr-consume -n 1'; do
		# shellcheck disable=SC2086 # two words
		background $program <in >/dev/null 2>&1 {hold}>&-
		wait_for 10 reads $!
		reported $!
	done
	background incr-ingest -l "$sockets/s" 2>/dev/null
	wait_for 10 healthy "$sockets/s"
	reported $!
}
