#!/usr/bin/env bats
# incr-rejected over the shards of a queue: all of them are listed, counted and
# dropped; what belongs to another shard is republished there, once.  Killed and
# stopped at each step: points.bats.

bats_require_minimum_version 1.5.0
load helper

# Keys of the shards 0 and 1 of two.
A=cccccccc-0000-4000-8000-000000000000
B=cccccccc-0000-4000-8000-000000000004

setup() {
	use_redis
	cd "$BATS_TEST_TMPDIR" || return
	Q=$INCR_QUEUE
	shards_are 2
}

teardown() {
	end_background
}

# shards_are N: as publishers note it
shards_are() {
	local q
	for q in "$Q" "$Q.0" "$Q.1"; do
		rcli set "incr::queue::[$q]::shards" "$1" >/dev/null
	done
}

# reject QUEUE PAYLOAD...: the last one is the newest dead letter
reject() { rcli lpush "rmq::queue::[$1]::rejected" "${@:2}" >/dev/null; }
# letters QUEUE, waiting QUEUE: oldest first
letters() { rcli --raw lrange "rmq::queue::[$1]::rejected" 0 -1 | tac; }
waiting() { rcli --raw lrange "rmq::queue::[$1]::ready" 0 -1 | tac; }
lengths() {
	local q
	for q in "$Q" "$Q.0" "$Q.1"; do
		rcli llen "rmq::queue::[$q]::rejected"
		rcli llen "rmq::queue::[$q]::ready"
	done | xargs
}
id_of() { printf %s "$1" | sha256sum | head -c 16; }

# label PAYLOAD SHARD MS [N]: as withdraw.lua labels it; hex
label() {
	printf '\xff\x00\xbe\xbe\x4a{"incr-label":["%s.%s %s %s"]}\n%s' \
		AAAAAAAAAAAAAAAAAAAAAAAA "${4-2}" "$2" "$3" "$1"
}
server_ms() { rcli --raw time | awk 'NR == 1 { s = $1 } END { printf "%d%03d\n", s, $1 / 1000 }'; }

@test "list, count, drop: of all shards, and of what is under the plain name" {
	reject "$Q" x "$(increment 1 $B)"
	reject "$Q.0" "$(increment 2 $A)" "$(increment 3 $B)"
	reject "$Q.1" y
	incr-rejected list | cut -f 2,3,5 >out
	diff out - <<-END
		not-json	x	$Q
		wrong-shard	$(increment 1 $B)	$Q
		valid	$(increment 2 $A)	$Q.0
		wrong-shard	$(increment 3 $B)	$Q.0
		not-json	y	$Q.1
	END
	[ "$(incr-rejected count -s 2 | tr '\t\n' '  ')" = 'valid 1 not-json 2 wrong-shard 2 total 5 ' ]
	[ "$(incr-rejected -n 3 list | wc -l)" = 3 ]
	[ "$(incr-rejected -q "$Q.1" list | cut -f 3,5)" = y ]
	[ "$(incr-rejected count -c wrong-shard)" = 2 ]
	[ "$(incr-rejected drop -y "$(id_of y)" "$(id_of x)")" = '2 dropped' ]
	[ "$(incr-rejected drop -y -n 2 -c wrong-shard)" = '2 dropped' ]
	[ "$(lengths)" = '0 0 1 0 0 0' ]
}

@test "a shard that is away, or another number of shards, ends the command" {
	reject "$Q.0" x
	rcli set "rmq::queue::[$Q.1]::rejected" no-list >/dev/null
	run -111 --separate-stderr incr-rejected list
	[[ "$stderr" == "incr-rejected: redis: queue $Q.1: "*WRONGTYPE* ]]
	run -100 --separate-stderr incr-rejected -s 3 list
	[ "$stderr" = "incr-rejected: queue $Q: has 2 shards, not 3 (--shards)" ]
	rcli del "rmq::queue::[$Q.1]::rejected" >/dev/null
	# A shard that notes another one gets nothing.
	reject "$Q.0" "$(increment 1 $B)"
	rcli set "incr::queue::[$Q.1]::shards" 3 >/dev/null
	run -100 --separate-stderr incr-rejected republish
	[ "$stderr" = "incr-rejected: queue $Q.1: has 3 shards, not 2" ]
	[ "$(lengths)" = '0 0 2 0 0 0' ]
	# What it can't take is said, and goes there once it can.
	shards_are 2
	rcli set "rmq::queue::[$Q.1]::ready" no-list >/dev/null
	run -111 --separate-stderr incr-rejected republish
	[[ "$stderr" == "incr-rejected: redis: queue $Q.1: "*WRONGTYPE* ]]
	rcli del "rmq::queue::[$Q.1]::ready" >/dev/null
	run -1 incr-rejected republish
	[ "$output" = '1 republished, 1 not valid' ]
	[ "$(waiting "$Q.1")" = "$(increment 1 $B)" ]
}

