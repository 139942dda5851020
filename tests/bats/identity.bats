#!/usr/bin/env bats
# A queue is counted in one database, whose id is noted in Redis: in another
# one nothing is counted and nothing acknowledged.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

OTHER_ID=00000000-0000-4000-8000-00000000000b

setup() {
	use_redis
	use_postgres
	DIR=$BATS_TEST_TMPDIR
	HERE=$DATABASE_URL
	NOTED="incr::queue::[$INCR_QUEUE]::database"
}

teardown() {
	end_background
	[ -z "${OTHER-}" ] || psql -Xq -h "$INCR_SUITE/pg" -U postgres \
		-d postgres -c "drop database if exists $OTHER with (force)"
}

id() { sql 'select id from incr_database'; }
noted() { rcli get "$NOTED"; }
# Without what incr-consume says, sooner or later, of a reader that has gone.
once() { incr-consume -o 2>"$DIR/consume" | incr-flush "$@"; }

# pipe: incr-consume | incr-flush in the background; $flush says in err
pipe() {
	rm -f "$DIR/lines"
	mkfifo "$DIR/lines"
	exec 8<>"$DIR/lines"
	background incr-flush -i 0.1 <"$DIR/lines" 2>"$DIR/err" 8>&-
	flush=$!
	background incr-consume >"$DIR/lines" 8>&-
	exec 8>&-
}

# left: the status with which that ended
left() {
	wait_for 10 gone "$flush" || return 0
	wait "$flush"
}

