#!/usr/bin/env bats
# A client-output-buffer-limit that is smaller than what is to be read: it is
# read in pieces, and where one message is larger, that is said.

bats_require_minimum_version 1.5.0
load helper

setup() {
	export INCR_QUEUE=q$BATS_SUITE_TEST_NUMBER
	cd "$BATS_TEST_TMPDIR" || return
	own_redis
	READY="rmq::queue::[$INCR_QUEUE]::ready"
	REJECTED="rmq::queue::[$INCR_QUEUE]::rejected"
	rcli config set client-output-buffer-limit 'normal 150kb 0 0'
}

teardown() {
	end_background
}

connections() { rcli info stats | tr -d '\r' | sed -n 's/^total_connections_received://p'; }
# large LIST BYTES [CHARACTER]: one message more
large() { head -c "$2" /dev/zero | tr '\0' "${3:-x}" | rcli -x lpush "$1" >/dev/null; }
data() { grep -v '^{"checkpoint":{'; }

@test "incr-consume reads a batch in pieces" {
	increments 1 10000 | incr-publish
	before=$(connections)
	incr-consume -o >out 2>err
	[ $(($(connections) - before)) -lt 20 ]
	[ "$(grep -c '"lines":10000,' out)" = 1 ]
	data <out | cmp - <(increments 1 10000)
	quiet err || has client-output-buffer-limit err
}

@test "the same of an adopted batch, and of one whose messages are large" {
	for i in 1 2 3 4 5 6 7 8; do
		large "$READY" 100000 "$i"
	done
	increments 1 3000 | incr-publish
	incr-consume -o >first
	incr-consume -o >out
	[ "$(grep -c '"lines":3008,.*"adopted":true' out)" = 1 ]
	data <out | tail -n 3000 | cmp - <(increments 1 3000)
	[ "$(data <out | grep -c '"too-long"')" = 8 ]
}

@test "a message that is too large: said, tried again seldom, 111 after --wait" {
	increments 1 10 | incr-publish
	large "$READY" 500000
	before=$(connections)
	run timeout 30 incr-consume -w 4
	[ "$status" -eq 111 ]
	[ $(($(connections) - before)) -lt 40 ]
	[ "$(grep -c 'client-output-buffer-limit.*; waiting$' <<<"$output")" = 1 ]
	[[ "$output" == *"incr-consume: redis: connection closed at one message, which may be larger than client-output-buffer-limit; gave up after 4 s (--wait)" ]]
	# With another limit it is delivered, as it was.
	rcli config set client-output-buffer-limit 'normal 0 0 0'
	timeout 30 incr-consume -o >out
	[ "$(grep -c '"lines":11,' out)" = 1 ]
	data <out | head -n 10 | cmp - <(increments 1 10)
}

@test "with metrics, too, a batch that was taken and not delivered is not all" {
	increments 1 10 | incr-publish
	large "$READY" 500000
	INCR_METRICS_DIR=$PWD run timeout 30 incr-consume -o -w 4
	[ "$status" -eq 111 ]
	rcli config set client-output-buffer-limit 'normal 0 0 0'
	timeout 30 incr-consume -o >out
	[ "$(grep -c '"lines":11,' out)" = 1 ]
}

@test "incr-rejected reads what is small in pieces, and says what is too large" {
	for i in 1 2 3 4 5 6 7 8; do
		large "$REJECTED" 60000 "$i"
	done
	incr-rejected list >out
	[ "$(wc -l <out)" = 8 ]
	large "$REJECTED" 500000
	begun=${EPOCHREALTIME/./}
	run -111 timeout 30 incr-rejected -w 2 list
	not elapsed "$begun" 10000000
	[[ "${lines[-1]}" == "incr-rejected: redis: "*client-output-buffer-limit* ]]
}

@test "incr-audit does the same" {
	use_postgres
	for i in 1 2 3 4 5 6 7 8; do
		large "$REJECTED" 60000 "$i"
	done
	increments 1 10000 | incr-publish
	incr-consume -o >/dev/null
	increments 1 10000 | incr-publish
	incr-audit >out
	grep -qE '^taken +- +10000 +0 +50005000$' out
	grep -qE '^ready +- +10000 +0 +50005000$' out
	grep -qE '^rejected +- +8 ' out
	large "$READY" 500000
	begun=${EPOCHREALTIME/./}
	run -111 timeout 30 incr-audit -w 2
	not elapsed "$begun" 10000000
	[[ "${lines[-1]}" == "incr-audit: redis: "*client-output-buffer-limit* ]]
}
