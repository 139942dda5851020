#!/usr/bin/env bats
# incr-audit: where everything is, exactly, while it moves; or no number.

bats_require_minimum_version 1.5.0
load helper

OTHER=00000000-0000-0000-0000-000000000001
A=aaaaaaaa-0000-4000-8000-000000000001

setup() {
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	P="incr::queue::[$INCR_QUEUE]::"
	READY="rmq::queue::[$INCR_QUEUE]::ready"
	REJECTED="rmq::queue::[$INCR_QUEUE]::rejected"
}

teardown() {
	end_background
	[ ! -d redis ] || redis_stop "$PWD/redis"
}

# audit PLACE ROW...: runs it and compares
audit() {
	incr-audit >out
	places "$@"
}

# hold N: a consumer that has left holds N batches of one message
hold() {
	increments 1 "$1" | incr-publish
	incr-consume -o -n 1 >stream
}

@test "nothing is nothing" {
	audit table '0 - - 0' taken '- 0 0 0' ready '- 0 0 0' \
		rejected '- 0 0 0' total '- 0 0 0' counted '- 0 0 0'
	[ "$(wc -l <out)" -eq 7 ]
}

@test "each place has its own, and the total is all that is held" {
	{ increments 1 10; increment 5 "$OTHER"; } | incr-flush
	hold 3
	increments 100 101 | incr-publish
	rcli lpush "$READY" x >/dev/null
	rcli lpush "$REJECTED" nonsense "$(increment 1000)" >/dev/null
	printf '\xff\x00\xbe\xbe\x4a{}\n%s' "$(increment 2000)" |
		rcli -x lpush "$REJECTED" >/dev/null
	audit table '2 - - 60' taken '- 3 0 6' ready '- 3 1 201' \
		rejected '- 3 1 3000' total '- 9 2 3267' counted '- 0 0 0'
	incr-audit "$OTHER" >out
	places table '1 - - 5' taken '- 0 0 0' total '- 0 0 5'
	incr-audit "${KEY^^}" >out
	places table '1 - - 55' taken '- 3 0 6' ready '- 2 0 201' \
		rejected '- 2 0 3000' total '- 7 0 3262'
	# It changes nothing, and all of it is counted in the end.
	incr-rejected republish || :
	incr-consume -o | incr-flush -i 0.1 || :
	audit table '2 - - 3267' total '- 2 2 3267'
}

@test "taken and counted, not acknowledged: in the table once" {
	local consumer
	hold 3
	consumer=$(sed -n 's/.*"consumer":"\([^"]*\)".*/\1/p;q' stream)
	# As if incr-flush had been killed behind its COMMIT.
	sql "insert into incr_ledger values ('$consumer', '$INCR_QUEUE', 2)"
	sql "insert into increments values ('$KEY', 3)"
	audit table '1 - - 3' taken '- 1 0 3' counted '- 2 0 3' total '- 1 0 6'
	# The row of another queue is none.
	sql "update incr_ledger set queue = 'other'"
	audit taken '- 3 0 6' counted '- 0 0 0'
}

@test "no increment, of a counted batch: taken until it is rejected" {
	local consumer
	increments 1 2 | incr-publish
	rcli lpush "$READY" nonsense >/dev/null
	incr-consume -o >stream
	consumer=$(sed -n 's/.*"consumer":"\([^"]*\)".*/\1/p;q' stream)
	sql "insert into incr_ledger values ('$consumer', '$INCR_QUEUE', 1)"
	sql "insert into increments values ('$KEY', 3)"
	audit table '1 - - 3' taken '- 1 1 0' counted '- 2 0 3' total '- 1 1 3'
	incr-consume -o | incr-flush -i 0.1 || :
	audit table '1 - - 3' rejected '- 1 1 0' total '- 1 1 3'
}

@test "sums beyond int64, of the table and of messages" {
	local max=9223372036854775807
	yes "$(increment $max)" | head -n 3000 | incr-flush
	yes "$(increment $max)" | head -n 3000 | incr-publish
	audit table '1 - - 27670116110564327421000' \
		total '- 3000 0 55340232221128654842000'
	incr-audit -e 55340232221128654842000 >/dev/null
}

@test "--json: one object with all numbers, exact; the same status" {
	increments 1 10 | incr-publish
	incr-consume -o | incr-flush
	increments 1 3 | incr-publish
	rcli lpush "$REJECTED" nonsense "$(increment 100000000000000001)" >/dev/null
	run -0 --separate-stderr incr-audit --json
	[ "$output" = '{"queue":"'"$INCR_QUEUE"'","table":{"keys":1,"sum":55},"taken":{"messages":0,"invalid":0,"sum":0},"ready":{"messages":3,"invalid":0,"sum":6},"rejected":{"messages":2,"invalid":1,"sum":100000000000000001},"total":{"messages":5,"invalid":1,"sum":100000000000000062},"counted":{"messages":0,"invalid":0,"sum":0},"missing_batches":0,"unknown_batches":0,"missed_messages":0,"surplus_messages":0}' ]
	perl -MJSON::PP -e 'decode_json(<STDIN>)' <<<"$output"
	run -1 --separate-stderr incr-audit --json -e 7 "$KEY"
	[[ $output == '{"queue":"'"$INCR_QUEUE"'","key":"'"$KEY"'",'*',"expected":7}' ]]
	[[ $stderr == 'incr-audit: total: '*', expected 7' ]]
	# A Postgres that went back.
	sql "delete from incr_ledger" >/dev/null
	run -1 --separate-stderr incr-audit --json
	[[ $output == *'"surplus_messages":-10}' ]]
}

