#!/usr/bin/env bats
# Fault points: the programs of make points (lib/base/failpoint.h), killed, stopped or
# disconnected at each step between a request's body and the acknowledgement.
#
# To add a point: write FAILPOINT("program-step") (or a relative of FAILPOINT)
# where it happens, a line with the name in the table of lib/base/failpoint.c, and
# rows here: one with kill, one with stop where others may take over in the
# meantime, one with drop where a connection is at work.  A row is what
# INCR_POINT is set to, and what must be true afterwards.
#
# The rows of a table run several at a time, each in a folder and with a
# queue and a key of its own.

# bats file_tags=points
bats_require_minimum_version 1.8.0
INCR_BIN=${INCR_POINTS_BIN:-$BATS_TEST_DIRNAME/../../build/points/bin}
load helper

ROWS=6    # at a time
SUM=210   # of what a row begins with: 20 increments, and a dead letter
LATER=500 # what comes when a stopped program has gone on

setup_file() {
	unset MAKEFLAGS MAKELEVEL
	[ -n "${INCR_POINTS_BIN:-}" ] || make -s -C "$ROOT" points >/dev/null
}

setup() {
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	export INCR_METRICS_DIR=
}

teardown() {
	end_background
}

# -- tables ------------------------------------------------------------------

# rows FUNCTION: called with the words of each line of standard input
rows() {
	local words n=0 failed=0 pids=()
	while read -ra words <&9; do
		n=$((n + 1))
		[ $n -le $ROWS ] || one_ended "${pids[$n - ROWS]}"
		row $n "$@" "${words[@]}" >"$n.log" 2>&1 &
		pids[n]=$!
		echo "${words[*]}" >"$n.row"
	done 9<&0 </dev/null
	for n in "${!pids[@]}"; do
		wait "${pids[$n]}" && continue
		echo "failed: $(cat "$n.row")"
		cat "$n.log"
		failed=1
	done
	[ "$n" -gt 0 ]
	return $failed
}
one_ended() { wait "$1" || :; }

row() { # N FUNCTION WORDS...
	exec 9<&- 3>&-
	trap - DEBUG
	trap 'echo "line $LINENO: $BASH_COMMAND"' ERR
	set -e
	KEY=00000000-0000-4000-8000-$(printf %012d "$1")
	INCR_QUEUE+=-$1
	mkdir "$1"
	cd "$1"
	shift
	"$@"
}

status_of() {
	local status=0
	wait_for 20 gone "$1"
	wait "$1" || status=$?
	[[ "$status" =~ ^($2)$ ]] || {
		echo "status $status, not $2"
		return 1
	}
}
stopped() { grep -q '^State:	T' "/proc/$1/status"; }

# -- incr-consume | incr-flush -------------------------------------------------

# given ready|orphan|held|back: what there is to be counted, waiting or in a
# batch of a consumer that is gone; held: waiting, and no statement ends before
# release, so that incr-flush still has all of it when incr-consume has left;
# back: it was counted and is kept, and Postgres went back.
given() {
	rcli lpush "rmq::queue::[$INCR_QUEUE]::ready" nonsense >/dev/null
	increments 1 20 | incr-publish
	[ "$1" != orphan ] || incr-consume -o >/dev/null
	[ "$1" != back ] || goes_back
	[ "$1" != held ] || hold "insert into increments values ('$KEY', 1)"
}
goes_back() {
	incr-consume -o >given
	incr-flush -k 60 <given && false
	sum_is $SUM
	sql "delete from increments where key = '$KEY'"
	sql "delete from incr_ledger where queue = '$INCR_QUEUE'"
}
release() { [ -z "${LOCK-}" ] || unlock; }
# claimed: incr-flush has made itself the owner of what it holds
claimed() {
	rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::consumer::*::owner" |
		while read -r key; do rcli get "$key"; done |
		grep -q " $flush [0-9]*$"
}

# drain [ARG...]: incr-consume ARG | incr-flush; sets both as pids
drain() {
	mkfifo lines
	exec 8<>lines
	background incr-flush -i 0.1 <lines 8>&-
	flush=$!
	background incr-consume "$@" >lines 8>&-
	consume=$!
	exec 8>&-
	rm lines
}

has_consumers() {
	[ "$(rcli scard "incr::queue::[$INCR_QUEUE]::consumers")" = "$1" ]
}
sum_is_one_of() { [[ "$(sum_of)" =~ ^($1)$ ]]; }
drained() { sum_is "$1" && no_batches && has_ready 0; }

# settled SUM: all of it is in the table and nothing else anywhere: no batch,
# no payload, the dead letter once, no key of a consumer that has finished, but
# the number of its last batch; and the totals agree with the ledger
settled() {
	local last
	sum_is "$1"
	incr-audit "$KEY" >audited
	no_batches
	has_ready 0
	[ "$(rejected)" -eq 1 ]
	silence
	wait_for 20 swept
	rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::consumer::*" >keys
	not grep -vE "::($last::.*|last)$" keys
}

# swept: of all consumers the last one is left, which has just finished.  A look
# may find some that it has to learn the keys of first.
swept() {
	incr-consume -o >swept
	last=$(sed -n 's/.*"consumer":"\([^"]*\)".*/\1/p;q' swept)
	[ "$(rcli smembers "incr::queue::[$INCR_QUEUE]::consumers")" = "$last" ]
}

