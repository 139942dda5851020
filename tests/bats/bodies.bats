#!/usr/bin/env bats
# Bodies that incr-serve does not take, and how their clients learn of it.

# bats file_tags=hostile
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

# -- clients that read no answer before they have sent all -----------------------

# sends BYTES CHUNK: a perl client on the Unix socket; what is answered.  It
# dies if that takes 40 seconds.
sends='
	use strict;
	$SIG{ALRM} = sub { die "stalled\n" };
	alarm 40;
	my ($path, $file, $chunk) = @ARGV;
	my $c = IO::Socket::UNIX->new(Peer => $path) or die;
	open my $f, "<", $file or die;
	my $body = do { local $/; <$f> };
	my $head = "POST /increments HTTP/1.1\r\nHost: x\r\n";
	$SIG{PIPE} = "IGNORE";
	if ($chunk) {
		print $c $head, "Transfer-Encoding: chunked\r\n\r\n";
		while (length $body) {
			my $part = substr $body, 0, $chunk, "";
			printf $c "%x\r\n%s\r\n", length $part, $part or die "reset\n";
		}
		print $c "0\r\n\r\n";
	} else {
		print $c $head, "Content-Length: ", length $body, "\r\n\r\n", $body;
	}
	print while <$c>;'

@test "a client on a Unix socket that sends all before it reads gets its answer" {
	ring judge --body-timeout 100 --write-timeout 100
	local chunk i long
	increments 1 17000 >"$DIR/17000"
	increments 1 80000 >"$DIR/80000"
	increments 1 320000 >"$DIR/320000" # more than is read before the answer
	[ "$(wc -c <"$DIR/320000")" -gt 16777216 ]
	[ "$(wc -c <"$DIR/17000")" -lt 1048576 ]
	for i in 1 2 3; do
		for chunk in 0 100000; do
			perl -MIO::Socket::UNIX -e "$sends" "$SOCK" "$DIR/17000" $chunk >"$DIR/answer"
			grep -q '^HTTP/1.1 207 ' "$DIR/answer"
			tail -n 1 "$DIR/answer" | grep -q '"too-long".*"line":10001'
		done
		for long in 80000 320000; do
			perl -MIO::Socket::UNIX -e "$sends" "$SOCK" "$DIR/$long" 100000 >"$DIR/answer"
			grep -q '^HTTP/1.1 207 ' "$DIR/answer"
			tail -n 1 "$DIR/answer" | grep -q '"too-long".*"line":10001'
			perl -MIO::Socket::UNIX -e "$sends" "$SOCK" "$DIR/$long" 0 >"$DIR/answer"
			grep -q '^HTTP/1.1 413 ' "$DIR/answer"
		done
	done
}

# nginx_front: nginx before the server; its port is $nginx.
nginx_front() {
	nginx=$(free_port)
	INCR_UPSTREAMS=unix/$SOCK INCR_SITE=http://:$nginx TMPDIR=$DIR \
		background setsid "$ROOT/etc/run-nginx" "$ROOT/etc/nginx.conf" \
		>"$DIR/nginx.log" 2>&1
	wait_for 10 curl -fs "http://127.0.0.1:$nginx/health/ready"
}

# caddy_front: Caddy before the server; its port is $caddy.
caddy_front() {
	caddy=$(free_port)
	export XDG_DATA_HOME=$DIR XDG_CONFIG_HOME=$DIR
	export INCR_UPSTREAMS=unix/$SOCK INCR_SITE=http://:$caddy
	background caddy run --config "$ROOT/Caddyfile" --adapter caddyfile \
		>"$DIR/caddy.log" 2>&1
	wait_for 10 curl -fs "http://127.0.0.1:$caddy/health/ready"
}

# Each sends FILE as a body to URL, with a length or (chunked) in pieces, N
# times; the statuses, one per line, or what went wrong.
tiny='
	use strict;
	use HTTP::Tiny;
	my ($url, $file, $chunked, $n) = @ARGV;
	open my $f, "<", $file or die;
	my $body = do { local $/; <$f> };
	for (1 .. $n) {
		my $at = 0;
		my $r = HTTP::Tiny->new(keep_alive => 0)->post($url, {
			content => $chunked ? sub {
				my $part = substr $body, $at, 16384;
				$at += 16384;
				return length $part ? $part : undef;
			} : $body });
		print $r->{status} == 599 ? $r->{content} : $r->{status}, "\n";
	}'
# What both clients in Python send, and to where.
sent='
import sys
url, file, chunked, n = sys.argv[1:]
body = open(file, "rb").read()
def parts():
    for i in range(0, len(body), 16384):
        yield body[i:i + 16384]
data = parts if chunked == "1" else lambda: body
'
requests="$sent"'
import requests
for i in range(int(n)):
    try:
        print(requests.post(url, data=data()).status_code)
    except Exception as e:
        print(repr(e))
