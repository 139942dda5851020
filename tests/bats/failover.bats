#!/usr/bin/env bats
# Postgres fails over, to a synchronous standby that lacks what the primary
# said it had, or is reached where it can't be trusted.

bats_require_minimum_version 1.5.0
load helper

A=aaaaaaaa-0000-4000-8000-00000000000a
B=bbbbbbbb-0000-4000-8000-00000000000b

setup() {
	use_redis
	DIR=$BATS_TEST_TMPDIR
	chmod 711 "$BATS_RUN_TMPDIR" "${DIR%/*}" "$DIR"
	P=$(mktemp -d /tmp/incr-p.XXXXXX) # short names, for sockets
	S=$(mktemp -d /tmp/incr-s.XXXXXX)
	chmod 711 "$P" "$S"
	PGHOST=$P PGUSER=postgres
	export PGHOST PGUSER
	pg_start "$P"
	export DATABASE_URL="postgresql:///postgres?host=$P"
	incr-db create
	pg_standby "$S" "$P"
}

teardown() {
	end_background
	pg_stop "$P" QUIT
	pg_stop "$S" QUIT
	rm -rf "$P" "$S" "$P".* "$S".*
}

on_primary() { psql -XAtq -h "$P" -d postgres -c "$1"; }
on_standby() { psql -XAtq -h "$S" -d postgres -c "$1"; }
caught_up() {
	[ "$(on_standby 'select sum(value) from increments')" = "$1" ]
}

# drain: incr-consume | incr-flush, on whichever of the two is the primary
drain() {
	mkfifo "$DIR/lines"
	exec 8<>"$DIR/lines"
	DATABASE_URL="postgresql:///postgres?host=$P,$S" \
		background incr-flush -i 0.1 <"$DIR/lines" 2>"$DIR/err" 8>&-
	flush=$!
	background incr-consume >"$DIR/lines" 8>&-
	exec 8>&-
}

# waiting QUERY: a COMMIT of one waits for the standby
waiting() {
	[ "$(on_primary "select count(*) from pg_stat_activity where
		wait_event = 'SyncRep' and query like '%$1%'")" = 1 ]
}

# unreplicated COMMAND...: the standby goes, a window waits for it, COMMAND ends
# the waiting; then the standby takes over.  All is counted there, once.
unreplicated() {
	on_primary "alter system set synchronous_standby_names = '*'"
	on_primary 'select pg_reload_conf()' >/dev/null
	increments 1 100 | incr-publish
	drain
	wait_for 10 caught_up 5050
	wait_for 10 no_batches
	pg_stop "$S"
	increments 101 200 | incr-publish
	wait_for 10 waiting 'into public.increments'
	"$@"
	# It is not content with a row that it only reads.
	wait_for 20 waiting 'set committed_at = now() where consumer'
	[ -n "$(batches)" ]
	pg_stop "$P" QUIT
	pg_start "$S"
	pg_promote "$S"
	on_standby "alter system set synchronous_standby_names = ''"
	on_standby 'select pg_reload_conf()' >/dev/null
	wait_for 30 caught_up 20100
	wait_for 10 no_batches
	kill -0 "$flush"
}

ended() { # FUNCTION: of the backend whose COMMIT waits
	on_primary "select $1(pid) from pg_stat_activity
		where wait_event = 'SyncRep'" >/dev/null
}
restarted() {
	kill -9 "$(cat "$P.pid")"
	wait_for 10 gone "$(cat "$P.pid")"
	wait_for 20 no_backends
	pg_start "$P"
}
# Its children notice by themselves, and hold its shared memory until then.
no_backends() { ! ps -o args= -e | grep -F "postgres -D $P/" | grep -qv grep; }

@test "a COMMIT whose wait for the standby is cancelled is no proof" {
	unreplicated ended pg_cancel_backend
}

@test "a COMMIT whose wait ends with its session is no proof" {
	unreplicated ended pg_terminate_backend
}

@test "a COMMIT that waited when the primary was killed is no proof" {
	unreplicated restarted
}

# adopted: batch 3 of a consumer whose first two are counted
adopted() {
	known $A $B
	checkpoint $A 0 0
	increment 1
	checkpoint $B 3 1 true
	checkpoint $A 0 0 false ',"end":true'
}

# lagging: the standby has none of what the primary has counted
lagging() {
	wait_for 10 on_standby 'table incr_ledger'
	on_standby 'select pg_wal_replay_pause()'
	on_primary "insert into incr_ledger (consumer, queue, seq)
		values ('$B', '$INCR_QUEUE', 2)"
}