@test "--expect: 1 and both numbers if it is another sum" {
	increments 1 10 | incr-publish
	incr-audit --expect 55 >/dev/null
	run --separate-stderr -1 incr-audit --expect 56
	[ "$stderr" = 'incr-audit: total: 55, expected 56' ]
	[ "${#lines[@]}" -eq 7 ]
	incr-audit --expect 0 "$OTHER" >/dev/null
}

@test "a batch that is nowhere is told, with 1" {
	hold 3
	rcli del "$(batches | grep '::2$')" >/dev/null
	rcli zrem "$(batches | grep '::1$' | sed 's/::batch::1/::batches/')" 2
	run --separate-stderr -1 incr-audit
	[[ "$stderr" == 'incr-audit: queue: 1 batch taken, and neither in Redis nor in the table' ]]
}

@test "a Redis that went back is told, with 1" {
	local consumer
	hold 3
	consumer=$(sed -n 's/.*"consumer":"\([^"]*\)".*/\1/p;q' stream)
	sql "insert into incr_ledger values ('$consumer', '$INCR_QUEUE', 5)"
	run --separate-stderr -1 incr-audit
	[ "$stderr" = 'incr-audit: queue: 2 batches in the table, and not known to Redis, which went back' ]
	[ "${#lines[@]}" -eq 7 ]
}

@test "usage errors, services away, tables missing" {
	for wrong in x "$KEY $KEY" '-e x' '-e -1' '--expect 1.5'; do
		# shellcheck disable=SC2086 # several words
		run -100 incr-audit $wrong
		[ "${#lines[@]}" -eq 1 ]
	done
	REDIS_URL=unix://$PWD/none run -111 incr-audit -w 0.1
	[[ "$output" == 'incr-audit: redis: '* ]]
	DATABASE_URL="postgresql:///x?host=$PWD" run -111 incr-audit -w 0.1
	[[ "$output" == 'incr-audit: postgres: '* ]]
	for out in '>/dev/full' '>&-'; do
		run -111 sh -c "incr-audit $out"
		[[ "$output" == 'incr-audit: stdout: '* ]]
	done
	sql "insert into increments values ('$KEY', 0.5)"
	run -100 incr-audit
	[[ "$output" == *'not a whole number'* ]]
	sql 'drop table incr_ledger'
	run -100 incr-audit
	[[ "$output" == *'run incr-db create'* ]]
}

# -- the totals ---------------------------------------------------------------------

@test "a ledger that went back: so many messages are lost" {
	increments 1 10 | incr-publish
	incr-consume -o | incr-flush
	sql 'create table older as select * from incr_ledger'
	increments 11 13 | incr-publish
	incr-consume -o | incr-flush
	rcli lpush "$READY" nonsense
	incr-consume -o | incr-flush || [ $? -eq 1 ]
	run -0 incr-audit
	sql 'delete from incr_ledger; insert into incr_ledger select * from older'
	run -1 incr-audit
	[ "${lines[-1]}" = 'incr-audit: queue: 4 messages acknowledged and not in the table: Postgres went back; lost, but for what --keep brings back' ]
}

@test "what is counted and not acknowledged is on both sides of the totals" {
	increments 1 10 | incr-publish
	incr-consume -o | incr-flush
	increments 11 13 | incr-publish
	incr-consume -o >stream
	consumer=$(sed -n 's/.*"consumer":"\([^"]*\)".*/\1/p;q' stream)
	sql "insert into incr_ledger (consumer, queue, seq, lines)
		values ('$consumer', '$INCR_QUEUE', 1, 3)"
	audit counted '- 3 0 36'
	incr-flush <stream
	audit counted '- 0 0 0'
}

@test "another database than that of the queue: nothing of the totals" {
	increments 1 10 | incr-publish
	incr-consume -o | incr-flush
	sql 'update incr_ledger set lines = 0'
	run -1 incr-audit
	sql "update incr_database set id = '$A'"
	run -0 incr-audit
	run -100 incr-audit --settle
	[ "${lines[-1]}" = 'incr-audit: queue: is counted in another database; see incr-db adopt' ]
}