# silence: nobody has renewed anything for more than half a second: before, a
# process that is gone is not looked for. Who lives renews it again.
silence() {
	rcli eval "local time = redis.call('TIME')
		local soon = time[1] * 1000 + math.floor(time[2] / 1000) + 400
		for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
			local keys = ARGV[1] .. id
			redis.call('PEXPIRE', keys .. '::owner', 400)
			local mark = redis.call('GET', keys .. '::flush')
			if mark then
				redis.call('SET', keys .. '::flush', (mark:gsub('^%d+',
					string.format('%d', soon))), 'KEEPTTL')
			end
		end" 1 "incr::queue::[$INCR_QUEUE]::consumers" \
		"incr::queue::[$INCR_QUEUE]::consumer::"
}

# killed FAILPOINT GIVEN STATUS-OF-CONSUME STATUS-OF-FLUSH SUM [ARG...]: what is
# in the table then, maybe one of several; the rest comes with the next ones.
killed() {
	local statuses
	given "$2"
	INCR_POINT=$1 drain "${@:6}"
	status_of "$consume" "$3"
	status_of "$flush" "$4"
	release
	wait_for 5 sum_is_one_of "$5"
	# What went back is found by a check, which -o does not wait for.
	if [ "$2" = back ]; then
		comes_back
		status_of "$consume" 0
		status_of "$flush" '[01]'
	else
		incr-consume -o | incr-flush -i 0.1 ||
			statuses=("${PIPESTATUS[@]}")
	fi
	# Of dead letters flush says 1.
	[[ "${statuses[*]:-0 0}" == '0 '[01] ]]
	settled $SUM
}

@test "kill -9 of incr-consume at each point: counted once by the next" {
	rows killed <<-END
		consume-register-sent:kill ready 137 0 0
		consume-registered:kill ready 137 0 0
		consume-take-sent:kill ready 137 111 0
		consume-list-sent:kill ready 137 111 0
		consume-taken:kill ready 137 111 0
		consume-half:kill ready 137 111 0
		consume-half:kill:2 ready 137 111 0
		consume-lines:kill ready 137 111 0
		consume-checkpoint-half:kill:2 ready 137 111 0
		consume-written:kill ready 137 111 0
		consume-written:kill:2 ready 137 111 $SUM
		consume-end:kill ready 137 1 $SUM -o
		consume-renew-sent:kill ready 137 111 $SUM
		consume-renewed:kill ready 137 111 $SUM
		consume-adopt-sent:kill orphan 137 111 0
		consume-adopted:kill orphan 137 111 0
		consume-read-sent:kill orphan 137 111 0
		consume-read:kill orphan 137 111 0
	END
}

@test "kill -9 of incr-flush at each point: counted once by the next" {
	rows killed <<-END
		flush-ask-sent:kill ready 111 137 0
		flush-checkpoint:kill ready 111 137 0
		flush-look-sent:kill orphan 111 137 0
		flush-row:kill orphan 111 137 0
		flush-closed:kill ready 111 137 0
		flush-sent:kill ready 111 137 $SUM
		flush-committed:kill ready 111 137 $SUM
		flush-adopted-closed:kill orphan 111 137 0
		flush-adopted-sent:kill orphan 111 137 $SUM
		flush-adopted-committed:kill orphan 111 137 $SUM
		flush-acknowledge-sent:kill ready 111 137 $SUM
		flush-acknowledged:kill ready 111 137 $SUM
		flush-mark-sent:kill ready 111 137 0
		flush-marked:kill ready 111 137 0
		flush-restore-sent:kill:2 back 111 137 0
		flush-restored:kill back 111 137 0
		flush-rows:kill back 111 137 0
		flush-trim-sent:kill ready 111 137 0|$SUM
		flush-renew-sent:kill held 0 137 0|$SUM -o
		flush-renewed:kill held 0 137 0|$SUM -o
	END
}

# stopped_for_long FAILPOINT GIVEN STATUS-OF-CONSUME STATUS-OF-FLUSH [ARG...]:
# until others have taken over, counted, swept it and left.
stopped_for_long() {
	local victim first begun
	given "$2"
	INCR_POINT=$1 drain "${@:5}"
	first=("$consume" "$flush")
	victim=$consume
	[[ "$1" == consume-* ]] || victim=$flush
	wait_for 10 stopped "$victim"
	# half_stopped: it goes on.
	[ "$victim" = "$consume" ] || kill -9 "$consume" || gone "$consume"
	release
	begun=${EPOCHREALTIME/./}
	drain
	wait_for 10 drained $SUM
	not elapsed "$begun" 10000000
	wait_for 10 has_consumers 1
	leave "$consume" "$flush" 0 '[01]'
	kill -CONT "$victim"
	increment $LATER | incr-publish
	if [ "$victim" = "${first[0]}" ]; then
		wait_for 10 drained $((SUM + LATER))
	else
		wait_for 10 gone "$victim"
		incr-consume -o | incr-flush -i 0.1
	fi
	leave "${first[@]}" "$3" "$4"
	settled $((SUM + LATER))
}

# leave CONSUME FLUSH STATUS STATUS
leave() {
	kill "$1" || gone "$1"
	status_of "$1" "$3"
	status_of "$2" "$4"
}

