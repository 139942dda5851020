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
	cat err
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

# once ARG...: of incr-flush; as from a timer, with all input there at its start
once() { incr-consume -o >stream && incr-flush "$@" <stream 2>>err; }

@test "--keep: one that has nothing to count looks, too, and the next one counts" {
	local all=1
	increment 1 | incr-publish
	once -k 60
	for more in 10 20 30; do
		remembered
		increment $more | incr-publish
		once -k 60
		went_back
		: >err
		once -k 60
		grep -Eq 'went back to batch 0: 0 lost, 1 restored \(--keep\)$' err
		once -k 60
		all=$((all + more))
		sum_is $all
		sql 'drop table i, l'
	done
	# Also behind what it has counted itself.
	remembered
	increment 100 | incr-publish
	once -k 60
	went_back
	: >err
	increment 1000 | incr-publish
	once -k 60
	grep -q '1 restored' err
	once -k 60
	sum_is $((all + 1100))
	# Nothing is missing: nothing is said.
	: >err
	once -k 60
	quiet err
}

@test "--keep: who is told to end, or has a torn input, does not wait for Postgres" {
	export DATABASE_URL="postgresql:///x?host=$PWD/none"
	drain -k 60
	wait_for 10 grep -q 'postgres: .*; waiting' err
	SECONDS=0
	kill "$flush"
	wait "$flush"
	((SECONDS < 10))
	incr-consume -o >stream
	sed '$d' stream >torn
	run -111 timeout 20 incr-flush -k 60 <torn
	# Without --keep nothing is to be looked for.
	run -0 timeout 20 incr-flush <stream
	run -111 timeout 20 incr-flush -k 60 -w 0.5 <stream
	[[ $output == *'(--wait)' ]]
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

# -- kept batches give way ---------------------------------------------------

# crowded MAXMEMORY: a Redis of so many bytes
crowded() { own_redis --maxmemory "$1"; }
# messages FROM TO: a line each, of many bytes (white space)
messages() {
	local space
	space=$(printf '%*s' 900 '')
	seq "$1" "$2" | sed 's/.*/{"key":"'"$KEY"'",'"$space"'"value":1}/'
}
gave_way() { grep -hq '^incr_kept_gave_way_total{.*} [1-9]' metrics/incr-flush*; }
kept_bytes() {
	rcli --raw get "incr::queue::[$INCR_QUEUE]::kept::size" | cut -d ' ' -f 1
}
# push N: as another program does
push() {
	messages 1 "$1" | sed 's/.*/lpush "rmq::queue::['"$INCR_QUEUE"']::ready" '"'&'"'/' |
		rcli >/dev/null
}

@test "--keep: publishing goes on in a Redis that has no room for what is kept" {
	crowded 16mb
	drain -k 3600
	for round in 1 2 3 4; do
		messages 1 500 | sed 's/ //g' | incr-publish -e -w 20 >answers
		[ "$(grep -c error answers)" = 0 ]
		push 4500
		wait_for 20 counted $((round * 5000))
	done
	wait_for 10 gave_way
	said=': Redis lacks room to keep batches for their time (--keep): the oldest give way'
	[ "$(grep -c "$said" err)" = 1 ]
	(($(kept_bytes) <= 16 * 1048576 * 3 / 8))
	(($(kept_bytes) > 16 * 1048576 / 8))
}

@test "--keep: what is published while Postgres is away needs what is kept" {
	crowded 16mb
	drain -k 3600
	push 6000
	wait_for 20 counted 6000
	(($(kept_bytes) > 4000000))
	lock incr_ledger
	has_room() {
		(($(rcli info memory | sed -n 's/^used_memory:\([0-9]*\).*/\1/p') < 13500000))
	}
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do
		increments 1 10000 | incr-publish -e >answers
		[ "$(grep -c error answers)" = 0 ]
		wait_for 10 has_room
	done
	wait_for 10 gave_way
	unlock
}

@test "--keep: what gave way is lost, and told so, when Postgres goes back" {
	crowded 16mb
	export INCR_HIGH_WATER=6
	drain -k 3600
	publish_counted 1 1
	remembered
	publish_counted 10 11
	publish_counted 100 111
	publish_counted 1000 1111
	publish_counted 10000 11111
	wait_for 10 gave_way
	kill "$flush"
	wait_for 10 gone "$flush"
	went_back
	drain -k 3600
	wait_for 20 grep -Eq 'went back to batch 1: 1 lost, 3 restored' err
	wait_for 20 counted 11101
}

@test "--keep: batches that are kept for their time again" {
	crowded 16mb
	drain -k 2 --high-water 2
	increments 1 2 | incr-publish
	wait_for 10 counted 3
	wait_for 10 grep -q 'the oldest give way$' err
	wait_for 20 grep -q ': batches are kept for their time again (--keep)$' err
	[ "$(grep -c -- '(--keep)' err)" = 2 ]
}
