#!/usr/bin/env bats
# The version of a queue's keys: a release that can't read what another one
# left says so, and changes nothing.

bats_require_minimum_version 1.5.0
load helper

setup() {
	use_redis
	use_postgres
	DIR=$BATS_TEST_TMPDIR
	VERSION="incr::queue::[$INCR_QUEUE]::version"
}

teardown() { end_background; }

version() { rcli get "$VERSION"; }
state() { rcli --raw eval 'local all = {}
	local keys = redis.call("KEYS", "*" .. ARGV[1] .. "*") table.sort(keys)
	for _, key in ipairs(keys) do
		all[#all + 1] = key .. " " .. redis.sha1hex(redis.call("DUMP", key))
	end return all' 0 "$INCR_QUEUE"; }

@test "a publisher notes the version, and so does a consumer" {
	increment 3 | incr-publish
	[ "$(version)" = 3 ]
	rcli del "$VERSION"
	incr-consume -o | incr-flush
	[ "$(version)" = 3 ]
	sum_is 3
	[ "$(rcli ttl "$VERSION")" = -1 ]
}

@test "another version is said by every program, and nothing is changed" {
	increment 3 | incr-publish
	echo bad | put_stdin
	incr-consume -o >"$DIR/stream"
	rcli set "$VERSION" 4
	before=$(state)
	refused() {
		run "$@"
		[ "$status" -eq 100 ] && [[ "$output" == *'the keys of the queue are of version 4, of another release; this one reads version 3' ]] || {
			echo "$*: $status: $output"
			return 1
		}
	}
	refused timeout 10 incr-publish < <(increment 4)
	refused timeout 10 incr-consume
	refused incr-consume -o
	refused incr-flush <"$DIR/stream"
	refused incr-rejected list
	refused incr-audit
	refused incr-db --yes adopt
	[ "$(state)" = "$before" ]
	total_is 0
}

@test "a queue of 0.1.0, which noted none, goes on and is noted" {
	increments 1 10 | incr-publish
	incr-consume -o >"$DIR/left" # taken, and not acknowledged
	increments 11 20 | incr-publish
	rcli del "$VERSION" "incr::queue::[$INCR_QUEUE]::database"
	incr-consume -o | incr-flush
	sum_is 210
	no_batches
	[ "$(version)" = 3 ]
}

# As with all that was right before, it is waited for.
@test "another version that appears is said at the next connection" {
	own_redis
	mkfifo "$DIR/lines"
	exec 8<>"$DIR/lines"
	background incr-publish <"$DIR/lines" 2>"$DIR/err" 8>&-
	increment 3 >&8
	wait_for 10 has_ready 1
	rcli set "$VERSION" 4
	rcli client kill type normal
	increment 4 >&8
	wait_for 10 grep -q 'are of version 4, of another release' "$DIR/err"
	has_ready 1
	rcli set "$VERSION" 3
	wait_for 10 has_ready 2
	exec 8>&-
}

# The options are the largest there are: --wait keeps a repeat as long.
@test "after an upgrade marks of the release before are found as long as they live" {
	for largest in --idempotency-window=86401 --wait=86401; do
		run -100 incr-publish -t $largest </dev/null
	done
	rcli sadd rmq::queues "$INCR_QUEUE"
	rcli set "$VERSION" 2
	echo "t	$(increment 3)" |
		incr-publish -t --idempotency-window=86400 --wait=86400
	[ "$(version)" = 3 ]
	life=$(rcli ttl "${VERSION%version}seen::t")
	((life > 172800))
	# Its last program made one an hour later.
	(($(rcli ttl "${VERSION%version}upgraded") >= life + 3600))
}

@test "and no longer: nor does a publisher name them to Redis for ever" {
	own_redis
	mkfifo "$DIR/lines"
	exec 8<>"$DIR/lines"
	rcli config set slowlog-log-slower-than 0
	rcli set "$VERSION" 3
	rcli set "${VERSION%version}upgraded" 1 px 5000
	background incr-publish -t <"$DIR/lines" 8>&-
	n=0
	publish() {
		echo "$1	$(increment 3)" >&8
		n=$((n + 1))
		wait_for 10 has_ready $n
	}
	publish a
	[ "$(rcli exists "${VERSION%version}seen::a")" = 1 ]
	is_over() { [ "$(rcli exists "${VERSION%version}upgraded")" = 0 ]; }
	wait_for 20 is_over
	publish b # and is told the time
	publish c
	rcli slowlog get 100 >"$DIR/calls"
	grep -q 'seen::b$' "$DIR/calls"
	not grep -q 'seen::c$' "$DIR/calls"
	[ "$(rcli exists "${VERSION%version}seen::"{b,c})" = 0 ]
	exec 8>&-
}