@test "the queue itself notes the number of shards before a message has a label" {
	local letter
	letter=$(increment 1 $A)
	rcli del "incr::queue::[$Q.0]::shards" "incr::queue::[$Q.1]::shards" >/dev/null
	reject "$Q.1" "$letter"
	run -100 --separate-stderr incr-rejected -q "$Q.1" -s 4 republish
	[ "$stderr" = "incr-rejected: queue $Q: has 2 shards, not 4 (--shards)" ]
	[ "$(letters "$Q.1")" = "$letter" ]
	rcli del "incr::queue::[$Q]::shards" >/dev/null
	[ "$(incr-rejected -s 2 republish)" = '1 republished' ]
	[ "$(rcli get "incr::queue::[$Q]::shards")" = 2 ]
}

@test "republish: each to the shard of its key; equal ones each; others as they are" {
	local text
	text=" $(increment 7 $A)"
	reject "$Q" x "$(increment 1 $B)" "$(increment 2 $A)"
	reject "$Q.0" "$(increment 3 $B)" "$text" "$(increment 3 $B)"
	reject "$Q.1" "$(increment 4 $B)" "$(increment 5 ${A^^})"
	run -1 incr-rejected republish
	[ "$output" = '7 republished, 1 not valid' ]
	[ "$(lengths)" = '1 0 0 3 0 4' ]
	[ "$(waiting "$Q.0" | sort)" = "$(printf '%s\n' "$text" "$(increment 2 $A)" "$(increment 5 $A)" | sort)" ]
	[ "$(waiting "$Q.1" | sort)" = "$(for n in 1 3 3 4; do increment $n $B; done)" ]
	# One of a shard, and by id.
	reject "$Q.1" "$(increment 6 $A)" "$(increment 7 $A)"
	[ "$(incr-rejected -q "$Q.1" republish "$(id_of "$(increment 7 $A)")")" = '1 republished' ]
	[ "$(incr-rejected -n 1 republish || :)" = '1 republished, 1 not valid' ]
	[ "$(lengths)" = '1 0 0 5 0 4' ]
	run -0 incr-rejected -q "$Q.1" republish
	[ "$output" = '0 republished' ]
}

@test "a letter that has a label: its id stays, rmq reads it, its tag counts it once" {
	local letter
	letter=$(increment 1 $B)
	label "$letter" 1 "$(server_ms)" | rcli -x lpush "rmq::queue::[$Q.0]::rejected" >/dev/null
	[ "$(incr-rejected list | cut -f 1,2)" = "$(id_of "$letter")	wrong-shard" ]
	[ "$(incr-rejected --raw list)" = "$letter" ]
	# As if it had been published, and not removed.
	printf 'AAAAAAAAAAAAAAAAAAAAAAAA.2\t%s\n' "$letter" | incr-publish -q "$Q" -t
	[ "$(incr-rejected republish "$(id_of "$letter")")" = '1 republished' ]
	[ "$(lengths)" = '0 0 0 0 0 1' ]
	# Its mark lives as long as somebody may publish it.
	[ "$(rcli ttl "incr::queue::[$Q.1]::marks::AAAAAAAAAAAAAAAAAAAAAAAA.0")" -gt $((7 * 86400)) ]
}

