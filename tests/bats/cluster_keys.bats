#!/usr/bin/env bats
# Keys on a Redis Cluster: those of a queue are in one slot, as adjust/rmq has
# them; a script whose slot is being moved does nothing at all.
bats_require_minimum_version 1.5.0
load helper
load cluster

setup_file() {
	# One cluster, whose errors are counted.
	export BATS_NO_PARALLELIZE_WITHIN_FILE=true
	cluster_start --appendonly yes
}

teardown_file() {
	cluster_stop
}

setup() {
	use_postgres
	export INCR_QUEUE=q$BATS_SUITE_TEST_NUMBER-$$
	R="rmq::queue::{$INCR_QUEUE}" P="incr::queue::{$INCR_QUEUE}"
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	end_background
}

# of_queue ARG...: redis-cli at the node that has the queue
of_queue() { cluster_at "$R::ready" "$@"; }
slot() { cluster_slot "$R::ready"; }
length() { of_queue llen "$R::$1"; } # LIST
length_is() { [ "$(length "$1")" = "$2" ]; }
drain_once() { incr-consume -o | incr-flush; }
# tagged FROM TO: lines of 1 with tags
tagged() {
	seq "$1" "$2" | sed 's/.*/t-&\t{"key":"'"$KEY"'","value":1}/'
}
names() { cluster_at rmq::queues smembers rmq::queues; }
has_name() { names | grep -qxF -e "$INCR_QUEUE"; }

@test "all keys of a queue are in one slot, and its name is in rmq::queues" {
	local IFS=$' \t\n' port
	tagged 1 300 | incr-publish -t
	increments 1 3 | incr-publish
	wait_for 10 has_name
	of_queue lpush "$R::ready" nonsense >/dev/null
	run -1 drain_once
	[ "$(total)" = 306 ]
	length_is rejected 1
	for port in $(cluster_ranges | cut -d ' ' -f 1); do
		cluster_cli "$port" keys '*' >>keys
	done
	grep -F "{$INCR_QUEUE}" keys >own
	[ "$(wc -l <own)" -ge 10 ]
	[ "$(sed 's/^/cluster keyslot /' own | cluster_cli "$port" |
		sort -u)" = "$(slot)" ]
	not grep -vF "{$INCR_QUEUE}" keys | grep -vx rmq::queues
}

@test "a large batch is one transaction, all its keys in one slot" {
	of_queue config resetstat
	increments 1 1000 >lines
	incr-publish <lines
	length_is ready 1000
	of_queue --raw lrange "$R::ready" 0 -1 | tac | cmp - lines
	of_queue info commandstats | grep -q '^cmdstat_exec:calls=[1-9]'
	wait_for 10 has_name
}

@test "a slot is moved under large batches: each is pushed once, in order" {
	local slot to before
	slot=$(slot) to=$(cluster_other "$(slot)")
	increments 1 500 >first
	increments 501 1000 >second
	mkfifo in
	exec 7<>in
	background incr-publish -e -w 60 <in >out 2>err.publish 7>&-
	cat first >&7
	wait_for 20 length_is ready 500
	cluster_begin_move "$slot" "$to"
	before=$(refusals)
	cat second >&7
	wait_for 10 grown "$before"
	length_is ready 500
	until cluster_move_keys "$slot" "$to" 100; do :; done
	cluster_end_move "$slot" "$to"
	wait_for 20 lines_are 1000 out
	cat first second | cmp - out
	of_queue --raw lrange "$R::ready" 0 -1 | tac | cmp - out
	[ -z "$(of_queue --raw keys "$P::publisher::*::pushing")" ]
}
lines_are() { [ "$(wc -l <"$2")" = "$1" ]; }

@test "rmq: lists of the cluster layout are shared with other programs" {
	# What adjust/rmq does at a cluster: LPUSH, and RPOPLPUSH.
	of_queue lpush "$R::ready" "$(increment 1)" "$(increment 2)" >/dev/null
	drain_once
	sum_is 3
	increment 5 | incr-publish
	[ "$(of_queue rpop "$R::ready")" = "$(increment 5)" ]
	of_queue lpush "$R::ready" 'not one' >/dev/null
	run -1 drain_once
	[ "$(of_queue lrange "$R::rejected" 0 -1)" = 'not one' ]
	of_queue rpoplpush "$R::rejected" "$R::ready" >/dev/null
	run -1 drain_once
	length_is rejected 1
}

