#!/usr/bin/env bats
# Shards in what starts the programs: incr-drain, units, incr-up, compose.yaml.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper
load up

setup() { up_setup; }
teardown() { up_teardown; }

# -- units -----------------------------------------------------------------------

# of_unit INSTANCE ARG...: incr-drain, as incr-drain@INSTANCE.service starts it
of_unit() {
	local variables
	variables=$(sed -n 's/^Environment=//p' "$ROOT/etc/incr-drain@.service" |
		sed "s/%i/${1/\\/\\\\}/; s/INCR_METRICS_DIR=[^ ]*//")
	shift
	# shellcheck disable=SC2086 # its words
	env $variables incr-drain "$@"
}

@test "incr-drain@Q.3 drains that shard, incr-drain@1 the queue" {
	local shard
	use_given
	export INCR_QUEUE=$INCR_QUEUE
	shard=other-queue:$$.3
	increments 1 1 | incr-publish
	increments 2 2 | incr-publish -q "$shard"
	increments 4 4 | incr-publish -q "$shard-x"
	of_unit "$shard" -o
	[ "$(sum_of)" = 2 ]
	[ "$(ready)" = 1 ]
	# The command line comes first.
	of_unit "$shard" -o -q "$shard-x"
	[ "$(sum_of)" = 6 ]
	of_unit 1 -o
	[ "$(sum_of)" = 7 ]
	for wrong in "$INCR_QUEUE.x" "$INCR_QUEUE.03" "$INCR_QUEUE." .3 "$INCR_QUEUE.1024" \
		"a\\x2d$INCR_QUEUE"; do
		run -100 of_unit "$wrong" -o
		[ "$output" = "incr-drain: INCR_INSTANCE: $wrong: no shard, as increments.3" ]
	done
}

# -- drains ----------------------------------------------------------------------

# sharded QUEUE N: as the first incr-publish --shards notes it, at each shard, too
sharded() {
	local i
	rcli set "incr::queue::[$1]::shards" "$2" >/dev/null
	for ((i = 0; i < $2; i++)); do
		rcli set "incr::queue::[$1.$i]::shards" "$2" >/dev/null
	done
}

@test "incr-consume --list-shards: the queue and its shards, nothing written" {
	local before
	own_redis
	export INCR_QUEUE=many
	before=$(rcli info persistence | grep ^rdb_changes)
	[ "$(incr-consume --list-shards)" = many ]
	[ "$(rcli info persistence | grep ^rdb_changes)" = "$before" ]
	sharded many 11
	before=$(rcli info persistence | grep ^rdb_changes)
	incr-consume --list-shards | diff - <(echo many; seq -f 'many.%g' 0 10)
	# A shard has none.
	[ "$(incr-consume --list-shards -q many.3)" = many.3 ]
	[ "$(rcli info persistence | grep ^rdb_changes)" = "$before" ]
	rcli set 'incr::queue::[many]::shards' 1
	[ "$(incr-consume --list-shards)" = many ]
	for wrong in 1025 x; do
		rcli set 'incr::queue::[many]::shards' "$wrong"
		run -111 incr-consume --list-shards -w 0.3
	done
	run -100 incr-consume --list-shards -o
	[ "$output" = 'incr-consume: --list-shards: not with --once' ]
	run -100 incr-consume --list-shards --peek 1
	[ "$output" = 'incr-consume: --list-shards: not with --peek' ]
	REDIS_URL=unix://$PWD/none run -111 incr-consume --list-shards -w 0.1
	[ "${#lines[@]}" = 1 ]
	run -111 sh -c 'incr-consume --list-shards >/dev/full'
}

@test "incr-drain --all counts the queue and each shard once, and leaves" {
	use_given
	increments 1 1 | incr-publish
	run -0 incr-drain --all
	[ "$(sum_of)" = 1 ]
	[ -z "$output" ]
	sharded "$INCR_QUEUE" 9
	increments 2 2 | incr-publish
	for i in 0 5 8; do
		increments 10 10 | put "$INCR_QUEUE.$i"
	done
	run -0 incr-drain --all -n 1 -- -i 1
	[ "$(sum_of)" = 33 ]
	# Of all it is the status that counts for most; the others are counted.
	for i in 0 8; do
		increments 10 10 | put "$INCR_QUEUE.$i"
	done
	rcli set "rmq::queue::[$INCR_QUEUE.3]::ready" 'no list' >/dev/null
	run -111 incr-drain --all -w 0.5
	[ "$(sum_of)" = 53 ]
	# One whose options are wrong starts nothing.
	run -100 incr-drain --all -- --no-such
	[ "${#lines[@]}" = 1 ]
	REDIS_URL=unix://$PWD/none run -111 timeout 20 incr-drain --all -w 0.1 -- -w 9
	[ "${#lines[@]}" = 1 ]
}

# put QUEUE: lines, as another program pushes them
put() {
	while read -r line; do
		rcli lpush "rmq::queue::[$1]::ready" "$line"
	done >/dev/null
}

@test "incr-drain --all that is told to leave ends each drain in order" {
	local signal
	use_given
	sharded "$INCR_QUEUE" 2
	for signal in TERM INT; do
		for i in 0 1; do
			increments 1 5 | put "$INCR_QUEUE.$i"
		done
		lock increments
		background env --default-signal=INT incr-drain --all 2>err
		main=$!
		wait_for 10 waits_for_lock 2
		kill -s "$signal" "$main"
		unlock
		status=0
		wait "$main" || status=$?
		[ "$status" = 0 ]
		[ "$(descendants "$main" | wc -l)" = 0 ]
		quiet err
	done
	[ "$(sum_of)" = 60 ]
}

@test "the rest of the queue and the timer are those of each shard" {
	grep -q '^ExecStop=.*incr-drain --all -o ' "$ROOT/etc/incr-rest.service"
	grep -q '^ExecStart=.*incr-drain --all -o ' "$ROOT/etc/incr-once.service"
}
