# A Redis Cluster of three primaries and a replica of each, a queue of four
# shards, --replicas 1.  The two supervisors are the two hosts: each has two
# ingests, and a drain for each shard and for the queue itself.
#
# Each node has two proxies: programs, replicas and other nodes know it by the
# port of one, its bus by that of the other.  So a node can be cut off from the
# others and still be there for the programs.
#
# What was acknowledged both nodes of a shard have, so whichever of them comes
# back has it, whatever was done to either.  Only the move of a slot is not
# covered by --replicas: it begins with all nodes well, and no replica takes
# over before that of the new owner has everything.
#
# What excuses a late increment: a primary that dies is missed for two seconds
# and its replica elected within two more, and until the dead one is back nobody
# confirms; a slot that is moved holds up its queue; without the replica, too,
# nobody confirms.
# shellcheck shell=bash

# shellcheck source=tests/bats/cluster.bash
. "$ROOT/tests/bats/cluster.bash"

ADDED='slot_move slot_move slot_move failover failover primary_kill
	primary_again primary_blind primary_pause primary_cut primary_dark
	shard_kill replica_kill replica_pause'
WITHOUT='redis_term redis_kill redis_pause redis_full'
SHARDS=4
BRACKETS='{}'

topology_up() {
	local ports=() port
	CLUSTER=$D
	fence=$((SEED / 5 % 2)) # min-replicas-to-write
	echo "chaos: min-replicas-to-write $fence"
	echo first >"$D/redis.password"
	for _ in 1 2 3 4 5 6; do ports+=("$(free_port)"); done
	CLUSTER_PORTS="${ports[*]}"
	echo "$CLUSTER_PORTS" >"$D/nodes"
	for port in "${ports[@]}"; do
		mount_disk "$port" 192m
		free_port >"$D/$port.real"
		free_port >"$D/$port.bus"
		free_port >"$D/$port.real_bus"
		start_proxy "redis.$port" "$port" "$D/$port/redis.sock" &&
			start_proxy "bus.$port" "$(<"$D/$port.bus")" \
				"$(<"$D/$port.real_bus")" &&
			cluster_node "$port" || return
	done
	cluster_join "${ports[@]}" || return
	redis_url "redis://%s@$(printf ',127.0.0.1:%s' "${ports[@]}" |
		cut -c 2-)/0"
	one_postgres && reach "INCR_SHARDS=$SHARDS" INCR_REPLICAS=1
}

queues() {
	echo "$INCR_QUEUE"
	seq -f "$INCR_QUEUE.%g" 0 $((SHARDS - 1))
}

rig_url() {
	# shellcheck disable=SC2086 # words
	printf 'redis://%s/0\n' "$(printf ',127.0.0.1:%s' $CLUSTER_PORTS |
		cut -c 2-)"
}

# -- nodes, for which tests/bats/cluster.bash has the rest --------------------

cluster_node() { # PORT
	redis_up "$1" --bind 127.0.0.1 --port "$(<"$D/$1.real")" \
		--cluster-port "$(<"$D/$1.real_bus")" \
		--cluster-announce-ip 127.0.0.1 --cluster-announce-port "$1" \
		--cluster-announce-bus-port "$(<"$D/$1.bus")" \
		--replica-announce-ip 127.0.0.1 --replica-announce-port "$1" \
		--repl-timeout 5 --repl-ping-replica-period 1 \
		--cluster-enabled yes \
		--cluster-node-timeout "$CLUSTER_TIMEOUT" \
		--cluster-replica-validity-factor 0 \
		--cluster-allow-replica-migration no \
		--cluster-require-full-coverage no \
		--min-replicas-to-write "$fence" --min-replicas-max-lag 1
}

cluster_cli() { # PORT ARG...
	timeout 5 redis-cli -s "$D/$1/redis.sock" "${@:2}"
}
cluster_pid() { echo "$(<"$D/$1/redis.pid")"; }