# errors WORD: how many replies all nodes have begun with it
errors() {
	local IFS=$' \t\n' port
	for port in $CLUSTER_PORTS; do
		cluster_cli "$port" info errorstats
	done | sed -n "s/^errorstat_$1:count=\([0-9]*\).*/\1/p" | paste -sd +
}
refusals() { echo $(($(errors '[TA][RS][YK][A-Z]*'))); }
grown() { [ "$(refusals)" -gt "$1" ]; }
forget_errors() {
	local IFS=$' \t\n' port
	for port in $CLUSTER_PORTS; do
		cluster_cli "$port" config resetstat
	done >/dev/null
}

@test "a slot is moved bit by bit: each call is done as a whole, or not at all" {
	local slot to n
	slot=$(slot) to=$(cluster_other "$(slot)")
	for n in 1 2; do
		# shellcheck disable=SC2016 # as it is
		background setsid sh -c 'incr-consume 2>err.consume.$1 |
			incr-flush -i 0.2 -k 60 2>err.flush.$1' drain $n
	done
	mkfifo in
	exec 7<>in
	background incr-publish -e -t -w 60 <in >out 2>err.publish 7>&-
	tagged 1 500 >&7
	wait_for 20 total_is 500
	forget_errors
	of_queue lpush "$R::ready" one two three >/dev/null
	tagged 501 1000 >&7
	cluster_begin_move "$slot" "$to"
	n=0
	until cluster_move_keys "$slot" "$to" 3; do
		# Every fourth time a call has been refused meanwhile.
		n=$((n + 1))
		((n % 4 != 1)) || wait_for 10 grown "$(refusals)"
	done
	[ "$n" -ge 4 ]
	cluster_end_move "$slot" "$to"
	tagged 1001 1200 >&7
	wait_for 30 total_is 1200
	wait_for 30 length_is rejected 3
	wait_for 10 grep -qc . out
	[ "$(wc -l <out)" = 1200 ]
	not grep -v '"value":1' out
	# An error in the middle of a script begins with ERR.
	[ "$(errors ERR)" = "" ]
}

