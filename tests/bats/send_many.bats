#!/usr/bin/env bats
# incr-send against incr-ingest: many lines in a request, none counted twice.

bats_require_minimum_version 1.5.0
load helper

setup() {
	use_redis
	cd "$BATS_TEST_TMPDIR" || return
	sockets=$(mktemp -d /tmp/incr-send-many.XXXXXX)
	export INCR_METRICS_DIR=$PWD/metrics
	mkdir metrics
}

teardown() {
	end_background
	rm -rf "$sockets"
}

# server [ARG...]: incr-ingest at $INCR_URL, the same one each time; its session
# is that of $SERVER.
server() {
	local listen=127.0.0.1:${port:-0}
	rm -f port
	background setsid incr-ingest -l "$listen" --port-file port \
		--linger 0 "$@" 2>>err.server
	SERVER=$!
	wait_for 10 test -s port
	port=$(cat port)
	export INCR_URL=http://127.0.0.1:$port/increment
	for pid in $(pgrep -s "$SERVER"); do remember "$pid"; done
}

# requests CODE: answered so by servers that run or ran
requests() {
	cat metrics/incr-serve-*.prom |
		sed -n "s/^incr_http_requests_total{.*code=\"$1\".*} //p" |
		awk '{ n += $1 } END { print n + 0 }'
}
requests_are() { [ "$(requests "$1")" = "$2" ]; }
payloads() { rcli --raw lrange "rmq::queue::[$INCR_QUEUE]::ready" 0 -1; }

@test "many lines go in few requests and are answered in order" {
	server
	increments 1 20000 >in
	run -0 --separate-stderr incr-send <in
	[ -z "$stderr" ]
	printf '%s\n' "$output" | cmp in -
	[ "$(ready)" = 20000 ]
	payloads | sort | cmp - <(sort in)
	[ "$(marks)" = 20000 ]
	some() { [ "$(requests 202)" -ge 20 ]; }
	wait_for 5 some
	[ "$(requests 202)" -lt 200 ]
}

@test "two senders of one token find places for all their requests" {
	echo "shop $(printf secret | sha256sum | cut -c1-64)" >tokens
	server --tokens tokens
	echo secret >token
	export INCR_TOKEN=@token
	increments 1 40000 >in
	for i in 1 2; do
		incr-send <in >out.$i 2>err.$i 3>&- &
		remember $!
		senders[i]=$!
	done
	for i in 1 2; do
		wait "${senders[i]}"
		cmp in out.$i
		[ ! -s err.$i ]
	done
	some() { [ "$(requests 202)" -ge 80 ]; }
	wait_for 5 some
	requests_are 503 0
}

@test "what a rate never lets in at once goes in smaller requests" {
	server --rate 1/s:40
	increments 1 150 >in
	run -111 --separate-stderr incr-send --key again -w 1 <in
	[ "$(ready)" = 75 ]
	[ "${#lines[@]}" = 150 ]
	printf '%s\n' "${lines[@]:0:75}" | cmp - <(head -n 75 in)
	[ "$(printf '%s\n' "${lines[@]:75}" | grep -c '"unavailable"')" = 75 ]
	kill -TERM "$SERVER"
	wait_for 10 session_gone "$SERVER"
	# Sent again under the same key, each line is counted once.
	server --rate 100/s:40
	incr-send --key again <in | cmp - in
	[ "$(ready)" = 150 ]
}

@test "one line goes alone, as do all with --single" {
	server
	increment 1 | incr-send >out
	increment 1 | cmp - out
	increments 1 50 >in
	incr-send --single <in | cmp in -
	wait_for 5 requests_are 202 51
	[ "$(marks)" = 51 ]
}

@test "--no-keys: Redis remembers nothing" {
	server
	increments 1 5000 >in
	incr-send --no-keys <in | cmp in -
	[ "$(ready)" = 5000 ]
	[ "$(marks)" = 0 ]
}

@test "lines that are no increments have their answer in their place" {
	server
	{
		increments 1 1500
		echo x
		increments 1501 3000
		echo
	} >in
	run -1 --separate-stderr incr-send <in
	[ "$stderr" = "incr-send: stdin: 2 lines rejected, first: line 1501, not-json" ]
	[ "${#lines[@]}" -eq 3002 ]
	[[ ${lines[1500]} == *not-json*'"line":1501}}' ]]
	[[ ${lines[3001]} == *not-json*'"line":3002}}' ]]
	[ "${lines[3000]}" = "$(increment 3000)" ]
	[ "$(ready)" = 3000 ]
}

@test "the server killed again and again: every line is taken once, and said so" {
	server
	increments 1 30000 >in
	incr-send -w 20 <in >out 2>err 3>&- &
	sender=$!
	remember "$sender"
	for n in 2000 8000 15000; do
		more() { [ "$(ready)" -ge $n ]; }
		wait_for 20 more
		pkill -9 -s "$SERVER" .
		wait_for 5 gone "$SERVER"
		server
	done
	status=0
	wait "$sender" || status=$?
	cat err
	[ "$status" = 0 ]
	cmp in out
	[ "$(ready)" = 30000 ]
	payloads | sort | cmp - <(sort in)
}