nodes() { timeout 15 "$ROOT/tests/chaos/nodes.pl" "$D" "$@"; }
redis_set() { nodes set "$@"; }

home_of() { # KEY
	local port
	port=$(nodes owner "$1") && echo "$D/$port"
}
redis_homes() {
	# shellcheck disable=SC2086 # words
	printf "$D/%s\n" $CLUSTER_PORTS
}
all_keys() { nodes keys; }

# WAIT covers what this connection wrote.
replicated() { # HOME KEY
	[ "$(printf 'set %s::wait 1 px 1\nwait 1 1000\n' "$2" |
		timeout 3 redis-cli -s "$1/redis.sock")" = $'OK\n1' ]
}

a_queue() { echo "$INCR_QUEUE.$(($1 % SHARDS))"; }
# Of the nodes that have it.
a_primary() { nodes owner "{$(a_queue "$1")}"; }
a_replica() { nodes replica "{$(a_queue "$1")}"; }

proxy_now() { # KIND NUMBER
	local port
	case $1 in
	redis) port=$(a_primary "$2") && echo "redis.$port" ;;
	*) echo "$1" ;;
	esac
}

topology_heal() {
	local port
	for port in $CLUSTER_PORTS; do node_again "$port"; done
	insist redis_well
	wait_for 60 nodes well || wrong "the cluster is not whole: $(
		nodes well 2>&1)"
	postgres_heal
}
redis_well() {
	redis_set maxmemory 0 && redis_set min-replicas-to-write "$fence" &&
		redis_set cluster-replica-no-failover no
}

topology_down() {
	local port
	for port in $CLUSTER_PORTS; do kill -9 "$(cluster_pid "$port")"; done
	pg_stop "$D/pg" QUIT
} 2>/dev/null

# -- slots -------------------------------------------------------------------

