#!/usr/bin/env bats
# A consumer lives only while both its halves do: one half of a drain stands
# still, or can't reach a server, with a healthy second drain beside it.
# No process is gone, so only marks can tell.

bats_require_minimum_version 1.5.0
load helper

setup_file() {
	unset MAKEFLAGS MAKELEVEL
	[ -n "${INCR_POINTS_BIN:-}" ] || make -s -C "$ROOT" points >/dev/null
}

setup() {
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	export TMPDIR=$PWD
}

teardown() {
	end_background
	[ -z "${LINKS-}" ] || rm -rf "$LINKS"
}

# drain NAME [ARG...]: its halves are $consume and $flush
drain() {
	local name=$1
	shift
	background setsid incr-drain "$@" 2>"$name.err"
	flush=$!
	wait_for 10 grep -qx incr-flush "/proc/$flush/comm"
	wait_for 10 has_consume
	consume=$(pgrep -P "$flush" -x incr-consume)
	wait_for 10 marked "$((++drains))"
}
drains=0
consumers() { rcli --raw smembers "incr::queue::[$INCR_QUEUE]::consumers"; }
# owner ID, flush_mark ID: these keys of a consumer
owner() { rcli get "incr::queue::[$INCR_QUEUE]::consumer::$1::owner"; }
flush_mark() { rcli get "incr::queue::[$INCR_QUEUE]::consumer::$1::flush"; }
has_consume() { pgrep -P "$flush" -x incr-consume; }
# marked N: so many consumers have a flush mark
marked() {
	[ "$(rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::consumer::*::flush" |
		grep -c .)" -ge "$1" ]
}
taken() { not no_batches && [ "$(ready)" = 0 ]; }

# points: what comes is of the build that has fault points
points() { PATH=${INCR_POINTS_BIN:-$ROOT/build/points/bin}:$PATH; }
stopped() { grep -q '^State:	T' "/proc/$1/status"; }

# sent: increments 1 to 10, now in a batch of the first drain
sent() {
	begun=${EPOCHREALTIME/./}
	increments 1 10 | incr-publish
	wait_for 5 taken
}
in_time() { # SUM [SECONDS]
	wait_for "${2:-10}" sum_is "$1"
	echo "# visible after $(((${EPOCHREALTIME/./} - begun) / 1000)) ms" >&3
	not elapsed "$begun" "${2:-10}000000"
}

@test "incr-flush stands still: the other drain counts in ten seconds" {
	drain first
	sent
	kill -STOP "$flush"
	stopped=$flush
	drain second
	in_time 55
	wait_for 5 no_batches
	# It wakes up, and what it held is not counted again.
	kill -CONT "$stopped"
	begun=${EPOCHREALTIME/./}
	increment 100 | incr-publish
	in_time 155
	[ "$(rejected)" = 0 ]
}

# Its mark is the short one: it has something in hand.
read_by_flush() {
	local mark
	mark=$(rcli get "$(rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::consumer::*::flush")")
	((${mark%% *} - $(date +%s%3N) <= 1000))
}

@test "incr-consume stands still right after a take: ten seconds" {
	(
		points
		# The window of its first batch closes much later.
		INCR_POINT=consume-taken:stop:2 drain first -- -i 20
		echo "$consume" >stopped
	)
	sent
	wait_for 5 read_by_flush
	begun=${EPOCHREALTIME/./}
	increment 100 | incr-publish
	wait_for 5 stopped "$(cat stopped)"
	drain second
	in_time 155
	wait_for 5 no_batches
}

@test "an incr-flush that never began: its consumer's batches after five seconds" {
	mkfifo lines
	exec 9<>lines
	background incr-consume >lines 9>&-
	wait_for 10 registered_one
	sent
	drain second
	in_time 55
	wait_for 5 no_batches
}
registered_one() { [ "$(rcli scard "incr::queue::[$INCR_QUEUE]::consumers")" = 1 ]; }

