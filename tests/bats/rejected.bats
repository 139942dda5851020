#!/usr/bin/env bats
# incr-rejected: dead letters listed, counted, republished, dropped; while
# others take and push, and through kill -9, lost replies and slow ones.

bats_require_minimum_version 1.5.0
load helper

setup() {
	use_redis
	cd "$BATS_TEST_TMPDIR" || return
	READY="rmq::queue::[$INCR_QUEUE]::ready"
	REJECTED="rmq::queue::[$INCR_QUEUE]::rejected"
}

teardown() {
	end_background
	[ ! -d redis ] || redis_stop "$PWD/redis"
}

# reject: what is on standard input is the newest dead letter, byte for byte
reject() { rcli -x lpush "$REJECTED" >/dev/null; }
# reject_all PAYLOAD...
reject_all() { rcli lpush "$REJECTED" "$@" >/dev/null; }

# oldest LIST: its payloads, oldest first
oldest() { rcli --raw lrange "$1" 0 -1 | tac; }

value() { printf '{"key":"%s","value":%s}' "$KEY" "$1"; }
id_of() { printf %s "$1" | sha256sum | head -c 16; }

# -- list --------------------------------------------------------------------

@test "list: id, code, the message in printable characters, its time, oldest first" {
	value 3 | reject
	value 0 | reject
	printf '\xff\x00\xbe\xbe\x4a{"a":["b"]}\n%s' "$(value 4)" | reject
	printf '\xff\x00\xbe\xbe\x4a{"a":["b"}\n%s' "$(value 4)" | reject
	printf '\x1b[2J\x9b1m\\\t\x00\n\r\x7f' | reject
	printf '{"error":{' | reject
	: | reject
	head -c 5000 /dev/zero | tr '\0' x | reject
	incr-rejected list >out
	not grep -q '[^[:print:][:space:]]' out
	cut -f 2 out | diff - <(printf '%s\n' valid value-out-of-range valid \
		faulty-header not-json control-line not-json too-long)
	[ "$(sed -n 1p out)" = "$(id_of "$(value 3)")	valid	$(value 3)	unknown" ]
	[ "$(sed -n 5p out | cut -f 3)" = '\x1b[2J\x9b1m\\\x09\x00\x0a\x0d\x7f' ]
	[ "$(sed -n 7p out)" = "$(id_of '')	not-json		unknown" ]
	[ "$(sed -n 8p out | wc -c)" -gt 5000 ]
	# Every byte is there.
	printf '%b' "$(sed -n 3p out | cut -f 3)" >bytes
	printf '\xff\x00\xbe\xbe\x4a{"a":["b"]}\n%s' "$(value 4)" | cmp - bytes
	# It changes nothing.
	[ "$(rejected)" -eq 8 ]
	[ "$(ready)" -eq 0 ]
}

# arrived LINE: the time that list shows for message LINE, seconds since 1970
arrived() {
	local at
	at=$(incr-rejected list | sed -n "$1p" | cut -f 4)
	[[ "$at" =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$ ]] && date -d "$at" +%s
}
# drain: once; that it rejects some is its 1
drain() { incr-consume -o | incr-flush -i 0.1 || [ $? -eq 1 ]; }
server_time() { rcli --raw time | head -n 1; }