# guarded LOG: of the EVALSHAs that MONITOR has seen, the scripts that had a key
# that nobody has; and those that had none, behind a !
guarded() {
	local script
	for script in "$ROOT"/lib/queue/lua/*.lua; do
		echo "$(sha1sum <"$script" | cut -d ' ' -f 1) $(basename "$script" .lua)"
	done >scripts
	awk '
	FILENAME == "scripts" { name[$1] = $2; next }
	{
		for (at = 1; at <= NF && toupper($at) != "\"EVALSHA\""; at++);
		if (at > NF)
			next
		sha = substr($(at + 1), 2, 40)
		n = substr($(at + 2), 2) + 0
		for (i = at + 3; i < at + 3 + n && $i !~ /::none"$/; i++);
		print (i < at + 3 + n ? "" : "!") name[sha]
	}' scripts "$1" | sort -u
}

@test "each program works on a cluster, and its scripts have a key nobody has" {
	local owner program script
	owner=$(cluster_owner "$(slot)")
	background cluster_cli "$owner" monitor >log
	wait_for 10 has OK log
	# What a consumer holds that is gone is adopted.
	tagged 1 20 | incr-publish -t
	incr-consume -o >taken
	tagged 21 25 | incr-publish -t
	run -0 incr-audit
	[[ $output == *taken*' 20 '*ready*' 5 '* ]]
	run -0 incr-consume --peek 3
	[ "${#lines[@]}" = 3 ]
	for program in consume flush publish; do
		run -1 incr-$program --check # there are warnings
		[[ $output == *', a primary of a cluster with 1 replica'* ]]
		[[ $output != *error:* ]]
	done
	of_queue lpush "$R::ready" nonsense >/dev/null
	background setsid sh -c 'incr-consume 2>err.consume |
		incr-flush -i 0.2 -k 60 2>err.flush' drain
	wait_for 20 total_is 25
	wait_for 10 length_is rejected 1
	run -0 incr-rejected list
	[[ $output == *not-json* ]]
	of_queue lpush "$R::rejected" "$(increment 1)" >/dev/null
	run -1 incr-rejected republish
	[ "$output" = '1 republished, 1 not valid' ]
	wait_for 20 total_is 26
	[ "$(incr-rejected -y -a drop)" = '1 dropped' ]
	length_is rejected 0
	run -0 incr-audit
	guarded log >scripts.seen
	# They read a key or two, all of which the caller names.
	[ -z "$(grep '!' scripts.seen | grep -vxE '!(peek|shards)')" ]
	for script in acknowledge adopt holders identify introduce look mark \
		measure numbers publish read register renew survey take trim \
		withdraw; do
		grep -qx "$script" scripts.seen
	done
}

@test "a dead letter of another shard goes there, from slot to slot" {
	local key=cccccccc-0000-4000-8000-000000000004
	increments 1 1 | incr-publish --shards 2
	cluster_at "rmq::queue::{$INCR_QUEUE.0}::rejected" lpush \
		"rmq::queue::{$INCR_QUEUE.0}::rejected" "$(increment 7 $key)" >/dev/null
	run -0 incr-rejected republish
	[ "$output" = '1 republished' ]
	[ "$(cluster_at "rmq::queue::{$INCR_QUEUE.0}::rejected" llen \
		"rmq::queue::{$INCR_QUEUE.0}::rejected")" = 0 ]
	[ "$(cluster_at "rmq::queue::{$INCR_QUEUE.1}::ready" lindex \
		"rmq::queue::{$INCR_QUEUE.1}::ready" 0)" = "$(increment 7 $key)" ]
}

@test "a script has a key nobody has, or reads all that its caller names" {
	local script without=
	for script in "$ROOT"/lib/queue/lua/*.lua; do
		grep -q 'a key that nobody has' "$script" ||
			without+=" $(basename "$script" .lua)"
	done
	[ "$without" = ' peek rate shards' ]
}

# look KEY: what a script makes of a look of a consumer; the key is one that
# nobody has, or that one in its place that is there
look() {
	local c=$P::consumer::$KEY
	of_queue eval "$(cat "$ROOT/lib/queue/lua/adopt.lua")" 11 \
		"$P::consumers" "$R::ready" "$P::emptied" "$1" \
		"$c::owner" "$c::flush" "$c::closed" \
		"$c::owner" "$c::flush" "$c::batches" "$c::kept" \
		"$KEY" "$KEY boot 1 1" 600000 boot 1000 '' 1 0 "$KEY"
}

@test "in the middle of a move a script begins only with all of its keys" {
	local slot to key
	slot=$(slot) to=$(cluster_other "$(slot)")
	of_queue lpush "$R::ready" x >/dev/null
	of_queue sadd "$P::consumers" "$KEY" >/dev/null
	for key in "$P::emptied" "$P::consumer::$KEY::owner"; do
		of_queue set "$key" "$KEY boot 1 1" >/dev/null
	done
	cluster_begin_move "$slot" "$to"
	cluster_move_key "$(cluster_owner "$slot")" "$to" "$P::consumer::$KEY::owner"
	[[ $(look "$P::emptied") == TRYAGAIN* ]]
	[[ $(look "$P::none") == TRYAGAIN* ]]
	wait_for 20 cluster_move_keys "$slot" "$to" 100
	[[ $(look "$P::none") == *ASK* ]]
	cluster_end_move "$slot" "$to"
	[[ $(look "$P::none") != *[A-Z]* ]]
}

# serve DIR: incr-serve on DIR/s, all lines taken
serve() {
	local l v
	mkdir "$1"
	mkfifo "$1/l" "$1/v"
	exec {l}<>"$1/l" {v}<>"$1/v"
	background cat <&$l >&$v
	background incr-serve -l "./$1/s" --rate 1/s:20 --rate-shared \
		<&$v >&$l 2>"$1/err" {l}<&- {v}<&-
	wait_for 10 healthy "$1/s"
}
post() { # DIR: its status
	curl -s -o body -w '%{http_code}' --unix-socket "$1/s" \
		-d "$(increment 1)" http://x/increment
}
refuses() { echo >>asked; [ "$(post "$1")" = 429 ]; }
rates() { cluster_at 'incr::rate::{rates}::' keys 'incr::rate::{rates}::*' | grep -c .; }

are_shared() { [ "$(rates)" = 1 ]; }

@test "rates are shared by servers of a cluster, in one slot" {
	local i
	serve a
	serve b
	for ((i = 0; i < 20; i++)); do
		post a
	done >answers
	[ "$(cat answers)" = "$(printf '202%.0s' {1..20})" ]
	wait_for 10 are_shared
	# b learns of it by its first ones; alone it would take twenty.
	wait_for 5 refuses b
	[ "$(wc -l <asked)" -lt 15 ]
	[ ! -s a/err ] && [ ! -s b/err ]
}

# permit: a user incr with the rights that incr(7) names for a cluster
permit() {
	local IFS=$' \t\n' port words
	mapfile -t words < <(sed -n '/^redis-cli ACL/,/^\.Ed/p' "$ROOT/man/incr.7" |
		sed -e '$d' -e 's/ *\\e$//' -e 's/^redis-cli ACL SETUSER//' \
			-e "s/'//g" -e 's/\\e//g' -e 's/\[increments\]/{increments}/g' |
		xargs -n 1)
	for port in $CLUSTER_PORTS; do
		cluster_cli "$port" acl setuser "${words[@]}" '+cluster|slots'
	done >/dev/null
	REDIS_URL=${REDIS_URL/redis:\/\//redis:\/\/incr:SECRET@}
}

@test "the user of incr(7), with braces, may do all of that on a cluster" {
	export INCR_QUEUE=increments
	R="rmq::queue::{$INCR_QUEUE}"
	permit
	tagged 1 5 | incr-publish -t
	has_name
	increments 1 300 | incr-publish
	of_queue lpush "$R::ready" nonsense >/dev/null
	run -1 drain_once
	[ "$(total)" = 45155 ]
	run -0 incr-audit
	[ "$(incr-rejected -y -a drop)" = '1 dropped' ]
}

@test "a queue of a cluster is moved to another database, by incr-db adopt" {
	increments 1 2 | incr-publish
	drain_once
	use_other_database
	increment 4 | incr-publish
	run -100 drain_once
	run -0 incr-db --yes adopt
	drain_once
	sum_is 4
}
use_other_database() {
	psql -Xq -h "$INCR_SUITE/pg" -U postgres -d postgres \
		-c "create database other$$ template incr_template strategy file_copy"
	DATABASE_URL="postgresql:///other$$?host=$INCR_SUITE/pg&user=postgres"
	sql "update incr_database set id = '00000000-0000-4000-8000-00000000000b'"
}

acknowledged() { # N messages
	[ "$(of_queue hget "$P::totals" acknowledged)" = "$1" ]
}

@test "--keep: what Postgres has lost is counted again, from a cluster" {
	background cluster_cli "$(cluster_owner "$(slot)")" monitor >log
	wait_for 10 has OK log
	background setsid sh -c 'incr-consume 2>err.consume |
		incr-flush -i 0.1 -k 60 2>err.flush' drain
	increment 1 | incr-publish
	wait_for 20 acknowledged 1
	sql 'create table i as table increments; create table l as table incr_ledger'
	increment 10 | incr-publish
	wait_for 20 acknowledged 2
	sql "begin; lock increments, incr_ledger;
		select pg_terminate_backend(pid) from pg_stat_activity
		where datname = current_database() and application_name = 'incr-flush';
		truncate increments, incr_ledger;
		insert into increments table i;
		insert into incr_ledger table l; commit" >/dev/null
	wait_for 20 grep -q 'went back to batch 1: 0 lost, 1 restored' err.flush
	wait_for 20 total_is 11
	guarded log | grep -qx restore
}

# The last one: a replica may take that node's place.
@test "a node that has rmq::queues, and stands still, holds nobody up" {
	local names
	names=$(cluster_owner "$(cluster_slot rmq::queues)")
	while [ "$(cluster_owner "$(slot)")" = "$names" ]; do
		INCR_QUEUE+=x
		R="rmq::queue::{$INCR_QUEUE}"
	done
	REDIS_URL=redis://127.0.0.1:$(cluster_owner "$(slot)")
	kill -STOP "$(cluster_pid "$names")"
	increment 3 | incr-publish -e -w 5 >out 2>err
	incr-consume -o >taken
	kill -CONT "$(cluster_pid "$names")"
	[ "$(cat out)" = "$(increment 3)" ]
	quiet err
	grep -qxF "$(increment 3)" taken
	# Whoever comes later adds the name.
	wait_for 30 cluster_whole
	increment 4 | incr-publish
	wait_for 10 has_name
}