'
urllib="$sent"'
import urllib.request, urllib.error
for i in range(int(n)):
    try:
        print(urllib.request.urlopen(url, data()).status)
    except urllib.error.HTTPError as e:
        print(e.code)
    except Exception as e:
        print(repr(e))
'

@test "clients that a limit cuts off get their answer, past and through fronts" {
	ring judge
	caddy_front
	nginx_front
	increments 1 25000 >"$DIR/lines"
	head -c 1500000 /dev/zero >"$DIR/long"
	local port chunked
	for port in "$PORT" "$caddy" "$nginx"; do
		for chunked in 0 1; do
			perl -e "$tiny" "http://127.0.0.1:$port/increments" \
				"$DIR/lines" $chunked 8
			/usr/bin/python3 -c "$requests" \
				"http://127.0.0.1:$port/increments" "$DIR/lines" $chunked 8
			perl -e "$tiny" "http://127.0.0.1:$port/increment" \
				"$DIR/long" $chunked 8
			/usr/bin/python3 -c "$requests" \
				"http://127.0.0.1:$port/no" "$DIR/long" $chunked 8
		done
	done >"$DIR/statuses"
	sort "$DIR/statuses" | uniq -c >"$DIR/sums"
	cat "$DIR/sums"
	# With a length it is 413 before a line is taken, else 207.
	[ "$(awk '{ print $1 $2 }' "$DIR/sums" | paste -sd ' ')" = '48207 48404 96413' ]
}

@test "so do those that send far too much through fronts, up to 16 MiB" {
	ring judge
	caddy_front
	nginx_front
	local port size chunked
	increments 1 300000 >"$DIR/all"
	for size in 2500000 16000000; do
		head -c "$size" "$DIR/all" >"$DIR/long"
		for chunked in 0 1; do
			for port in "$caddy" "$nginx"; do
				perl -e "$tiny" "http://127.0.0.1:$port/increments" \
					"$DIR/long" $chunked 3
				for client in "$requests" "$urllib"; do
					/usr/bin/python3 -c "$client" \
						"http://127.0.0.1:$port/increments" \
						"$DIR/long" $chunked 3
				done
			done
		done
	done >"$DIR/statuses"
	sort "$DIR/statuses" | uniq -c >"$DIR/sums"
	cat "$DIR/sums"
	[ "$(awk '{ print $1 $2 }' "$DIR/sums" | paste -sd ' ')" = '36207 36413' ]
}

# -- browsers ---------------------------------------------------------------------

# preflight PATH [CURL ARGUMENT...]: what a browser asks before it sends
preflight() {
	ask "http://x$1" -X OPTIONS -D "$DIR/head" -H 'Origin: https://shop.example' \
		-H 'Access-Control-Request-Method: POST' \
		-H 'Access-Control-Request-Headers: authorization,idempotency-key' \
		"${@:2}"
}

