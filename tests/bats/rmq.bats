#!/usr/bin/env bats
# docs/rmq.md: workers of adjust/rmq and drains on one queue, the old counts,
# the way back, backups.  Its commands run in their order; a worker in Go is
# what it does in Redis and Postgres.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

PAGE=$ROOT/docs/rmq.md

setup() {
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	PORT=$(free_port)
	own_redis --bind 127.0.0.1 --port "$PORT"
	export INCR_QUEUE=increments
	LIST="rmq::queue::[$INCR_QUEUE]::ready"
	tcp "$PORT"
	awk '/^<!-- rmq -->/ { marked = 1 }
		marked && /^```sh/ { marked = 0; file = "step." ++n; next }
		/^```/ { file = "" }
		file { print >file }' "$PAGE"
	[ -e step.8 ] && [ ! -e step.9 ]
}

teardown() {
	[ ! -e copy/redis.pid ] || redis_stop copy
	end_background
}

# tcp PORT: the Redis of the page's commands, and of rcli
tcp() {
	export REDIS_URL=redis://127.0.0.1:$1
}
rcli() { redis-cli -u "$REDIS_URL" "$@"; }

step() { sh -eu "step.$1"; }

# -- a worker of adjust/rmq, connection NAME -------------------------------------

go_unacked() { echo "rmq::connection::$1::queue::[$INCR_QUEUE]::unacked"; }

# go_start NAME: it is there, for as long as its heartbeat is
go_start() {
	rcli sadd rmq::connections "$1"
	rcli set "rmq::connection::$1::heartbeat" 1 ex 600
} >/dev/null

go_dies() { rcli del "rmq::connection::$1::heartbeat" >/dev/null; }

# go_fetch NAME N: at most N messages into its list, as into its buffer
go_fetch() {
	local n
	for ((n = 0; n < $2; n++)); do
		echo "rpoplpush \"$LIST\" \"$(go_unacked "$1")\""
	done | rcli >/dev/null
}

# go_count NAME: what it has in hand into its table, then acknowledged
go_count() {
	rcli --raw lrange "$(go_unacked "$1")" 0 -1 |
		sed -n 's/.*"key":"\([^"]*\)","value":\([0-9]*\)}$/\1 \2/p' |
		awk '{ sum[$1] += $2 }
			END { for (key in sum) print "insert into counts as c values (\x27" \
				key "\x27, " sum[key] ") on conflict (key) do update" \
				" set total = c.total + excluded.total;" }' |
		psql -Xq -v ON_ERROR_STOP=1 -d "$DATABASE_URL" || return
	rcli del "$(go_unacked "$1")" >/dev/null
}

# go_holds NAME: the sum of what it has in hand
go_holds() {
	rcli --raw lrange "$(go_unacked "$1")" 0 -1 |
		sed -n 's/.*"value":\([0-9]*\)}$/\1/p' |
		awk '{ sum += $1 } END { print sum + 0 }'
}

# go_work NAME: in small turns, until nothing is ready
go_work() {
	while [ "$(rcli llen "$LIST")" -gt 0 ]; do
		go_fetch "$1" 5
		go_count "$1" || return
	done
}

# go_publish FROM TO: with the header of rmq
go_publish() {
	local value
	for ((value = $1; value <= $2; value++)); do
		printf '\377\000\276\276J{"by":["go"]}\n%s' "$(increment "$value")" |
			rcli -x lpush "$LIST"
	done >/dev/null
}

counts() { sql 'select coalesce(sum(total), 0) from counts'; }
# moves WAIT N: so many statements move the old counts, and wait so (a pattern)
moves() {
	[ "$(sql "select count(*) from pg_stat_activity where datname =
		current_database() and query like '%counts_old%'
		and pid <> pg_backend_pid()
		and coalesce(wait_event_type, '') like '$1'")" = "$2" ]
}
both_are() { [ "$(($(counts) + $(total)))" = "$1" ]; }

# -- tests ------------------------------------------------------------------------

@test "both workers on one list, old counts over while drains count, and back" {
	sql 'create table counts (key uuid primary key, total bigint not null)'
	sql "insert into counts select gen_random_uuid(), 2
		from generate_series(1, 30000)" # 60000
	sql 'drop table increments, incr_ledger, incr_database'
	go_start one
	go_start two
	go_start dead
	go_publish 1 40 # 820
	increments 1 300 | incr-publish # 45150
	step 1 >audit
	awk '$1 == "ready" { exit $3 != 340 }' audit

	# Each of them gets some; what a worker has in hand is no drain's.
	go_fetch two 1
	go_fetch dead 7
	go_fetch one 20
	go_count one
	[ "$(counts)" -gt 60000 ]
	background setsid sh -eu -c '. ./step.2; echo "$!" >drain.pid; wait'
	wait_for 5 test -s drain.pid
	for n in 1 2 3 4; do
		increments 1 50 | incr-publish # 1275
		go_work one
	done
	sum=$((60000 + 820 + 45150 + 4 * 1275))
	held=$(($(go_holds two) + $(go_holds dead)))
	[ "$held" -gt 0 ]
	wait_for 15 both_are $((sum - held))

	# The dead one's come back, those of a living one do not.
	go_dies dead
	step 3
	[ "$(rcli llen "$(go_unacked dead)")" = 0 ]
	[ "$(rcli llen "$(go_unacked two)")" = 1 ]
	go_count two
	wait_for 15 both_are "$sum"

	# Over, killed half way, and once more; a worker that was forgotten fails.
	step 4
	run ! step 4
	setsid sh -eu step.5 >moved 2>&1 3>&- &
	mover=$!
	remember "$mover"
	wait_for 5 grep -q 5000 moved
	kill -9 -- "-$mover"
	increments 1 1 | incr-publish
	# The statement of one that was killed goes on: here, another's.
	wait_for 5 moves % 0
	eval "$(sed '/^while/,$d' step.5)"
	hold "$move"
	background step 5
	mover=$!
	wait_for 5 moves Lock 1
	echo 'commit;' >&"$LOCK"
	exec {LOCK}>&-
	wait "$mover"
	[ "$(sql 'select count(*) from counts_old')" = 0 ]
	[ "$(sql 'select sum(total) from counts_copy')" -gt 60000 ]
	sum=$((sum + 1))
	wait_for 15 total_is "$sum"
	increment 9 | rcli -x lpush "$(go_unacked one)" >/dev/null
	run ! go_count one
	rcli del "$(go_unacked one)" >/dev/null

	# And back.  A drain that was forgotten counts nothing.
	kill -TERM "$(cat drain.pid)"
	wait_for 15 gone "$(cat drain.pid)"
	increments 1 10 | incr-publish # 55
	step 6
	step 7
	[ "$(counts)" = $((sum + 55)) ]
	increments 1 4 | incr-publish
	run -100 sh -c 'incr-consume -o -w 1 | incr-flush -w 1'
	[ "$(counts)" = $((sum + 55)) ]
	# The workers in Go are as before.
	go_start one
	go_publish 1 3 # 6
	go_work one
	[ "$(counts)" = $((sum + 55 + 6)) ]
}