@test "incr-consume stops at each point, others take over, it goes on" {
	rows stopped_for_long <<-END
		consume-register-sent:stop ready 0 0
		consume-registered:stop ready 0 0
		consume-take-sent:stop ready 0 [01]
		consume-list-sent:stop ready 0 [01]
		consume-taken:stop ready 0 1
		consume-half:stop ready 0 0
		consume-half:stop:2 ready 0 1
		consume-lines:stop ready 0 1
		consume-checkpoint-half:stop:2 ready 0 1
		consume-written:stop ready 0 0
		consume-written:stop:2 ready 0 1
		consume-renew-sent:stop ready 0 1
		consume-renewed:stop ready 0 1
		consume-adopt-sent:stop orphan 0 [01]
		consume-adopted:stop orphan 0 0
		consume-read-sent:stop orphan 0 [01]
		consume-read:stop orphan 0 1
	END
}

@test "incr-flush stops at each point, others take over, it goes on" {
	rows stopped_for_long <<-END
		flush-ask-sent:stop ready 137 111
		flush-checkpoint:stop ready 137 111
		flush-look-sent:stop orphan 137 111
		flush-row:stop orphan 137 111
		flush-closed:stop ready 137 111
		flush-sent:stop ready 137 111
		flush-committed:stop ready 137 111
		flush-adopted-closed:stop orphan 137 111
		flush-adopted-sent:stop orphan 137 111
		flush-adopted-committed:stop orphan 137 111
		flush-acknowledge-sent:stop ready 137 111
		flush-acknowledged:stop ready 137 111
		flush-mark-sent:stop ready 137 111
		flush-marked:stop ready 137 111
		flush-restore-sent:stop:2 back 137 111
		flush-restored:stop back 137 111
		flush-rows:stop back 137 111
		flush-trim-sent:stop ready 137 111
		flush-renew-sent:stop held 0 1 -o
		flush-renewed:stop held 0 1 -o
	END
}

# half_stopped FAILPOINT GIVEN: incr-flush alone, for so long that others have
# taken over from it; its incr-consume goes on all the time.
half_stopped() {
	local first begun
	given "$2"
	INCR_POINT=$1 drain
	first=("$consume" "$flush")
	wait_for 10 stopped "$flush"
	begun=${EPOCHREALTIME/./}
	drain
	wait_for 10 drained $SUM
	not elapsed "$begun" 10000000
	leave "$consume" "$flush" 0 '[01]'
	kill -CONT "${first[1]}"
	increment $LATER | incr-publish
	wait_for 10 drained $((SUM + LATER))
	leave "${first[@]}" 0 '[01]'
	settled $((SUM + LATER))
}

@test "incr-flush stops at each point, incr-consume does not: ten seconds" {
	rows half_stopped <<-END
		flush-ask-sent:stop ready
		flush-trim-sent:stop ready
		flush-checkpoint:stop ready
		flush-look-sent:stop orphan
		flush-row:stop orphan
		flush-closed:stop ready
		flush-sent:stop ready
		flush-committed:stop ready
		flush-acknowledge-sent:stop ready
		flush-acknowledged:stop ready
		flush-mark-sent:stop ready
		flush-marked:stop ready
	END
}

# dropped FAILPOINT GIVEN: connections break there, and it goes on
dropped() {
	given "$2"
	[ "$2" = back ] || INCR_POINT=$1 drain -o
	[ "$2" != back ] || INCR_POINT=$1 comes_back
	status_of "$consume" 0
	[ "$2" != held ] || wait_for 10 claimed
	release
	status_of "$flush" 1
	settled $SUM
}

comes_back() {
	drain
	wait_for 10 drained $SUM
	kill "$consume"
}

@test "connections to Redis and Postgres break at each point" {
	rows dropped <<-END
		consume-register-sent:drop ready
		consume-registered:drop ready
		consume-take-sent:drop ready
		consume-list-sent:drop ready
		consume-taken:drop ready
		consume-renew-sent:drop ready
		consume-adopt-sent:drop orphan
		consume-adopted:drop orphan
		consume-read-sent:drop orphan
		consume-read:drop orphan
		flush-ask-sent:drop ready
		flush-checkpoint:drop ready
		flush-look-sent:drop orphan
		flush-row:drop orphan
		flush-closed:drop ready
		flush-sent:drop ready
		flush-committed:drop ready
		flush-adopted-closed:drop orphan
		flush-adopted-sent:drop orphan
		flush-adopted-committed:drop orphan
		flush-acknowledge-sent:drop ready
		flush-acknowledged:drop ready
		flush-mark-sent:drop ready
		flush-marked:drop ready
		flush-restore-sent:drop:2 back
		flush-restored:drop back
		flush-trim-sent:drop ready
		flush-renew-sent:drop held
		flush-renewed:drop held
	END
}

# replayed ACTION STATUS: a stream that was counted comes again
replayed() {
	local consumer
	given ready
	incr-consume -o >stream
	incr-flush <stream && false
	sum_is $SUM
	consumer=$(sed -n '1s/.*"consumer":"\([^"]*\)".*/\1/p' stream)
	rcli sadd "incr::queue::[$INCR_QUEUE]::consumers" "$consumer"
	INCR_POINT=flush-unmoved:$1 background incr-flush <stream
	flush=$!
	if [ "$1" = stop ]; then
		wait_for 10 stopped "$flush"
		kill -CONT "$flush"
	fi
	status_of "$flush" "$2"
	incr-flush <stream && false
	settled $SUM
}

