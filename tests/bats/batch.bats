#!/usr/bin/env bats
# POST /increments: many lines in one request.

load helper
load ring

# batch [ARG...]: the status of a request whose lines are standard input
batch() { ask "$@" --data-binary @- http://x/increments; }
chunked() { ask -H 'Transfer-Encoding: chunked' "$@" -X POST -T - http://x/increments; }
# error CODE LINE: does the answer have it in its place?
has_error() { sed -n "$2p" "$DIR/body" | grep -q "^{\"error\":{\"code\":\"$1\".*\"line\":$2}}$"; }
answer_lines_are() { [ "$(wc -l <"$DIR/body")" = "$1" ]; }

# open_batch: a request whose body is what is written to descriptor 9, its
# status in DIR/code.
open_batch() {
	mkfifo "$DIR/in"
	(ask -H 'Transfer-Encoding: chunked' -X POST -T "$DIR/in" \
		http://x/increments >"$DIR/code" 9>&- 3>&-) &
	ASKER=$!
	remember "$ASKER"
	exec 9>"$DIR/in"
}
code_is() { wait_for 8 test -s "$DIR/code" && [ "$(cat "$DIR/code")" = "$1" ]; }

# -- the answer -----------------------------------------------------------------

@test "202 with every line, in order, if all were taken" {
	ring judge
	increments 1 3000 >"$DIR/asked"
	[ "$(batch -D "$DIR/head" <"$DIR/asked")" = 202 ]
	grep -qi '^content-type: application/x-ndjson' "$DIR/head"
	cmp "$DIR/asked" "$DIR/body"
	[ "$(chunked <"$DIR/asked")" = 202 ]
	cmp "$DIR/asked" "$DIR/body"
	# Another form is answered in the canonical one; no last newline.
	[ "$(printf '{ "value": 3,\t"key": "%s" }\r\n%s' "${KEY^^}" "$BODY" |
		batch -H 'Content-Type: text/plain')" = 202 ]
	printf '%s\n%s\n' "$BODY" "$BODY" | cmp - "$DIR/body"
}

@test "207 with an error in the place of each bad line, also blank ones" {
	ring judge
	{
		increment 1
		echo
		echo '{"key":"x","value":1}'
		printf '%4096s\n%4097s\n%9000s\n' x x x
		echo '{"error":{"code":"not-json","detail":"","line":1}}'
		increment 2
		printf '[]'
	} >"$DIR/asked"
	for how in batch chunked; do
		[ "$($how <"$DIR/asked")" = 207 ]
		answer_lines_are 9
		[ "$(sed -n 1p "$DIR/body")" = "$(increment 1)" ]
		has_error not-json 2
		has_error key-not-a-uuid 3
		has_error not-json 4
		has_error too-long 5
		has_error too-long 6
		has_error control-line 7
		[ "$(sed -n 8p "$DIR/body")" = "$(increment 2)" ]
		has_error not-an-object 9
	done
	[ "$(post)" = 202 ]
}

@test "a problem if nothing was taken, all for one reason" {
	ring judge
	[ "$(printf 'x\ny\n' | batch)" = 400 ]
	grep -q '^{"type".*"code":"not-json"' "$DIR/body"
	[ "$(batch </dev/null)" = 400 ]
	[ "$(chunked </dev/null)" = 400 ]
	grep -q '"detail":"the body has no lines"' "$DIR/body"
	[ "$(printf 'x\n[]\n' | batch)" = 207 ]
	answer_lines_are 2
}

@test "only POST, and a key needs --tagged" {
	ring judge
	[ "$(ask http://x/increments)" = 405 ]
	[ "$(increment 1 | batch -H 'Idempotency-Key: k')" = 400 ]
	grep -q -e --tagged "$DIR/body"
}

@test "a key makes a tag for each line" {
	ring keep -t
	[ "$(increments 1 12 | batch -H 'Idempotency-Key: k1')" = 202 ]
	increments 1 12 | awk '{ print "l4LB_9BHYgoBjfym_-C1LLv2." NR "\t" $0 }' |
		cmp - "$LINES_OUT"
	increments 1 12 | cmp - "$DIR/body"
}

@test "batches and single requests in one pipeline are answered in order" {
	ring judge
	local two="$BODY\nx\n" n=$((${#BODY} + 3))
	run raw "POST /increments HTTP/1.1\r\nHost: x\r\nContent-Length: $n\r\n\r\n$two${POST}Content-Length: 1\r\n\r\nx${POST}${CLOSE}Content-Length: ${#BODY}\r\n\r\n$BODY"
	[ "$(grep -o '^HTTP/1.1 [0-9]*' <<<"$output" | cut -d ' ' -f 2 | paste -sd ' ')" = "207 400 202" ]
}

# -- limits -----------------------------------------------------------------------

@test "10000 lines are taken, the next one ends the request" {
	ring judge
	increments 1 10001 >"$DIR/asked"
	[ "$(head -n 10000 "$DIR/asked" | batch)" = 202 ]
	head -n 10000 "$DIR/asked" | cmp - "$DIR/body"
	for how in batch chunked; do
		[ "$($how -D "$DIR/head" <"$DIR/asked")" = 207 ]
		answer_lines_are 10001
		head -n 10000 "$DIR/asked" | cmp - <(head -n 10000 "$DIR/body")
		has_error too-long 10001
		grep -qi '^connection: close' "$DIR/head"
	done
}

@test "more than 1 MiB is 413 if it is said, else ends the request" {
	ring keep
	head -c 1048577 /dev/zero | tr '\0' 1 | fold -w 1023 >"$DIR/asked"
	[ "$(batch <"$DIR/asked")" = 413 ]
	grep -q '"code":"too-long","detail":"the body must not exceed 1 MiB' "$DIR/body"
	lines_are 0
	[ "$(chunked <"$DIR/asked")" = 207 ]
	# What was read was taken: all of it is in the answer, and no more.
	n=$(wc -l <"$LINES_OUT")
	[ "$n" -gt 900 ]
	answer_lines_are $((n + 1))
	has_error too-long $((n + 1))
	head -n "$n" "$DIR/body" | cmp - "$LINES_OUT"
	# Exactly 1 MiB
	head -c 1048576 "$DIR/asked" | batch >"$DIR/code"
	[ "$(cat "$DIR/code")" = 202 ]
}

@test "more batches than --max-batches are 503, and taken later" {
	ring keep --max-batches 1
	open_batch
	increment 1 >&9
	wait_for 5 lines_are 1 # it has the place
	busy() { [ "$(increment 2 | batch -D "$DIR/head")" = 503 ]; }
	wait_for 5 busy
	grep -qi '^retry-after: 1' "$DIR/head"
	[ "$(post)" = 202 ]
	exec 9>&-
	code_is 202
	[ "$(increment 2 | batch)" = 202 ]
}

@test "answers that nobody reads count as batches" {
	ring judge --max-batches 2
	seq 1 5000 | sed 's/.*/x\n[]/' >"$DIR/asked" # answered at length
	unread() {
		curl -s --limit-rate 1 --unix-socket "$SOCK" -o /dev/null \
			--data-binary @"$DIR/asked" http://x/increments 3>&- &
		remember $!
	}
	busy() {
		unread
		[ "$(increment 2 | batch)" = 503 ]
	}
	wait_for 8 busy
	# It is no matter of requests in hand: those have their answers.
	[ "$(post)" = 202 ]
	while read -r pid _; do
		[ "$pid" = "$SERVE" ] || [ "$pid" = "$VERDICTS" ] ||
			kill "$pid" 2>/dev/null || :
	done <"$BATS_TEST_TMPDIR/pids"
	free() { [ "$(increment 2 | batch)" = 202 ]; }
	wait_for 8 free
}

# stalled N BODY: N clients on the TCP port, with one address, that send the
# beginning of a body and no more.
stalled() {
	background perl -MIO::Socket::INET -e '
		my ($port, $n, $body, @open) = @ARGV;
		for (1 .. $n) {
			my $c = IO::Socket::INET->new("127.0.0.1:$port") or die;
			print $c "POST /increments HTTP/1.1\r\nHost: x\r\n",
				"Content-Length: 9999\r\n\r\n$body";
			$c->flush;
			push @open, $c;
		}
		$| = 1;
		print "$n\n";
		sleep' "$PORT" "$1" "$2" >"$DIR/stalled"
	wait_for 8 grep -qx "$1" "$DIR/stalled"
}

@test "bodies without a whole line keep nobody away" {
	ring judge --max-batches 8
	stalled 100 '{"key":'
	for _ in 1 2 3; do
		[ "$(increments 1 9 | batch)" = 202 ]
		[ "$(increments 1 9 | ask_port)" = 202 ]
	done
}
ask_port() {
	curl -s -m 10 -o "$DIR/body" -w '%{http_code}' --data-binary @- \
		"http://127.0.0.1:$PORT/increments"
}

@test "one client with stalled bodies has half the places, others get theirs" {
	ring keep --max-batches 8
	stalled 100 "$BODY"$'\n['
	# No more of its lines were taken, and the rest is refused.
	wait_for 8 lines_are 4
	[ "$(increment 1 | ask_port)" = 503 ]
	for _ in 1 2 3; do
		[ "$(increments 1 9 | batch)" = 202 ]
	done
	# Who comes through a Unix socket is known by what its proxy says.
	[ "$(increment 1 | batch -H 'X-Forwarded-For: 127.0.0.1')" = 503 ]
	[ "$(increment 1 | batch -H 'X-Forwarded-For: 127.0.0.2')" = 202 ]
	lines_are 32
}

@test "a token is one client, wherever it comes from" {
	for name in shop mill; do
		echo "$name $(printf %s "$name" | sha256sum | cut -c1-64)"
	done >"$DIR/tokens"
	ring keep --max-batches 4 --tokens "$DIR/tokens"
	of() { batch -H "Authorization: Bearer $1" -H "X-Forwarded-For: $2"; }
	for n in 1 2; do
		mkfifo "$DIR/in$n"
		(ask -H 'Transfer-Encoding: chunked' -X POST -T "$DIR/in$n" \
			-H 'Authorization: Bearer shop' http://x/increments \
			>"$DIR/code" 8>&- 9>&- 3>&-) &
		remember $!
	done
	exec 8>"$DIR/in1" 9>"$DIR/in2"
	increment 1 | tee /dev/fd/8 >&9
	wait_for 5 lines_are 2 # they have their places
	refused() { [ "$(increment 1 | of shop 192.0.2.1)" = 503 ]; }
	wait_for 5 refused
	[ "$(increment 1 | of mill 192.0.2.1)" = 202 ]
	exec 8>&- 9>&-
	free() { [ "$(increment 1 | of shop 192.0.2.1)" = 202 ]; }
	wait_for 5 free
}

# read_slowly BYTES SECONDS [BEFORE]: asks for a long answer and reads it so,
# after a while; how much there was before the end, or before the server had
# gone.
read_slowly() {
	perl -MIO::Poll=:DEFAULT -MIO::Socket::UNIX -MTime::HiRes=time,sleep -e '
		my ($path, $file, $bytes, $seconds, $before) = @ARGV;
		my $deadline = time + 20;
		my $c = IO::Socket::UNIX->new($path) or die;
		local $/;
		open my $f, "<", $file or die;
		my $body = <$f>;
		print $c "POST /increments HTTP/1.1\r\nHost: x\r\n",
			"Content-Length: ", length $body, "\r\n\r\n", $body;
		$c->flush;
		sleep $before if $before;
		my ($all, $part) = 0;
		my $poll = IO::Poll->new;
		$poll->mask($c => POLLIN);
		while (my $n = sysread $c, $part, $bytes) {
			$all += $n;
			die "late" if time > $deadline;
			next unless $seconds;
			sleep $seconds;
			$poll->poll(0);
			last if $poll->events($c) & POLLHUP;
		}
		print $all' "$SOCK" "$DIR/asked" "$@"
}

@test "a client that reads its answer byte by byte is cut off" {
	ring judge --write-timeout 0.5
	seq 1 5000 | sed 's/.*/x\n[]/' >"$DIR/asked"
	[ "$(batch <"$DIR/asked")" = 207 ]
	whole=$(wc -c <"$DIR/body")
	[ "$whole" -gt 700000 ]
	# It never stops to read, but what it has read is soon too little.
	[ "$(read_slowly 4096 0.2)" -lt "$whole" ]
}

@test "each line of a batch counts against the rate" {
	ring keep --rate 1/s:100
	[ "$(increments 1 150 | batch)" = 202 ] # let in, and paid for afterwards
	[ "$(increments 1 2 | batch -D "$DIR/head")" = 429 ]
	[ "$(post)" = 429 ]
	wait_s=$(retry_after)
	((wait_s > 40 && wait_s <= 51))
	lines_are 150
}
retry_after() { sed -n 's/^Retry-After: \([0-9]*\).$/\1/pI' "$DIR/head"; }

@test "more lines than burst and a minute's rate: 429 at once, with their number" {
	ring keep --rate 10/s:10
	increments 1 10000 >"$DIR/asked"
	# Many at once, as one client that is in a hurry.
	for n in $(seq 10); do
		curl -s -m 20 -o "$DIR/body.$n" -w '%{http_code}\n' -D "$DIR/head" \
			--unix-socket "$SOCK" --data-binary @"$DIR/asked" \
			http://x/increments >"$DIR/code.$n" 3>&- &
		askers[n]=$!
	done
	for n in $(seq 10); do
		wait "${askers[n]}"
		[ "$(cat "$DIR/code.$n")" = 429 ]
		grep -q '"code":"quota-exceeded",.*' "$DIR/body.$n"
	done
	grep -q 'in one request, nothing was counted: at most 610","violated-policies":\["default"\]' \
		"$DIR"/body.*
	grep -qi '^RateLimit: "default";r=[0-9]*;t=1' "$DIR/head"
	lines_are 0
	# A second or two, and not hours, later.
	let_in() { [ "$(head -n 590 "$DIR/asked" | batch -D "$DIR/head")" = 202 ]; }
	wait_for 8 let_in
	lines_are 590
	[ "$(head -n 590 "$DIR/asked" | batch -D "$DIR/head")" = 429 ]
	(($(retry_after) > 50 && $(retry_after) <= 60))
	lines_are 590
}

@test "a body without a length is taken as the rate allows, then cut" {
	ring keep --rate 1/s:20 --body-timeout 0.5
	increments 1 3000 >"$DIR/asked"
	[ "$(chunked -D "$DIR/head" <"$DIR/asked")" = 207 ]
	n=$(wc -l <"$LINES_OUT")
	((n >= 20 && n <= 25))
	answer_lines_are $((n + 1))
	head -n "$n" "$DIR/body" | cmp - <(head -n "$n" "$DIR/asked")
	has_error unavailable $((n + 1))
	grep -q "used up after $n lines" "$DIR/body"
	(($(retry_after) >= 1 && $(retry_after) <= 2))
	grep -qi '^RateLimit: "default";r=0;t=' "$DIR/head"
	# It owes nothing.
	let_in() { [ "$(post)" = 202 ]; }
	wait_for 5 let_in
}

@test "a body without a length waits for its rate, and is whole then" {
	ring keep --rate 100/s:10
	increments 1 60 >"$DIR/asked"
	since=${EPOCHREALTIME/./}
	[ "$(chunked <"$DIR/asked")" = 202 ]
	((${EPOCHREALTIME/./} - since > 450000))
	cmp "$DIR/asked" "$DIR/body"
	cmp "$DIR/asked" "$LINES_OUT"
}

@test "a body that waits for its rate ends with the server" {
	ring keep --rate 1/s:10
	increments 1 100 >"$DIR/asked"
	chunked <"$DIR/asked" >"$DIR/code" 3>&- &
	remember $!
	local asker=$!
	wait_for 5 lines_are 10
	[ "$(post)" = 429 ]
	kill "$SERVE"
	wait "$asker"
	[ "$(cat "$DIR/code")" = 207 ]
	n=$(wc -l <"$LINES_OUT")
	has_error unavailable $((n + 1))
	status_is 0
}

# -- in the middle ----------------------------------------------------------------

@test "lines are handed on while the rest is still on its way" {
	ring keep
	open_batch
	increments 1 3 >&9
	wait_for 5 lines_are 3
	printf '{"key"' >&9
	[ "$(post)" = 202 ]
	printf ':1}' >&9
	exec 9>&-
	code_is 202
	lines_are 5
	answer_lines_are 4
	[ "$(tail -n 1 "$DIR/body")" = '{"key":1}' ]
}

@test "a client that goes in the middle: what was written is counted, in order" {
	local client
	hand --max-batches 1
	open_batch
	increments 1 3 >&9
	printf '{"half' >&9
	wait_for 5 lines_are 3
	client=$(pgrep -P "$ASKER" curl || echo "$ASKER")
	kill -9 "$client"
	wait_for 5 gone "$client"
	exec 9>&-
	post >"$DIR/code2" &
	wait_for 5 lines_are 4
	{
		increments 1 2
		echo '{"error":{"code":"not-json","detail":"","line":3}}'
		increment 3
	} >>"$DIR/say"
	wait $!
	[ "$(cat "$DIR/code2")" = 202 ]
	[ "$(tail -n 1 "$LINES_OUT")" = "$BODY" ]
	# It has left its place to others.
	increment 9 | batch >"$DIR/code2" &
	wait_for 5 lines_are 5
	increment 9 >>"$DIR/say"
	wait $!
	[ "$(cat "$DIR/code2")" = 202 ]
	[ ! -s "$DIR/err" ]
}

@test "a client that breaks off while it has to wait leaves its place" {
	hand --max-in-flight 4 --max-batches 1
	sockets() { find "/proc/$SERVE/fd" -lname 'socket:*' | wc -l; }
	local before
	before=$(sockets)
	background perl -MIO::Socket::INET -MSocket=:all -e '
		my $c = IO::Socket::INET->new("127.0.0.1:$ARGV[0]") or die;
		# Killed, it resets the connection.
		setsockopt $c, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0);
		print $c "POST /increments HTTP/1.1\r\nHost: x\r\n",
			"Content-Length: 9999\r\n\r\n", "{}\n" x 9;
		$c->flush;
		sleep' "$PORT"
	local client=$!
	wait_for 5 lines_are 2 # and no more fit
	kill -9 "$client"
	# The server knows it, not only the kernel.
	left() { [ "$(sockets)" = "$before" ]; }
	wait_for 5 left
	printf '{}\n{}\n' >>"$DIR/say"
	increment 9 | batch >"$DIR/code" &
	wait_for 5 lines_are 3
	increment 9 >>"$DIR/say"
	wait $!
	[ "$(cat "$DIR/code")" = 202 ]
	[ ! -s "$DIR/err" ]
}

@test "a body that does not go on is cut: its lines keep their verdicts" {
	ring judge --body-timeout 0.3
	local many='POST /increments HTTP/1.1\r\nHost: x\r\n'
	raw "${many}Content-Length: 999\r\n\r\n$BODY\nx\n[" >"$DIR/answer"
	grep -q '^HTTP/1.1 207 ' "$DIR/answer"
	grep -qi '^connection: close' "$DIR/answer"
	sed '1,/^.$/d' "$DIR/answer" >"$DIR/body"
	answer_lines_are 3
	[ "$(head -n 1 "$DIR/body")" = "$BODY" ]
	has_error not-json 2
	has_error unavailable 3
	run codes "${many}Content-Length: 9\r\n\r\nabc"
	[ "$output" = 408 ]
	# The same for one that is faulty.
	run codes "${many}Transfer-Encoding: chunked\r\n\r\n2\r\nx\n\r\nz"
	[ "$output" = 207 ]
	run codes "${many}Transfer-Encoding: chunked\r\n\r\nz\r\n"
	[ "$output" = 400 ]
}

@test "lines without a verdict are unknown, those behind them not tried" {
	hand --verdict-timeout 2
	open_batch
	increments 1 3 >&9
	wait_for 5 lines_are 3
	increment 1 >>"$DIR/say"
	since=${EPOCHREALTIME/./}
	over() { ((${EPOCHREALTIME/./} - since > 2000000)); }
	wait_for 5 over
	increment 4 >&9
	exec 9>&-
	code_is 207
	answer_lines_are 4
	[ "$(head -n 1 "$DIR/body")" = "$(increment 1)" ]
	has_error unknown 2
	has_error unknown 3
	has_error unavailable 4
	lines_are 3
}

@test "after one that failed the others are not tried" {
	ring nothing --verdict-timeout 0.3
	increments 1 5000 >"$DIR/asked"
	[ "$(batch <"$DIR/asked")" = 207 ]
	answer_lines_are 5000
	# As many as one request may have in flight.
	[ "$(grep -c '"code":"unknown"' "$DIR/body")" = 1024 ]
	[ "$(grep -c '"code":"unavailable"' "$DIR/body")" = 3976 ]
	has_error unknown 1024
	has_error unavailable 1025
}

@test "SIGTERM in the middle: what was written is answered, the rest refused" {
	hand
	open_batch
	increments 1 2 >&9
	wait_for 5 lines_are 2
	kill "$SERVE"
	wait_for 5 not curl -s --unix-socket "$SOCK" http://x/health/live
	increments 3 4 >&9
	exec 9>&-
	increments 1 2 >>"$DIR/say"
	code_is 207
	answer_lines_are 4
	[ "$(head -n 2 "$DIR/body")" = "$(increments 1 2)" ]
	has_error unavailable 3
	has_error unavailable 4
	kill "$VERDICTS" # the verdicts end
	status_is 0
}

# cut_off N: clients in the middle of bodies of many lines; client i has sent
# 2 lines and half a one, and reads its answer into DIR/answer.i.
cut_off() {
	local i
	for i in $(seq "$1"); do
		raw "POST /increments HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n$(increment "$i")\n$(increment "$i")\n{" \
			>"$DIR/answer.$i" 3>&- &
		remember $!
		CLIENTS[i]=$!
	done
	wait_for 5 lines_are $(($1 * 2))
}
# verdicts_of N: the server has read those of the first N lines.
verdicts_of() {
	local before
	before=$(bytes_read "$SERVE")
	head -n "$1" "$LINES_OUT" >>"$DIR/say"
	wait_for 5 has_read "$SERVE" $((before + $(wc -c <"$DIR/say")))
}
# answer_is I STATUS: client I has it; its body is DIR/body.
answer_is() {
	wait "${CLIENTS[$1]}"
	head -n 1 "$DIR/answer.$1" | grep -q "^HTTP/1.1 $2 "
	sed '1,/^.$/d' "$DIR/answer.$1" >"$DIR/body"
}

@test "SIGTERM: clients in the middle of a body get the verdicts that are known" {
	hand
	cut_off 3
	exec {half}<>"/dev/tcp/127.0.0.1/$PORT"
	printf 'POST /increment HTTP/1.1\r\nHost:' >&$half
	[ "$(ask http://x/health/live)" = 200 ] # and it was read before this
	kill "$SERVE"
	wait_for 5 not curl -s --unix-socket "$SOCK" http://x/health/live
	verdicts_of 6
	kill "$VERDICTS" # the verdicts end
	for i in 1 2 3; do
		answer_is $i 207
		answer_lines_are 3
		[ "$(head -n 2 "$DIR/body")" = "$(increment $i; increment $i)" ]
		has_error unavailable 3
	done
	timeout 10 head -n 1 <&$half | grep -q '^HTTP/1.1 503 '
	exec {half}>&-
	status_is 0
}

@test "the backend dies: clients in the middle of a body get the verdicts that are known" {
	hand
	cut_off 3
	# The verdict on the first line has come, then no more.
	verdicts_of 1
	kill -9 "$VERDICTS"
	unknown=0
	for i in 1 2 3; do
		answer_is $i 207
		answer_lines_are 3
		has_error unavailable 3
		unknown=$((unknown + $(grep -c '"unknown"' "$DIR/body")))
	done
	[ "$unknown" = 5 ]
	status_is 111
}

@test "SIGTERM: who has not read its answer yet has the grace for it" {
	ring judge --grace 20 --metrics "$DIR/m"
	seq 1 5000 | sed 's/.*/x\n[]/' >"$DIR/asked"
	read_slowly 65536 0 2 >"$DIR/read" 3>&- &
	local reader=$!
	remember "$reader"
	answered() {
		curl -s --unix-socket "$DIR/m" http://x/metrics |
			grep -q '^incr_http_requests_total{code="207",.*} 1$'
	}
	wait_for 10 answered
	kill "$SERVE"
	wait "$reader"
	status_is 0
	[ "$(cat "$DIR/read")" -gt 700000 ]
}

# -- fairness ---------------------------------------------------------------------

# answer_all: verdicts for what was written, as it comes.
answer_all() {
	tail -n +1 -s 0.01 -f "$LINES_OUT" >>"$DIR/say" 3>&- &
	remember $!
}

@test "a batch leaves room for others" {
	hand --max-in-flight 400
	increments 1 5000 >"$DIR/asked"
	(batch <"$DIR/asked" >"$DIR/code" 3>&-) &
	remember $!
	wait_for 5 lines_are 101
	# Its share is used up; a single request goes on at once.
	curl -s -m 10 -o "$DIR/single" -w '%{http_code}' --unix-socket "$SOCK" \
		-d '{"single":1}' http://x/increment >"$DIR/code2" 3>&- &
	remember $!
	wait_for 5 lines_are 102
	[ "$(tail -n 1 "$LINES_OUT")" = '{"single":1}' ]
	answer_all
	code_is 202
	[ "$(cat "$DIR/code2")" = 202 ]
	cmp "$DIR/asked" "$DIR/body"
}

@test "batches take turns" {
	hand --max-in-flight 400
	big() { # LETTER
		increments 1 5000 | sed "s/}/,\"$1\":1}/" |
			curl -sv -o "$DIR/$1" -w '%{http_code}' --unix-socket "$SOCK" \
				--data-binary @- http://x/increments \
				>"$DIR/code.$1" 2>"$DIR/log.$1"
	}
	big a 3>&- &
	remember $!
	wait_for 5 lines_are 101
	big b 3>&- &
	remember $!
	wait_for 5 grep -q '^> POST' "$DIR/log.b"
	[ "$(ask http://x/health/live)" = 200 ] # and it was read before this
	answer_all
	for letter in a b; do
		wait_for 8 test -s "$DIR/code.$letter"
		[ "$(cat "$DIR/code.$letter")" = 202 ]
		[ "$(grep -c "\"$letter\":1" "$DIR/$letter")" = 5000 ]
	done
	# The second one did not wait for the end of the first.
	first_b=$(grep -n '"b":1' "$LINES_OUT" | head -n 1 | cut -d : -f 1)
	[ "$first_b" -lt 1000 ]
}

@test "batches leave room in what waits for a pipe that is full" {
	ring judge --metrics "$DIR/m"
	kill -STOP "$VERDICTS"
	yes "$(printf '%4000s' x)" | head -n 250 >"$DIR/asked"
	for i in 1 2 3; do
		curl -sv -o "$DIR/body.$i" --unix-socket "$SOCK" --data-binary \
			"@$DIR/asked" http://x/increments 2>"$DIR/log.$i" 3>&- &
		remember $!
		wait_for 5 grep -q '^> POST' "$DIR/log.$i"
	done
	waits() { # with no more lines at fifteen looks
		local before=${held:-0}
		held=$(curl -s --unix-socket "$DIR/m" http://x/metrics |
			awk '/^incr_http_in_flight/ { print $2 }')
		[ "$held" = "$before" ] || looks=0
		[ "$held" -ge 60 ] && [ $((looks += 1)) -gt 15 ]
	}
	wait_for 5 waits
	post >"$DIR/code" &
	local single=$!
	[ "$(ask http://x/health/live)" = 200 ]
	kill -CONT "$VERDICTS"
	wait "$single"
	[ "$(cat "$DIR/code")" = 202 ]
}

@test "a batch that finds no room for too long is refused" {
	ring nothing --max-in-flight 1 --verdict-timeout 0.3
	open_batch
	live() { [ "$(ask http://x/health/live)" = 200 ]; }
	wait_for 5 live
	post >"$DIR/code2" 3>&- &
	remember $!
	full() { [ "$(increment 1 | batch)" = 503 ]; }
	wait_for 5 full
	increments 1 9 >&9
	exec 9>&-
	code_is 503
}

# -- paused -----------------------------------------------------------------------

@test "paused: verdicts on their way and turns are waited for" {
	hand --verdict-timeout 1
	increments 1 2000 >"$DIR/asked"
	for i in 1 2 3; do
		curl -s -o "$DIR/body.$i" --unix-socket "$SOCK" --data-binary \
			"@$DIR/asked" http://x/increments 3>&- &
		clients[i]=$!
	done
	wait_for 5 lines_are 3072 # of each as many as may be in flight
	kill -STOP "$SERVE"
	since=${EPOCHREALTIME/./}
	answer_all
	full() { [ "$(awk '/^wchar/ { print $2 }' "/proc/$VERDICTS/io")" -ge 65536 ]; }
	wait_for 10 full # and the pipe has no room for the others
	wait_for 10 elapsed "$since" 2500000
	kill -CONT "$SERVE"
	for i in 1 2 3; do
		wait "${clients[i]}"
		cmp "$DIR/asked" "$DIR/body.$i"
	done
}