@test "while its flush stands still a consumer takes and adopts nothing" {
	drain first
	kill -STOP "$flush"
	id=$(consumers)
	wait_for 10 run_out
	increments 1 10 | incr-publish
	renewed 5
	[ "$(ready)" = 10 ]
	no_batches
	begun=${EPOCHREALTIME/./}
	drain second
	in_time 55
}
run_out() { # the flush mark of $id
	local until
	until=$(flush_mark "$id")
	((${until%% *} < $(date +%s%3N)))
}
owner_lives() { # FROM TO: milliseconds
	local ms
	ms=$(rcli pttl "incr::queue::[$INCR_QUEUE]::consumer::$id::owner")
	((ms >= $1 && ms <= $2))
}
# renewed N: $id has renewed itself so often since, and looked about as often
renewed() {
	local n
	for ((n = 0; n < $1; n++)); do
		wait_for 5 owner_lives 0 850
		wait_for 5 owner_lives 900 1000
	done
}

@test "a statement without an answer: no mark, but it goes on waiting" {
	lock increments
	drain first -- -i 0.1
	id=$(consumers)
	increments 1 10 | incr-publish
	wait_for 5 waits_for_lock
	wait_for 10 run_out
	# Others may have what comes next.
	increment 100 | incr-publish
	renewed 3
	run_out
	[ "$(ready)" = 1 ]
	waits_for_lock
	[ "$(connections)" = 1 ]
	unlock
	wait_for 10 sum_is 155
	wait_for 5 not run_out
	wait_for 5 no_batches
	kill "$flush"
	wait "$flush"
	# Nothing but that it was late, and what has no mark takes nothing.
	not grep -vE 'increments wait for more than|: nothing taken for 3 s, no mark of incr-flush in this Redis; waiting$|: taking again$' first.err
}
connections() {
	sql "select count(*) from pg_stat_activity where datname =
		current_database() and application_name = 'incr-flush'"
}

@test "incr-consume has left in order: its being gone is no sign of death" {
	drain first
	id=$(consumers)
	kill -STOP "$flush"
	increments 1 10 | incr-publish
	wait_for 5 taken
	kill "$consume"
	wait_for 5 gone "$consume"
	left=$id first=$flush
	# So long others wait for a flush that is silent: five seconds.
	rcli pexpire "incr::queue::[$INCR_QUEUE]::consumer::$left::owner" 60000
	drain second
	id=$(consumers | grep -v "$left")
	renewed 3
	[[ "$(owner "$left")" == "$left "*' end' ]]
	kill -CONT "$first"
	wait "$first"
	quiet first.err
	sum_is 55
}

@test "consumers that live share the orphans of a look" {
	local n
	for n in first second; do
		mkdir "$n"
		INCR_METRICS_DIR=$PWD/$n drain "$n" -- -i 0.1
	done
	orphans 8 | rcli >/dev/null
	wait_for 10 sum_is 36
	wait_for 5 adopted_are 8
	[ "$(adopted first)" -ge 2 ]
	[ "$(adopted second)" -ge 2 ]
}
adopted() { # NAME
	sed -n 's/^incr_adopted_batches_total.* //p' "$1"/incr-consume-*.prom
}
adopted_are() { [ "$(($(adopted first) + $(adopted second)))" = "$1" ]; }

# marks_change N: the mark of $id so often, and never runs out
marks_change() {
	local n was
	for ((n = 0; n < $1; n++)); do
		was=$(flush_mark "$id")
		wait_for 5 not mark_is "$was"
		not run_out
	done
}
mark_is() { [ "$(flush_mark "$id")" = "$1" ]; }
# owned_by ID PID
owned_by() { [[ "$(owner "$1")" == *" $2 "* ]]; }

