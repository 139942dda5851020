# The cases that each front passes, Caddy and nginx: caddy.bats, nginx.bats.
#
# Each has two functions: front_start starts it and waits until it answers, with
# its pid in front and what it says in front.log; front_script starts the script
# that units start.
# shellcheck shell=bash

front_setup() {
	use_redis
	cd "$BATS_TEST_TMPDIR" || return
	sockets=$(mktemp -d /tmp/incr-front.XXXXXX)
	export XDG_DATA_HOME=$PWD XDG_CONFIG_HOME=$PWD TMPDIR=$PWD
	export INCR_UPSTREAMS="unix/$sockets/1.sock unix/$sockets/2.sock"
	port=$(free_port)
	export INCR_SITE=http://:$port
}

front_teardown() {
	end_background
	rm -rf "$sockets"
}

listening() { curl -ks -o answer "http://127.0.0.1:$1/"; }

# ingest N [ARG...]: one server; its group is $ingest.
ingest() {
	background setsid incr-ingest -l "$sockets/$1.sock" "${@:2}" \
		2>>ingest.log
	ingest=$!
	echo "$ingest" >>ingests
	wait_for 10 healthy "$sockets/$1.sock"
}

in_service() { curl -fs "http://127.0.0.1:$port/health/ready"; }

# Addresses that a process listens on.
bound() { ss -Hltnp | grep "pid=$1," | awk '{ print $4 }' | sort; }

# without INCR_BIND it listens on loopback only, and has no admin port
case_on_loopback_only() {
	front_start
	[ "$(bound "$front")" = "127.0.0.1:$port" ]
}

