# Shared by the bats files about incr-serve: one server, its lines and its
# verdicts in the hands of the test.
# shellcheck shell=bash

# BATS' folders can be too long for the path of a socket.
setup() {
	DIR=$(mktemp -d /tmp/incr-serve.XXXXXX)
	SOCK=$DIR/s
	PORTS=$DIR/ports
	LINES_OUT=$DIR/lines
	mkfifo "$DIR/l" "$DIR/v"
	BODY=$(increment 3)
}

teardown() {
	end_background
	[ ! -f "$DIR/pid" ] || wait_for 2 exited
	rm -rf "$DIR"
}

# ring VERDICTS ARG...: incr-serve ARG... on a Unix socket and a TCP port,
# its lines to and its verdicts from the function or command VERDICTS.
# SERVE is its pid, DIR/err its messages, DIR/status later its status.
ring() {
	local verdicts=$1 pids
	shift
	exec {rw}<>"$DIR/l" {lr}<"$DIR/l" {lw}>"$DIR/l" {rw}>&-
	exec {rw}<>"$DIR/v" {vr}<"$DIR/v" {vw}>"$DIR/v" {rw}>&-
	$verdicts <&$lr >&$vw {vr}<&- {vw}>&- {lr}<&- {lw}>&- 3>&- &
	VERDICTS=$!
	(
		[ -z "${FDS-}" ] || ulimit -n "$FDS"
		env --default-signal=INT incr-serve -l "$SOCK" -l 127.0.0.1:0 --port-file "$PORTS" \
			--linger 0 "$@" <&$vr >&$lw 2>"$DIR/err" \
			{vr}<&- {vw}>&- {lr}<&- {lw}>&- 3>&- &
		echo $! >"$DIR/pid"
		exec {vr}<&- {vw}>&- {lr}<&- {lw}>&-
		status=0
		wait $! || status=$?
		echo $status >"$DIR/status"
	) 3>&- &
	exec {vr}<&- {vw}>&- {lr}<&- {lw}>&-
	wait_for 5 test -s "$PORTS"
	wait_for 5 test -s "$DIR/pid"
	SERVE=$(cat "$DIR/pid")
	PORT=$(head -n 1 "$PORTS")
	remember "$SERVE"
	remember "$VERDICTS"
}

# Verdict functions.
judge() { exec incr-validate -e; }
# Its line is in the file before anybody has the verdict: tee writes to standard
# output first.
keep() { exec tee /dev/fd/3 3>&1 >"$LINES_OUT"; }
nothing() { exec sleep infinity; }
# The verdicts are the lines put into DIR/say by hand.
by_hand() {
	exec {in}<&0 # a background job would get /dev/null
	cat <&$in >"$LINES_OUT" &
	exec tail -n +1 -s 0.01 -f "$DIR/say"
}
hand() {
	: >"$DIR/say"
	ring by_hand "$@"
}
lines_are() { [ "$(wc -l <"$LINES_OUT")" = "$1" ]; }

ask() { curl -s -m 10 -o "$DIR/body" -w '%{http_code}' --unix-socket "$SOCK" "$@"; }
# post [BODY [CURL ARGUMENT...]]
post() { ask http://x/increment -d "${1-$BODY}" "${@:2}"; }
ready_is() { [ "$(ask http://x/health/ready)" = "$1" ]; }
exited() { test -s "$DIR/status"; }
status_is() { wait_for 8 exited && [ "$(cat "$DIR/status")" = "$1" ]; }

# raw TEXT: sends bytes (printf's escapes) on a connection of its own, shows
# what comes back until the server closes.
raw() {
	exec {tcp}<>"/dev/tcp/127.0.0.1/$PORT"
	printf "$1" >&$tcp
	timeout 10 cat <&$tcp
	exec {tcp}>&-
}
# The status lines of raw's answers, in a line.
codes() { raw "$1" | sed -n 's/^HTTP\/1.1 \([0-9]*\).*/\1/p' | paste -sd ' '; }

POST='POST /increment HTTP/1.1\r\nHost: x\r\n'
CLOSE='Connection: close\r\n'
