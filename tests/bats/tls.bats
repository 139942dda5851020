#!/usr/bin/env bats
# rediss:// URLs, with a real Redis that speaks TLS, and certificates made on
# the spot.

bats_require_minimum_version 1.5.0
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export INCR_QUEUE=q$BATS_SUITE_TEST_NUMBER-$$
	authority ca
	P=$(free_port)
	increment 1 >line
}
teardown() { end_background; }

# authority NAME: a CA, NAME.pem and NAME.key
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$1.key" -out "$1.pem" -subj "/CN=$1" -days 2 2>/dev/null
}

# certificate NAME CA ALT-NAMES [DAYS]: NAME.pem and NAME.key, signed by CA;
# for no day it has expired.
certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
	openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" \
		-CAcreateserial -days "${4:-2}" -out "$1.pem" \
		-extfile <(echo "subjectAltName=$3") 2>/dev/null
}

# tls_redis CERTIFICATE [ARG...]: a Redis at port $P, its pid in $server
tls_redis() {
	local name=$1
	shift
	rm -f redis.pid
	alone redis-server --bind 127.0.0.1 --port 0 --save '' \
		--tls-port "$P" --tls-cert-file "$name.pem" \
		--tls-key-file "$name.key" --tls-ca-cert-file ca.pem \
		--tls-auth-clients no --dir "$PWD" --daemonize yes \
		--pidfile "$PWD/redis.pid" --logfile "$PWD/redis.log" \
		"$@" >/dev/null
	wait_for 10 test -s redis.pid
	server=$(cat redis.pid)
	remember "$server"
	wait_for 10 listening "$P"
}
kill_redis() {
	kill -9 "$server"
	wait_for 10 gone "$server"
}
listening() { [ -n "$(ss -Hltn "sport = :$1")" ]; }
# tcli ARG...: redis-cli at port $P
tcli() { redis-cli -p "$P" --tls --insecure "$@" 2>/dev/null; }
has_length() { [ "$(tcli llen "rmq::queue::[$INCR_QUEUE]::ready")" = "$1" ]; }
lines() { [ "$(wc -l <"$1")" = "$2" ]; }

# refused TEXT URL: it is a configuration error with TEXT
refused() {
	run -100 timeout 20 incr-publish -r "$2" <line
	[[ "$output" == *"$1"* ]] || {
		echo "$output"
		return 1
	}
}

@test "increments go to Postgres by TLS, also many at once" {
	use_postgres
	certificate here ca DNS:localhost,IP:127.0.0.1
	tls_redis here
	export REDIS_URL="rediss://localhost:$P/1?cacert=$PWD/ca.pem"
	increments 1 50000 | incr-publish
	increment 7 | incr-publish -r "rediss://127.0.0.1:$P/1?cacert=ca.pem"
	incr-consume -o | incr-flush
	sum_is 1250025007
	incr-audit
	# No byte goes without TLS.
	run -111 incr-publish -w 0.3 -r "redis://localhost:$P" <line
}

@test "a certificate for another name, an expired one, one of a stranger" {
	certificate other ca DNS:elsewhere,IP:127.0.0.2
	tls_redis other
	refused 'hostname mismatch' "rediss://localhost:$P?cacert=ca.pem"
	refused 'IP address mismatch' "rediss://127.0.0.1:$P?cacert=ca.pem"
	kill_redis
	certificate old ca DNS:localhost 0
	tls_redis old
	refused 'certificate has expired' "rediss://localhost:$P?cacert=ca.pem"
	kill_redis
	authority stranger
	certificate forged stranger DNS:localhost
	tls_redis forged
	refused 'unable to get local issuer' "rediss://localhost:$P?cacert=ca.pem"
	# Without cacert, the system's: our CA is none of these.
	refused 'TLS: ' "rediss://localhost:$P"
	not has_length 1
}

