# A primary, two replicas and a sentinel, real ones, on loopback, in the folder
# where the test is; and failovers that lose what was not replicated.
# shellcheck shell=bash

# instance NAME PORT [ARG...]: a Redis on loopback, its pid in NAME.pid
instance() {
	local name=$1 port=$2
	shift 2
	mkdir -p "$name"
	alone redis-server --bind 127.0.0.1 --port "$port" --dir "$PWD/$name" \
		--save '' --repl-diskless-sync-delay 0 --daemonize yes \
		--pidfile "$PWD/$name.pid" --logfile "$PWD/$name.log" \
		"$@" >/dev/null
	wait_for 10 test -s "$name.pid"
	remember "$(cat "$name.pid")"
	wait_for 10 redis-cli -p "$port" ping
}

# sentinel PORT [LINE...]: one that watches the primary m, at $P1
sentinel() {
	local port=$1
	shift
	{
		echo "bind 127.0.0.1"
		echo "port $port"
		echo "dir $PWD"
		echo 'daemonize yes'
		echo "pidfile $PWD/sentinel.$port.pid"
		echo "logfile $PWD/sentinel.$port.log"
		echo "sentinel monitor m 127.0.0.1 $P1 1"
		echo 'sentinel down-after-milliseconds m 600000'
		echo 'sentinel failover-timeout m 30000'
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >"sentinel.$port.conf"
	alone redis-sentinel "$PWD/sentinel.$port.conf" >/dev/null
	wait_for 10 test -s "sentinel.$port.pid"
	remember "$(cat "sentinel.$port.pid")"
	wait_for 10 redis-cli -p "$port" ping
	# The replica that had most at the last INFO is elected: ten seconds ago.
	# A sentinel that stood still for two seconds does nothing for thirty.
	redis-cli -p "$port" sentinel debug info-period 100 \
		tilt-trigger 600000 >/dev/null
}

# group: a primary at $P1, replicas at $P2 and $P3, a sentinel at $S that knows
# both
group() {
	P1=$(free_port) P2=$(free_port) P3=$(free_port) S=$(free_port)
	instance p1 "$P1"
	instance p2 "$P2" --replicaof "127.0.0.1 $P1"
	instance p3 "$P3" --replicaof "127.0.0.1 $P1"
	wait_for 10 in_sync
	sentinel "$S"
	wait_for 20 knows_replicas
	REDIS_URL="redis-sentinel://127.0.0.1:$(free_port),127.0.0.1:$S/0?master=m"
	export REDIS_URL
}
in_sync() { [ "$(written_by 2 -p "$P1")" = 2 ]; }
knows_replicas() {
	[ "$(redis-cli -p "$S" sentinel replicas m | grep -c '^runid$')" = 2 ] &&
		! redis-cli -p "$S" sentinel replicas m |
		grep -A1 '^runid$' | grep -qx ''
}
primary() { redis-cli -p "$S" sentinel get-master-addr-by-name m | tail -1; }
moved() {
	local now
	now=$(primary)
	[ "$now" != "$1" ] &&
		[ "$(redis-cli -p "$now" role | head -1)" = master ]
}

# -- a failover that loses what the primary alone has -------------------------

# cut_links: the links of the replicas end and are not made again, since they
# are not told the password; what is connected stays, but for the names (of
# CLIENT LIST) that begin with WORD.
cut_links() { # [WORD]
	local id
	redis-cli -p "$P1" config set requirepass cut >/dev/null
	cut_cli client kill type replica >/dev/null
	[ $# -gt 0 ] || return 0
	for id in $(cut_cli client list |
		sed -n "s/^id=\([0-9]*\) .* name=$1.*/\1/p"); do
		cut_cli client kill id "$id" >/dev/null
	done
}
cut_cli() { redis-cli -p "$P1" -a cut --no-auth-warning "$@"; }

# fail_over FROM: another one than FROM is the primary.  The sentinel is told
# so: left to itself it waits, since a Redis of a machine with much else to do
# may be silent for seconds, and a second failover that no test has asked for
# loses what is not replicated.
fail_over() {
	told=0
	wait_for 20 failed_over "$1"
}
# It gives up where it finds no replica fit at the moment, and is told again.
failed_over() {
	! moved "$1" || return 0
	[ "$(grep -c -e '-failover-abort' "sentinel.$S.log")" = "$told" ] &&
		[ "$(redis-cli -p "$S" sentinel failover m)" = OK ] &&
		told=$((told + 1))
	return 1
}

# load LINES: 4,000 lines a second, each with a key of its own, from key
# 1 on
load() {
	perl -e '$| = 1; for my $i (1 .. $ARGV[0]) {
		printf qq({"key":"%08x-0000-4000-8000-000000000000","value":1}\n), $i;
		select(undef, undef, undef, 0.01) if $i % 40 == 0;
	}' "$1"
}

# drain [OPTION...]: of incr-consume; it is started again when it ends
drain() {
	# shellcheck disable=SC2016 # as it is
	background setsid sh -c 'while :; do
		incr-consume "$@" 2>>err.consume |
			incr-flush -i 0.3 2>>err.flush
	done' drain "$@"
	drain=$!
}

answered() { [ "$(wc -l <out)" -ge "$1" ]; }
# emptied: nothing waits at the primary that there is now
emptied() {
	local now
	now=$(primary)
	[ "$(redis-cli -p "$now" eval 'local n = 0
		for _, k in ipairs(redis.call("keys", "*::batch::*")) do n = n + 1 end
		return n + redis.call("llen", KEYS[1])' 1 \
		"rmq::queue::[$INCR_QUEUE]::ready")" = 0 ]
}

# account LINES: what became of them, as LOST DOUBLED FALSE UNKNOWN: answered
# as taken and not counted, counted twice, answered as not taken and counted,
# answered as unknown
account() {
	sql "select key || ' ' || value from increments" >table
	awk -v lines="$1" '
	FILENAME == "table" { value[substr($1, 1, 8)] = $2; next }
	{ key = sprintf("%08x", FNR) }
	/^{"key"/ { lost += !(key in value) }
	/"unavailable"/ { wrong += key in value }
	/"unknown"/ { unknown++ }
	{ twice += value[key] > 1 }
	END { print lost + 0, twice + 0, wrong + 0, unknown + 0
		exit FNR != lines }' table out
}

# lossy_failover LINES AT REPLICAS: publishes and counts; once AT lines are
# answered the replicas are cut off, 0.4 s later the primary is killed.  A new
# replica takes its place.  Sets lost, doubled, wrong, unknown.
lossy_failover() {
	local since now
	rm -f out err.* table
	background sh -c 'incr-publish -e -w 30 -R "$1" >out 2>err.publish' \
		publish "$3" < <(load "$1")
	publish=$!
	drain -R "$3"
	wait_for 20 answered "$2"
	since=${EPOCHREALTIME/./}
	cut_links
	wait_for 2 elapsed "$since" 400000
	kill -9 "$(cat p1.pid)"
	fail_over "$P1"
	now=$(primary)
	rm p1.pid
	instance p1 "$P1" --replicaof "127.0.0.1 $now"
	wait_for 40 gone "$publish"
	wait_for 30 emptied
	kill -9 -- "-$drain"
	read -r lost doubled wrong unknown < <(account "$1")
}