@test "--cors: preflights are answered, answers are shown to the origin" {
	local path code header origin=https://shop.example
	{
		echo "shop $(printf %s secret | sha256sum | cut -c1-64)"
		echo "slow $(printf %s slow | sha256sum | cut -c1-64) 1/s:1"
	} >"$DIR/tokens"
	ring judge --tokens "$DIR/tokens" --cors "$origin"
	local token=(-H 'Authorization: Bearer secret')
	# shown CODE PATH [CURL ARGUMENT...]
	shown() {
		[[ "$(ask "http://x$2" -D "$DIR/head" -d "$BODY" "${@:3}")" == *"$1" ]] || return
		[ "$(field Access-Control-Allow-Origin | uniq)" = "$origin" ] || return
		for header in Retry-After RateLimit RateLimit-Policy; do
			field Access-Control-Expose-Headers | grep -qw "$header" || return
		done
	}
	for path in /increment /increments; do
		[ "$(preflight "$path")" = 200 ]
		[ ! -s "$DIR/body" ]
		[ "$(field Access-Control-Allow-Origin)" = "$origin" ]
		[ "$(field Access-Control-Allow-Methods)" = POST ]
		for header in Authorization Idempotency-Key Incr-Line-Offset Content-Type; do
			field Access-Control-Allow-Headers | grep -qw "$header"
		done
		[ "$(ask "http://x$path" -D "$DIR/head")" = 405 ]
		[ "$(field Allow)" = 'POST, OPTIONS' ]
		shown 202 "$path" "${token[@]}"
		shown 401 "$path"
		shown 400 "$path" "${token[@]}" -d x
		shown 415 "$path" "${token[@]}" -H 'Content-Encoding: br'
		shown 404 "$path/" "${token[@]}"
		refused() { shown 429 "$path?[1-3]" -H 'Authorization: Bearer slow'; }
		wait_for 5 refused
	done
	[ "$(ask http://x/health/live -X OPTIONS)" = 405 ]
}

@test "--cors is off by default, * is for all, what is no origin is 100" {
	local origin body
	ring judge
	[ "$(preflight /increment)" = 405 ]
	[ "$(field Allow)" = POST ]
	not grep -qi '^access-control' "$DIR/head"
	for body in "$BODY" x; do
		: >"$DIR/head"
		post "$body" -D "$DIR/head" -H 'Origin: https://shop.example'
		grep -qi '^date: ' "$DIR/head"
		not grep -qi '^access-control' "$DIR/head"
	done
	raw 'zz\r\n\r\n' >"$DIR/faulty"
	grep -q '^HTTP/1.1 400 ' "$DIR/faulty"
	not grep -qi '^access-control' "$DIR/faulty"
	for origin in x https:// https://x/ 'https://x y' https://X ftp://x \
		https://x: https://x:123456 https://u@x null '' $'https://x\r\nA: b'; do
		run -100 incr-serve -l "$DIR/t" --cors "$origin" </dev/null
	done
}

@test "--cors: a page can read also why its request could not be read" {
	local allow='Access-Control-Allow-Origin: https://shop.example' text at
	ring judge --cors https://shop.example --metrics "$DIR/m" \
		--head-timeout 0.5 --body-timeout 0.5
	# What the parser, a time limit and a full server refuse.
	local -A faults=(
		[400]='POST /increment HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n'
		[417]="$POST"'Expect: x\r\n\r\n'
		[431]="$POST"'A: '"$(printf %9000s x)"'\r\n\r\n'
		[505]='POST /increment HTTP/2.0\r\nHost: x\r\n\r\n'
		[408]="$POST"'Content-Length: 5\r\n\r\nx'
		[408.]='POST /incr'
		[413]="$POST"'Content-Length: 3000000\r\n\r\n'
	)
	for text in "${!faults[@]}"; do
		raw "${faults[$text]}" | tr -d '\r' >"$DIR/answer"
		grep -q "^HTTP/1.1 ${text%.} " "$DIR/answer"
		[ "$(grep -ic '^access-control-allow-origin' "$DIR/answer")" = 1 ]
		grep -qx "$allow" "$DIR/answer"
	done
	# Pages have no business with the metrics.
	for at in metrics no; do
		curl -si -m 5 --unix-socket "$DIR/m" "http://x/$at" >"$DIR/answer"
		grep -q '^HTTP/1.1 ' "$DIR/answer"
		not grep -qi '^access-control' "$DIR/answer"
	done
}

@test "--cors through Caddy: preflight, answer, refusal, as the server gives them" {
	echo "shop $(printf %s secret | sha256sum | cut -c1-64)" >"$DIR/tokens"
	ring judge --tokens "$DIR/tokens" --cors https://shop.example
	caddy_front
	# page METHOD PATH [CURL ARGUMENT...]: what a page of the shop asks
	page() {
		: >"$DIR/head"
		curl -s -m 10 -o "$DIR/body" -D "$DIR/head" -w '%{http_code}' -X "$1" \
			-H 'Origin: https://shop.example' "${@:3}" \
			"http://127.0.0.1:$caddy$2"
	}
	local path name
	for path in /increment /increments; do
		[ "$(page OPTIONS "$path" -H 'Access-Control-Request-Method: POST' \
			-H 'Access-Control-Request-Headers: authorization,idempotency-key')" = 200 ]
		[ "$(field Access-Control-Allow-Origin)" = https://shop.example ]
		[ "$(field Access-Control-Allow-Methods)" = POST ]
		for name in Authorization Idempotency-Key Incr-Line-Offset Content-Type; do
			field Access-Control-Allow-Headers | grep -qw "$name"
		done
		[ "$(page POST "$path" -d "$BODY" -H 'Authorization: Bearer secret')" = 202 ]
		[ "$(field Access-Control-Allow-Origin)" = https://shop.example ]
		[ "$(page POST "$path" -d "$BODY")" = 401 ]
		[ "$(field Access-Control-Allow-Origin)" = https://shop.example ]
		for name in Retry-After RateLimit RateLimit-Policy; do
			field Access-Control-Expose-Headers | grep -qw "$name"
		done
	done
}

@test "--cors from the environment; what sendBeacon sends is taken" {
	INCR_CORS='*' ring judge
	[ "$(preflight /increments)" = 200 ]
	[ "$(field Access-Control-Allow-Origin)" = '*' ]
	[ "$(post "$BODY" -H 'Content-Type: text/plain;charset=UTF-8' \
		-H 'Origin: https://shop.example' -D "$DIR/head")" = 202 ]
	[ "$(field Access-Control-Allow-Origin)" = '*' ]
}