@test "a statement that moves nothing: the row says that it is counted" {
	rows replayed <<-END
		kill 137
		stop 1
		drop 1
	END
}

# unwritten FAILPOINT GIVEN: killed when the sum is in the table and was not
# written, whoever adopts the batch writes it.
unwritten() {
	given "$2"
	incr-consume -o >stream
	INCR_POINT=$1 background incr-flush --sums <stream >early
	status_of $! 137
	sum_is $SUM
	[ ! -s early ]
	not no_batches
	incr-consume -o | incr-flush --sums >sums || [ $? -eq 1 ]
	increment $SUM | cmp - sums
	settled $SUM
}

@test "kill -9 of incr-flush --sums: every sum is written by the next" {
	rows unwritten <<-END
		flush-committed:kill ready
		flush-adopted-committed:kill orphan
		flush-sums-read:kill ready
		flush-sums-read:kill orphan
	END
}

# plain FAILPOINT:ACTION STATUS SUM
plain() {
	increments 1 20 >in
	INCR_POINT=$1 background incr-flush <in
	flush=$!
	if [[ "$1" == *:stop ]]; then
		wait_for 10 stopped "$flush"
		kill -CONT "$flush"
	fi
	status_of "$flush" "$2"
	wait_for 5 sum_is "$3"
}

@test "incr-flush with plain input counts a window once or not at all" {
	rows plain <<-END
		flush-plain:kill 137 0
		flush-plain:stop 0 $SUM
		flush-plain:drop 0 $SUM
		flush-sent:kill 137 $SUM
		flush-sent:stop 0 $SUM
		flush-sent:drop 0 $SUM
		flush-committed:kill 137 $SUM
		flush-committed:drop 0 $SUM
	END
}

# -- incr-serve | incr-validate -e | incr-publish -e ---------------------------------

# ring [ARG...]: listens at ./s; $main is incr-serve
ring() {
	rm -f port
	background setsid incr-ingest -l ./s --port-file port --linger 0 \
		-w 0.5 "$@"
	main=$!
	wait_for 10 test -e port
}

# post VALUE: the status to standard output
post() {
	curl -s -m 10 -o body -w '%{http_code}' --unix-socket ./s \
		-d "$(increment "$1")" http://x/increment || :
}
part() { pgrep -s "$main" -x "incr-${1%%-*}"; }
part_stopped() { stopped "$(part "$1")"; }
ring_gone() { ! pgrep -s "$main"; }

# ring_killed FAILPOINT ANSWER STATUS-OF-SERVE READY: the client's answer, and
# what is in the queue; both may be alternatives.  Then the next ring.
ring_killed() {
	local n
	INCR_POINT=$1 ring
	post 1 >answer
	[[ "$(cat answer)" =~ ^($2)$ ]] || cat answer body
	[[ "$(cat answer)" =~ ^($2)$ ]]
	status_of "$main" "$3"
	wait_for 5 ring_gone
	n=$(ready)
	[[ "$n" =~ ^($4)$ ]]
	ring
	[ "$(post 2)" = 202 ]
	has_ready $((n + 1))
}

# 000 is no answer: it may have been counted.
@test "kill -9 in the ring: the answer tells what is in the queue" {
	rows ring_killed <<-END
		serve-body:kill 000 137 0
		serve-half:kill 000 137 0
		serve-written:kill 000 137 0|1
		serve-verdict:kill 000 137 1
		serve-answer-half:kill 000|202 137 1
		serve-answer:kill 202 137 1
		validate-judged:kill 504 111 0
		validate-half:kill 503 111 0
		validate-written:kill 202 111 1
		publish-shards-sent:kill 504 111 0
		publish-introduce-sent:kill 504 111 0
		publish-introduced:kill 504 111 0
		publish-frozen:kill 504 111 0
		publish-half:kill 504 111 0
		publish-sent:kill 504 111 1
		publish-replied:kill 504 111 1
		publish-verdict-half:kill 504 111 1
		publish-verdict:kill 202 111 1
	END
}

# ring_stopped FAILPOINT ANSWER [READY]: longer than a verdict may take; then it
# goes on and what follows is answered as if nothing had been.
ring_stopped() {
	local since tries=0 ready
	INCR_POINT=$1 ring --verdict-timeout 0.2
	post 1 >answer &
	wait_for 10 part_stopped "$1"
	since=${EPOCHREALTIME/./}
	wait_for 5 elapsed "$since" ${PAUSE:-600000}
	kill -CONT "$(part "$1")"
	wait_for 10 test -s answer
	[[ "$(cat answer)" =~ ^($2)$ ]]
	wait_for 5 answered_202 2
	ready=$((${3:-2} + tries - 1))
	wait_for 5 has_ready "$ready"
	kill "$main"
	status_of "$main" 0
	has_ready "$ready"
}
# One that was too late (504) is there, too, one that was refused (503) is not;
# they are followed by one in time.
answered_202() {
	local answer
	answer=$(post "$1")
	[ "$answer" = 503 ] || tries=$((tries + 1))
	[ "$answer" = 202 ]
}

