#!/usr/bin/env bats
# The suite of make bench-all: that it runs, what it writes, what it can't run.  How much
# anything costs is no matter of a test.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() { cd "$BATS_TEST_TMPDIR" || return; }

suite() { "$ROOT/tests/bench/all" -q -b "${BIN%/*}" -o "$PWD" "$@" 2>err; }
formed() { "$ROOT/tests/ci/performance" "$@"; }

@test "the suite runs, and its page has the form" {
	run -0 suite validate publish growth
	[ "$output" = "$PWD/performance.md" ]
	formed performance.md
	for row in 'publish' 'the same with AOF' 'validate, canonical' \
		'messages that wait' 'rows of the table' 'connections'; do
		grep -q "^| $row |" performance.md
	done
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
	sed '/^## Paths/,$d' page >short
	run -1 formed short
	[[ "$output" == *'no Paths'* ]]
}
