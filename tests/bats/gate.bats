#!/usr/bin/env bats
# Who may send increments to incr-serve, and how many.

bats_require_minimum_version 1.5.0
load helper

setup() {
	DIR=$(mktemp -d /tmp/incr-gate.XXXXXX)
	cd "$DIR" || return
	BODY=$(increment 3)
	{
		echo '# who may'
		echo
		token_line shop shop-secret
		echo "  $(token_line own own-secret) 1/s:50	# slow"
		token_line barred barred-secret -
	} >tokens
}

teardown() {
	end_background
	rm -rf "$DIR"
}

# token_line NAME TOKEN [RATE]
token_line() {
	printf '%s %s %s\n' "$1" "$(printf %s "$2" | sha256sum | cut -c1-64)" \
		"${3-}"
}

# serve ARG...: incr-serve on ./s and a TCP port; every line is taken, and
# kept in ./lines. Its pid is $serve.
serve() {
	mkfifo l v
	exec {l}<>l {v}<>v
	# Kept before it is taken: tee writes to standard output first.
	background tee /dev/fd/8 8>&$v <&$l >lines
	background incr-serve -l ./s -l 127.0.0.1:0 --port-file ports \
		--linger 0 -g 0.2 "$@" <&$v >&$l 2>err {l}<&- {v}<&-
	serve=$!
	exec {l}<&- {v}<&-
	wait_for 5 test -s ports
	port=$(head -n 1 ports)
}

# again: ends what serve started, for another one.
again() {
	end_background
	rm "$BATS_TEST_TMPDIR/pids" l v ports
}

