#!/usr/bin/env bats
# etc/nginx.conf, the front in place of Caddy: the cases of the Caddyfile, and
# what it does by itself: one try, servers that are replaced, its own log.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper
load front

CONF=$ROOT/etc/nginx.conf

setup() {
	front_setup
	conf=$CONF
	unset "${!INCR_PAGE_@}" INCR_CLIENT_CA INCR_NGINX_DIR INCR_TRUST
}
teardown() {
	local file
	front_teardown
	for file in *.pid; do
		[ ! -e "$file" ] || incr-keep -e -s KILL -p "$file" left
	done
}

# With its workers, and who tells what it says, in a group.
front_script() {
	background setsid "$ROOT/etc/run-nginx" "$conf" >front.log 2>&1
	front=$!
}

front_start() {
	front_script
	wait_for 10 listening "${1:-$port}"
}

@test "nginx.conf has no directive that repeats a request or shuts a server out" {
	run -1 grep -E '^[^#]*(non_idempotent|http_50|fail_timeout|max_fails=[^0])' "$CONF"
	grep -q '^	*proxy_next_upstream error timeout;$' "$CONF"
	grep -q '^	*proxy_request_buffering off;$' "$CONF"
	grep -q ' max_fails=0;' "$ROOT/etc/run-nginx"
}

@test "nginx lets go of idle connections before a server that leaves does" {
	idle=$(sed -nE 's/^	*keepalive_timeout ([0-9]+)ms;$/\1/p' "$CONF")
	closed=$(sed -nE 's/.*SHUTDOWN_IDLE_MS = ([0-9]+).*/\1/p' \
		"$ROOT/lib/serve/shutdown.h")
	[ "$idle" -lt "$closed" ]
}

@test "without INCR_BIND it listens on loopback only" {
	case_on_loopback_only
}

@test "INCR_BIND adds addresses, empty it means all" {
	case_binds_addresses
	kill "$front"
	wait_for 10 gone "$front"
	INCR_BIND='' front_start
	bound "$front" | grep -qx "0.0.0.0:$port"
}

@test "without a server: 503, certainly not counted, problem+json" {
	case_without_server
}

@test "a server that dies with the request in hand: 502, unknown" {
	case_server_dies
}

@test "a client is its address, whatever it says itself" {
	case_client_is_address
}

@test "nothing that a client sent is in nginx's log or its problems" {
	case_says_nothing_of_clients
}

@test "a client with stalled bodies leaves /increments to the others" {
	case_stalled_bodies_harmless
}

@test "a client with faulty bodies leaves the answers of the others alone" {
	case_faulty_bodies_harmless
}

@test "a balancer's probes, HTTP/1.0 without Host, get 200" {
	case_balancer_probes
}

@test "HAProxy in front: it finds the servers ready or not, and is served" {
	case_behind_haproxy
}

@test "a balancer in front is believed if INCR_TRUST names it, and nobody else" {
	case_believes_balancer
}

@test "Expect: 100-continue is answered once" {
	case_answers_expect_once
}

@test "a body that is too large: 413, problem+json" {
	case_body_too_large
}

@test "many increments in one request, and what is said of one too long" {
	case_many_increments
	# Also far too long, up to 16 MiB: the server reads on, and says so.
	increments 1 300000 | head -c 16000000 >long
	[ "$(batch -X POST -H 'Transfer-Encoding: chunked' -T - <long)" = 207 ]
	[ "$(batch --data-binary @long)" = 413 ]
}

@test "a server killed under 100 clients: every body arrives as it was sent" {
	case_server_killed
}

# A stand-in at socket N that takes POSTs, notes each, and answers none: it
# closes, or (waits) keeps the connection.
takes() { # N [waits]
	background perl -MIO::Socket::UNIX -e '
		my ($path, $waits, @open) = @ARGV;
		my $l = IO::Socket::UNIX->new(Local => $path, Listen => 9);
		open my $note, ">>", "taken";
		$note->autoflush;
		while (my $c = $l->accept) {
			my $line = <$c>;
			print $note $line;
			push @open, $c if $waits;
		}' "$sockets/$1.sock" "${2-}"
	wait_for 10 test -S "$sockets/$1.sock"
}

