#!/usr/bin/env bats
# redis-sentinel:// URLs, with a real sentinel, a primary and two replicas, and
# with sentinels that answer wrongly.

bats_require_minimum_version 1.5.0
load helper
load sentinels

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export INCR_QUEUE=q$BATS_SUITE_TEST_NUMBER-$$
}
teardown() { end_background; }

# fake PORT ANSWER: sentinel.pl
fake() {
	printf '%b' "$2" >"answer.$1"
	background perl "$ROOT/tests/bats/sentinel.pl" "$1" "$PWD/answer.$1"
	wait_for 10 listening "$1"
}
listening() { [ -n "$(ss -Hltn "sport = :$1")" ]; }
# address PORT: as a sentinel says it
# shellcheck disable=SC2016 # $ as it is
address() { printf '*2\\r\\n$9\\r\\n127.0.0.1\\r\\n$%s\\r\\n%s\\r\\n' ${#1} "$1"; }

lines() { [ "$(wc -l <"$1")" = "$2" ]; }

@test "the primary is the one that a sentinel names" {
	use_postgres
	group
	increments 1 10 | incr-publish
	[ "$(redis-cli -p "$P1" llen "rmq::queue::[$INCR_QUEUE]::ready")" = 10 ]
	incr-consume -o | incr-flush
	sum_is 55
}

@test "the primary is killed: publishing and counting go on at the next one" {
	use_postgres
	group
	mkfifo in
	exec 7<>in
	background incr-publish -e -w 30 <in >out 2>err 7>&-
	publish=$!
	increments 1 100 >&7
	wait_for 10 lines out 100
	wait_for 10 in_sync
	# What is being sent when it dies is of unknown outcome.
	kill -9 "$(cat p1.pid)"
	wait_for 10 not listening "$P1"
	increments 101 200 >&7
	fail_over "$P1"
	wait_for 20 lines out 200
	exec 7>&-
	wait_for 10 gone "$publish"
	not grep -e unavailable -e unknown out
	incr-consume -o | incr-flush
	sum_is 20100
}

@test "the primary becomes a replica: both programs follow, nothing is lost" {
	use_postgres
	group
	mkfifo in
	exec 7<>in
	background incr-publish -e -w 30 <in >out 2>err 7>&-
	background setsid sh -c 'incr-consume 2>err.consume | incr-flush -i 0.1' 7>&-
	increments 1 100 >&7
	wait_for 10 lines out 100
	wait_for 10 sum_is 5050
	wait_for 10 in_sync
	fail_over "$P1"
	increments 101 200 >&7
	exec 7>&-
	wait_for 20 lines out 200
	not grep unavailable out
	wait_for 20 sum_is 20100
}

# publishes_to_p1: ten lines are there, and one names the primary, in answer.$S,
# that is a sentinel only to a client
publishes_to_p1() {
	P1=$(free_port) P2=$(free_port) S=$(free_port)
	instance p1 "$P1"
	instance p2 "$P2"
	fake "$S" "$(address "$P1")"
	export REDIS_URL="redis-sentinel://127.0.0.1:$S?master=m"
	mkfifo in
	exec 7<>in
	background incr-publish -e -w 30 <in >out 2>err 7>&-
	increments 1 10 >&7
	wait_for 10 lines out 10
}

@test "a connection that meets READONLY asks the sentinel again" {
	publishes_to_p1
	printf '%b' "$(address "$P2")" >"answer.$S"
	redis-cli -p "$P1" replicaof 127.0.0.1 "$P2"
	increments 11 20 >&7
	exec 7>&-
	wait_for 10 lines out 20
	not grep unavailable out
	[ "$(redis-cli -p "$P2" llen "rmq::queue::[$INCR_QUEUE]::ready")" = 10 ]
}

@test "a connection that meets NOREPLICAS asks the sentinel again" {
	publishes_to_p1
	# An old primary, cut off from its replicas, and the one in its place.
	printf '%b' "$(address "$P2")" >"answer.$S"
	redis-cli -p "$P1" config set min-replicas-to-write 1
	increments 11 20 >&7
	exec 7>&-
	wait_for 10 lines out 20
	not grep unavailable out
	[ "$(redis-cli -p "$P2" llen "rmq::queue::[$INCR_QUEUE]::ready")" = 10 ]
}

# The first sentinel is on the side of an old primary that lives on.
@test "incr-flush is at the new primary: incr-consume asks the next sentinel" {
	use_postgres
	P1=$(free_port) P2=$(free_port) stale=$(free_port) good=$(free_port)
	instance p1 "$P1"
	instance p2 "$P2" --replicaof "127.0.0.1 $P1"
	fake "$stale" "$(address "$P1")"
	fake "$good" "$(address "$P1")"
	mkfifo stream
	exec 9<>stream
	background incr-flush -i 0.3 <stream 2>err 9>&- \
		-r "redis-sentinel://127.0.0.1:$good?master=m"
	background incr-consume >stream 2>>err 9>&- -r \
		"redis-sentinel://127.0.0.1:$stale,127.0.0.1:$good?master=m"
	exec 9>&-
	increments 1 10 | incr-publish -r "redis://127.0.0.1:$P1"
	wait_for 10 sum_is 55
	wait_for 10 none_left
	wait_for 10 has_all
	redis-cli -p "$P2" replicaof no one
	printf '%b' "$(address "$P2")" >"answer.$good"
	# incr-consume was the first to connect.
	for id in $(redis-cli -p "$P1" client list type normal |
		sed 's/^id=\([0-9]*\) .*/\1/' | sort -n | tail -n +2); do
		redis-cli -p "$P1" client kill id "$id"
	done
	increments 11 20 | incr-publish -r "redis://127.0.0.1:$P2"
	wait_for 20 sum_is 210
	not grep 'went back' err
}
none_left() { [ -z "$(redis-cli -p "$P1" --raw keys '*::batch::*')" ]; }
has_all() { [ "$(written_by 1 -p "$P1")" = 1 ]; }

@test "sentinels that are silent, gone, or name a replica: the next is asked" {
	P1=$(free_port) P2=$(free_port)
	instance p1 "$P1"
	instance p2 "$P2" --replicaof "127.0.0.1 $P1"
	silent=$(free_port) stale=$(free_port) nobody=$(free_port)
	strange=$(free_port) good=$(free_port)
	fake "$silent" ''
	fake "$stale" "$(address "$P2")"
	fake "$nobody" "$(address "$(free_port)")"
	fake "$strange" '*-1\r\n'
	fake "$good" "$(address "$P1")"
	for first in "$silent" "$stale" "$nobody" "$strange" "$(free_port)"; do
		increment 1 | incr-publish -w 5 -r \
			"redis-sentinel://localhost:$first,127.0.0.1:$good?master=m"
	done
	[ "$(redis-cli -p "$P1" llen "rmq::queue::[$INCR_QUEUE]::ready")" = 5 ]
}

@test "a sentinel that says +OK for ever is not listened to for ever" {
	P1=$(free_port) endless=$(free_port) good=$(free_port)
	instance p1 "$P1"
	fake "$good" "$(address "$P1")"
	background perl -MIO::Socket::INET -e '
		$SIG{PIPE} = "IGNORE";
		my $l = IO::Socket::INET->new(LocalAddr => "127.0.0.1",
			LocalPort => $ARGV[0], Listen => 16) or die;
		while (my $c = $l->accept) {
			1 while syswrite($c, "+OK\r\n" x 10000);
		}' "$endless"
	wait_for 10 listening "$endless"
	# Also behind the one +OK that a password is answered with.
	for password in '' '&sentinel-password=x'; do
		increment 1 | REDIS_URL="redis-sentinel://127.0.0.1:$endless,127.0.0.1:$good?master=m$password" \
			timeout 20 incr-publish -w 5
	done
	[ "$(redis-cli -p "$P1" llen "rmq::queue::[$INCR_QUEUE]::ready")" = 2 ]
}

@test "no sentinel knows the name, or none is one: a configuration error" {
	P1=$(free_port) a=$(free_port) b=$(free_port)
	instance p1 "$P1"
	fake "$a" '*-1\r\n'
	fake "$b" '*-1\r\n'
	increment 1 >line
	run -100 incr-publish \
		-r "redis-sentinel://127.0.0.1:$a,127.0.0.1:$b?master=x" <line
	[[ "$output" == *"sentinel: knows no primary of this name"* ]]
	run -100 incr-publish -r "redis-sentinel://127.0.0.1:$P1?master=x" <line
	[[ "$output" == *"sentinel: ERR unknown command"* ]]
	# A sentinel that does not answer may be the one that knows it.
	run -111 incr-publish -w 0.5 \
		-r "redis-sentinel://127.0.0.1:$a,127.0.0.1:$(free_port)?master=x" <line
}

@test "passwords: of the sentinels, and of the primary" {
	P1=$(free_port) S=$(free_port)
	instance p1 "$P1" --protected-mode no
	redis-cli -p "$P1" acl setuser incr on '>prim@ry' allkeys allchannels +@all
	redis-cli -p "$P1" acl setuser default off
	sentinel "$S" 'requirepass watch/1' 'sentinel auth-user m incr' \
		'sentinel auth-pass m prim@ry'
	increment 1 >line
	url="redis-sentinel://incr:prim%40ry@127.0.0.1:$S/3?master=m"
	run -100 incr-publish -r "$url" <line
	[[ "$output" != *prim* ]]
	REDIS_URL=$url run -100 incr-publish <line
	[[ "$output" == *"sentinel: NOAUTH"* ]]
	REDIS_URL="$url&sentinel-password=watch" run -100 incr-publish <line
	[[ "$output" == *"sentinel: WRONGPASS"* ]]
	REDIS_URL="$url&sentinel-password=watch%2f1" incr-publish <line
	REDIS_URL="$url&sentinel-password=watch%2f1&sentinel-user=default" \
		incr-publish <line
	[ "$(redis-cli -p "$P1" --user incr --pass prim@ry --no-auth-warning \
		-n 3 llen "rmq::queue::[$INCR_QUEUE]::ready")" = 2 ]
	run -100 incr-publish -r "redis-sentinel://127.0.0.1:$S?master=m&sentinel-p%61ssword=x" <line
	[[ "$output" != *=x* ]]
}

@test "redis:// with several hosts: the first of them that is a primary" {
	P1=$(free_port) P2=$(free_port)
	instance p1 "$P1"
	instance p2 "$P2" --replicaof "127.0.0.1 $P1"
	increment 1 >line
	for hosts in "127.0.0.1:$(free_port),localhost:$P1" \
		"localhost:$P2,[::1]:$P2,127.0.0.1:$P1" \
		"127.0.0.1:$P1,127.0.0.1:$P2"; do
		incr-publish -w 5 -r "redis://$hosts/2" <line
	done
	[ "$(redis-cli -p "$P1" -n 2 llen "rmq::queue::[$INCR_QUEUE]::ready")" = 3 ]
	run -111 incr-publish -w 0.3 -r "redis://127.0.0.1:$P2,localhost:$P2" <line
	[[ "$output" == *"replica, not the primary"* ]]
}
