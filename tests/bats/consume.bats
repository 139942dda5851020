#!/usr/bin/env bats
# incr-consume: from the queue to lines and checkpoints.

load helper

setup() {
	use_redis
	cd "$BATS_TEST_TMPDIR" || return
	READY="rmq::queue::[$INCR_QUEUE]::ready"
	OWN="incr::queue::[$INCR_QUEUE]::"
}

teardown() {
	end_background
	[ ! -d "$BATS_TEST_TMPDIR/redis" ] || redis_stop "$BATS_TEST_TMPDIR/redis"
}

# put PAYLOAD...: on the queue, the first is the oldest
put() { rcli lpush "$READY" "$@" >/dev/null; }
# put_numbers FROM TO: payloads n1, n2, ...
put_numbers() { seq -f n%.0f "$1" "$2" | xargs -n 5000 redis-cli -s "${REDIS_URL#unix://}" lpush "$READY" >/dev/null; }

# put_wide FROM TO: numbers as payloads of 1,000 bytes
put_wide() { wide "$@" | xargs -n 100 redis-cli -s "${REDIS_URL#unix://}" lpush "$READY" >/dev/null; }
wide() { seq -f %01000.0f "$1" "$2"; }

# start_blocked [ARG...]: incr-consume into a pipe that is full, with 3,000
# wide payloads. $! is it, 5 the end to read from, the first line is in $first.
start_blocked() {
	put_wide 1 3000
	mkfifo fifo
	set -m # an interactive shell: SIGINT is not ignored in the background
	incr-consume -n 500 "$@" >fifo 3>&- &
	remember $!
	set +m
	exec 5<fifo
	read -r first <&5
	# More than a pipe holds is taken.
	wait_for 5 has_less 1501
}
has_less() { [ "$(ready)" -lt "$1" ]; }

# start FILE [ARG...]: incr-consume into FILE, begun. $! is it.
start() {
	local file=$1
	shift
	background incr-consume "$@" >"$file" 2>"$file.err"
	wait_for 5 test -s "$file"
}

# member NAME: of each checkpoint on standard input
member() { sed -n 's/^{"checkpoint":{.*"'"$1"'":"\{0,1\}\([^",}]*\).*/\1/p'; }
data() { grep -v '^{"checkpoint":{'; }
# first_id FILE: the consumer of the stream's beginning
first_id() { member consumer <"$1" | head -n 1; }
ids_begun() { grep -c '"seq":0,"lines":0,"taken":[0-9]*,"adopted":false}}' "$1"; }
has() { grep -qF "$1" "$2"; }
has_line() { grep -qxF "$1" "$2"; }

# check_stream FILE: every checkpoint counts the lines before it, none are
# left over, and it begins with seq 0
check_stream() {
	head -n 1 "$1" | grep -q '^{"checkpoint":{.*"seq":0,"lines":0,'
	awk 'index($0, "{\"checkpoint\":{") == 1 {
			match($0, /"lines":[0-9]+/)
			if (n + 0 != substr($0, RSTART + 8, RLENGTH - 8) + 0)
				exit 1
			n = 0
			next
		}
		{ n++ }
		END { if (n > 0) exit 1 }' "$1"
}

owner() { rcli --raw get "${OWN}consumer::$1::owner"; }

@test "payloads come out oldest first, each batch with its checkpoint" {
	put_numbers 1 25000
	incr-consume -o >out
	data <out | cmp - <(seq -f n%.0f 1 25000)
	check_stream out
	[ "$(member seq <out | xargs)" = "0 1 2 3 3" ]
	[ "$(member lines <out | xargs)" = "0 10000 10000 5000 0" ]
	[ "$(member queue <out | uniq)" = "$INCR_QUEUE" ]
	[ "$(member consumer <out | uniq | wc -l)" -eq 1 ]
	[ "$(grep -c '"adopted":true' out)" -eq 0 ]
	tail -n 1 out | grep -q '"end":true}}$'
	# Also of the beginning, by which the age of all is known.
	[ "$(member taken <out | sort -n | head -n 1)" -gt 1700000000000 ]
}

