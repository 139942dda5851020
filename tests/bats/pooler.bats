#!/usr/bin/env bats
# Behind PgBouncer, in transaction mode, as it comes: a connection of the
# server is lent for one transaction and goes to somebody else afterwards.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() {
	use_postgres
	use_redis
	DIRECT=$DATABASE_URL
}

teardown() {
	end_background
}

# left: what the lent connection is like after all that used it
left() {
	sql "select current_setting('search_path'),
		current_setting('client_min_messages'),
		(select count(*) from pg_class where relpersistence = 't')"
}

# counts VALUE: a line goes through incr-flush and is in the real table
counts() {
	increment "$1" | incr-flush
	DATABASE_URL=$DIRECT sum_is "$2"
}

drop_tables() { sql 'drop table if exists increments, incr_ledger'; }

@test "incr-db leaves nothing on the connection that it was lent" {
	pooler
	drop_tables
	run -0 incr-db create
	[ -z "$output" ]
	[ "$(left)" = '"$user", public|notice|0' ]
	counts 3 3
	run -0 incr-db -p show "$KEY"
	[[ "$output" == "$KEY	3	"* ]]
	sql 'alter table increments alter value drop not null'
	run -100 incr-db create
	[ "$output" = 'incr-db: increments: column value is numeric, must be numeric not null' ]
	run -0 incr-db -y clear
	[ "$(left)" = '"$user", public|notice|0' ]
	DATABASE_URL=$DIRECT sum_is 0
}

@test "it does so with options ignored, too" {
	pooler 'ignore_startup_parameters = options'
	drop_tables
	PGOPTIONS='-c search_path=pg_temp' run -0 incr-db create
	[ "$(left)" = '"$user", public|notice|0' ]
	counts 3 3
}

@test "what somebody else left on the connection is not counted into" {
	pooler
	drop_tables
	sql 'set search_path = pg_temp'
	sql 'create temporary table increments (like pg_class)'
	run -0 incr-db create
	[ "$(DATABASE_URL=$DIRECT sql "select count(*) from pg_tables
		where schemaname = 'public'")" = 3 ]
	DATABASE_URL=$DIRECT sql "insert into increments values ('$KEY', 7)"
	run -0 incr-db -p show
	[[ "$output" == "$KEY	7	"* ]]
	run -0 incr-db -y clear
	DATABASE_URL=$DIRECT sum_is 0
}

@test "counting, acknowledging and auditing go through it" {
	pooler
	increments 1 1000 | incr-publish
	incr-consume -o | incr-flush
	sum_is 500500
	no_batches
	run -0 incr-audit --expect 500500
	[ "$(left)" = '"$user", public|notice|0' ]
	# Nobody else is asked to notice that a client is gone.
	[ "$(sql 'show client_connection_check_interval')" = 0 ]
}

@test "incr-flush counts into the real tables, whatever the connection has" {
	pooler
	sql 'create temporary table increments (like public.increments including all)'
	sql 'create temporary table incr_ledger (like public.incr_ledger including all)'
	[ "$(sql 'select count(*) from pg_class where relpersistence = '"'t' and relkind = 'r'")" = 2 ]
	increments 1 10 | incr-publish
	incr-consume -o | incr-flush
	no_batches
	DATABASE_URL=$DIRECT sum_is 55
	run -0 incr-audit --expect 55
	sql 'set search_path = pg_temp'
	counts 1 56
}
