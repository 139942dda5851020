#!/usr/bin/env bats
# Redis goes back in time, or the halves of a drain are at two of them: an old
# primary that lives on, a replica that lacked the last second, an older file.
# It is told, with how much it can be at most, and work goes on.

bats_require_minimum_version 1.5.0
load helper

setup() {
	use_postgres
	export INCR_QUEUE=q$BATS_SUITE_TEST_NUMBER-$$
	cd "$BATS_TEST_TMPDIR" || return
	export TMPDIR=$PWD INCR_METRICS_DIR=$PWD/metrics
	mkdir metrics
	OLD=$(mktemp -d /tmp/incr-o.XXXXXX) # short names, for sockets
	NEW=$(mktemp -d /tmp/incr-n.XXXXXX)
}

teardown() {
	end_background
	redis_stop "$OLD"
	redis_stop "$NEW"
	rm -rf "$OLD" "$NEW"
}

# pair: a primary that all programs use, and its replica
pair() {
	port=$(free_port)
	redis_start "$OLD" --bind 127.0.0.1 --port "$port"
	redis_start "$NEW" --replicaof "127.0.0.1 $port"
	ln -s "$OLD/redis.sock" redis.sock
	export REDIS_URL=unix://$PWD/redis.sock
}
old() { redis-cli -s "$OLD/redis.sock" "$@"; }
new() { redis-cli -s "$NEW/redis.sock" "$@"; }
in_sync() { [ "$(written_by 1 -s "$OLD/redis.sock")" = 1 ]; }
# part: from now on the replica does not learn more, and is a primary
part() {
	wait_for 10 in_sync
	new replicaof no one >/dev/null
}
# move: who connects from now on comes to it
move() { ln -sfn "$NEW/redis.sock" redis.sock; }
# hang_up [CLIENT]: connections to the old one end
hang_up() {
	old client kill type normal skipme yes >/dev/null
}

# drains: a drain, started again whenever it ends, by hand
drains() {
	# shellcheck disable=SC2016 # for the shell below
	background setsid sh -c 'while :; do
		status=0; incr-drain "$@" || status=$?
		echo "drain: $status" >&2; sleep 0.3
	done' sh "$@" 2>err
}
# counted: ten increments are, and acknowledged
counted() {
	pair
	drains -- -i 0.3
	increments 1 10 | incr-publish
	wait_for 10 sum_is 55
	wait_for 10 no_batches
}
# counted_and_moved: then who connects comes to the new one
counted_and_moved() {
	counted
	part
	move
}
ends() { [ "$(grep -c '^drain: ' err || :)" = "$1" ]; }
flush_clients() { old client list | grep -c .; }
# clients: ids of the connections to the old one, in the order they were made
clients() { old client list | sed -n 's/^id=\([0-9]*\) .* lib-name=.*/\1/p; s/^id=\([0-9]*\) .*/\1/p' | sort -nu; }
told() { # PATTERN
	grep -E "^incr-${2:-flush}: queue $INCR_QUEUE: Redis $1" err
}
stepped() { grep -hE '^incr_queue_steps_back_total\{.*\} 1$' metrics/*.prom; }

@test "incr-consume has moved, incr-flush still talks to the old primary" {
	counted_and_moved
	# incr-consume was the first to connect.
	old client kill id "$(old client list | sed 's/^id=\([0-9]*\).*/\1/' | sort -n | head -n 1)"
	increments 11 20 | incr-publish
	wait_for 20 sum_is 210
	wait_for 10 no_batches
	told 'does not know consumer [0-9a-f-]{36}: another Redis, or one that went back$'
	wait_for 5 stepped
	# Once, and it goes on as ever.
	ends 1
	grep -q '^drain: 111$' err
	increments 21 30 | incr-publish
	wait_for 10 sum_is 465
	ends 1
}

# flush_moves: the connections of incr-flush end, which is not the first to
# connect; then it makes its marks at the new one
flush_moves() {
	for id in $(clients | tail -n +2); do
		old client kill id "$id" >/dev/null || :
	done
	wait_for 10 marked_anew
}
marked_anew() { [ "$(new --raw keys '*::flush' | wc -l)" = 1 ] && [ "$(mark_at new)" -gt "$(mark_at old)" ]; }
mark_at() {
	until=$("$1" get "$("$1" --raw keys '*::flush')")
	echo "${until%% *}"
}

# The mirror image: nothing fails on either side.
@test "incr-flush has moved, incr-consume still talks to the old primary" {
	counted_and_moved
	flush_moves
	increments 11 20 | incr-publish
	wait_for 20 sum_is 210
	wait_for 10 no_batches
	held="incr-consume: queue $INCR_QUEUE: nothing taken for 3 s"
	[ "$(grep -c "^$held, no mark of incr-flush in this Redis; waiting$" err)" = 1 ]
	grep -qx "incr-consume: queue $INCR_QUEUE: taking again" err
	# Nobody had to be started again, and it goes on as ever.
	increments 21 30 | incr-publish
	wait_for 10 sum_is 465
	ends 0
	[ "$(grep -vc ': window: increments wait for more than' err)" = 2 ]
}

