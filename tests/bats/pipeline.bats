#!/usr/bin/env bats
# The whole path: from a request body or a typed line to the row, and what
# is left after a kill -9 on the way.

load helper

setup() {
	use_redis
	use_postgres
}

teardown() {
	end_background
}

# drain_once: everything that is in the queue now, counted.
drain_once() {
	incr-consume -o | incr-flush
}

# start_ingest: a server on $BATS_TEST_TMPDIR/s, ready. $! is it.
start_ingest() {
	background incr-ingest -l "$BATS_TEST_TMPDIR/s"
	wait_for 30 ask health/ready -f
}

# ask PATH [CURL-ARG...]
ask() {
	local path=$1
	shift
	curl -sS --max-time 10 --unix-socket "$BATS_TEST_TMPDIR/s" "$@" \
		"http://localhost/$path"
}

@test "a request is answered 202 with an empty body and counted" {
	start_ingest
	run ask increment -d "$(increment 3)" -w '%{http_code} %{size_download}'
	[ "$output" = "202 0" ]
	drain_once
	sum_is 3
}

@test "a wrong request is answered 400 with its reason, the rest is counted" {
	start_ingest
	run ask increment -d '{"key":"x","value":1}' -w ' %{http_code}'
	[[ "$output" == *'"code":"key-not-a-uuid"'*' 400' ]]
	ask increment -d "$(increment 1)"
	drain_once
	sum_is 1
}

@test "lines typed by hand, a wrong one in the middle, lose nothing else" {
	{ increments 1 50000; echo nonsense; increments 50001 100000; } \
		>"$BATS_TEST_TMPDIR/in"
	run sh -c "incr-validate <$BATS_TEST_TMPDIR/in | incr-publish"
	[ "$status" -eq 0 ]
	[[ "$output" == *"line 50001: not-json"* ]]
	drain_once
	sum_is 5000050000
	no_batches
	has_ready 0
}

@test "a file goes straight into the table: incr-validate | incr-flush" {
	increments 1 1000 | incr-validate | incr-flush
	sum_is 500500
}

@test "increments are added up by key" {
	local i
	for i in 1 2 3 4 5; do
		increment "$i"
		increment "$i" "00000000-0000-0000-0000-00000000000$i"
	done | incr-publish
	drain_once
	sum_is 15
	[ "$(sql 'select count(*) from increments')" = 6 ]
	[ "$(sum_of 00000000-0000-0000-0000-000000000004)" = 4 ]
}

@test "ten seconds: the row is there in time with the default interval" {
	local sent shown
	background setsid sh -c 'incr-consume | incr-flush'
	wait_for 5 consumer_registered
	sent=${EPOCHREALTIME/./}
	increment 7 | incr-publish
	wait_for 12 sum_is 7
	shown=${EPOCHREALTIME/./}
	echo "# visible after $(((shown - sent) / 1000)) ms" >&3
	[ $((shown - sent)) -le 10000000 ]
}

consumer_registered() {
	[ "$(rcli scard "incr::queue::[$INCR_QUEUE]::consumers")" -ge 1 ]
}

# -- adoption ----------------------------------------------------------------
#
# incr-consume --> a --> valve --> b --> incr-flush: the valve lets the first
# part of the stream through and holds the rest until the gate opens.

LINES=1000
INSIDE=500q                # the valve closes in the middle of batch 1
BEHIND='/"seq":1,/q'       # the valve closes behind its checkpoint

# start_valve SED: sets consume and flush (pids); flush has read what SED
# lets through.
start_valve() {
	local dir=$BATS_TEST_TMPDIR
	increments 1 "$LINES" | incr-publish
	mkfifo "$dir/a" "$dir/b" "$dir/gate"
	exec 8<>"$dir/b" # nobody waits for the other end
	background incr-flush -i 20 <"$dir/b" 8>&-
	flush=$!
	background valve "$1" 8>&-
	wait_for 5 sleeping "$flush"
	base=$(bytes_read "$flush")
	background incr-consume -n "$LINES" >"$dir/a" 8>&-
	consume=$!
	wait_for 10 test -e "$dir/passed"
	exec 8>&-
	wait_for 10 has_read "$flush" $((base + $(stat -c %s "$dir/copy")))
	has_ready 0
}

valve() {
	local dir=$BATS_TEST_TMPDIR
	{
		sed -u "$1" | tee "$dir/copy"
		touch "$dir/passed"
		read -r _ <"$dir/gate" || :
		cat
	} >"$dir/b" <"$dir/a"
}

sleeping() { grep -q '^State:.*S' "/proc/$1/status"; }

# adopted_after SED VICTIM...: kills, opens the gate, drains with others.
adopted_after() {
	local victim
	start_valve "$1"
	shift
	for victim in "$@"; do
		kill -9 "${!victim}"
		wait_for 5 gone "${!victim}"
	done
	echo >"$BATS_TEST_TMPDIR/gate"
	for victim in consume flush; do
		kill "${!victim}" 2>/dev/null || :
		wait_for 10 gone "${!victim}"
	done
	drain_once
	wait_for 10 no_batches
	has_ready 0
	sum_is $((LINES * (LINES + 1) / 2))
}

@test "kill -9 of incr-consume before the checkpoint" {
	adopted_after "$INSIDE" consume
}

@test "kill -9 of incr-flush before the checkpoint" {
	adopted_after "$INSIDE" flush
}

@test "kill -9 of both before the checkpoint" {
	adopted_after "$INSIDE" consume flush
}

@test "kill -9 of incr-consume after the checkpoint" {
	adopted_after "$BEHIND" consume
}

@test "kill -9 of incr-flush after the checkpoint" {
	adopted_after "$BEHIND" flush
}

@test "kill -9 of both after the checkpoint" {
	adopted_after "$BEHIND" consume flush
}
