#!/usr/bin/env bats
# Clients that are slow, deaf, greedy or many, past and through Caddy: each is
# answered or cut off in time, and the others are served.

# bats file_tags=hostile
load helper

BUILT=${INCR_BUILD:-$ROOT/build}

setup() {
	use_redis
	cd "$BATS_TEST_TMPDIR" || return
	sockets=$(mktemp -d /tmp/incr-hostile.XXXXXX)
	BODY=$(increment 3)
}

teardown() {
	end_background
	rm -rf "$sockets"
}

# serve OPTION...: the ring; direct is its port, SERVE its pid.
serve() {
	background incr-ingest -l "$sockets/s" -l 127.0.0.1:0 \
		--port-file ports "$@" 2>err
	SERVE=$!
	wait_for 10 healthy "$sockets/s"
	direct=$(head -n 1 ports)
}

# front: Caddy, with shorter times; its port is caddy.
front() {
	caddy=$(free_port)
	export XDG_DATA_HOME=$PWD XDG_CONFIG_HOME=$PWD
	export INCR_UPSTREAMS=unix/$sockets/s INCR_SITE=http://:$caddy
	sed -e 's/read_header 10s/read_header 500ms/' \
		-e 's/read_body 30s/read_body 1s/' -e 's/write 30s/write 1s/' "$ROOT/Caddyfile" >Caddyfile
	background caddy run --config Caddyfile >caddy.log 2>&1
	wait_for 10 curl -fs "http://127.0.0.1:$caddy/health/ready"
}

# post PORT: the status of one good increment
post() {
	http_status -m 5 -d "$BODY" \
		"http://127.0.0.1:$1/increment"
}

# client PORT SCRIPT [ARG...]: perl with a connection $c, a $deadline of 40 s
# and rest(): what comes until the other side closes; it dies if that is late.
client() {
	local port=$1 script=$2
	shift 2
	perl -MIO::Socket::INET -MIO::Select -MTime::HiRes=time -e '
		use strict;
		$SIG{PIPE} = "IGNORE";
		my $c = IO::Socket::INET->new("127.0.0.1:" . shift) or die;
		my $ready = IO::Select->new($c);
		my $deadline = time + 40;
		sub rest {
			my $all = "";
			while (time < $deadline) {
				next unless $ready->can_read(0.1);
				return $all unless sysread $c, $all, 65536,
					length $all;
			}
			die "late: $all";
		}
		'"$script" "$port" "$@"
}

# A byte each 20 ms, for ever, after TEXT; shows what comes.
drip='
	my $text = shift;
	$text =~ s/\\r\\n/\r\n/g;
	$c->syswrite($text);
	while (time < $deadline && !$ready->can_read(0.02)) {
		$c->syswrite("x") or last;
	}
	print rest();'
POST='POST /increment HTTP/1.1\r\nHost: x\r\n'

@test "a head or a body a byte at a time: 408, and the others are served" {
	serve --head-timeout 0.5 --body-timeout 0.5
	client "$direct" "$drip" "${POST}X: " >head &
	head=$!
	client "$direct" "$drip" "${POST}Content-Length: 4000\r\n\r\n" >body &
	body=$!
	[ "$(post "$direct")" = 202 ]
	wait $head
	wait $body
	grep -q '^HTTP/1.1 408 ' head
	grep -q '^HTTP/1.1 408 ' body
	[ "$(ready)" = 1 ]
}

@test "the same through Caddy" {
	serve --head-timeout 0.5 --body-timeout 0.5
	front
	client "$caddy" "$drip" "${POST}X: " >head &
	head=$!
	client "$caddy" "$drip" "${POST}Content-Length: 4000\r\n\r\n" >body &
	body=$!
	[ "$(post "$caddy")" = 202 ]
	# Caddy may say nothing, or wait for the rest before it does.
	wait $head
	wait $body
	[ "$(ready)" = 1 ]
}

# Asks without reading until nothing goes any more, then until it is cut off.
deaf='
	my $ask = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" x 400;
	$c->blocking(0);
	while (time < $deadline) {
		$c->syswrite($ask) and next;
		exit if $!{EPIPE} || $!{ECONNRESET};
		select undef, undef, undef, 0.01;
	}
	die "late";'

@test "clients that never read are cut off, past and through Caddy" {
	serve --write-timeout 0.5
	front
	local pids=() port
	for port in "$direct" "$direct" "$caddy" "$caddy"; do
		client "$port" "$deaf" &
		pids+=($!)
	done
	[ "$(post "$direct")" = 202 ]
	[ "$(post "$caddy")" = 202 ]
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
}

