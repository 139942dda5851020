#!/usr/bin/env bats
# What keeps a row out of the tables, without an error of its own: nothing is
# acknowledged that is not counted.

bats_require_minimum_version 1.5.0
load helper

OTHER=00000000-0000-4000-8000-000000000001

setup() {
	use_redis
	use_postgres
	DIR=$BATS_TEST_TMPDIR
}

teardown() { end_background; }

# once [ARG...]: what is in the queue goes through incr-consume -o | incr-flush
# Without what incr-consume says, sooner or later, of a reader that has gone.
once() { incr-consume -o 2>"$DIR/consume" | incr-flush "$@"; }

# refused TEXT COMMAND: neither counted nor acknowledged, and TEXT is said;
# after the SQL of COMMAND all is counted
refused() {
	increments 1 10 | incr-publish
	increment 100 $OTHER | incr-publish
	run -100 once -w 5
	[[ "$output" == "incr-flush: "*"$1" ]]
	[ -n "$(batches)" ]
	[ "$(sql 'select count(*) from increments')" = 0 ]
	[ "$(sql 'select count(*) from incr_ledger')" = 0 ]
	sql "$2"
	run -0 once -w 10
	wait_for 5 no_batches
	sum_is 55
	[ "$(sum_of $OTHER)" = 100 ]
}

@test "a trigger that drops every row" {
	sql 'create function nothing() returns trigger language plpgsql as
		$$begin return null; end$$'
	sql 'create trigger t before insert on increments for each row
		execute function nothing()'
	refused '"0 of 2 keys" (22P02); a trigger or a rule keeps rows out of increments' \
		'drop trigger t on increments'
}

@test "a trigger that drops one row of many" {
	sql "create function one_less() returns trigger language plpgsql as
		\$\$begin if new.key = '$OTHER' then return null; end if;
		return new; end\$\$"
	sql 'create trigger t before insert on increments for each row
		execute function one_less()'
	refused '"1 of 2 keys" (22P02); a trigger or a rule keeps rows out of increments' \
		'drop trigger t on increments'
}

@test "a trigger that drops updates, when there are rows already" {
	increment 1 $OTHER | incr-flush
	sql 'create function nothing() returns trigger language plpgsql as
		$$begin return null; end$$'
	sql 'create trigger t before update on increments for each row
		execute function nothing()'
	increment 100 $OTHER | incr-publish
	run -100 once -w 5
	[[ "$output" == *'"0 of 1 keys" (22P02); a trigger or a rule keeps rows out of increments' ]]
	[ -n "$(batches)" ]
	[ "$(sum_of $OTHER)" = 1 ]
}

@test "a rule that puts nothing instead" {
	sql 'create rule r as on insert to increments do instead nothing'
	refused '(0A000); a trigger or a rule keeps rows out of increments' \
		'drop rule r on increments'
}

# as_worker: a role that row level security holds for, from now on
as_worker() {
	sql 'do $$ begin create role worker login; exception
		when duplicate_object then null; end $$'
	sql 'grant select, insert, update, delete on increments, incr_ledger to worker'
	OWNER=$DATABASE_URL
	export DATABASE_URL=${DATABASE_URL/user=postgres/user=worker}
}
as_owner() { DATABASE_URL=$OWNER sql "$1"; }

@test "a policy that hides the counts" {
	as_worker
	as_owner 'alter table increments enable row level security'
	increments 1 10 | incr-publish
	run -100 once -w 5
	[[ "$output" == *'(42501); grant what incr(7) says' ]]
	[ -n "$(batches)" ]
	as_owner 'alter table increments disable row level security'
	run -0 once -w 10
	sum_is 55
}

@test "a policy that hides the ledger is said, and not asked a thousand times" {
	as_worker
	as_owner 'alter table incr_ledger enable row level security'
	as_owner 'create policy p on incr_ledger for insert with check (true)'
	as_owner "insert into incr_ledger select gen_random_uuid(), 'q', 1"
	as_owner "alter database $(sql 'select current_database()') set log_statement = 'all'"
	increments 1 10 | incr-publish
	incr-consume -o >"$DIR/stream"
	log=$(stat -c %s "$INCR_SUITE/pg.log")
	# The first of these inserts the row, and nobody sees it any more.
	run incr-flush -w 5 <"$DIR/stream"
	run incr-flush -w 5 <"$DIR/stream"
	echo "$output"
	[ "$status" -eq 100 ]
	[[ "$output" == *'does not move; is there a policy or a trigger on incr_ledger?' ]]
	[ "$(log_since "$log" | grep -c 'LOG:  execute')" -le 10 ]
	# If it was right before, it is tried again by whoever started this.
	mkdir "$DIR/once"
	export RUNTIME_DIRECTORY=$DIR/once
	as_owner 'alter table incr_ledger disable row level security'
	increment 1 | incr-flush
	as_owner 'alter table incr_ledger enable row level security'
	run -111 incr-flush -w 5 <"$DIR/stream"
	[[ "$output" == *'does not move; is there a policy or a trigger on incr_ledger?' ]]
}

@test "a trigger that says something of each row: all is counted" {
	sql 'create function tell() returns trigger language plpgsql as
		$$begin raise notice '"'key %: now %'"', new.key, new.value;
		return null; end$$'
	sql 'create trigger t after insert or update on increments for each row
		execute function tell()'
	# 170 bytes each
	seq -f '{"key":"00000000-0000-4000-8000-%012.0f","value":1}' 150000 |
		incr-flush -w 5
	[ "$(total)" = 150000 ]
}