@test "list: when a drain rejected a message, until it is withdrawn" {
	local times="incr::queue::[$INCR_QUEUE]::rejected::times" start
	use_postgres
	start=$(server_time)
	reject_all x # by another program
	rcli lpush "$READY" $'y\xff\t\r' "$(value '"7"')" "$(value 1)" z >/dev/null
	drain
	[ "$(incr-rejected list | cut -f 2 | xargs)" = \
		'not-json not-json value-not-an-integer not-json' ]
	[ "$(incr-rejected list | sed -n 1p)" = "$(id_of x)	not-json	x	unknown" ]
	for line in 2 3 4; do
		((start <= $(arrived $line) && $(arrived $line) <= $(server_time)))
	done
	# Of two that are alike, the last one's time.
	rcli zincrby "$times" -3600000 "$(printf z | sha1sum | cut -d ' ' -f 1)"
	((start > $(arrived 4) && start - 3700 < $(arrived 4)))
	rcli lpush "$READY" z >/dev/null
	drain
	((start <= $(arrived 4) && $(arrived 4) == $(arrived 5)))
	# What is withdrawn takes its time along, the last one all of them.
	incr-rejected drop -y "$(id_of "$(value '"7"')")"
	[ "$(rcli zcard "$times")" -eq 2 ]
	incr-rejected list --raw | cut -f 2 | not grep -q Z
	incr-rejected drop -ya
	[ "$(rcli exists "$times")" = 0 ]
}

