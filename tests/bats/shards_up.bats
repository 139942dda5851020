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
