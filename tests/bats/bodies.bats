#!/usr/bin/env bats
# Bodies that incr-serve does not take, and how their clients learn of it.

bats_require_minimum_version 1.5.0
load helper
load ring

detail() { sed -n 's/.*"detail":"\([^"]*\)".*/\1/p' "$DIR/body"; }
field() { grep -i "^$1: " "$DIR/head" | tr -d '\r' | sed 's/^[^:]*: //'; }
# batch BODY [CURL ARGUMENT...]
batch() { ask http://x/increments --data-binary "$@"; }

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

@test "a byte order mark has a hint of its own" {
	ring judge
	local mark=$'\xef\xbb\xbf' hint='the line must not begin with a byte order mark'
	[ "$(post "$mark$BODY")" = 400 ]
	grep -q '"code":"not-json"' "$DIR/body"
	[ "$(detail)" = "$hint" ]
	[ "$(post nonsense)" = 400 ]
	[ "$(detail)" = 'the line must be one JSON text' ]
	[ "$(batch "$mark$BODY")" = 400 ]
	[ "$(detail)" = "$hint" ]
	[ "$(batch "$mark$BODY"$'\n'"$BODY"$'\nx\n')" = 207 ]
	sed -n 1p "$DIR/body" >"$DIR/first"
	has '"code":"not-json"' "$DIR/first"
	has "\"$hint\",\"line\":1" "$DIR/first"
	sed -n 3p "$DIR/body" | grep -q '"the line must be one JSON text","line":3'
	printf '%s\n' "$mark$BODY" | incr-validate -e | cmp - "$DIR/first"
	run -1 incr-validate <<<"$mark$BODY"
	[ "$output" = "incr-validate: line 1: not-json: $hint" ]
}

@test "a blank last line of a batch has a hint of its own" {
	ring judge
	local last
	for last in '' ' ' $'\t \r'; do
		[ "$(batch "$BODY"$'\n\n'"$BODY"$'\n'"$last"$'\n')" = 207 ]
		[ "$(wc -l <"$DIR/body")" = 4 ]
		sed -n 2p "$DIR/body" | grep -q '"not-json","detail":"the line must be one JSON text","line":2'
		sed -n 4p "$DIR/body" | grep -q '"not-json","detail":"the last line is blank: .*","line":4'
	done
	[ "$(batch "$BODY"$'\n')" = 202 ]
	[ "$(batch $'\n')" = 400 ]
	[[ "$(detail)" == 'the last line is blank: '* ]]
}

@test "why a batch is too long is said as it is, also chunked and by bytes" {
	ring judge
	local how why='"the body must not exceed 1 MiB and 10000 lines"'
	increments 1 10001 >"$DIR/lines10001"
	sed 's/$/          /' "$DIR/lines10001" | head -n 10000 >"$DIR/wide"
	[ "$(wc -c <"$DIR/wide")" -lt 1048576 ]
	for how in 'Content-Type: x' 'Transfer-Encoding: chunked'; do
		[ "$(batch "@$DIR/lines10001" -H "$how")" = 207 ]
		tail -n 1 "$DIR/body" | grep -q "\"too-long\",\"detail\":$why,\"line\":10001"
		[ "$(batch "@$DIR/wide" -H "$how")" = 202 ]
	done
	head -c 600000 /dev/zero | tr '\0' x | fold -w 4000 >"$DIR/halves"
	cat "$DIR/halves" "$DIR/halves" >"$DIR/long"
	[ "$(batch "@$DIR/long" -H 'Transfer-Encoding: chunked')" = 207 ]
	tail -n 1 "$DIR/body" | grep -q "\"too-long\",\"detail\":$why"
	printf "%4097s\n" x >"$DIR/one"
	[ "$(batch "@$DIR/one")" = 413 ]
	[ "$(detail)" = 'the JSON text must not exceed 4096 bytes' ]
}

@test "a slash behind the path: 404 that names the right one" {
	ring judge
	local path
	for path in /increment /increments; do
		[ "$(ask "http://x$path/" -d "$BODY")" = 404 ]
		[ "$(detail)" = "no such resource: the path is $path" ]
		[ "$(ask "http://x$path//?x=/" -d "$BODY")" = 404 ]
		[ "$(detail)" = "no such resource: the path is $path" ]
	done
	[ "$(ask http://x/ -d "$BODY")" = 404 ]
	[ "$(detail)" = 'no such resource' ]
	[ "$(ask http://x/increment/x -d "$BODY")" = 404 ]
	[ "$(detail)" = 'no such resource' ]
}