# other_database: DATABASE_URL is that of another one, with tables and an id of
# its own
other_database() {
	OTHER=t$BATS_SUITE_TEST_NUMBER-other
	OTHER=${OTHER//-/_}
	psql -Xq -h "$INCR_SUITE/pg" -U postgres -d postgres \
		-c "drop database if exists $OTHER" \
		-c "create database $OTHER template incr_template strategy file_copy" 2>/dev/null
	export DATABASE_URL="postgresql:///$OTHER?host=$INCR_SUITE/pg&user=postgres"
	sql "update incr_database set id = '$OTHER_ID'"
}

# untouched: nothing is counted here, and one batch waits
untouched() {
	[ "$(sql 'select (select count(*) from increments),
		(select count(*) from incr_ledger)')" = '0|0' ] &&
		[ "$(batches | wc -l)" = 1 ]
}

@test "the first flush of a queue notes the id of its database" {
	increment 3 | incr-publish
	[ -z "$(noted)" ]
	once
	[ "$(noted)" = "$(id)" ]
	increment 4 | incr-publish
	once
	sum_is 7
	[ "$(noted)" = "$(id)" ]
}

@test "a flush that is told another database counts nothing, and says both ids" {
	increment 3 | incr-publish
	once
	increment 4 | incr-publish
	other_database
	run -100 once
	[ "$output" = "incr-flush: queue $INCR_QUEUE: is counted in database $(DATABASE_URL=$HERE id), this is $OTHER_ID; nothing counted; see incr-db adopt" ]
	untouched
	[ "$(noted)" = "$(DATABASE_URL=$HERE id)" ]
	DATABASE_URL=$HERE once
	[ "$(DATABASE_URL=$HERE total)" = 7 ]
	no_batches
}

# Without an id a batch would be counted again, which the ledger there has.
@test "what is counted and not acknowledged is not counted again elsewhere" {
	increment 3 | incr-publish
	incr-consume -o >"$DIR/stream"
	incr-flush <"$DIR/stream"
	other_database
	run -100 incr-flush <"$DIR/stream"
	[[ "$output" == *"this is $OTHER_ID"* ]]
	total_is 0
}

@test "an empty database, without the tables: run incr-db create, and then adopt" {
	increment 3 | incr-publish
	other_database
	sql 'drop table increments, incr_ledger, incr_database'
	run -100 once
	[[ "$output" == *'incr-db create' ]]
	[ "$(batches | wc -l)" = 1 ]
	incr-db create
	DATABASE_URL=$HERE once
	increment 4 | incr-publish
	run -100 once
	[[ "$output" == *"this is $(id);"*'incr-db adopt' ]]
	untouched
}

@test "a table without its row, and one that may not be read" {
	increment 3 | incr-publish
	sql 'delete from incr_database'
	run -100 once
	[ "$output" = 'incr-flush: postgres: no row in incr_database; run incr-db create' ]
	untouched
	[ -z "$(noted)" ]
	incr-db create
	once
	sum_is 3
}

@test "two databases at the same time: only one counts" {
	increments 1 2000 | incr-publish
	other_database
	DATABASE_URL=$HERE background incr-drain -o -n 10 2>"$DIR/err.1"
	local first=$!
	background incr-drain -o -n 10 2>"$DIR/err.2"
	local second=$! statuses=
	for pid in $first $second; do
		wait "$pid" && statuses+='0 ' || statuses+="$? "
	done
	# Who comes when all is taken has nothing to count.
	[[ "$statuses" =~ ^(0 100|100 0|0 0)\ $ ]]
	[ "$(noted)" = "$(id)" ] || DATABASE_URL=$HERE
	once -i 0.1
	total_is 2001000
}

@test "input without a queue is counted in any database" {
	increment 3 | incr-publish
	once
	other_database
	increment 5 | incr-flush
	total_is 5
}

@test "Postgres leads to another database after a reconnect: 111, nothing there" {
	increment 3 | incr-publish
	local status=0
	pipe
	wait_for 10 sum_is 3
	wait_for 5 no_batches
	sql "update incr_database set id = '$OTHER_ID'"
	sql "select pg_terminate_backend(pid) from pg_stat_activity where
		datname = current_database() and application_name = 'incr-flush'"
	increment 4 | incr-publish
	left || status=$?
	[ "$status" -eq 111 ]
	grep -q '^incr-flush: postgres: this is no longer database .*; not committed$' "$DIR/err"
	sum_is 3
	[ "$(batches | wc -l)" = 1 ]
}

# Rows that are old there may be those of consumers that another Redis knows.
@test "another database after a reconnect is left, with nothing to count, too" {
	local b=bbbbbbbb-0000-4000-8000-00000000000b status=0
	known $b
	mkfifo "$DIR/lines"
	exec 8<>"$DIR/lines"
	background incr-flush -i 0.1 <"$DIR/lines" 2>"$DIR/err" 8>&-
	flush=$!
	{
		checkpoint $b 0 0
		increment 1
		checkpoint $b 1 1
	} >&8
	wait_for 10 sum_is 1
	kill -STOP "$flush"
	sql "update incr_database set id = '$OTHER_ID'"
	sql "insert into incr_ledger (consumer, queue, seq, committed_at)
		values (gen_random_uuid(), '$INCR_QUEUE', 5, now() - interval '40 days')"
	sql "select pg_terminate_backend(pid) from pg_stat_activity where
		datname = current_database() and application_name = 'incr-flush'"
	kill -CONT "$flush"
	left || status=$?
	exec 8>&-
	[ "$status" -eq 111 ]
	grep -q 'this is no longer database' "$DIR/err"
	[ "$(sql 'select count(*) from incr_ledger')" = 2 ]
}

@test "a pooler leads to another database without a reconnect: the same" {
	increment 3 | incr-publish
	local status=0
	pipe
	wait_for 10 sum_is 3
	wait_for 5 no_batches
	sql "update incr_database set id = '$OTHER_ID'"
	increment 4 | incr-publish
	left || status=$?
	[ "$status" -eq 111 ]
	grep -q 'this is no longer database' "$DIR/err"
	sum_is 3
	[ "$(batches | wc -l)" = 1 ]
}

# A row that is read there proves nothing, be it the one of a batch that
# was adopted, or of a statement that moved nothing.
@test "a ledger that is read through a pooler in another database proves nothing" {
	local other=bbbbbbbb-0000-4000-8000-00000000000b own flush status=0
	own=aaaaaaaa-0000-4000-8000-00000000000a
	known $own $other
	mkfifo "$DIR/lines"
	exec 8<>"$DIR/lines"
	background incr-flush -i 0.1 <"$DIR/lines" 2>"$DIR/err" 8>&-
	flush=$!
	{ checkpoint $own 0 0; increment 3; checkpoint $own 1 1; } >&8
	wait_for 10 sum_is 3
	sql "insert into incr_ledger (consumer, queue, seq)
		values ('$other', '$INCR_QUEUE', 7)"
	sql "update incr_database set id = '$OTHER_ID'"
	rcli zadd "incr::queue::[$INCR_QUEUE]::consumer::$other::batches" 1 7 >/dev/null
	rcli lpush "incr::queue::[$INCR_QUEUE]::consumer::$other::batch::7" x >/dev/null
	{ increment 4; checkpoint $other 7 1 true; } >&8
	wait_for 10 gone "$flush"
	exec 8>&-
	wait "$flush" || status=$?
	[ "$status" -eq 111 ]
	grep -q 'this is no longer database' "$DIR/err"
	sum_is 3
	[ "$(batches | wc -l)" = 1 ]
}

@test "the ledger row of another queue proves nothing" {
	local other=bbbbbbbb-0000-4000-8000-00000000000b
	known $other
	sql "insert into incr_ledger (consumer, queue, seq)
		values ('$other', 'another', 1)"
	{
		checkpoint $other 0 0
		checkpoint $other 0 0 false ',"end":true'
	} | incr-flush
	{
		known aaaaaaaa-0000-4000-8000-00000000000a
		checkpoint aaaaaaaa-0000-4000-8000-00000000000a 0 0
		increment 4
		checkpoint $other 1 1 true
	} >"$DIR/in"
	rcli zadd "incr::queue::[$INCR_QUEUE]::consumer::$other::batches" 1 1 >/dev/null
	rcli lpush "incr::queue::[$INCR_QUEUE]::consumer::$other::batch::1" x >/dev/null
	run incr-flush <"$DIR/in"
	[ "$status" -ne 0 ]
	[ "$(batches | wc -l)" = 1 ]
}

@test "Redis is another one after a reconnect: 111, nothing acknowledged" {
	local server=$INCR_SUITE/r$BATS_SUITE_TEST_NUMBER
	own_redis
	increment 3 | incr-publish
	local status=0
	pipe
	wait_for 10 sum_is 3
	wait_for 5 no_batches
	rcli set "$NOTED" "$OTHER_ID"
	lock increments
	increment 4 | incr-publish
	waits_for_lock_now() { waits_for_lock 1; }
	wait_for 10 waits_for_lock_now
	# So that it is committed before.
	kill -STOP "$flush"
	rcli client kill type normal
	unlock
	wait_for 10 sum_is 7
	kill -CONT "$flush"
	left || status=$?
	[ "$status" -eq 111 ]
	grep -q "is counted in database $OTHER_ID, this is $(id)" "$DIR/err"
	[ "$(batches | wc -l)" = 1 ]
}

@test "Redis has forgotten the id: it is noted again" {
	increment 3 | incr-publish
	once
	rcli del "$NOTED"
	increment 4 | incr-publish
	once
	sum_is 7
	[ "$(noted)" = "$(id)" ]
}

@test "the id is noted at the maxmemory, too" {
	own_redis --maxmemory-policy noeviction
	increment 3 | incr-publish
	incr-consume -o >"$DIR/stream"
	rcli config set maxmemory 1
	incr-flush <"$DIR/stream"
	[ "$(noted)" = "$(id)" ]
	sum_is 3
}

# -- adopt -------------------------------------------------------------------

@test "adopt says both ids and lets the other database count" {
	increment 3 | incr-publish
	once
	increment 4 | incr-publish
	other_database
	run -100 once
	run -0 incr-db --yes adopt
	[ "$output" = "queue $INCR_QUEUE: was counted in database $(DATABASE_URL=$HERE id), now in $OTHER_ID" ]
	[ "$(noted)" = "$OTHER_ID" ]
	once
	total_is 4
	increment 5 | incr-publish
	DATABASE_URL=$HERE run -100 once
}

@test "adopt asks on a terminal, and needs one or --yes" {
	increment 3 | incr-publish
	once
	other_database
	run -100 incr-db adopt </dev/null
	[[ "$output" == *'adopt: standard input is not a terminal; needs --yes' ]]
	cat >"$DIR/typed" <<-'EXPECT'
		set timeout 10
		set answer [lindex $argv 0]
		eval spawn -noecho [lrange $argv 1 end]
		expect "y/N" { send "$answer\r" }
		expect eof
		exit [lindex [wait] 3]
	EXPECT
	run -1 expect "$DIR/typed" n incr-db adopt
	[[ "$output" == *"is counted in database $(DATABASE_URL=$HERE id); this is $OTHER_ID"*'nothing changed'* ]]
	[ "$(noted)" != "$OTHER_ID" ]
	run -0 expect "$DIR/typed" y incr-db adopt
	[ "$(noted)" = "$OTHER_ID" ]
}

@test "adopt takes --queue and --redis, before a queue was ever counted" {
	local queue=$INCR_QUEUE redis=$REDIS_URL
	unset INCR_QUEUE REDIS_URL
	run -0 incr-db -q "$queue" --redis="$redis" -y adopt
	[ "$output" = "queue $queue: was counted in database none, now in $(id)" ]
	INCR_QUEUE=$queue REDIS_URL=$redis
	[ "$(noted)" = "$(id)" ]
	run -100 incr-db -q 'no queue' -y adopt
	[[ "$output" == 'incr-db: '* ]]
	run -111 incr-db -r "unix://$DIR/none" -y adopt
	[[ "$output" == 'incr-db: redis: '* ]]
	DATABASE_URL="postgresql:///x?host=$DIR" run -111 incr-db -y adopt
	[[ "$output" == 'incr-db: postgres: '* ]]
	run -111 sh -c 'incr-db -y adopt >/dev/full'
	run -100 incr-flush --adopt later
}

# -- tables of 0.1.0 ---------------------------------------------------------

tables_of_0_1_0() {
	sql 'drop table increments, incr_ledger, incr_database'
	sql 'create table increments (
		key        uuid        primary key,
		value      numeric     not null check (value > 0),
		updated_at timestamptz not null default now()
	) with (fillfactor = 70)'
	sql 'create table incr_ledger (
		consumer     uuid        primary key,
		queue        text        not null,
		seq          bigint      not null,
		committed_at timestamptz not null default now()
	)'
}

