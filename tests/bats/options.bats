#!/usr/bin/env bats
# What every program has in common: --help, --version, usage errors.

load helper

programs() {
	local p
	for p in incr-validate incr-publish incr-consume incr-flush incr-serve \
		incr-send incr-metrics; do
		[ ! -x "$BIN/$p" ] || echo "$p"
	done
}

@test "every program has --help and --version on standard output, exit 0" {
	for p in $(programs); do
		"$p" --help | grep -q "^usage: $p "
		"$p" -V | grep -qE "^$p [0-9]+\.[0-9]+\.[0-9]+$"
	done
}

@test "every program says a wrong option in one line and exits 100" {
	for p in $(programs); do
		run "$p" --no-such-option
		[ "$status" -eq 100 ]
		[ "${#lines[@]}" -eq 1 ]
		[[ "$output" == "$p: --no-such-option: "* ]]
	done
}

@test "every program reports a full disk under --help" {
	for p in $(programs); do
		run sh -c "$p --help >/dev/full"
		[ "$status" -eq 111 ]
	done
}