@test "a Redis without anything of the queue begins it anew, and nothing is said" {
	increments 1 10 | incr-publish
	incr-consume -o | incr-flush
	mapfile -t keys < <(rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::*")
	rcli del "${keys[@]}" >/dev/null
	increments 11 13 | incr-publish
	run -0 --separate-stderr incr-audit
	[ -z "$stderr" ]
	incr-consume -o | incr-flush
	run -0 --separate-stderr incr-audit
	[ -z "$stderr" ]
}

@test "the totals begin where the ledger was: what it lacks since then is seen" {
	increments 1 10 | incr-publish
	incr-consume -o | incr-flush
	mapfile -t keys < <(rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::*")
	rcli del "${keys[@]}" >/dev/null
	background setsid incr-drain -- -i 0.1
	# Without a batch all ten lines are counted for certain.
	wait_for 10 begun_at 10
	increments 11 13 | incr-publish
	wait_for 10 drained
	run -0 --separate-stderr incr-audit
	[ -z "$stderr" ]
	sql 'update incr_ledger set lines = 2 where lines = 3'
	run -1 --separate-stderr incr-audit
	[[ "$stderr" == 'incr-audit: queue: 1 message acknowledged and not in the table: '* ]]
}
begun_at() { [ "$(rcli hget "${P}totals" base)" = "$1" ]; }

# -- while it moves ----------------------------------------------------------------

@test "exact at every look, while increments come, move and are rejected" {
	local n=0 good=0 sent=0 status total last=0
	mkfifo lines
	exec {lines}<>lines
	background incr-publish <lines {lines}>&-
	exec {lines}>lines
	background setsid incr-drain -- -i 0.1 {lines}>&-
	until ((n == 15)); do
		increments $((sent + 1)) $((sent += 20)) >&"$lines"
		((n % 5)) || rcli lpush "$READY" nonsense >/dev/null
		status=0
		incr-audit >out 2>err || status=$?
		n=$((n + 1))
		if [ "$status" -eq 111 ]; then
			grep -q 'queue: moved' err
			continue
		fi
		[ "$status" -eq 0 ]
		good=$((good + 1))
		total=$(row total | cut -d ' ' -f 4)
		is_prefix_sum "$total"
		((total >= last))
		last=$total
	done
	echo "$good of $n looks"
	((good > n / 2))
	exec {lines}>&-
	wait_for 20 total_is $((sent * (sent + 1) / 2))
	wait_for 20 drained
	incr-audit -e $((sent * (sent + 1) / 2)) >out
	[ "$(row rejected)" = "- 3 3 0" ]
}
drained() { has_ready 0 && no_batches; }
# 1 + ... + n for some n: what is published in order
is_prefix_sum() {
	awk -v s="$1" 'BEGIN { n = int((sqrt(8 * s + 1) - 1) / 2); exit n * (n + 1) / 2 != s }'
}

@test "what moves in every round is no number, but 111" {
	# Whenever the table is looked at, something is taken and counted.
	sql "create function moves() returns numeric language sql volatile as
		'insert into incr_ledger values (gen_random_uuid(), ''$INCR_QUEUE'', 1);
		select 0::numeric'"
	sql 'alter table increments rename to counts'
	sql 'create view increments as select key, value from counts
		union all select null, moves()'
	# A statement does not see what it changes itself, the next one does.
	run --separate-stderr -111 incr-audit
	[ "$stderr" = 'incr-audit: queue: moved in each of 50 rounds, no number is exact; run it again' ]
	[ -z "$output" ]
	sql 'drop view increments'
	sql 'alter table counts rename to increments'
	incr-audit >out
}

@test "batches of which one is never named are no number, but 111" {
	local consumer
	hold 1
	consumer=$(sed -n 's/.*"consumer":"\([^"]*\)".*/\1/p;q' stream)
	rcli zadd "${P}consumer::$consumer::batches" 1 01 >/dev/null
	run --separate-stderr -111 incr-audit -w 0.1
	[[ "$stderr" == *': consumers or batches come more quickly than can be listed' ]]
	[ -z "$output" ]
}

@test "a backlog in bounded memory" {
	increments 1 50000 | incr-publish
	if sanitized incr-audit; then
		incr-audit >out
	else
		(ulimit -v 40000 && incr-audit >out)
	fi
	places ready '- 50000 0 1250025000'
}

@test "Redis refused at first to note the database: the totals begin all the same" {
	own_redis
	hold 1
	rcli config set min-replicas-to-write 1 >/dev/null
	sql "alter database $(sql 'select current_database()') set log_statement = 'all'"
	LOG_FROM=$(stat -c %s "$INCR_SUITE/pg.log")
	background incr-flush <stream 2>err
	wait_for 10 summed
	n=$(refusals)
	wait_for 10 refused_more_than $((n + 3))
	rcli config set min-replicas-to-write 0 >/dev/null
	wait_for 10 total_is 1
	wait_for 10 no_batches
	[ "$(rcli hmget "${P}totals" base acknowledged | xargs)" = '0 1' ]
}
# summed: the lines of the ledger, before the database is noted
summed() { log_since "$LOG_FROM" | grep -q 'sum(lines)'; }
refusals() {
	rcli info errorstats | tr -d '\r' |
		sed -n 's/^errorstat_NOREPLICAS:count=//p'
}
refused_more_than() { [ "$(refusals)" -gt "$1" ]; }