@test "a part of the ring stops for longer than a verdict may take" {
	rows ring_stopped <<-END
		serve-body:stop 202
		serve-half:stop 202|504
		serve-written:stop 202|504
		serve-verdict:stop 202
		serve-answer-half:stop 202
		serve-answer:stop 202
		validate-judged:stop 504
		validate-half:stop 504
		validate-written:stop 202
		publish-shards-sent:stop 504 1
		publish-introduce-sent:stop 504 1
		publish-introduced:stop 504
		publish-frozen:stop 504
		publish-half:stop 504
		publish-sent:stop 504
		publish-replied:stop 504
		publish-verdict-half:stop 504
		publish-verdict:stop 202
	END
}

# ring_dropped FAILPOINT: incr-publish loses Redis there
ring_dropped() {
	INCR_POINT=$1 ring
	[ "$(post 1)" = 202 ]
	[ "$(post 2)" = 202 ]
	has_ready 2
	kill "$main"
	status_of "$main" 0
}

@test "the connection of incr-publish breaks: pushed once, answered 202" {
	rows ring_dropped <<-END
		publish-shards-sent:drop
		publish-introduce-sent:drop
		publish-introduced:drop
		publish-frozen:drop
		publish-half:drop
		publish-sent:drop
		publish-replied:drop
	END
}

# large_killed FAILPOINT READY: 500 lines, in one transaction, and once more
large_killed() {
	local status=0
	increments 1 500 >lines
	INCR_POINT=$1 incr-publish <lines || status=$?
	[ "$status" = 137 ]
	has_ready "$2"
	incr-publish <lines
	has_ready $(($2 + 500))
	[ "$(queue | tail -n 500)" = "$(cat lines)" ]
}

@test "kill -9 in a transaction: all its lines are on the queue, or none" {
	rows large_killed <<-END
		publish-frozen:kill 0
		publish-sent:kill 0
		publish-opened:kill 0
		publish-half:kill 0
		publish-replied:kill 500
	END
}

# large_dropped FAILPOINT: it loses Redis there, once
large_dropped() {
	increments 1 500 >lines
	INCR_POINT=$1 incr-publish -e <lines | cmp - lines
	queue | cmp - lines
}

@test "the connection breaks in a transaction: its lines are pushed once" {
	rows large_dropped <<-END
		publish-frozen:drop
		publish-sent:drop
		publish-opened:drop
		publish-half:drop
		publish-replied:drop
	END
}

# large_stopped FAILPOINT: others publish meanwhile
large_stopped() {
	increments 1 500 >lines
	INCR_POINT=$1 background incr-publish <lines
	wait_for 10 stopped $!
	increment $LATER | incr-publish
	has_ready 1
	kill -CONT $!
	wait $!
	{ increment $LATER; cat lines; } | cmp - <(queue)
}

@test "a publisher stops in a transaction: others push, and then it" {
	rows large_stopped <<-END
		publish-frozen:stop
		publish-opened:stop
		publish-half:stop
	END
}

# calls: M for each that measures the queue, P for each that pushes the value 2
calls() {
	sed -n '/"EVALSHA"/ { /"value\\*":2/ s/.*/P/p; /::rejected"/ s/.*/M/p; }' \
		monitor | tr -d '\n'
}
sent_twice() { [[ "$(calls)" =~ P.*P ]]; }
has_come() { [ "$(date +%s)" -ge "$1" ]; }

@test "a batch in doubt is sent again before the queue is measured" {
	local file
	own_redis
	mkdir metrics
	export INCR_METRICS_DIR=$PWD/metrics
	file=metrics/incr-queue-$INCR_QUEUE.prom
	mkfifo in
	exec 8<>in
	INCR_POINT=publish-sent:drop:2 background incr-publish <in 2>err 8>&-
	increments 1 1 >&8
	wait_for 10 has_ready 1
	wait_for 10 test -s "$file"
	background redis-cli -s "$OWN_REDIS/redis.sock" monitor >monitor
	wait_for 5 grep -q OK monitor
	# As if others measured: the publisher need not for two seconds.
	cp "$file" others
	touch -d "@$(($(date +%s) + 1))" others
	mv others "$file"
	kill -STOP "$(redis_pid)"
	increments 2 2 >&8
	wait_for 15 has_come $(($(date +%s) + 6)) # now it should
	kill -CONT "$(redis_pid)"
	wait_for 15 sent_twice
	echo "$(calls)"
	[[ "$(calls)" =~ ^M*PPM*$ ]]
	exec 8>&-
	wait_for 10 has_ready 2
}

@test "a publisher whose introduction had no answer goes under another id" {
	INCR_POINT=publish-introduce-sent:drop incr-publish < <(increment 1)
	rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::publisher::*" >keys
	# Redis may have seen the first one, or not.
	for key in $(cat keys); do
		rcli get "$key"
	done >numbers
	[ "$(grep -cE "^1 " numbers)" = 1 ]
	[ "$(grep -vcE '^1 ' numbers)" = "$(grep -cE '^0( |$)' numbers)" ]
	has_ready 1
}

