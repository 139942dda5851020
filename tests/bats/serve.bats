#!/usr/bin/env bats
# incr-serve: HTTP in, lines out, verdicts in.

load helper
load ring

# -- requests and answers -----------------------------------------------------

@test "202 with an empty body, and the body was one line" {
	ring keep
	[ "$(post)" = 202 ]
	[ ! -s "$DIR/body" ]
	[ "$(post $'{"a":\r\n1}')" = 202 ]
	[ "$(post '')" = 202 ]
	[ "$(cat "$LINES_OUT")" = "$BODY"$'\n''{"a":  1}'$'\n' ] || {
		cat -A "$LINES_OUT"
		diff "$LINES_OUT" <(printf '%s\n{"a":  1}\n\n' "$BODY")
	}
}

@test "a bad body gets the verdict's code as a problem, without its bytes" {
	ring judge
	[ "$(post)" = 202 ]
	[ "$(post '<secret>')" = 400 ]
	grep -q '"code":"not-json"' "$DIR/body"
	not grep -q secret "$DIR/body" "$DIR/err"
	[ "$(post '')" = 400 ]
	[ "$(post '{"key":"x","value":1}')" = 400 ]
	grep -q '"code":"key-not-a-uuid"' "$DIR/body"
	[ "$(post '{"error":{"code":"not-json","detail":"","line":1}}')" = 400 ]
	grep -q '"code":"control-line"' "$DIR/body"
	[ "$(post)" = 202 ]
}

@test "problems are application/problem+json with status, code, detail" {
	ring judge
	[ "$(ask -D "$DIR/head" http://x/increment -d x)" = 400 ]
	grep -qi '^content-type: application/problem+json' "$DIR/head"
	[ "$(sed 's/,"trace_id":"[0-9a-f]*"//' "$DIR/body")" = '{"type":"about:blank","title":"Bad Request","status":400,"code":"not-json","detail":"the line must be one JSON text"}' ]
}