@test "create brings the tables of 0.1.0 to their shape, and keeps the rows" {
	tables_of_0_1_0
	sql "insert into increments values ('$KEY', 7)"
	sql "insert into incr_ledger values ('$OTHER_ID', 'q', 5)"
	increment 3 | incr-publish
	run -100 once
	[[ "$output" == *'"incr_database" does not exist (42P01); run incr-db create' ]]
	run -0 incr-db create
	[ -z "$output" ]
	[ "$(sql 'select seq, lines from incr_ledger')" = '5|0' ]
	once
	sum_is 10
	local before
	before=$(id)
	run -0 incr-db create
	[ -z "$output" ]
	[ "$(id)" = "$before" ]
}

@test "create is one transaction: where it may not do all, it does nothing" {
	tables_of_0_1_0
	sql 'do $$ begin create role not_owner login; exception
		when duplicate_object then null; end $$'
	sql 'grant create on schema public to not_owner'
	DATABASE_URL=${DATABASE_URL/user=postgres/user=not_owner} run -100 incr-db create
	[ "$output" = 'incr-db: postgres: must be owner of table incr_ledger' ]
	[ "$(sql "select count(*) from pg_class where relname = 'incr_database'")" = 0 ]
	# Where all is there, it needs no more rights than before.
	incr-db create
	DATABASE_URL=${DATABASE_URL/user=postgres/user=not_owner} run -0 incr-db create
}

