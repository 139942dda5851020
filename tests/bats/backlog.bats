#!/usr/bin/env bats
# More comes in than goes out: Redis holds the backlog, nothing else grows,
# and what is too much is refused as certainly not counted.

bats_require_minimum_version 1.5.0
load helper

setup() {
	use_redis
	cd "$BATS_TEST_TMPDIR" || return
	export INCR_METRICS_DIR=
}

teardown() {
	end_background
}

# -- the high-water mark -------------------------------------------------------

@test "HTTP: 503 with Retry-After at the high-water mark, 202 below it" {
	use_postgres
	export INCR_HIGH_WATER=2
	background incr-ingest -l ./s --linger 0
	wait_for 5 ask health/ready -f
	for i in 1 2; do
		[ "$(post $i)" = "202 " ]
	done
	run post 3
	[[ "$output" =~ ^'503 '[0-9]+$ ]]
	grep -q '"code":"unavailable"' body
	# Postgres takes them: there is room again.
	incr-consume -o | incr-flush
	[ "$(post 4)" = "202 " ]
	incr-consume -o | incr-flush
	total_is 7
}

# -- Postgres away -----------------------------------------------------------

# link_postgres: DATABASE_URL by way of a folder that can lose it
link_postgres() {
	use_postgres
	mkdir -p away
	back
	export DATABASE_URL=${DATABASE_URL//"$INCR_SUITE/pg"/$PWD/away}
}
away() {
	rm away/.s.*
	psql -Xqh "$INCR_SUITE/pg" -U postgres -d postgres -c "
		select pg_terminate_backend(pid) from pg_stat_activity
		where datname = 't$BATS_SUITE_TEST_NUMBER'" >/dev/null
}
back() { ln -s "$INCR_SUITE/pg/.s.PGSQL.5432" away/; }

# lines N: increments of 1, of 10,000 keys
lines() {
	awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) printf \
		"{\"key\":\"%08x-0001-4000-8000-000000000000\",\"value\":1}\n",
		i % 10000 }'
}

# in_redis: payloads, ready or in batches
in_redis() {
	rcli eval 'local n = 0
	for _, list in ipairs(redis.call("KEYS", "*")) do
		if redis.call("TYPE", list).ok == "list" then
			n = n + redis.call("LLEN", list)
		end
	end
	return n' 0
}

take_no_more() {
	((SECONDS > since + 32)) ||
		[ "$(rcli --raw keys '*::batch::*' | wc -l)" = 2000 ]
}

# peak_of PROGRAM...: the most that one of them took, in KiB
peak_of() {
	local name pid
	for name in "$@"; do
		for pid in $(pgrep -x "$name"); do
			grep -qzxF "INCR_QUEUE=$INCR_QUEUE" "/proc/$pid/environ" ||
				continue
			awk '/^VmHWM/ { print $2 }' "/proc/$pid/status"
		done
	done | sort -n | tail -n 1
}
# all_below KIB PROGRAM...
all_below() {
	local kib=$1 name peak
	shift
	for name in "$@"; do
		peak=$(peak_of "$name")
		echo "$name: $peak KiB"
		sanitized "$name" || [ "$peak" -lt "$kib" ] || return 1
	done
}

@test "Postgres away: all is taken, Redis holds it, nobody grows, all drain it" {
	n=100000
	not sanitized incr-serve || n=20000
	own_redis --appendonly no # how fast the disk is does not matter here
	link_postgres
	background incr-ingest -l ./s -l 127.0.0.1:0 --port-file port --linger 0
	for i in 1 2; do
		background incr-drain -n $((n / 4000)) -- -i 0.2
	done
	wait_for 10 ask health/ready -f
	[ "$(post 1)" = "202 " ]
	wait_for 10 total_is 1
	away
	since=$SECONDS
	lines $n >in
	INCR_URL=http://127.0.0.1:$(cat port)/increment incr-send <in >out
	cmp in out
	[ "$(in_redis)" -ge $n ]
	# Each takes a thousand batches, no more; none while one is 30 s old.
	wait_for 60 take_no_more
	[ "$(ready)" -ge $((n / 2)) ]
	back
	wait_for 60 total_is $((n + 1))
	wait_for 10 no_batches
	has_ready 0
	[ "$(sql 'select count(*) from incr_ledger where seq > 3')" -ge 2 ]
	all_below 16384 incr-serve incr-validate incr-publish incr-consume \
		incr-flush
}

@test "at Redis's own limit: 503 before it is reached, 202 once there is room" {
	own_redis --appendonly no --maxmemory 8mb --maxmemory-policy noeviction
	use_postgres
	lines 110000 >in
	run -111 incr-publish -e <in >out
	mark=$((8 * 1024 * 1024 * 3 / 4 / 80))
	[ "$(ready)" -ge $mark ]
	[ "$(ready)" -lt $((mark + 2000)) ]
	[ "$(rcli info memory | awk -F: '/^used_memory:/ { print $2 + 0 }')" -lt \
		$((8 * 1024 * 1024)) ]
	background incr-ingest -l ./s --linger 0
	wait_for 5 ask health/ready -f
	[[ "$(post 1)" == '503 '* ]]
	# What is there can be counted, also when the limit is reached.
	rcli config set maxmemory 1
	taken=$(ready)
	incr-consume -o | incr-flush
	total_is "$taken"
	no_batches
	[[ "$(post 1)" == '503 '* ]]
	rcli config set maxmemory 8mb
	[ "$(post 1)" = "202 " ]
}

ask() {
	local path=$1
	shift
	curl -sS --max-time 10 --unix-socket s "$@" "http://localhost/$path"
}
# post VALUE: status and Retry-After
post() {
	ask increment -d "$(increment "$1")" -o body \
		-w '%{http_code} %header{retry-after}'
}
