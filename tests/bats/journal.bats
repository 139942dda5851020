#!/usr/bin/env bats
# Priorities in the journal of systemd: what programs write is an error, a
# warning or information, where standard error is the journal, and only there.
# tests/long/systemd asks a real journal.

bats_require_minimum_version 1.5.0
load helper

setup() {
	use_redis
	cd "$BATS_TEST_TMPDIR" || return
	: >journal
	journal
}

teardown() { end_background; }

# journal [FILE]: standard error of what comes next, as systemd tells it
journal() { JOURNAL_STREAM=$(stat -c %d:%i "${1:-journal}") && export JOURNAL_STREAM; }

# ends FILE COMMAND...: with 100; what it says is added to FILE
ends() {
	local status=0
	"${@:2}" 2>>"$1" || status=$?
	[ "$status" = 100 ]
}

@test "what ends a program is an error, scripts and programs alike" {
	ends journal incr-publish --batch
	ends journal incr-flush -d host=/nowhere --interval 99
	ends journal incr-ingest -q
	ends journal incr-drain -q
	ends journal incr-drain --nonsense
	cat journal
	[ "$(wc -l <journal)" = 5 ]
	run ! grep -v '^<3>incr-[a-z]*: ' journal
}

@test "an outage is a warning, its end is information" {
	redis_start "$PWD/r"
	remember "$(cat r/redis.pid)"
	export REDIS_URL=unix://$PWD/r/redis.sock
	mkfifo in
	exec 8<>in
	background incr-publish <in 2>>journal
	redis_stop "$PWD/r"
	increment 1 >&8
	wait_for 10 grep -q '^<4>incr-publish: redis.*waiting$' journal
	redis_start "$PWD/r"
	remember "$(cat r/redis.pid)"
	wait_for 10 grep -q '^<6>incr-publish: queue .*: publishing again$' journal
	exec 8>&-
}

@test "what was lost is an error" {
	use_postgres
	background setsid incr-drain -- -i 0.1 2>>journal
	increment 3 | incr-publish
	wait_for 10 total_is 3
	wait_for 10 no_batches
	sql "begin; update incr_ledger set seq = 0; commit; select
		pg_terminate_backend(pid) from pg_stat_activity where datname =
		current_database() and pid <> pg_backend_pid()" >/dev/null
	wait_for 20 grep -q '^<3>incr-flush: ledger: .* to batch 0: 1 lost' journal
}

@test "elsewhere a message begins with the program" {
	: >other
	local where
	for where in journal /dev/null; do
		journal "$where"
		ends other incr-publish --batch
		ends other incr-drain -q
	done
	JOURNAL_STREAM=1:1 ends other incr-ingest -q
	JOURNAL_STREAM='' ends other incr-ingest -q
	cat other
	[ "$(wc -l <other)" = 6 ]
	run ! grep -v '^incr-' other
}