@test "after the end marks go on while acknowledgements are refused" {
	drain first
	id=$(consumers)
	rcli set "rmq::queue::[$INCR_QUEUE]::rejected" wrong-type
	echo nonsense | put_stdin
	increments 1 10 | incr-publish
	wait_for 5 taken
	kill "$consume"
	wait_for 5 gone "$consume"
	wait_for 5 sum_is 55
	wait_for 5 owned_by "$id" "$flush"
	marks_change 8
	owned_by "$id" "$flush"
	rcli del "rmq::queue::[$INCR_QUEUE]::rejected"
	wait_for 5 gone "$flush"
	no_batches
	[ "$(rejected)" = 1 ]
}

@test "after the end the consumer that has only adopted stays an owner" {
	rcli set "rmq::queue::[$INCR_QUEUE]::rejected" wrong-type
	orphans 1 | sed 's/{.*}/nonsense/' | rcli
	orphan=$(consumers)
	drain first
	id=$(consumers | grep -v "$orphan")
	wait_for 5 owned_by "$orphan" "$consume"
	wait_for 5 has_rejected_one
	kill "$consume"
	wait_for 5 gone "$consume"
	wait_for 5 owned_by "$orphan" "$flush"
	wait_for 5 owned_by "$id" "$flush"
	marks_change 4
	rcli del "rmq::queue::[$INCR_QUEUE]::rejected"
	wait_for 5 gone "$flush"
	no_batches
}
# Committed: its row is there.
has_rejected_one() { [ "$(sql "select count(*) from incr_ledger where consumer = '$orphan'")" = 1 ]; }

@test "a mark whose connection breaks is made again at once" {
	points
	own_redis
	background rcli monitor >commands
	wait_for 5 grep -q OK commands
	INCR_POINT=flush-mark-sent:drop:2 drain first
	# So that the second one is not answered before it is lost.
	rcli client pause 2200 write >/dev/null
	wait_for 10 made_soon
}
# There is one soon on the connection after the lost one.  An idle mark is
# renewed every two seconds.
made_soon() {
	awk '/"SCRIPT" "LOAD"/ && made { again = $1 }
		/"SET" ".*::flush"/ {
			made = 1
			if (again && $1 - again < 1.5)
				soon = 1
		}
		END { exit !soon }' commands
}

@test "who has nothing in hand any more says so before its last mark runs out" {
	own_redis
	background rcli monitor >commands
	wait_for 5 grep -q OK commands
	drain first -- -i 0.3
	increments 1 10 | incr-publish
	wait_for 5 sum_is 55
	wait_for 10 idle_again
	run -0 awk "$LAST_MARKS" commands
	[ "$output" -lt 1500 ]
}
# Milliseconds from the last mark of a second to the one of five behind it, which
# ends the short ones; status 1 if there is none.
LAST_MARKS='/"SET" ".*::flush"/ {
		text = $0
		sub(/.*::flush" "/, "", text)
		now = $1 * 1000
		life = text - now
		if (life > 2600 && short)
			idle = now - short
		short = life < 1100 ? now : 0
	}
	END { printf "%d", idle; exit !idle }'
idle_again() { awk "$LAST_MARKS" commands; }

# -- a machine dies -----------------------------------------------------------

