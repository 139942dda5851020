#!/usr/bin/env bats
# Several hosts: ingests and drains apart, each in a network of its own, with one
# Redis and one Postgres.  What fits in seconds; tests/long/hosts-apart has the rest.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper
load network

setup_file() {
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true
	network_possible >/dev/null || return 0
	network_start "$INCR_SUITE/network"
	network_servers "$INCR_SUITE/network"
	host_make in1 1
	host_make in2 2
	host_make drain1 3
	host_make drain2 4
}

teardown_file() {
	[ "${NETWORK-}" ] || return 0
	network_stop
	redis_stop "$NETWORK/redis"
	pg_stop "$NETWORK/pg" QUIT
}

setup() {
	local why
	why=$(network_possible) || skip "$why"
	cd "$BATS_TEST_TMPDIR" || return
	export INCR_QUEUE=q$BATS_TEST_NUMBER
	sql 'truncate increments'
}

teardown() {
	local name
	[ "${NETWORK-}" ] || return 0
	for name in in1 in2 drain1 drain2; do
		host_join "$name"
		host_kill "$name"
		cat "$NETWORK/$name.err"
		rm -f "$NETWORK/$name.err"
	done 2>/dev/null
	end_background
}

# Both ingest hosts take requests.
ingests() {
	local name
	for name in in1 in2; do
		HOST_CLOCK=${CLOCK[$name]-} host_run "$name" incr-ingest --open -l \
			"$(host_address $name):80"
	done
	for name in in1 in2; do
		wait_for 10 at center curl -fs \
			"http://$(host_address $name)/health/ready"
	done
}
declare -A CLOCK=()

# drains [OPTION...]: both drain hosts; they are known in Redis.
drains() {
	local name
	for name in drain1 drain2; do
		HOST_CLOCK=${CLOCK[$name]-} host_run "$name" incr-drain -- "$@"
		# Not in the same tick: processes that are copies differ in that.
		wait_for 10 has_consumers "${name#drain}"
	done
}
consumers() { rcli --raw smembers "incr::queue::[$INCR_QUEUE]::consumers" | sort; }
has_consumers() { [ "$(consumers | wc -l)" = "$1" ]; }

# post NAME VALUE [ARG...]: one increment, there; the status
post() {
	at center curl -s -m 10 -o answer -w '%{http_code}' "${@:3}" \
		-d "$(increment "$2")" "http://$(host_address "$1")/increment"
}

# holder: the drain host of the consumer that has a batch
holder() {
	local id
	id=$(batches | sed 's/.*::consumer::\([^:]*\)::.*/\1/' | head -n 1)
	for name in drain1 drain2; do
		! has_consumer "$name" "$id" || echo "$name"
	done
}
has_consumer() { # NAME ID: its process is of that host
	local pidns
	pidns=$(readlink "/proc/$(pgrep -P "$(cat "$NETWORK/$1.pid")")/ns/pid")
	[[ $(rcli get "incr::queue::[$INCR_QUEUE]::consumer::$2::owner") == \
		*"-${pidns//[!0-9]/}-"* ]]
}
holds() { [ -n "$(holder)" ]; }

@test "ingests and drains on hosts of their own: what any takes any counts" {
	ingests
	drains -i 0.3
	[ "$(post in1 1)" = 202 ]
	[ "$(post in2 2)" = 202 ]
	wait_for 10 sum_is 3
	# A repeat meets its mark at the other host.
	[ "$(post in1 4 -H 'Idempotency-Key: k')" = 202 ]
	[ "$(post in2 4 -H 'Idempotency-Key: k')" = 202 ]
	[ "$(post in2 5 -H 'Idempotency-Key: k')" = 422 ]
	wait_for 10 sum_is 7
	wait_for 5 no_batches
	sum_is 7
}

