#!/usr/bin/env bats
# The name server fails for a while: every program that waits for a service asks
# again, and says why if it has waited in vain.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() {
	[ "$(id -u)" = 0 ] || skip 'needs root'
	unshare -m true 2>/dev/null || skip 'no mount namespaces here'
	cd "$BATS_TEST_TMPDIR" || return
	PG=$INCR_SUITE/p$BATS_SUITE_TEST_NUMBER
	PORT=$(free_port)
	export INCR_QUEUE=names PGPORT=$PORT
	mkdir names
	local address=127.$((RANDOM % 250 + 1)).$((RANDOM % 250)).$((RANDOM % 250 + 1))
	background perl "$BATS_TEST_DIRNAME/resolver.pl" "$address" "$PWD/names"
	wait_for 10 test -e names/ready
	echo "nameserver $address" >resolv.conf
	URL=postgresql://postgres@postgres.test:$PORT/postgres
	REDIS=$(free_port)
}

teardown() {
	end_background
	[ ! -d "${PG-/none}" ] || pg_stop "$PG" QUIT
}

# servers: which listen to addresses, not only to paths
servers() {
	mkdir -m 755 "$PG"
	pg_start "$PG" listen_addresses=127.0.0.1 port="$PORT"
	export DATABASE_URL=postgresql://postgres@127.0.0.1:$PORT/postgres
	incr-db create
	own_redis --port "$REDIS" --bind 127.0.0.1
}

# shellcheck disable=SC2016
mounts='mount --bind "$0" /etc/resolv.conf
	exec "$@"'

# named COMMAND...: with that name server, and servers by their names
named() {
	REDIS_URL=redis://redis.test:$REDIS DATABASE_URL=$URL \
		unshare -m sh -euc "$mounts" "$PWD/resolv.conf" "$@"
}

# waits SECONDS: each program that waits for a service, for so long
publishes() { increments 1 3 | named incr-publish -w "$1"; }
audits() { named incr-audit -w "$1"; }
lists() { named incr-rejected -w "$1" list; }
consumes() { named incr-consume -o -w "$1"; }
flushes() { increments 1 3 | named incr-flush -w "$1"; }

@test "a name server that fails for a while: all ask again, and go on" {
	local one options
	servers
	for one in publishes audits lists consumes flushes; do
		: >names/asked
		touch names/fail
		$one 30 >out 2>err &
		# More than one question, which may be for two types of address.
		wait_for 20 asked 4
		rm names/fail
		wait $! || {
			echo "$one: status $?"
			cat err
			return 1
		}
	done
	total_is 6
	# The default of incr-audit is five seconds, no longer than the resolver
	# takes, unless told, before it repeats a question that was lost.
	options=$(sed -nE 's/.*RES_OPTIONS="([^"]*)".*/\1/p' "$ROOT/Containerfile")
	: >names/asked
	touch names/drop
	RES_OPTIONS=$options audits 5 >out &
	wait_for 20 asked 1
	rm names/drop
	wait $!
}

asked() { [ "$(wc -l <names/asked)" -ge "$1" ]; }

@test "a name server that goes on failing: each says so, and when it gives up" {
	local one
	touch names/fail
	for one in publishes audits lists consumes flushes; do
		run -111 $one 1
		echo "$one: $output"
		[[ "$output" == *'Temporary failure in name resolution'* ]]
	done
}

# rejected N: lines, it says
rejected() { grep -qE "^incr_rejected_total\{code=\"not-json\".*\} $1$" metrics/*.prom; }

@test "a name server that answers nothing: incr-flush reads and tells all the same" {
	local one
	# libc would wait for half a minute, and once more.
	export RES_OPTIONS=timeout:30 INCR_METRICS_DIR=$PWD/metrics
	mkdir metrics
	servers
	touch names/drop
	increments 1 3 >lines
	run -111 named timeout 25 incr-flush -w 1 <lines
	mkfifo in
	exec 7<>in
	: >names/asked
	REDIS_URL=redis://redis.test:$REDIS DATABASE_URL=$URL background \
		unshare -m sh -euc "$mounts" "$PWD/resolv.conf" \
		incr-flush -i 0.1 <in 2>err 7>&-
	wait_for 20 asked 2
	for one in 1 2; do
		echo "no increment" >&7
		wait_for 20 rejected "$one"
	done
	kill -9 $!
	exec 7>&-
	# Of two hosts the one that is known is taken.
	URL=postgresql://postgres@postgres.test,127.0.0.1:$PORT/postgres
	increments 5 6 | named timeout 25 incr-flush
	total_is 11
}