@test "a request is sent to one server, once, however it fails" {
	takes 1
	takes 2
	front_start
	local i body
	head -c 100000 /dev/zero >long
	for i in 1 2 3 4 5 6 7 8; do
		for body in "$(increment "$i")" @long; do
			[ "$(http_status --data-binary "$body" \
				"http://127.0.0.1:$port/increment?$i")" = 502 ]
			grep -q '"code":"unknown"' answer
		done
	done
	[ "$(grep -c ^POST taken)" = 16 ]
}

@test "a server that does not answer in time: 504, unknown, sent once" {
	sed 's/proxy_read_timeout 30s/proxy_read_timeout 500ms/' "$CONF" >nginx.conf
	conf=nginx.conf
	takes 1 waits
	takes 2 waits
	front_start
	[ "$(http_status -d "$(increment 1)" -D headers \
		"http://127.0.0.1:$port/increment")" = 504 ]
	grep -q '"code":"unknown"' answer
	grep -qi '^content-type: application/problem+json' headers
	[ "$(grep -c ^POST taken)" = 1 ]
}

# all_taken N: so many of so many
all_taken() {
	curl -s -o answer -w '%{http_code}\n' -d "$(increment 1)" \
		"http://127.0.0.1:$port/increment?[1-$1]" >answers
	[ "$(sort answers | uniq -c | xargs)" = "$1 202" ]
}

@test "a server that is not there costs the others' requests nothing" {
	ingest 1
	# Its socket is missing, then left behind, then of one whose queue is full.
	front_start
	all_taken 50
	ingest 2
	kill -9 -- "-$ingest"
	wait_for 10 gone "$ingest"
	[ -S "$sockets/2.sock" ]
	all_taken 50
	rm "$sockets/2.sock"
	background perl -MIO::Socket::UNIX -e '
		my $l = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1);
		my @c = map { IO::Socket::UNIX->new(Peer => $ARGV[0], Blocking => 0) } 1 .. 3;
		print "full\n";
		close STDOUT;
		sleep' "$sockets/2.sock" >full
	wait_for 10 test -s full
	all_taken 50
	[ "$(ready)" = 150 ]
}

# server N: its pid
server() { cut -d ' ' -f 1 "$1.pid"; }
replaced() { [ -s "$1.pid" ] && [ "$(server "$1")" != "$2" ]; } # N PID

@test "servers that are told to stop, whose sockets outlive them, cost nothing" {
	local n old round
	for n in 1 2; do
		background setsid incr-listen "$sockets/$n.sock" -- incr-keep \
			-p "$n.pid" "ingest-$n" -- incr-ingest 2>>ingest.log
		wait_for 10 healthy "$sockets/$n.sock"
	done
	front_start
	requests 1 20000 >requests
	background curl -s -Z --parallel-max 50 -K requests >answers
	curl=$!
	wait_for 10 some_answered 100
	for round in 1 2; do
		for n in 1 2; do
			old=$(server "$n")
			kill "$old"
			wait_for 20 replaced "$n" "$old"
		done
	done
	# Some of it was under load.
	gone "$curl" || echo loaded
	wait "$curl"
	cut -d ' ' -f 2 answers | sort | uniq -c
	[ "$(grep -c ' 202$' answers)" = 20000 ]
	[ "$(ready)" = 20000 ]
}

@test "slow heads, slow bodies and clients that read nothing are cut off" {
	sed -e 's/client_header_timeout 10s/client_header_timeout 500ms/' \
		-e 's/client_body_timeout 30s/client_body_timeout 500ms/' \
		-e 's/send_timeout 30s/send_timeout 500ms/' "$CONF" >nginx.conf
	conf=nginx.conf
	ingest 1
	front_start
	# Each waits for the end of its connection.
	local text
	for text in 'POST /increment HTTP/1.1\r\nHost: x\r\nX: ' \
		'POST /increment HTTP/1.1\r\nHost: x\r\nContent-Length: 400\r\n\r\n{'; do
		exchange "$text" >ended
		not grep -q ' 202 ' ended
	done
	increments 1 10000 >many
	perl -MIO::Socket::INET -e '
		my $c = IO::Socket::INET->new("127.0.0.1:$ARGV[0]") or die;
		setsockopt $c, SOL_SOCKET, SO_RCVBUF, 4096;
		open my $f, "<", "many"; local $/; my $body = <$f>;
		$SIG{PIPE} = "IGNORE";
		$SIG{ALRM} = sub { die "not cut off" };
		alarm 40;
		for (1 .. 8) {
			print $c "POST /increments HTTP/1.1\r\nHost: x\r\nContent-Length: ",
				length $body, "\r\n\r\n", $body or exit;
		}
		# The end comes as an error, for what it sent has gone.
		my $ear = "";
		vec($ear, fileno $c, 1) = 1;
		until (unpack "i", getsockopt $c, SOL_SOCKET, SO_ERROR) {
			last unless print $c "POST";
			$c->flush or last;
			select undef, undef, undef, 0.05;
		}' "$port"
	all_taken 3
}

@test "heads that are too long or wrong get a problem, and no server sees them" {
	# Nobody waits for what the client still has.
	sed 's/keepalive_timeout 120s;/& lingering_timeout 100ms;/' "$CONF" >nginx.conf
	conf=nginx.conf
	takes 1
	front_start
	head -c 20000 /dev/zero | tr '\0' x >long
	[ "$(http_status -H "X: $(cat long)" -d x "http://127.0.0.1:$port/")" = 431 ]
	grep -qx '{.*"title":"Request Header Fields Too Large","status":431}' answer
	[ "$(http_status -d x "http://127.0.0.1:$port/$(cat long)")" = 414 ]
	for text in 'POST\r\n\r\n' 'POST / HTTP/1.1\r\nHost: a/b\r\n\r\n' \
		'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n' \
		'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n'; do
		exchange "$text" >said
		grep -q '^HTTP/1.1 400 ' said
		grep -qi '^content-type: application/problem+json' said
	done
	# Its own places are nobody's.
	for text in unavailable probe problem; do
		[ "$(http_status "http://127.0.0.1:$port/incr/$text")" = 404 ]
	done
	not grep -q ^POST taken
}

@test "what goes to a server: no other's address, no Expect, one connection" {
	background perl -MIO::Socket::UNIX -e '
		my $l = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 9);
		open my $note, ">", "heads";
		$note->autoflush;
		while (my $c = $l->accept) {
			while (my $line = <$c>) {
				print $note $line;
				print $c "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
					if $line eq "\r\n";
			}
		}' "$sockets/1.sock"
	INCR_UPSTREAMS=unix/$sockets/1.sock front_start
	[ "$(http_status -X POST -H 'Expect: 100-continue' -H 'X-Forwarded-For: 192.0.2.1' \
		-H 'Forwarded: for=192.0.2.1' -H 'X-Forwarded-Host: h' \
		-H 'Proxy-Authorization: p' -H 'Connection: close, x' -H 'X: y' \
		-H 'Authorization: Bearer t' -H 'Idempotency-Key: k' \
		-H 'traceparent: 00-1-2-01' "http://127.0.0.1:$port/a?b=%20")" = 202 ]
	tr -d '\r' <heads | sed -n '/^POST/,$p' >posted
	grep -qx 'POST /a?b=%20 HTTP/1.1' posted
	grep -qx 'X-Forwarded-For: 127.0.0.1' posted
	grep -qx 'Authorization: Bearer t' posted
	grep -qx 'Idempotency-Key: k' posted
	grep -qx 'traceparent: 00-1-2-01' posted
	not grep -iE '^(expect|forwarded|x-forwarded-host|proxy-|connection)|192.0.2' posted
}

@test "a preflight is the server's; metrics are not at the site" {
	INCR_CORS=https://shop.example ingest 1
	front_start
	[ "$(http_status -X OPTIONS -D headers -H 'Origin: https://shop.example' \
		-H 'Access-Control-Request-Method: POST' \
		"http://127.0.0.1:$port/increment")" = 200 ]
	grep -qi '^access-control-allow-origin: https://shop.example' headers
	[ "$(http_status -D headers -H 'Origin: https://shop.example' \
		-d "$(increment 1)" "http://127.0.0.1:$port/increment")" = 202 ]
	grep -qi '^access-control-allow-origin: https://shop.example' headers
	[ "$(http_status "http://127.0.0.1:$port/metrics")" = 404 ]
}

# -- TLS ----------------------------------------------------------------------

# authority NAME: one, and of it a certificate for localhost, which a client may
# use, too
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj "/CN=$1" -keyout "$1.ca.key" -out "$1.ca" 2>/dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-subj /CN=localhost -keyout "$1.key" -out "$1.csr" 2>/dev/null
	openssl x509 -req -in "$1.csr" -CA "$1.ca" -CAkey "$1.ca.key" \
		-CAcreateserial -days 2 -out "$1.crt" \
		-extfile <(echo subjectAltName=DNS:localhost) 2>/dev/null
}

# with_tls: a site with a certificate of the authority good
with_tls() {
	authority good
	export INCR_HTTP_PORT INCR_CERT=$PWD/good.crt INCR_KEY=$PWD/good.key
	INCR_HTTP_PORT=$(free_port)
	INCR_SITE=https://localhost:$port
}

https() { # PATH ARG...
	http_status -m 5 --cacert good.ca "${@:2}" "https://localhost:$port$1"
}
secured() { [ "$(https /health/ready "$@")" = 200 ]; }

@test "HTTPS with a certificate; plain HTTP is sent there" {
	with_tls
	ingest 1
	front_script
	wait_for 10 secured
	local version
	for version in --http1.1 --http2; do
		[ "$(https /increment $version -d "$(increment 3)" \
			-w '%{http_code} %{http_version}')" != 000 ]
		[ "$(https /increments $version --data-binary "$(increments 1 100)")" = 202 ]
	done
	[ "$(ready)" = 202 ]
	[ "$(curl -s --http2 --cacert good.ca -o answer -w '%{http_version}' \
		"https://localhost:$port/health/ready")" = 2 ]
	[ "$(https /health/ready --tls-max 1.1)" = 000 ]
	[ "$(http_status -w ' %{redirect_url}' -d x "http://localhost:$INCR_HTTP_PORT/increment?x")" = \
		" https://localhost:$port/increment?x" ]
	[ "$(http_status -d x "http://localhost:$INCR_HTTP_PORT/increment")" = 308 ]
	[ "$(http_status -d x "http://localhost:$port/increment")" = 400 ]
	# No early data, which could be replayed, and no other protocol.
	openssl s_client -connect "localhost:$port" -CAfile good.ca -sess_out ticket \
		</dev/null >said 2>&1
	not grep -q 'Max Early Data: [1-9]' said
	[ -z "$(ss -Hlunp | grep "pid=$front,")" ]
}

@test "HTTPS with INCR_CLIENT_CA: only who has a certificate of it is let in" {
	with_tls
	authority bad
	INCR_CLIENT_CA=$PWD/good.ca
	export INCR_CLIENT_CA
	ingest 1
	front_script
	wait_for 10 secured --cert good.crt --key good.key
	[ "$(https /increment -d "$(increment 3)" --cert good.crt --key good.key)" = 202 ]
	[ "$(https /increment -d "$(increment 3)")" = 403 ]
	grep -q '"code":"forbidden"' answer
	[ "$(https /increment -d "$(increment 3)" --cert bad.crt --key bad.key)" = 403 ]
	[ "$(https /health/ready)" = 403 ]
	[ "$(ready)" = 1 ]
}

# refuses TEXT: nothing is started, and this is said
refuses() {
	run -100 "$ROOT/etc/run-nginx" "$CONF"
	[[ "$output" == "run-nginx: $1"* ]]
	[ -z "$(find . -name 'incr-nginx.*')" ]
}

@test "a value that can't be taken is said, with status 100, and nothing is left" {
	INCR_CLIENT_CA=/no/such/file refuses 'INCR_CLIENT_CA: needs HTTPS'
	INCR_SITE=https://localhost:1 refuses 'INCR_SITE: HTTPS needs INCR_CERT and INCR_KEY'
	INCR_SITE=, refuses 'INCR_SITE: no site'
	INCR_SITE=ftp://x refuses 'INCR_SITE: neither http nor https: ftp://x'
	INCR_SITE=http://x:99999999 refuses 'INCR_SITE: no port: 99999999'
	INCR_UPSTREAMS='unix//a;b' refuses 'INCR_UPSTREAMS: '
	INCR_PROXIES='1.2.3.4 }' refuses 'INCR_PROXIES: '
	# shellcheck disable=SC2016
	INCR_BIND='$host' refuses 'INCR_BIND: '
	INCR_PROXIES=1.2.3.4.5 refuses 'invalid network "1.2.3.4.5"'
	with_tls
	INCR_CERT=/no/such/file refuses 'cannot load certificate "/no/such/file"'
	INCR_CLIENT_CA='' refuses 'INCR_CLIENT_CA: '
	INCR_CLIENT_CA=$PWD/good.key refuses 'SSL_'
}

@test "nginx whose port another program has stays down, and says who" {
	background incr-listen "127.0.0.1:$port" -- sleep infinity
	taken() { [ -n "$(ss -Hltn "sport = :$port")" ]; }
	wait_for 10 taken
	refuses "127.0.0.1:$port: in use by another program"
	mkdir bin
	printf '#!/bin/sh\n[ "$*" = "is-active --quiet nginx.service" ]\n' >bin/systemctl
	chmod +x bin/systemctl
	PATH=$PWD/bin:$PATH refuses "127.0.0.1:$port: in use by nginx.service; run: systemctl disable --now nginx.service"
}

# -- its life -----------------------------------------------------------------

@test "nginx takes another configuration while it runs, or says why not" {
	local other
	other=$(free_port)
	export INCR_NGINX_DIR=$PWD/nginx
	ingest 1
	front_start
	# One request goes on over it.
	exec {slow}<>"/dev/tcp/127.0.0.1/$port"
	printf 'POST /increment HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %s\r\n\r\n' \
		"$(increment 1 | wc -c)" >&"$slow"
	reload() { "$ROOT/etc/run-nginx" -r "$CONF"; }
	INCR_SITE="http://:$port, http://:$other" reload
	[ "$(http_status "http://127.0.0.1:$other/health/ready")" = 200 ]
	increment 1 >&"$slow"
	[ "$(timeout 10 cat <&"$slow" | head -n 1 | tr -d '\r')" = 'HTTP/1.1 202 Accepted' ]
	INCR_SITE=https://a run -100 reload
	INCR_PROXIES=x run -100 reload
	[ "$(http_status "http://127.0.0.1:$other/health/ready")" = 200 ]
	reload
	closed() { ! curl -s -o answer "http://127.0.0.1:$other/"; }
	wait_for 10 closed
	[ "$(http_status "http://127.0.0.1:$port/health/ready")" = 200 ]
	INCR_NGINX_DIR=$PWD/none run -100 reload
	[ "$output" = 'run-nginx: INCR_NGINX_DIR: no nginx there' ]
}

@test "its end is in order, its status 0, and nothing is left" {
	ingest 1
	front_start
	[ -n "$(find . -name 'incr-nginx.*')" ]
	kill -QUIT "$front"
	wait "$front"
	wait_for 10 session_gone "$front"
	[ -z "$(find . -name 'incr-nginx.*')" ]
}

@test "what nginx says is said once a minute, and holds up no request" {
	front_start
	# Many more lines than a pipe holds, and all say the same two.
	timeout 40 curl -s -Z --parallel-max 50 -o answer -w '%{http_code}\n' -d x \
		"http://127.0.0.1:$port/increment?[1-3000]" >answers
	[ "$(sort answers | uniq -c | xargs)" = '3000 503' ]
	cat front.log
	grep -qxF "run-nginx: [crit] connect() to unix:$sockets/1.sock failed (2: No such file or directory) while connecting to upstream" front.log
	[ "$(wc -l <front.log)" -le 6 ]
	# It is told again when its end is, and who tells outlives it.
	kill "$front"
	wait "$front"
	wait_for 10 session_gone "$front"
}

# -- the status page ----------------------------------------------------------

page() { curl -s -m 5 -o answer -D head -w '%{http_code}' "http://127.0.0.1:$page$1" "${@:2}"; }
header() { tr -d '\r' <head | sed -n "s/^$1: //Ip"; }

@test "it serves the status page on loopback, with its policy, and nobody else" {
	local file path type name
	echo 'incr_build_info{program="x"} 1' >metrics.prom
	background incr-listen "$PWD/m" -- incr-metrics .
	metrics=$!
	wait_for 5 curl -fs --unix-socket m http://localhost/metrics
	page=$(free_port)
	export INCR_PAGE_PORT=$page INCR_PAGE_FROM=unix/$PWD/m INCR_BIND=
	front_start
	while read -r file path type; do
		[ "$(page "$path")" = 200 ]
		[ "$(header Content-Type)" = "$type; charset=utf-8" ]
		cmp answer "$ROOT/etc/dashboard/page/$file"
		[[ "$(header Content-Security-Policy)" == "default-src 'none'; script-src 'self'; "* ]]
		[ "$(header X-Content-Type-Options)" = nosniff ]
	done <<-END
		index.html / text/html
		page.mjs /page.mjs text/javascript
		page.css /page.css text/css
		uplot-1.6.32/uPlot.iife.min.js /uplot-1.6.32/uPlot.iife.min.js text/javascript
	END
	# The policy is that of the Caddyfile.
	for name in Content-Security-Policy Referrer-Policy X-Frame-Options \
		Cross-Origin-Resource-Policy Cache-Control; do
		[ "$(header $name)" = "$(sed -nE "s/^	*$name \"?([^\"]*)\"?\$/\1/p" "$ROOT/Caddyfile")" ]
	done
	[ "$(page /metrics)" = 200 ]
	cmp answer metrics.prom
	[ "$(page / -H 'Host: localhost:8080')" = 200 ]
	[ "$(page / -H 'Host: example.org')" = 421 ]
	[ "$(page /metrics -H 'Host: example.org')" = 421 ]
	[ "$(page /metrics -d x)" = 405 ]
	[ "$(page /uplot-1.6.32/)" != 200 ]
	[ "$(page /../../run-nginx --path-as-is)" != 200 ]
	[ "$(ss -Hltn "sport = :$page" | awk '{ print $4 }')" = "127.0.0.1:$page" ]
	# Not at the site: what it says is that there is no server.
	for path in / /page.mjs /metrics; do
		[ "$(http_status "http://127.0.0.1:$port$path")" = 503 ]
	done
	kill "$metrics"
	no_metrics() { [ "$(page /metrics)" = 502 ]; }
	wait_for 10 no_metrics
	[ "$(page /)" = 200 ]
}

@test "a port of the page that is taken costs the page, not the site" {
	page=$(free_port)
	background incr-listen "127.0.0.1:$page" -- sleep infinity
	taken() { [ -n "$(ss -Hltn "sport = :$page")" ]; }
	wait_for 10 taken
	INCR_PAGE_PORT=$page INCR_PAGE_FROM=127.0.0.1:1 front_start
	grep -qF "run-nginx: 127.0.0.1:$page: in use by another program; no status page" front.log
	[ "$(http_status "http://127.0.0.1:$port/")" = 503 ]
}
