#!/usr/bin/env bats
# Suites that run at the same time on one machine have ports of their own.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() { cd "$BATS_TEST_TMPDIR" || return; }
teardown() { end_background; }

# suite NAME: the block of ports of one that goes on, two of them in NAME
suite() {
	# shellcheck disable=SC2016 # as it is
	background env -u INCR_PORTS bash -c '. "$1"
		free_port >"$2.new"
		free_port >>"$2.new"
		mv "$2.new" "$2"
		read -r <"$3"' suite "$ROOT/tests/bats/helper.bash" "$1" "$PWD/end"
	wait_for 20 test -e "$1"
	[ "$(sort -u "$1" | wc -l)" = 2 ]
	awk '{ print int(($1 - 10000) / 500) }' "$1" | sort -u >"$1.block"
	[ "$(wc -l <"$1.block")" = 1 ]
}

@test "a port is no other suite's, though nobody listens; then it is free again" {
	mkfifo end
	exec 7<>end
	suite a
	a=$!
	suite b
	not cmp a.block b.block
	[ "$(cut -d ' ' -f 1 "$PORT_BLOCKS/$(cat a.block)/owner")" = "$a" ]
	# More than there are blocks, if nobody takes those of the dead.
	for _ in $(seq 45); do
		env -u INCR_PORTS bash -c '. "$1"; free_port' suite \
			"$ROOT/tests/bats/helper.bash"
	done
}