# All of a body that nobody wants, then what was answered, and how it ended.
late='
	my $head = shift;
	$head =~ s/\\r\\n/\r\n/g;
	$c->syswrite($head);
	for (1 .. 100) {
		$c->syswrite("x" x 1000) or last;
	}
	my $answer = "";
	until ($answer =~ /\r\n\r\n/) {
		$ready->can_read($deadline - time) or die "late: $answer";
		sysread $c, $answer, 4096, length $answer or last;
	}
	print $answer;
	exit if $answer !~ /^connection: close/im;
	my $n = 1;
	while ($n) {
		$ready->can_read($deadline - time) or die "late";
		$n = sysread $c, my $rest, 4096;
	}
	print defined $n ? "\nended\n" : "\nreset\n";'
# The same without end.
endless='
	my $head = shift;
	$head =~ s/\\r\\n/\r\n/g;
	$c->syswrite($head);
	while ($c->syswrite("x" x 1000)) {
		die "late" if time > $deadline;
	}'

@test "a body after the answer: the answer arrives, an endless one is cut off" {
	serve
	front
	local port
	for port in "$direct" "$caddy"; do
		client "$port" "$late" "${POST}Content-Length: 100000\r\n\r\n" \
			>answer
		grep -q '^HTTP/1.1 413 ' answer
		client "$port" "$late" \
			'POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n' \
			>answer
		grep -q '^HTTP/1.1 404 ' answer
		# A reset destroys the answer where it was not read yet.
		[ "$port" = "$caddy" ] || grep -qx ended answer
	done
	client "$direct" "$endless" "${POST}Content-Length: 9999999999\r\n\r\n"
	[ "$(post "$direct")" = 202 ]
	[ "$(ready)" = 1 ]
}

@test "clients that shut down after a request: what got 202 is counted" {
	serve
	front
	local i taken
	for i in $(seq 20); do
		client "$caddy" '
			$c->syswrite("POST /increment HTTP/1.1\r\nHost: x\r\n" .
				"Content-Length: " . length($ARGV[0]) .
				"\r\n\r\n$ARGV[0]");
			$c->shutdown(1);
			print rest();' "$(increment "$i")"
	done >answers
	taken=$(grep -c '^HTTP/1.1 202' answers || :)
	[ "$(post "$caddy")" = 202 ]
	[ "$(ready)" -gt "$taken" ]
	[ "$(ready)" -le 21 ]
	client "$direct" '
		$c->syswrite("POST /increment HTTP/1.1\r\nHost: x\r\n" .
			"Content-Length: 100\r\n\r\n{");
		$c->shutdown(1);
		print rest();' >answer
	[ ! -s answer ]
}

# flood PORT N: connections one after the other, each with one of these requests,
# cut at any byte, and then reset, closed, or left until 50 others have come.
flood() {
	perl -MIO::Socket::INET -MSocket -e '
		my ($port, $n, $body) = @ARGV;
		my $head = "POST /increment HTTP/1.1\r\nHost: x\r\n";
		my $length = "Content-Length: " . length($body) . "\r\n";
		my $chunked = "Transfer-Encoding: chunked\r\n";
		my @requests = (
			"$head$length\r\n$body" x 3,
			"$head$length$chunked\r\n0\r\n\r\n$head",
			"$head${chunked}X: y\r\n\r\n5\r\n{\"key\r\nzz\r\n",
			"$head$chunked\r\nffffffffffffffff\r\n$body",
			"${head}Content-Length: 5, 6\r\n\r\n$body",
			"${head}X: " . "y" x 9000,
			"POST /increments HTTP/1.1\r\nHost: x\r\n$chunked\r\n" .
				(sprintf("%x\r\n%s\n\r\n", 1 + length $body, $body) x 20) .
				"0\r\n\r\n",
			"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . "\0" x 100,
			"\x16\x03\x01\x02\0\x01" . "\xff" x 500);
		srand $port;
		my @open;
		for my $i (1 .. $n) {
			my $c = IO::Socket::INET->new("127.0.0.1:$port") or next;
			my $text = $requests[$i % @requests];
			syswrite $c, substr $text, 0, 1 + rand length $text;
			setsockopt $c, SOL_SOCKET, SO_LINGER, pack "II", 1, 0 if $i % 3;
			push @open, $c if $i % 3 == 0;
			shift @open if @open > 50;
		}' "$1" "$2" "$BODY"
}

