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

@test "incr-consume --list-shards asks again what Redis refuses for now" {
	own_redis
	export INCR_QUEUE=many
	rcli config set min-replicas-to-write 1 >/dev/null
	run -111 incr-consume --list-shards -w 0.3
	[ "$output" = 'incr-consume: redis: NOREPLICAS Not enough good replicas to write.' ]
	background incr-consume --list-shards -w 20 >out
	looks=$!
	wait_for 10 was_refused 5
	rcli config set min-replicas-to-write 0 >/dev/null
	wait_for 10 gone "$looks"
	wait "$looks"
	[ "$(cat out)" = many ]
}
was_refused() { # TIMES
	[ "$(rcli info errorstats | sed -n 's/^errorstat_NOREPLICAS:count=\([0-9]*\).*/\1/p')" -ge "$1" ]
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

# A shell that forks forgets what its child is told at first.
@test "incr-drain --all tells a drain that forgets it again" {
	use_given
	sharded "$INCR_QUEUE" 2
	mkdir programs
	ln -s "$INCR_BIN"/* programs
	rm programs/incr-flush
	cat >programs/incr-flush <<-END
		#!/bin/sh
		case "\$*" in *--help*) exec $INCR_BIN/incr-flush "\$@" ;; esac
		trap 'trap "exit 0" TERM' TERM
		: >begun.\$\$
		while :; do sleep 0.02; done
	END
	chmod +x programs/incr-flush
	background programs/incr-drain --all 2>err
	main=$!
	wait_for 10 all_have_begun
	kill "$main"
	wait_for 10 gone "$main"
	status=0
	wait "$main" || status=$?
	[ "$status" = 0 ]
}
all_have_begun() { [ "$(printf '%s\n' begun.* | grep -c '[0-9]$')" = 3 ]; }

@test "the rest of the queue and the timer are those of each shard" {
	grep -q '^ExecStop=.*incr-drain --all -o ' "$ROOT/etc/incr-rest.service"
	grep -q '^ExecStart=.*incr-drain --all -o ' "$ROOT/etc/incr-once.service"
}

# -- incr-up ---------------------------------------------------------------------

# keys FROM TO: increments of 1, each of a key of its own
keys() {
	seq "$1" "$2" | awk '{ printf "{\"key\":\"%08x-0000-4000-8000-%012x\",\"value\":1}\n",
		$1 * 2654435761 % 4294967296, $1 }'
}
send() { incr-send -u "$url" >sent; }
drains() { cat "$INCR_STATE/run/drains"; }
# ready_of SHARD: how many wait there
ready_of() { rcli llen "rmq::queue::[$INCR_QUEUE.$1]::ready"; }
# top FIGURE QUEUE: what incr-top says
top() { awk -F '\t' -v f="$1" -v q="$2" '$1 == f && $2 == q { print $3 }' table; }
# The drains of three shards tell of their own in one folder, and add up.
told_of_each() {
	local shard sum
	incr-top --once --every 0.2 "$INCR_STATE/metrics" >table || return
	sum=$(top queue_out_total "$INCR_QUEUE")
	[ "$sum" = 1 ] && [ "$(top shards "$INCR_QUEUE")" = 3 ] || return
	for shard in 0 1 2; do
		[ "$(top queue_out_total "$INCR_QUEUE.$shard")" = \
			"$(sql "select sum(lines) from incr_ledger where queue = '$INCR_QUEUE.$shard'")" ] &&
			sum=$((sum + $(top queue_out_total "$INCR_QUEUE.$shard"))) || return
	done
	[ "$(top shards_out_total "$INCR_QUEUE")" = "$sum" ] && [ "$sum" = 301 ]
}
pids_of() { # PART
	descendants "$(cut -d ' ' -f 1 "$INCR_STATE/run/$1.keeper")"
}

@test "incr-up --shards: a drain for each and one for the queue, kept over a restart" {
	local shard
	use_given
	up_start --ingests 1 --shards 3
	for shard in 0 1 2; do
		grep -qxE "drain-$shard\.1 +queue $INCR_QUEUE\.$shard" out
	done
	grep -qxE "drain-1 +queue $INCR_QUEUE" out
	[ "$(grep -c '^drain-' out)" = 4 ]
	[ "$(drains)" = 4 ]
	keys 1 300 | send
	increments 1000 1000 | put "$INCR_QUEUE"
	wait_for 15 total_is 1300
	[ "$(sql 'select count(distinct queue) from incr_ledger where lines > 0')" = 4 ]
	wait_for 10 told_of_each
	run -0 incr-up --rest
	keys 1 300 | send
	for shard in 0 1 2; do
		[ "$(ready_of $shard)" -gt 50 ]
	done
	[ "$(ready)" = 0 ]
	run -0 incr-up --resume
	wait_for 15 total_is 1600
	up_stop
	# It is the queue's for ever.
	run -100 incr-up --ingests 1 --shards 2
	[ "${lines[-1]}" = "incr-up: --shards: 2: queue $INCR_QUEUE has noted 3; another number needs a queue of another name" ]
	rcli set 'incr::queue::[one]::shards' 1 >/dev/null
	INCR_QUEUE=one run -100 incr-up --ingests 1 --shards 2
	[[ "$output" == *"incr-publish: queue one: has noted 1 shard"*", not 2 "* ]]
	up_start --ingests 1 --drains 2
	[ "$(drains)" = 7 ]
	grep -qxE "drain-2\.2 +queue $INCR_QUEUE\.2" out
	keys 1 300 | send
	wait_for 15 total_is 1900
	up_stop
	quiet err
}

@test "incr-up: what the drains of a shard leave is counted at the end" {
	use_given
	up_start --ingests 1 --shards 2
	for part in drain-1 drain-0.1 drain-1.1; do
		pids_of $part
	done >stopped
	xargs kill -STOP <stopped
	keys 1 100 | send
	[ "$(ready_of 0)" -gt 20 ]
	[ "$(ready_of 1)" -gt 20 ]
	# Killed while it stands still, a drain counts nothing any more.
	xargs kill -9 <stopped
	for part in 1 0.1 1.1; do
		kill -9 "$(cut -d ' ' -f 1 "$INCR_STATE/run/drain-$part.keeper")"
	done
	up_stop
	[ "$(total)" = 100 ]
	[ "$(ready_of 0)$(ready_of 1)" = 00 ]
}

@test "incr-up says which shard has no drain any more, and resume does, too" {
	use_given
	up_start --ingests 1 --shards 2
	kill "$(cut -d ' ' -f 1 "$INCR_STATE/run/drain-1.1.keeper")"
	wait_for 20 has "incr-up: drains: all of $INCR_QUEUE.1 have ended; increments wait in the queue; see the messages before this one" err
	[ "$(drains)" = "none: all of $INCR_QUEUE.1 have ended" ]
	run -1 timeout 20 incr-up --resume
	[ "$output" = "incr-up: drains: all of $INCR_QUEUE.1 have ended: nothing drains the queue" ]
	run -1 incr-up --check
	[[ "$output" == *"warning: drains: all of $INCR_QUEUE.1 have ended: nothing drains the queue"* ]]
	kill "$(cut -d ' ' -f 1 "$INCR_STATE/run/drain-1.keeper")" \
		"$(cut -d ' ' -f 1 "$INCR_STATE/run/drain-0.1.keeper")"
	wait_for 20 has 'incr-up: drains: all have ended; increments wait in the queue' err
	[ "$(drains)" = 'none: all have ended' ]
	up_stop
}

@test "in front of shards a rate is of the client, a key of the request" {
	local expected shard
	use_given
	url=http://127.0.0.1:$INCR_PORT/increment
	background incr-ingest -s 4 -l "127.0.0.1:$INCR_PORT" --rate 1/s:40 --rate-shared 2>err
	wait_for 10 curl -fs "http://127.0.0.1:$INCR_PORT/health/ready"
	keys 1 20 >lines
	# A request of lines of all shards, repeated, then one that is over the rate.
	for expected in 202 202 429; do
		[ "$(http_status --data-binary @lines -H 'Idempotency-Key: "k"' \
			-H 'Content-Type: application/x-ndjson' "${url}s")" = "$expected" ]
	done
	for shard in 0 1 2 3; do ready_of $shard; done >counts
	not grep -x 0 counts
	[ "$(($(paste -sd + counts)))" = 20 ]
	quiet err
}

@test "wrong numbers of shards end each script with 100, in one line" {
	for wrong in 0 1025 x -1 ''; do
		run -100 incr-up --shards "$wrong"
		[ "${lines[*]}" = "incr-up: --shards: $wrong: not a number from 1 to 1024" ]
		run -100 incr-ingest -s "$wrong"
		[[ "$output" == 'incr-publish: --shards: '* ]]
	done
	INCR_SHARDS=0 run -100 incr-up
	[ "$output" = 'incr-up: INCR_SHARDS: 0: not a number from 1 to 1024' ]
}

# -- from N to M -----------------------------------------------------------------

# ingest QUEUE N: what the ingest is told when it is started next
ingest() { printf 'queue=%s\nn=%s\n' "$1" "$2" >ingest.new && mv ingest.new ingest; }
# drains_of QUEUE N
drains_of() {
	local i
	background incr-drain -q "$1" -- -i 1 2>>err
	for ((i = 0; i < $2; i++)); do
		background incr-drain -q "$1.$i" -- -i 1 2>>err
	done
}
server() { part ingest; }
is_another() { [ "$(server)" != "$1" ] && [ "$(cat "/proc/$(server)/comm")" = incr-serve ]; }
has_answers() { [ "$(wc -l <answers)" -ge "$1" ]; }
repeat() { http_status -d "$(increment 1)" -H 'Idempotency-Key: "once"' "$url"; }

@test "from two shards to five under load, by a queue of another name" {
	local old=$$-old new=$$-new was n
	use_given
	url=http://127.0.0.1:$INCR_PORT/increment
	mkdir "$INCR_STATE/run"
	drains_of "$old" 2
	ingest "$old" 2
	# shellcheck disable=SC2016
	background incr-listen "127.0.0.1:$INCR_PORT" -- incr-keep -p "$INCR_STATE/run/ingest.pid" ingest -- \
		sh -c '. ./ingest; exec incr-ingest -q "$queue" -s "$n"' 2>>err
	wait_for 10 curl -fs "http://127.0.0.1:$INCR_PORT/health/ready"
	[ "$(repeat)$(repeat)" = 202202 ]
	: >load
	n=1
	while [ -e load ]; do
		keys $n $((n + 19))
		n=$((n + 20))
	done | incr-send -u "$url" >answers 2>sent 3>&- &
	sender=$!
	wait_for 20 has_answers 500
	# The order of incr(7): the drains of the new queue, then who publishes.
	drains_of "$new" 5
	ingest "$new" 5
	was=$(server)
	kill "$was"
	wait_for 20 is_another "$was"
	n=$(wc -l <answers)
	wait_for 20 has_answers $((n + 500))
	rm load
	wait "$sender"
	not grep -v '"value":1}$' answers
	n=$(wc -l <answers)
	wait_for 20 total_is $((n + 1))
	# All of it is in one of the two, and nothing waits in the old one.
	incr-audit -q "$old"
	incr-audit -q "$new"
	for queue in "$old" "$new"; do
		[ "$(rcli hget "incr::queue::[$queue.1]::totals" published)" -gt 50 ]
	done
	[ "$(rcli llen "rmq::queue::[$old.0]::ready")" = 0 ]
	# A repeat across it is counted twice, one beside it is not.
	[ "$(repeat)$(repeat)" = 202202 ]
	wait_for 20 sum_is 2
}

# -- compose.yaml ----------------------------------------------------------------

# services N [QUEUE]: a line for each of the override
services() {
	"$ROOT/etc/shards" "$@" >override.yaml
	python3 - override.yaml "$ROOT/compose.yaml" <<-'END'
	import sys, yaml
	override, base = (yaml.safe_load(open(f))["services"] for f in sys.argv[1:])
	for name, s in override.items():
	    e = s.get("extends")
	    assert e is None or e == {"file": "compose.yaml", "service": "drain-1"}, e
	    assert (name in base) == (e is None), name
	    for other in s.get("depends_on", []):
	        assert other in base or other in override, other
	    print(name, *(f"{k}={v}" for k, v in s["environment"].items()),
	        *(["after", *s["depends_on"]] if "depends_on" in s else []))
	END
}

@test "etc/shards: each shard has a drain, which the ingests outlive" {
	services 2 counts >said
	diff - said <<-'END'
	shard-0 INCR_INSTANCE=counts.0 after redis postgres
	shard-1 INCR_INSTANCE=counts.1 after redis postgres
	drain-1 INCR_QUEUE=counts
	drain-2 INCR_QUEUE=counts
	ingest-1 INCR_QUEUE=counts INCR_SHARDS=2 after redis drain-1 drain-2 shard-0 shard-1
	ingest-2 INCR_QUEUE=counts INCR_SHARDS=2 after redis drain-1 drain-2 shard-0 shard-1
	END
	services 100 >said
	[ "$(grep -c '^shard-[0-9]* INCR_INSTANCE=increments\.' said)" = 100 ]
	for wrong in '' 1 0 1025 x -1 99999; do
		run -100 "$ROOT/etc/shards" "$wrong"
		[ "$output" = "shards: $wrong: not a number from 2 to 1024" ]
	done
	run -100 "$ROOT/etc/shards" 2 'a b'
	[ "$output" = 'shards: a b: not the name of a queue' ]
	run -100 "$ROOT/etc/shards" 2 "$(printf '%0124d' 0)"
	[[ "$output" == *': longer than 123 characters' ]]
}