@test "a client's certificate" {
	authority stranger
	certificate here ca DNS:localhost
	certificate client ca DNS:client
	certificate forged stranger DNS:client
	tls_redis here --tls-auth-clients yes
	url="rediss://localhost:$P?cacert=ca.pem"
	refused 'certificate required' "$url"
	refused 'unknown ca' "$url&cert=forged.pem&key=forged.key"
	incr-publish -r "$url&cert=client.pem&key=client.key" <line
	[ "$(redis-cli -p "$P" --tls --cacert ca.pem --cert client.pem \
		--key client.key -h localhost \
		llen "rmq::queue::[$INCR_QUEUE]::ready")" = 1 ]
	# With TLS 1.2 the server says so within the handshake.
	kill_redis
	tls_redis here --tls-auth-clients yes --tls-protocols TLSv1.2
	refused 'handshake failure' "$url"
	incr-publish -r "$url&cert=client.pem&key=client.key" <line
}

@test "files that are not there, or do not fit, are said at once" {
	certificate a ca DNS:localhost
	certificate b ca DNS:localhost
	openssl ec -in a.key -aes128 -passout pass:x -out locked.key 2>/dev/null
	url=rediss://localhost:$P
	refused 'no certificates in the file of cacert' "$url?cacert=none"
	refused 'no certificates in the file of cacert' "$url?cacert=line"
	refused 'no certificate in the file of cert' "$url?cert=a.key&key=a.key"
	refused 'no key in the file of key' "$url?cert=a.pem&key=b.key"
	refused 'no key in the file of key' "$url?cert=a.pem&key=locked.key"
	run -100 incr-consume -r "$url?cacert=none"
	run -100 incr-rejected -r "$url?cacert=none" list
	# Before the first checkpoint.
	mkfifo nothing
	exec 9<>nothing
	run -100 timeout 10 incr-flush -r "$url?cacert=none" <nothing
	exec 9>&-
	[ "$output" = 'incr-flush: redis: no certificates in the file of cacert' ]
}

@test "--check says when certificates end, and what is wrong with them" {
	certificate here ca DNS:localhost 90
	certificate client ca DNS:client 3
	tls_redis here --tls-auth-clients optional
	url="rediss://localhost:$P?cacert=ca.pem"
	run -1 incr-consume --check -r "$url"
	[[ "$output" == *'ok: redis: its certificate is valid for '@(89|90)' days more'* ]]
	[[ "$output" != *'certificate shown'* ]]
	run -1 incr-consume --check -r "$url&cert=client.pem&key=client.key"
	[[ "$output" == *'warning: redis: the certificate shown to it is valid for '[23]' days more'* ]]
	run -100 incr-consume --check -r "rediss://127.0.0.1:$P?cacert=ca.pem"
	[[ "$output" == 'error: redis: TLS: IP address mismatch'* ]]
	kill_redis
	certificate here ca DNS:localhost 13
	tls_redis here
	run -1 incr-consume --check -r "$url"
	[[ "$output" == *'warning: redis: its certificate is valid for 1'[23]' days more'* ]]
}

@test "incr-flush --check says the same of a Postgres" {
	local pg=$INCR_SUITE/p$BATS_SUITE_TEST_NUMBER
	export PGPORT=$P
	use_redis
	mkdir -m 755 "$pg"
	certificate here ca DNS:localhost 90
	certificate client ca DNS:client 3
	cp here.pem here.key ca.pem "$pg"
	chmod 600 "$pg/here.key"
	[ "$(id -u)" != 0 ] || chown postgres "$pg"/here.*
	pg_start "$pg" listen_addresses=127.0.0.1 port="$P" ssl=on \
		ssl_cert_file="$pg/here.pem" ssl_key_file="$pg/here.key" \
		ssl_ca_file="$pg/ca.pem"
	export DATABASE_URL="postgresql://postgres@localhost:$P/postgres?sslmode=verify-full&sslrootcert=ca.pem"
	incr-db create
	run incr-flush --check
	[[ "$output" == *'ok: postgres: its certificate is valid for '@(89|90)' days more'* ]]
	[[ "$output" != *'certificate shown'* ]]
	DATABASE_URL="$DATABASE_URL&sslcert=client.pem&sslkey=client.key" \
		run incr-flush --check
	[[ "$output" == *'warning: postgres: the certificate shown to it is valid for '[23]' days more'* ]]
	# Nobody judges what is not verified.
	DATABASE_URL="postgresql://postgres@localhost:$P/postgres?sslmode=require" \
		run incr-flush --check
	[[ "$output" != *'certificate'* ]]
	certificate here ca DNS:localhost 13
	cat here.pem >"$pg/here.pem"
	cat here.key >"$pg/here.key"
	psql -qh "$pg" -p "$P" -U postgres -c 'select pg_reload_conf()' >/dev/null
	expires_soon() {
		run incr-flush --check
		[[ "$output" == *'warning: postgres: its certificate is valid for 1'[23]' days more'* ]]
	}
	wait_for 10 expires_soon
	pg_stop "$pg"
}