@test "a flood of connections that end at any byte: the others are served" {
	local pid pids=() answers=0
	serve --head-timeout 0.5 --body-timeout 0.5
	front
	flood "$direct" 1500 &
	pids+=($!)
	flood "$caddy" 500 &
	pids+=($!)
	for pid in "${pids[@]}"; do
		until gone "$pid"; do
			[ "$(post "$direct")" = 202 ]
			[ "$(post "$caddy")" = 202 ]
			answers=$((answers + 2))
		done
		wait "$pid"
	done
	[ "$(post "$direct")" = 202 ]
	[ "$(ready)" -ge "$((answers + 1))" ]
	not gone "$SERVE"
	# None of them holds a place.
	open() { [ "$(find "/proc/$SERVE/fd" -lname 'socket:*' | wc -l)" -le "$1" ]; }
	wait_for 10 open 20
}

# -- many ---------------------------------------------------------------------

# talk FD: one increment on it; the status
talk() {
	local line
	printf "${POST}Content-Length: ${#BODY}\r\n\r\n%s" "$BODY" >&"$1"
	read -r -t 5 line <&"$1"
	cut -d' ' -f2 <<<"$line"
	while read -r -t 5 line <&"$1" && [ "$line" != $'\r' ]; do :; done
}

@test "over the limit of connections: 503, and the others are served" {
	serve --max-connections 10 --idle-timeout 60
	local fds=() i
	for i in $(seq 10); do
		exec {fd}<>"/dev/tcp/127.0.0.1/$direct"
		fds+=("$fd")
		[ "$(talk "$fd")" = 202 ]
	done
	# A flood that says nothing; all but 16 wait to be accepted.
	for i in $(seq 12); do
		exec {fd}<>"/dev/tcp/127.0.0.1/$direct"
	done
	for i in 1 2 3; do
		curl -s -m 5 -D headers -o answer -d "$BODY" \
			"http://127.0.0.1:$direct/increment"
		grep -q '^HTTP/1.1 503 ' headers
		grep -qi '^retry-after: 1' headers
		grep -qi '^connection: close' headers
		grep -q '"code":"unavailable"' answer
	done
	for fd in "${fds[@]}"; do
		[ "$(talk "$fd")" = 202 ]
	done
	[ "$(ready)" = 20 ]
	fd=${fds[0]}
	exec {fd}>&-
	taken() { [ "$(post "$direct")" = 202 ]; }
	wait_for 5 taken
}

@test "descriptors exhausted: nothing spins, and it goes on by itself" {
	serve
	local fds=() i before limit
	limit=$(prlimit --pid "$SERVE" --nofile --noheadings -o HARD)
	# Room for no more than two.
	prlimit --pid "$SERVE" --nofile="$(($(first_free) + 2)):$limit"
	for i in $(seq 30); do
		exec {fd}<>"/dev/tcp/127.0.0.1/$direct"
		fds+=("$fd")
	done
	before=$(ticks "$SERVE")
	# This one waits in the queue, for half a second.
	run curl -s -m 0.5 -o answer -d "$BODY" "http://127.0.0.1:$direct/increment"
	[ "$status" -eq 28 ]
	[ $(($(ticks "$SERVE") - before)) -le 3 ]
	for fd in "${fds[@]}"; do
		exec {fd}>&-
	done
	taken() { [ "$(post "$direct")" = 202 ]; }
	wait_for 5 taken
	quiet err
}
first_free() {
	local n=0
	while [ -e "/proc/$SERVE/fd/$n" ]; do
		n=$((n + 1))
	done
	echo "$n"
}

@test "10,000 idle connections: 256 bytes each, buffers are given back" {
	local n=10000 hard idle
	not sanitized incr-serve || skip "memory says nothing here"
	hard=$(ulimit -Hn)
	[ "$hard" = unlimited ] || [ "$hard" -gt 10100 ] || n=$((hard - 200))
	serve --max-connections 20000
	mkfifo hold
	exec {hold}<>hold
	background "$BUILT/bench/idle" "$sockets/s" "$SERVE" "$n" \
		<hold >bytes {hold}>&-
	wait_for 20 grep -q used bytes
	sed "s/^/# $n connections, bytes each: /" bytes >&3
	[ "$(awk '$1 == "idle" { print $2 }' bytes)" -le 256 ]
	[ "$(awk '$1 == "busy" { print $2 }' bytes)" -ge 2000 ]
	[ "$(awk '$1 == "used" { print $2 }' bytes)" -le 600 ]
	[ "$(post "$direct")" = 202 ]
}
