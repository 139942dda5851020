#!/usr/bin/env bats
# Scripts that were made faster, beside those of before: the same random calls,
# the same replies, and the same keys.
load helper

setup() {
	own_redis --enable-debug-command yes
}

teardown() {
	end_background
}

differ() { # SEED CALLS
	"$ROOT/tests/bats/differ.pl" "$OWN_REDIS/redis.sock" \
		"${BEFORE:-$ROOT/tests/bats/before}" "${AFTER:-$ROOT/lib/queue/lua}" "$@"
}

# made WHAT N: so often at least, in what was printed
made() {
	awk -F ': ' -v what="$1" -v n="$2" '
		$1 == what { found = $2 } END { exit found < n }' <<<"$output"
}

# alike CALLS [transaction]: with a seed that is another each time, and with 1, of
# which is known what is made: $output
alike() {
	local seed
	for seed in $RANDOM 1; do
		rcli flushall >/dev/null
		run differ "$seed" "$@"
		[ "$status" = 0 ] || { echo "$output"; return 1; }
	done
}

# So does the AOF, out of which lives and when ready was empty are kept.
aof_is_alike() {
	local before
	rcli eval 'for _, k in ipairs(redis.call("KEYS", "*")) do
		for _, out in ipairs({"::owner", "::flush", "::emptied"}) do
			if string.sub(k, -#out) == out then redis.call("DEL", k) end
		end
	end' 0
	before=$(rcli debug digest)
	rcli debug loadaof
	[ "$(rcli debug digest)" = "$before" ]
}

@test "a script of before and its successor do the same; so does the AOF" {
	alike 600
	made 'take taken' 20
	made 'take ERROR WRONGTYPE' 1
	made 'publish 1' 10
	made 'acknowledge 1' 10
	aof_is_alike
}

# The number, the counts and the lines of a batch move together, or not at all.
@test "publish and the transaction of admit do the same; so does the AOF" {
	BEFORE=$ROOT/lib/queue/lua alike 300 transaction
	made 'admit pushed' 10
	made 'admit did nothing' 20
	made 'publish 3' 5
	made 'publish 5' 5
	made 'publish ERROR WRONGTYPE' 1
	aof_is_alike
}

@test "a transaction that does something else is found" {
	local change BEFORE=$ROOT/lib/queue/lua
	AFTER=$BATS_TEST_TMPDIR/after
	for change in 's/now > not_after/false/' 's/high_water > 0 and/false and/' \
		"s/seq == last then/false then/" "s/whose ~= name/false/" \
		"s/total + n\$/total + n + 1/" "s/'published', n)/'published', n + 1)/" \
		"s/'RPUSH', pushing/'LPUSH', pushing/" "s/redis.pcall('RENAMENX', p.*//" \
		"s/redis.call('RPOP', pushing)//" \
		"s/redis.call('SET', publisher, record.*//"; do
		rm -rf "$AFTER"
		cp -r "$ROOT/lib/queue/lua" "$AFTER"
		sed -i "$change" "$AFTER/admit.lua"
		not diff -rq "$AFTER" "$ROOT/lib/queue/lua" >/dev/null
		rcli flushall >/dev/null
		run differ 1 300 transaction
		[ "$status" = 1 ] || { echo "$change"; return 1; }
		[[ "$output" == "seed 1: "* ]]
	done
}

@test "a script that does something else is found" {
	local change
	AFTER=$BATS_TEST_TMPDIR/after
	for change in "s/return {'taken', time/return {'taken', time + 1/" \
		"s/waiting - max, max,/waiting - max, max - 1,/" \
		"s/'taken', count)/'taken', count + 1)/" \
		"s/fits(batch)/true/" \
		"s/first\[ARGV\[i\]\] =/first[ARGV[i]] = false and/" \
		"s/'acknowledged', payloads/'acknowledged', payloads + 1/"; do
		rm -rf "$AFTER"
		cp -r "$ROOT/lib/queue/lua" "$AFTER"
		sed -i "$change" "$AFTER/take.lua" "$AFTER/acknowledge.lua"
		not diff -rq "$AFTER" "$ROOT/lib/queue/lua" >/dev/null
		rcli flushall >/dev/null
		run differ 1 1000
		[ "$status" = 1 ]
		[[ "$output" == "seed 1: "* ]]
	done
}
