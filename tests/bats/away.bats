#!/usr/bin/env bats
# Redis is away from a whole ring: 503 for every increment that was not sent,
# in time, however many wait.

bats_require_minimum_version 1.5.0
load helper

setup() {
	DIR=$(mktemp -d /tmp/incr-away.XXXXXX)
	OWN_REDIS=$DIR/redis
	export INCR_QUEUE=q$BATS_SUITE_TEST_NUMBER
}

teardown() {
	end_background
	rm -rf "$DIR"
}

# ingest URL [ARG...]: one that has taken an increment
ingest() {
	local url=$1
	shift
	REDIS_URL=$url background setsid incr-ingest -l "$DIR/s" -w 1.5 \
		--verdict-timeout 3.5 "$@" 2>"$DIR/err"
	wait_for 10 healthy "$DIR/s"
	[ "$(post)" = 202 ]
}

post() {
	curl -s -o /dev/null -w '%{http_code}' --unix-socket "$DIR/s" \
		-d "$(increment 1)" http://localhost/increment
}
# taken: one that was too late (504) may be in the queue all the same; $late
late=0
taken() {
	local answer
	answer=$(post)
	[ "$answer" != 504 ] || late=$((late + 1))
	[ "$answer" = 202 ]
}
# has_taken N: so many, and of those that were late any
has_taken() { (($(ready) >= $1 && $(ready) <= $1 + late)); }

# crowd N [SECONDS]: as in crowd.pl; the statuses with their numbers
crowd() {
	"$ROOT/tests/bats/crowd.pl" "$DIR/s" "$@" >"$DIR/answers"
	awk '{ n[$1]++ } END { for (code in n) print code, n[code] }' \
		"$DIR/answers" | sort | xargs | tee /dev/stderr
	echo "slowest: $(slowest) ms" >&2
}
# at_once: none of a hundred waits, which would take --wait, 1.5 s.  On a loaded
# machine all may be late for once.
at_once() { [ "$(crowd 100)" = "503 100" ] && [ "$(slowest)" -lt 1000 ]; }
# slowest: milliseconds
slowest() { sort -nk 2 "$DIR/answers" | tail -n 1 | cut -d ' ' -f 2; }

@test "Redis is killed: 503 for 5,000 clients, and then at once" {
	own_redis --appendfsync always
	ingest "$REDIS_URL"
	kill -9 "$(redis_pid)"
	wait_for 5 gone "$(redis_pid)"
	[ "$(crowd 5000)" = "503 5000" ]
	wait_for 5 at_once
	own_redis --appendfsync always
	wait_for 10 taken
	wait_for 5 has_taken 2
}

@test "Redis in a black hole: 503 for all but what was sent" {
	local port hole
	port=$(free_port)
	own_redis --port "$port"
	hole=$(free_port)
	background perl "$ROOT/tests/bats/hole.pl" "$hole" 127.0.0.1:"$port" "$DIR"
	wait_for 10 listens "$hole"
	ingest "redis://127.0.0.1:$hole"
	touch "$DIR/shut" "$DIR/all"
	wait_for 5 test -e "$DIR/alled"
	background post >"$DIR/first"
	# The batch of this one is in the hole.
	wait_for 5 in_flight "$hole"
	[ "$(crowd 5000)" = "503 5000" ]
	wait_for 5 grep -qx 504 "$DIR/first"
	rm "$DIR/shut"
	wait_for 10 taken
	wait_for 5 has_taken 2
}
listens() { [ -n "$(ss -Hltn "sport = :$1")" ]; }
# in_flight PORT: bytes to it are not acknowledged
in_flight() { ss -Htn "dport = :$1" | awk '$3 > 0 { found = 1 } END { exit !found }'; }

@test "Redis wants a replica: 503 for 5,000 clients, and then at once" {
	local n=5000
	# A slow build's verdicts come too late.
	not sanitized incr-publish || n=1500
	own_redis
	ingest "$REDIS_URL"
	rcli config set min-replicas-to-write 1
	[ "$(crowd $n)" = "503 $n" ]
	# The outage is not over because nothing is left to be sent.
	wait_for 5 at_once
	rcli config set min-replicas-to-write 0
	wait_for 10 taken
	wait_for 5 has_taken 2
}
