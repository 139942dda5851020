#!/usr/bin/env bats
# The suite of make bench-all: that it runs, what it writes, what it can't run.  How much
# anything costs is no matter of a test.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() { cd "$BATS_TEST_TMPDIR" || return; }

suite() { "$ROOT/tests/bench/all" -q -b "${BIN%/*}" -o "$PWD" "$@" 2>err; }
teardown() {
	end_background
	[ "$BATS_TEST_COMPLETED" ] || tail err
}
formed() { "$ROOT/tests/ci/performance" "$@"; }

@test "the suite runs, and its page has the form" {
	run -0 suite validate publish growth
	[ "$output" = "$PWD/performance.md" ]
	formed performance.md
	for row in 'publish' 'the same with AOF' 'validate, canonical' \
		'messages that wait' 'rows of the table' 'connections' 'drains on shards'; do
		grep -q "^| $row |" performance.md
	done
	grep -q '^| publish, a line a call |.*| these alone in a script: [0-9]' performance.md
	# Rows of paths that did not run would be rows of nothing.
	not grep -q '^| idle' performance.md
	not grep -q '^| flush, a line' performance.md
	[ -s performance.svg ] || grep -qx -- '- picture: gnuplot is not installed' performance.md
}

@test "what is not installed is not run, and the page says so" {
	local tool
	mkdir bin
	for tool in perl git rm; do
		ln -s "$(command -v "$tool")" bin/
	done
	PATH=$PWD/bin run -0 suite validate serve
	formed performance.md
	grep -qx -- '- jq: not installed' performance.md
	grep -qx -- '- serve: wrk is not installed' performance.md
	grep -q '^| validate, canonical |' performance.md
	not grep -q 'jq: [0-9]' performance.md
}

@test "the suite says what it does not know" {
	run -100 suite publish nonsense
	grep -qx 'all: no path nonsense' err
	run -100 suite -r 0
	grep -q '^usage: all ' err
}

@test "docs/performance.md is as the suite wrote it" {
	formed "$ROOT/docs/performance.md"
	grep -q "^<svg" "$ROOT/docs/performance.svg"
	# All paths have run.
	for row in 'lines with an Idempotency-Key, many a request' 'take, read and acknowledge' \
		'publish' 'validate, canonical' 'flush, a line of 1 key' 'the statement, for each key' \
		'a request, all programs' 'all programs and Caddy' 'idle: AOF' \
		'one a request' 'messages that wait' 'rows of the table' 'connections'; do
		grep -qF "| $row |" "$ROOT/docs/performance.md" || { echo "no row: $row"; false; }
	done
}

# limit PAGE: is what was counted a second there within 30 % of what is computed?
limit() {
	awk -F ' *[|] *' '$2 == "computed" || $2 == "measured" {
			gsub(",", "", $11); rate[$2] = $11 }
		END { of = rate["measured"] / rate["computed"]
			print of; exit of < 0.7 || of > 1.3 }' "$1"
}

@test "docs/performance.md computes what a whole system does, within 30 %" {
	limit "$ROOT/docs/performance.md"
	sed -E '/^\| measured /s/[0-9]+,[0-9]+ \|/99,999 |/' "$ROOT/docs/performance.md" >page
	run ! limit page
}

@test "a page that was changed by hand is told" {
	cp "$ROOT/docs/performance.md" page
	formed page
	sed '1s/Written/Made/' page >origin
	run -1 formed origin
	[ "$output" = 'origin:1: does not say where it is from' ]
	sed -E '/^\| validate, canonical/s/\| [0-9.]+ ns \| ([0-9.]+ ns)/| 9,999 ns | \1/' page >ratio
	run -1 formed ratio
	[[ "$output" == *'of before:'* ]]
	sed -E '/^\| validate, canonical/s/\|$/| and more |/' page >columns
	run -1 formed columns
	[[ "$output" == *'9 columns, not 8'* ]]
	sed -E '/^\| idle: AOF/s/(met|\*\*not met\*\*)/nearly met/' page >aim
	run -1 formed aim
	[[ "$output" == *'aim:'* ]]
	sed -E '/^\| validate, canonical/s/\|  \|$/| ≤ 0.1 of before: **not met**; the limit is 0.5 of before |/' page >limit
	run -1 formed limit
	[[ "$output" == *'the limit:'* ]]
	sed '/^## Paths/,$d' page >short
	run -1 formed short
	[[ "$output" == *'no Paths'* ]]
}