# restored COMMAND...: what the copies incr.rdb and incr.dump come to, once
# COMMAND has counted them
restored() {
	mkdir copy
	cp incr.rdb copy/dump.rdb
	local port name=copy_$BATS_SUITE_TEST_NUMBER status=0
	port=$(free_port)
	redis_start "$PWD/copy" --appendonly no --bind 127.0.0.1 --port "$port"
	sql "create database $name"
	(
		tcp "$port"
		rcli config set appendonly yes >/dev/null
		export DATABASE_URL=${DATABASE_URL/t$BATS_SUITE_TEST_NUMBER/$name}
		pg_restore -d "$DATABASE_URL" incr.dump
		"$@"
	) || status=1
	sql "drop database $name with (force)"
	redis_stop copy
	rm -rf copy
	return $status
}

count() { incr-consume -o | incr-flush "$@"; }

counted_is() {
	count
	total_is "$1"
}

# drained_is SUM: that of a drain that goes on
drained_is() {
	background incr-drain -- --keep 600 2>drained
	wait_for 15 total_is "$1"
	kill "$!"
	wait_for 15 gone "$!"
	total_is "$1"
}

copy_redis() { redis-cli -u "$REDIS_URL" --rdb incr.rdb >/dev/null 2>&1; }
copy_postgres() { incr-pgenv -- pg_dump -Fc -f incr.dump; }

# listed: the dead letters with their times, "unknown" or the year
listed() { incr-rejected list | cut -f 3,4 | sed 's/-.*//' | xargs; }

# drain: once; that it rejects some is its 1
drain() { incr-consume -o | incr-flush -i 0.1 || [ $? -eq 1 ]; }

@test "dead letters: what rmq purges or returns leaves a time, which does no harm" {
	local rejected="rmq::queue::[$INCR_QUEUE]::rejected" year
	local times="incr::queue::[$INCR_QUEUE]::rejected::times"
	rcli lpush "$LIST" x y >/dev/null
	drain
	year=$(date -u +%Y)
	[ "$(listed)" = "x $year y $year" ]
	# PurgeRejected; what a worker rejects later is another message.
	rcli del "$rejected" >/dev/null
	rcli lpush "$rejected" v >/dev/null
	[ "$(listed)" = 'v unknown' ]
	incr-audit >audit
	awk '$1 == "rejected" { exit $3 != 1 }' audit
	# ReturnRejected, of what a worker has rejected and of what a drain has.
	rcli lpush "$LIST" x >/dev/null
	drain
	rcli zadd "$times" 1000 "$(printf x | sha1sum | cut -d ' ' -f 1)" >/dev/null
	[ "$(listed)" = 'v unknown x 1970' ]
	while [ "$(rcli exists "$rejected")" = 1 ]; do
		rcli rpoplpush "$rejected" "$LIST" >/dev/null
	done
	[ "$(rcli zcard "$times")" -eq 2 ] # y is stale, x too
	drain
	[ "$(listed)" = "v $year x $year" ]
	# The last one to be dropped takes stale ones along.
	[ "$(incr-rejected --yes --all drop)" = '2 dropped' ]
	[ "$(rcli exists "$times")" = 0 ]
}

@test "copies made without drains are one truth; others cost what is written" {
	increments 1 4 | incr-publish # 10
	count
	increments 1 5 | incr-publish # 15
	step 8
	count
	total_is 25
	restored counted_is 25
	# Redis first, and counted before the other copy: twice.
	increments 1 6 | incr-publish # 21
	copy_redis
	count
	copy_postgres
	restored counted_is $((25 + 21 + 21))
	# Postgres first, and acknowledged before the other copy: lost, or kept.
	increments 1 3 | incr-publish # 6
	copy_postgres
	count
	copy_redis
	restored counted_is $((25 + 21))
	increments 1 3 | incr-publish # 6
	copy_postgres
	count --keep 600
	copy_redis
	restored drained_is $((25 + 21 + 6 + 6))
}

@test "a row of increments may be deleted: its key begins anew" {
	increments 1 4 | incr-publish
	count
	sql "delete from increments where key = '$KEY'"
	increments 3 3 | incr-publish
	count
	[ "$(sum_of)" = 3 ]
}