# Whether Redis has seen the first one or not, it is told and added once.
@test "an introduction without answer at a Redis that went back: how many, once" {
	own_redis
	mkfifo in
	exec 8<>in
	INCR_POINT=publish-introduce-sent:drop:2 background incr-publish <in 2>err 8>&-
	increments 1 4 >&8
	wait_for 10 has_ready 4
	cp -r "$OWN_REDIS/appendonlydir" older
	increments 5 11 >&8
	wait_for 10 has_ready 11
	kill -9 "$(redis_pid)"
	wait_for 10 gone "$(redis_pid)"
	rm -rf "$OWN_REDIS"/{appendonlydir,redis.sock}
	cp -r older "$OWN_REDIS/appendonlydir"
	redis_start "$OWN_REDIS"
	increments 12 12 >&8
	wait_for 20 has_ready 5
	[ "$(grep -c 'Redis lacks 7 messages' err)" = 1 ]
	[ "$(rcli hget "incr::queue::[$INCR_QUEUE]::totals" missed)" = 7 ]
}

# -- incr-send ----------------------------------------------------------------------

# sent FAILPOINT STATUS VERDICT [OPTION]: whole, half or none
sent() {
	background incr-ingest -l 127.0.0.1:0 --port-file port --linger 0
	wait_for 10 test -s port
	increment 1 >in
	INCR_URL=http://127.0.0.1:$(cat port)/increment INCR_POINT=$1 \
		background incr-send -w 5 ${4-} <in >out
	send=$!
	if [[ "$1" == *:stop ]]; then
		wait_for 10 stopped "$send"
		wait_for 5 has_ready 1
		kill -CONT "$send"
	fi
	status_of "$send" "$2"
	wait_for 5 has_ready 1
	case $3 in
	whole) cmp in out ;;
	half) [ "$(wc -c <out)" -eq $(($(wc -c <in) / 2)) ] ;;
	none) [ ! -s out ] ;;
	unknown) grep -q '"unknown"' out ;;
	esac
}

@test "incr-send at each point: a verdict is the truth, none may be either" {
	rows sent <<-END
		send-sent:kill 137 none
		send-sent:stop 0 whole
		send-sent:drop 0 whole
		send-sent:drop 111 unknown --no-keys
		send-answer:kill 137 none
		send-answer:stop 0 whole
		send-half:kill 137 half
		send-half:stop 0 whole
		send-written:kill 137 whole
		send-written:stop 0 whole
	END
}

# -- incr-rejected ------------------------------------------------------------------

# withdrawn FAILPOINT:ACTION[:NTH] STATUS READY: of 1,200 increments that are dead
# letters among others so many are on the queue then; in the end all are, once.
withdrawn() {
	local rejected="rmq::queue::[$INCR_QUEUE]::rejected" left n=0
	increments 1 1200 | sed 'p;s/.*/nonsense/' >lines
	xargs -d '\n' redis-cli -s "${REDIS_URL#unix://}" lpush "$rejected" \
		<lines >/dev/null
	INCR_POINT=$1 background incr-rejected republish >out
	left=$!
	if [[ "$1" == *:stop ]]; then
		# Another one does it all meanwhile.
		wait_for 10 stopped "$left"
		incr-rejected republish >/dev/null || n=$?
		[ "$n" -eq 1 ]
		kill -CONT "$left"
	fi
	status_of "$left" "$2"
	wait_for 5 has_ready "$3"
	incr-rejected republish >/dev/null || :
	rcli --raw lrange "rmq::queue::[$INCR_QUEUE]::ready" 0 -1 | sort |
		cmp - <(increments 1 1200 | sort)
	[ "$(incr-rejected count | tail -n 1)" = "total	1200" ]
	[[ "$1" = *:drop* ]] || return 0
	# A call that was repeated drops nothing that looks the same.
	INCR_POINT=$1 incr-rejected -y -n 30 -c not-json drop >out
	[ "$(cat out)" = '30 dropped' ]
}

@test "incr-rejected at each point: moved once, whatever becomes of the call" {
	rows withdrawn <<-END
		rejected-sent:kill 137 500
		rejected-sent:kill:2 137 999
		rejected-sent:stop 1 1200
		rejected-sent:drop 1 1200
		rejected-sent:drop:2 1 1200
		rejected-withdrawn:kill 137 500
		rejected-withdrawn:stop 1 1200
		rejected-withdrawn:drop 1 1200
	END
}

# forwarded FAILPOINT:ACTION[:NTH] STATUS: 1,200 dead letters under the plain name
# of a queue with two shards, all of which go to one of these.
forwarded() {
	local left
	for q in "$INCR_QUEUE" "$INCR_QUEUE.0" "$INCR_QUEUE.1"; do
		rcli set "incr::queue::[$q]::shards" 2 >/dev/null
	done
	increments 1 1200 | xargs -d '\n' redis-cli -s "${REDIS_URL#unix://}" \
		lpush "rmq::queue::[$INCR_QUEUE]::rejected" >/dev/null
	INCR_POINT=$1 background incr-rejected republish >out
	left=$!
	if [[ "$1" == *:stop* ]]; then
		# Another one does it all meanwhile.
		wait_for 10 stopped "$left"
		[ "$(incr-rejected republish)" = '1200 republished' ]
		kill -CONT "$left"
	fi
	status_of "$left" "$2"
	incr-rejected republish >>out
	awk '{ n += $1 } END { exit n > 1200 }' out
	for q in "$INCR_QUEUE.0" "$INCR_QUEUE.1"; do
		rcli --raw lrange "rmq::queue::[$q]::ready" 0 -1
	done | sed '/^$/d' | sort | cmp - <(increments 1 1200 | sort)
	[ "$(ready) $(rejected)" = '0 0' ]
}

