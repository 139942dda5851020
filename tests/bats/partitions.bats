#!/usr/bin/env bats
# A table of counts in hash partitions, several databases behind the queues of
# one pipeline, and workers whose statements meet on the same rows.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

A=aaaaaaaa-0000-4000-8000-00000000000a
B=bbbbbbbb-0000-4000-8000-00000000000b

setup() {
	use_redis
	use_postgres
	DIR=$BATS_TEST_TMPDIR
}

teardown() { end_background; }

# partitioned N: the tables again, the counts in N partitions
partitioned() {
	sql 'drop table if exists increments'
	incr-db --partitions "$1" create
}
parts() { sql "select count(*) from pg_inherits where inhparent = 'increments'::regclass"; }
# keys N: lines of that many keys, in an order that is not theirs
keys() { sql "select format('{\"key\":\"%s\",\"value\":%s}', md5(i::text)::uuid, i) from generate_series(1, $1) as i"; }
once() { incr-consume -o | incr-flush; }

# -- incr-db create --partitions -------------------------------------------------

@test "create --partitions: by hash of the key, each with room for HOT updates" {
	partitioned 16
	[ "$(sql "select pg_get_partkeydef('increments'::regclass)")" = 'HASH (key)' ]
	[ "$(sql "select count(*), min(reloptions::text), max(reloptions::text),
		count(distinct pg_get_expr(relpartbound, oid)) from pg_class
		where relispartition and relkind = 'r'")" = '16|{fillfactor=70}|{fillfactor=70}|16' ]
	for told in '' '--partitions 16'; do
		# shellcheck disable=SC2086 # two words
		run -0 incr-db $told create
		[ -z "$output" ]
	done
	[ "$(parts)" = 16 ]
	keys 1000 | incr-flush
	keys 1000 | incr-flush
	total_is 1001000
	[ "$(sql 'select count(*), count(distinct tableoid) from increments')" = '1000|16' ]
	run -0 incr-db -p --top 1 show
	[[ "$output" == *"	2000	"* ]]
	run -0 incr-audit --expect 1001000
	run -0 incr-db -y clear
	total_is 0
}

@test "create: the variable, the range of the number, 1 is a table without" {
	sql 'drop table increments'
	for n in 0 257 1000 -1 x 1x 01 ''; do
		run -100 incr-db --partitions "$n" create
		[ "$output" = "incr-db: --partitions: $n: not a number from 1 to 256" ]
	done
	INCR_PARTITIONS=0 run -100 incr-db create
	[ "$output" = 'incr-db: INCR_PARTITIONS: 0: not a number from 1 to 256' ]
	incr-db --partitions=1 create
	[ "$(sql "select relkind from pg_class where relname = 'increments'")" = r ]
	sql 'drop table increments'
	INCR_PARTITIONS=3 incr-db create
	[ "$(parts)" = 3 ]
	# An option is nearer than a variable.
	INCR_PARTITIONS=7 run -0 incr-db --partitions 3 create
}

@test "create: another number than there is, and a partition that is missing" {
	run -100 incr-db --partitions 4 create
	[ "$output" = 'incr-db: increments: has no partitions by hash of the key, must have 4 (--partitions)' ]
	partitioned 4
	run -100 incr-db --partitions 8 create
	[ "$output" = 'incr-db: increments: has 4 partitions by hash of the key, must have 8 (--partitions)' ]
	run -100 incr-db --partitions 1 create
	[ "$output" = 'incr-db: increments: has 4 partitions by hash of the key, must have 1 (--partitions)' ]
	sql 'alter table increments detach partition increments_2'
	run -100 incr-db create
	[ "$output" = 'incr-db: increments: partition 2 of 4 is missing' ]
	# Two in its place are as good.
	sql 'create table a partition of increments for values with (modulus 8, remainder 2)'
	run -100 incr-db create
	[ "$output" = 'incr-db: increments: partition 6 of 8 is missing' ]
	sql 'create table b partition of increments for values with (modulus 8, remainder 6)'
	run -0 incr-db create
	[ -z "$output" ]
	sql 'alter table increments drop constraint increments_value_check'
	run -100 incr-db create
	[[ "$output" == 'incr-db: increments: constraint is missing,'* ]]
}