# To another primary, some keys at a time, while everybody works on; now and
# then a program dies meanwhile.
fault_slot_move() {
	local key to moving
	key="{$(a_queue "$1")}"
	within 12 nodes well && mapfile -t to < <(nodes others "$key") &&
		[ ${#to[@]} = 2 ] || return 77
	(
		trap - EXIT
		insist nodes move "$key" "${to[$2 % 2]}" $(($3 % 1000)) \
			$((1 + $3 % 3))
	) &
	moving=$!
	(($3 % 2)) || fault_kill "$2" "$3"
	wait "$moving" || wrong "the slot of $key is not moved"
}

# In order: the primary waits for its replica.
fault_failover() {
	local from to
	from=$(a_primary "$1") && to=$(a_replica "$1") || return 77
	cluster_cli "$to" cluster failover
	within 6 is_primary "$to"
}
is_primary() { [ "$(cluster_cli "$1" role | head -n 1)" = master ]; }

# -- nodes -------------------------------------------------------------------

node_again() { # PORT
	kill -CONT "$(cluster_pid "$1")"
	! gone "$(cluster_pid "$1")" || cluster_node "$1"
}

# 77 if it is dead already: somebody is about to start it.
kill_node() { # PORT
	local pid
	pid=$(cluster_pid "$1")
	! gone "$pid" || return 77
	kill -9 "$pid"
	wait_for 5 gone "$pid"
}

# As a rule all is well and something is counted before the next fault.
recover() { # NUMBER
	(($1 % 4)) || return 0
	within 12 nodes well && sleep 1
	return 0
}

# A replica takes its place, and then it comes back.
fault_primary_kill() {
	local node
	node=$(a_primary "$1") || return 77
	kill_node "$node" && back_later "$node" "$2"
}
back_later() { # PORT NUMBER
	within 15 replaced "$1"
	sleep "$(($2 % 3)).$(($2 % 10))"
	node_again "$1"
	recover $(($2 / 3))
}
replaced() { [ "$(nodes primaries | grep -cvx "$1")" = 3 ]; }

# The replica hears nothing any more for some tenths before that, nor what was
# on its way until it is the primary.  Nothing is taken while it waits for that,
# so that there is something to lose; or it is taken then, all at once, and
# there is something to count twice.
fault_primary_blind() {
	local node drains
	node=$(a_primary "$1") || return 77
	drains=$(processes incr-consume)
	signal STOP "$drains"
	sleep 0.3
	tell_proxy "redis.$node" 'blind 0 10000'
	(($3 % 2)) || signal CONT "$drains"
	sleep "0.$((1 + $3 % 6))"
	kill_node "$node"
	signal CONT "$drains"
	back_later "$node" "$2"
}
signal() { # NAME PIDS
	local pid
	for pid in $2; do kill -"$1" "$pid"; done
}

# Back at once, or about when the others have agreed that it is dead.
fault_primary_again() {
	local node
	node=$(a_primary "$1") || return 77
	kill_node "$node" || return
	sleep "$(($2 % 4)).$(($3 % 10))"
	node_again "$node"
	recover "$3"
}

# For less or for longer than the others wait; it may go on as a primary while
# its replica is one.
fault_primary_pause() {
	local node
	node=$(a_primary "$1") || return 77
	pause "$(cluster_pid "$node")" $((3 + $2 % 70))
}

# The other nodes and its replica are out of reach, the programs not.
fault_primary_cut() {
	local node ms=$((1000 + $2 % 7000))
	node=$(a_primary "$1") || return 77
	tell_proxy "redis.$node" "blind 0 $ms"
	cut_bus "$node" "$ms"
}

# Nor can the programs reach it.
fault_primary_dark() {
	local node ms=$((1000 + $2 % 7000))
	node=$(a_primary "$1") || return 77
	tell_proxy "redis.$node" "dark 0 $ms"
	cut_bus "$node" "$ms"
}

# What it has from the others, and what they have from it.
cut_bus() { # PORT MS
	local port pid
	pid=$(cluster_pid "$1")
	for port in $CLUSTER_PORTS; do
		if [ "$port" = "$1" ]; then
			tell_proxy "bus.$port" "dark 0 $2"
		else
			tell_proxy "bus.$port" "hole $pid $2"
		fi
	done
	later $(($2 / 100)) :
}

# Both nodes of a shard; either may be the first to come back.
fault_shard_kill() {
	local nodes=()
	nodes[$2 % 2]=$(a_primary "$1") || return 77
	nodes[1 - $2 % 2]=$(a_replica "$1") || return 77
	kill_node "${nodes[0]}"
	kill_node "${nodes[1]}"
	sleep "0.$(($3 % 10))"
	node_again "${nodes[0]}"
	sleep "$(($3 % 3)).$(($3 % 7))"
	node_again "${nodes[1]}"
	recover $(($3 / 3))
}

fault_replica_kill() {
	local node
	node=$(a_replica "$1") || return 77
	kill_node "$node" || return
	later $(($2 % 30)) node_again "$node"
}

fault_replica_pause() {
	local node
	node=$(a_replica "$1") || return 77
	pause "$(cluster_pid "$node")" $((3 + $2 % 40))
}

# -- common faults that are others here --------------------------------------

fault_redis_readonly() {
	redis_set min-replicas-to-write 2
	later $((5 + $2 % 40)) insist redis_set min-replicas-to-write "$fence"
}

fault_redis_forget() { cluster_cli "$(a_primary "$1")" script flush; }
fault_redis_rewrite() { cluster_cli "$(a_primary "$1")" bgrewriteaof; }
fault_redis_cut() { cluster_cli "$(a_primary "$1")" client kill type normal; }

# That of the nodes is what they judge each other by.
fault_clock() { set_clock programs $((($2 - 16384) * 1900)); }

topology_promise() {
	case $1 in
	slot_move | failover) printf '10\t' ;;
	primary_* | shard_* | replica_*) printf '20\t' ;;
	*) return 1 ;;
	esac
}
