#!/usr/bin/env bats
# What incr-serve and incr-flush tell a service manager, as sd_notify(3) says.
# tests/long/systemd has systemd act on it.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	# One that writes down what it is told.
	export NOTIFY_SOCKET=$PWD/notify WATCHDOG_USEC=300000
	# shellcheck disable=SC2016
	background perl -e 'use IO::Socket::UNIX; use Socket; $| = 1;
		my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM,
			Local => $ENV{NOTIFY_SOCKET}) or die;
		while (defined $s->recv(my $m, 4096)) { print "$m\n" }' >told
	wait_for 5 test -S notify
}

teardown() { end_background; }

told() { grep -qx "$1" told; }
feeds() { grep -cx WATCHDOG=1 told || :; }
fed() { [ "$(feeds)" -gt "$1" ]; }
# fed_again: three more signs of life
fed_again() { wait_for 10 fed $(($(feeds) + 2)); }
last_status() { [[ "$(grep ^STATUS= told | tail -n 1)" == STATUS=$1 ]]; }

@test "incr-drain: ready with Postgres and its consumer, alive while it waits" {
	local main
	use_redis
	use_postgres
	background "$BIN/incr-drain" -- -i 0.3 2>err
	main=$!
	wait_for 10 told READY=1
	wait_for 5 last_status counting
	fed_again
	# A statement that waits holds up nothing.
	lock increments
	increment 3 | put_stdin
	wait_for 10 waits_for_lock
	fed_again
	fed_again
	waits_for_lock
	unlock
	wait_for 10 sum_is 3
	kill "$main"
	wait_for 10 gone "$main"
	told STOPPING=1
	[ "$(grep -cx READY=1 told)" = 1 ]
	[ ! -s err ]
}

# slept PID: how often it has waited for something
slept() { awk '$1 == "voluntary_ctxt_switches:" { print $2 }' "/proc/$1/status"; }
slept_since() { [ "$(slept "$1")" -gt "$2" ]; }

@test "incr-drain: while it stops it sleeps between two signs of life" {
	local main
	use_redis
	use_postgres
	background "$BIN/incr-drain" -- -i 0.3
	main=$!
	wait_for 10 told READY=1
	lock increments
	increment 3 | put_stdin
	wait_for 10 waits_for_lock
	kill "$main"
	wait_for 10 told STOPPING=1
	# Longer than between two looks at incr-consume.
	fed_again
	fed_again
	fed_again
	fed_again
	fed_again
	wait_for 10 slept_since "$main" $(($(slept "$main") + 5))
	unlock
	wait_for 10 gone "$main"
}

@test "incr-drain: an outage is no failed start, and told in the status" {
	local main
	export REDIS_URL=unix://$PWD/none
	export DATABASE_URL="postgresql:///x?host=$PWD/none"
	background "$BIN/incr-drain" 2>err
	main=$!
	wait_for 5 last_status 'postgres: *'
	not told READY=1
	wait_for 15 told READY=1
	fed_again
	kill "$main"
	wait_for 20 gone "$main"
}

@test "incr-ingest: ready at once, reloads, alive while verdicts come" {
	local main publish
	use_redis
	"$BIN/incr-token" --tokens tokens new shop >token
	background env -u INCR_LISTEN "$BIN/incr-ingest" -l "$PWD/s" \
		--verdict-timeout 0.2 --tokens tokens 2>err
	main=$!
	wait_for 10 told READY=1
	wait_for 5 last_status ready
	fed_again
	kill -HUP "$main"
	wait_for 5 told RELOADING=1
	[ "$(grep -cxE 'READY=1|RELOADING=1' told)" -ge 2 ]
	wait_for 5 again_ready
	# The half that stands still is found out by the line without a verdict.
	publish=$(pgrep -P "$main" -x incr-publish)
	kill -STOP "$publish"
	curl -s -m 5 -o answer --unix-socket s -d "$(increment 1)" \
		-H "Authorization: Bearer $(cat token)" http://x/increment
	wait_for 10 starved
	wait_for 5 last_status '*no verdict for *'
	kill -CONT "$publish"
	fed_again
	wait_for 5 last_status ready
	kill "$main"
	wait_for 20 gone "$main"
	told STOPPING=1
}

again_ready() { [ "$(grep -xE 'READY=1|RELOADING=1' told | xargs)" = 'READY=1 RELOADING=1 READY=1' ]; }
# starved: no sign of life for four times as long as there should be one
starved() {
	local was
	was=$(feeds)
	elapsed_reset
	until elapsed "$began" 400000; do [ "$(feeds)" = "$was" ] || return 1; done
}
elapsed_reset() { began=${EPOCHREALTIME/./}; }

@test "no socket, no word; one that is not there is said, and harms nothing" {
	use_redis
	use_postgres
	export NOTIFY_SOCKET=$PWD/none
	increment 4 | "$BIN/incr-flush" 2>err
	[ "$(cat err)" = 'incr-flush: NOTIFY_SOCKET: No such file or directory' ]
	unset NOTIFY_SOCKET
	increment 5 | "$BIN/incr-flush"
	sum_is 9
	[ ! -s told ]
}