@test "-n says how much a batch holds at most" {
	put_numbers 1 2500
	incr-consume -o -n 1000 >out
	check_stream out
	[ "$(member lines <out | xargs)" = "0 1000 1000 500 0" ]
	run incr-consume -n 0
	[ "$status" -eq 100 ]
	run incr-consume -n 100001
	[ "$status" -eq 100 ]
}

@test "a header is stripped, newlines are spaces, one line per payload" {
	printf '\377\0\276\276J{"a":["b","c"]}\n{"key":1}' | put_stdin
	put $'a\n\nb\n' ''
	incr-consume -o >out
	check_stream out
	data <out | cmp - <(printf '{"key":1}\na  b \n\n')
}

@test "what is no data becomes an error line in its place" {
	put a
	printf '\377\0\276\276J{"a":1}\nb' | put_stdin
	put '{"checkpoint":{"queue":"q","end":true}}' '{"error":{' b
	head -c 4097 /dev/zero | tr '\0' x | put_stdin
	printf '\377\0\276\276J{}\n{"error":{"code":"unknown"}}' | put_stdin
	put c
	INCR_METRICS_DIR=. incr-consume -o >out
	check_stream out
	grep -c '' out | grep -qx 11
	data <out | sed 's/"detail":"[^"]*"/D/' | cmp - <(cat <<-'END'
		a
		{"error":{"code":"faulty-header",D,"line":2}}
		{"error":{"code":"control-line",D,"line":3}}
		{"error":{"code":"control-line",D,"line":4}}
		b
		{"error":{"code":"too-long",D,"line":6}}
		{"error":{"code":"control-line",D,"line":7}}
		c
		END
	)
	grep -q '^incr_rejected_total{.*code="control-line".*} 3$' ./*.prom
	grep -q '^incr_rejected_total{.*code="too-long".*} 1$' ./*.prom
	grep -q '^incr_rejected_total{.*code="faulty-header".*} 1$' ./*.prom
	grep -q '^incr_consumed_total{.*} 8$' ./*.prom
	grep -q '^incr_consume_batches_total{.*} 1$' ./*.prom
}

@test "payloads of 1 and 17 MiB are taken and kept byte for byte" {
	for i in 1 17 1; do
		head -c $((i << 20)) /dev/urandom >"$i"
		put_stdin <"$i"
	done
	put last
	incr-consume -o >out
	check_stream out
	[ "$(grep -c '"too-long"' out)" -eq 3 ]
	has_line last out
	# The 17 MiB are a batch of their own: more than one holds.
	[ "$(member lines <out | xargs)" = "0 1 1 2 0" ]
	key=$(batches | grep 'batch::2$')
	rcli --raw lindex "$key" 0 | head -c $((17 << 20)) | cmp - 17
}

@test "memory is given back after large batches" {
	not sanitized incr-consume || skip "memory says nothing here"
	for _ in 1 2; do
		head -c $((17 << 20)) /dev/zero | put_stdin
	done
	put_numbers 1 100000
	start out -n 100000
	pid=$!
	wait_for 10 has_line n100000 out
	small() { [ "$(awk '/^VmRSS/ { print $2 }' "/proc/$1/status")" -lt 8192 ]; }
	wait_for 5 small "$pid"
}

@test "a reader that goes is noticed at once, also while nothing comes" {
	put_numbers 1 100000
	set +o pipefail
	incr-consume 2>err | head -n 2 >/dev/null
	[ "${PIPESTATUS[0]}" -eq 111 ]
	grep -qx 'incr-consume: stdout: Broken pipe' err
	[ -n "$(batches)" ]

	export INCR_QUEUE=${INCR_QUEUE}-empty
	before=${EPOCHREALTIME/./}
	incr-consume 2>err | head -n 1 >/dev/null
	[ "${PIPESTATUS[0]}" -eq 111 ]
	not elapsed "$before" 5000000
}

@test "a reader that the same signal ended first is not spoken of" {
	mkfifo pipe
	exec 7<>pipe
	background incr-consume >pipe 2>err 7>&-
	consume=$!
	read -rt 10 _ <&7
	kill -STOP "$consume"
	kill "$consume"
	exec 7<&-
	kill -CONT "$consume"
	status=0
	wait "$consume" || status=$?
	[ "$status" = 111 ]
	quiet err
}

@test "a full disk and a closed output are 111, the batch stays" {
	put a
	run sh -c 'incr-consume -o >/dev/full'
	[ "$status" -eq 111 ]
	[ "$output" = "incr-consume: stdout: No space left on device" ]
	run sh -c 'incr-consume -o >&-'
	[ "$status" -eq 111 ]
	incr-consume -o >out
	has_line a out
}

@test "a typed payload is there within 150 ms" {
	local quick=0
	start out
	# Each comes just after a look. Most may have to wait for a processor.
	for i in $(seq 100); do
		before=${EPOCHREALTIME/./}
		put "t$i"
		wait_for 5 has_line "t$i" out
		elapsed "$before" 150000 || quick=$((quick + 1))
		[ "$quick" -lt 3 ] || return 0
	done
	false
}

@test "--once leaves an empty queue at once, with seq 0 and end" {
	before=${EPOCHREALTIME/./}
	incr-consume -o >out
	not elapsed "$before" 5000000
	[ "$(wc -l <out)" -eq 2 ]
	[ "$(member seq <out | xargs)" = "0 0" ]
	tail -n 1 out | grep -q '"lines":0,"taken":[0-9]*,"adopted":false,"end":true}}$'
}

@test "--once takes what was there at the start, no more" {
	start_blocked -o
	pid=$!
	[ "$(ready)" -gt 0 ]
	put_wide 3001 3050
	{ echo "$first"; cat <&5; } >out
	exec 5<&-
	wait "$pid"
	check_stream out
	data <out | cmp - <(wide 1 3000)
	[ "$(ready)" -eq 50 ]
	tail -n 1 out | grep -q '"end":true}}$'
}

@test "SIGTERM: what is in hand is finished, then end, exit 0" {
	start_blocked
	pid=$!
	kill -TERM "$pid"
	kill -TERM "$pid"
	{ echo "$first"; cat <&5; } >out
	exec 5<&-
	wait "$pid"
	check_stream out
	tail -n 1 out | grep -q '"lines":0,.*"end":true}}$'
	[ "$(member seq <out | tail -n 2 | uniq | wc -l)" -eq 1 ]
	# All that was taken was delivered, and nothing more was taken.
	[ $(($(data <out | wc -l) + $(ready))) -eq 3000 ]
	[ "$(ready)" -gt 0 ]
}

@test "SIGINT: the second ends it at once" {
	start_blocked
	pid=$!
	kill -INT "$pid"
	taken_in() { grep -q '^ShdPnd:.*0000$' "/proc/$1/status"; }
	wait_for 5 taken_in "$pid"
	not gone "$pid" # it still has what it took
	kill -INT "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 130 ]
	exec 5<&-
}

@test "kill -9: another on this machine adopts at once, under the old name" {
	put_numbers 1 2500
	start first -n 1000
	pid=$!
	wait_for 5 has '"seq":3' first
	kill -9 "$pid"
	wait "$pid" || : # on a busy machine it takes its time to die
	# Who waits for its ownership to be over does not adopt it.
	rcli pexpire "${OWN}consumer::$(first_id first)::owner" 60000
	incr-consume -o >second
	check_stream second
	grep '"adopted":true' second >adopted
	[ "$(member consumer <adopted | uniq)" = "$(first_id first)" ]
	[ "$(member seq <adopted | xargs)" = "1 2 3" ]
	[ "$(member lines <adopted | xargs)" = "1000 1000 500" ]
	[ "$(member taken <adopted | xargs)" = "$(member taken <first | tail -n 3 | xargs)" ]
	data <second | cmp - <(seq -f n%.0f 1 2500)
}

@test "kill -9, and nobody has waited for it: another adopts at once" {
	put a
	background setsid sh -c 'incr-consume >first & exec sleep infinity'
	parent=$!
	wait_for 5 has '"seq":1' first
	pid=$(pgrep -P "$parent" -x incr-consume)
	kill -9 "$pid"
	wait_for 5 gone "$pid"
	rcli pexpire "${OWN}consumer::$(first_id first)::owner" 60000
	incr-consume -o >second
	has '"adopted":true' second
	kill -0 "$pid"
}

@test "900 that died at once: all are swept by a look, then who has a batch adopted" {
	local id=ffffffff-0000-4000-8000-000000000001
	seq -f '%08.0f-0000-4000-8000-000000000001' 900 |
		xargs redis-cli -s "${REDIS_URL#unix://}" sadd "${OWN}consumers" $id >/dev/null
	rcli zadd "${OWN}consumer::$id::batches" "$(date +%s)000" 1 >/dev/null
	rcli lpush "${OWN}consumer::$id::batch::1" n1 >/dev/null
	rcli set "${OWN}consumer::$id::last" 1 >/dev/null
	background rcli monitor >log
	wait_for 5 grep -q OK log
	start out
	wait_for 20 grep -qx n1 out
	# Seen, seen again, and adopted.
	[ "$(grep -F "$INCR_QUEUE" log | grep -c ' lua\] "SMEMBERS"')" -lt 8 ]
}

@test "kill -9 on another machine: adopted when the ownership is over" {
	put a b
	start first
	pid=$!
	wait_for 5 has '"seq":1' first
	id=$(first_id first)
	kill -9 "$pid"
	before=${EPOCHREALTIME/./}
	rcli set "${OWN}consumer::$id::owner" "$id elsewhere-1 1 1" px 1000
	start second
	wait_for 5 has '"adopted":true' second
	elapsed "$before" 1000000
	not elapsed "$before" 6000000
	grep '"adopted":true' second | grep -qF "\"consumer\":\"$id\",\"seq\":1,\"lines\":2,"
	[ "$(data <second | xargs)" = "a b" ]
	# It speaks for it from now on, until the batch is acknowledged.
	[[ "$(owner "$id")" == "$(first_id second) "* ]]
}

@test "--once waits for the second look at a consumer without owner" {
	put a
	start first
	wait_for 5 has '"seq":1' first
	kill -9 $!
	wait_for 5 gone $!
	rcli del "${OWN}consumer::$(first_id first)::owner"
	incr-consume -o >second
	has '"adopted":true' second
	has_line a second
}

@test "--once waits until a mark that outlives its consumer is over" {
	put a b
	start first
	pid=$!
	wait_for 5 has '"seq":1' first
	id=$(first_id first)
	# It has a process, an owner and 1 s: the look of a moment shows nothing.
	kill -STOP "$pid"
	rcli pexpire "${OWN}consumer::$id::owner" 1000
	incr-consume -o >second
	has '"adopted":true' second
	[ "$(data <second | xargs)" = "a b" ]
	kill -9 "$pid"
	# The same of a process on another machine.
	id=$(first_id second)
	rcli set "${OWN}consumer::$(first_id first)::owner" "$id elsewhere-1 1 1" px 1000
	incr-consume -o >third
	# On a busy machine it may be adopted twice.
	[ "$(data <third | sort -u | xargs)" = "a b" ] || {
		cat third
		return 1
	}
}

@test "--once leaves a consumer alone that renews its marks" {
	put a
	start first
	wait_for 5 has '"seq":1' first
	before=${EPOCHREALTIME/./}
	incr-consume -o >second
	not elapsed "$before" 4000000
	not has '"adopted":true' second
	kill -0 $!
}

@test "--once says what it leaves to a consumer without life, and 111" {
	put a
	start first
	wait_for 5 has '"seq":1' first
	id=$(first_id first)
	kill -9 $!
	wait_for 5 gone $!
	# No life to be over, and never renewed.
	rcli set "${OWN}consumer::$id::owner" "$id elsewhere-1 1 1"
	before=${EPOCHREALTIME/./}
	status=0
	incr-consume -o >second 2>err || status=$?
	[ "$status" -eq 111 ]
	elapsed "$before" 6000000
	[ "$(cat err)" = "incr-consume: queue $INCR_QUEUE: a consumer that shows no life holds batches, and could not be adopted; not all was taken" ]
	has '"end":true' second
}

@test "-o: more orphans than it may adopt, nobody counts: 111 after six seconds" {
	local status=0
	orphans 65 | rcli >/dev/null # ADOPTED_MAX is 64
	before=${EPOCHREALTIME/./}
	background incr-consume -o -w 60 >out 2>err
	wait_for 20 gone $!
	wait $! || status=$?
	[ "$status" -eq 111 ]
	elapsed "$before" 6000000
	not elapsed "$before" 15000000
	[ "$(cat err)" = "incr-consume: queue $INCR_QUEUE: a consumer that shows no life holds batches, and could not be adopted; not all was taken" ]
	[ "$(grep -c '"adopted":true' out)" = 64 ]
	has '"end":true' out
}

@test "a full pipe: what nobody reads stays in ready" {
	before=${EPOCHREALTIME/./}
	start_blocked
	wait_for 8 elapsed "$before" 1000000
	# Of 3 MB a pipe has 1 MiB at most, incr-consume as much and a batch.
	[ "$(ready)" -ge 400 ]
	exec 5<&-
}

@test "a full pipe for five ownership periods: renewed, not adopted" {
	before=${EPOCHREALTIME/./}
	start_blocked
	id=$(member consumer <<<"$first")
	start second
	wait_for 8 elapsed "$before" 5000000
	exec 5<&-
	not has '"adopted":true' second
	[[ "$(owner "$id")" == "$id "* ]]
}

@test "a batch that was acknowledged before it was read is skipped" {
	put a
	start first
	wait_for 5 has '"seq":1' first
	kill -9 $!
	wait_for 5 gone $!
	# The list is gone, its name is not yet.
	rcli del "$(batches)"
	incr-consume -o >second
	check_stream second
	[ "$(wc -l <second)" -eq 2 ]
}

@test "stopped for longer than ownership lasts: goes on under a new id" {
	put a
	start first
	pid=$!
	wait_for 5 has '"seq":1' first
	old=$(first_id first)
	kill -STOP "$pid"
	start second
	wait_for 5 has '"adopted":true' second
	kill -CONT "$pid"
	two_begun() { [ "$(ids_begun first)" -eq 2 ]; }
	wait_for 5 two_begun
	check_stream first
	new=$(member consumer <first | tail -n 1)
	[ "$new" != "$old" ]
	[[ "$(owner "$old")" == "$(first_id second) "* ]]
	[[ "$(owner "$new")" == "$new "* ]]
}

@test "no longer registered: goes on under a new id" {
	start out
	old=$(first_id out)
	rcli srem "${OWN}consumers" "$old"
	put a
	wait_for 5 has_line a out
	check_stream out
	[ "$(ids_begun out)" -eq 2 ]
	[ "$(member consumer <out | tail -n 1)" != "$old" ]
}

@test "Redis restarted: a new id, and the old one's batches are adopted" {
	redis_start "$PWD/redis"
	export REDIS_URL=unix://$PWD/redis/redis.sock
	put a
	start out
	wait_for 5 has '"seq":1' out
	old=$(first_id out)
	redis_stop redis
	redis_start "$PWD/redis"
	put b
	wait_for 5 has_line b out
	check_stream out
	[ "$(ids_begun out)" -eq 2 ]
	new=$(grep -A1 -x b out | member consumer)
	[ "$new" != "$old" ]
	wait_for 5 has "\"consumer\":\"$old\",\"seq\":1,\"lines\":1," out
	wait_for 5 has '"adopted":true' out
}

# What was adopted came back to life, took another batch, died, and an adoption
# that came late made the same adopter its owner, without its knowing.
@test "an adopter does not hold for ever what it does not know of" {
	local orphan=aaaaaaaa-0000-4000-8000-000000000001 record
	local key="${OWN}consumer::aaaaaaaa-0000-4000-8000-000000000001"
	batch() {
		rcli rpush "$key::batch::$1" "n$1"
		rcli zadd "$key::batches" "$1" "$1"
		rcli set "$key::last" "$1"
	}
	start out
	batch 1
	rcli sadd "${OWN}consumers" "$orphan"
	wait_for 5 has_line n1 out
	record=$(rcli get "$key::owner")
	[[ "$record" == "$(first_id out) "* ]]
	kill -STOP $!
	wait_for 5 nobodys "$key"
	batch 2
	rcli set "$key::owner" "$record" px 60000
	kill -CONT $!
	wait_for 10 has_line n2 out
	[ "$(grep -c "$orphan.*\"seq\":2,.*\"adopted\":true" out)" = 1 ]
	check_stream out
}
nobodys() { [ "$(rcli exists "$1::owner")" = 0 ]; }

@test "two consumers share a queue, no line twice" {
	start one -n 100
	start two -n 100
	put_numbers 1 20000 &
	all() { [ "$(cat one two | data | wc -l)" -ge 20000 ]; }
	wait_for 10 all
	cat one two | data | sort | cmp - <(seq -f n%.0f 1 20000 | sort)
	check_stream one
	check_stream two
	[ -n "$(data <one | head -n 1)" ]
	[ -n "$(data <two | head -n 1)" ]
}

@test "a thousand unacknowledged batches are enough; it goes on when some go" {
	put_numbers 1 1010
	start out -n 1
	wait_for 10 has '"seq":1000' out
	has_ready 10
	id=$(first_id out)
	[[ "$(owner "$id")" == "$id "* ]]
	wait_for 10 has_line "$(held)" out.err
	rcli zremrangebyrank "${OWN}consumer::$id::batches" 0 99
	wait_for 5 has_ready 0
	wait_for 5 has_line n1010 out
	wait_for 5 has_line "incr-consume: queue $INCR_QUEUE: taking again" out.err
	[ "$(wc -l <out.err)" = 2 ]
	check_stream out
}
held() { echo "incr-consume: queue $INCR_QUEUE: nothing taken for 3 s, until incr-flush acknowledges batches; waiting"; }

@test "no Redis: said once, waited for, 111 after --wait" {
	export REDIS_URL=unix://$PWD/redis/redis.sock
	run incr-consume -w 1
	[ "$status" -eq 111 ]
	[ "${#lines[@]}" -eq 2 ]
	[[ "${lines[0]}" == "incr-consume: redis: "*"; waiting" ]]
	[[ "${lines[1]}" == "incr-consume: redis: "* ]]

	background incr-consume >out 2>err
	wait_for 5 test -s err
	redis_start "$PWD/redis"
	put a
	wait_for 5 has_line a out
	[ "$(wc -l <err)" -eq 1 ]
	check_stream out
}

@test "one call that Redis refuses, while it answers others: said, 111 after --wait" {
	rcli set "$READY" 'not a list'
	run timeout 20 incr-consume -w 2
	[ "$status" -eq 111 ]
	[[ "$output" == *"incr-consume: redis: WRONGTYPE "*"; waiting"* ]]
	[[ "$output" == *"incr-consume: redis: WRONGTYPE "*"; gave up after 2 s (--wait)" ]]
}

@test "a Redis that cannot serve is a configuration error" {
	redis_start "$PWD/redis" --maxmemory 100mb --maxmemory-policy allkeys-lru
	REDIS_URL=unix://$PWD/redis/redis.sock run incr-consume
	[ "$status" -eq 100 ]
	[ "${#lines[@]}" -eq 1 ]
	[[ "$output" == "incr-consume: redis: "*noeviction* ]]
	run incr-consume -r http://localhost
	[ "$status" -eq 100 ]
}

@test "the metrics show the queue" {
	export INCR_METRICS_DIR=$PWD
	put a b c
	rcli lpush "rmq::queue::[$INCR_QUEUE]::rejected" x y
	start out -n 2
	shown() { cat ./*.prom | grep -q "^$1{.*} $2\$"; }
	wait_for 5 shown incr_queue_unacked 2
	wait_for 5 shown incr_queue_ready 0
	wait_for 5 shown incr_queue_rejected 2
	wait_for 5 shown incr_consumed_total 3
	kill -9 $!
	start second
	wait_for 5 shown incr_adopted_batches_total 2
}
