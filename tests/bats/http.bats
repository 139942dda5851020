#!/usr/bin/env bats
# HTTP/1.1, strictly: the requests of tests/http/table to the whole ring, past
# and through Caddy.  However it is read, what is counted is what got a 202.

# bats file_tags=hostile
load helper

DRIVE=${INCR_BUILD:-$ROOT/build}/unit/http_drive

setup() {
	use_redis
	cd "$BATS_TEST_TMPDIR" || return
	sockets=$(mktemp -d /tmp/incr-http.XXXXXX)
	background incr-ingest -l "$sockets/s" -l 127.0.0.1:0 --port-file ports \
		2>err
	wait_for 10 healthy "$sockets/s"
}

teardown() {
	end_background
	rm -rf "$sockets"
}

# drive PORT [any | bytes]: the table; what got a 202 into the file answered
drive() { (cd "$ROOT" && "$DRIVE" "$@") >answered; }

# What is in the queue, as the table's lines: each increment's value names it.
counted() {
	rcli --raw lrange "rmq::queue::[$INCR_QUEUE]::ready" 0 -1 |
		sed 's/.*"value":\([0-9]*\)}$/\1/' |
		awk '{ n[($1 >= 5000 ? $1 - 5000 : $1 - 1000)]++ }
			END { for (line in n) print line, n[line] }' | sort
}
all_counted() { diff <(counted) <(grep -v ' 0$' answered | sort); }

@test "each request of the table is answered as it says, what got 202 counts" {
	drive "$(head -n 1 ports)"
	all_counted
	[ ! -s err ]
}

@test "the same with each byte sent by itself" {
	drive "$(head -n 1 ports)" bytes
	all_counted
	[ ! -s err ]
}

# Sets port.
start_caddy() {
	port=$(free_port)
	export XDG_DATA_HOME=$PWD XDG_CONFIG_HOME=$PWD
	export INCR_UPSTREAMS=unix/$sockets/s INCR_SITE=http://:$port
	background caddy run --config "$ROOT/Caddyfile" --adapter caddyfile \
		>caddy.log 2>&1
	wait_for 10 curl -fs "http://127.0.0.1:$port/health/ready"
}

@test "the same through Caddy: exactly what got 202 is counted" {
	start_caddy
	drive "$port" any
	all_counted
	# Enough came through to say something.
	[ "$(awk '{ n += $2 } END { print n }' answered)" -ge 100 ]
}

# To Caddy, what a client does wrong in a body looks like a server's failure.
@test "through Caddy: faulty clients do not take the server from the others" {
	local chunks='Host: x\r\nTransfer-Encoding: chunked\r\n\r\n'
	start_caddy
	for i in 1 2 3 4 5; do
		exec {tcp}<>"/dev/tcp/127.0.0.1/$port"
		printf "POST /increment HTTP/1.1\r\n${chunks}5\r\nab\r\nzz\r\n" >&$tcp
		timeout 5 cat <&$tcp >faulty
		exec {tcp}>&-
		grep -q '^HTTP/1.1 [45]' faulty
		[ "$(http_status -d "$(increment 1)" \
			"http://127.0.0.1:$port/increment")" = 202 ]
	done
}