has_row() { [ "$(on_standby 'select seq from incr_ledger')" = 2 ]; }

@test "a standby that lags behind is not asked, but the next host" {
	lagging
	adopted >"$DIR/in"
	DATABASE_URL="postgresql:///postgres?host=$S,$P" \
		run -0 incr-flush -w 20 <"$DIR/in"
	[ -z "$output" ]
	[ "$(on_primary 'select sum(value) from increments')" = 1 ]
}

@test "a standby alone is waited for until it can be written to" {
	lagging
	adopted >"$DIR/in"
	DATABASE_URL="postgresql:///postgres?host=$S" \
		background incr-flush <"$DIR/in" 2>"$DIR/err"
	flush=$!
	wait_for 10 grep -q 'session is read-only; waiting$' "$DIR/err"
	on_standby 'select pg_wal_replay_resume()'
	wait_for 10 has_row
	pg_stop "$P"
	pg_promote "$S"
	wait "$flush"
	[ "$(on_standby 'select sum(value) from increments')" = 1 ]
}

@test "incr-audit does not ask a standby either" {
	lagging
	increment 5 | incr-flush
	DATABASE_URL="postgresql:///postgres?host=$S,$P" \
		run -0 incr-audit --expect 5
}

@test "incr-db passes a standby over, too, whatever it is to do" {
	wait_for 10 on_standby 'table incr_database'
	on_standby 'select pg_wal_replay_pause()'
	on_primary 'drop table increments'
	DATABASE_URL="postgresql:///postgres?host=$S,$P" run -0 incr-db create
	[ -z "$output" ]
	increment 5 | incr-flush
	DATABASE_URL="postgresql:///postgres?host=$S,$P" run -0 incr-db -p show
	[[ "$output" == "$KEY	5	"* ]]
	PGHOST=$S,$P DATABASE_URL='' run -0 incr-db -y clear
	[ -z "$(on_primary 'table increments')" ]
	# Unless it is told so.
	DATABASE_URL="postgresql:///postgres?host=$S,$P&target_session_attrs=any" \
		run -111 incr-db create
	[[ "$output" == *'read-only transaction' ]]
}

# -- a server that lacks what was acknowledged ---------------------------------

no_unacked() {
	[ -z "$(rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::consumer::*::batches")" ]
}
primary_has() { [ "$(on_primary 'select sum(value) from increments')" = "$1" ]; }
no_receiver() { [ "$(on_standby 'select count(*) from pg_stat_wal_receiver')" = 0 ]; }

# cut_off: the standby gets nothing any more
cut_off() {
	wait_for 10 caught_up 5050
	on_standby "alter system set primary_conninfo = ''"
	on_standby 'select pg_reload_conf()' >/dev/null
	wait_for 10 no_receiver
}
promoted() { pg_promote "$S"; }

# backed_up, restored: a base backup in place of the standby
backed_up() {
	pg_stop "$S"
	rm -rf "$S/data"
	as_postgres "$PG_BIN/pg_basebackup" -h "$P" -U postgres -D "$S/data" \
		-X stream -c fast --no-sync
}
restored() { pg_start "$S"; }

# goes_back BEFORE AFTER: what was counted in between is gone from Postgres
goes_back() {
	increments 1 100 | incr-publish
	drain
	wait_for 10 primary_has 5050
	wait_for 10 no_unacked
	"$1"
	increments 101 200 | incr-publish
	wait_for 10 primary_has 20100
	wait_for 10 no_unacked
	pg_stop "$P" QUIT
	"$2"
}
goes_on() { # SUM
	increments 1 10 | incr-publish
	wait_for 20 caught_up "$1"
	wait_for 10 no_unacked
	kill -0 "$flush"
}

@test "an asynchronous standby that lags takes over: the loss is said" {
	goes_back cut_off promoted
	wait_for 20 grep -Eq 'consumer [0-9a-f-]{36} went back to batch [0-9]+: [1-9][0-9]* lost, 0 restored' "$DIR/err"
	goes_on 5105
	[ "$(grep -c 'went back' "$DIR/err")" = 1 ]
}

@test "an asynchronous standby that lags takes over, with --keep: exact" {
	export INCR_KEEP=60
	goes_back cut_off promoted
	wait_for 30 caught_up 20100
	goes_on 20155
	grep -Eq ': 0 lost, [1-9][0-9]* restored' "$DIR/err"
}

@test "a base backup is restored, with --keep: exact" {
	INCR_KEEP=300 goes_back backed_up restored
	wait_for 30 caught_up 20100
	goes_on 20155
}
