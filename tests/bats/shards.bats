#!/usr/bin/env bats
# incr-publish with shards: each line in the shard of its key, answers in the
# order of the input, a shard in trouble alone, one number for ever.

bats_require_minimum_version 1.5.0
load helper

setup() {
	use_redis
	dir=$BATS_TEST_TMPDIR
	Q=$INCR_QUEUE
}

teardown() { end_background; }

# keys FROM TO: lines with keys of their own; the UUID ends with the number.
keys() {
	seq "$1" "$2" | awk '{
		printf "{\"key\":\"%08x-0000-4000-8000-%012x\",\"value\":%d}\n",
			$1 * 2654435761 % 4294967296, $1, $1 }'
}

# shard_of N: the lines of standard input, each with its shard in front, by the
# CRC-32 of another implementation
shard_of() {
	perl -MCompress::Zlib=crc32 -ne '
		/"key":"([^"]+)"/ or next;
		(my $hex = $1) =~ tr/-//d;
		print crc32(pack "H*", $hex) % '"$1"', " $_"'
}

shard() { rcli --raw lrange "rmq::queue::[$Q.$1]::ready" 0 -1 | tac; }
shard_length() { rcli llen "rmq::queue::[$Q.$1]::ready"; }
number() { rcli get "incr::queue::[$1]::shards"; }

