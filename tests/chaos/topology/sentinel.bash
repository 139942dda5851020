# A Redis with two replicas, one or three sentinels.  Each Redis is known by
# the port of a proxy: to the sentinels, to the others and to the programs.
#
# With --replicas 2 nothing that was acknowledged is lost, whatever becomes of
# a primary.  Without it only failovers lose nothing in which the primary was
# made to wait until the replicas had everything.
#
# With --replicas 1, of these two, the replica that has most must be the next
# primary.  The sentinels know which, since they ask ten times a second, if the
# primary has been away for a second.  So nothing is done that makes them elect
# between two that move, or the only one left, and they wait to be told: a
# primary that is only slow would go on while they elect.
# shellcheck shell=bash

ADDED='failover failover replica_kill replica_kill replica_pause
	sentinel_kill sentinel_pause'
HARD='redis_kill redis_kill redis_down redis_down redis_blind redis_blind
	redis_pause redis_pause failover_hard failover_hard'
HARD_ONE='redis_kill redis_down redis_down redis_blind redis_blind
	redis_blind'
WITHOUT='redis_term redis_kill redis_pause redis_oom redis_readonly redis_full
	redis_forget redis_cut redis_rewrite clock'
NODES=(redis1 redis2 redis3)

topology_up() {
	local node s
	replicas=''
	command -v redis-sentinel >/dev/null || die 'no redis-sentinel here'
	! understands incr-publish --replicas || {
		choose_replicas
	}
	echo first >"$D/redis.password"
	for node in "${NODES[@]}"; do
		mount_disk "$node" 192m
		port[${node#redis}]=$(free_port)
		start_proxy "$node" "${port[${node#redis}]}" \
			"$D/$node/redis.sock" || return
	done
	node_up redis1 && node_up redis2 1 && node_up redis3 1 || return
	wait_for 20 replicated "$D/redis1" || return
	for ((s = 1; s <= (SEED / 4 % 2 ? 1 : 3); s++)); do
		sentinels+=("$(free_port)")
		make_sentinel "${sentinels[-1]}"
		sentinel_up "${sentinels[-1]}" || return
	done
	wait_for 30 sentinels_know || return
	REDIS_URL=unix://$D/redis1/redis.sock # until settle asks again
	redis_url "redis-sentinel://%s@$(printf ',127.0.0.1:%s' \
		"${sentinels[@]}" | cut -c 2-)/0?master=m"
	one_postgres && reach ${replicas:+"INCR_REPLICAS=$replicas"}
}
port=()
sentinels=()

choose_replicas() {
	replicas=$((SEED / 10 % 2 + 1))
	if [ "$replicas" = 2 ]; then
		ADDED+=" $HARD"
	else
		ADDED="failover sentinel_kill sentinel_pause $HARD_ONE"
	fi
	echo "chaos: --replicas $replicas"
}

# node_up NODE [OF]: a primary, or a replica of node OF
node_up() {
	redis_up "$1" --replica-announce-ip 127.0.0.1 \
		--replica-announce-port "${port[${1#redis}]}" \
		--repl-timeout 5 --repl-ping-replica-period 1 \
		${2:+--replicaof 127.0.0.1 "${port[$2]}"}
}

make_sentinel() { # PORT
	mkdir -p "$D/sentinel.$1"
	printf '%s\n' 'bind 127.0.0.1' "port $1" "dir $D/sentinel.$1" \
		'daemonize yes' "pidfile $D/sentinel.$1/pid" \
		"logfile $D/sentinel.$1.log" \
		"sentinel monitor m 127.0.0.1 ${port[1]} $((SEED / 4 % 2 ? 1 : 2))" \
		"sentinel down-after-milliseconds m $([ "${replicas-}" = 1 ] &&
			echo 600000 || echo 1000)" \
		'sentinel parallel-syncs m 2' \
		'sentinel failover-timeout m 5000' >"$D/sentinel.$1/conf"
}

sentinel_up() { # PORT
	alone redis-sentinel "$D/sentinel.$1/conf" >/dev/null 2>&1
	wait_for 10 redis-cli -p "$1" ping
	[ "${replicas-}" != 1 ] ||
		redis-cli -p "$1" sentinel debug info-period 100 >/dev/null
}

ask_sentinel() { # ARG...
	local s said
	for s in "${sentinels[@]}"; do
		said=$(timeout 2 redis-cli -p "$s" sentinel "$@" 2>/dev/null) &&
			echo "$said" && return
	done
	return 1
}

# All of them know each other and both replicas.
sentinels_know() {
	local s
	for s in "${sentinels[@]}"; do
		[ "$(redis-cli -p "$s" sentinel replicas m |
			grep -c '^runid$')" = 2 ] &&
			[ "$(redis-cli -p "$s" sentinel sentinels m |
				grep -c '^runid$')" = $((${#sentinels[@]} - 1)) ] ||
			return
	done
}

# -- who is what -------------------------------------------------------------

# The node that the sentinels name, and that agrees.
primary() {
	local named node
	named=$(ask_sentinel get-master-addr-by-name m | tail -n 1)
	for node in "${NODES[@]}"; do
		[ "${port[${node#redis}]}" = "$named" ] || continue
		[ "$(role "$node")" = master ] && echo "$node"
		return
	done
	return 1
}
role() { timeout 2 redis-cli -s "$D/$1/redis.sock" role 2>/dev/null | head -n 1; }

# By the sentinels alone, also if it does not answer.
named() {
	local node named
	named=$(ask_sentinel get-master-addr-by-name m | tail -n 1)
	for node in "${NODES[@]}"; do
		[ "${port[${node#redis}]}" != "$named" ] || echo "$node"
	done
}

redis_home() {
	local node
	node=$(primary) || return
	echo "$D/$node"
}
redis_homes() { printf "$D/%s\n" "${NODES[@]}"; }
pid_of() { cat "$D/$1/redis.pid"; }
in_sync() { replicated "$(redis_home)"; }

# Both replicas have everything.  WAIT covers what this connection wrote.
replicated() {
	[ "$(printf 'set chaos::pushed::wait 1 px 1\nwait 2 1000\n' |
		timeout 3 redis-cli -s "$1/redis.sock" | tail -n 1)" = 2 ]
}

proxy_now() {
	local node
	case $1 in
	redis)
		node=$(named)
		[ "$node" ] && echo "$node"
		;;
	*) echo "$1" ;;
	esac
}