@test "a letter whose mark may be gone, too early or elsewhere, is left, and said" {
	local now day=$((86400 * 1000)) week=$((7 * 86400 * 1000)) n
	now=$(server_ms)
	n=2
	for words in "1 $((now - week - 1000))" "1 $((now - week + 60000))" "0 $now" \
		"1 $now" "1 x" "1 $((now + day - 60000))" \
		"1 $((now + day + 60000))"; do
		n=$((n + 1))
		# shellcheck disable=SC2086 # words
		label "$(increment $n $B)" $words $n |
			rcli -x lpush "rmq::queue::[$Q.0]::rejected" >/dev/null
	done
	run -1 --separate-stderr incr-rejected republish
	[ "$output" = '3 republished, 4 of unknown outcome' ]
	[ "$stderr" = 'incr-rejected: rejected: 4 messages with a label may have been published before; see LABELS in incr-rejected(1)' ]
	[ "$(waiting "$Q.1" | sort)" = "$(increment 4 $B; increment 6 $B; increment 8 $B)" ]
	[ "$(lengths)" = '0 0 4 0 0 3' ]
	# Without shards nobody knows what became of them, either.
	label "$(increment 1)" 0 "$now" | rcli -x lpush "rmq::queue::[$Q-plain]::rejected" >/dev/null
	run -1 incr-rejected -q "$Q-plain" republish
	[ "${lines[0]}" = '0 republished, 1 of unknown outcome' ]
}

@test "a shard that has noted no number is one of its queue, which has" {
	local letter
	letter=$(increment 1 $A)
	rcli del "incr::queue::[$Q.1]::shards" >/dev/null
	reject "$Q.1" "$letter"
	[ "$(incr-rejected -q "$Q.1" list | cut -f 2)" = wrong-shard ]
	[ "$(incr-rejected -q "$Q.1" republish)" = '1 republished' ]
	[ "$(waiting "$Q.0")" = "$letter" ]
	# Not one whose number the queue has not.
	reject "$Q.2" "$letter"
	[ "$(incr-rejected -q "$Q.2" republish)" = '1 republished' ]
	[ "$(waiting "$Q.2")" = "$letter" ]
}

# reject_many QUEUE: 1 to 1500 of $A
reject_many() {
	seq 1 1500 | sed 's/.*/{"key":"'"$A"'","value":&}/' |
		xargs -d '\n' redis-cli -s "${REDIS_URL#unix://}" lpush \
			"rmq::queue::[$1]::rejected" >/dev/null
}

@test "by id, from several pages" {
	reject_many "$Q.1"
	[ "$(incr-rejected republish "$(id_of "$(increment 999 $A)")" \
		"$(id_of "$(increment 1499 $A)")")" = '2 republished' ]
	[ "$(waiting "$Q.0")" = "$(increment 999 $A; increment 1499 $A)" ]
}

@test "two at once: each letter once" {
	local pid
	for i in 0 1; do
		reject_many "$Q.$i"
		background incr-rejected republish >"out.$i"
		eval "pid$i=$!"
	done
	for pid in "$pid0" "$pid1"; do wait "$pid"; done
	incr-rejected republish >>out.0
	waiting "$Q.0" | sort | cmp - <(seq 1 1500 |
		sed 's/.*/{"key":"'"$A"'","value":&}/;p' | sort)
	[ "$(lengths)" = '0 0 0 3000 0 0' ]
}

@test "replicas have the label, and what is published, first" {
	reject "$Q.0" "$(increment 1 $B)"
	rcli set "incr::queue::[$Q.0]::replicas" 1 >/dev/null
	run -111 incr-rejected -w 0.1 republish
	[[ "$output" == *"queue $Q.0: "*replica* ]]
	[ "$(lengths)" = '0 0 1 0 0 0' ]
	rcli del "incr::queue::[$Q.0]::replicas" >/dev/null
	rcli set "incr::queue::[$Q.1]::replicas" 1 >/dev/null
	run -111 incr-rejected -q "$Q.0" -w 0.1 republish
	[[ "$output" == *"queue $Q.1: "*replica* ]]
	[ "$(rcli llen "rmq::queue::[$Q.0]::rejected")" = 1 ]
	rcli del "incr::queue::[$Q.1]::replicas" >/dev/null
	[ "$(incr-rejected republish)" = '1 republished' ]
	[ "$(lengths)" = '0 0 0 0 0 1' ]
}

@test "own keys, to the end: a dead letter is counted in the database of its shard" {
	use_postgres
	rcli lpush "rmq::queue::[$Q.0]::ready" "$(increment 5 $B)" "$(increment 6 $A)" >/dev/null
	for i in 0 1; do
		incr-consume -q "$Q.$i" -o --own-keys | incr-flush -q "$Q.$i" || [ $? -eq 1 ]
	done
	[ "$(total)" = 6 ]
	[ "$(incr-rejected republish)" = '1 republished' ]
	for i in 0 1; do
		incr-consume -q "$Q.$i" -o --own-keys | incr-flush -q "$Q.$i"
	done
	incr-audit -e 11
}