# Of ten seconds, two are for this: the life of a mark, two looks, the take, and
# the way to incr-flush.
@test "a machine with eight drains dies: another one has all in two seconds" {
	unshare --pid --fork --kill-child --mount-proc true 2>/dev/null ||
		skip "no PID namespaces here"
	# Not a process of this machine: only marks tell.
	background unshare --pid --fork --kill-child --mount-proc sh -c '
		for n in 1 2 3 4 5 6 7 8; do incr-drain -n 1 -- -i 20 & done; wait'
	machine=$!
	wait_for 10 marked 8
	wait_for 20 all_hold 8 100
	background setsid sh -c 'incr-consume | tee stream | incr-flush'
	wait_for 10 marked 9
	n=$(batches | wc -l)
	kill -9 "$machine"
	begun=${EPOCHREALTIME/./}
	wait_for 5 delivered "$n"
	echo "# delivered after $(((${EPOCHREALTIME/./} - begun) / 1000)) ms" >&3
	not elapsed "$begun" 2000000
	wait_for 5 sum_is "$pushed"
}
# all_hold N LINES: so many consumers have batches, of so many more lines each
# time; $pushed is how many in all, of value 1 each
pushed=0
all_hold() {
	pushed=$((pushed + $2))
	yes "lpush rmq::queue::[$INCR_QUEUE]::ready '$(increment 1)'" |
		head -n "$2" | rcli
	wait_for 5 taken
	[ "$(batches | sed 's/::batch::.*//' | sort -u | wc -l)" = "$1" ]
}
delivered() { [ "$(grep -c '"adopted":true' stream)" = "$1" ]; }

# -- links that are black holes ---------------------------------------------

# link REDIS|DATABASE: a proxy; $through is the URL that leads through it.
# While it stands still nothing comes through, and connections stay open.
link() {
	local server path
	LINKS=$(mktemp -d /tmp/incr-halves.XXXXXX)
	case $1 in
	REDIS)
		server=${REDIS_URL#unix://} path=$LINKS/s
		through=unix://$path
		;;
	DATABASE)
		server=$INCR_SUITE/pg/.s.PGSQL.5432 path=$LINKS/.s.PGSQL.5432
		through=${DATABASE_URL//$INCR_SUITE\/pg/$LINKS}
		;;
	esac
	background "$ROOT/tests/bats/proxy.pl" "$path" "$server" .
	link=$!
	wait_for 5 test -S "$path"
}

# parted NAME: a drain whose halves have the links of CONSUME_REDIS,
# FLUSH_REDIS and FLUSH_DATABASE
parted() {
	mkfifo "$1.lines"
	exec 9<>"$1.lines"
	DATABASE_URL=${FLUSH_DATABASE:-$DATABASE_URL} \
		REDIS_URL=${FLUSH_REDIS:-$REDIS_URL} \
		background incr-flush <"$1.lines" 2>"$1.err" 9>&-
	flush=$!
	REDIS_URL=${CONSUME_REDIS:-$REDIS_URL} \
		background incr-consume >"$1.lines" 2>>"$1.err" 9>&-
	consume=$!
	exec 9>&-
	wait_for 10 marked "$((++drains))"
}

# hole SECONDS: $link, at the worst moment, with a batch in a window; a second
# drain counts and acknowledges it, and nothing is counted twice when it is one
# no more.
hole() {
	sent
	wait_for 5 read_by_flush
	kill -STOP "$link"
	counted_by_second "$1"
}
counted_by_second() {
	drain second
	in_time 55 "$1"
	wait_for 5 no_batches
	kill -CONT "$link"
	begun=${EPOCHREALTIME/./}
	increment 100 | incr-publish
	in_time 155
	wait_for 10 no_batches
	[ "$(rejected)" = 0 ]
}

# lose_take: what is published is taken, and $link keeps the answer
lose_take() {
	touch lose-take
	begun=${EPOCHREALTIME/./}
	increments 1 10 | incr-publish
	wait_for 5 test -s held-out
	until taken; do # that was to a take of nothing
		touch lose-take
		rm held-out
		wait_for 5 test -s held-out
	done
}

@test "a black hole between incr-consume and Redis: ten seconds" {
	link REDIS
	CONSUME_REDIS=$through parted first
	lose_take
	kill -STOP "$link"
	rm held-out
	counted_by_second 10
}

@test "a black hole between incr-flush and Redis: ten seconds" {
	link REDIS
	FLUSH_REDIS=$through parted first
	hole 10
}

@test "a black hole between incr-flush and Postgres: fifteen seconds" {
	link DATABASE
	FLUSH_DATABASE=$through parted first
	hole 15
}

