#!/usr/bin/env bats
# Bodies that incr-serve does not take, and how their clients learn of it.

bats_require_minimum_version 1.5.0
load helper
load ring

detail() { sed -n 's/.*"detail":"\([^"]*\)".*/\1/p' "$DIR/body"; }
field() { grep -i "^$1: " "$DIR/head" | tr -d '\r' | sed 's/^[^:]*: //'; }

@test "a Content-Encoding other than identity is 415, Accept-Encoding says so" {
	ring keep
	local path coding
	echo "$BODY" | gzip >"$DIR/zipped"
	for path in increment increments; do
		for coding in gzip GZIP br 'identity, br' 'gzip;q=1' x-y; do
			[ "$(ask "http://x/$path" -D "$DIR/head" \
				-H 'Content-Encoding: identity' \
				-H "Content-Encoding: $coding" \
				--data-binary @"$DIR/zipped")" = 415 ]
			[ "$(field Accept-Encoding)" = identity ]
			[ -z "$(field Connection)" ]
			grep -q '"code":"encoding-not-supported"' "$DIR/body"
		done
		for coding in identity Identity 'identity, identity' ''; do
			[ "$(ask "http://x/$path" -d "$BODY" \
				-H "Content-Encoding: $coding")" = 202 ]
		done
	done
	lines_are 8
	[ "$(ask http://x/health/live -H 'Content-Encoding: gzip')" = 200 ]
}
