# Hosts in network namespaces of their own around a center, which has Redis and
# Postgres:
#
#	10.78.0.1  center  10.78.N.1 --- 10.78.N.2  host N
#
# A host's processes have pids and a host name of their own as well.  Needs root.
# shellcheck shell=bash

CENTER=10.78.0.1
NOBODY=02:00:00:00:00:99 # an Ethernet address that nobody has

# network_possible: else says why not
network_possible() {
	[ "$(id -u)" = 0 ] || {
		echo 'needs root'
		return 1
	}
	unshare -n ip link add type veth 2>/dev/null || {
		echo 'no network namespaces (CAP_NET_ADMIN)'
		return 1
	}
}

# network_start FOLDER: the center; NETWORK is the folder, exported.
network_start() {
	export NETWORK=$1
	mkdir -p "$NETWORK"
	network_make center
	at center ip link set lo up
	at center ip addr add $CENTER/32 dev lo
}

# network_stop: ends the hosts, and the networks with their last process.
network_stop() {
	local file
	for file in "$NETWORK"/*.pid; do
		host_kill "$(basename "$file" .pid)"
	done
	for file in "$NETWORK"/*.ns; do
		kill -9 "$(cat "$file")"
	done
} 2>/dev/null

network_make() { # NAME
	setsid unshare -n tail -f /dev/null 3>&- &
	echo $! >"$NETWORK/$1.ns"
	wait_for 10 network_apart "$1"
}
network_apart() {
	[ "$(readlink "/proc/$(cat "$NETWORK/$1.ns")/ns/net")" != \
		"$(readlink /proc/self/ns/net)" ]
}

# at NAME COMMAND...: in its network
at() { nsenter -t "$(cat "$NETWORK/$1.ns")" -n "${@:2}"; }

# network_servers FOLDER: a Redis and a Postgres with tables, at the addresses
# of HOST_REDIS and HOST_POSTGRES; REDIS_URL and DATABASE_URL are their sockets.
network_servers() {
	redis_start "$1/redis" --port 6379 --bind $CENTER --protected-mode no \
		--maxmemory-policy noeviction
	pg_start "$1/pg" listen_addresses=$CENTER port=5432
	echo 'host all all 10.78.0.0/16 trust' >>"$1/pg/data/pg_hba.conf"
	kill -HUP "$(cat "$1/pg.pid")"
	export REDIS_URL=unix://$1/redis/redis.sock
	export DATABASE_URL="postgresql:///postgres?host=$1/pg&user=postgres"
	export HOST_REDIS=redis://$CENTER
	export HOST_POSTGRES=postgresql://postgres@$CENTER/postgres
	incr-db create
}

# For redis_start and pg_start: what they start is in the center.
redis-server() { at center redis-server "$@"; }
as_postgres() {
	at center setpriv --reuid postgres --regid postgres --clear-groups "$@"
}

# host_make NAME NUMBER
host_make() {
	local up=c$2 down=h$2
	network_make "$1"
	at center ip link add "$up" type veth peer name "$down"
	at center ip link set "$down" netns "$(cat "$NETWORK/$1.ns")"
	at center ip addr add "10.78.$2.1/24" dev "$up"
	at center ip link set "$up" up
	at "$1" ip link set lo up
	at "$1" ip addr add "10.78.$2.2/24" dev "$down"
	at "$1" ip link set "$down" up
	at "$1" ip route add default via "10.78.$2.1"
	echo "$2" >"$NETWORK/$1.number"
	host_link "$1" center "$up" >"$NETWORK/$1.up"
	host_link "$1" "$1" "$down" >"$NETWORK/$1.down"
	host_join "$1"
}
host_link() { at "$2" ip -br link show "$3" | awk '{ print $3 }'; }
host_address() { echo "10.78.$(cat "$NETWORK/$1.number").2"; }

# host_cut NAME, host_join NAME: its packets go to nobody, or to the center; no
# end of the link is told.
host_cut() { host_send "$1" $NOBODY $NOBODY; }
host_join() {
	host_send "$1" "$(cat "$NETWORK/$1.down")" "$(cat "$NETWORK/$1.up")"
}
host_send() { # NAME TO-IT FROM-IT
	local n
	n=$(cat "$NETWORK/$1.number")
	at center ip neigh replace "10.78.$n.2" lladdr "$2" dev "c$n" \
		nud permanent
	at "$1" ip neigh replace "10.78.$n.1" lladdr "$3" dev "h$n" nud permanent
}

# host_run NAME COMMAND...: as the first process there, in the background, until
# host_kill; messages in NAME.err. Variables of the caller: HOST_NAME instead of
# host-NAME, HOST_PRELOAD (a shared object), HOST_CLOCK (seconds ahead).
host_run() {
	local name=$1 env=()
	shift
	[ -z "${HOST_PRELOAD-}${HOST_CLOCK-}" ] ||
		env+=("LD_PRELOAD=${HOST_PRELOAD-} ${HOST_CLOCK:+$FAKETIME_SO}")
	[ -z "${HOST_CLOCK-}" ] ||
		env+=("FAKETIME=$HOST_CLOCK" FAKETIME_DONT_FAKE_MONOTONIC=1
			FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1)
	# shellcheck disable=SC2016 # that shell's
	REDIS_URL=$HOST_REDIS DATABASE_URL=$HOST_POSTGRES \
		nsenter -t "$(cat "$NETWORK/$name.ns")" -n unshare --pid --uts \
		--fork --kill-child --mount-proc sh -c 'hostname "$1"
			shift
			exec env "$@"' - "${HOST_NAME:-host-$name}" \
		"${env[@]}" "$@" 2>>"$NETWORK/$name.err" 3>&- &
	echo $! >"$NETWORK/$name.pid"
	disown $! # who kills it does not want to be told
}
FAKETIME_SO=$(find /usr/lib/*/faketime/libfaketime.so.1 2>/dev/null | head -n 1)

# host_kill NAME: all of its processes, at once
host_kill() {
	local pid
	pid=$(cat "$NETWORK/$1.pid") || return 0
	rm "$NETWORK/$1.pid"
	kill -9 "$pid"
	wait_for 10 gone "$pid"
}