@test "the parts that only pass on bring a line to Redis" {
	local line='{"key":"6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11","value":3}'
	cc -O2 -o ring "$ROOT/tests/bench/ring.c"
	own_redis
	printf '*3\r\n$5\r\nLPUSH\r\n$1\r\na\r\n$%d\r\n' ${#line} >head
	mkfifo lines judged verdicts
	background sh -c 'exec ./ring serve port <>verdicts >lines'
	background sh -c 'exec ./ring validate <lines >judged'
	background sh -c "exec ./ring publish '$OWN_REDIS/redis.sock' head <judged >verdicts"
	wait_for 10 test -s port
	run -0 curl -sm 10 -w '%{http_code}' -d "$line" "http://127.0.0.1:$(cat port)/increment"
	[ "$output" = 202 ]
	[ "$(rcli lrange a 0 -1)" = "$line" ]
}

@test "docs/scale.md has what docs/performance.md says" {
	cp "$ROOT/docs/scale.md" .
	grep -q '^<!-- capacity 10000000 -->$' scale.md
	"$ROOT/tests/bench/capacity" -u scale.md
	cmp scale.md "$ROOT/docs/scale.md"
}

@test "what a rate takes is computed from the page" {
	cat >page <<-'END'
		| lines with an Idempotency-Key, many a request | Redis | | 2.00 µs |
		| its mark | Redis | 288 B | 25.0 B |
		| memory of a message that waits | Redis | 70 B | 70.0 B |
		| the statement, for each key | Postgres | 3 µs | 2.00 µs |
		| its WAL | Postgres | 1 B | 150 B |
		| many a request | 0.1 | 0.2 | 0.3 | 0.4 | 0.1 | 0.1 | 1.2 |
		| many a request, with keys | 0.5 | 0.2 | 0.5 | 2.00 | 0.1 | 0.1 | 3.4 |
	END
	run -0 "$ROOT/tests/bench/capacity" -p page -k 900000 1000000
	[ "$output" = "$(printf '%s\n' \
		'| 1,000,000 a second | with keys | without |' \
		'|---|---|---|' \
		'| cores of incr-serve | 0.5 | 0.1 |' \
		'| cores of incr-validate | 0.2 | 0.2 |' \
		'| cores of incr-publish | 0.5 | 0.3 |' \
		'| cores of Redis | 2.0 | 0.4 |' \
		'| cores of incr-consume | 0.1 | 0.1 |' \
		'| cores of incr-flush | 0.1 | 0.1 |' \
		'| cores of Postgres | 0.2 | 0.2 |' \
		'| shards, each a Redis and a drain | 4 | 1 |' \
		'| Redis, messages that wait | 700 MB | 700 MB |' \
		'| Redis, marks of 3600 seconds | 90 GB | none |' \
		'| Redis, of one shard | 23 GB | 700 MB |' \
		'| rows that Postgres writes a second | 100,000 | 100,000 |' \
		'| WAL a second | 15 MB | 15 MB |' \
		'| at its limit first, one of each | Redis | Redis |')" ]
	echo "$output" >table
	run -100 "$ROOT/tests/bench/capacity" -p page 0
	run -100 "$ROOT/tests/bench/capacity" -p page 1e6
	printf '%s\n' A '<!-- capacity 1000000 -->' '| old |' '|---|' '' B >of
	"$ROOT/tests/bench/capacity" -p page -k 900000 -u of
	printf '%s\n' A '<!-- capacity 1000000 -->' "$(cat table)" '' B | cmp - of
	sed -i '/its WAL/d' page
	run ! "$ROOT/tests/bench/capacity" -p page 1000000
	[ "$output" = 'capacity: page: no figure: the statement, for each key: its WAL' ]
}
