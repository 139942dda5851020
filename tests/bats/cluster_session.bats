#!/usr/bin/env bats
# Connections to a Redis Cluster, a real one: which nodes are asked, and what is
# done about MOVED, ASK, CLUSTERDOWN, a failover, a node that is killed.

bats_require_minimum_version 1.5.0
load helper
load cluster
load sentinels

setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true # they change one cluster
	cluster_start --bind 127.0.0.1 ::1
}
teardown_file() { cluster_stop; }

setup() {
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	export INCR_QUEUE=q$BATS_SUITE_TEST_NUMBER-$$
	R="rmq::queue::{$INCR_QUEUE}" P="incr::queue::{$INCR_QUEUE}"
	SLOT=$(cluster_slot "$R::ready")
}
teardown() { end_background; }

length() { cluster_at "$R::ready" llen "$R::ready"; }
length_is() { [ "$(length)" = "$1" ]; }
url() { echo "redis://127.0.0.1:$1"; } # PORT
moved() { cluster_cli "$1" get "$R::ready"; } # what a node says of the slot
says_moved() { [ "$(moved "$1")" = "MOVED $SLOT $2" ]; }
# connection NODE: of incr-publish, the id
connection() {
	cluster_cli "$1" client list | grep 'cmd=evalsha' | cut -d ' ' -f 1
}