@test "the grants of 0.1.0 stay enough" {
	sql 'do $$ begin create role old_worker login; exception
		when duplicate_object then null; end $$'
	tables_of_0_1_0
	sql 'grant select, insert, update on increments to old_worker'
	sql 'grant select, insert, update, delete on incr_ledger to old_worker'
	incr-db create
	increment 3 | incr-publish
	DATABASE_URL=${DATABASE_URL/user=postgres/user=old_worker} once
	sum_is 3
}

@test "each database has an id of its own, a copy has the same" {
	local template
	template=$(id)
	sql 'drop table incr_database'
	incr-db create
	[ "$(id)" != "$template" ]
	run ! sql 'insert into incr_database (one, id) values (true, gen_random_uuid())'
	run ! sql 'insert into incr_database (one, id) values (false, gen_random_uuid())'
}

# -- lines of the ledger -----------------------------------------------------

lines() { sql 'select coalesce(sum(lines), 0) from incr_ledger'; }

@test "the ledger adds up the lines of its batches, dead letters among them" {
	increments 1 10 | incr-publish
	echo nonsense | put_stdin
	run -1 once
	[ "$(lines)" = 11 ]
	increments 1 30 | incr-publish
	incr-consume -o -n 10 >"$DIR/stream"
	incr-flush <"$DIR/stream"
	[ "$(lines)" = 41 ]
	# Once more: nothing is counted, and no line.
	incr-flush <"$DIR/stream"
	[ "$(lines)" = 41 ]
	sum_is 520
	# These never were in the queue.
	increments 1 5 | incr-flush
	[ "$(lines)" = 41 ]
}

