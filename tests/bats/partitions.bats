#!/usr/bin/env bats
# A table of counts in hash partitions, several databases behind the queues of
# one pipeline, and workers whose statements meet on the same rows.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

A=aaaaaaaa-0000-4000-8000-00000000000a
B=bbbbbbbb-0000-4000-8000-00000000000b
C=cccccccc-0000-4000-8000-00000000000c

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

# initdb ROLE: etc/initdb, as the image of Postgres runs it
initdb() {
	mkdir -p "$DIR/path"
	cat >"$DIR/path/psql" <<-END
		#!/bin/sh
		while [ "\$1" != --single-transaction ]; do
			case \$1 in -[Ud]) shift ;; *) set -- "\$@" "\$1" ;; esac
			shift
		done
		exec $(command -v psql) "$DATABASE_URL" "\$@"
	END
	chmod +x "$DIR/path/psql"
	echo "postgresql://$1:pa55@postgres/incr" >"$DIR/database_url"
	sed "s:/run/secrets:$DIR:; s:/usr/local/share/incr:$ROOT/sql:" \
		"$ROOT/etc/initdb" >"$DIR/initdb"
	PATH=$DIR/path:$PATH sh "$DIR/initdb"
}

@test "etc/initdb: INCR_PARTITIONS of a container, and none" {
	local role=drain_$$ n
	for n in 4 ''; do
		sql 'drop table increments, incr_ledger, incr_database' >/dev/null
		INCR_PARTITIONS=$n initdb "$role"
		[ "$(parts)" = "${n:-0}" ]
		keys 50 | PGOPTIONS="-c role=$role" incr-flush
		total_is 1275
		sql "drop owned by $role; drop role $role" >/dev/null
	done
	for n in 0 257 x '4;'; do
		INCR_PARTITIONS=$n run -100 initdb "$role"
		[[ "$output" == "initdb: INCR_PARTITIONS: $n: not a number from 1 to 256; "* ]]
	done
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

# -- docs/scale.md ----------------------------------------------------------------

# block KIND TEXT: the block of this kind that has TEXT
block() {
	awk -v kind="<!-- $1 -->" -v text="$2" '$0 == kind { marked = 1; next }
		marked && /^```sh$/ { marked = 0; inside = 1; block = ""; next }
		inside && /^```$/ { inside = 0; if (index(block, text)) printf "%s", block; next }
		inside { block = block $0 "\n" }' "$ROOT/docs/scale.md" >"$DIR/block"
	cat "$DIR/block"
	[ -s "$DIR/block" ]
}
typed() {
	block "$@"
	sh -eu "$DIR/block"
}

# The loop is killed once, and typed again; a drain counts all along.
@test "a table that is there gets partitions while it is counted into" {
	local loop expected
	keys 1000 | incr-flush
	mkfifo "$DIR/in"
	exec 9<>"$DIR/in"
	background incr-flush -i 0.1 <"$DIR/in" 9>&-
	flush=$!
	keys 1500 >&9
	expected=$((500500 + 1125750))
	wait_for 10 total_is $expected
	typed partitions 'rename to increments_old'
	keys 700 >&9
	wait_for 20 total_is 245350
	block partitions 'for byte in'
	# It can't come to its end.
	hold 'select from increments_old order by key desc limit 1 for update' 9>&-
	background setsid sh -eu "$DIR/block" 9>&-
	loop=$!
	wait_for 20 moved_some
	kill -9 -- "-$loop"
	run ! typed partitions 'rows are left'
	[[ "$output" == *'ERROR:  rows are left'* ]]
	unlock
	keys 900 >&9
	typed partitions 'for byte in'
	typed partitions 'rows are left'
	exec 9>&-
	wait "$flush"
	run -0 incr-db --partitions 16 create
	total_is $((expected + 245350 + 405450))
}
moved_some() { [ "$(sql 'select count(*) from increments_old')" -lt 1500 ]; }

@test "shards in two databases, as the page types it" {
	local second=${DATABASE_URL/t$BATS_SUITE_TEST_NUMBER/u$BATS_SUITE_TEST_NUMBER} line
	own_redis
	cd "$DIR" || return
	sql "drop database if exists u$BATS_SUITE_TEST_NUMBER"
	sql "create database u$BATS_SUITE_TEST_NUMBER"
	export FIRST=$DATABASE_URL SECOND=$second INCR_QUEUE=increments
	sql 'drop table increments, incr_ledger, incr_database'
	typed partitions 'incr-db -d "$FIRST"'
	block databases 'incr-drain -q increments.1'
	while read -r line; do background setsid sh -c "exec env $line"; done <"$DIR/block"
	keys 2000 >keys
	by_shard <keys
	cp keys increments.ndjson
	typed partitions 'incr-publish --shards'
	wait_for 20 total_is "$(sum_in shard.0)"
	DATABASE_URL=$SECOND wait_for 20 total_is "$(sum_in shard.1)"
	typed partitions 'incr-audit -d "$FIRST"' >audit
	cat audit
	grep -qE "^total .* $(sum_in keys)\$" audit
	end_background
	psql -Xq -h "$INCR_SUITE/pg" -U postgres -d postgres \
		-c "drop database u$BATS_SUITE_TEST_NUMBER with (force)"
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

# -- workers that meet on the same rows ------------------------------------------

# One that has locked the least key of a window waits for no other that has
# locked a later one: so no two wait for each other.  free LOCKED: how many keys
# of ten are locked by nobody while a statement waits for LOCKED.
free() {
	local n
	hold "select from increments where key = '$(key "$1")' for update"
	background incr-flush -i 20 <"$2"
	wait_for 10 waits_for_lock
	n=$(sql 'select count(*) from (select from increments for update skip locked) as free')
	unlock
	wait "$!"
	echo "$n"
}
key() { printf '%08d-0000-4000-8000-000000000000' "$1"; }

# of NUMBER...: a line for each key
of() {
	local n
	for n; do increment 1 "$(key "$n")"; done
}

@test "statements lock their rows in the order of the keys" {
	known $A $B $C
	{ checkpoint $A 0 0; of 7 3 9 1 5 10 2 8 6 4; checkpoint $A 1 10
		checkpoint $A 1 0 false ',"end":true'; } >"$DIR/own"
	{ checkpoint $A 0 0; of 7 3 9 1 5; checkpoint $B 1 5 true
		of 10 2 8 6 4; checkpoint $C 1 5 true
		checkpoint $A 0 0 false ',"end":true'; } >"$DIR/adopted"
	of 7 3 9 1 5 10 2 8 6 4 >"$DIR/plain"
	for n in 1 4; do
		partitioned "$n"
		for stream in own adopted plain; do
			sql 'truncate incr_ledger'
			of 1 2 3 4 5 6 7 8 9 10 | incr-flush
			[ "$(free 1 "$DIR/$stream")" = 9 ]
			sql 'delete from incr_ledger'
			[ "$(free 10 "$DIR/$stream")" = 0 ]
		done
	done
}

# All wait for the least key at first: what they do then, they do together.
@test "four workers, the same keys in partitions: nothing deadlocks" {
	local pids=() i
	partitioned 4
	keys 3000 | incr-flush
	keys 3000 >"$DIR/keys"
	hold 'select from increments order by key limit 1 for update'
	for i in 1 2 3 4; do
		background incr-flush -i 20 < <(shuf "$DIR/keys")
		pids+=($!)
	done
	wait_for 20 waits_for_lock 4
	unlock
	wait "${pids[@]}"
	total_is $((5 * 4501500))
	[ "$(sql 'select deadlocks from pg_stat_database where datname = current_database()')" = 0 ]
}

# -- several databases, through poolers, by URLs of several hosts ----------------

# pool DATABASE...: a PgBouncer before them, as it comes, in the folder POOL
pool() {
	POOL=$DIR/pool
	chmod 711 "$BATS_RUN_TMPDIR" "${DIR%/*}" "$DIR"
	mkdir -m 777 "$POOL"
	{
		echo '[databases]'
		printf "%s = host=$INCR_SUITE/pg user=postgres\n" "$@"
		printf '%s\n' '[pgbouncer]' listen_addr= listen_port=6432 \
			auth_type=any "unix_socket_dir=$POOL" \
			pool_mode=transaction default_pool_size=2 \
			"pidfile=$POOL/pid" "logfile=$POOL/log"
	} >"$DIR/pool.ini"
	alone as_postgres pgbouncer -qd "$DIR/pool.ini"
	wait_for 10 test -s "$POOL/pid"
	remember "$(cat "$POOL/pid")"
}

# by_shard: lines of standard input into shard.0 and shard.1, by their keys
by_shard() {
	python3 -c '
import json, sys, uuid, zlib
files = [open("shard.0", "w"), open("shard.1", "w")]
for line in sys.stdin:
    key = uuid.UUID(json.loads(line)["key"])
    files[zlib.crc32(key.bytes) % 2].write(line)'
}

# Each shard is a queue with drains of its own; the first host is no server.
@test "two databases behind two shards, by a pooler, with a host that is down" {
	local name=${DATABASE_URL#postgresql:///} direct=$DATABASE_URL i pids=()
	cd "$DIR" || return
	name=${name%%\?*}
	psql -Xq -h "$INCR_SUITE/pg" -U postgres -d postgres \
		-c "drop database if exists ${name}b" -c "create database ${name}b"
	pool "$name" "${name}b"
	url=("postgresql:///$name?host=/nowhere,$POOL&port=6432&user=postgres"
		"postgresql:///${name}b?host=/nowhere,$POOL&port=6432&user=postgres")
	sql 'drop table increments'
	for i in 0 1; do incr-db -d "${url[i]}" --partitions 4 create; done
	keys 2000 | by_shard
	for i in 0 1; do
		cat "shard.$i" "shard.$i" | incr-publish -q "$INCR_QUEUE.$i"
		for _ in 1 2; do
			background sh -c 'incr-consume -o -n 500 -q "$1" |
				incr-flush -q "$1" -d "$2"' - "$INCR_QUEUE.$i" "${url[i]}"
			pids+=($!)
		done
	done
	wait "${pids[@]}"
	[ "$(total)" = $((2 * $(sum_in shard.0))) ]
	for i in 0 1; do
		run -0 incr-audit -q "$INCR_QUEUE.$i" -d "${url[i]}" \
			--expect $((2 * $(sum_in "shard.$i")))
	done
	head -n 1 shard.0 | incr-publish -q "$INCR_QUEUE.0"
	# What is one shard's is not counted in the database of the other.
	run -100 sh -c 'incr-consume -o -q "$1" | incr-flush -q "$1" -d "$2"' \
		- "$INCR_QUEUE.0" "${url[1]}"
	[[ "$output" == *"is counted in database "* ]]
	DATABASE_URL=$direct
	[ "$(sql 'select count(*) from increments')" = "$(wc -l <shard.0)" ]
	psql -Xq -h "$INCR_SUITE/pg" -U postgres -d postgres \
		-c "drop database ${name}b with (force)"
}
sum_in() { sed 's/.*"value"://; s/}//' "$1" | awk '{ n += $1 } END { print n }'; }

# -- the first windows ------------------------------------------------------------

# sizes: how many keys each statement has written, the first one first
note_sizes() {
	sql 'create table sizes (n bigint, at serial)'
	sql 'create function note() returns trigger language plpgsql as $$begin
		insert into sizes (n) select count(*) from new_rows where pg_trigger_depth() = 1
		having count(*) > 0; return null; end$$'
	sql 'create trigger sizes after insert on increments
		referencing new table as new_rows
		for each statement execute function note()'
}
sizes() { sql 'select string_agg(n::text, $$ $$ order by at) from sizes'; }
# full PID: it waits until its reader takes more
full() { grep -q 'pipe_write$' "/proc/$1/wchan"; }

# A statement waits; the lines of 250000 keys come meanwhile.
@test "until the cost of a statement is known, none has more than 100000 keys" {
	local feeder flush first
	known $A $B
	note_sizes
	keys 250000 >"$DIR/keys"
	{ checkpoint $A 0 0
		split -l 10000 --filter='cat; echo' "$DIR/keys" | awk -v head="$(checkpoint $A 0 10000)" '
			$0 == "" { sub(/"seq":[0-9]*/, "\"seq\":" ++n, head); print head; next } 1'
		checkpoint $A 1 0 false ',"end":true'; } >"$DIR/own"
	for stream in keys own; do
		sql 'truncate increments, incr_ledger, sizes'
		lock increments
		mkfifo "$DIR/in.$stream"
		exec 9<>"$DIR/in.$stream"
		background incr-flush -i 20 <"$DIR/in.$stream" 9>&-
		flush=$!
		background cat "$DIR/$stream" >&9
		feeder=$!
		exec 9>&-
		wait_for 20 waits_for_lock
		wait_for 20 full "$feeder"
		unlock
		wait "$flush"
		[ "$(sql 'select count(*) from increments')" = 250000 ]
		first=$(sizes)
		echo "$stream: $first"
		[ "${first%% *}" = 100000 ]
	done
}
