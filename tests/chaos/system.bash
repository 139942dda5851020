# The system under test: real servers in a private folder, proxies before
# them, and two supervisors that share them.
# shellcheck shell=bash

start_system() {
	chmod 711 "$D"
	export INCR_QUEUE=chaos REDIS_URL=unix://$D/redis/redis.sock
	export DATABASE_URL="postgresql:///chaos?host=$D/pg&user=postgres"
	unset INCR_METRICS_DIR INCR_LISTEN
	mkdir "$D/bin" "$D/px" "$D/letters"
	touch "$D/run" "$D/send" "$D/wrong" "$D/statuses"
	make_bin
	make_clocks
	mount_disk redis 192m
	mount_disk pg 300m
	redis_up && postgres_up && start_proxies || return
	# Of a the batches are small, of b the windows and the queue.
	supervise a "$port_a" '-n 20' '-i 1' &
	INCR_HIGH_WATER=1500 supervise b "$port_b" '' '-i 2.5 -m 300' &
	wait_for 60 curl -fs "http://127.0.0.1:$port_a/health/ready" &&
		wait_for 60 curl -fs "http://127.0.0.1:$port_b/health/ready"
}

# The programs, with drains that have options of the rig's, and ingests that
# remember keys for a day, however the clock of Redis is set.
make_bin() {
	ln -s "$BIN"/incr-* "$D/bin"
	ln -s "$ROOT/sql" "$D/sql"
	rm "$D/bin/incr-drain" "$D/bin/incr-ingest"
	cat >"$D/bin/incr-drain" <<-END
		#!/bin/sh
		case " \$* " in
		*' -- '*) ;;
		*) set -- "\$@" -- ;;
		esac
		exec '$BIN/incr-drain' \$CHAOS_CONSUME "\$@" \$CHAOS_FLUSH
	END
	cat >"$D/bin/incr-ingest" <<-END
		#!/bin/sh
		exec '$BIN/incr-ingest' --idempotency-window 86400 "\$@"
	END
	chmod +x "$D/bin/incr-drain" "$D/bin/incr-ingest"
}

# mount_disk NAME SIZE: a disk of its own for a server, that can get full.
mount_disk() {
	mkdir -p "$D/$1"
	[ -z "${CHAOS_MOUNTS-}" ] ||
		mount -t tmpfs -o "size=$2,mode=755" chaos "$D/$1"
}

# -- servers -----------------------------------------------------------------

redis_up() {
	LD_PRELOAD=$ROOT/build/chaos/clock.so CHAOS_CLOCK=$D/clock.redis \
		redis_start "$D/redis" --appendfsync always \
		--maxmemory-policy noeviction --logfile "$D/redis.log" \
		--repl-diskless-load swapdb
} 2>/dev/null

redis_pid() { cat "$D/redis/redis.pid"; }

# A role that is no superuser: such a one is never refused.
postgres_up() {
	pg_start "$D/pg" max_wal_size=96MB min_wal_size=32MB || return
	psql -Xqh "$D/pg" -U postgres -d postgres -c 'create role incr login' \
		-c 'create database chaos owner incr'
}

# Also after a crash that it did not survive.
postgres_again() {
	[ ! -e "$D/pg/data/postmaster.pid" ] || pg_stop "$D/pg" "$1"
	pg_start "$D/pg"
}

postgres_answers() { "$PG_BIN/pg_isready" -qh "$D/pg"; }

# admin SQL...: by another way than that of the programs
admin() {
	local statements=() s
	for s; do statements+=(-c "$s"); done
	PGCONNECT_TIMEOUT=5 psql -XAtqh "$D/pg" -U postgres -d postgres \
		"${statements[@]}"
}

# -- proxies -----------------------------------------------------------------

# All programs go through these, and some clients of a.
start_proxies() {
	port_a=$(free_port) port_b=$(free_port) port_px=$(free_port)
	start_proxy redis "$D/px/redis.sock" "$D/redis/redis.sock"
	start_proxy postgres "$D/px/.s.PGSQL.5432" "$D/pg/.s.PGSQL.5432"
	start_proxy http "$port_px" "$port_a"
	through=(env "REDIS_URL=unix://$D/px/redis.sock"
		"DATABASE_URL=postgresql:///chaos?host=$D/px&user=incr")
	wait_for 10 test -S "$D/px/redis.sock" -a -S "$D/px/.s.PGSQL.5432"
}

start_proxy() {
	mkfifo "$D/px/$1"
	"$ROOT/build/chaos/proxy" "$2" "$3" "$D/px/$1" \
		>"$D/proxy.$1" 2>>"$D/proxy.err" &
	disown # nobody waits for it
}

# -- clocks ------------------------------------------------------------------

make_clocks() {
	set_clock redis 0
	set_clock programs 0
}

# set_clock WHOSE SECONDS: what clock.c adds.  Written in place, in one go.
set_clock() {
	local number bytes='' i
	number=$(printf %016x "$2")
	for ((i = 14; i >= 0; i -= 2)); do bytes+="\\x${number:i:2}"; done
	# shellcheck disable=SC2059 # the format is what is wanted
	printf "$bytes" 1<>"$D/clock.$1"
}

# -- supervisors -------------------------------------------------------------

# supervise NAME PORT CONSUME FLUSH: incr-up, again whenever it ends, and
# options for its drains.
supervise() {
	trap - EXIT
	while [ -e "$D/run" ]; do
		LD_PRELOAD=$ROOT/build/chaos/clock.so \
			CHAOS_CLOCK=$D/clock.programs \
			CHAOS_CONSUME=$3 CHAOS_FLUSH=$4 \
			setsid "${through[@]}" "$D/bin/incr-up" \
			--state "$D/$1" --port "$2" \
			>>"$D/$1.out" 2>>"$D/$1.err" </dev/null &
		echo $! >"$D/$1.pid"
		wait $!
		echo "incr-up $?" >>"$D/statuses"
		sleep 0.2
	done 2>/dev/null
}

# The folder of the sockets of a supervisor's ingests.
sockets() { cat "$D/$1/run/sockets"; }

# -- processes ---------------------------------------------------------------

# Those of this run; not the servers, nor this shell and its likes.
processes() {
	local environ pid name
	for environ in $(grep -lsF "CHAOS_DIR=$D" /proc/[0-9]*/environ); do
		pid=${environ//[!0-9]/}
		name=
		{ read -r name <"/proc/$pid/comm"; } 2>/dev/null
		case $name in
		"${1-}" | caddy | incr-* | curl | proxy) ;;
		*) continue ;;
		esac
		[ $# = 0 ] || [ "$name" = "$1" ] || continue
		echo "$pid"
	done
}
