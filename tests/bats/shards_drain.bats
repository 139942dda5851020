#!/usr/bin/env bats
# The counting side of shards: audits and dead letters over all of them, each
# counted by drains of its own, in one database or in several.

bats_require_minimum_version 1.5.0
load helper

A=aaaaaaaa-0000-4000-8000-000000000001
B=bbbbbbbb-0000-4000-8000-000000000001

setup() {
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	Q=$INCR_QUEUE
	HERE=$DATABASE_URL
}

teardown() {
	end_background
	[ -z "${OTHER-}" ] || psql -Xq -h "$INCR_SUITE/pg" -U postgres \
		-d postgres -c "drop database if exists $OTHER with (force)"
}

# sharded N: the queue has N shards, as publishers note it
sharded() {
	local i
	rcli set "incr::queue::[$Q]::shards" "$1" >/dev/null
	for ((i = 0; i < $1; i++)); do
		rcli set "incr::queue::[$Q.$i]::shards" "$1" >/dev/null
	done
}

# push QUEUE VALUE [KEY]: as another program does
push() {
	rcli lpush "rmq::queue::[$1]::ready" "$(increment "$2" "${3-$KEY}")" >/dev/null
}

# drain_once QUEUE [OPTION of incr-consume...]
drain_once() {
	local q=$1
	shift
	incr-consume -q "$q" -o "$@" | incr-flush -q "$q" -i 0.1
}

