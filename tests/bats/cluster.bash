# A Redis Cluster, a real one, on loopback: three primaries with a third of the
# slots each, and a replica of each. A node is named by its port.
# shellcheck shell=bash

# What a test may set before: where it lives, milliseconds until a silent node
# is taken for dead, what redis-cli needs to get in (--tls, --user ...).
CLUSTER=${CLUSTER-}
CLUSTER_TIMEOUT=${CLUSTER_TIMEOUT:-2000}
CLUSTER_CLI=${CLUSTER_CLI-}

# cluster_start [ARG...]: six nodes, each started with ARG; PORT in them is its
# port. Sets and exports CLUSTER, a folder with PORT.pid, PORT.log and PORT/;
# CLUSTER_PORTS, those of the first primaries first, then those of their
# replicas in the same order; and REDIS_URL, which names all of them.  A test
# that calls it ends the nodes by end_background; setup_file by cluster_stop.
cluster_start() {
	local IFS=$' \t\n' port ports=()
	CLUSTER=${CLUSTER:-$(mktemp -d "$INCR_SUITE/cluster.XXXXXX")}
	mkdir -p "$CLUSTER"
	for _ in 1 2 3 4 5 6; do
		ports+=("$(free_port)")
	done
	CLUSTER_PORTS="${ports[*]}"
	for port in "${ports[@]}"; do
		free_port >"$CLUSTER/$port.bus"
		printf '%s\n' "$@" >"$CLUSTER/$port.args"
		cluster_node "$port"
	done
	for port in "${ports[@]}"; do
		wait_for 10 cluster_cli "$port" ping
	done
	cluster_join "${ports[@]}"
	REDIS_URL=redis://$(printf '127.0.0.1:%s,' "${ports[@]}")
	REDIS_URL=${REDIS_URL%,}/0
	export CLUSTER CLUSTER_PORTS CLUSTER_CLI REDIS_URL
}

# cluster_node PORT: starts this one, the first time or once more.
cluster_node() {
	local args=() bus
	mapfile -t args <"$CLUSTER/$1.args"
	[ "${args[*]}" ] || args=()
	read -r bus <"$CLUSTER/$1.bus"
	mkdir -p "$CLUSTER/$1"
	rm -f "$CLUSTER/$1.pid"
	alone redis-server --bind 127.0.0.1 --port "$1" --cluster-port "$bus" \
		--dir "$CLUSTER/$1" --save '' --daemonize yes \
		--pidfile "$CLUSTER/$1.pid" --logfile "$CLUSTER/$1.log" \
		--repl-diskless-sync-delay 0 --repl-ping-replica-period 1 \
		--cluster-enabled yes \
		--cluster-node-timeout "$CLUSTER_TIMEOUT" \
		--cluster-replica-validity-factor 0 \
		--cluster-allow-replica-migration no \
		--cluster-require-full-coverage no \
		"${args[@]//PORT/$1}" >/dev/null
	wait_for 10 test -s "$CLUSTER/$1.pid"
	[ -z "${BATS_TEST_NUMBER-}" ] || remember "$(cat "$CLUSTER/$1.pid")"
}

# cluster_join PORT...: of them one cluster.
cluster_join() {
	local i port slots=(0-5460 5461-10922 10923-16383) at=("$@")
	for i in 0 1 2; do
		cluster_cli "${at[i]}" cluster set-config-epoch $((i + 1))
		cluster_cli "${at[i]}" cluster addslotsrange \
			"${slots[i]%-*}" "${slots[i]#*-}"
	done >/dev/null
	for port; do
		cluster_meet "$port" "$@"
	done
	for i in 3 4 5; do
		wait_for 20 cluster_follows "${at[i]}" "${at[i - 3]}"
		# Else it would be seconds until each of them is told.
		cluster_meet "${at[i]}" "$@"
	done
	wait_for 20 cluster_whole
}
cluster_meet() { # PORT OTHER...
	local from=$1
	shift
	for port; do
		echo "cluster meet 127.0.0.1 $port $(cat "$CLUSTER/$port.bus")"
	done | cluster_cli "$from" >/dev/null
}
cluster_follows() { # PORT PRIMARY
	[ "$(cluster_cli "$1" cluster replicate "$(cluster_id "$2")")" = OK ]
}