ask() { curl -s -m 10 -D head -o body -w '%{http_code}' --unix-socket ./s "$@"; }
# post [CURL'S ARGUMENT...]
post() { ask http://x/increment -d "$BODY" "$@"; }
# as TOKEN [ARGUMENT...]: post with a token, which is in no argument
as() {
	printf 'header = "Authorization: Bearer %s"\n' "$1" >config
	post -K config "${@:2}"
}
# taken N [CURL'S ARGUMENT...]: how many of N requests in a row are taken
taken() {
	curl -s -m 10 -o body -w '%{http_code}\n' -d "$BODY" "${@:2}" \
		--unix-socket ./s "http://x/increment?[1-$1]" | grep -c '^202$' || :
}
# taken_as N TOKEN
taken_as() {
	printf 'header = "Authorization: Bearer %s"\n' "$2" >config
	taken "$1" -K config
}
field() { grep -i "^$1: " head | tr -d '\r' | sed 's/^[^:]*: //'; }
lines_are() { [ "$(wc -l <lines)" = "$1" ]; }
answered() { [ "$("${@:2}")" = "$1" ]; }

# -- tokens -------------------------------------------------------------------

@test "with --tokens: 202 with a token of the file, 401 and 403 without" {
	serve --tokens tokens
	[ "$(as shop-secret)" = 202 ]
	[ "$(post)" = 401 ]
	[ "$(field WWW-Authenticate)" = 'Bearer realm="incr"' ]
	[ "$(field Content-Type)" = application/problem+json ]
	[ "$(sed 's/,"trace_id":"[0-9a-f]*"//' body)" = '{"type":"about:blank","title":"Unauthorized","status":401,"code":"unauthorized","detail":"a bearer token is needed"}' ]
	[ "$(post -u shop:shop-secret)" = 401 ]
	[ "$(field WWW-Authenticate)" = 'Bearer realm="incr"' ]
	for wrong in wrong shop-secret2 shop-secre 'shop-secret x' \
		"$(printf %300s x | tr ' ' x)" "$(sed -n 3p tokens | cut -d' ' -f2)"; do
		[ "$(as "$wrong")" = 401 ]
		[ "$(field WWW-Authenticate)" = 'Bearer realm="incr", error="invalid_token"' ]
	done
	[ "$(as barred-secret)" = 403 ]
	[ "$(field WWW-Authenticate)" = 'Bearer realm="incr", error="insufficient_scope"' ]
	grep -q '"code":"forbidden"' body
	# Any case, and more than one space (RFC 9110, section 11.1).
	[ "$(post -H 'authorization: bEARER   shop-secret')" = 202 ]
	lines_are 2
}

@test "health and metrics need no token" {
	serve --tokens tokens --metrics ./m
	[ "$(ask http://x/health/live)" = 200 ]
	[ "$(ask http://x/health/ready)" = 200 ]
	[ "$(post)" = 401 ]
	curl -s --unix-socket ./m http://x/metrics >metrics
	grep -q '^incr_http_requests_total{.*code="401".*} 1$' metrics
	[ "$(ask http://x/increment)" = 405 ]
	[ "$(ask http://x/ -d x)" = 404 ]
}

@test "a refused body is read and dropped, or the connection closes" {
	serve --tokens tokens
	[ "$(as wrong --next -s -o body -w ' %{http_code} %{num_connects}' \
		-K config --unix-socket ./s http://x/increment -d "$BODY")" = \
		'401 401 0' ]
	head -c 5000 /dev/zero >large
	[ "$(as wrong --data-binary @large)" = 401 ]
	[ "$(field Connection)" = close ]
	# No 100 for a body that is not wanted.
	[ "$(as wrong -H 'Expect: 100-continue')" = 401 ]
	[ "$(field Connection)" = close ]
	not grep -q '^HTTP/1.1 100' head
	[ "$(as wrong -H 'Expect: 100-continue' \
		-H 'Transfer-Encoding: chunked')" = 401 ]
	not grep -q '^HTTP/1.1 100' head
	[ "$(as shop-secret)" = 202 ]
	lines_are 1
}

@test "a faulty file of tokens is 100, with its line" {
	local digest text
	digest=$(sed -n 3p tokens | cut -d' ' -f2)
	while IFS= read -r text; do
		printf '# one\n%b\n' "${text//SHA/$digest}" >bad
		run -100 incr-serve -l ./s --tokens bad </dev/null
		[[ "$output" == "incr-serve: bad:"[23]": "* ]] || {
			echo "$text: $output"
			return 1
		}
		[ "${#lines[@]}" -eq 1 ]
	done <<-'END'
		a
		SHA
		a SHA 0/s
		a SHA 1/m
		a SHA 1/s 1/s
		a xSHA
		a:b SHA
		a SHA\r
		a SHA\nb SHA
		a SHA\na 0000000000000000000000000000000000000000000000000000000000000000
	END
	mkfifo fifo
	for file in missing . fifo; do
		run -100 timeout 20 incr-serve -l ./s --tokens "$file" </dev/null
		[[ "$output" == "incr-serve: $file: "* ||
			"$output" == "incr-serve: --tokens: $file: "* ]]
	done
	printf '#%s\n' "$(head -c 4200000 /dev/zero | tr '\0' x)" >large
	run -100 incr-serve -l ./s --tokens large </dev/null
	[[ "$output" == *'longer than'* ]]
}

@test "SIGHUP: the file is read again, a faulty one is said and ignored" {
	serve --tokens tokens
	[ "$(as shop-secret)" = 202 ]
	token_line new new-secret >tokens.new
	mv tokens.new tokens
	[ "$(as new-secret)" = 401 ]
	kill -HUP "$serve"
	wait_for 5 answered 202 as new-secret
	[ "$(as shop-secret)" = 401 ]
	[ "$(cat err)" = 'incr-serve: tokens: read again: 1 token' ]
	sed -i "s/ *$/,$(printf %s next-secret | sha256sum | cut -c1-64)/" tokens
	token_line shop shop-secret >>tokens
	kill -HUP "$serve"
	wait_for 5 grep -qxF 'incr-serve: tokens: read again: 3 tokens' err
	[ "$(wc -l <err)" = 2 ]
	: >err
	echo bad >>tokens
	kill -HUP "$serve"
	wait_for 5 test -s err
	[ "$(cat err)" = 'incr-serve: tokens:3: expected: name sha256 [rate]; keeping the tokens read before' ]
	[ "$(as new-secret)" = 202 ]
	rm tokens
	kill -HUP "$serve"
	wait_for 5 grep -q 'No such file' err
	[ "$(as new-secret)" = 202 ]
	# In order to its end, with everything given back.
	kill "$serve"
	wait_for 5 gone "$serve"
}

read_again() { [ "$(wc -l <err)" = "$1" ]; }

@test "no request is dropped while the tokens are read again" {
	local i began
	serve --tokens tokens
	seq 2 2000 | awk '{ printf "n%d %064x 5/s\n", $1, $1 }' >>tokens
	printf 'wrk.method = "POST"\nwrk.body = [[%s]]\nwrk.headers["Authorization"] = "Bearer shop-secret"\n' \
		"$BODY" >post.lua
	background wrk -t 1 -c 20 -d 60 -s post.lua \
		"http://127.0.0.1:$port/increment" >report
	wrk=$!
	began=${EPOCHREALTIME/./}
	i=0
	until [ "$i" -gt 10 ] && elapsed "$began" 1500000; do
		kill -HUP "$serve"
		i=$((i + 1))
		wait_for 5 read_again $i
	done
	kill -INT "$wrk"
	wait "$wrk"
	grep -q 'requests in' report
	not grep -qE 'Non-2xx|Socket errors' report
	[ "$(sort -u err)" = 'incr-serve: tokens: read again: 2002 tokens' ]
}

@test "no token is in the messages, the answers, the metrics or ps" {
	serve --tokens tokens --metrics ./m
	[ "$(as shop-secret)" = 202 ]
	[ "$(as own-secret)" = 202 ]
	[ "$(as barred-secret)" = 403 ]
	cat head body >seen
	[ "$(as wrong-secret)" = 401 ]
	echo shop-secret >>tokens # by mistake
	kill -HUP "$serve"
	wait_for 5 test -s err
	curl -s --unix-socket ./m http://x/metrics >metrics
	tr '\0' '\n' <"/proc/$serve/cmdline" >ps
	not grep -q secret seen head body metrics ps err lines
	not grep -q -e '[0-9a-f]\{64\}' seen head body metrics ps err
}

@test "an address that others reach needs --tokens or --open" {
	for address in :0 0.0.0.0:0 '[::]:0'; do
		run -100 incr-serve -l ./s -l "$address" </dev/null
		[[ "$output" == "incr-serve: $address: reachable from other hosts"* ]]
		[ "${#lines[@]}" -eq 1 ]
		[ ! -e s ]
	done
	INCR_LISTEN=:0 run -100 incr-serve </dev/null
	# The metrics may be seen; with either word it starts.
	serve -l :0 --tokens tokens --metrics :0
	[ "$(curl -s -o body -w '%{http_code}' -d "$BODY" \
		"http://127.0.0.1:$(sed -n 2p ports)/increment")" = 401 ]
	again
	serve -l :0 --open
	[ "$(curl -s -o body -w '%{http_code}' -d "$BODY" \
		"http://127.0.0.1:$(sed -n 2p ports)/increment")" = 202 ]
}

@test "a socket handed over that others reach needs them, too" {
	run -100 perl -MIO::Socket::INET -MPOSIX -e '
		$^F = 20; # kept over exec
		my $s = IO::Socket::INET->new(LocalAddr => "0.0.0.0",
			Listen => 5);
		POSIX::dup2(fileno $s, 3);
		$ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 1;
		exec "incr-serve"' </dev/null
	[[ "$output" == "incr-serve: LISTEN_FDS: reachable from other hosts"* ]]
}

# -- incr-send ----------------------------------------------------------------

@test "incr-send: the token comes from a file or the environment" {
	serve -t --tokens tokens
	export INCR_URL=http://127.0.0.1:$port/increment
	increments 1 3 >three
	printf 'shop-secret\nnot this\n' >shop.token
	incr-send --token @shop.token <three | cmp three -
	INCR_TOKEN=shop-secret incr-send <three | cmp three -
	INCR_TOKEN=@shop.token incr-send <three | cmp three -
	# An argument wins; a password in the URL is no token.
	INCR_TOKEN=wrong incr-send --token @shop.token <three | cmp three -
	INCR_URL=http://shop:shop-secret@127.0.0.1:$port/increment \
		run -111 incr-send <three
	lines_are 12
}

@test "incr-send: a token that is not taken leaves the lines unavailable" {
	serve -t --tokens tokens
	export INCR_URL=http://127.0.0.1:$port/increment
	increments 1 3 >three
	for token in wrong-secret barred-secret; do
		INCR_TOKEN=$token run -111 --separate-stderr incr-send <three
		[ "$(grep -c '"code":"unavailable"' <<<"$output")" -eq 3 ]
		[[ "$stderr" == *"HTTP status 40"[13]* ]]
		not grep -q secret <<<"$output$stderr"
	done
	lines_are 0
}

@test "incr-send: what is refused names the token or the rate, and what helps" {
	serve -t --tokens tokens
	export INCR_URL=http://127.0.0.1:$port/increment
	local at="incr-send: http://127.0.0.1:$port: HTTP status"
	increments 1 3 >three
	# says DETAIL MESSAGE [ENVIRONMENT...]: of each line, and once in all
	says() {
		run -111 --separate-stderr env "${@:3}" incr-send -w 0 <three || return
		echo "$output$stderr"
		[ "$(grep -cF "\"detail\":\"$1, the increment was not counted\"" <<<"$output")" = 3 ] &&
			[ "$stderr" = "$at $2" ]
	}
	says 'the server did not accept the token' \
		'401: a token is needed; give one as --token @FILE or in INCR_TOKEN'
	says 'the server did not accept the token' \
		'401: the token is not known to the server; see --token' INCR_TOKEN=wrong
	says 'the token may not send increments' \
		'403: the token may not send increments; who gave it can permit it' \
		INCR_TOKEN=barred-secret
	# Whoever gets three lines in for one unit of the rate waits for the next.
	[ "$(taken_as 60 own-secret)" -ge 50 ]
	wait_for 10 says 'the rate of this client is used up' \
		'429: the rate of this client is used up; retrying for 0 s (--wait)' \
		INCR_TOKEN=own-secret
	says 'the server has no such path' \
		'404: no such path; it ends in /increment, see --url' \
		INCR_TOKEN=shop-secret INCR_URL="http://127.0.0.1:$port/"
	kill "$serve"
	wait_for 5 gone "$serve"
	run -111 --separate-stderr incr-send -w 0 <three
	[ "$(grep -c '"the server was not reached, the increment was not counted"' <<<"$output")" = 3 ]
}

@test "incr-send: a server that remembers no keys says what helps" {
	serve
	run -111 --separate-stderr incr-send -u "http://127.0.0.1:$port/increment" \
		< <(increment 1)
	[[ "$output" == *'"the server remembers no keys, the increment was not counted"'* ]]
	[[ "$stderr" == *': HTTP status 400: the server remembers no keys; start it with --tagged, or see --no-keys' ]]
}

@test "incr-send: a token as an argument is refused and not repeated" {
	for token in some-secret 'a secret' secret=; do
		run -100 incr-send --token "$token" </dev/null
		[ "$output" = 'incr-send: --token: a token does not belong in an argument; use INCR_TOKEN or @FILE' ]
	done
	for token in '' 'a secret' $'secret\r' $'secret\xc3\xa9'; do
		printf '%s\n' "$token" >secret.token
		run -100 incr-send --token @secret.token </dev/null
		[ "$output" = 'incr-send: --token: not one word of visible ASCII' ]
		[ -z "$token" ] || INCR_TOKEN=$token run -100 incr-send </dev/null
		not grep -q secret <<<"$output"
	done
	run -100 incr-send --token @missing </dev/null
	# What is running shows it to nobody.
	serve -t --tokens tokens
	mkfifo in
	exec {in}<>in
	INCR_URL=http://127.0.0.1:$port/increment INCR_TOKEN=shop-secret \
		background incr-send <&$in >sent
	send=$!
	increment 1 >&$in
	wait_for 5 test -s sent
	not grep -aq secret "/proc/$send/cmdline"
	exec {in}>&-
}

# -- rates --------------------------------------------------------------------

# A rate of one a second is used up for as long as a test needs: what is
# refused is told from what is taken by ten requests in a row.
used_up() { [ "$(taken 10 "$@")" -lt 8 ]; }

@test "over the rate: 429 with Retry-After and the RateLimit fields" {
	serve --rate 1/s:30
	[ "$(taken 30)" -eq 30 ]
	wait_for 2 answered 429 post
	[ "$(field Retry-After)" = 1 ]
	[ "$(field RateLimit-Policy)" = '"default";q=1;w=1' ]
	[ "$(field RateLimit)" = '"default";r=0;t=1' ]
	[ "$(field Content-Type)" = application/problem+json ]
	[ "$(sed 's/,"trace_id":"[0-9a-f]*"//' body)" = '{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Too Many Requests","status":429,"code":"quota-exceeded","detail":"the rate of this client is used up for now, nothing was counted","violated-policies":["default"]}' ]
	# What was refused is in no line; what was paid for is taken again.
	[ "$(wc -l <lines)" -lt 35 ]
	wait_for 3 answered 202 post
	# Health is not counted.
	used_up
	for _ in 1 2 3 4 5; do
		[ "$(ask http://x/health/live)" = 200 ]
	done
}

@test "a client's own rate wins, and no client uses up another's" {
	serve --tokens tokens --rate 1000/s
	[ "$(taken_as 50 own-secret)" -eq 50 ]
	[ "$(taken_as 10 own-secret)" -lt 8 ]
	wait_for 2 answered 429 as own-secret
	[ "$(field RateLimit-Policy)" = '"token";q=1;w=1' ]
	grep -q '"violated-policies":\["token"\]' body
	[ "$(taken_as 100 shop-secret)" -eq 100 ]
	# Another token of the same client begins with what the client owes.
	sed -i 's/^  own [0-9a-f]*/'"$(token_line own other-secret)"'/' tokens
	kill -HUP "$serve"
	wait_for 5 answered 401 as own-secret
	[ "$(taken_as 50 other-secret)" -lt 40 ]
}

@test "the tokens of one name are one client, with one rate" {
	sed -i "s/^  own [0-9a-f]*/&,$(printf %s next-secret | sha256sum | cut -c1-64)/" tokens
	serve --tokens tokens --rate 1000/s
	[ "$(taken_as 25 own-secret)" -eq 25 ]
	[ "$(taken_as 25 next-secret)" -eq 25 ]
	[ "$(taken_as 10 own-secret)" -lt 8 ]
	[ "$(taken_as 10 next-secret)" -lt 8 ]
}

@test "who was refused by token costs nobody's rate" {
	serve --tokens tokens --rate 1/s:10
	[ "$(taken_as 30 barred-secret)" -eq 0 ]
	[ "$(taken_as 30 wrong)" -eq 0 ]
	[ "$(taken_as 10 shop-secret)" -eq 10 ]
	[ "$(taken_as 10 shop-secret)" -lt 8 ]
}

@test "behind a trusted proxy the client is who it says, IPv6 by /64" {
	serve --rate 1/s:10 --trust unix
	via() { echo "X-Forwarded-For: $1"; }
	[ "$(taken 10 -H "$(via 192.0.2.1)")" -eq 10 ]
	used_up -H "$(via 192.0.2.1)"
	[ "$(taken 10 -H "$(via 192.0.2.2)")" -eq 10 ]
	# What the client wrote itself stands in front, or in a line before.
	used_up -H "$(via '192.0.2.9, 192.0.2.1')"
	used_up -H "$(via 192.0.2.9)" -H "$(via 192.0.2.1)"
	[ "$(taken 10 -H "$(via 2001:db8:0:1::5)")" -eq 10 ]
	used_up -H "$(via 2001:db8:0:1:ffff::7)"
	[ "$(taken 10 -H "$(via 2001:db8:0:2::5)")" -eq 10 ]
}

@test "who is not trusted is one client, whatever it says" {
	serve --rate 1/s:10 --trust 127.0.0.1
	[ "$(taken 10 -H "X-Forwarded-For: 192.0.2.7")" -eq 10 ]
	used_up -H "X-Forwarded-For: 192.0.2.8"
	used_up
}

@test "--trust: addresses of the environment, replaced by those of arguments" {
	tcp() {
		curl -s -o body -w '%{http_code}\n' -d "$BODY" \
			-H "X-Forwarded-For: $1" \
			"http://127.0.0.1:$port/increment?[1-10]" |
			grep -c '^202$' || :
	}
	INCR_TRUST='10.0.0.0/8, 127.0.0.1' serve --rate 1/s:10
	[ "$(tcp '192.0.2.1, 10.9.8.7')" -eq 10 ]
	[ "$(tcp 192.0.2.2)" -eq 10 ]
	[ "$(tcp '192.0.2.1, 10.0.0.1')" -lt 8 ]
	again
	INCR_TRUST=127.0.0.1 serve --rate 1/s:10 --trust 10.0.0.0/8
	[ "$(tcp 192.0.2.1)" -eq 10 ]
	[ "$(tcp 192.0.2.2)" -lt 8 ]
}

@test "wrong rates and peers are usage errors" {
	for rate in '' 0/s 1 1/m 1/s:0 1000001/s 1/s:1000001 -1/s; do
		run -100 incr-serve --rate "$rate" </dev/null
		[[ "$output" == *'not N/s or N/s:BURST, 1 to 1000000 each' ]]
	done
	for peer in '' Unix 1.2.3.4/33 1.2.3.4/8 host '[::1]'; do
		run -100 incr-serve --trust "$peer" </dev/null
		[ "${#lines[@]}" -eq 1 ]
	done
}

# -- shared rates -------------------------------------------------------------

# A Redis of its own, with the user that incr(7) grants; addresses are the
# same in all tests.
acl_redis() {
	sed -n '/^redis-cli ACL/,/^\.Ed/p' "$ROOT/man/incr.7" |
		sed -e '$d' -e 's/ *\\e$//' -e 's/\\e/\\/g' -e "s/'//g" \
			-e 's/^redis-cli ACL SETUSER/user/' | paste -sd ' ' >acl
	OWN_REDIS=$DIR/redis
	own_redis --aclfile "$DIR/acl"
	REDIS_URL=unix://incr:SECRET@$DIR/redis/redis.sock
}
told() { redis-cli -s redis/redis.sock keys '*' | grep -q '^incr::rate::'; }
ttl() {
	redis-cli -s redis/redis.sock pttl \
		"$(redis-cli -s redis/redis.sock keys 'incr::rate::*')"
}
# at SERVER COMMAND...: with the files of that server
at() { (cd "$DIR/$1" && "${@:2}"); }
start_at() {
	mkdir "$1"
	cd "$1" || return
	serve "${@:2}"
	cd ..
}

@test "--rate-shared: what was taken at one server counts at the other" {
	acl_redis
	start_at a --rate 1/s:20 --rate-shared
	start_at b --rate 1/s:20 --rate-shared
	[ "$(at a taken 20)" -eq 20 ]
	wait_for 3 told
	# b learns of it by its first one, and refuses the other nineteen.
	[ "$(at b post)" = 202 ]
	wait_for 3 at b answered 429 post
	[ "$(at b taken 10)" -lt 4 ]
	# What is owed goes with its time.
	[ "$(ttl)" -gt 10000 ]
	[ "$(ttl)" -le 30000 ]
	[ ! -s a/err ] && [ ! -s b/err ]
}

@test "--rate-shared: the lines of a batch count at the other, however it comes" {
	acl_redis
	start_at a --rate 1/s:1000 --rate-shared
	start_at b --rate 1/s:1000 --rate-shared --body-timeout 0.5
	many() { # WHERE LINES [ARG...]
		increments 1 "$2" | at "$1" curl -s -m 10 -o body -w '%{http_code}' \
			--unix-socket s "${@:3}" --data-binary @- \
			http://x/increments
	}
	[ "$(many a 450)" = 202 ]
	[ "$(many a 450 -H 'Transfer-Encoding: chunked')" = 202 ]
	[ "$(at b taken 50)" -eq 50 ] # b learns by them
	both_told() { told && [ "$(ttl)" -gt 910000 ]; }
	wait_for 5 both_told
	[ "$(many b 500)" = 429 ]
	[ "$(many b 500 -H 'Transfer-Encoding: chunked')" = 207 ]
	[ "$(wc -l <b/body)" -lt 200 ]
	grep -q 'used up after' b/body
}

@test "INCR_RATE_SHARED: 1 is --rate-shared, 0 is without" {
	acl_redis
	INCR_RATE_SHARED=1 start_at a --rate 1/s:20
	INCR_RATE_SHARED=0 start_at b --rate 1/s:20
	[ "$(at a taken 20)" -eq 20 ]
	wait_for 3 told
	[ "$(at b taken 20)" -eq 20 ]
	INCR_RATE_SHARED=yes run -100 incr-serve -l ./s </dev/null
	[ "$output" = 'incr-serve: INCR_RATE_SHARED: yes: not 0 or 1' ]
}

@test "--rate-shared: one call for all that was let in meanwhile" {
	acl_redis
	start_at a --rate 1000000/s --rate-shared
	calls() {
		redis-cli -s redis/redis.sock info commandstats |
			sed -n 's/^cmdstat_evalsha:calls=\([0-9]*\),.*/\1/p'
	}
	[ "$(at a taken 1)" -eq 1 ]
	wait_for 3 calls
	before=$(calls) began=${EPOCHREALTIME/./}
	[ "$(at a taken 2000)" -eq 2000 ]
	most=$(((${EPOCHREALTIME/./} - began) / 100000 + 2))
	told=$(($(calls) - before))
	echo "$told calls, $most at most"
	[ "$told" -le "$most" ]
	[ "$most" -lt 400 ]
}

@test "--rate-shared: without Redis the local limit holds, said once" {
	acl_redis
	redis_stop redis
	start_at a --rate 1/s:20 --rate-shared
	[ "$(at a taken 20)" -eq 20 ]
	[ "$(at a taken 10)" -lt 8 ]
	wait_for 5 test -s a/err
	# Back again it is shared, and not what was taken long before.
	redis_start "$DIR/redis" --aclfile "$DIR/acl"
	shares() { at a post; told; }
	wait_for 8 shares
	[ "$(ttl)" -lt 9000 ]
	[ "$(wc -l <a/err)" -eq 1 ]
	grep -q '^incr-serve: redis: .*; rate limits are not shared$' a/err
	not grep -q SECRET a/err
	# Away once more, it is said once more.
	redis_stop redis
	said_again() { at a post; [ "$(wc -l <a/err)" -eq 2 ]; }
	wait_for 8 said_again
	# In order to its end.
	kill "$serve"
	wait_for 5 gone "$serve"
}

@test "--rate-shared: a Redis that is not fit is said, and tried again" {
	acl_redis
	redis-cli -s redis/redis.sock acl setuser incr nopass '>other' resetpass
	start_at a --rate 1/s:20 --rate-shared
	[ "$(at a post)" = 202 ]
	wait_for 5 test -s a/err
	[ "$(at a post)" = 202 ]
	redis-cli -s redis/redis.sock acl load
	shares() { at a post; told; }
	wait_for 8 shares
	[ "$(wc -l <a/err)" -eq 1 ]
	not grep -q SECRET a/err
}

@test "--rate-shared: a Redis that hangs delays no answer" {
	acl_redis
	start_at a --rate 1/s:2000 --rate-shared
	[ "$(at a taken 10)" -eq 10 ]
	wait_for 3 told
	# Others use the machine, too: what waits for Redis is late every time.
	for _ in 1 2 3; do
		takes_200 usual
		kill -STOP "$(cat redis/redis.pid)"
		takes_200 took
		kill -CONT "$(cat redis/redis.pid)"
		echo "$took us, usually $usual"
		[ "$took" -ge $((600000 + 3 * usual)) ] || return 0
	done
	false
}
# takes_200 NAME: so many microseconds
takes_200() {
	local before=${EPOCHREALTIME/./}
	[ "$(at a taken 200)" -eq 200 ]
	printf -v "$1" %d $((${EPOCHREALTIME/./} - before))
}

@test "--rate-shared: a URL that is none is 100, a password no argument" {
	run -100 incr-serve --rate 1/s --rate-shared -r nowhere </dev/null
	[ "${#lines[@]}" -eq 1 ]
	run -100 incr-serve --rate 1/s --rate-shared \
		-r redis://:secret@127.0.0.1/0 </dev/null
	not grep -q secret <<<"$output"
}