topology_heal() {
	local node s
	for node in "${NODES[@]}"; do
		kill -CONT "$(pid_of "$node")"
		alive "$(pid_of "$node")" || node_again "$node"
	done
	for s in "${sentinels[@]}"; do
		kill -CONT "$(cat "$D/sentinel.$s/pid")"
		alive "$(cat "$D/sentinel.$s/pid")" || sentinel_up "$s"
	done
	wait_for 60 in_sync || wrong 'the replicas are not in sync'
	postgres_heal
}

topology_down() {
	local node s
	for s in "${sentinels[@]}"; do
		kill -9 "$(cat "$D/sentinel.$s/pid")"
	done
	for node in "${NODES[@]}"; do redis_stop "$D/$node"; done
	pg_stop "$D/pg" QUIT
} 2>/dev/null

# -- faults ------------------------------------------------------------------

# As what it was: a primary that is back before anybody missed it has all that
# it had.  Any other one is a replica of who is the primary now.
node_again() {
	local node
	! alive "$(pid_of "$1")" || return 0
	node=$(named)
	if [ "$node" = "$1" ] || [ -z "$node" ]; then
		node_up "$1"
	else
		node_up "$1" "${node#redis}"
	fi
}

# 77 if it is dead already: somebody is about to start it.
kill_node() { # NODE
	local pid
	pid=$(pid_of "$1")
	alive "$pid" || return 77
	kill -9 "$pid"
	wait_for 5 gone "$pid"
}