# cluster_whole: every node that lives knows an owner of every slot, and of
# every node that lives that it does; each replica has what its primary has.
cluster_whole() {
	local IFS=$' \t\n' port lives=()
	for port in $CLUSTER_PORTS; do
		! cluster_lives "$port" || lives+=("$port")
	done
	for port in "${lives[@]}"; do
		printf 'cluster info\ninfo replication\ncluster nodes\n' |
			cluster_cli "$port"
	done | tr -d '\r' | awk -v live="${#lives[@]}" '
	# Three of them are primaries, as the slots say.
	function judge() {
		if (ok != 3 || nodes != live || replicas != live - 3)
			bad = 1
		ok = nodes = replicas = 0
	}
	/^cluster_state:/ && seen++ { judge() }
	/^cluster_state:ok$/ || /^cluster_slots_ok:16384$/ ||
	/^role:master$/ || /^master_link_status:up$/ { ok++ }
	$2 ~ /@/ && $8 == "connected" &&
	$3 !~ /(^|,)(fail|handshake|noaddr)/ {
		nodes++
		replicas += $3 ~ /slave/
	}
	END { judge(); exit bad || seen != live }'
}

# cluster_stop: ends all of them, as cluster_start says
cluster_stop() {
	local pid
	for pid in $(cat "$CLUSTER"/*.pid 2>/dev/null); do
		kill -CONT "$pid" 2>/dev/null || :
		kill -9 "$pid" 2>/dev/null || :
		wait_for 10 gone "$pid"
	done
	rm -rf "${CLUSTER:?}"
}

# cluster_cli PORT ARG...: redis-cli at this node, which is not left
cluster_cli() {
	local IFS=$' \t\n' port=$1
	shift
	# shellcheck disable=SC2086 # words
	redis-cli $CLUSTER_CLI -p "$port" "$@"
}
# cluster_at KEY ARG...: redis-cli at the owner of its slot
cluster_at() {
	local key=$1
	shift
	cluster_cli "$(cluster_owner "$(cluster_slot "$key")")" "$@"
}
cluster_pid() { echo "$(<"$CLUSTER/$1.pid")"; }
cluster_id() { cluster_cli "$1" cluster myid; }
# Neither dead nor stopped.
cluster_lives() {
	local pid state
	pid=$(cluster_pid "$1")
	read -r _ _ state _ <"/proc/$pid/stat" &&
		[[ $state != [TZX] ]]
} 2>/dev/null

# cluster_any: a node that lives
cluster_any() {
	local IFS=$' \t\n' port
	for port in $CLUSTER_PORTS; do
		! cluster_lives "$port" || break
	done
	echo "$port"
}

# cluster_slot KEY: its slot
cluster_slot() { cluster_cli "$(cluster_any)" cluster keyslot "$1"; }

# cluster_ranges: of each primary that is not taken for dead a line: its port,
# and the ranges of its slots
cluster_ranges() {
	cluster_cli "${1:-$(cluster_any)}" cluster nodes | awk '
	$3 ~ /master/ && $3 !~ /(^|,)fail/ {
		sub(/@.*/, "", $2); sub(/.*:/, "", $2)
		line = $2
		for (i = 9; i <= NF; i++)
			if ($i !~ /^\[/)
				line = line " " $i
		print line
	}'
}

# cluster_owner SLOT [PORT]: the node that owns it, as PORT knows
cluster_owner() {
	cluster_ranges "${2-}" | awk -v slot="$1" '{
		for (i = 2; i <= NF; i++) {
			n = split($i, r, "-")
			if (slot >= r[1] + 0 && slot <= r[n] + 0)
				print $1
		}
	}'
}