# INCR_BIND adds addresses
case_binds_addresses() {
	export INCR_BIND='127.0.0.1 127.0.0.2'
	front_start
	[ "$(bound "$front")" = "127.0.0.1:$port
127.0.0.2:$port" ]
}

# without a server: 503, certainly not counted, problem+json
case_without_server() {
	front_start
	wait_for 5 refused
	grep -qi '^content-type: application/problem+json' headers
	grep -qi '^retry-after: ' headers
	grep -q '"code":"unavailable"' answer
}

refused() {
	[ "$(curl -s -D headers -o answer -w '%{http_code}' -d x \
		"http://127.0.0.1:$port/increment")" = 503 ]
}

# A stand-in, always ready; it reads all of a POST (sink) or only its first
# line (dies), and closes without an answer.
stand_in() {
	INCR_UPSTREAMS=unix/$sockets/1.sock
	cat >stand_in.pl <<-'EOF'
	use IO::Socket::UNIX;
	my ($path, $way) = @ARGV;
	my $l = IO::Socket::UNIX->new(Local => $path, Listen => 9);
	while (my $c = $l->accept) {
		my $line = <$c>;
		if ($line =~ /^GET/) {
			print $c "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
		} elsif ($way eq "sink") {
			1 while read($c, my $part, 4096);
		}
	}
	EOF
	background perl stand_in.pl "$sockets/1.sock" "$1"
	front_start
	wait_for 5 in_service
}

# a server that dies with the request in hand: 502, unknown
case_server_dies() {
	stand_in dies
	run curl -s -D headers -w ' %{http_code}' -d x \
		"http://127.0.0.1:$port/increment"
	[[ "$output" == *'"code":"unknown"'*' 502' ]]
	grep -qi '^content-type: application/problem+json' headers
}

# a client is its address, whatever it says itself
case_client_is_address() {
	INCR_UPSTREAMS=unix/$sockets/1.sock
	ingest 1 --rate 1/s:10 --trust unix
	front_start
	wait_for 5 in_service
	taken() { # FROM SAYING
		curl -s -o answer -w '%{http_code}\n' --interface "$1" \
			-H "X-Forwarded-For: $2" -d "$(increment 1)" \
			"http://127.0.0.1:$port/increment?[1-10]" |
			grep -c '^202$' || :
	}
	[ "$(taken 127.0.0.1 192.0.2.1)" -eq 10 ]
	[ "$(taken 127.0.0.1 192.0.2.2)" -lt 8 ]
	[ "$(taken 127.0.0.2 192.0.2.2)" -eq 10 ]
	[ "$(taken 127.0.0.2 127.0.0.3)" -lt 8 ]
}

# nothing that a client sent is in its log or its problems
case_says_nothing_of_clients() {
	stand_in dies
	run curl -s -w ' %{http_code}' -d "$(increment 3)" \
		-H 'Authorization: Bearer told-secret' \
		-H 'Cookie: told-secret' -H 'Idempotency-Key: told-key' \
		-H $'X-Told: told\xc2\x9b2J' -A told-agent -H 'Host: told.host' \
		"http://127.0.0.1:$port/increment?told=%1b"$'\xc2\x9b2J'
	[[ "$output" == *' 502' ]]
	not grep -q told <<<"$output"
	kill "$front"
	wait_for 10 gone "$front"
	[ -s front.log ]
	not grep -q told front.log
}

# N requests a second to /increments from one address, whose bodies stop after
# a line.
stalled_bodies() { # N SECONDS
	perl -MIO::Socket::INET -MTime::HiRes=time,sleep -e '
		my ($port, $n, $s, $body, @open) = @ARGV;
		my $begun = time;
		for my $i (1 .. $n * $s) {
			my $ahead = $begun + $i / $n - time;
			sleep $ahead if $ahead > 0;
			my $c = IO::Socket::INET->new("127.0.0.1:$port") or die;
			print $c "POST /increments HTTP/1.1\r\nHost: x\r\n",
				"Content-Length: 9999\r\n\r\n$body\n";
			$c->flush;
			push @open, $c;
			print "$i\n";
		}' "$port" "$1" "$2" "$(increment 1)"
}

# a client with stalled bodies leaves /increments to the others
case_stalled_bodies_harmless() {
	INCR_UPSTREAMS=unix/$sockets/1.sock
	ingest 1
	front_start
	wait_for 5 in_service
	background stalled_bodies 40 5 >stalled
	stalled=$!
	until gone "$stalled"; do
		curl -s -o answer -w '%{http_code}\n' --interface 127.0.0.2 \
			--data-binary "$(increments 1 3)" \
			"http://127.0.0.1:$port/increments?[1-10]"
	done >answers
	# More than there are places, and all at once: each has ten seconds.
	[ "$(wc -l <stalled)" -eq 200 ]
	sort answers | uniq -c
	[ "$(grep -c '^202$' answers)" -ge 20 ]
	not grep -v '^202$' answers
}

# Chunks without a size; to Caddy the server has failed.
bad_bodies() { # N
	perl -MIO::Socket::INET -e '
		my ($port, $n, @open) = @ARGV;
		while ($n-- > 0) {
			my $c = IO::Socket::INET->new("127.0.0.1:$port") or die;
			print $c "POST /increment HTTP/1.1\r\nHost: x\r\n",
				"Transfer-Encoding: chunked\r\n\r\nzz\r\n";
			push @open, $c;
			shift @open if @open > 50;
		}' "$port" "$1"
}

# a client with faulty bodies leaves the answers of the others alone
case_faulty_bodies_harmless() {
	INCR_UPSTREAMS=unix/$sockets/1.sock
	ingest 1
	front_start
	wait_for 5 in_service
	background bad_bodies 4000
	bad=$!
	until gone "$bad"; do
		curl -s -o answer -w '%{http_code}\n' -d "$(increment 1)" \
			"http://127.0.0.1:$port/increment?[1-100]"
	done >answers
	wait "$bad"
	[ "$(sort -u answers)" = 202 ]
	[ "$(ready)" = "$(wc -l <answers)" ]
}

# exchange TEXT: what is answered to these bytes until the end of the
# connection
exchange() {
	local to
	exec {to}<>"/dev/tcp/127.0.0.1/$port"
	printf "$1" >&"$to"
	# It may end in a reset, behind the answer.
	timeout 30 tr -d '\r' <&"$to" 2>reset || [ "$?" != 124 ]
	exec {to}>&-
}

# status: of an answer, of which nginx writes HTTP/1.1 whatever it was asked
status() { sed -nE '1s,^HTTP/1\.[01] ([0-9]+) .*,\1,p'; }

# a balancer's probes, HTTP/1.0 without Host, get 200
case_balancer_probes() {
	ingest 1
	front_start
	wait_for 5 in_service
	[ "$(exchange 'GET /health/ready HTTP/1.0\r\n\r\n' | status)" = 200 ]
	[ "$(exchange 'HEAD /health/ready HTTP/1.0\r\n\r\n' | status)" = 200 ]
}

# haproxy_start PROBE: before it, at $outer; "option httpchk PROBE"
haproxy_start() {
	outer=$(free_port)
	cat >haproxy.cfg <<-EOF
	global
		stats socket $sockets/stats
	defaults
		mode http
		option forwardfor
		timeout connect 5s
		timeout client 30s
		timeout server 30s
	frontend outer
		bind 127.0.0.1:$outer
		default_backend inner
	backend inner
		option httpchk $1
		server front 127.0.0.1:$port check inter 100
	EOF
	background haproxy -db -f haproxy.cfg >haproxy.log 2>&1
	haproxy=$!
	wait_for 10 probed L7OK 200
}

# probed RESULT STATUS: what HAProxy found last
probed() {
	perl -MIO::Socket::UNIX -e '
		my $c = IO::Socket::UNIX->new(shift) or die;
		print $c "show stat\n";
		print <$c>' "$sockets/stats" |
		awk -F, '$1 == "# pxname" { for (i = 1; i <= NF; i++) at[$i] = i }
			$1 == "inner" && $2 == "front" {
				print $at["check_status"], $at["check_code"] }' |
		grep -qx "$1 $2"
}

through() { http_status "$@" "http://127.0.0.1:$outer/increment"; }

# HAProxy in front: it finds the servers ready or not, and is served
case_behind_haproxy() {
	ingest 2
	ingest 1
	front_start
	wait_for 5 in_service
	for probe in '' 'HEAD /health/ready'; do
		haproxy_start "$probe"
		[ "$(through -d "$(increment 3)")" = 202 ]
		[ "$(through -H 'Expect: 100-continue' -d "$(increment 3)")" = 202 ]
		[ "$(through -d x)" = 400 ]
		kill "$haproxy"
		wait_for 10 gone "$haproxy"
	done
	[ "$(ready)" = 4 ]
	haproxy_start 'GET /health/ready'
	end_ingests
	wait_for 10 probed L7STS 503
	# Until the last one has ended it may take what still comes.
	wait_for 10 turned_away
}
turned_away() { [ "$(through -d "$(increment 3)")" = 503 ]; }

# A client of a balancer, which is 127.0.0.1 here, by its address: it spends what
# it has for minutes; can it?
spends() {
	increments 1 1000 | http_status -H "X-Forwarded-For: $1" \
		--data-binary @- "http://127.0.0.1:$port/increments"
}

# front_for TRUST: the front and a server
front_for() {
	export INCR_TRUST=$1
	ingest 1 --rate 20/s:20
	front_script
	wait_for 10 in_service
}

# a balancer in front is believed if INCR_TRUST names it, and nobody else
case_believes_balancer() {
	front_for 'unix, 127.0.0.1'
	[ "$(spends 192.0.2.1)" = 202 ]
	[ "$(spends 192.0.2.1)" = 429 ]
	[ "$(spends 192.0.2.2)" = 202 ]
	# What a client wrote in front of its own address is not.
	[ "$(spends '192.0.2.3, 192.0.2.2')" = 429 ]
	kill "$front"
	kill -- "-$ingest"
	wait_for 20 gone "$front"
	wait_for 20 gone "$ingest"
	front_for 'unix 192.0.2.9'
	[ "$(spends 192.0.2.1)" = 202 ]
	[ "$(spends 192.0.2.2)" = 429 ]
}

end_ingests() { pkill -g "$(tr '\n' , <ingests | sed 's/,$//')"; }

# Expect: 100-continue is answered once
case_answers_expect_once() {
	ingest 1
	front_start
	wait_for 5 in_service
	exchange 'POST /increment HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: '"$(increment 3 | wc -c)"'\r\n\r\n'"$(increment 3)"'\n' >answers
	[ "$(grep '^HTTP/' answers)" = 'HTTP/1.1 100 Continue
HTTP/1.1 202 Accepted' ]
}

# a body that is too large: 413, problem+json
case_body_too_large() {
	stand_in sink
	head -c 18000000 /dev/zero >large
	run curl -s -w ' %{http_code} %{content_type}' --data-binary @large \
		"http://127.0.0.1:$port/increments"
	[[ "$output" == *'"code":"too-long"'*' 413 application/problem+json' ]]
}

# many increments in one request, and what is said of one too long
case_many_increments() {
	ingest 1
	front_start
	wait_for 5 in_service
	increments 1 10001 >asked
	batch() {
		http_status -H 'Idempotency-Key: k' "$@" \
			"http://127.0.0.1:$port/increments"
	}
	for _ in 1 2; do
		[ "$(head -n 10000 asked | batch --data-binary @-)" = 202 ]
		head -n 10000 asked | cmp - answer
	done
	[ "$(ready)" = 10000 ]
	# The server says what it has taken of it.
	sed 's/$/      /' asked | head -c 1048577 >long
	[ "$(batch -X POST -H 'Transfer-Encoding: chunked' -T - <long)" = 207 ]
	tail -n 1 answer | grep -q '"too-long"'
	[ "$(ready)" = 10000 ]
	[ "$(batch --data-binary @<(head -c 1048577 /dev/zero))" = 413 ]
}

# 100 clients, each request with a value of its own.
requests() { # FROM TO
	seq "$1" "$2" | awk -v port="$port" -v key="$KEY" '
		NR > 1 { print "next" }
		{
			printf "url = \"http://127.0.0.1:%s/increment\"\n", port
			printf "data = \"{\\\"key\\\":\\\"%s\\\",\\\"value\\\":%s}\"\n", key, $1
			printf "write-out = \"%s %%{http_code}\\n\"\noutput = /dev/null\n", $1
		}'
}

some_answered() { [ "$(wc -l <answers)" -gt "$1" ]; }

# a server killed under 100 clients: every body arrives as it was sent
case_server_killed() {
	ingest 2
	ingest 1
	front_start
	wait_for 5 in_service
	requests 1 6000 >requests
	background curl -s -Z --parallel-max 100 -K requests >answers
	curl=$!
	wait_for 10 some_answered 300
	# It has requests in hand for sure: the other one answers meanwhile.
	kill -STOP -- "-$ingest"
	wait_for 10 some_answered 1000
	kill -9 -- "-$ingest"
	wait "$curl" || :

	# Each was answered, once, and taken or certainly or perhaps not.
	[ "$(cut -d' ' -f1 answers | sort -n | uniq | wc -l)" -eq 6000 ]
	cut -d' ' -f2 answers | sort | uniq -c
	run ! grep -vE ' (202|502|503)$' answers
	grep -q ' 502$' answers # else nothing was tried on the dead one

	# What arrived was sent, no more than once, and all that got a 202.
	rcli --raw lrange "rmq::queue::[$INCR_QUEUE]::ready" 0 -1 >arrived
	run ! grep -vE "^\{\"key\":\"$KEY\",\"value\":[0-9]+\}$" arrived
	sed 's/.*://; s/}//' arrived | sort >values
	[ -z "$(uniq -d values)" ]
	awk '$2 == 202 { print $1 }' answers | sort >taken
	[ -z "$(comm -23 taken values)" ]
}

