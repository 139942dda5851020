#!/usr/bin/env bats
# A statement of incr-flush that has no answer: for 300 s it may be executing,
# so there is no second connection, and after that none beside the first one.

bats_require_minimum_version 1.5.0
load helper

setup() {
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	not sanitized incr-flush || skip "what is preloaded must be first"
	build_clock
}

teardown() {
	end_background
}

# sessions: pids of the server's processes for it.  Two at once are noted.
sessions() {
	sql "select pid from pg_stat_activity where datname =
		current_database() and application_name = 'incr-flush'" >pids_now
	[ "$(wc -l <pids_now)" -le 1 ] || touch two
	cat pids_now
}
# later SECONDS: its clock, which it looks at once it has read a line
later() {
	local before
	before=$(bytes_read "$flush")
	echo "$1" >ahead
	increment 1 >&7
	wait_for 10 has_read "$flush" $((before + 1))
	wait_for 10 sleeps
}
unconnected() { [ -z "$(find "/proc/$flush/fd" -lname 'socket:*')" ]; }
sleeps() { grep -q '^State:.*S' "/proc/$flush/status"; }
another() { [ -n "$(sessions)" ] && [ "$(cat pids_now)" != "$first" ]; }
none_of_first() { [ "$(sessions)" != "$first" ]; }

@test "a statement of 300 s: no other connection before, one after it is gone" {
	lock increments
	mkfifo in
	exec 7<>in
	LD_PRELOAD=$PWD/clock.so background incr-flush -i 0.1 <in 2>err 7>&-
	flush=$!
	increment 1 >&7
	wait_for 10 waits_for_lock
	first=$(sessions)
	later 290
	[ "$(sessions)" = "$first" ]
	waits_for_lock
	# It gives up, and its clock stands before the time of the next try: the
	# server notices that its client has gone, though it waits.
	later 301
	wait_for 10 unconnected
	echo 200 >ahead
	wait_for 20 none_of_first
	not another
	later 310
	wait_for 20 another
	wait_for 10 waits_for_lock
	[ ! -e two ]
	# A line each, counted once.
	unlock
	wait_for 10 sum_is 4
	exec 7>&-
	wait "$flush"
	sum_is 4
}
