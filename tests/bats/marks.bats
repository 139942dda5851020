#!/usr/bin/env bats
# The marks of tags: the script that makes them in blocks and on shelves against
# that of version 2, which had a key for each; what a line costs.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() {
	own_redis
	export INCR_QUEUE=marks
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() { end_background; }

@test "random calls: both scripts, and a mix of them, answer and leave the same" {
	run -0 timeout 100 python3 "$BATS_TEST_DIRNAME/marks.py" \
		"$OWN_REDIS/redis.sock" "$BATS_TEST_DIRNAME/marks_2.lua" \
		"$ROOT/lib/queue/lua/publish.lua" "${MARKS_SEED:-$(date +%j)}" 300
	# Each outcome came, also errors.
	for outcome in 0 1 2 3 4 5 'error WRONGTYPE'; do
		[[ " $output" == *" $outcome:"* ]]
	done
}

# of LINES KEY-LENGTH: tagged lines, LINES of each of their keys
of() {
	increments 1 "$1" | awk -v n="$2" '{
		printf "%024d.%d\t%s\n", int((NR - 1) / n), (NR - 1) % n + 1, $0
	}'
}
used() { marks 0 | sed 's/.*/memory usage & samples 0/' | rcli | awk '{ s += $1 } END { print s }'; }

# bytes LINES N: of memory that the mark of a line takes
bytes() {
	rcli flushall >/dev/null
	of "$1" "$2" | incr-publish -t
	[ "$(marks)" = "$1" ]
	[ "$(ready)" = "$1" ]
	echo $(($(used) / $1))
}

@test "a mark of many lines takes 30 bytes, one of a line alone 130" {
	many=$(bytes 100000 1000)
	alone=$(bytes 100000 1)
	echo "many: $many, alone: $alone"
	((many > 10 && many <= 30))
	((alone > 30 && alone <= 130))
}

@test "tags of any form are looked for where they were marked" {
	base=AAAAAAAAAAAAAAAAAAAAAAAA
	{
		for n in 1 2 127 128 129 1000000000000000 01 0 1x '' 1234567890123456789; do
			echo "$base.$n"
		done
		echo "$base"
		echo "A$base.2"
		echo "${base%A}+.2"
		echo "${base%A}B.2"
		echo x
		echo x.1
		echo "$base.1.1"
	} | awk '{ printf "%s\t{\"key\":\"6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11\",\"value\":%d}\n", $0, NR * 1000000007 }' >lines
	incr-publish -e -t <lines | cmp - lines
	[ "$(ready)" = "$(wc -l <lines)" ]
	[ "$(marks)" = "$(wc -l <lines)" ]
	tac lines | incr-publish -t
	[ "$(ready)" = "$(wc -l <lines)" ]
	run -1 incr-publish -t < <(sed 's/7}$/8}/' lines)
	[ "$(grep -c idempotency-key-reused <<<"$output")" -ge 1 ]
	[ "$(ready)" = "$(wc -l <lines)" ]
	# Line 1 and its like are singles, the others in blocks.
	marks 0 | sed 's/.*::marks:://' | sort >keys
	grep -qx "$base.0" keys
	grep -qx "$base.1" keys
	grep -qx "$base.7812500000000" keys
	[ "$(grep -c '^1\.' keys)" -gt 5 ]
	[ "$(rcli hlen "incr::queue::[$INCR_QUEUE]::marks::$base.0")" = 2 ]
	[ "$(rcli hlen "incr::queue::[$INCR_QUEUE]::marks::$base.1")" = 2 ]
}
