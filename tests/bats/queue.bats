#!/usr/bin/env bats
# lib/queue/ against real servers, through tests/unit/queue_call.c: calls,
# connections that are refused, lost, stopped or replaced, and adoption.

# bats file_tags=scripts
load helper

setup_file() {
	make -s -C "$ROOT" asan ASAN_GOALS=build/asan/unit/queue_call >/dev/null
}

setup() {
	use_redis
	OWN_REDIS=$BATS_TEST_TMPDIR/r
}

teardown() {
	hang_up
	end_background
	redis_stop "$OWN_REDIS-2"
}

# Its append-only file is written before it replies; everysec can hold a write
# back for two seconds.
synced_redis() { own_redis --appendfsync always "$@"; }

# calls LINE...: each one's result, by a connection of their own
calls() {
	printf '%s\n' "$@" | timeout 20 "$ROOT/build/asan/unit/queue_call" \
		"$REDIS_URL" "$INCR_QUEUE"
}

# dial: one connection that lasts; say LINE: begin a call; hear: its result;
# call LINE: both
dial() {
	mkfifo "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
	"$ROOT/build/asan/unit/queue_call" "$REDIS_URL" "$INCR_QUEUE" \
		<"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 3>&- &
	remember $!
	exec 8>"$BATS_TEST_TMPDIR/in" 9<"$BATS_TEST_TMPDIR/out"
}
say() { printf '%s\n' "$*" >&8; }
hear() { read -r -t 15 -u 9 reply; }
call() {
	say "$*"
	hear
}
hang_up() { { exec 8>&- 9<&-; } 2>/dev/null; }

# uuid DIGIT: as the driver writes it
uuid() { local d=$1$1$1$1; echo "$d$d-$d-$d-$d-$d$d$d"; }
owner_key() { echo "incr::queue::[$INCR_QUEUE]::consumer::$(uuid "$1")::owner"; }

# -- calls -------------------------------------------------------------------

