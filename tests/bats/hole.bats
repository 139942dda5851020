#!/usr/bin/env bats
# A link that is a black hole: its peers can only time out.  Nothing must be
# locked for longer, and nothing waited for.

bats_require_minimum_version 1.5.0
load helper

setup() {
	DIR=$BATS_TEST_TMPDIR
	PG=$INCR_SUITE/p$BATS_SUITE_TEST_NUMBER
}

teardown() {
	end_background
	[ ! -d "$PG" ] || pg_stop "$PG" QUIT
}

# hole SERVER: $HOLE is the port in front of it
hole() {
	HOLE=$(free_port)
	background perl "$ROOT/tests/bats/hole.pl" "$HOLE" "$1" "$DIR"
	wait_for 10 listens "$HOLE"
}
listens() { [ -n "$(ss -Hltn "sport = :$1")" ]; }

# own_postgres: it listens on TCP, too; $PORT
own_postgres() {
	PORT=$(free_port)
	export PGPORT=$PORT # the name of the Unix socket, too
	mkdir -m 755 "$PG"
	pg_start "$PG" listen_addresses=127.0.0.1 port="$PORT"
	export DATABASE_URL="postgresql://postgres@127.0.0.1:$PORT/postgres"
	incr-db create
}

# timers PORT: those of connections to it
timers() { ss -Htno state established "dport = :$1"; }

@test "the locks of a session behind a black hole go within seconds" {
	own_postgres
	hole "127.0.0.1:$PORT"
	increment 1 | incr-flush
	touch "$DIR/sync"
	mkfifo "$DIR/in"
	exec 8<>"$DIR/in"
	DATABASE_URL="postgresql://postgres@127.0.0.1:$HOLE/postgres" \
		background incr-flush -i 0.1 <"$DIR/in" 8>&-
	increment 2 >&8
	wait_for 10 test -e "$DIR/synced"
	begun=${EPOCHREALTIME/./}
	# The same row, from a healthy one.
	increment 4 | timeout 60 incr-flush
	echo "# counted after $(((${EPOCHREALTIME/./} - begun) / 1000)) ms" >&3
	not elapsed "$begun" 10000000
	exec 8>&-
	wait_for 20 sum_is 7
}

@test "both ends look after three seconds; the client as the URL says" {
	own_postgres
	hole "127.0.0.1:$PORT"
	mkfifo "$DIR/in"
	exec 8<>"$DIR/in"
	background incr-flush <"$DIR/in" 8>&-
	wait_for 10 asked 1
	DATABASE_URL="$DATABASE_URL?keepalives_idle=60&tcp_user_timeout=60000" \
		background incr-flush <"$DIR/in" 8>&-
	wait_for 10 patient
	exec 8>&-
}
# The server's ends, as the server's kernel tells: a keepalive is due in 3 s.
asked() { [ "$(ss -Htno "sport = :$PORT" | grep -cE 'keepalive,([0-3]\.|[0-9]+ms)')" -ge "$1" ]; }
patient() { timers "$PORT" | grep -E 'keepalive,[1-5][0-9]sec'; }

@test "every connection to Redis notices that its peer is gone" {
	own_redis --port "$((HOLE_REDIS = $(free_port)))"
	export REDIS_URL=redis://127.0.0.1:$HOLE_REDIS INCR_QUEUE=q
	mkfifo "$DIR/in"
	exec 8<>"$DIR/in"
	background incr-publish <"$DIR/in" 8>&-
	wait_for 10 kept_alive
	exec 8>&-
}
kept_alive() { timers "$HOLE_REDIS" | grep -E 'keepalive,([0-3]\.|[0-9]+ms)'; }
