# What is the same in every topology: the programs, two supervisors that share
# the servers, proxies, clocks.  A topology defines
#
#	topology_up      starts servers and proxies, sets through, the
#	                 environment by which programs reach them
#	topology_heal    all servers as they should be
#	topology_leave   ends programs that it has started itself
#	topology_down    ends them
#	redis_home       the folder of the Redis that is the primary now
#	pg_home          the same for Postgres
#	proxy_now KIND N the proxy before the server that redis or postgres is
#	                 now; of several that is one by this number
#	proxies          names of all proxies
#	ADDED, WITHOUT   its own faults, and common ones that it can't have
# shellcheck shell=bash

topology_leave() { :; }

start_system() {
	chmod 711 "$D"
	export INCR_QUEUE=chaos
	unset INCR_METRICS_DIR INCR_LISTEN
	mkdir "$D/bin" "$D/px" "$D/letters"
	touch "$D/run" "$D/send" "$D/wrong" "$D/statuses" "$D/slots" "$D/stalls" \
		"$D/up_told"
	make_bin
	make_clocks
	port_a=$(free_port) port_b=$(free_port) port_px=$(free_port)
	proxies=()
	start_proxy http "$port_px" "$port_a"
	topology_up || return
	watch_clock &
	if [ "$pace" = calm ]; then
		supervise a "$port_a" '' '' &
		supervise b "$port_b" '' '' &
	else
		# Of a the batches are small, of b the windows and the queue.
		supervise a "$port_a" '-n 20' '-i 1' &
		INCR_HIGH_WATER=1500 supervise b "$port_b" '' '-i 2.5 -m 300' &
	fi
	wait_for 60 curl -fs "http://127.0.0.1:$port_a/health/ready" &&
		wait_for 60 curl -fs "http://127.0.0.1:$port_b/health/ready"
}

# The programs, with drains that have options of the rig's and keep what Redis
# has room for (b's high-water mark is for publishing), and ingests that remember
# keys for a day, however the clock of Redis is set.
make_bin() {
	ln -s "$BIN"/incr-* "$D/bin"
	ln -s "$ROOT/sql" "$D/sql"
	rm "$D/bin/incr-drain" "$D/bin/incr-ingest"
	cat >"$D/bin/incr-drain" <<-END
		#!/bin/sh
		unset INCR_HIGH_WATER
		case " \$* " in
		*' -- '*) ;;
		*) set -- "\$@" -- ;;
		esac
		exec '$BIN/incr-drain' \$INCR_CHAOS_CONSUME "\$@" \$INCR_CHAOS_FLUSH
	END
	cat >"$D/bin/incr-ingest" <<-END
		#!/bin/sh
		exec '$BIN/incr-ingest' --idempotency-window 86400 "\$@"
	END
	chmod +x "$D/bin/incr-drain" "$D/bin/incr-ingest"
}

# understands PROGRAM OPTION: this release has it
understands() { "$BIN/$1" --help | grep -q -e "$2\\b"; }

# within SECONDS COMMAND...: wait_for without its patience
within() {
	local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		((${EPOCHREALTIME/./} < deadline)) || return
		sleep 0.05
	done
}

# mount_disk NAME SIZE: a disk of its own for a server, that can get full.
mount_disk() {
	mkdir -p "$D/$1"
	disks+=("$1")
	[ -z "${CHAOS_MOUNTS-}" ] ||
		mount -t tmpfs -o "size=$2,mode=755" chaos "$D/$1"
}

# -- proxies -----------------------------------------------------------------

# start_proxy NAME LISTEN UPSTREAM.  All programs go through proxies, and some
# clients of a.
start_proxy() {
	mkfifo "$D/px/$1"
	mkdir -p "$D/px/$1.d"
	"$ROOT/build/chaos/proxy" "$2" "$3" "$D/px/$1" \
		>"$D/proxy.$1" 2>>"$D/proxy.err" &
	disown # nobody waits for it
	proxies+=("$1")
	wait_for 10 proxy_listens "$2" || return
	# For PgBouncer and standbys, which are somebody else.
	[[ $2 != /* ]] || chmod 777 "$2"
}

proxy_listens() { [ -S "$1" ] || [ -n "$(ss -Hltn "sport = :$1")" ]; }

# tell_proxy NAME LINE
tell_proxy() { echo "$2" 1<>"$D/px/$1"; }

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

# Notes when the machine itself stood still, or nearly.
watch_clock() {
	local last=${EPOCHREALTIME/./} now
	trap - EXIT
	while [ -e "$D/run" ]; do
		sleep 0.1
		now=${EPOCHREALTIME/./}
		((now - last < 700000)) ||
			echo "${last:0:10}.${last:10} ${now:0:10}.${now:10}" \
				>>"$D/stalls"
		last=$now
	done
}

# -- supervisors -------------------------------------------------------------

# supervise NAME PORT CONSUME FLUSH: incr-up, again whenever it ends, and
# options for its drains.
supervise() {
	trap - EXIT
	while [ -e "$D/run" ]; do
		LD_PRELOAD=$ROOT/build/chaos/clock.so \
			INCR_CHAOS_CLOCK=$D/clock.programs \
			INCR_CHAOS_CONSUME=$3 INCR_CHAOS_FLUSH=$4 \
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
	for environ in $(grep -lsF "INCR_CHAOS_DIR=$D" /proc/[0-9]*/environ); do
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
