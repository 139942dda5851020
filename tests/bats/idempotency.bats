#!/usr/bin/env bats
# Idempotency-Key: an increment that is sent again is counted once.

load helper

setup() {
	use_redis
	cd "$BATS_TEST_TMPDIR" || return
	sockets=$(mktemp -d /tmp/incr-idempotency.XXXXXX)
}

teardown() {
	end_background
	rm -rf "$sockets"
}

# server NAME [ARG...]: a whole ring on the socket NAME; SERVER is its pid.
server() {
	local name=$1
	shift
	background setsid incr-ingest -l "$sockets/$name" --linger 0 "$@" \
		2>"err.$name"
	SERVER=$!
	wait_for 10 healthy "$sockets/$name"
	for pid in $(pgrep -s "$SERVER"); do remember "$pid"; done
}

# post NAME VALUE [KEY]: the status; the body in answer.
post() {
	http_status --unix-socket "$sockets/$1" \
		${3+-H "Idempotency-Key: $3"} -d "$(increment "$2")" \
		http://x/increment
}

@test "a repeat is answered 202 and counted once, at any server" {
	server a
	server b
	[ "$(post a 3 '"k 1"')" = 202 ]
	[ "$(post a 3 '"k 1"')" = 202 ]
	[ "$(post b 3 '"k 1"')" = 202 ]
	[ "$(ready)" = 1 ]
	# A string and a bare word are the same key.
	[ "$(post a 3 '"k2"')" = 202 ]
	[ "$(post b 3 k2)" = 202 ]
	[ "$(ready)" = 2 ]
	# Whoever writes it differently sends the same increment.
	[ "$(http_status --unix-socket "$sockets/b" \
		-H 'Idempotency-Key: k2' -d "{ \"value\": 3, \"key\": \"${KEY^^}\" }" \
		http://x/increment)" = 202 ]
	[ "$(ready)" = 2 ]
}

@test "without a key every request counts" {
	server a
	[ "$(post a 3)" = 202 ]
	[ "$(post a 3)" = 202 ]
	[ "$(ready)" = 2 ]
	[ "$(marks)" = 0 ]
}

@test "a key used for another increment is 422, and says so" {
	server a
	server b
	[ "$(post a 3 k)" = 202 ]
	[ "$(post b 4 k)" = 422 ]
	grep -q '"code":"idempotency-key-reused"' answer
	[ "$(post a 3 k)" = 202 ]
	[ "$(ready)" = 1 ]
}

@test "a refused increment does not use its key up" {
	server a
	[ "$(post a 0 k)" = 400 ]
	[ "$(post a 1 k)" = 202 ]
	[ "$(ready)" = 1 ]
}

@test "two that arrive together at two servers count once" {
	server a
	server b
	hundred() {
		seq 100 | awk -v socket="$sockets/$1" -v key="$KEY" '
			NR > 1 { print "next" }
			{
				print "url = http://x/increment\nsilent"
				print "unix-socket = " socket
				print "output = /dev/null"
				print "write-out = \"%{http_code}\\n\""
				print "header = \"Idempotency-Key: k" $1 "\""
				printf "data = \"{\\\"key\\\":\\\"%s\\\",", key
				printf "\\\"value\\\":%s}\"\n", $1
			}' | curl -s -K - >"codes.$1"
	}
	hundred a &
	first=$!
	hundred b &
	wait $! "$first"
	[ "$(sort codes.a codes.b | uniq -c | tr -s ' ')" = ' 200 202' ]
	[ "$(ready)" = 100 ]
	[ "$(rcli --raw lrange "rmq::queue::[$INCR_QUEUE]::ready" 0 -1 |
		sort -u | wc -l)" = 100 ]
}

@test "a request whose answer was lost is counted once when it is repeated" {
	server a
	publish=$(pgrep -s "$SERVER" incr-publish)
	kill -STOP "$publish"
	run curl -s -m 0.3 --unix-socket "$sockets/a" -H 'Idempotency-Key: k' \
		-d "$(increment 3)" http://x/increment
	[ "$status" -eq 28 ]
	kill -CONT "$publish"
	[ "$(post a 3 k)" = 202 ]
	[ "$(ready)" = 1 ]
	[ "$(post a 4 k)" = 422 ]
}

@test "faulty keys are 400 and reach nobody" {
	server a
	for key in '""' '"a' 'a b' '"a";x=1' '"ä"' '"a\b"' \
		"$(printf '%256s' '' | tr ' ' x)"; do
		[ "$(post a 3 "$key")" = 400 ]
		grep -q '"code":"faulty-idempotency-key"' answer
	done
	# An empty field is no request without a key.
	[ "$(http_status --unix-socket "$sockets/a" \
		-H 'Idempotency-Key;' -d "$(increment 3)" http://x/increment)" = 400 ]
	[ "$(http_status --unix-socket "$sockets/a" \
		-H 'Idempotency-Key: a' -H 'Idempotency-Key: a' \
		-d "$(increment 3)" http://x/increment)" = 400 ]
	[ "$(ready)" = 0 ]
	[ "$(post a 3 "$(printf '%255s' '' | tr ' ' x)")" = 202 ]
	# It does not stand in Redis as it came.
	[ "$(marks)" = 1 ]
	[ "$(rcli --raw hkeys "$(marks 0)" | wc -c)" -lt 25 ]
}

# batch NAME KEY: the status of a request of many lines, standard input
batch() {
	http_status --unix-socket "$sockets/$1" \
		-H "Idempotency-Key: $2" --data-binary @- http://x/increments
}

# piece NAME KEY OFFSET [ARG...]: the same, of lines OFFSET + 1 ... of the key
piece() {
	http_status --unix-socket "$sockets/$1" -H "Idempotency-Key: $2" \
		-H "Incr-Line-Offset: $3" --data-binary @- "${@:4}" \
		http://x/increments
}

@test "Incr-Line-Offset: a file in pieces is counted once, whatever the pieces" {
	server a
	increments 1 500 >asked
	[ "$(head -n 200 asked | piece a k 0)" = 202 ]
	[ "$(sed -n '101,300p' asked | piece a k 100)" = 202 ]
	sed -n '101,300p' asked | cmp - answer
	[ "$(ready)" = 300 ]
	[ "$(batch a k <asked)" = 202 ]
	[ "$(ready)" = 500 ]
	# One increment is a piece as well.
	sed -n 7p asked >seventh
	[ "$(http_status --unix-socket "$sockets/a" -H 'Idempotency-Key: k' \
		-H 'Incr-Line-Offset: 6' -d @seventh -D head http://x/increment)" = 202 ]
	tr -d '\r' <head | grep -qx 'Incr-Line-Offset: 6'
	[ "$(ready)" = 500 ]
	[ "$(piece a k 7 <seventh)" = 422 ]
	[ "$(piece a k 500 <seventh)" = 202 ]
	[ "$(piece a k 999999999999999 <seventh)" = 202 ]
	[ "$(piece a k 999999999999999 <seventh)" = 202 ]
	[ "$(ready)" = 502 ]
	# The number in an error line is that in the request.
	[ "$(printf '%s\nx\n' "$(cat seventh)" | piece a k 600)" = 207 ]
	grep -q '"code":"not-json".*"line":2}}' answer
}

@test "a faulty Incr-Line-Offset is 400 and reaches nobody" {
	server a
	for offset in -1 +1 1.5 0x1 a '1 2' 1000000000000000 '"1"'; do
		[ "$(increment 1 | piece a k "$offset")" = 400 ]
		grep -q '"code":"faulty-line-offset"' answer
	done
	[ "$(increment 1 | piece a k 1 -H 'Incr-Line-Offset: 1')" = 400 ]
	[ "$(http_status --unix-socket "$sockets/a" -H 'Incr-Line-Offset;' \
		-H 'Idempotency-Key: k' -d "$(increment 3)" http://x/increment)" = 400 ]
	# Without a key it would promise nothing.
	for path in increment increments; do
		[ "$(http_status --unix-socket "$sockets/a" -d "$(increment 3)" \
			-H 'Incr-Line-Offset: 1' "http://x/$path")" = 400 ]
		grep -q '"code":"faulty-line-offset".*needs an Idempotency-Key' answer
	done
	[ "$(ready)" = 0 ]
}

@test "many lines under one key: each is counted once, at any server" {
	server a
	server b
	increments 1 3000 >asked
	[ "$(batch a k <asked)" = 202 ]
	[ "$(batch b k <asked)" = 202 ]
	cmp asked answer
	[ "$(ready)" = 3000 ]
	# One line is another now: that one alone is refused.
	[ "$(sed '7s/:7}/:8}/' asked | batch a k)" = 207 ]
	[ "$(grep -c error answer)" = 1 ]
	sed -n 7p answer | grep -q '"idempotency-key-reused",.*"line":7}}'
	# What was not taken the first time is taken now.
	[ "$({
		cat asked
		increments 1 2
	} | batch b k)" = 202 ]
	[ "$(ready)" = 3002 ]
	# A single increment is line 1.
	[ "$(post a 1 k)" = 202 ]
	[ "$(post a 2 k)" = 422 ]
	[ "$(ready)" = 3002 ]
	# Under another key they are others.
	[ "$(batch a k2 <asked)" = 202 ]
	[ "$(ready)" = 6002 ]
}

@test "two batches under one key that arrive together count once" {
	server a
	server b
	increments 1 3000 >asked
	batch a k <asked >code.a &
	first=$!
	curl -s -o answer.b -w '%{http_code}' --unix-socket "$sockets/b" \
		-H "Idempotency-Key: k" --data-binary @asked \
		http://x/increments >code.b &
	wait $! "$first"
	[ "$(cat code.a code.b)" = 202202 ]
	cmp asked answer
	cmp asked answer.b
	[ "$(ready)" = 3000 ]
}

@test "a batch that was cut off is counted once when it is repeated" {
	server a
	increments 1 3000 >asked
	background curl -s --unix-socket "$sockets/a" telnet://x < <(
		printf 'POST /increments HTTP/1.1\r\nHost: x\r\n'
		printf 'Idempotency-Key: k\r\nContent-Length: 999999\r\n\r\n'
		head -n 1000 asked
		exec sleep 60
	) >cut
	wait_for 5 has_ready 1000
	kill -9 $!
	[ "$(batch a k <asked)" = 202 ]
	[ "$(ready)" = 3000 ]
}

# as CLIENT SERVER VALUE KEY: the status of a client with a token
as() {
	http_status --unix-socket "$sockets/$2" \
		-H "Authorization: Bearer $1-secret" \
		-H "Idempotency-Key: $4" -d "$(increment "$3")" \
		http://x/increment
}

@test "two clients with the same key do not meet" {
	for name in shop other; do
		echo "$name $(printf %s "$name-secret" | sha256sum | cut -c1-64)"
	done >tokens
	server a --tokens tokens
	server b --tokens tokens
	[ "$(as shop a 3 k)" = 202 ]
	[ "$(as other b 4 k)" = 202 ]
	[ "$(as shop b 3 k)" = 202 ]
	[ "$(as other a 3 k)" = 422 ]
	[ "$(ready)" = 2 ]
	# With a new token it is the same client.
	sed -i "s/^shop .*/shop $(printf %s new-secret | sha256sum |
		cut -c1-64)/" tokens
	kill -HUP "$SERVER"
	repeated() { [ "$(as new b 3 k)" = 202 ]; }
	wait_for 5 repeated
	[ "$(as new b 4 k)" = 422 ]
	[ "$(ready)" = 2 ]
}