@test "a drain host that dies is succeeded by another one, in time" {
	local from dead
	ingests
	drains -i 20
	[ "$(post in1 5)" = 202 ]
	wait_for 5 holds
	dead=$(holder)
	host_cut "$dead"
	host_kill "$dead"
	from=${EPOCHREALTIME/./}
	wait_for 10 sum_is 5
	not elapsed "$from" 10000000
	wait_for 5 no_batches
}

# Two copies of one virtual machine that ran: boot id, inodes of namespaces, host
# name and pids are the same, processes are not.
# have_starts N: so many, of the owners that live
have_starts() {
	[ "$(owners | cut -d ' ' -f 4 | sort -u | wc -l)" = "$1" ]
}

@test "hosts with the same boot id, namespaces, name and pids: both drains live" {
	local before n
	cat >same.c <<-'END'
		#define _GNU_SOURCE
		#include <stdio.h>
		#include <string.h>
		#include <sys/syscall.h>
		#include <unistd.h>
		ssize_t
		readlink(const char *restrict path, char *restrict to, size_t size)
		{
			if (strcmp(path, "/proc/self/ns/pid") == 0)
				return snprintf(to, size, "pid:[4026531836]");
			return syscall(SYS_readlink, path, to, size);
		}
	END
	"${CC:-cc}" -shared -fPIC -o same.so same.c
	export HOST_PRELOAD=$PWD/same.so HOST_NAME=drain
	drains -i 0.3
	wait_for 5 has_owners 2
	[ "$(owners | cut -d ' ' -f 2,3 | sort -u | wc -l)" = 1 ]
	wait_for 5 have_starts 2
	before=$(consumers)
	for n in 1 2 3 4 5 6 7 8; do
		increment 1 | incr-publish
		wait_for 10 sum_is "$n"
	done
	# Nobody has taken anybody's place.
	[ "$(consumers)" = "$before" ]
	quiet "$NETWORK/drain1.err"
	quiet "$NETWORK/drain2.err"
	# One that is gone indeed is succeeded all the same.
	host_kill drain1
	increment 5 | incr-publish
	wait_for 10 sum_is 13
	wait_for 10 no_batches
}
owners() {
	rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::consumer::*::owner" |
		while read -r key; do rcli --raw get "$key"; done
}
has_owners() { [ "$(owners | wc -l)" = "$1" ]; }

@test "clocks five minutes off: counted in time, repeats once, nothing is said" {
	local from name
	[ "$FAKETIME_SO" ] || skip 'no libfaketime'
	CLOCK=([in1]=+300 [drain1]=-300 [drain2]=+300)
	mkdir metrics
	export INCR_METRICS_DIR=$PWD/metrics
	ingests
	drains -i 1
	wait_for 10 is_fast in1 incr-serve
	wait_for 10 is_slow drain1 incr-flush
	wait_for 10 is_fast drain2 incr-flush
	from=${EPOCHREALTIME/./}
	[ "$(post in1 1 -H 'Idempotency-Key: k')" = 202 ]
	[ "$(post in2 1 -H 'Idempotency-Key: k')" = 202 ]
	[ "$(post in2 2)" = 202 ]
	wait_for 10 sum_is 3
	not elapsed "$from" 10000000
	[ "$(post in1 1 -H 'Idempotency-Key: k')" = 202 ]
	[ "$(post in1 4)" = 202 ]
	wait_for 10 sum_is 7
	wait_for 10 no_batches
	sum_is 7
	for name in in1 in2 drain1 drain2; do
		quiet "$NETWORK/$name.err"
	done
}
# How far the clock of a program there is ahead, by its metrics
clock_of() { # NAME PROGRAM
	local at
	at=$(awk '/^incr_updated_timestamp_seconds/ { printf "%d", $NF }' \
		metrics/"$2-host-$1"-*.prom)
	echo $((at - $(date +%s)))
}
is_fast() { (($(clock_of "$@") > 250)); }
is_slow() { (($(clock_of "$@") < -250)); }