@test "404, 405 with Allow, HEAD without body, queries ignored" {
	ring cat
	[ "$(ask http://x/)" = 404 ]
	[ "$(ask http://x/increment/ -d x)" = 404 ]
	[ "$(ask -D "$DIR/head" http://x/increment)" = 405 ]
	grep -q '^Allow: POST.$' "$DIR/head"
	[ "$(ask -D "$DIR/head" -X BREW http://x/health/live)" = 405 ]
	grep -q '^Allow: GET, HEAD.$' "$DIR/head"
	[ "$(ask -I http://x/health/live)" = 200 ]
	[ "$(ask "http://x/increment?a=b" -d "$BODY")" = 202 ]
	[ "$(raw "HEAD /nothing HTTP/1.1\r\nHost: x\r\n$CLOSE\r\n" | sed '1,/^.$/d')" = "" ]
}

@test "a body of 4096 bytes is taken, 4097 are 413 without a line" {
	ring keep
	[ "$(post "$(printf '%4096s' x)")" = 202 ]
	[ "$(post "$(printf '%4097s' x)")" = 413 ]
	grep -q '"code":"too-long"' "$DIR/body"
	[ "$(printf '%4097s' x | ask -H 'Transfer-Encoding: chunked' -T - -X POST http://x/increment)" = 413 ]
	lines_are 1
}

@test "a long head is 431, a faulty one 400, another version 505: and close" {
	ring cat
	run codes "$POST$(printf 'X: %8192s' x)\r\n\r\n"
	[ "$output" = 431 ]
	run codes "${POST}Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi$POST\r\n"
	[ "$output" = 400 ]
	run codes "GET / HTTP/2.0\r\n\r\n"
	[ "$output" = 505 ]
	run codes "${POST}Transfer-Encoding: chunked\r\n\r\nz\r\n"
	[ "$output" = 400 ]
	[ ! -s "$DIR/err" ]
}

@test "pipelined requests are answered in order, also early answers" {
	ring judge
	local good="${POST}Content-Length: ${#BODY}\r\n\r\n$BODY"
	local bad="${POST}Content-Length: 1\r\n\r\nx"
	local early='GET /increment HTTP/1.1\r\nHost: x\r\n\r\n'
	local last="GET /no HTTP/1.1\r\nHost: x\r\n$CLOSE\r\n"
	run codes "$good$bad$early$good$bad$last"
	[ "$output" = "202 400 405 202 400 404" ]
}

@test "a health answer ends its connection: Caddy would ask the wrong server" {
	ring cat
	for path in live ready; do
		local check="GET /health/$path HTTP/1.1\r\nHost: x\r\n\r\n"
		run codes "$check$check"
		[ "$output" = 200 ]
	done
}

@test "more pipelined requests than are taken at once are all answered" {
	ring cat
	local i all=
	for i in $(seq 200); do
		all+="${POST}Content-Length: 1\r\n\r\nx"
	done
	run codes "$all${POST}${CLOSE}\r\n"
	[ "$(wc -w <<<"$output")" -eq 201 ]
	[ "$(tr ' ' '\n' <<<"$output" | sort -u)" = 202 ]
}

@test "a connection has at most 64 requests without an answer" {
	hand
	local i all=
	for i in $(seq 200); do
		all+="${POST}Content-Length: 1\r\n\r\nx"
	done
	exec {tcp}<>"/dev/tcp/127.0.0.1/$PORT"
	printf "$all" >&$tcp
	wait_for 5 lines_are 64
	[ "$(ask http://x/health/live)" = 200 ] # after all that was to come
	lines_are 64
	tail -n +1 -s 0.01 -f "$LINES_OUT" >>"$DIR/say" 3>&- &
	remember $!
	wait_for 5 lines_are 200
	exec {tcp}>&-
}

@test "a request may come byte by byte, chunked too" {
	ring keep
	local text="${POST}Transfer-Encoding: chunked\r\n$CLOSE\r\n1\r\n{\r\n1;x\r\n}\r\n0\r\nT: x\r\n\r\n"
	local all i
	all=$(printf "$text" | od -An -v -tx1 | tr -d '\n')
	exec {tcp}<>"/dev/tcp/127.0.0.1/$PORT"
	for i in $all; do
		printf "\x$i" >&$tcp
	done
	timeout 5 cat <&$tcp | grep -q '^HTTP/1.1 202 '
	exec {tcp}>&-
	[ "$(cat "$LINES_OUT")" = '{}' ]
}

@test "100-continue is sent once, before the body, and only if it is wanted" {
	ring cat
	exec {tcp}<>"/dev/tcp/127.0.0.1/$PORT"
	printf "${POST}Expect: 100-continue\r\nContent-Length: 2\r\n$CLOSE\r\n" >&$tcp
	read -r -t 5 line <&$tcp
	[ "$line" = $'HTTP/1.1 100 Continue\r' ]
	printf '{}' >&$tcp
	[ "$(timeout 5 cat <&$tcp | grep -c '^HTTP/1.1 202 ')" = 1 ]
	exec {tcp}>&-
	run codes "${POST}Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n"
	[ "$output" = 413 ]
	run codes "${POST}Expect: tea\r\n\r\n"
	[ "$output" = 417 ]
}

@test "100-continue waits for the answers before it" {
	hand
	exec {tcp}<>"/dev/tcp/127.0.0.1/$PORT"
	printf "${POST}Content-Length: 1\r\n\r\nx" >&$tcp
	printf "${POST}Expect: 100-continue\r\nContent-Length: 1\r\n$CLOSE\r\n" >&$tcp
	wait_for 5 lines_are 1
	[ "$(ask http://x/health/live)" = 200 ] # both were read before this
	echo fine >>"$DIR/say"
	read -r -t 5 line <&$tcp
	[ "$line" = $'HTTP/1.1 202 Accepted\r' ]
	while [ "$line" != $'\r' ]; do read -r -t 5 line <&$tcp; done
	read -r -t 5 line <&$tcp
	[ "$line" = $'HTTP/1.1 100 Continue\r' ]
	printf y >&$tcp
	wait_for 5 lines_are 2
	echo fine >>"$DIR/say"
	[ "$(timeout 5 cat <&$tcp | grep -c '^HTTP/1.1 202 ')" = 1 ]
	exec {tcp}>&-
}

@test "a client that shuts down its sending side is still answered" {
	hand
	printf "${POST}Content-Length: 1\r\n\r\nx" | perl -MIO::Socket::INET -e '
		my $c = IO::Socket::INET->new("127.0.0.1:$ARGV[0]") or die;
		print $c $_ while <STDIN>;
		$c->flush;
		$c->shutdown(1);
		print while <$c>' "$PORT" >"$DIR/got" &
	local client=$!
	wait_for 5 lines_are 1
	echo fine >>"$DIR/say"
	wait $client
	grep -q '^HTTP/1.1 202 ' "$DIR/got"
}

@test "HTTP/1.0 is answered and closed" {
	ring cat
	run codes "POST /increment HTTP/1.0\r\nContent-Length: 1\r\n\r\nx"
	[ "$output" = 202 ]
}

# -- verdicts -------------------------------------------------------------------

@test "codes of verdicts are statuses of answers" {
	hand
	local code want n=0
	for want in too-long:413 idempotency-key-reused:422 unavailable:503 \
		unknown:504 value-out-of-range:400; do
		code=${want%:*}
		echo "{\"error\":{\"code\":\"$code\",\"detail\":\"\",\"line\":$((++n))}}" >"$DIR/next"
		post >"$DIR/code" &
		wait_for 5 lines_are "$n"
		cat "$DIR/next" >>"$DIR/say"
		wait $!
		[ "$(cat "$DIR/code")" = "${want#*:}" ]
		grep -q "\"code\":\"$code\"" "$DIR/body"
	done
}

@test "no verdict in time: 504, and its place in the order is kept" {
	hand --verdict-timeout 2
	[ "$(post '{"first":1}')" = 504 ]
	grep -q '"code":"unknown"' "$DIR/body"
	post '{"second":2}' >"$DIR/code" &
	local second=$!
	wait_for 5 lines_are 2
	echo '{"error":{"code":"unknown","detail":"","line":1}}' >>"$DIR/say"
	echo '{"error":{"code":"not-json","detail":"","line":2}}' >>"$DIR/say"
	wait $second
	[ "$(cat "$DIR/code")" = 400 ]
}

@test "a verdict with another line number: 504 for all in flight, exit 101" {
	hand
	post '{"a":1}' >"$DIR/1" &
	post '{"b":2}' >"$DIR/2" &
	wait_for 5 lines_are 2
	echo '{"error":{"code":"not-json","detail":"","line":2}}' >>"$DIR/say"
	status_is 101
	[ "$(cat "$DIR/1")" = 504 ]
	[ "$(cat "$DIR/2")" = 504 ]
	sed -n 1p "$DIR/err" | grep -q ': verdict out of order: expected line 1, got 2; 1 line without verdict$'
	sed -n 2p "$DIR/err" | grep -q ': 504 unknown, and 1 more$'
	[ "$(wc -l <"$DIR/err")" = 2 ]
}

@test "a verdict for no line: exit 101" {
	hand
	echo '{}' >>"$DIR/say"
	status_is 101
}

@test "the end of the verdicts: 504 for what was written, exit 111" {
	ring nothing
	post >"$DIR/1" &
	local client=$!
	wait_for 5 ready_is 503 # the line is older than a second
	kill "$VERDICTS"
	wait $client
	[ "$(cat "$DIR/1")" = 504 ]
	status_is 111
}

@test "half a verdict is none: 504, exit 111" {
	half() {
		read -r line
		printf '{"erro'
	}
	ring half
	[ "$(post)" = 504 ]
	status_is 111
}

@test "a line reader that goes: unread lines are not lost in silence, exit 111" {
	closes() {
		exec <&-
		nothing
	}
	ring closes
	status_is 111
	grep -q '^incr-serve: stdout: Broken pipe' "$DIR/err"
}

# Reads no line before it is told to, then takes each.
later() {
	wait_for 60 test -e "$DIR/go"
	keep
}

# wide NUMBER...: requests whose bodies have 4000 bytes and a number
wide() {
	local n
	for n in "$@"; do
		printf "${POST}Content-Length: 4000\r\n\r\n%-4000s" \
			"$(increment "$n")"
	done
}

@test "a full pipe: 503 for what certainly was not written, then it recovers" {
	ring later --verdict-timeout 1
	for i in $(seq 12); do
		(
			exec {tcp}<>"/dev/tcp/127.0.0.1/$PORT"
			wide $(seq $((i * 100)) $((i * 100 + 59))) >&$tcp &
			timeout 20 grep -am 60 '^HTTP' <&$tcp |
				awk -v n=$((i * 100)) '{ print $2, n + NR - 1 }' \
					>"$DIR/codes.$i"
		) 3>&- &
		remember $!
	done
	enough() { [ "$(cat "$DIR"/codes.* | wc -l)" = 720 ]; }
	wait_for 20 enough
	sort "$DIR"/codes.* >"$DIR/codes"
	grep -q '^503 ' "$DIR/codes"
	[ "$(ask http://x/health/live)" = 200 ]
	touch "$DIR/go"
	wait_for 10 ready_is 200
	[ "$(post)" = 202 ]
	# Written was what got 504, each whole, and nothing else.
	sed '$d; s/.*"value":\([0-9]*\)} *$/504 \1/' "$LINES_OUT" | sort |
		diff - <(grep -v '^503 ' "$DIR/codes")
}

@test "requests in flight are bounded: 503 with Retry-After" {
	ring nothing --max-in-flight 1
	post >/dev/null &
	refused() { [ "$(ask -D "$DIR/head" http://x/increment -d x -m 0.3)" = 503 ]; }
	wait_for 5 refused
	grep -qi '^retry-after: 1' "$DIR/head"
}

@test "what is refused for want of room costs nobody's rate" {
	ring nothing --max-in-flight 1 --rate 1/s:30
	post >/dev/null &
	refused() { [ "$(ask http://x/increment -d x -m 0.3)" = 503 ]; }
	wait_for 5 refused
	[ "$(ask -w '%{http_code}\n' 'http://x/increment?[1-40]' -d x |
		sort -u)" = 503 ]
}

@test "a key is refused where it would be forgotten" {
	ring keep
	[ "$(ask http://x/increment -H 'Idempotency-Key: k' -d "$BODY")" = 400 ]
	grep -q '"code":"faulty-idempotency-key".*--tagged' "$DIR/body"
	[ "$(post)" = 202 ]
	lines_are 1
}

@test "tagged: a key becomes the tag of the line, the verdict may have it" {
	ring keep -t
	[ "$(ask http://x/increment -H 'Idempotency-Key: k1' -d "$BODY")" = 202 ]
	[ "$(ask http://x/increment -H 'Idempotency-Key: "k1"' -d "$BODY")" = 202 ]
	[ "$(post)" = 202 ]
	# SHA-256 of an empty name, a NUL and the key
	tagged=l4LB_9BHYgoBjfym_-C1LLv2.1$'\t'$BODY
	[ "$(cat "$LINES_OUT")" = "$tagged"$'\n'"$tagged"$'\n\t'"$BODY" ]
}

@test "tagged: an empty tag and a TAB before each line and each verdict" {
	hand -t
	post >"$DIR/code" &
	wait_for 5 lines_are 1
	[ "$(cat "$LINES_OUT")" = $'\t'"$BODY" ]
	printf '\t%s\n' "$BODY" >>"$DIR/say"
	wait $!
	[ "$(cat "$DIR/code")" = 202 ]
	post >"$DIR/code" &
	wait_for 5 lines_are 2
	printf '%s\n' "$BODY" >>"$DIR/say"
	status_is 101
}

# -- readiness ------------------------------------------------------------------

@test "unready while a line waits for long or Redis is away; live always" {
	hand
	ready_is 200
	post >"$DIR/code" &
	wait_for 5 lines_are 1
	wait_for 5 ready_is 503
	[ "$(ask http://x/health/live)" = 200 ]
	echo fine >>"$DIR/say"
	wait_for 5 ready_is 200
	post >"$DIR/code" &
	wait_for 5 lines_are 2
	echo '{"error":{"code":"unavailable","detail":"","line":2}}' >>"$DIR/say"
	wait_for 5 ready_is 503
	wait_for 5 ready_is 200 # tries again after a second
}

@test "unready for a second: why is said once" {
	hand
	since=${EPOCHREALTIME/./}
	post >"$DIR/code" &
	wait_for 5 lines_are 1
	local all='^incr-serve: /health/ready: 503: no verdict for [12][0-9]{3} ms, 1 line in flight$'
	unready_said() { ready_is 503 && grep -qE "$all" "$DIR/err"; }
	wait_for 8 unready_said
	elapsed "$since" 1900000 # a second until it is unready, and one more
	longer() { not ready_is 200 && elapsed "$since" 3500000; }
	wait_for 8 longer
	[ "$(wc -l <"$DIR/err")" = 1 ]
	echo fine >>"$DIR/say"
	wait_for 5 ready_is 200
	[ "$(wc -l <"$DIR/err")" = 1 ]
}

@test "unready while it stops for longer than a second: said once" {
	ring judge --linger 2
	kill "$SERVE"
	unready_said() {
		ready_is 503 && [ "$(cat "$DIR/err")" = \
			"incr-serve: /health/ready: 503: the server is stopping" ]
	}
	wait_for 5 unready_said
	status_is 0
	[ "$(wc -l <"$DIR/err")" = 1 ]
}

# -- time -----------------------------------------------------------------------

@test "a slow head is 408, a slow body too, an idle connection just closed" {
	ring cat --head-timeout 0.2 --body-timeout 0.2 --idle-timeout 0.4
	run codes "POST /incr"
	[ "$output" = 408 ]
	run codes "${POST}Content-Length: 10\r\n\r\nabc"
	[ "$output" = 408 ]
	run codes ""
	[ "$output" = "" ]
}

@test "a client that never reads is cut off" {
	ring cat --write-timeout 0.3
	reads_nothing() {
		exec {tcp}<>"/dev/tcp/127.0.0.1/$PORT"
		while printf 'GET /no HTTP/1.1\r\nHost: x\r\n\r\n%.0s' {1..400} >&$tcp; do :; done
	}
	reads_nothing 2>/dev/null 3>&- &
	remember $!
	wait $! || :
	[ "$(post)" = 202 ]
}

# -- sockets --------------------------------------------------------------------

@test "the Unix socket has mode 0660 and goes with the server" {
	ring cat
	[ "$(stat -c %a "$SOCK")" = 660 ]
	kill "$SERVE"
	status_is 0
	[ ! -e "$SOCK" ]
}

@test "a stale socket is replaced, a held one and a file are not" {
	ring cat
	run incr-serve -l "$SOCK" </dev/null
	[ "$status" -eq 100 ]
	[[ "$output" == "incr-serve: $SOCK: "* ]]
	[ "$(post)" = 202 ]
	kill -9 "$SERVE"
	wait_for 5 exited
	[ -S "$SOCK" ]
	rm -f "$PORTS" "$DIR/status"
	ring cat
	[ "$(post)" = 202 ]
	touch "$DIR/file"
	run incr-serve -l "$DIR/file" </dev/null
	[ "$status" -eq 100 ]
	[ -f "$DIR/file" ]
}

@test "a socket that another has put in the place is left to it" {
	ring cat
	mv "$SOCK" "$DIR/old"
	touch "$SOCK"
	kill "$SERVE"
	status_is 0
	[ -f "$SOCK" ]
}

@test "addresses: IPv6, all, a list in the environment; wrong ones are 100" {
	ring cat -l '[::1]:0' -l :0 --open
	[ "$(wc -l <"$PORTS")" = 3 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' "http://[::1]:$(sed -n 2p "$PORTS")/health/live")" = 200 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$(sed -n 3p "$PORTS")/health/live")" = 200 ]
	for bad in 127.0.0.1 127.0.0.1:65536 :x '::1:80' "127.0.0.1:$PORT" \
		/no/such/folder/s 203.0.113.1:0; do
		run incr-serve -l "$bad" </dev/null
		[ "$status" -eq 100 ]
		[ "${#lines[@]}" -eq 1 ]
	done
	INCR_LISTEN="127.0.0.1:1x, $DIR/other" run incr-serve </dev/null
	[ "$status" -eq 100 ]
}

@test "sockets of LISTEN_FDS are taken over, whatever they are else refused" {
	LISTEN_FDS=1 run sh -c 'LISTEN_PID=$$ exec incr-serve 3</dev/null </dev/null'
	[ "$status" -eq 100 ]
	[[ "$output" == "incr-serve: LISTEN_FDS: "* ]]
}

@test "sockets that were handed to another process are not taken" {
	LISTEN_FDS=1 LISTEN_PID=1 ring cat
	[ "$(post)" = 202 ]
}

@test "a socket handed over is listened on, instead of the default" {
	: >"$DIR/say"
	sleep 5 | LISTEN_FDS=1 perl -MIO::Socket::UNIX -MPOSIX -e '
		$^F = 20; # kept over exec
		my $s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 5);
		POSIX::dup2(fileno $s, 3);
		$ENV{LISTEN_PID} = $$;
		exec "incr-serve", "--port-file", $ARGV[1]' "$SOCK" "$PORTS" \
		>/dev/null 2>"$DIR/err" 3>&- &
	remember $!
	wait_for 5 ready_is 200
	[ ! -s "$PORTS" ]
}

@test "a TCP socket handed over sends its answers without delay" {
	: >"$DIR/say"
	sleep 5 | perl -MIO::Socket::INET -MPOSIX -MSocket=:all -e '
		$^F = 20; # kept over exec
		my $s = IO::Socket::INET->new(Listen => 5,
			LocalAddr => "127.0.0.1");
		POSIX::dup2(fileno $s, 3);
		if (my $pid = fork) {
			local $| = 1;
			while (!unpack "i", getsockopt $s, IPPROTO_TCP, TCP_NODELAY) {
				select undef, undef, undef, 0.02;
			}
			print STDERR "without\n";
			kill "KILL", $pid;
			exit;
		}
		$ENV{LISTEN_PID} = $$;
		$ENV{LISTEN_FDS} = 1;
		exec "incr-serve", "--linger", 0;' >/dev/null 2>"$DIR/err" 3>&- &
	remember $!
	wait_for 5 grep -qx without "$DIR/err"
}

@test "as many descriptors as it may have" {
	ulimit -Sn 200
	ring cat
	awk '/^Max open files/ { exit $4 != $5 }' "/proc/$SERVE/limits"
}

@test "out of descriptors: clients wait, nothing spins, then it goes on" {
	FDS=90 ring cat --max-connections 1000
	local i fds=()
	for i in $(seq 100); do
		exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
		fds+=("$fd")
	done
	local before after
	before=$(ticks "$SERVE")
	sleep 0.5
	after=$(ticks "$SERVE")
	[ $((after - before)) -le 3 ]
	for fd in "${fds[@]}"; do
		exec {fd}>&-
	done
	wait_for 5 ready_is 200
}

# -- leaving --------------------------------------------------------------------

@test "SIGTERM: unready first, then in-flight requests are finished, exit 0" {
	hand --linger 2
	post >"$DIR/code" &
	local client=$!
	wait_for 5 lines_are 1
	kill "$SERVE"
	wait_for 1 ready_is 503
	[ "$(ask http://x/health/live)" = 200 ]
	wait_for 5 test ! -e "$SOCK"
	echo fine >>"$DIR/say"
	wait $client
	[ "$(cat "$DIR/code")" = 202 ]
	kill "$VERDICTS" # tail never ends by itself
	status_is 0
	[ ! -s "$DIR/err" ]
}

@test "while stopping, answers close their connections" {
	hand --linger 5
	kill "$SERVE"
	wait_for 1 ready_is 503
	[ "$(ask -D "$DIR/head" http://x/no)" = 404 ]
	grep -qi '^connection: close' "$DIR/head"
}

@test "SIGTERM: verdicts that end too early are 111" {
	hand
	post >"$DIR/code" &
	wait_for 5 lines_are 1
	kill "$SERVE"
	wait_for 5 test ! -e "$SOCK"
	kill "$VERDICTS"
	wait $!
	status_is 111
	[ "$(cat "$DIR/code")" = 504 ]
}

@test "SIGTERM: after the grace what has no verdict is 504, exit 111" {
	hand --linger 60 --grace 0.3
	post >"$DIR/code" &
	local client=$!
	wait_for 5 lines_are 1
	kill "$SERVE"
	wait $client
	[ "$(cat "$DIR/code")" = 504 ]
	status_is 111
}

@test "the real neighbours drain and end by themselves" {
	ring judge
	[ "$(post)" = 202 ]
	kill -INT "$SERVE"
	status_is 0
	[ ! -s "$DIR/err" ]
}

@test "a second SIGINT ends at once" {
	ring nothing --linger 5
	kill -INT "$SERVE"
	wait_for 1 ready_is 503
	kill -INT "$SERVE"
	status_is 130
}

@test "a directory or nothing as verdicts is said, exit 111" {
	run incr-serve -l "$SOCK" <"$DIR"
	[ "$status" -eq 111 ]
	[[ "$output" == "incr-serve: stdin: Is a directory"* ]]
	run incr-serve -l "$SOCK" </dev/null
	[ "$status" -eq 111 ]
	[ ! -e "$SOCK" ]
}

# -- metrics --------------------------------------------------------------------

@test "--metrics serves this server's series, or all of the folder's" {
	ring cat --metrics "$DIR/m"
	[ "$(post)" = 202 ]
	[ "$(ask http://x/metrics)" = 404 ]
	curl -s --unix-socket "$DIR/m" http://x/metrics >"$DIR/text"
	grep -q '^incr_http_requests_total{code="202",program="incr-serve",host="[^"]*",pidns="[0-9]*",pid="'"$SERVE"'"} 1$' "$DIR/text"
	grep -q '^incr_http_request_duration_seconds_count{.*} 2$' "$DIR/text"
	[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$DIR/m" http://x/increment -d x)" = 404 ]
}

@test "--metrics merges the files of INCR_METRICS_DIR, HELP and TYPE once" {
	export INCR_METRICS_DIR=$DIR/metrics
	mkdir "$INCR_METRICS_DIR"
	cat >"$INCR_METRICS_DIR/incr-other-1.prom" <<-'END'
		# HELP incr_http_connections Open connections.
		# TYPE incr_http_connections gauge
		incr_http_connections{program="incr-other",pid="1"} 7
		# HELP incr_other Another.
		# TYPE incr_other gauge
		incr_other{program="incr-other",pid="1"} 8
	END
	ring cat --metrics "$DIR/m"
	curl -s --unix-socket "$DIR/m" http://x/metrics >"$DIR/text"
	[ "$(grep -c '^# HELP incr_http_connections ' "$DIR/text")" = 1 ]
	[ "$(grep -c '^# TYPE incr_http_connections ' "$DIR/text")" = 1 ]
	[ "$(grep -c '^incr_http_connections{' "$DIR/text")" = 2 ]
	[ "$(grep -A 3 '^# HELP incr_http_connections ' "$DIR/text" | grep -c '^incr_http_connections{')" = 2 ]
	grep -q '^incr_other{' "$DIR/text"
}

# -- paused -----------------------------------------------------------------------

@test "paused: a body that has come is looked at before the clock" {
	ring judge --body-timeout 0.8
	for us in 850000 2000000; do
		exec {tcp}<>"/dev/tcp/127.0.0.1/$PORT"
		printf "${POST}${CLOSE}Content-Length: ${#BODY}\r\n\r\n" >&$tcp
		[ "$(ask http://x/health/live)" = 200 ] # and it was read before this
		kill -STOP "$SERVE"
		since=${EPOCHREALTIME/./}
		printf '%s' "$BODY" >&$tcp
		wait_for 10 elapsed "$since" $us
		kill -CONT "$SERVE"
		timeout 10 head -n 1 <&$tcp | grep -q '^HTTP/1.1 202 '
		exec {tcp}>&-
	done
}
