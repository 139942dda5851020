#!/usr/bin/env bats
# The unit tests in C and the fuzz targets' corpora, as `make units` built
# them: nothing is built here.

load helper

UNIT=${INCR_BUILD:-$ROOT/build}/unit

# each COMMAND NAME...: COMMAND NAME for all; 1 if one of them failed.
each() {
	local command=$1 name failed=0
	shift
	for name; do
		if ! "$command" "$name"; then
			echo "$name: failed" >&2
			failed=1
		fi
	done
	return "$failed"
}

unit() (cd "$ROOT" && "$UNIT/$1")

corpus() { "$UNIT/replay_$1" "$ROOT/tests/fuzz/corpus/$1"/*; }

# names DIR: its C files without .c
names() { (cd "$1" && printf '%s\n' *.c | sed 's/\.c$//'); }

@test "every unit test passes" {
	mapfile -t all < <(names "$ROOT/tests/unit" | grep '^test_')
	[ "${#all[@]}" -ge 10 ]
	each unit "${all[@]}"
}

@test "every fuzz target holds for its corpus" {
	mapfile -t all < <(names "$ROOT/tests/fuzz" | grep -v '^replay$')
	[ "${#all[@]}" -ge 2 ]
	each corpus "${all[@]}"
}
