#!/usr/bin/env bats
# incr-consume --peek: what waits, without taking it.

bats_require_minimum_version 1.5.0
load helper

setup() {
	own_redis
	export INCR_QUEUE=peek
	cd "$BATS_TEST_TMPDIR" || return
	READY="rmq::queue::[$INCR_QUEUE]::ready"
}

teardown() { end_background; }

# writes: how often anybody has changed anything in this Redis
writes() { rcli info persistence | tr -d '\r' | sed -n 's/^rdb_changes_since_last_save://p'; }

@test "--peek: the oldest in canonical form, and nothing is written" {
	local before
	increments 1 5 | incr-publish
	rcli lpush "$READY" '{ "value": 6, "key": "'"${KEY^^}"'" }' 'no json' \
		'{"checkpoint":{' >/dev/null
	printf '\377\0\276\276Jno header' | put_stdin
	before=$(writes)
	mkdir metrics
	INCR_METRICS_DIR=$PWD/metrics run -0 incr-consume --peek 3
	[ "$output" = "$(increments 1 3)" ]
	[ -z "$(ls metrics)" ]
	run -0 --separate-stderr incr-consume --peek 1000
	[ -z "$stderr" ]
	[ "${#lines[@]}" = 9 ]
	[ "$(head -n 6 <<<"$output")" = "$(increments 1 6)" ]
	[ "${lines[6]}" = 'no json' ]
	[[ ${lines[7]} == '{"error":{"code":"control-line",'*'"line":'* ]]
	[[ ${lines[8]} == '{"error":{"code":"faulty-header",'* ]]
	[ "$(writes)" = "$before" ]
	# It is all there, for whoever takes it.
	[ "$(rcli llen "$READY")" = 9 ]
	[ -z "$(rcli keys 'incr::queue::*consumer*')" ]
	[ "$(incr-consume -o -w 1 2>/dev/null | head -n 6 | tail -n 5)" = "$(increments 1 5)" ]
}

@test "--peek: large messages, more than one page of them; an empty queue" {
	run -0 incr-consume --peek 7
	[ -z "$output" ]
	for n in 1 2 3 4 5; do
		{ printf 'LPUSH "%s" "%d' "$READY" $n; head -c 700000 /dev/zero | tr '\0' x; printf '"\n'; }
	done | rcli >/dev/null
	run -0 incr-consume --peek 4
	[ "${#lines[@]}" = 4 ]
	[[ $output == *'"code":"too-long"'* ]]
}

@test "--peek in a terminal: no byte of others commands it" {
	rcli lpush "$READY" $'evil\e[31m' >/dev/null
	script -qec 'incr-consume --peek 1' shown >/dev/null
	grep -q evil shown
	run ! grep -q $'\e' shown
	[[ $(incr-consume --peek 1) == $'evil\e[31m' ]]
}

@test "--peek: usage, a Redis that is away, a full disk" {
	for n in 0 1001 x -1; do
		run -100 incr-consume --peek "$n"
	done
	run -100 incr-consume --peek 1 -o
	[ "$output" = 'incr-consume: --peek: not with --once' ]
	REDIS_URL="unix://$PWD/none" run -111 incr-consume --peek 1 -w 0.1
	[[ $output == 'incr-consume: redis: '* ]]
	[ "${#lines[@]}" = 1 ]
	increment 1 | incr-publish
	run -111 sh -c 'incr-consume --peek 1 >/dev/full'
}

# Each take is between two pages of a look: what is shown was there at once.
@test "--peek while others take: all of one moment, or 111" {
	for n in 1 2 3 4 5 6; do
		{ printf 'LPUSH "%s" "%d' "$READY" $n; head -c 600000 /dev/zero | tr '\0' x; printf '"\n'; }
	done | rcli >/dev/null
	rcli rename "$READY" all >/dev/null
	cat >turn <<-END
		while [ -e turn ]; do
			echo 'COPY all "$READY" REPLACE'
			echo 'RPOP "$READY"'
		done
	END
	background sh -c "sh turn | redis-cli -s '${REDIS_URL#unix://}' >/dev/null 2>&1"
	wait_for 5 eval '[ "$(rcli exists "$READY")" = 1 ]'
	status=0
	incr-consume --peek 5 >shown 2>err || status=$?
	rm turn
	case $status in
	0) [ "$(wc -l <shown)" = 5 ] ;;
	111) grep -q 'taken from in each of 50 rounds; run it again' err && [ ! -s shown ] ;;
	*) false ;;
	esac
}