@test "a missing partition: --check names it, nothing of a window is counted" {
	partitioned 4
	sql 'alter table increments detach partition increments_2'
	run -100 incr-flush --check
	[[ "$output" == *'increments: partitions are missing; run incr-db create to see which'* ]]
	keys 100 | incr-publish
	run -100 once
	[[ "$output" == *'no partition of relation "increments" found for row'*'; run incr-db create' ]]
	total_is 0
	[ "$(sql 'select count(*) from incr_ledger')" = 0 ]
	sql 'alter table increments attach partition increments_2
		for values with (modulus 4, remainder 2)'
	run -1 incr-flush --check # fsync off
	[[ "$output" == *'its tables and grants let incr-flush count'* ]]
	run -0 once
	total_is 5050
	no_batches
}

@test "what is odd of a single partition is found by --check, too" {
	partitioned 4
	sql 'alter table increments_2 set unlogged'
	sql 'create function nothing() returns trigger language plpgsql as
		$$begin return null; end$$'
	sql 'create trigger odd before insert on increments_3 for each row
		execute function nothing()'
	run incr-flush --check
	[[ "$output" == *'increments: an unlogged table'* ]]
	[[ "$output" == *'increments: a trigger or a rule, odd:'* ]]
	keys 100 | incr-publish
	run -100 once
	[[ "$output" == *'a trigger or a rule keeps rows out of increments' ]]
	total_is 0
}

# As docs/scale.md types it.
@test "a table that is there gets partitions while it is counted into" {
	keys 1000 | incr-flush
	incr-pgenv -- psql -Xqc 'alter table increments rename to increments_old'
	incr-db --partitions 4 create
	keys 1500 | incr-flush
	incr-pgenv -- psql -Xqc 'insert into increments as i (key, value, updated_at)
		select key, value, updated_at from increments_old order by key
		on conflict (key) do update set value = i.value + excluded.value'
	incr-pgenv -- psql -Xqc 'drop table increments_old'
	run -0 incr-db --partitions 4 create
	[ "$(total)" = $((500500 + 1125750)) ]
}

# -- the form of the statements --------------------------------------------------

# A distributed table, of Citus, takes no function in DO UPDATE SET, and no such
# server is to be had here.
@test "no function stands in DO UPDATE SET" {
	sql "alter database $(sql 'select current_database()') set log_statement = 'all'"
	local from
	from=$(stat -c %s "$INCR_SUITE/pg.log")
	known $A $B
	sql "insert into incr_ledger (consumer, queue, seq, lines, committed_at)
		values (gen_random_uuid(), '$INCR_QUEUE', 0, 1, now() - interval '40 days')"
	{ checkpoint $B 0 0; increment 1; checkpoint $A 1 1 true; increment 1; checkpoint $B 1 1
		 checkpoint $B 1 0 false ',"end":true'; } | incr-flush
	run incr-flush --check
	log_since "$from" | grep -o 'do update set [^()]*.\?' | sort -u >"$DIR/lists"
	cat "$DIR/lists"
	# Of windows and of adopted batches, which are alike, and of old rows.
	[ "$(wc -l <"$DIR/lists")" -eq 2 ]
	not grep '($' "$DIR/lists"
	for statement in 'with moved' 'with given' 'with gone'; do
		[ "$(log_since "$from" | grep -c "$statement.*do update")" -ge 1 ]
	done
	# There is no other one.
	[ "$(cat "$ROOT"/lib/*/*.c "$ROOT"/src/*.c "$ROOT"/bin/incr-db "$ROOT"/etc/*.sh |
		grep -c 'do update')" = 3 ]
}