moved() { # FROM
	local now
	now=$(primary) && [ "$now" != "$1" ]
}

# In order: nobody writes until another is the primary and the old one knows.
fault_failover() {
	local old
	old=$(primary) && within 12 in_sync || return 77
	redis-cli -s "$D/$old/redis.sock" client pause 15000 write
	if replicas_have_all "$old" && ask_sentinel failover m; then
		within 10 moved "$old"
		within 5 is_replica "$old"
	fi
	redis-cli -s "$D/$old/redis.sock" client unpause
}
is_replica() { [ "$(role "$1")" = slave ]; }
replicas_have_all() { # NODE
	within 2 offsets_agree "$1"
}
offsets_agree() {
	redis-cli -s "$D/$1/redis.sock" info replication | tr -d '\r' |
		awk -F '[:,=]' '/^slave[0-9]/ { for (i = 1; i < NF; i++)
			if ($i == "offset") at[$(i + 1)]++ }
		/^master_repl_offset/ { all = $2 }
		END { exit at[all] != 2 }'
}

# While everybody writes.
fault_failover_hard() {
	local old
	old=$(primary) && within 12 in_sync || return 77
	ask_sentinel failover m
	within 10 moved "$old"
	recover "$2"
}

# As a rule the replicas are let in again and something is counted before the
# next fault.
recover() { # NUMBER
	(($1 % 4)) || return 0
	within 12 in_sync && sleep 2
	return 0
}

# Back at once, before the sentinels have agreed, or about then.
fault_redis_kill() {
	local node
	node=$(primary) || return 77
	kill_node "$node" || return
	sleep "0.$(($1 % 10))"
	node_again "$node"
}

# Until another one is the primary.
fault_redis_down() {
	local node
	node=$(primary) && within 12 in_sync || return 77
	down_and_back "$node" "$1"
}
down_and_back() { # NODE NUMBER
	local node=$1
	shift
	kill_node "$node" || return
	[ "$replicas" != 1 ] || told_to_move "$node"
	within 15 moved "$node"
	sleep "$(($1 % 3)).$(($1 % 10))"
	node_again "$node"
	recover $(($1 / 3))
}

# Again, if no replica was fit at the moment.
told_to_move() { # FROM
	sleep 1
	ask_sentinel failover m
	within 6 moved "$1" || ask_sentinel failover m
}

# The replicas hear nothing any more for some tenths before that.
fault_redis_blind() {
	local node
	node=$(primary) && within 12 in_sync || return 77
	tell_proxy "$node" "blind 0 3000"
	sleep "0.$(($1 % 6))"
	down_and_back "$node" "$1"
}

# For less or for longer than the sentinels wait; it may go on as a primary
# among replicas of another.
fault_redis_pause() {
	local node
	node=$(primary) || return 77
	pause "$(pid_of "$node")" $((3 + $1 % 70))
}

replica() { # NUMBER
	local node now
	now=$(named)
	node=${NODES[$1 % 3]}
	[ "$node" != "$now" ] || node=${NODES[($1 + 1) % 3]}
	echo "$node"
}

fault_replica_kill() {
	local node
	node=$(replica "$1")
	kill_node "$node" || return
	later $(($2 % 30)) node_again "$node"
}

fault_replica_pause() {
	pause "$(pid_of "$(replica "$1")")" $((3 + $2 % 40))
}

a_sentinel() { echo "${sentinels[$1 % ${#sentinels[@]}]}"; }

fault_sentinel_kill() {
	local s
	s=$(a_sentinel "$1")
	alive "$(cat "$D/sentinel.$s/pid")" || return 77
	kill -9 "$(cat "$D/sentinel.$s/pid")"
	later $(($2 % 30)) sentinel_up "$s"
}

fault_sentinel_pause() {
	pause "$(cat "$D/sentinel.$(a_sentinel "$1")/pid")" $((3 + $2 % 40))
}