# cluster_other SLOT: a primary that does not own it
cluster_other() {
	cluster_ranges | cut -d ' ' -f 1 | grep -vx "$(cluster_owner "$1")" |
		head -n 1
}

# cluster_replica PORT: a replica of it that is not taken for dead
cluster_replica() {
	cluster_cli "$1" cluster replicas "$(cluster_id "$1")" |
		grep -vE ' ([a-z]+,)*fail' | sed 's/@.*//; s/.*://' | head -n 1
}

# -- slots that move ---------------------------------------------------------

# cluster_move_slot SLOT TO: to this node, with its keys, while others use them
cluster_move_slot() {
	cluster_begin_move "$1" "$2"
	wait_for 60 cluster_move_keys "$1" "$2" 100
	cluster_end_move "$1" "$2"
}

# Its steps; in between, its owner answers ASK for what it no longer has.
cluster_begin_move() { # SLOT TO
	local from
	from=$(cluster_owner "$1")
	[ "$(cluster_cli "$2" cluster setslot "$1" importing \
		"$(cluster_id "$from")")" = OK ]
	[ "$(cluster_cli "$from" cluster setslot "$1" migrating \
		"$(cluster_id "$2")")" = OK ]
}
# cluster_move_keys SLOT TO NUMBER: the next keys; 1 if there are more
cluster_move_keys() {
	local IFS=$' \t\n' from keys
	from=$(cluster_owner "$1")
	mapfile -t keys < <(cluster_cli "$from" cluster getkeysinslot "$1" "$3")
	[ "${#keys[@]}" -gt 0 ] && [ "${keys[0]}" ] || return 0
	cluster_move_key "$from" "$2" "${keys[@]}"
	[ -z "$(cluster_cli "$from" cluster getkeysinslot "$1" 1)" ]
}
cluster_move_key() { # FROM TO KEY...
	local from=$1 to=$2
	shift 2
	cluster_cli "$from" migrate 127.0.0.1 "$to" '' 0 60000 \
		${CLUSTER_AUTH:+$CLUSTER_AUTH} keys "$@" >/dev/null
}
cluster_end_move() { # SLOT TO
	local IFS=$' \t\n' id from port
	id=$(cluster_id "$2")
	from=$(cluster_owner "$1")
	# First at the one that gets it: else nobody might own it.
	[ "$(cluster_cli "$2" cluster setslot "$1" node "$id")" = OK ]
	[ "$(cluster_cli "$from" cluster setslot "$1" node "$id")" = OK ]
	for port in $(cluster_ranges | cut -d ' ' -f 1); do
		cluster_cli "$port" cluster setslot "$1" node "$id" >/dev/null
	done
	wait_for 20 cluster_is_owner "$1" "$2"
}
# cluster_is_owner SLOT PORT: every node that lives says so
cluster_is_owner() {
	local IFS=$' \t\n' port
	for port in $CLUSTER_PORTS; do
		cluster_lives "$port" || continue
		[ "$(cluster_owner "$1" "$port")" = "$2" ] || return 1
	done
}

# -- primaries that change ---------------------------------------------------

# cluster_failover SLOT: a replica takes the place of its owner, by order
cluster_failover() {
	local from to
	from=$(cluster_owner "$1")
	to=$(cluster_replica "$from")
	wait_for 30 cluster_fails_over "$1" "$to"
}
# An order that is not carried out within five seconds is forgotten.
cluster_fails_over() { # SLOT TO
	! cluster_is_owner "$1" "$2" || return 0
	cluster_cli "$2" cluster failover
	return 1
}

# cluster_kill SLOT: kill -9 of its owner; until a replica is in its place
cluster_kill() {
	local from
	from=$(cluster_owner "$1")
	kill -9 "$(cluster_pid "$from")"
	wait_for 60 cluster_replaced "$1" "$from"
}
cluster_replaced() { # SLOT FROM
	local now
	now=$(cluster_owner "$1")
	[ "$now" ] && [ "$now" != "$2" ] && cluster_is_owner "$1" "$now"
}