@test "incr-rejected, a key of another shard: there once, whatever becomes of a call" {
	rows forwarded <<-END
		rejected-sent:kill 137
		rejected-sent:stop 0
		rejected-sent:drop 0
		rejected-withdrawn:kill 137
		rejected-withdrawn:kill:2 137
		rejected-withdrawn:stop 0
		rejected-forward-sent:kill 137
		rejected-forward-sent:stop 0
		rejected-forward-sent:drop 0
		rejected-forwarded:kill 137
		rejected-forwarded:kill:2 137
		rejected-forwarded:stop 0
		rejected-forwarded:drop 0
		rejected-sent:kill:3 137
		rejected-sent:drop:3 0
	END
}

@test "incr-rejected: an outcome that Redis has forgotten is said, with what was moved" {
	increments 1 1200 | xargs -d '\n' redis-cli -s "${REDIS_URL#unix://}" \
		lpush "rmq::queue::[$INCR_QUEUE]::rejected" >/dev/null
	INCR_POINT=rejected-withdrawn:stop background incr-rejected republish \
		>out 2>err
	pid=$!
	wait_for 10 stopped "$pid"
	rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::withdrawer::*" |
		xargs redis-cli -s "${REDIS_URL#unix://}" del >/dev/null
	kill -CONT "$pid"
	status_of "$pid" 111
	[ "$(cat err)" = 'incr-rejected: rejected: 999 republished before this failure
incr-rejected: redis: outcome of the last call unknown; run "incr-rejected list" before retrying' ]
	[ "$(ready)" -eq 999 ]
}

@test "--once: a reply that outlasts the ownership of what was adopted" {
	local pid id
	increments 1 3 | incr-publish
	incr-consume -o -n 1 >first
	id=$(sed -n 's/.*"consumer":"\([^"]*\)".*/\1/p;q' first)
	# Adopted at the second look, when the lengths are known already.
	rcli del "incr::queue::[$INCR_QUEUE]::consumer::$id::owner" >/dev/null
	# As while 300 MB are received: the first of three batches is read, and
	# nobody has renewed meanwhile.
	INCR_POINT=consume-read:stop background incr-consume -o >second
	pid=$!
	wait_for 10 stopped "$pid"
	wait_for 10 no_key "incr::queue::[$INCR_QUEUE]::consumer::$id::owner"
	kill -CONT "$pid"
	status_of "$pid" 0
	[ "$(grep '"adopted":true' second | sed 's/.*"seq":\([0-9]*\).*/\1/' |
		sort -u | xargs)" = "1 2 3" ]
}
no_key() { [ "$(rcli exists "$1")" = 0 ]; }

# -- incr-audit ---------------------------------------------------------------------

# audited FAILPOINT:ACTION STATUS MEANWHILE...: others take, count or return
# something while it looks, and as many come; the sum is that of before or of
# afterwards.  The table is shared by all rows, their keys are not.
audited() {
	local more=0
	increments 1 20 | incr-publish
	rcli lpush "rmq::queue::[$INCR_QUEUE]::rejected" "$(increment 7)" >/dev/null
	INCR_POINT=$1 background incr-audit "$KEY" >out
	audit=$!
	if [[ "$1" == *:stop ]]; then
		wait_for 10 stopped "$audit"
		"${@:3}"
		increments 1 19 | sed "s/:[0-9]*}/:0}/" >zeros
		[ "$more" -ne 0 ] || { increment $LATER; cat zeros; } |
			xargs -d '\n' redis-cli -s "${REDIS_URL#unix://}" lpush \
				"rmq::queue::[$INCR_QUEUE]::ready" >/dev/null
		kill -CONT "$audit"
	fi
	status_of "$audit" "$2"
	[ "$2" -ne 0 ] || awk -v later=$LATER -v more=$more '
		$1 == "total" && $5 != 217 && $5 != 217 + more &&
		$5 != 217 + more + later { exit 1 }' out
}
# What the first three do changes no length.  more: by how much the sum grows.
replace_dead() { # republished, and another one has come
	incr-rejected republish >/dev/null
	push_dead 1000
}
drop_dead() {
	incr-rejected drop --all --yes >/dev/null
	push_dead 1007
}
push_dead() {
	rcli lpush "rmq::queue::[$INCR_QUEUE]::rejected" "$(increment "$1")" >/dev/null
	more=1000
}
take_others() { # a program of adjust/rmq, while as many come
	rcli rpoplpush "rmq::queue::[$INCR_QUEUE]::ready" taken-by-others >/dev/null
	rcli lpush "rmq::queue::[$INCR_QUEUE]::ready" "$(increment 1001)" >/dev/null
	more=1000
}
take_all() { incr-consume -o >/dev/null; }
count_all() { incr-consume -o | incr-flush -i 0.1; }
return_one() { incr-rejected republish >/dev/null; }

@test "incr-audit at each point: it looks again, or there is no number" {
	rows audited <<-END
		audit-listed:kill 137
		audit-surveyed:kill 137
		audit-read:kill 137
		audit-listed:drop 0
		audit-surveyed:drop 0
		audit-read:drop 0
		audit-listed:stop 0 true
		audit-listed:stop 0 take_all
		audit-listed:stop 0 count_all
		audit-listed:stop 0 return_one
		audit-listed:stop 0 replace_dead
		audit-listed:stop 0 drop_dead
		audit-listed:stop 0 take_others
		audit-surveyed:stop 0 take_all
		audit-surveyed:stop 0 count_all
		audit-surveyed:stop 0 return_one
		audit-surveyed:stop 0 replace_dead
		audit-surveyed:stop 0 drop_dead
		audit-surveyed:stop 0 take_others
		audit-surveyed:stop 0 true
		audit-read:stop 0 take_all
		audit-read:stop 0 count_all
		audit-read:stop 0 return_one
		audit-read:stop 0 replace_dead
		audit-read:stop 0 drop_dead
		audit-read:stop 0 take_others
	END
}

@test "incr-audit --expect: what a second look finds is neither lost nor doubled" {
	local audit
	increments 1 3 | incr-publish
	incr-consume -o >stream
	increments 10 12 | incr-publish
	rcli lpush "rmq::queue::[$INCR_QUEUE]::rejected" "$(increment 100)" >/dev/null
	echo "$KEY 139" >expected
	INCR_POINT=audit-read:stop background incr-audit -e expected >out
	audit=$!
	wait_for 10 stopped "$audit"
	# So that it looks again, at the same.
	sql "insert into incr_ledger values (gen_random_uuid(), '$INCR_QUEUE', 1)"
	kill -CONT "$audit"
	status_of "$audit" 0
	awk '$1 == "all" { print $2, $3, $4, $5 }' out >all
	[ "$(cat all)" = '139 0 39 100' ]
}

@test "incr-audit: a batch of a Redis that was restarted is read again" {
	local audit batch
	own_redis
	increments 1 3 | incr-publish
	incr-consume -o -n 1 >/dev/null
	INCR_POINT=audit-read:stop background incr-audit "$KEY" >out
	audit=$!
	wait_for 10 stopped "$audit"
	# So that it looks again; and the server comes back with other contents.
	sql "insert into incr_ledger values (gen_random_uuid(), '$INCR_QUEUE', 1)"
	redis_stop "$OWN_REDIS"
	own_redis
	batch=$(batches | head -n 1)
	rcli lset "$batch" 0 "$(increment 1000)" >/dev/null
	kill -CONT "$audit"
	status_of "$audit" 0
	awk '$1 == "total" && $5 < 1000 { exit 1 }' out
}

# -- the points themselves -------------------------------------------------------------

@test "a wrong INCR_POINT is a configuration error, told in one line" {
	local wrong
	for wrong in x serve-body serve-bod:kill serve-body2:kill :kill \
		serve-body: serve-body:kil serve-body:kill: \
		serve-body:kill:0 serve-body:kill:1001 serve-body:kill:1x \
		serve-body:kill:1:2 'serve-body:kill:-1'; do
		INCR_POINT=$wrong run -100 incr-validate </dev/null
		[ "${#lines[@]}" -eq 1 ]
		[[ "$output" == "incr: INCR_POINT: $wrong: "* ]]
	done
	INCR_POINT='' incr-validate </dev/null
	INCR_POINT=serve-body:kill:1000 incr-validate </dev/null
}

@test "exit leaves with 111 and says where; the second time is not the first" {
	increments 1 2 >in
	INCR_POINT=validate-judged:exit run -111 incr-validate <in
	[ "$output" = 'incr-validate: validate-judged: told to leave here' ]
	for n in 1 2; do
		INCR_POINT=validate-judged:kill:$n run -137 incr-validate <in
	done
	INCR_POINT=validate-judged:kill:3 run -0 incr-validate <in
	[ "$output" = "$(cat in)" ]
}

# names_in FILES...: of points, as written for the preprocessor
names_in() {
	cat "$@" | tr -d '\n\t ' |
		grep -oE 'FAILPOINT(_AFTER|_CUT|_SHORTEN)?\("[a-z-]+"' | cut -d'"' -f2 | sort
}

@test "every point of the table is at one place, and has a row with kill" {
	local name
	sed -nE 's/^    \{"([a-z-]+)", CUT_.*/\1/p' "$ROOT/lib/base/failpoint.c" |
		sort >table
	[ "$(wc -l <table)" -ge 40 ]
	names_in "$ROOT"/lib/*/*.c "$ROOT"/src/*.c | diff table -
	while read -r name; do
		[ "$name" != flush-unmoved ] || continue # replayed
		grep -qE "^		$name:kill" "$BATS_TEST_FILENAME" || {
			echo "no row: $name:kill"
			return 1
		}
	done <table
}

@test "the programs of every other build have nothing of it" {
	local program
	make -s -C "$ROOT" build >/dev/null
	sed -nE 's/^    \{"([a-z-]+)", CUT_.*/\1/p' "$ROOT/lib/base/failpoint.c" >table
	echo INCR_POINT >>table
	for program in "$ROOT"/build/points/bin/incr-*; do
		[ "$(head -c 2 "$program")" != '#!' ] || continue
		nm "$program" | grep -q ' failpoint_hit$'
		grep -qaFf table "$program"
		nm "$ROOT/bin/${program##*/}" >symbols
		[ -s symbols ]
		not grep ' failpoint_' symbols
		not grep -qaFf table "$ROOT/bin/${program##*/}"
	done
}