# proxied: REDIS_URL leads through a proxy, whose folder is $dir/harm.
proxied() {
	mkdir "$dir/harm"
	server=${REDIS_URL#unix://}
	background "$ROOT/tests/bats/shard_proxy.pl" "$dir/s" "$server" "$dir/harm" 7>&-
	wait_for 5 test -S "$dir/s"
	PROXIED=unix://$dir/s
}

# open_publish ARG...: incr-publish -e behind the proxy, fed through 7; answers
# in $dir/out.
open_publish() {
	mkfifo "$dir/in"
	exec 7<>"$dir/in"
	incr-publish -e -r "$PROXIED" "$@" <"$dir/in" >"$dir/out" 2>"$dir/err" 3>&- 7>&- &
	pid=$!
	remember "$pid"
}

answered() { [ "$(wc -l <"$dir/out")" -ge "$1" ]; }
# are_taken FROM TO: these lines are
are_taken() {
	local before n=$(($2 - $1 + 1))
	before=$(wc -l <"$dir/out")
	keys "$1" "$2" >&7
	wait_for 5 answered $((before + n))
	keys "$1" "$2" | cmp - <(tail -n $n "$dir/out")
}
published() { [ "$(for i in 0 1 2 3; do shard_length $i; done |
	awk '{ n += $1 } END { print n + 0 }')" = "$1" ]; }

# ends STATUS: the publisher, after the end of its input
ends() {
	local status=0
	exec 7>&-
	wait_for 10 gone "$pid"
	wait "$pid" || status=$?
	[ "$status" -eq "$1" ]
}

# -- where a line goes ---------------------------------------------------------

@test "a line goes to the shard of its key, in order" {
	keys 1 3000 >"$dir/in"
	incr-publish -s 4 <"$dir/in"
	shard_of 4 <"$dir/in" >"$dir/routed"
	for i in 0 1 2 3; do
		sed -n "s/^$i //p" "$dir/routed" | cmp - <(shard $i)
		[ "$(shard_length $i)" -gt 600 ]
		[ "$(number "$Q.$i")" = 4 ]
	done
	[ "$(number "$Q")" = 4 ]
	[ "$(ready)" = 0 ]
	[ "$(rcli smismember rmq::queues "$Q.0" "$Q.3" "$Q" | paste -sd ' ')" = '1 1 0' ]
}

@test "incr(7) has the vectors" {
	local key n expected found=0
	own_redis # a thousand connections would hold up all others
	while read -r key n expected; do
		[ "$(increment 1 "$key" | shard_of "$n")" = "$expected $(increment 1 "$key")" ]
		increment 1 "$key" | incr-publish -q "v$Q$n" -s "$n"
		[ "$(rcli llen "rmq::queue::[v$Q$n.$expected]::ready")" -gt 0 ]
		found=$((found + 1))
	done < <(sed -nE 's/^([0-9a-f]{8}-[0-9a-f-]{27}) +([0-9]+) +([0-9]+)$/\1 \2 \3/p' \
		"$ROOT/man/incr.7")
	[ "$found" -ge 6 ]
}

@test "answers come in the order of the input, errors among them" {
	{
		keys 1 700
		echo bad
		keys 701 2100
		echo bad | incr-validate -e
		echo '{"key":"x","value":1}'
		keys 2101 2102
	} >"$dir/in"
	incr-publish -e -s 3 <"$dir/in" >"$dir/out"
	diff <(sed -E 's/^bad$|.*"key":"x".*/-/' "$dir/in") \
		<(sed -E 's/.*"line":701}}|.*key-not-a-uuid.*/-/' "$dir/out")
	[ "$(wc -l <"$dir/out")" = 2105 ]
}

@test "a tag is marked in its shard: a repeat is counted once, another one refused" {
	keys 1 300 | awk '{ print "tag-" NR "\t" $0 }' >"$dir/in"
	for _ in 1 2; do
		incr-publish -e -t -s 4 <"$dir/in" | cmp - "$dir/in"
	done
	published 300
	sed -E 's/"value":[0-9]+/"value":7777/' "$dir/in" >"$dir/other"
	incr-publish -e -t -s 4 <"$dir/other" >"$dir/out"
	[ "$(grep -c idempotency-key-reused "$dir/out")" = 300 ]
	cut -f 1 "$dir/other" | cmp - <(cut -f 1 "$dir/out")
	published 300
}

# -- the number ----------------------------------------------------------------

@test "told no number, it takes the one that is noted" {
	keys 1 10 | incr-publish -s 4
	{
		echo bad
		keys 11 500
	} >"$dir/in"
	incr-publish -e <"$dir/in" >"$dir/out"
	diff <(sed 1d "$dir/in") <(sed 1d "$dir/out")
	grep -q not-json <(head -n 1 "$dir/out")
	published 500
	run -1 --separate-stderr incr-publish <"$dir/in"
	[[ "$stderr" == *"line 1: not-json"* ]]
	published 990
	[ "$(ready)" = 0 ]
}

@test "another number is 100, with both, and publishes nothing" {
	keys 1 10 | incr-publish -s 4
	for n in 1 3 8; do
		run -100 incr-publish -s $n < <(keys 1 10)
		# Whoever is asked first says so, the queue or a shard of it.
		[[ "$output" =~ ^"incr-publish: queue $Q"(\.[0-9])?": has noted 4 shards, not $n (--shards); another number needs a queue of another name"$ ]]
	done
	published 10
	[ "$(ready)$(shard_length 4)" = 00 ]
}

@test "a queue without shards keeps to that" {
	keys 1 10 | incr-publish
	[ "$(number "$Q")" = 1 ]
	run -100 incr-publish -s 4 < <(keys 1 10)
	[[ "$output" == *"has noted 1 shard, not 4 (--shards)"* ]]
	keys 1 10 | incr-publish -s 1
	[ "$(ready)" = 20 ]
	published 0
}

@test "a queue that a release before published to has no shards" {
	rcli set "incr::queue::[$Q]::version" 3
	run -100 incr-publish -s 4 < <(keys 1 10)
	[[ "$output" == *"has noted 1 shard, not 4 (--shards)"* ]]
	published 0
}

@test "consumers, and what others push, come before shards and beside them" {
	rcli lpush "rmq::queue::[$Q]::ready" "$(increment 1)"
	background incr-consume >/dev/null
	wait_for 5 has_ready 0
	keys 1 10 | incr-publish -s 4
	published 10
}

@test "a shard is no queue of its own, and its name none for a queue with shards" {
	keys 1 10 | incr-publish -s 4
	run -100 incr-publish -q "$Q.2" < <(keys 1 10)
	[ "$output" = "incr-publish: queue $Q.2: shard of queue $Q, which has 4; publish to that one" ]
	run -100 incr-publish -q other.2 -s 4 </dev/null
	[[ "$output" == *"name of a queue with shards: is one of a shard" ]]
	run -100 incr-publish -q "$(printf 'x%.0s' {1..127})" -s 4 </dev/null
	[[ "$output" == *"name of a queue with shards: too long" ]]
	published 10
}

@test "no shard has the number before the queue has noted it" {
	proxied
	touch "$dir/harm/down-$Q"
	open_publish -s 4 -w 1
	keys 1 40 >&7
	wait_for 5 answered 40
	[ "$(grep -c '"unavailable"' "$dir/out")" = 40 ]
	grep -q "^incr-publish: queue $Q: shards not noted: redis: .*; waiting$" "$dir/err"
	for i in 0 1 2 3; do [ "$(number "$Q.$i")" = '' ]; done
	rm "$dir/harm/down-$Q"
	wait_for 10 are_taken 41 80
	[ "$(number "$Q")$(number "$Q.2")" = 44 ]
	ends 111
}

@test "without --echo what is given up before the number is noted has that reason" {
	proxied
	touch "$dir/harm/down-$Q"
	run -111 incr-publish -r "$PROXIED" -s 4 -w 1 < <(keys 1 40)
	[[ "${lines[-1]}" =~ ^"incr-publish: queue $Q."[0-3]": its queue has not noted the number of shards; 40 lines not delivered (0 of unknown outcome)"$ ]]
}

@test "shards that have the number need the queue itself no more" {
	keys 1 10 | incr-publish -s 4
	proxied
	touch "$dir/harm/down-$Q"
	keys 11 50 | incr-publish -e -r "$PROXIED" -s 4 -w 2 | cmp - <(keys 11 50)
	published 50
}

@test "a Redis that was emptied has the number noted anew" {
	own_redis --appendonly no
	PROXIED=$REDIS_URL
	open_publish -s 4
	keys 1 50 >&7
	wait_for 5 answered 50
	redis_stop "$OWN_REDIS"
	own_redis --appendonly no
	wait_for 5 eval '[ "$(number "$Q")" = 4 ]'
	refresh() {
		keys 51 100 >&7
		keys 51 100 | tail -n 1 | cmp - <(tail -n 1 "$dir/out") && [ "$(number "$Q.3")" = 4 ]
	}
	wait_for 5 refresh
	run -100 incr-publish -s 3 < <(keys 1 10)
}

@test "who has taken one shard sends no line to a queue that now has more" {
	local e
	for e in '' -e; do
		own_redis --appendonly no
		PROXIED=$REDIS_URL
		rm -f "$dir/in"
		open_publish ${e:+-e}
		# What is kept of a line is decided batch by batch.
		for i in 1 2 3 4; do
			keys $i $i >&7
			wait_for 5 has_ready $i
		done
		redis_stop "$OWN_REDIS"
		own_redis --appendonly no
		keys 1 10 | incr-publish -s 4
		keys 11 20 >&7
		ends 100
		grep -q "queue $Q: has noted 4 shards, not 1 (--shards)" "$dir/err"
		published 10
		redis_stop "$OWN_REDIS"
	done
}

# -- a shard in trouble ----------------------------------------------------------

# trouble HARM: shard 2 has it; lines are sent before and meanwhile.  Of those
# meanwhile only the shard's are refused, all answers come within --wait and the
# time for a call, and in order; then they come at once.
trouble() {
	proxied
	open_publish -s 4 -w 1
	keys 1 100 >"$dir/all"
	keys 1 100 >&7
	wait_for 5 answered 100
	harm
	keys 101 3100 >>"$dir/all"
	keys 101 3100 >&7
	others=$(shard_of 4 <"$dir/all" | grep -vc '^2 ')
	# Those of others are published while the answers wait for the shard's.
	wait_for 5 eval '[ $(($(shard_length 0) + $(shard_length 1) + $(shard_length 3))) = '"$others"' ]'
	wait_for 10 answered 3100
	judge_answers
}

# judge_answers: in order, and errors for lines of shard 2 only
judge_answers() {
	paste -d ' ' <(shard_of 4 <"$dir/all" | cut -d ' ' -f 1) "$dir/all" "$dir/out" |
		awk '{ if ($2 == $3) next
			if ($1 != 2 || $3 !~ /"(unavailable|unknown)"/) {
				print "line " NR ": " $0; bad = 1 } }
			END { exit bad || NR < 3100 }'
	grep -c error "$dir/out" >"$dir/errors"
	[ "$(cat "$dir/errors")" -gt 600 ]
}

# recovered: lines of shard 2 are published again
recovered() {
	local n
	n=$(wc -l <"$dir/out")
	keys 5001 5020 >&7
	wait_for 10 answered $((n + 20))
	! tail -n 20 "$dir/out" | grep -q error
}

# Nothing lost, nothing twice: what was answered is there once, what is
# unavailable is not.
exact() {
	local lines
	lines=$(for i in 0 1 2 3; do shard $i; done | sort)
	[ -z "$(uniq -d <<<"$lines" | grep -v '000000139[0-9a-f]"\|00000013[89a][0-9a-f]"' || :)" ]
	grep -v error "$dir/out" | sort -u | comm -23 - <(sort -u <<<"$lines") | cmp - /dev/null
}

@test "a shard that is down holds up and refuses its own lines only" {
	harm() { touch "$dir/harm/down-$Q.2"; }
	trouble
	grep -q "^incr-publish: queue $Q.2: redis: .*; waiting$" "$dir/err"
	run -1 grep -q "queue $Q.[013]:" "$dir/err"
	# Once --wait has run out its lines are refused at once.
	wait_for 5 refused_at_once
	rm "$dir/harm/down-$Q.2"
	wait_for 10 recovered
	grep -q "^incr-publish: queue $Q.2: publishing again$" "$dir/err"
	ends 111
	exact
}
# refused_at_once: a hundred lines have their answers before --wait; on a loaded
# machine all may be late for once.
refused_at_once() {
	local n since
	n=$(wc -l <"$dir/out")
	keys $((n + 1)) $((n + 100)) >"$dir/more"
	since=${EPOCHREALTIME/./}
	cat "$dir/more" >&7
	wait_for 5 answered $((n + 100))
	not elapsed "$since" 900000
}

@test "a shard that answers nothing holds up and refuses its own lines only" {
	harm() { touch "$dir/harm/hole-$Q.2"; }
	trouble
	rm "$dir/harm/hole-$Q.2"
	wait_for 10 recovered
	ends 111
	exact
}

@test "a shard that Redis refuses refuses its own lines only" {
	harm() { rcli rename "rmq::queue::[$Q.2]::ready" "$Q-away" &&
		rcli hset "rmq::queue::[$Q.2]::ready" no list; }
	trouble
	rcli del "rmq::queue::[$Q.2]::ready"
	wait_for 10 recovered
	ends 111
}

@test "a shard that is slow holds up its own lines only" {
	others=$(keys 1 6000 | shard_of 4 | grep -vc '^2 ')
	proxied
	open_publish -s 4
	keys 1 100 >&7
	wait_for 5 answered 100
	echo 0.5 >"$dir/harm/slow-$Q.2"
	keys 101 6000 >&7
	wait_for 5 eval '[ $(($(shard_length 0) + $(shard_length 1) + $(shard_length 3))) = '"$others"' ]'
	[ "$(wc -l <"$dir/out")" -lt 6000 ]
	wait_for 10 answered 6000
	ends 0
	keys 1 6000 | cmp - "$dir/out"
	published 6000
}

@test "lines that wait for one shard are bounded, and are in order when it answers" {
	local held=131072 first max others
	keys 1 150000 | tee "$dir/all" | shard_of 4 >"$dir/routed"
	first=$(grep -n -m 1 '^2 ' "$dir/routed" | cut -d : -f 1)
	held=$((first - 1 + held)) # those before it are answered
	others=$(head -n $held "$dir/routed" | grep -vc '^2 ')
	max=$(($(head -n $held "$dir/all" | wc -c) + 128 * 1024)) # and reads
	proxied
	touch "$dir/harm/hole-$Q.2"
	incr-publish -e -r "$PROXIED" -s 4 -w 60 <"$dir/all" >"$dir/out" 2>"$dir/err" 3>&- &
	pid=$!
	remember "$pid"
	wait_for 30 published "$others"
	[ "$(awk '/^pos:/ { print $2 }' "/proc/$pid/fdinfo/0")" -le "$max" ]
	rm "$dir/harm/hole-$Q.2"
	wait_for 30 gone "$pid"
	wait "$pid"
	cmp "$dir/all" "$dir/out"
}

@test "a shard that is full refuses its own lines only" {
	for i in $(seq 50); do echo "$(increment 1)"; done >"$dir/fill"
	keys 1 10 | incr-publish -s 4
	# 400 in all are 100 for each.
	rcli eval 'for i = 1, 200 do redis.call("LPUSH", KEYS[1], "x") end' 1 \
		"rmq::queue::[$Q.2]::ready"
	keys 11 210 >"$dir/in"
	run -111 --separate-stderr incr-publish -e -s 4 --high-water 400 <"$dir/in"
	paste -d ' ' <(shard_of 4 <"$dir/in" | cut -d ' ' -f 1) <(echo "$output") |
		awk '($1 == 2) != /unavailable/ { print; bad = 1 } END { exit bad }'
	[[ "$stderr" == *"queue $Q.2: limit of 100 ready messages reached (--high-water); waiting"* ]]
}

@test "without --echo a shard in trouble holds up its own lines, and ends the program after --wait" {
	proxied
	keys 1 10 | incr-publish -s 4
	touch "$dir/harm/down-$Q.2"
	run -111 incr-publish -r "$PROXIED" -s 4 -w 2 < <(keys 11 410)
	n=$(keys 11 410 | shard_of 4 | grep -c '^2 ')
	[[ "$output" == *"queue $Q.2: redis: "*"; $n lines not delivered (0 of unknown outcome)" ]]
	published $((410 - n))
	[ "$(shard_length 2)" = "$(keys 1 10 | shard_of 4 | grep -c '^2 ')" ]
}

@test "without Redis at the start lines are refused, and go to their shards once it is there" {
	keys 1 10 | incr-publish -s 4
	proxied
	touch "$dir/harm/down-$Q"
	open_publish -w 1
	keys 11 20 >&7
	wait_for 5 answered 10
	[ "$(grep -c unavailable "$dir/out")" = 10 ]
	rm "$dir/harm/down-$Q"
	wait_for 10 are_taken 21 30
	[ "$(ready)" = 0 ]
	ends 111
}

@test "--check looks at each shard, and at the number" {
	keys 1 400 | incr-publish -s 4
	run -1 incr-publish --check # warnings
	for i in 0 1 2 3; do
		[[ "$output" == *"queue $Q.$i: nothing drains it: $(shard_length $i) ready, "* ]]
	done
	run -100 incr-publish --check -s 3
	[[ "$output" == *"queue $Q: has 4 shards, not 3 (--shards)"* ]]
	keys 1 10 | incr-publish -q "$Q-alone"
	run -1 incr-publish --check -q "$Q-alone"
	[[ "$output" != *"$Q-alone.0"* ]]
}

# -- what is seen of it ------------------------------------------------------------

@test "metrics of each shard" {
	export INCR_METRICS_DIR=$dir/metrics
	mkdir "$INCR_METRICS_DIR"
	keys 1 400 | incr-publish -s 4
	incr-metrics >"$dir/text"
	for i in 0 1 2 3; do
		grep -qE "^incr_shard_published_total\{queue=\"$Q.$i\",.*\} $(shard_length $i)$" "$dir/text"
		grep -qE "^incr_shard_refused_total\{queue=\"$Q.$i\",.*\} 0$" "$dir/text"
		grep -qE "^incr_shard_held\{queue=\"$Q.$i\",.*\} 0$" "$dir/text"
		grep -qE "^incr_queue_ready\{.*queue=\"$Q.$i\"" "$dir/text"
	done
	grep -qE '^incr_published_total\{.*\} 400$' "$dir/text"
}