@test "the lines of an adopted range, of which a part is counted, count once" {
	local a=aaaaaaaa-0000-4000-8000-00000000000a
	local b=bbbbbbbb-0000-4000-8000-00000000000b
	known $a $b
	stream() {
		checkpoint $b 0 0
		for seq in "$@"; do
			increment 1
			echo bad
			checkpoint $a "$seq" 2 true
		done
		checkpoint $b 0 0 false ',"end":true'
	}
	stream 1 2 >"$DIR/1"
	stream 1 2 3 >"$DIR/2"
	run -1 incr-flush <"$DIR/1"
	run -1 incr-flush <"$DIR/2"
	[ "$(lines)" = 6 ]
	sum_is 3
}

@test "rows that are deleted leave their lines in one row of the queue" {
	local old="now() - interval '40 days'"
	sql "insert into incr_ledger (consumer, queue, seq, committed_at, lines)
		select gen_random_uuid(), '$INCR_QUEUE', 3, $old, 100
		from generate_series(1, 150)"
	sql "insert into incr_ledger (consumer, queue, seq, committed_at, lines)
		values (gen_random_uuid(), 'another', 3, $old, 7)"
	increment 3 | incr-publish
	pipe
	folded() { [ "$(sql "select count(*), sum(lines) from incr_ledger
		where queue = '$INCR_QUEUE'")" = '2|15001' ]; }
	wait_for 10 folded
	end_background
	# It stays when it is old, too, and takes more.
	sql "update incr_ledger set committed_at = $old where seq = 0"
	sql "insert into incr_ledger (consumer, queue, seq, committed_at, lines)
		values (gen_random_uuid(), '$INCR_QUEUE', 3, $old, 100)"
	increment 4 | incr-publish
	pipe
	more() { [ "$(sql "select lines from incr_ledger
		where queue = '$INCR_QUEUE' and seq = 0")" = 15100 ]; }
	wait_for 10 more
	[ "$(sql "select lines from incr_ledger where queue = 'another'")" = 7 ]
	end_background
	# Alone it is left as it is: one that is old and has no lines goes.
	sql "update incr_ledger set committed_at = $old where seq = 0"
	sql "insert into incr_ledger (consumer, queue, seq, committed_at, lines)
		values (gen_random_uuid(), '$INCR_QUEUE', 5, $old, 0)"
	increment 5 | incr-publish
	pipe
	gone_without() { [ "$(sql 'select count(*) from incr_ledger where seq = 5')" = 0 ]; }
	wait_for 10 gone_without
	[ "$(sql "select count(*) from incr_ledger where seq = 0
		and committed_at < now() - interval '39 days' and lines = 15100")" = 1 ]
	incr-audit >"$DIR/audit" || { cat "$DIR/audit"; false; }
}