@test "a pooler that hangs: fifteen seconds" {
	through=$(
		pooler
		echo "$DATABASE_URL"
	)
	link=$(cat "$BATS_TEST_TMPDIR/pool/pid")
	FLUSH_DATABASE=$through parted first
	hole 15
}

# -- nothing comes -------------------------------------------------------------

# calls: those of scripts since the monitor began, but for the flush's marks
calls() { grep '"EVALSHA"' monitor | grep -v '"4" "[^"]*::consumers" "[^"]*::flush"'; }
looks() { [ "$(calls | tail -n +"$1" | grep -c '"[0-9]*" "[^"]*::consumers" "rmq:')" -ge 6 ]; }
# rests: its last calls were looks
rests() { [ "$(calls | tail -n 6 | grep -c '"[0-9]*" "[^"]*::consumers" "rmq:')" = 6 ]; }

@test "an idle drain makes one call a look, and leaves the AOF alone" {
	local size n
	own_redis --auto-aof-rewrite-percentage 0
	drain first
	background redis-cli -s "$OWN_REDIS/redis.sock" monitor >monitor
	wait_for 20 rests
	size=$(aof)
	n=$(calls | wc -l)
	wait_for 20 looks $((n + 1))
	[ "$(aof)" = "$size" ]
	# A look tells that there is something.
	increments 1 10 | incr-publish
	wait_for 5 taken
	wait_for 20 sum_is 55
}
aof() { rcli info persistence | sed -n 's/^aof_current_size:\([0-9]*\).*/\1/p'; }

# What it takes has no answer; from then on its looks would stand for takes, if
# they could: each finds nothing ready, and a mark.
@test "a take whose answer was lost is repeated, whatever looks tell" {
	link REDIS
	begun=${EPOCHREALTIME/./}
	REDIS_URL=$through background incr-consume >lines
	wait_for 10 elapsed "$begun" 1500000
	wait_for 10 has '"seq":0' lines
	lose_take
	touch cut
	rm held-out
	wait_for 20 taken_again
}
taken_again() {
	rcli set "incr::queue::[$INCR_QUEUE]::consumer::$(consumers)::flush" \
		"$(($(date +%s%3N) + 4000)) $(consumers)" >/dev/null
	has '"seq":1' lines
}

# -- everybody is slow ---------------------------------------------------------

# quota NAME...: a tenth of the time for each half of these drains
quota() {
	local pids
	pids=$(for name; do cat "$name.pids"; done)
	# shellcheck disable=SC2086 # words
	background perl -e '
		for (;;) {
			kill STOP => @ARGV;
			select undef, undef, undef, 0.09;
			kill CONT => @ARGV;
			select undef, undef, undef, 0.01;
		}' $pids
	quota=$!
}

@test "a tenth of a CPU, Postgres away for all for 20 s: nothing goes in circles" {
	local n names=(first second third)
	link DATABASE
	for n in "${names[@]}"; do
		mkdir "$n"
		DATABASE_URL=$through INCR_METRICS_DIR=$PWD/$n drain "$n"
		echo "$flush $consume" >"$n.pids"
	done
	wait_for 20 all_hold 3 1
	kill -STOP "$link"
	quota "${names[@]}"
	begun=${EPOCHREALTIME/./}
	# Each has a statement without an answer by now, and no mark.
	wait_for 15 elapsed "$begun" 15000000
	n=$(adoptions)
	wait_for 20 elapsed "$begun" 20000000
	echo "# $pushed batches adopted $n times, then $(adoptions)" >&3
	[ "$(adoptions)" = "$n" ]
	kill -CONT "$link"
	wait_for 20 sum_is "$pushed"
	wait_for 10 no_batches
	# Once by each, as these stall one after the other, and once at the end.
	(($(adoptions) <= 4 * pushed))
}
adoptions() {
	cat ./*/incr-consume-*.prom |
		awk '/^incr_adopted_batches_total/ { n += $2 } END { print n }'
}
