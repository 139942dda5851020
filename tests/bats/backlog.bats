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