@test "list --raw: one line each, as they would be judged; never on a terminal" {
	printf '\xff\x00\xbe\xbe\x4a{}\na\nb\x1b' | reject
	reject_all x
	incr-rejected list --raw | cmp - <(printf 'a b\x1b\nx\n')
	run script -qec 'incr-rejected list --raw' /dev/null
	[ "$status" -eq 100 ]
	[[ "$output" == *'standard output is a terminal'* ]]
	# Without --raw a long one is cut there.
	head -c 5000 /dev/zero | tr '\0' y | reject
	run script -qec 'incr-rejected list' /dev/null
	[[ "$output" == *"yyy..."* && ${#output} -lt 1300 ]]
}

@test "list and count: by code, by id, the oldest ones" {
	reject_all x "$(value 0)" "$(value 1)" y x "$(value 2)"
	run incr-rejected count
	[ "$output" = "valid	2
not-json	3
value-out-of-range	1
total	6" ]
	[ "$(incr-rejected count -c not-json)" = 3 ]
	[ "$(incr-rejected count -c valid)" = 2 ]
	[ "$(incr-rejected count -c too-long)" = 0 ]
	[ "$(incr-rejected count -n 2 -c not-json)" = 2 ]
	[ "$(incr-rejected -n 3 list | cut -f 3)" = "x
$(value 0)
$(value 1)" ]
	# An id stands for one message, given twice for two.
	[ "$(incr-rejected list "$(id_of x)" "$(id_of y)" | cut -f 3)" = "x
y" ]
	[ "$(incr-rejected list "$(id_of x)" "$(id_of x)" | wc -l)" -eq 2 ]
	run -1 incr-rejected list "$(id_of x)" "$(id_of z)" "$(id_of x)" "$(id_of x)"
	[ "${lines[2]}" = 'incr-rejected: rejected: 2 of 4 message ids not found' ]
}

@test "list: a full disk is not a success, nothing there is one" {
	incr-rejected list
	[ "$(incr-rejected count)" = 'total	0' ]
	[ "$(incr-rejected republish)" = '0 republished' ]
	[ "$(incr-rejected drop -ay)" = '0 dropped' ]
	reject_all x
	for command in list count; do
		run sh -c "incr-rejected $command >/dev/full"
		[ "$status" -eq 111 ]
		[ "${#lines[@]}" -eq 1 ]
	done
}

@test "output on a full disk or nowhere is 111, and what was moved is said" {
	for out in '>/dev/full' '>&-'; do
		reject_all x "$(value 1)"
		for command in list count; do
			run -111 sh -c "incr-rejected $command $out"
			[[ "$output" == 'incr-rejected: stdout: '* ]]
			[ "${#lines[@]}" -eq 1 ]
		done
		run -111 sh -c "incr-rejected republish $out"
		[ "${lines[0]}" = 'incr-rejected: rejected: 1 republished before this failure' ]
		[[ "${lines[1]}" == 'incr-rejected: stdout: '* ]]
		run -111 sh -c "incr-rejected drop -ay $out"
		[ "${lines[0]}" = 'incr-rejected: rejected: 1 dropped before this failure' ]
		[[ "${lines[1]}" == 'incr-rejected: stdout: '* ]]
		[ "$(rejected)" -eq 0 ]
	done
	[ "$(ready)" -eq 2 ]
}

# -- republish -----------------------------------------------------------------

@test "republish: what is valid now, byte for byte; the rest stays in order" {
	use_postgres
	printf '\xff\x00\xbe\xbe\x4a{"a":["b"]}\n%s' "$(value 1)" | reject
	reject_all x
	printf '{\n"value" : 20,"key":"%s"}' "${KEY^^}" | reject
	reject_all "$(value 0)" "$(value 300)" y
	run -1 incr-rejected republish
	[ "$output" = '3 republished, 3 not valid' ]
	[ "$(oldest "$REJECTED")" = "x
$(value 0)
y" ]
	rcli --raw lindex "$READY" -1 |
		cmp - <(printf '\xff\x00\xbe\xbe\x4a{"a":["b"]}\n%s\n' "$(value 1)")
	incr-consume -o | incr-flush -i 0.1
	sum_is 321
	[ "$(rejected)" -eq 3 ]
	# Nothing more to do.
	run -1 incr-rejected republish
	[ "$output" = '0 republished, 3 not valid' ]
}

@test "republish: by id, or the oldest" {
	reject_all "$(value 1)" x "$(value 2)" "$(value 1)" "$(value 3)"
	[ "$(incr-rejected republish "$(id_of "$(value 1)")")" = '1 republished' ]
	[ "$(oldest "$REJECTED")" = "x
$(value 2)
$(value 1)
$(value 3)" ]
	[ "$(incr-rejected republish -n 2 || :)" = '2 republished, 1 not valid' ]
	[ "$(oldest "$REJECTED")" = "x
$(value 3)" ]
	[ "$(oldest "$READY")" = "$(value 1)
$(value 2)
$(value 1)" ]
	run -1 incr-rejected republish "$(id_of x)" "$(id_of "$(value 3)")"
	[ "$output" = '1 republished, 1 not valid' ]
	run -1 incr-rejected republish "$(id_of x)" "$(id_of y)"
	[ "${lines[0]}" = '0 republished, 1 not valid' ]
	[ "${lines[1]}" = 'incr-rejected: rejected: 1 of 2 message ids not found' ]
}

# many N: as many, every third one valid; their sum is in $sum
many() {
	seq "$1" | awk -v key="$KEY" '{
		printf "{\"key\":\"%s\",\"value\":%s}\n", key,
			NR % 3 ? "\"" $1 "\"" : $1 }' >payloads
	sum=$(awk -F : '!/"value":"/ { s += $3 } END { print s + 0 }' payloads)
	# Its own protocol: no command line is as long.
	awk -v key="$REJECTED" '{ printf "*3\r\n$5\r\nLPUSH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n",
		length(key), key, length($0), $0 }' payloads |
		rcli --pipe >/dev/null
}

# sum_ready: of what waits
sum_ready() { rcli --raw lrange "$READY" 0 -1 | tr -dc '0-9:\n' | awk -F : '{ s += $NF } END { print s + 0 }'; }

@test "republish: thousands among thousands, in bounded memory" {
	many 20000
	run -1 incr-rejected republish
	[ "$output" = '6666 republished, 13334 not valid' ]
	[ "$(sum_ready)" = "$sum" ]
	oldest "$REJECTED" | cmp - <(grep '"value":"' payloads)
	oldest "$READY" | cmp - <(grep -v '"value":"' payloads)
	[ "$(incr-rejected count -c value-not-an-integer)" = 13334 ]
}

@test "large ones come two at a time at least, and go as they came" {
	head -c 1500000 /dev/urandom >large
	reject <large
	value 1 | reject
	reject <large
	value 2 | reject
	[ "$(incr-rejected republish || :)" = '2 republished, 2 not valid' ]
	[ "$(rejected)" -eq 2 ]
	[ "$(incr-rejected drop -y -n 1 -c too-long)" = '1 dropped' ]
	rcli --raw lindex "$REJECTED" 0 | head -c -1 | cmp - large
}

@test "mended by hand: listed raw, through sed and incr-validate to the queue" {
	use_postgres
	reject_all '{"key":"'"$KEY"'","value":"7"}' x '{"key":"'"$KEY"'","value":"5"}'
	incr-rejected -c value-not-an-integer list | cut -f 1 >ids
	# What comes later is not meant, even if it looks the same.
	reject_all '{"key":"'"$KEY"'","value":"7"}'
	xargs -r incr-rejected --raw list <ids |
		sed 's/"value":"\([0-9]*\)"/"value":\1/' >mended
	incr-validate <mended >valid
	incr-publish <valid
	xargs -r incr-rejected --yes drop <ids
	incr-consume -o | incr-flush -i 0.1
	sum_is 12
	[ "$(oldest "$REJECTED")" = 'x
{"key":"'"$KEY"'","value":"7"}' ]
}

# -- drop ------------------------------------------------------------------------

@test "drop: only what was asked for, by id, code or all" {
	reject_all x y x z "$(value 1)" "$(value 0)"
	[ "$(incr-rejected drop -y "$(id_of x)")" = '1 dropped' ]
	[ "$(oldest "$REJECTED" | head -n 3)" = "y
x
z" ]
	[ "$(incr-rejected drop -y -c not-json -n 2)" = '2 dropped' ]
	[ "$(incr-rejected drop -y -c not-json "$(id_of "$(value 0)")" || :)" = '0 dropped' ]
	[ "$(oldest "$REJECTED")" = "z
$(value 1)
$(value 0)" ]
	[ "$(incr-rejected --yes --all drop)" = '3 dropped' ]
	[ "$(rcli exists "$REJECTED" "$READY")" = 0 ]
}

# typed ANSWER COMMAND...: on a terminal, where ANSWER is typed
typed() {
	cat >typed.tcl <<-'EXPECT'
		set timeout 10
		set answer [lindex $argv 0]
		eval spawn -noecho [lrange $argv 1 end]
		expect "y/N" { send "$answer\r" }
		expect eof
		exit [lindex [wait] 3]
	EXPECT
	expect typed.tcl "$@"
}

@test "drop asks on a terminal, says how many, and drops no others" {
	reject_all x y "$(value 1)"
	run -1 typed n incr-rejected drop -c not-json
	[[ "$output" == *'drop 2 dead letters for good? [y/N]'* ]]
	[[ "$output" == *'drop: nothing dropped'* ]]
	run -1 typed '' incr-rejected drop --all
	[[ "$output" == *'drop 3 dead letters'* ]]
	[ "$(rejected)" -eq 3 ]
	# What comes while it asks was not meant.
	cat >typed.tcl <<-EXPECT
		set timeout 10
		spawn -noecho incr-rejected drop --all
		expect "y/N"
		exec redis-cli -s ${REDIS_URL#unix://} lpush $(printf %s "$REJECTED" | sed 's/[][]/\\&/g') later
		send "yes\r"
		expect eof
		exit [lindex [wait] 3]
	EXPECT
	run -0 expect typed.tcl
	[[ "$output" == *'3 dropped'* ]]
	[ "$(oldest "$REJECTED")" = later ]
}

# refused ARG...: a usage error that changes nothing
refused() {
	run incr-rejected "$@" </dev/null
	[ "$status" -eq 100 ] && [ "${#lines[@]}" -eq 1 ] || {
		echo "$*: $status: $output"
		return 1
	}
}

@test "usage errors end with 100 and change nothing" {
	reject_all x
	refused
	refused show
	refused drop
	refused drop --yes
	[ "$output" = 'incr-rejected: drop: needs message ids, --code or --all' ]
	refused drop --all
	[[ "$output" == 'incr-rejected: drop: needs --yes: '* ]]
	refused drop -y -a -c not-json
	refused drop -y -a "$(id_of x)"
	refused drop -y x
	[[ "$output" == "incr-rejected: x: not a message id: 16 hexadecimal digits"* ]]
	refused list --all
	refused count --raw
	refused list -c nonsense
	refused republish -c not-json
	refused list -n 0
	[ "$(rejected)" -eq 1 ]
}

# -- others at the same time --------------------------------------------------------

@test "pushed meanwhile, returned by others, two at once: nothing lost or doubled" {
	local pids=()
	many 9000
	# A program of adjust/rmq returns 500 of the oldest, others push.
	background rcli -r 500 rpoplpush "$REJECTED" "$READY" >/dev/null
	pids+=($!)
	background rcli -r 500 lpush "$REJECTED" late >/dev/null
	pids+=($!)
	for n in 1 2; do
		background incr-rejected republish >"out.$n"
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || [ $? -eq 1 ]; done
	incr-rejected republish || :
	[ "$(incr-rejected count -c valid)" = 0 ]
	{ oldest "$REJECTED" | grep -v late; oldest "$READY"; } | sort |
		cmp - <(sort payloads)
	[ "$(oldest "$REJECTED" | grep -c late)" -eq 500 ]
	# And those that stayed are in their order.
	oldest "$REJECTED" | grep -v late |
		diff - <(grep -xFf <(oldest "$REJECTED") payloads)
}

# -- Redis ------------------------------------------------------------------------

@test "kill -9 at any time: each is in one of the lists, in order" {
	local n
	many 9000
	for n in 5 10 20 40 80; do
		background incr-rejected republish >/dev/null
		wait_for 5 has_moved $((n * 20))
		kill -9 $! 2>/dev/null || :
		wait $! 2>/dev/null || :
		{ oldest "$REJECTED"; oldest "$READY"; } | sort |
			cmp - <(sort payloads)
	done
	incr-rejected republish || :
	[ "$(sum_ready)" = "$sum" ]
	oldest "$REJECTED" | cmp - <(grep '"value":"' payloads)
}
has_moved() { [ "$(ready)" -ge "$1" ]; }

@test "at maxmemory they can be dropped and republished" {
	redis_start "$PWD/redis" --maxmemory-policy noeviction
	export REDIS_URL=unix://$PWD/redis/redis.sock
	reject_all x "$(value 1)" "$(value 2)"
	rcli config set maxmemory 1
	[ "$(incr-rejected count -c valid)" = 2 ]
	[ "$(incr-rejected republish -n 1 || :)" = '1 republished, 1 not valid' ]
	[ "$(incr-rejected drop -ay)" = '2 dropped' ]
	[ "$(ready)" -eq 1 ]
}

@test "Redis away is 111 after --wait; what is no list is said" {
	REDIS_URL=unix://$PWD/none run -111 incr-rejected -w 0.1 count
	[ "${#lines[@]}" -eq 1 ]
	[[ "$output" == 'incr-rejected: redis: '* ]]
	rcli set "$REJECTED" no-list
	run -111 incr-rejected list
	[[ "$output" == *WRONGTYPE* ]]
	rcli del "$REJECTED"
	reject_all "$(value 1)"
	rcli set "$READY" no-list
	run -111 incr-rejected republish
	[[ "$output" == *WRONGTYPE* ]]
	rcli del "$READY"
	[ "$(incr-rejected republish)" = '1 republished' ]
}

@test "while Redis restarts it waits, and goes on" {
	redis_start "$PWD/redis"
	export REDIS_URL=unix://$PWD/redis/redis.sock
	many 3000
	redis_stop "$PWD/redis"
	background incr-rejected -w 30 republish >out
	redis_start "$PWD/redis"
	wait $! || [ $? -eq 1 ]
	[ "$(cat out)" = '1000 republished, 2000 not valid' ]
	[ "$(sum_ready)" = "$sum" ]
}
