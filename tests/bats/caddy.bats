#!/usr/bin/env bats
# The Caddyfile: where it listens, what it forwards, that it never repeats.

# bats file_tags=hostile
bats_require_minimum_version 1.5.0
load helper
load front

setup() { front_setup; }
teardown() { front_teardown; }

front_start() {
	background caddy run --config "$ROOT/Caddyfile" --adapter caddyfile \
		>front.log 2>&1
	front=$!
	wait_for 10 listening "$port"
}

front_script() {
	background "$ROOT/etc/run-caddy" "$ROOT/Caddyfile" >front.log 2>&1
	front=$!
}

@test "the Caddyfile is valid and well formatted" {
	caddy validate --config "$ROOT/Caddyfile" --adapter caddyfile
	caddy fmt "$ROOT/Caddyfile" | cmp - "$ROOT/Caddyfile"
}

@test "the Caddyfile has no directive that repeats a request" {
	run -1 grep -E '^[^#]*(lb_try|lb_retr|buffer_requests)' "$ROOT/Caddyfile"
}

@test "the Caddyfile has no passive health check" {
	run -1 grep -E '^[^#]*(max_fails|fail_duration|unhealthy_)' \
		"$ROOT/Caddyfile"
}

@test "a server is unready for longer than a health check takes to see it" {
	limit() { sed -nE "s/^\s*$1 ([0-9]+)(m?s)\$/\1 \2/p" "$ROOT/Caddyfile"; }
	linger=$(incr-serve --help | sed -nE 's/.*--linger .*default ([0-9]+)$/\1/p')
	{
		limit health_interval
		limit health_timeout
	} | awk -v linger="$linger" '
		{ sum += $1 * ($2 == "s" ? 1000 : 1) }
		END { exit !(NR == 2 && sum > 0 && sum < linger * 1000) }'
}

@test "without INCR_BIND it listens on loopback only, and has no admin port" {
	case_on_loopback_only
}

@test "INCR_BIND adds addresses" {
	case_binds_addresses
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

@test "nothing that a client sent is in Caddy's log or its problems" {
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

@test "what the health checker decides is logged once per change" {
	background setsid "$ROOT/etc/run-caddy" "$ROOT/Caddyfile" >front.log 2>&1
	front=$!
	wait_for 10 listening "$port"
	ingest 1
	wait_for 5 in_service
	wait_for 5 ups_are 1
	# Check after check fails, also of the other server, and says the same.
	kill -9 -- "-$ingest"
	wait_for 5 refused
	ingest 1
	wait_for 5 in_service
	wait_for 5 ups_are 2
	cat front.log
	[ "$(grep -c '2.sock: connect: no such file' front.log)" -le 3 ]
	downs_are 1
	# After it was up the same is told again. Only Caddy's end ends who tells.
	pkill -TERM -P "$front"
	kill -9 -- "-$ingest"
	wait_for 5 downs_are 2
	kill "$front"
	wait "$front"
	wait_for 5 session_gone "$front"
	ups_are 2
}
# What Caddy says comes through a pipe, after it has decided.
ups_are() { [ "$(grep -c '"host is up"' front.log)" = "$1" ]; }
downs_are() { [ "$(grep -c '1.sock: connect: connection refused' front.log)" = "$1" ]; }

@test "a body that is too large: 413, problem+json" {
	case_body_too_large
}

@test "many increments in one request, and what is said of one too long" {
	case_many_increments
}

@test "a server killed under 100 clients: every body arrives as it was sent" {
	case_server_killed
}

@test "the other server takes everything after one health check" {
	ingest 2
	ingest 1
	front_start
	wait_for 5 in_service
	kill -9 -- "-$ingest"
	wait_for 5 all_taken
}

all_taken() {
	local i
	for i in 1 2 3 4 5 6; do
		[ "$(http_status -d "$(increment 1)" \
			"http://127.0.0.1:$port/increment")" = 202 ] || return
	done
}

# https ARG...: curl to the site, which has a certificate of the authority
https() {
	http_status -m 5 --cacert "$authority" "$@" \
		"https://localhost:$port/increment" -d "$(increment 3)"
}
local_ca=caddy/pki/authorities/local/root.crt
local_cert=caddy/certificates/local/localhost/localhost

# own_authority DIR: Caddy makes one there, and a certificate for localhost.
own_authority() {
	mkdir -p "$1"
	XDG_DATA_HOME=$PWD/$1 front_start
	wait_for 5 test -s "$1/$local_cert.key"
	kill "$front"
	wait_for 10 gone "$front"
}

@test "HTTPS with INCR_CLIENT_CA: only who has a certificate of it is let in" {
	export INCR_HTTP_PORT
	INCR_HTTP_PORT=$(free_port)
	INCR_SITE=https://localhost:$port
	ingest 1
	own_authority good
	own_authority bad
	export XDG_DATA_HOME=$PWD/good INCR_CLIENT_CA=$PWD/good/$local_ca
	authority=$INCR_CLIENT_CA
	front_start
	let_in() {
		[ "$(https --cert "good/$local_cert.crt" \
			--key "good/$local_cert.key")" = 202 ]
	}
	wait_for 5 let_in
	# TLS 1.3 breaks off behind the handshake: curl was at its end (35),
	# sending (55), waiting (52, 56), or about to speak HTTP/2 (16, 92).
	broken_off() {
		run https "$@"
		[[ "$status $output" =~ ^(16|35|52|55|56|92)\ 000$ ]]
	}
	broken_off
	broken_off --cert "bad/$local_cert.crt" --key "bad/$local_cert.key"
	[ "$(ready)" = 1 ]
}

@test "INCR_CLIENT_CA that can't be had, or without HTTPS: Caddy won't start" {
	adapt() { caddy adapt --config "$ROOT/Caddyfile" --adapter caddyfile; }
	INCR_CLIENT_CA=/no/such/file INCR_SITE=https://localhost:1 run -1 adapt
	INCR_CLIENT_CA='' INCR_SITE=https://localhost:1 run -1 adapt
	INCR_CLIENT_CA=/etc/ssl/certs/ca-certificates.crt run -1 adapt
}

@test "HTTPS with a site name, here with Caddy's own authority" {
	export INCR_HTTP_PORT
	INCR_HTTP_PORT=$(free_port)
	INCR_SITE=https://localhost:$port
	ingest 1
	front_start
	authority=$XDG_DATA_HOME/caddy/pki/authorities/local/root.crt
	wait_for 5 curl -fs --cacert "$authority" \
		"https://localhost:$port/health/ready"
	run http_status -d "$(increment 3)" \
		--cacert "$authority" "https://localhost:$port/increment"
	[ "$output" = 202 ]
	[ "$(ready)" = 1 ]
	# No HTTP/3, of which early data could be replayed: not offered, not there.
	curl -s -D headers -o answer --cacert "$authority" \
		"https://localhost:$port/health/ready"
	run ! grep -i '^alt-svc' headers
	[ -z "$(ss -Hlunp | grep "pid=$front,")" ]
}