# upload N: N clients in the middle of bodies, with 300 lines of each sent; the
# answers go to up.1 ...
upload() {
	perl -MIO::Socket::INET -e '
		my ($port, $n) = @ARGV;
		my @c = map {
			my $c = IO::Socket::INET->new("127.0.0.1:$port") or die;
			print $c "POST /increments HTTP/1.1\r\nHost: x\r\n",
				"Content-Length: 999999\r\n\r\n",
				map { qq({"key":"$ENV{KEY}","value":$_}\n) } 1 .. 300;
			$c->flush;
			$c
		} 1 .. $n;
		for my $i (1 .. $n) {
			open my $out, ">", "up.$i" or die;
			my $part;
			print $out $part while sysread $c[$i - 1], $part, 65536;
		}' "$port" "$1" 3>&- &
	UPLOAD=$!
	remember "$UPLOAD"
}
answered() { grep -l '^HTTP/1.1 20[27] ' up.* | wc -l; }

# send_killed ARG...: incr-send ARG... with all but the end of the file in,
# killed when some lines of it are on the queue.
send_killed() {
	mkfifo pipe
	incr-send "$@" <pipe >out.killed 2>err.killed 3>&- &
	local sender=$!
	remember "$sender"
	exec 9>pipe
	head -n 15000 in >&9 3>&-
	some() { [ "$(ready)" -ge 1000 ]; }
	wait_for 10 some
	kill -9 "$sender"
	wait "$sender" || :
	exec 9>&-
	rm pipe
}

@test "--key: killed and sent again, each line is counted once" {
	server
	increments 1 20000 >in
	send_killed --key 'it"s a \ key'
	run -0 --separate-stderr incr-send --key 'it"s a \ key' <in
	[ -z "$stderr" ]
	printf '%s\n' "$output" | cmp in -
	[ "$(ready)" = 20000 ]
	payloads | sort | cmp - <(sort in)
	# Another way to send it is the same, but for lines that are new.
	increment 20001 >>in
	incr-send --key 'it"s a \ key' --single -c 64 < <(tail -n +1 in) | cmp in -
	[ "$(ready)" = 20001 ]
}

@test "without --key what was sent before is counted again" {
	server
	increments 1 20000 >in
	send_killed
	# What is in flight is on the queue once the server has gone.
	kill -TERM "$SERVER"
	wait_for 10 session_gone "$SERVER"
	before=$(ready)
	server
	incr-send <in | cmp in -
	[ "$(ready)" = $((before + 20000)) ]
}

@test "--key: a line keeps its number, whatever is wrong with others" {
	server
	{
		increments 1 1500
		echo x
		increments 1502 3000
	} >in
	run -1 --separate-stderr incr-send --key k <in
	[ "$(ready)" = 2999 ]
	sed -i '1501s/.*/{"key":"'$KEY'","value":1501}/' in
	incr-send --key k <in | cmp in -
	[ "$(ready)" = 3000 ]
	# Another file under the same key is not counted.
	increments 11 14 >other
	run -1 --separate-stderr incr-send --key k <other
	[ "$(grep -c idempotency-key-reused <<<"$output")" = 4 ]
	[ "$(ready)" = 3000 ]
}

# older ANSWER: a server that knows no Incr-Line-Offset, for one request; what
# it got is in the file asked.
older() {
	rm -f port asked
	background perl -MIO::Socket::INET -e '
		my $l = IO::Socket::INET->new(LocalAddr => "127.0.0.1",
			Listen => 8) or die;
		open my $p, ">", "port.new"; print $p $l->sockport, "\n";
		close $p; rename "port.new", "port";
		while (my $c = $l->accept) {
			my ($n, $head) = (0, "");
			while (<$c>) {
				$n = $1 if /^content-length: (\d+)/i;
				$head .= $_;
				last if /^\r$/;
			}
			read $c, my $body, $n;
			open my $a, ">>", "asked"; print $a $head; close $a;
			print $c $ARGV[0];
			close $c;
		}' "$1"
	wait_for 5 test -s port
	INCR_URL=http://127.0.0.1:$(cat port)/increment
	export INCR_URL
}

