#!/usr/bin/env bats
# Postgres goes back in time: ledger rows are lower than Redis knows.

bats_require_minimum_version 1.5.0
load helper

setup() {
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	export TMPDIR=$PWD INCR_METRICS_DIR=$PWD/metrics
	mkdir metrics
}

teardown() {
	end_background
}

# drain [OPTION...]: of incr-flush
drain() {
	background setsid incr-drain -- -i 0.1 "$@" 2>err
	flush=$!
}

# remembered, went_back: Postgres as it is now, and as it was then, for
# connections that are new
remembered() {
	sql 'create table i as table increments'
	sql 'create table l as table incr_ledger'
}
went_back() {
	sql "begin; lock increments, incr_ledger;
		select pg_terminate_backend(pid) from pg_stat_activity
		where datname = current_database()
		and application_name = 'incr-flush';
		truncate increments, incr_ledger;
		insert into increments table i;
		insert into incr_ledger table l; commit" >/dev/null
}

# counted SUM: in the table, and acknowledged
counted() { sum_is "$1" && no_unacked && [ "$(ready)" = 0 ]; }
no_unacked() {
	local keys
	keys=$(rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::consumer::*::batches")
	[ -z "$keys" ]
}
publish_counted() { # VALUE SUM
	increment "$1" | incr-publish
	wait_for 10 counted "$2"
}
steps_back() {
	grep -hq "^incr_ledger_steps_back_total{.*} $1\$" metrics/incr-flush*
}

@test "without --keep: counting goes on, the loss is named with its size" {
	drain
	publish_counted 1 1
	remembered
	publish_counted 10 11
	publish_counted 20 31
	went_back
	wait_for 10 grep -Eq '^incr-flush: ledger: consumer [0-9a-f-]{36} went back to batch 1: 2 lost, 0 restored \(--keep\)$' err
	wait_for 10 steps_back 1
	publish_counted 100 101
	kill -0 "$flush"
	[ "$(grep -c 'went back' err)" = 1 ]
	# A restart finds nothing more.
	kill "$flush"
	wait_for 10 gone "$flush"
	drain
	publish_counted 1000 1101
	quiet err
}

@test "--keep: what was counted since is counted again, exactly" {
	drain -k 60
	publish_counted 1 1
	remembered
	publish_counted 10 11
	publish_counted 20 31
	went_back
	wait_for 20 counted 31
	grep -Eq 'went back to batch 1: 0 lost, 2 restored \(--keep\)$' err
	publish_counted 100 131
	kill -0 "$flush"
	# And once more, with what was restored.
	went_back
	wait_for 20 counted 131
	kill -0 "$flush"
	[ "$(sql 'select count(*) from increments')" = 1 ]
}

@test "--keep: a drain that comes later brings back what is kept" {
	drain -k 60
	publish_counted 1 1
	remembered
	publish_counted 10 11
	kill "$flush"
	wait_for 10 gone "$flush"
	went_back
	drain -k 60
	wait_for 20 counted 11
}

@test "--keep: dead letters are rejected once" {
	drain -k 60
	publish_counted 1 1
	remembered
	echo no-increment | put_stdin
	increment 10 | incr-publish
	wait_for 10 counted 11
	[ "$(rejected)" = 1 ]
	went_back
	wait_for 20 counted 11
	[ "$(rejected)" = 1 ]
}

@test "--keep: in another database nothing is restored" {
	drain -k 60
	publish_counted 1 1
	kill "$flush"
	wait_for 10 gone "$flush"
	sql "truncate increments, incr_ledger;
		update incr_database set id = gen_random_uuid()"
	incr-db adopt --yes || incr-db adopt
	drain -k 60
	wait_for 10 grep -q ': 1 lost, 0 restored (--keep)$' err
	publish_counted 100 100
}

stopped() { [[ "$(cut -d ' ' -f 3 "/proc/$1/stat")" = T ]]; }

# Its check has read the row and stops.  Meanwhile another drain, which keeps
# nothing, counts and acknowledges what was restored.
@test "a check that comes late tells no loss of what was counted since" {
	local late
	make -s -C "$ROOT" points >/dev/null
	drain -k 60
	publish_counted 1 1
	remembered
	publish_counted 10 11
	publish_counted 20 31
	kill "$flush"
	wait_for 10 gone "$flush"
	went_back
	background env INCR_POINT=flush-rows:stop \
		PATH="${INCR_POINTS_BIN:-$ROOT/build/points/bin}:$PATH" \
		setsid incr-drain -- -i 0.1 -k 60 2>late
	late=$!
	wait_for 10 stopped "$late"
	drain
	wait_for 20 counted 31
	grep -q 'went back to batch 1: 0 lost, 2 restored' err
	kill "$flush"
	wait_for 10 gone "$flush"
	kill -CONT "$late"
	# Redis has its call before it acknowledges this.
	publish_counted 100 131
	not grep 'went back' late
}

@test "--keep: what is kept is nowhere but in the table, for the tools" {
	drain -k 60
	publish_counted 1 1
	run -0 incr-audit --expect 1
	kill "$flush"
	wait_for 10 gone "$flush"
	run -0 timeout 20 incr-consume -o
	run -0 incr-audit --expect 1
	[ -n "$(batches)" ]
}