# another: $OTHER_URL is a second database with tables
another() {
	OTHER=t$BATS_SUITE_TEST_NUMBER-other
	OTHER=${OTHER//-/_}
	psql -Xq -h "$INCR_SUITE/pg" -U postgres -d postgres \
		-c "drop database if exists $OTHER" \
		-c "create database $OTHER template incr_template strategy file_copy" 2>/dev/null
	OTHER_URL="postgresql:///$OTHER?host=$INCR_SUITE/pg&user=postgres"
	DATABASE_URL=$OTHER_URL sql 'update incr_database set id = gen_random_uuid()'
}

member() { perl -MJSON::PP -e '$_ = decode_json(<STDIN>); print eval $ARGV[0]' "$1" <out; }

# -- incr-audit ----------------------------------------------------------------

@test "audit: all shards, and what is under the plain name" {
	sharded 3
	push "$Q" 1
	push "$Q.0" 20
	push "$Q.1" 300
	push "$Q.2" 4000
	rcli lpush "rmq::queue::[$Q.2]::rejected" x >/dev/null
	incr-audit >out
	places ready '- 4 0 4321' rejected '- 1 1 0' total '- 5 1 4321' table '0 - - 0'
	drain_once "$Q.1"
	drain_once "$Q"
	# One that is left unacknowledged is its shard's.
	incr-consume -q "$Q.2" -o >stream
	incr-audit >out
	places table '1 - - 301' taken '- 1 0 4000' ready '- 1 0 20' total '- 3 1 4321'
	incr-audit --json >out
	[ "$(member '$_->{total}{sum}')" = 4321 ]
	[ "$(member 'join " ", map { "$_->{queue} $_->{ready}{sum} $_->{taken}{sum}" } @{$_->{queues}}')" = \
		"$Q 0 0 $Q.0 20 0 $Q.1 0 0 $Q.2 0 4000" ]
	# A shard alone, also where all programs are told how many there are.
	INCR_SHARDS=3 incr-audit -q "$Q.2" >out
	places ready '- 0 0 0' taken '- 1 0 4000' rejected '- 1 1 0' table '1 - - 301'
}

@test "audit: the number of shards is that of the queue, and another one is 100" {
	sharded 3
	for q in "$Q" "$Q.1"; do
		run --separate-stderr -100 incr-audit -q "$q" -s 4
		[ "$stderr" = "incr-audit: queue $q: has 3 shards, not 4 (--shards)" ]
	done
	incr-audit -s 3 >/dev/null
	# Nobody has noted one: as it is told, and nothing is noted.
	rcli del "incr::queue::[$Q]::shards" >/dev/null
	push "$Q.1" 5
	incr-audit >out
	places ready '- 0 0 0'
	INCR_SHARDS=2 incr-audit >out
	places ready '- 1 0 5'
	[ "$(rcli exists "incr::queue::[$Q]::shards")" = 0 ]
}

@test "audit: a shard whose batch is nowhere is named, with 1" {
	sharded 2
	push "$Q.1" 5
	incr-consume -q "$Q.1" -o >stream
	consumer=$(sed -n 's/.*"consumer":"\([^"]*\)".*/\1/p;q' stream)
	rcli del "incr::queue::[$Q.1]::consumer::$consumer::batches" >/dev/null
	run --separate-stderr -1 incr-audit
	[ "$stderr" = "incr-audit: queue $Q.1: 1 batch taken, and neither in Redis nor in the table" ]
}

@test "audit: totals are compared shard by shard, not as one sum" {
	sharded 2
	push "$Q.0" 1
	push "$Q.1" 2
	drain_once "$Q.0"
	drain_once "$Q.1"
	run -0 --separate-stderr incr-audit
	[ -z "$stderr" ]
	sql "update incr_ledger set lines = lines + 1 where queue = '$Q.0'"
	sql "update incr_ledger set lines = lines - 1 where queue = '$Q.1'"
	run -1 --separate-stderr incr-audit
	[[ "${stderr_lines[0]}" == "incr-audit: queue $Q.0: 1 message counted that "* ]]
	[[ "${stderr_lines[1]}" == "incr-audit: queue $Q.1: 1 message acknowledged "* ]]
	run -0 --separate-stderr incr-audit --settle
	run -0 --separate-stderr incr-audit
	[ -z "$stderr" ]
}

@test "audit: shards in two databases, each with its own ledger" {
	sharded 2
	another
	push "$Q.0" 1 $A
	push "$Q.1" 20 $B
	push "$Q.1" 300 $A
	drain_once "$Q.0"
	DATABASE_URL=$OTHER_URL drain_once "$Q.1"
	push "$Q.1" 4000 $B
	incr-audit -d "$HERE" -d "$OTHER_URL" >out
	places table '3 - - 321' ready '- 1 0 4000' total '- 1 0 4321'
	# Arguments take the place of the variable; a key may be in both.
	{ increment 301 $A; increment 4020 $B; } >expected
	incr-audit -d "$OTHER_URL" -d "$HERE" -e expected >out
	# In @FILE, as a URL with a password has to be.
	printf '%s\n' "$HERE" >here
	printf '%s\n' "$OTHER_URL" >other
	incr-audit -d @here -d @other -e expected -e 4321 >out
	# Without the one that counts a shard no number is right.
	run --separate-stderr -100 incr-audit
	[ "$stderr" = "incr-audit: queue $Q.1: is counted in a database that is none of --database; see incr-db adopt" ]
	[ -z "$output" ]
	# What one of them has lost is its shard's.
	DATABASE_URL=$OTHER_URL sql 'delete from incr_ledger' >/dev/null
	run --separate-stderr -1 incr-audit -d "$HERE" -d "$OTHER_URL"
	[[ "${stderr_lines[-1]}" == "incr-audit: queue $Q.1: 2 messages acknowledged and not in the table"* ]]
}

@test "audit: a shard that is away is no number" {
	sharded 2
	another
	push "$Q.1" 1
	run -111 incr-audit -w 0.1 -d "$HERE" -d "postgresql:///x?host=$PWD"
	[[ "$output" == 'incr-audit: postgres: database 2: '* ]]
	rcli set "incr::queue::[$Q.1]::version" 99 >/dev/null
	run -100 incr-audit
	[[ "$output" == "incr-audit: redis: queue $Q.1: "*'version 99'* ]]
}

@test "audit: what moves in one shard in every round is no number" {
	sharded 2
	# Whenever the table is looked at, something of it is taken and counted.
	sql "create function moves() returns numeric language sql volatile as
		'insert into incr_ledger values (gen_random_uuid(), ''$Q.1'', 1);
		select 0::numeric'"
	sql 'alter table increments rename to counts'
	sql 'create view increments as select key, value from counts
		union all select null, moves()'
	run --separate-stderr -111 incr-audit
	[[ "$stderr" == 'incr-audit: queue: moved in each of 50 rounds'* ]]
	[ -z "$output" ]
	sql 'drop view increments'
	sql 'alter table counts rename to increments'
}

@test "audit: exact at every look, while three shards are drained at once" {
	local n=0 good=0 sent=0 status
	sharded 3
	for i in 0 1 2; do
		background setsid incr-drain -q "$Q.$i" -- -i 0.1
	done
	until ((n == 15)); do
		for i in 0 1 2; do
			push "$Q.$i" 1
		done
		sent=$((sent + 3))
		status=0
		incr-audit -e "$sent" >out 2>err || status=$?
		n=$((n + 1))
		if [ "$status" -eq 111 ]; then
			grep -q 'queue: moved' err
			continue
		fi
		[ "$status" -eq 0 ]
		good=$((good + 1))
	done
	echo "$good of $n looks"
	((good > n / 2))
	wait_for 20 total_is "$sent"
	incr-audit -e "$sent" >out
}

# -- keys of other shards ------------------------------------------------------

# shard_of KEY N: as any language has it
shard_of() {
	perl -MCompress::Raw::Zlib -e 'my ($k, $n) = @ARGV; $k =~ tr/-//d;
		print Compress::Raw::Zlib::crc32(pack "H*", $k) % $n' "$1" "$2"
}

# keys_of I N: two keys of shard I in $K1 and $K2
keys_of() {
	local i k n=0
	for ((i = 0; n < 2; i++)); do
		k=$(printf 'cccccccc-0000-4000-8000-%012d' "$i")
		[ "$(shard_of "$k" "$2")" = "$1" ] || continue
		n=$((n + 1))
		printf -v "K$n" %s "$k"
	done
}

dead() { rcli llen "rmq::queue::[$1]::rejected"; }
batches_of() { rcli --raw keys "incr::queue::\\[$1\\]::consumer::*::batch::*"; }

@test "own keys: one of another shard is a dead letter, else it is counted" {
	sharded 4
	keys_of 2 4
	push "$Q.2" 1 "$K1"
	push "$Q.3" 20 "$K1"
	push "$Q" 300 "$K1"
	rcli lpush "rmq::queue::[$Q.3]::ready" nonsense >/dev/null
	# In one database there is no wrong place.
	drain_once "$Q.3" || [ $? -eq 1 ]
	[ "$(total) $(dead "$Q.3")" = '20 1' ]
	push "$Q.3" 4000 "$K2"
	push "$Q.3" 50000 "${K2^^}"
	for q in "$Q.2" "$Q.3" "$Q"; do
		INCR_OWN_KEYS=1 drain_once "$q" 2>err || [ $? -eq 1 ]
	done
	[ "$(total)" = 21 ]
	[ "$(dead "$Q.2") $(dead "$Q.3") $(dead "$Q")" = '0 3 1' ]
	[ "$(rcli --raw lindex "rmq::queue::[$Q.3]::rejected" 1)" = "$(increment 4000 "$K2")" ]
	incr-audit -e 54321 >out
}

@test "own keys: whoever delivers a batch judges it as its consumer was to" {
	sharded 4
	keys_of 2 4
	push "$Q.3" 1 "$K1"
	push "$Q.3" 20 "$K1"
	# One that makes dead letters takes the first, one that does not the other.
	incr-consume -q "$Q.3" -o -n 1 --own-keys >/dev/null || :
	[ "$(batches_of "$Q.3" | wc -l)" = 2 ]
	drain_once "$Q.3" || [ $? -eq 1 ]
	[ "$(total) $(dead "$Q.3")" = '0 2' ]
	push "$Q.3" 300 "$K1"
	incr-consume -q "$Q.3" -o >/dev/null || :
	INCR_OWN_KEYS=1 drain_once "$Q.3"
	[ "$(total) $(dead "$Q.3")" = '300 2' ]
}

@test "own keys: counted before, it is no dead letter to the adopter" {
	sharded 4
	keys_of 2 4
	push "$Q.3" 300 "$K1"
	incr-consume -q "$Q.3" -o >stream
	# As if incr-flush had been killed behind its COMMIT.
	consumer=$(sed -n 's/.*"consumer":"\([^"]*\)".*/\1/p;q' stream)
	sql "insert into incr_ledger (consumer, queue, seq, lines)
		values ('$consumer', '$Q.3', 1, 1)"
	sql "insert into increments values ('$K1', 300)"
	[ "$(total)" = 300 ]
	INCR_OWN_KEYS=1 drain_once "$Q.3"
	[ "$(total) $(dead "$Q.3") $(batches_of "$Q.3")" = '300 0 ' ]
}

@test "own keys: without a number of shards nothing is taken" {
	keys_of 3 4
	push "$Q.3" 1 "$K1"
	run -111 incr-consume -q "$Q.3" -o -w 0.3 --own-keys
	[[ "$output" == *'how many shards the queue has'* ]]
	[ "$(rcli llen "rmq::queue::[$Q.3]::ready")" = 1 ]
	background setsid incr-drain -q "$Q.3" --own-keys -- -i 0.1 2>err
	wait_for 10 grep -q 'how many shards' err
	sharded 4
	wait_for 10 total_is 1
}