@test "--key: a server that ignores Incr-Line-Offset: 100, and no more is sent" {
	local answers=($'HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n'
		$'HTTP/1.1 202 Accepted\r\nIncr-Line-Offset: 1\r\nContent-Length: 0\r\n\r\n'
		$'HTTP/1.1 207 Multi-Status\r\nContent-Length: 0\r\n\r\n'
		$'HTTP/1.1 422 Unprocessable Content\r\nContent-Length: 0\r\n\r\n')
	increments 1 5000 >in
	for answer in "${answers[@]}"; do
		older "$answer"
		run -100 --separate-stderr incr-send --key k <in
		[[ "$stderr" =~ ^incr-send:\ http://127.0.0.1:[0-9]+:\ HTTP\ status\ [24][0-9]*\ without\ Incr-Line-Offset,\ which\ --key\ needs:\ a\ server\ of\ an\ older\ release$ ]]
		[ "$(grep -c ^POST asked)" = 1 ]
		grep -qi '^incr-line-offset: 0' asked
		# Those that were sent may be counted.
		[ "$(grep -c '"unknown"' <<<"$output")" = 1000 ]
		[ "$(sed -n '1,1000p' <<<"$output" | grep -c '"unknown"')" = 1000 ]
		[ "$(grep -vc '"unknown"' <<<"$output")" = "$(grep -c '"unavailable"' <<<"$output")" ]
	done
	# A refusal of what stands before it is none of its.
	older $'HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n'
	run -111 --separate-stderr incr-send --key k -w 1 < <(increment 1)
	[[ "$output" == *'"unavailable"'* ]]
}

@test "--key: 1 to 255 printable characters, and not with --no-keys" {
	for key in '' $'a\tb' $'\303\244' "$(printf '%256s' '')"; do
		run -100 incr-send --key "$key" </dev/null
	done
	run -100 incr-send --key a --no-keys </dev/null
	[ "$output" = 'incr-send: --no-keys: contradicts --key' ]
}

@test "SIGTERM in the middle of uploads: each line counted is answered" {
	export KEY
	server
	upload 20
	wait_for 10 has_ready 6000
	kill -TERM "$SERVER"
	wait "$UPLOAD"
	[ "$(grep -l '^HTTP/1.1 207 ' up.* | wc -l)" = 20 ]
	[ "$(cat up.* | grep -c '^{"key":')" = 6000 ]
	[ "$(cat up.* | grep -c '"unavailable".*"line":301}')" = 20 ]
	wait_for 10 gone "$SERVER"
	quiet err.server
}

@test "incr-publish killed in the middle of uploads: each client has an answer" {
	export KEY
	server
	publish=$(pgrep -s "$SERVER" incr-publish)
	kill -STOP "$publish"
	upload 10
	taken() { grep -q '^incr_http_in_flight{.*} 3000$' metrics/incr-serve-*.prom; }
	wait_for 10 taken
	kill -9 "$publish"
	wait "$UPLOAD"
	[ "$(grep -l '^HTTP/1.1 207 ' up.* | wc -l)" = 10 ]
	# What was in the pipe may be counted, what was not is not.
	cat up.* | grep -q '"code":"unknown"'
	[ "$(cat up.* | grep -cE '"code":"(unknown|unavailable)"')" = 3010 ]
	[ "$(cat up.* | grep -c '"unavailable".*"line":301}')" = 10 ]
	wait_for 10 gone "$SERVER"
}

@test "no answer in time: repeated, and counted once" {
	server --verdict-timeout 0.3 -w 60
	publish=$(pgrep -s "$SERVER" incr-publish)
	kill -STOP "$publish"
	increments 1 3000 >in
	incr-send -w 20 <in >out 2>err 3>&- &
	sender=$!
	remember "$sender"
	doubted() { [ "$(requests 207)" -gt 0 ] || [ "$(requests 504)" -gt 0 ]; }
	wait_for 10 doubted
	kill -CONT "$publish"
	wait "$sender"
	cmp in out
	[ "$(ready)" = 3000 ]
	grep -q '; retrying for 20 s (--wait)$' err
}

@test "an outage longer than --wait: what may be counted is unknown" {
	server --verdict-timeout 0.3 -w 60
	publish=$(pgrep -s "$SERVER" incr-publish)
	kill -STOP "$publish"
	increments 1 3000 >in
	run -111 sh -c 'incr-send -w 0.5 <in >out 2>err'
	[ "$(grep -cE '"code":"(unknown|unavailable)"' out)" = 3000 ]
	head -n 1 out | grep -q '"unknown".*"line":1}}$'
	# What was called unavailable was not counted, whatever happens.
	kill -TERM "$SERVER"
	kill -CONT "$publish"
	wait_for 10 gone "$publish"
	[ "$(ready)" -le "$(grep -c '"unknown"' out)" ]
}

@test "how far it is, on a terminal only" {
	server
	mkfifo in
	exec 9<>in
	background script -qfec 'incr-send <in >out 2>/dev/tty' typescript \
		>/dev/null
	increments 1 3 >&9
	wait_for 5 grep -q 'incr-send: 3 lines taken, 3 answered, [0-9]*/s' typescript
	exec 9>&-
	increments 1 3 | cmp - out
	run -0 --separate-stderr incr-send < <(increment 1)
	[ -z "$stderr" ]
}