# emptied: nothing waits in the queue, nor is taken (for load and drain of
# sentinels.bash)
emptied() {
	[ "$(cluster_at "$R::ready" eval 'local n = redis.call("llen", KEYS[1])
		for _, k in ipairs(redis.call("keys", ARGV[1])) do n = n + 1 end
		return n' 1 "$R::ready" "$P::consumer::*::batch::*")" = 0 ]
}

# under_load LINES COMMAND...: publishes and counts LINES; the command is run
# once some of them are answered.  Sets lost, doubled, wrong, unknown.
under_load() {
	local lines=$1
	shift
	background sh -c 'incr-publish -e -w 30 >out 2>err.publish' \
		< <(load "$lines")
	publish=$!
	drain
	wait_for 20 answered $((lines / 4))
	"$@"
	wait_for 60 gone "$publish"
	wait_for 40 emptied
	kill -9 -- "-$drain"
	read -r lost doubled wrong unknown < <(account "$lines")
}

@test "any node leads to the one that has the slot, a replica too" {
	local IFS=$' \t\n' port n=0
	for port in $CLUSTER_PORTS; do
		increment 1 | REDIS_URL=$(url "$port") incr-publish
		n=$((n + 1))
		length_is "$n"
	done
	incr-consume -o -r "$(url "${CLUSTER_PORTS%% *}")" |
		incr-flush -r "$(url "${CLUSTER_PORTS##* }")"
	total_is 6
}

@test "a slot that moves twice under load: nothing lost, nothing twice" {
	local from to
	from=$(cluster_owner "$SLOT")
	to=$(cluster_other "$SLOT")
	there_and_back() {
		cluster_move_slot "$SLOT" "$to"
		wait_for 20 answered 3500
		cluster_move_slot "$SLOT" "$from"
	}
	under_load 5000 there_and_back
	[ "$lost $doubled $wrong $unknown" = '0 0 0 0' ]
	quiet err.publish
}

@test "while keys are moved calls wait on their connection, within --wait" {
	local from to before
	from=$(cluster_owner "$SLOT")
	to=$(cluster_other "$SLOT")
	echo nonsense | incr-validate -e >error
	background sh -c 'incr-publish -e -w 1 >out 2>err' < <(increment 1
		wait_for 20 test -e go
		increment 2
		wait_for 20 test -e moved
		# By this one it is known that nothing waited in the pipe.
		cat error
		wait_for 20 answered 3
		increment 4)
	publish=$!
	wait_for 10 answered 1
	before=$(connection "$from")
	[ -n "$before" ]
	cluster_begin_move "$SLOT" "$to"
	cluster_move_keys "$SLOT" "$to" 1 || :
	touch go
	wait_for 10 has unavailable out
	[ "$(connection "$from")" = "$before" ]
	grep -q 'redis: \(TRYAGAIN\|ASK\) .*; waiting' err
	sed -n 2p out | grep -q '"code":"unavailable"'
	wait_for 10 cluster_move_keys "$SLOT" "$to" 100
	cluster_end_move "$SLOT" "$to"
	touch moved
	wait_for 10 gone "$publish"
	# The MOVED that line 4 met was no part of the outage.
	[ "$(sed -n 4p out)" = "$(increment 4)" ]
	length_is 2
}

@test "a failover by order under load: nothing lost, nothing twice" {
	under_load 3000 cluster_failover "$SLOT"
	[ "$lost $doubled $wrong $unknown" = '0 0 0 0' ]
	quiet err.publish
}

@test "while nobody has the slot its queue alone waits, within --wait" {
	local owner
	owner=$(cluster_owner "$SLOT")
	background sh -c 'incr-publish -e -w 1 >out 2>err' < <(increment 1
		wait_for 20 test -e go
		increment 2
		wait_for 20 test -e owned
		wait_for 20 taken_again 7>&1)
	publish=$!
	wait_for 10 answered 1
	cluster_cli "$owner" cluster delslots "$SLOT" >/dev/null
	touch go
	wait_for 10 has 'redis: CLUSTERDOWN Hash slot not served; waiting' err
	# cluster-require-full-coverage no
	increment 4 | INCR_QUEUE=${INCR_QUEUE}x incr-publish
	# Nobody did anything with the call, so it is not unknown.
	wait_for 10 has '"code":"unavailable"' out
	cluster_cli "$owner" cluster addslots "$SLOT" >/dev/null
	touch owned
	wait_for 10 gone "$publish"
	has "$(increment 3)" out
	length_is "$(grep -c '^{"key"' out)"
	wait_for 20 cluster_whole
}
# taken_again: of another line, within the outage that is refused at once
taken_again() {
	increment 3 >&7
	has "$(increment 3)" out
}

# -- what nodes are called --------------------------------------------------------

# through HOST:PORT: a program that is told this node alone finds the slot's
through() { increment 1 | timeout 20 incr-publish -w 5 -r "redis://$1"; }
# turned_away HOST:PORT TEXT: it does not, and says so
turned_away() {
	increment 1 | incr-publish -e -w 1 -r "redis://$1" >out 2>err ||
		[ $? = 111 ]
	has '"code":"unavailable"' out
	has "$2" err
}
@test "MOVED names a host by its name, by none, by an address of IPv6" {
	local owner other
	owner=$(cluster_owner "$SLOT")
	other=$(cluster_other "$SLOT")
	called() { cluster_cli "$other" config set \
		cluster-preferred-endpoint-type "$1"; }
	cluster_cli "$owner" config set cluster-announce-hostname localhost \
		cluster-announce-ip ::1
	wait_for 10 says_moved "$other" "::1:$owner"
	through "127.0.0.1:$other"
	length_is 1
	called hostname
	wait_for 10 says_moved "$other" "localhost:$owner"
	through "localhost:$other"
	length_is 2
	# Addresses alone: the program may look no name up.
	turned_away "127.0.0.1:$other" "the name localhost; the URL must have"
	called unknown-endpoint
	says_moved "$other" ":$owner"
	through "127.0.0.1:$other"
	length_is 3
	called ip
	cluster_cli "$owner" config set cluster-announce-hostname '' \
		cluster-announce-ip 127.0.0.1
	wait_for 10 says_moved "$other" "127.0.0.1:$owner"
}

# -- nodes that disagree -----------------------------------------------------------

greetings() { # of both nodes
	local port
	for port; do
		cluster_cli "$port" info commandstats |
			sed -n 's/^cmdstat_select:calls=\([0-9]*\).*/\1/p'
	done | awk '{ n += $1 } END { print n + 0 }'
}

@test "two nodes that say MOVED to one another are asked with back-off" {
	local owner other
	owner=$(cluster_owner "$SLOT")
	other=$(cluster_other "$SLOT")
	cluster_cli "$owner" cluster setslot "$SLOT" node "$(cluster_id "$other")"
	says_moved "$owner" "127.0.0.1:$other"
	says_moved "$other" "127.0.0.1:$owner"
	cluster_cli "$owner" config resetstat
	cluster_cli "$other" config resetstat
	increment 1 | incr-publish -e -w 1 >out 2>err || [ $? = 111 ]
	has '"code":"unavailable"' out
	has MOVED err
	# Without it there were thousands.
	[ "$(greetings "$owner" "$other")" -le 30 ]
	cluster_cli "$owner" cluster setslot "$SLOT" node "$(cluster_id "$owner")"
	increment 1 | incr-publish
	length_is 1
	wait_for 20 cluster_whole
}
