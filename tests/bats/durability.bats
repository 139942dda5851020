#!/usr/bin/env bats
# What restores of Redis and Postgres give and take: incr(7), PROMISES.

bats_require_minimum_version 1.5.0
load helper

setup() {
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	OWN_REDIS=$PWD/redis
}

teardown() {
	end_background
	[ -z "${DIR_PG-}" ] || pg_stop "$DIR_PG" QUIT
}

drain() { incr-consume -o | incr-flush; }
own_postgres() {
	DIR_PG=$INCR_SUITE/own$BATS_SUITE_TEST_NUMBER
	pg_start "$DIR_PG" "$@"
	export DATABASE_URL="postgresql:///postgres?host=$DIR_PG&user=postgres"
}
# take: one batch, to a consumer that is gone before it was counted
take() { incr-consume -o >"$1"; }
# copy_redis, restore_redis: as a snapshot of the moment
copy_redis() {
	rcli save
	cp redis/dump.rdb copy.rdb
}
restore_redis() {
	kill -9 "$(cat redis/redis.pid)"
	wait_for 5 gone "$(cat redis/redis.pid)"
	cp copy.rdb redis/dump.rdb
	redis_start "$PWD/redis" --appendonly no
}

@test "Redis restored: what was ready is counted again, a taken batch is not" {
	own_redis --appendonly no
	increment 1 | incr-publish
	take stream
	increment 10 | incr-publish
	copy_redis
	increment 100 | incr-publish
	drain
	sum_is 111
	restore_redis
	drain
	# 10 was waiting in the copy; 1 was in a batch; 100 is counted, once.
	sum_is 121
	no_batches
}

@test "Redis restored: what the copy lacks and was not counted is lost" {
	own_redis --appendonly no
	increment 1 | incr-publish
	copy_redis
	increment 10 | incr-publish
	restore_redis
	drain
	sum_is 1
}

@test "FLUSHALL: what waited is lost, what is counted stays" {
	own_redis
	increment 1 | incr-publish
	drain
	increment 10 | incr-publish
	rcli flushall
	increment 100 | incr-publish
	drain
	sum_is 101
}

# While the disk is busy with one second it keeps the next one back.
all_written() { rcli info persistence | grep -q '^aof_buffer_length:0'; }

@test "appendonly everysec: a kill loses and doubles nothing that was written" {
	own_redis
	increments 1 100 | incr-publish
	take stream
	increments 101 200 | incr-publish
	wait_for 5 all_written
	kill -9 "$(cat redis/redis.pid)"
	wait_for 5 gone "$(cat redis/redis.pid)"
	redis_start "$PWD/redis"
	drain
	sum_is 20100
	incr-flush -w 5 <stream || :
	sum_is 20100
}

@test "a cut AOF is loaded as far as it goes: its last increments are lost" {
	own_redis
	increment 1 | incr-publish
	increment 10 | incr-publish
	kill -9 "$(cat redis/redis.pid)"
	wait_for 5 gone "$(cat redis/redis.pid)"
	truncate -s -20 redis/appendonlydir/*.incr.aof
	redis_start "$PWD/redis"
	drain
	sum_is 1
}

@test "min-replicas-to-write without a replica: unavailable, not lost" {
	own_redis --min-replicas-to-write 1
	increment 1 | incr-publish -e -w 0.5 >answer || :
	grep -q '"code":"unavailable"' answer
	[ "$(ready)" -eq 0 ]
}

@test "Postgres restored with both tables: what was counted since is lost" {
	increment 1 | incr-publish
	drain
	sql 'create table i as table increments'
	sql 'create table l as table incr_ledger'
	increment 10 | incr-publish
	drain
	sum_is 11
	sql 'truncate increments, incr_ledger;
		insert into increments table i; insert into incr_ledger table l'
	drain
	sum_is 1
	increment 100 | incr-publish
	drain
	sum_is 101
}

@test "Postgres older than an acknowledgement: the loss is said" {
	increment 1 | incr-publish
	increment 10 | incr-publish
	incr-consume -o -n 1 >stream
	run -111 incr-flush < <(head -n 3 stream)
	sum_is 1
	sql 'truncate increments, incr_ledger'
	run -0 drain
	[[ "$output" == *"went back to batch 0: 1 lost, 0 restored (--keep)" ]]
	sum_is 10
	no_batches
}

@test "increments restored without incr_ledger: open batches count twice" {
	increment 1 | incr-publish
	take stream
	incr-flush <stream # counted ...
	sum_is 1
	incr-flush <stream # ... and still known
	sum_is 1
	sql 'truncate incr_ledger'
	queue=incr::queue::[$INCR_QUEUE]::consumers
	rcli sadd "$queue" "$(sed -n '1s/.*"consumer":"\([^"]*\)".*/\1/p' stream)"
	incr-flush <stream
	sum_is 2
}

@test "incr_ledger without increments: its open batches are lost" {
	increment 1 | incr-publish
	take stream
	incr-flush <stream
	sql 'truncate increments'
	incr-flush <stream
	sum_is 0
}

@test "unlogged tables: a crash of Postgres empties both" {
	own_postgres
	incr-db create
	sql 'alter table increments set unlogged; alter table incr_ledger set unlogged'
	increment 1 | incr-publish
	drain
	sum_is 1
	pg_stop "$DIR_PG" QUIT
	pg_start "$DIR_PG"
	sum_is 0
}

@test "fsync and synchronous_commit off: a kill loses what was not written" {
	own_postgres synchronous_commit=on
	incr-db create
	increment 1 | incr-publish
	drain
	pg_stop "$DIR_PG" QUIT
	pg_start "$DIR_PG" synchronous_commit=off wal_writer_delay=10s
	sql checkpoint
	increment 10 | incr-publish
	drain
	sum_is 11
	pg_stop "$DIR_PG" QUIT
	pg_start "$DIR_PG"
	# Off: 10 was acknowledged in Redis, and is in neither.
	sum_is 1
	no_batches
}