@test "a certificate that is replaced is read at the next connection" {
	certificate here ca DNS:localhost
	authority next
	certificate after next DNS:localhost
	tls_redis here
	cp ca.pem now.pem
	mkfifo in
	exec 7<>in
	background incr-publish -e -w 20 -r "rediss://localhost:$P?cacert=now.pem" \
		<in >out 2>err 7>&-
	increments 1 10 >&7
	wait_for 10 lines out 10
	kill_redis
	cp next.pem now.pem
	tls_redis after
	increments 11 20 >&7
	exec 7>&-
	wait_for 20 lines out 20
	not grep error out
}

@test "a server that says nothing, closes, or has no TLS: an outage, by -w" {
	certificate here ca DNS:localhost
	: >answer
	background perl "$ROOT/tests/bats/sentinel.pl" "$P" answer
	wait_for 10 listening "$P"
	since=${EPOCHREALTIME/./}
	run -111 timeout 20 incr-publish -w 1 -r "rediss://localhost:$P?cacert=ca.pem" <line
	not elapsed "$since" 10000000
	printf -- '-ERR no TLS here\r\n' >answer
	run -111 timeout 20 incr-publish -w 1 -r "rediss://localhost:$P?cacert=ca.pem" <line
	[[ "$output" == *TLS* ]]
	[[ "$output" == *'1 line not delivered (0 of unknown outcome)'* ]]
}

@test "Redis by TLS is paused, then killed: what was handed to it is unknown" {
	certificate here ca DNS:localhost
	tls_redis here
	mkfifo in
	exec 7<>in
	background incr-publish -e -w 1 -r "rediss://localhost:$P?cacert=ca.pem" \
		<in >out 2>err 7>&-
	publish=$!
	increments 1 10 >&7
	wait_for 10 lines out 10
	kill -STOP "$server"
	increments 11 12 >&7
	wait_for 20 lines out 12
	[ "$(tail -n 2 out | grep -c '"code":"unknown"')" -ge 1 ]
	increments 13 14 >&7
	wait_for 20 lines out 14
	[ "$(tail -n 2 out | grep -c '"code":"unavailable"')" = 2 ]
	kill_redis
	tls_redis here
	healed() { increment 1 >&7 && tail -n 1 out | grep '"value":1}'; }
	wait_for 20 healed
	kill -0 "$publish" # no SIGPIPE
	exec 7>&-
}

@test "sentinels by TLS name a primary by TLS" {
	S=$(free_port)
	certificate here ca DNS:localhost,IP:127.0.0.1
	tls_redis here --tls-replication yes
	cat >sentinel.conf <<-END
		bind 127.0.0.1
		port 0
		tls-port $S
		tls-cert-file $PWD/here.pem
		tls-key-file $PWD/here.key
		tls-ca-cert-file $PWD/ca.pem
		tls-auth-clients no
		tls-replication yes
		dir $PWD
		daemonize yes
		pidfile $PWD/sentinel.pid
		logfile $PWD/sentinel.log
		sentinel monitor m 127.0.0.1 $P 1
	END
	alone redis-sentinel "$PWD/sentinel.conf" >/dev/null
	wait_for 10 test -s sentinel.pid
	remember "$(cat sentinel.pid)"
	wait_for 10 listening "$S"
	incr-publish -w 10 -r \
		"rediss-sentinel://localhost:$S/0?master=m&cacert=ca.pem" <line
	has_length 1
	refused 'sentinel: TLS: self-signed certificate' \
		"rediss-sentinel://localhost:$S/0?master=m"
}