@test "without tokens all addresses share their keys: one may change under a phone" {
	server a --trust unix --rate 1000/s
	from() {
		http_status --unix-socket "$sockets/a" -H "X-Forwarded-For: $1" \
			-H 'Idempotency-Key: k' -d "$(increment "$2")" http://x/increment
	}
	[ "$(from 192.0.2.1 3)" = 202 ]
	[ "$(from 2001:db8::1 3)" = 202 ]
	[ "$(from 192.0.2.2 4)" = 422 ]
	[ "$(ready)" = 1 ]
}

@test "a repeat counts against the rate like any other request" {
	server a --rate 1/s:10
	taken=$(curl -s -o answer -w '%{http_code}\n' --unix-socket \
		"$sockets/a" -H 'Idempotency-Key: k' -d "$(increment 3)" \
		'http://x/increment?[1-20]' | grep -c '^202$')
	((taken >= 10 && taken < 18))
	[ "$(ready)" = 1 ]
	increments 1 30 >asked
	not_yet() { [ "$(batch a b <asked)" = 429 ]; }
	not_yet
	taken() { [ "$(batch a b <asked)" = 202 ]; }
	wait_for 20 taken
	[ "$(ready)" = 31 ]
	# Let in with more than its rate, and paid for: by the repeat, too.
	not_yet
	[ "$(batch a b <asked)" = 429 ]
}

@test "a key is remembered for --idempotency-window, then forgotten" {
	server a --idempotency-window 1
	[ "$(post a 3 k)" = 202 ]
	ttl=$(rcli pttl "$(marks 0)")
	# Longer, by as much as incr-publish may be late.
	((ttl > 56000 && ttl <= 66000))
	rcli del "$(marks 0)"
	[ "$(post a 3 k)" = 202 ]
	[ "$(ready)" = 2 ]
	run incr-ingest -l "$sockets/b" --idempotency-window 86401
	[ "$status" -eq 100 ]
}