@test "a new primary that lacks the last batches: told, with how many at most" {
	pair
	drains -- -i 1.5
	increments 1 10 | incr-publish
	wait_for 10 sum_is 55
	wait_for 10 no_batches
	part
	increments 11 30 | incr-publish
	wait_for 5 taken
	move
	hang_up
	wait_for 20 told 'knows consumer [0-9a-f-]{36}, but as far as batch 1 of 2: another Redis, or one that went back; 20 messages at most may be counted twice$'
	wait_for 5 stepped
	# What that one had is counted; the rest is not, or once.
	sum_is 465
	increments 31 40 | incr-publish
	wait_for 20 sum_is 820
	wait_for 10 no_batches
	ends 1
	grep -q '^drain: 111$' err
}
taken() { [ -n "$(old --raw keys '*::batch::2')" ]; }

@test "after a takeover nothing is told: the number of who was swept stays" {
	pair
	background setsid incr-drain -- -i 1.5 2>err
	first=$!
	increments 1 10 | incr-publish
	wait_for 5 held
	kill -STOP -- "-$first"
	background setsid incr-drain -- -i 0.3 2>second
	wait_for 10 sum_is 55
	wait_for 10 no_batches
	wait_for 10 registered 1
	kill -CONT -- "-$first"
	wait_for 10 replayed
	wait_for 10 registered 2
	quiet err
	not stepped
}
held() { [ -n "$(batches)" ]; }
registered() { [ "$(rcli scard "incr::queue::[$INCR_QUEUE]::consumers")" = "$1" ]; }
replayed() { grep -qhE '^incr_replayed_batches_total\{.*\} 1$' metrics/*.prom; }

# Nothing is left to be acknowledged, so incr-flush can't tell.
@test "a new primary that lacks what was counted: incr-consume tells, once" {
	counted
	part
	increments 11 30 | incr-publish
	wait_for 10 sum_is 465
	wait_for 10 no_batches
	move
	hang_up
	wait_for 20 told 'knows consumer [0-9a-f-]{36}, but as far as batch 1 of [0-9]+: another Redis, or one that went back; 20 messages at most may be counted twice$' consume
	wait_for 5 stepped
	increments 31 40 | incr-publish
	wait_for 20 sum_is 820
	# Another connection to the same one tells nothing more.
	new client kill type normal skipme yes >/dev/null
	increments 41 50 | incr-publish
	wait_for 20 sum_is 1275
	[ "$(grep -c 'went back' err)" = 1 ]
	ends 0
}

@test "a Redis that comes back with all it had: nothing is told" {
	pair
	drains -- -i 0.3
	increments 1 10 | incr-publish
	wait_for 10 sum_is 55
	wait_for 10 no_batches
	kill -9 "$(cat "$OLD/redis.pid")"
	wait_for 10 gone "$(cat "$OLD/redis.pid")"
	rm -f "$OLD/redis.sock"
	redis_start "$OLD" --bind 127.0.0.1 --port "$port"
	increments 11 20 | incr-publish
	wait_for 20 sum_is 210
	not grep 'went back' err
	ends 0
}

# -- incr-audit: how many, by the totals ----------------------------------------

# audit_says STATUS [MESSAGE]: of the totals
audit_says() {
	run --separate-stderr "-$1" incr-audit
	[ "$(sed -n 's/^incr-audit: queue: \(.* messages\{0,1\} .*\)/\1/p' <<<"$stderr")" = "${2-}" ] || {
		echo "$stderr"
		return 1
	}
}
surplus() { echo "$1 messages counted that Redis does not know to be taken, and may be counted twice: it went back"; }

@test "a new primary that lacks what was counted: incr-audit tells how many" {
	pair
	drains -- -i 0.3
	increments 1 10 | incr-publish
	wait_for 10 sum_is 55
	wait_for 10 no_batches
	audit_says 0
	part
	increments 11 30 | incr-publish
	wait_for 10 sum_is 465
	wait_for 10 no_batches
	audit_says 0
	move
	hang_up
	wait_for 20 told 'knows consumer' consume
	audit_says 1 "$(surplus 20)"
	# It is as many ever after, until somebody says that this is known.
	increments 31 40 | incr-publish
	wait_for 20 sum_is 820
	wait_for 10 no_batches
	audit_says 1 "$(surplus 20)"
	# With the old consumer its row, which Redis does not know, has gone.
	wait_for 10 incr-audit --settle
	audit_says 0
	increments 41 50 | incr-publish
	wait_for 20 sum_is 1275
	audit_says 0
}

@test "a new primary that has all: incr-audit says nothing" {
	pair
	drains -- -i 0.3
	increments 1 10 | incr-publish
	wait_for 10 sum_is 55
	increments 11 20 | incr-publish
	part
	move
	hang_up
	wait_for 20 sum_is 210
	wait_for 10 no_batches
	audit_says 0
}

@test "an older file of Redis, what was ready there is counted twice: how many" {
	own_redis
	increments 1 10 | incr-publish
	incr-consume -o | incr-flush
	increments 11 17 | incr-publish
	rcli save
	cp "$OWN_REDIS/dump.rdb" older.rdb
	incr-consume -o | incr-flush
	sum_is 153
	audit_says 0
	kill -9 "$(redis_pid)"
	wait_for 10 gone "$(redis_pid)"
	rm -rf "$OWN_REDIS"/{appendonlydir,redis.sock}
	cp older.rdb "$OWN_REDIS/dump.rdb"
	redis_start "$OWN_REDIS" --appendonly no
	audit_says 1 "$(surplus 7)"
	incr-consume -o | incr-flush
	sum_is $((153 + 98))
	audit_says 1 "$(surplus 7)"
}

# -- what was published ---------------------------------------------------------

# publisher: one that lives on, and publishes what comes
publisher() {
	mkfifo in
	exec 8<>in
	background incr-publish <in 2>published 8>&-
}
more() { increments "$@" >&8; }
has_ready() { [ "$(redis-cli -s "$1/redis.sock" llen "rmq::queue::[$INCR_QUEUE]::ready")" = "$2" ]; }
lacks() { [ "$(said published)" = "incr-publish: queue $INCR_QUEUE: Redis lacks $1 messages published to it: another one, or one that went back; lost, but for what was counted before" ]; }
lacking() { echo "$1 messages published that Redis lacks: it went back; lost, but for what was counted before"; }
drain() { incr-consume -o | incr-flush; }

@test "a new primary that lacks what was published: told, with how many" {
	pair
	publisher
	more 1 10
	wait_for 10 has_ready "$OLD" 10
	drain
	more 11 14
	wait_for 10 has_ready "$OLD" 4
	part
	more 15 21
	wait_for 10 has_ready "$OLD" 11
	audit_says 0
	move
	hang_up
	more 22 22
	wait_for 20 has_ready "$NEW" 5
	lacks 7
	wait_for 5 stepped
	audit_says 1 "$(lacking 7)"
	drain
	audit_says 1 "$(lacking 7)"
	run -0 incr-audit --settle
	audit_says 0
	# Another connection to the same one tells nothing more.
	new client kill type normal skipme yes >/dev/null
	more 23 30
	wait_for 20 has_ready "$NEW" 8
	lacks 7
	audit_says 0
}

@test "a new primary that has all that was published: nothing is told" {
	pair
	publisher
	more 1 10
	wait_for 10 has_ready "$OLD" 10
	part
	move
	hang_up
	more 11 12
	wait_for 20 has_ready "$NEW" 12
	quiet published
	not stepped
	drain
	audit_says 0
}

@test "an older file of commands: what was published, and counted, since" {
	own_redis
	publisher
	more 1 10
	wait_for 10 has_ready "$OWN_REDIS" 10
	drain
	more 11 17
	wait_for 10 has_ready "$OWN_REDIS" 7
	cp -r "$OWN_REDIS/appendonlydir" older
	more 18 22
	wait_for 10 has_ready "$OWN_REDIS" 12
	# The file as it is: nothing is told.
	restart_redis
	more 23 23
	wait_for 20 has_ready "$OWN_REDIS" 13
	drain
	quiet published
	audit_says 0
	restart_redis older
	more 24 25
	wait_for 20 has_ready "$OWN_REDIS" 9
	# Five under the first id of the publisher, and one under the second.
	lacks 6
	audit_says 1 "$(lacking 6; surplus 13)"
}
# restart_redis [FOLDER]: kill -9, and start it with these files in place of its own
restart_redis() {
	local pid
	pid=$(redis_pid)
	kill -9 "$pid"
	wait_for 10 gone "$pid"
	rm -f "$OWN_REDIS/redis.sock"
	if [ $# -gt 0 ]; then
		rm -rf "$OWN_REDIS/appendonlydir"
		cp -r "$1" "$OWN_REDIS/appendonlydir"
	fi
	redis_start "$OWN_REDIS"
}

# That Redis neither knows the queue nor what of it was counted.
@test "an empty Redis: a queue begins anew, and incr-audit says nothing" {
	own_redis
	increments 1 10 | incr-publish
	incr-consume -o | incr-flush
	rcli flushall
	increments 11 17 | incr-publish
	incr-consume -o | incr-flush
	sum_is 153
	audit_says 0
	[ "$(rcli hmget "incr::queue::[$INCR_QUEUE]::totals" published taken acknowledged | xargs)" = "7 7 7" ]
}