@test "a life: publish, register, take, read, renew, acknowledge, measure" {
	run calls 'publish 1 1 a b c' 'register 2' 'ask 2' 'ask 3' \
		'take 2 1 2' 'take 2 1 2' 'read 2 1' 'measure' 'renew 2 0 2 3' \
		'acknowledge 2 1 / 1:1' 'read 2 1' 'renew 2 1 2' 'measure' \
		'take 2 2 9' 'take 2 3 9' 'take 2 5 9' 'run'
	[ "$output" = "pushed
done
yes
no
taken 1 a b
taken 1 a b
batch 1 a b
1 1 0
owned disowned
done
batch 1
bare
1 0 1
taken 2 c
empty 3
gone 5
run 1" ]
}

@test "a batch of many chunks comes oldest first" {
	run calls "publish 1 1 $(seq -s ' ' 1000)" 'register 2' 'take 2 1 777' \
		'take 2 2 777' 'read 2 2'
	[ "${lines[2]}" = "taken 1 $(seq -s ' ' 777)" ]
	[ "${lines[3]}" = "taken 2 $(seq -s ' ' 778 1000)" ]
	[ "${lines[4]}" = "batch 2 $(seq -s ' ' 778 1000)" ]
}

@test "tags: verdicts by line, the same when repeated; gaps are told" {
	run calls 'tagged 1 1 t=x u=y t=z =w t=x t=q' 'tagged 1 1 t=x u=y t=z =w t=x t=q' \
		'publish 1 3 a'
	[ "$output" = "pushed 2 5
before 2 5
gap" ]
}

# -- connections ----------------------------------------------------------------

@test "TCP by name, IPv4 and IPv6, another database, a user with a password" {
	port=$(free_port)
	synced_redis --port "$port" --bind 127.0.0.1 ::1
	rcli acl setuser someone on '>se cret' '~*' '&*' '+@all'
	for url in "redis://127.0.0.1:$port" "redis://[::1]:$port/1" \
		"redis://localhost:$port/2" \
		"redis://someone:se%20cret@127.0.0.1:$port/3" \
		"unix://someone:se%20cret@$OWN_REDIS/redis.sock?db=4"; do
		REDIS_URL=$url run calls 'publish 1 1 a'
		[ "$output" = pushed ]
	done
	for db in 0 1 2 3 4; do
		[ "$(rcli -n $db llen "rmq::queue::[$INCR_QUEUE]::ready")" = 1 ]
	done
	# The default user's password.
	rcli config set requirepass hidden
	REDIS_URL=redis://:hidden@127.0.0.1:$port run calls 'measure'
	[ "$output" = "1 0 0" ]
}

@test "what is misconfigured is a fault, without the password in its reason" {
	synced_redis --maxmemory 100mb --maxmemory-policy allkeys-lru
	fault_is() {
		run calls connect
		[[ "$output" == "fault: "*"$1"* ]] || { echo "$output"; return 1; }
		[[ "$output" != *hidden* ]]
	}
	fault_is "maxmemory-policy allkeys-lru"
	rcli config set maxmemory 0 # then the policy does not matter
	[ "$(calls connect)" = connected ]
	rcli config set maxmemory 100mb maxmemory-policy noeviction
	[ "$(calls connect)" = connected ]
	REDIS_URL="$REDIS_URL?db=99" fault_is "DB index is out of range"
	REDIS_URL="unix://:hidden@$OWN_REDIS/redis.sock" fault_is AUTH
	REDIS_URL="unix://nobody:hidden@$OWN_REDIS/redis.sock" fault_is WRONGPASS
	rcli acl setuser weak on '>hidden' '~*' +auth +select
	REDIS_URL="unix://weak:hidden@$OWN_REDIS/redis.sock" fault_is NOPERM
	rcli config set requirepass other
	fault_is NOAUTH
}

@test "a node of a cluster is recognised: waited for while it has no slots" {
	synced_redis --port "$(free_port)" --bind 127.0.0.1 --cluster-enabled yes
	REDIS_URL="$REDIS_URL?db=1" run calls connect
	[ "$output" = "fault: ERR SELECT is not allowed in cluster mode" ]
	run calls connect
	[ "$output" = "down: CLUSTERDOWN Hash slot not served" ]
	rcli cluster addslotsrange 0 16383
	connects() { [ "$(calls connect)" = connected ]; }
	wait_for 20 connects
}

@test "a socket path that would be cut off is refused" {
	REDIS_URL=unix:///tmp/$(printf 'x%.0s' {1..110}) run calls connect
	[ "$output" = "open: the path of the socket is too long" ]
}

# asked N: so often a connection began
asked() { [ "$(grep -ci '"info"' "$BATS_TEST_TMPDIR/asked")" -ge "$1" ]; }

@test "it waits for a server that is not there yet, or still a replica" {
	REDIS_URL=unix://$OWN_REDIS/redis.sock
	dial
	say 'publish 1 1 a'
	synced_redis --replicaof 127.0.0.1 1
	background rcli monitor >"$BATS_TEST_TMPDIR/asked"
	wait_for 10 asked 2 # and none may succeed
	[ "$(rcli exists rmq::queues)" = 0 ]
	rcli replicaof no one
	hear
	[ "$reply" = pushed ]
}

@test "a server turned replica refuses, and is left for a better one" {
	synced_redis
	dial
	call 'publish 1 1 a'
	[ "$reply" = pushed ]
	rcli replicaof 127.0.0.1 1
	call 'publish 1 2 b'
	[[ "$reply" == "refused sent: READONLY"* ]]
	say 'publish 1 2 b'
	rcli replicaof no one
	hear
	[ "$reply" = pushed ]
}

@test "SCRIPT FLUSH in the middle is not noticed" {
	synced_redis
	dial
	call 'publish 1 1 a'
	rcli script flush
	call 'publish 1 2 b'
	[ "$reply" = pushed ]
	call 'measure'
	[ "$reply" = "2 0 0" ]
	[[ "$(rcli info clients)" == *connected_clients:2* ]]
}

@test "an idle connection that was closed is made again, the run is the same" {
	synced_redis
	dial
	call run
	[ "$reply" = "run 1" ]
	rcli client kill type normal skipme yes
	call 'publish 1 1 a'
	[ "$reply" = pushed ]
	call run
	[ "$reply" = "run 1" ]
}

@test "a restarted server is another run" {
	synced_redis
	dial
	call 'publish 1 1 a'
	redis_stop "$OWN_REDIS"
	synced_redis
	call run
	[ "$reply" = "run 2" ]
	call 'publish 1 1 a'
	[ "$reply" = before ]
}

@test "a server that does not answer: lost and sent, done late, not twice" {
	synced_redis
	dial
	call 'publish 1 1 a'
	kill -STOP "$(redis_pid)"
	call 'publish 1 2 b'
	[ "$reply" = "lost sent: no answer in time" ]
	kill -CONT "$(redis_pid)"
	call 'publish 1 2 b'
	[ "$reply" = before ]
	call measure
	[ "$reply" = "2 0 0" ]
}

@test "a call that did not leave whole: lost and not sent, never done" {
	synced_redis
	dial
	call 'publish 1 1 a'
	kill -STOP "$(redis_pid)"
	line=$(printf 'x%.0s' {1..4000})
	say "publish 1 2 $(for _ in {1..1000}; do printf '%s ' "$line"; done)"
	hear
	[ "$reply" = "lost: no answer in time" ]
	kill -CONT "$(redis_pid)"
	call measure
	[ "$reply" = "1 0 0" ]
}

@test "a connection killed in the middle of a call: lost and sent" {
	synced_redis
	dial
	call 'publish 1 1 a'
	kill -STOP "$(redis_pid)"
	say 'publish 1 2 b'
	kill -9 "$(redis_pid)"
	hear
	[[ "$reply" == "lost sent: "* ]]
	rm -f "$OWN_REDIS/redis.pid"
	synced_redis
	call 'publish 1 2 b'
	[ "$reply" = pushed ]
}

@test "a permission missing from the start is a fault, taken away an outage" {
	synced_redis
	rcli acl setuser someone on '>x' '~*' '+@all' -evalsha
	REDIS_URL=unix://someone:x@$OWN_REDIS/redis.sock
	run calls 'publish 1 1 a' 'publish 1 1 a'
	[[ "${lines[1]}" == "fault: NOPERM"* ]]
	# A look aside is none, however often.
	run calls measure measure measure
	[[ "${lines[0]}" == "refused sent: NOPERM"* ]]
	[[ "$output" != *fault* ]]
	redis-cli -s "$OWN_REDIS/redis.sock" acl setuser someone +evalsha
	dial
	call 'publish 1 1 a'
	redis-cli -s "$OWN_REDIS/redis.sock" acl setuser someone -evalsha
	call 'publish 1 2 b'
	[[ "$reply" == "refused sent: NOPERM"* ]]
	call 'publish 1 2 b'
	[[ "$reply" == "refused sent: NOPERM"* ]]
	redis-cli -s "$OWN_REDIS/redis.sock" acl setuser someone +evalsha
	call 'publish 1 2 b'
	[ "$reply" = pushed ]
}

@test "permissions that suffice for half a publish do none of it" {
	synced_redis
	rcli acl setuser someone on '>x' '~*' '+@all' -lpush
	REDIS_URL=unix://someone:x@$OWN_REDIS/redis.sock run calls 'publish 1 1 a'
	[[ "$output" == "refused sent: "* ]]
	run calls 'publish 1 1 a' 'measure'
	[ "$output" = "pushed
1 0 0" ]
}

# -- adoption ----------------------------------------------------------------

orphan() { # DIGIT: a consumer with one batch
	calls "publish $1 1 x" "register $1" "take $1 1 1" >/dev/null
}

# elsewhere DIGIT: its owner is of another machine
elsewhere() {
	rcli set "$(owner_key "$1")" "$(uuid "$1") elsewhere 1 1" px 60000
}

@test "a consumer without owner is adopted at the second look, not sooner" {
	orphan 1
	rcli del "$(owner_key 1)"
	dial
	call 'adopt 2'
	[ "$reply" = more ]
	call 'adopt 2' # too near to be a second look
	[ "$reply" = more ]
	adopted() { call 'adopt 2' && [ "$reply" != more ]; }
	wait_for 3 adopted
	[ "$reply" = "none $(uuid 1) 1" ]
	call 'read 1 1'
	[ "$reply" = "batch 1 x" ]
	call 'adopt 2' # it knows: not told again
	[ "$reply" = none ]
}

@test "a look on another connection is a first one" {
	synced_redis
	orphan 1
	rcli del "$(owner_key 1)"
	dial
	call 'adopt 2'
	rcli client kill type normal skipme yes
	since=${EPOCHREALTIME/./}
	wait_for 2 elapsed "$since" 300000 # longer than two looks must be apart
	call 'adopt 2'
	[ "$reply" = more ]
}

@test "an owner that lives, here or elsewhere, keeps its own" {
	orphan 1
	elsewhere 1
	orphan 3
	sleep infinity 3>&- &
	remember $!
	boot=$(</proc/sys/kernel/random/boot_id)
	ns=$(readlink /proc/self/ns/pid | tr -dc 0-9)-$(readlink /proc/self/ns/time | tr -dc 0-9)
	start=$(cut -d' ' -f22 "/proc/$!/stat")
	rcli set "$(owner_key 3)" "$(uuid 3) $boot-$ns $! $start" px 60000
	run calls 'adopt 2' 'adopt 2'
	[ "$output" = "none
none" ]
	# The same number, another process: gone.
	rcli set "$(owner_key 3)" "$(uuid 3) $boot-$ns $! 1" px 400
	run calls 'adopt 2'
	[ "$output" = "none $(uuid 3) 1" ]
}

# silent DIGIT: its owner has renewed nothing for more than half a second
silent() { rcli pexpire "$(owner_key "$1")" 400 >/dev/null; }

@test "a process of this machine that is gone is succeeded at the first look" {
	orphan 1 # by a process that has ended
	silent 1
	run calls 'adopt 2'
	[ "$output" = "none $(uuid 1) 1" ]
}

@test "who renews its life is not gone: another machine has the same name" {
	orphan 1
	dial
	for _ in 1 2 3 4; do
		rcli pexpire "$(owner_key 1)" 1000 >/dev/null
		call 'adopt 2'
		[ "$reply" = none ]
	done
	silent 1
	call 'adopt 2'
	[ "$reply" = "none $(uuid 1) 1" ]
}

@test "an adoption whose reply was lost is found by its adopter" {
	orphan 1
	rcli set "$(owner_key 1)" "$(uuid 2) elsewhere 1 1" px 60000
	run calls 'adopt 2' 'adopt 2'
	[ "$output" = "none $(uuid 1) 1
none" ]
}

@test "a consumer without batches is swept, only its number is left" {
	run calls 'publish 3 1 x' 'register 1' 'take 1 1 1' 'acknowledge 1 1'
	silent 1
	calls 'adopt 2'
	[ "$(rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::consumer*")" = \
		"incr::queue::[$INCR_QUEUE]::consumer::$(uuid 1)::last" ]
}

@test "ten thousand consumers: a look is short, and all are swept in the end" {
	synced_redis
	rcli eval 'for i = 1, 10000 do
		redis.call("SADD", KEYS[1], string.format("%08x-0000-4000-8000-000000000000", i))
	end' 1 "incr::queue::[$INCR_QUEUE]::consumers"
	rcli config set slowlog-log-slower-than 400000
	dial
	# Others use the machine, too: what is long is long each time.
	for _ in 1 2 3; do
		rcli slowlog reset
		sweeps_some
		[ "$(rcli slowlog len)" != 0 ] || return 0
		rcli client kill type normal skipme yes
	done
	false
}
# sweeps_some: looks, the first of them on a connection that has made none
sweeps_some() {
	local members
	members=$(rcli scard "incr::queue::[$INCR_QUEUE]::consumers")
	call 'adopt 2'
	[ "$reply" = more ]
	fewer() {
		call 'adopt 2'
		(($(rcli scard "incr::queue::[$INCR_QUEUE]::consumers") < members))
	}
	wait_for 5 fewer
}
