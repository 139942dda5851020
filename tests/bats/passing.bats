#!/usr/bin/env bats
# What a service answers wrongly for a moment, after a program has once found
# it right, is an outage: said once, tried again with back-off.

bats_require_minimum_version 1.5.0
load helper

setup() {
	use_redis
	use_postgres
	DIR=$BATS_TEST_TMPDIR
	DB=${DATABASE_URL#postgresql:///}
	DB=${DB%%\?*}
}

teardown() {
	end_background
	[ -z "${ROLE-}" ] || sql "drop owned by $ROLE" || :
	[ -z "${ROLE-}" ] || sql "drop role $ROLE" || :
}

# make_role: ROLE, of this test alone, and ROLE_URL
make_role() {
	ROLE=role_$DB
	ROLE_URL=${DATABASE_URL/user=postgres/user=$ROLE}
	sql "create role $ROLE login"
	sql "grant select, insert, update on increments to $ROLE"
	sql "grant select, insert, update, delete on incr_ledger to $ROLE"
}

# fed ARG...: incr-flush that reads what is written to descriptor 9, as a role
# of its own
fed() {
	[ -n "${ROLE-}" ] || make_role
	mkfifo "$DIR/lines"
	exec 9<>"$DIR/lines"
	DATABASE_URL=$ROLE_URL background incr-flush "$@" <"$DIR/lines" 2>"$DIR/err" 9>&-
	flush=$!
	exec 9>"$DIR/lines"
}

# times FILE TEXT
times() { grep -cF -e "$2" "$1"; }

# for_two_seconds BREAK TEXT MEND: SQL.  It is said once, not tried again all
# the time, and what came meanwhile is counted.
for_two_seconds() {
	local since log
	fed -i 0.1
	increment 1 >&9
	wait_for 5 sum_is 1
	log=$(stat -c %s "$INCR_SUITE/pg.log")
	since=${EPOCHREALTIME/./}
	sql "$1"
	increment 2 >&9
	wait_for 5 has "$2" "$DIR/err"
	wait_for 5 elapsed "$since" 2000000
	kill -0 "$flush"
	sql "$3"
	increment 4 >&9
	wait_for 5 sum_is 7
	exec 9>&-
	wait_for 5 gone "$flush"
	wait "$flush"
	[ "$(times "$DIR/err" '; waiting')" = 1 ]
	[ "$(times "$DIR/err" "$2")" = 1 ]
	# 0.05, 0.1, 0.2, 0.4, 0.8, 1 s, less a quarter: seven in two seconds
	[ "$(log_since "$log" | grep -cE 'FATAL|ERROR')" -le 12 ]
}

@test "Postgres: a role that may not log in for a moment" {
	for_two_seconds "alter role role_$DB nologin;
		select pg_terminate_backend(pid) from pg_stat_activity
		where usename = 'role_$DB'" \
		"28000: role \"role_$DB\" is not permitted to log in; waiting" \
		"alter role role_$DB login"
}

@test "Postgres: a table that has another name for a moment" {
	for_two_seconds 'alter table increments rename to away' \
		'apply: relation "public.increments" does not exist (42P01); run incr-db create; waiting' \
		'alter table away rename to increments'
}

@test "Postgres: a privilege that is missing for a moment" {
	for_two_seconds "revoke insert on increments from role_$DB" \
		'(42501); grant what incr(7) says; waiting' \
		"grant insert on increments to role_$DB"
}

@test "Postgres: a value that the table refuses for a moment" {
	for_two_seconds 'alter table increments add constraint c
		check (value < 2)' '(23514); run incr-db create; waiting' \
		'alter table increments drop constraint c'
}

@test "Postgres: a setting that hides warnings for a moment" {
	for_two_seconds "alter role role_$DB set client_min_messages = error;
		select pg_terminate_backend(pid) from pg_stat_activity
		where usename = 'role_$DB'" \
		'client_min_messages is error, which would hide a warning of COMMIT; waiting' \
		"alter role role_$DB reset client_min_messages"
}

# set_password TEXT: of the role, whose connections end
set_password() {
	sql "alter role $ROLE password '$1'"
	sql "select pg_terminate_backend(pid) from pg_stat_activity
		where usename = '$ROLE'" >/dev/null
}

# write_url PASSWORD [MORE]: into the file that ROLE_URL names
write_url() {
	echo "postgresql:///$DB?host=$INCR_SUITE/pg&user=$ROLE&password=$1${2-}" \
		>"$DIR/url"
}

# refused_again: the server has refused a password since
refused_again() {
	local log
	log=$(stat -c %s "$INCR_SUITE/pg.log")
	wait_for 5 eval 'log_since "$log" | grep -q "password authentication"'
}

@test "Postgres: a rotated password is read from the file" {
	make_role
	sql "grant with_password to $ROLE"
	set_password old
	write_url old
	ROLE_URL=@$DIR/url fed -i 0.1
	increment 1 >&9
	wait_for 5 sum_is 1
	set_password new
	increment 2 >&9
	wait_for 5 has '28P01' "$DIR/err"
	# Half a file, and another database, are not gone to.
	echo 'postgresql://[' >"$DIR/url"
	refused_again
	write_url new '&dbname=incr_template'
	wait_for 5 sum_is 3
	# What is wrong now was right before.
	write_url wrong
	set_password newer
	increment 4 >&9
	wait_for 5 eval '[ "$(times "$DIR/err" 28P01)" = 2 ]'
	: >"$DIR/url"
	refused_again
	write_url newer
	wait_for 5 sum_is 7
	exec 9>&-
	wait_for 5 gone "$flush"
	wait "$flush"
	[ "$(wc -l <"$DIR/err")" = 2 ]
}

@test "Postgres: incr-db and incr-audit take the URL of a file, too" {
	make_role
	sql "grant with_password to $ROLE"
	set_password secret
	write_url secret
	sql "insert into increments values ('$KEY', 5)"
	[ "$(DATABASE_URL=@$DIR/url incr-db -p show | cut -f 2)" = 5 ]
	DATABASE_URL=@$DIR/url incr-audit -e 5
	incr-audit -d "@$DIR/url" -e 5
	# Not in an argument, where everybody sees it.
	run -100 incr-audit -d "$(cat "$DIR/url")"
	[[ $output == *'use DATABASE_URL or @FILE' ]]
}

# -- beyond a process -------------------------------------------------------

remember_here() {
	mkdir "$DIR/once"
	export RUNTIME_DIRECTORY=$DIR/once:$DIR/nowhere
}
marks_of() { cat "$DIR/once"/"$1".*.once 2>/dev/null | sort; }

# again: flush, after kill -9 of the one before
again() {
	kill -9 "$flush"
	exec 9>&-
	wait_for 5 gone "$flush"
	rm -f "$DIR/lines" "$DIR/err"
	fed -i 0.1
}

# ends_with STATUS COMMAND...: and nothing of it is counted
ends_with() {
	local status=0 due=$1
	shift
	increment 100 | timeout 20 "$@" 2>"$DIR/said" || status=$?
	cat "$DIR/said"
	[ "$status" = "$due" ]
}

# killed_while BREAK TEXT MEND: SQL. incr-flush, killed and started again in
# between, waits; for another database its mark proves nothing.
killed_while() {
	remember_here
	fed -i 0.1
	increment 1 >&9
	wait_for 5 sum_is 1
	wait_for 5 test "$(marks_of incr-flush | wc -l)" = 2
	sql "$1"
	again
	increment 2 >&9
	wait_for 5 has "$2" "$DIR/err"
	again
	increment 4 >&9
	wait_for 5 has "$2; waiting" "$DIR/err"
	kill -0 "$flush"
	RUNTIME_DIRECTORY='' ends_with 100 env DATABASE_URL="$ROLE_URL" incr-flush
	sql "$3"
	wait_for 5 sum_is 5
	exec 9>&-
	wait_for 5 gone "$flush"
	wait "$flush"
	[ "$(marks_of incr-flush | wc -l)" = 2 ]
	has "incr-flush work postgres dbname=$DB host=$INCR_SUITE/pg port=5432" "$DIR"/once/incr-flush.work-*
	# Of another place, or half a one.
	ends_with 100 env DATABASE_URL="postgresql:///postgres?host=$INCR_SUITE/pg&user=$ROLE" \
		incr-flush
	sql "$1"
	for file in "$DIR"/once/*; do
		echo another >"$file"
	done
	ends_with 100 env DATABASE_URL="$ROLE_URL" incr-flush
	sql "$3"
	sum_is 5
}

@test "killed while a table has another name: it waits, too" {
	killed_while 'alter table increments rename to away' \
		'relation "public.increments" does not exist (42P01); run incr-db create' \
		'alter table away rename to increments'
}

@test "killed while its role may not log in: it waits, too" {
	make_role
	killed_while "alter role role_$DB nologin" \
		"28000: role \"role_$DB\" is not permitted to log in" \
		"alter role role_$DB login"
}

@test "a database that is gone at the start is 100 until it was right once" {
	local db=${DATABASE_URL#postgresql:///} pid
	db=${db%%\?*}
	on_server() { psql -Xq -h "$INCR_SUITE/pg" -U postgres -d postgres -c "$1"; }
	mkdir "$DIR/once"
	export RUNTIME_DIRECTORY=$DIR/once
	increment 1 | incr-flush
	on_server "alter database $db rename to ${db}_away"
	increment 2 >"$DIR/line"
	background incr-flush <"$DIR/line" 2>"$DIR/err"
	pid=$!
	wait_for 5 has '; create it, then run incr-db create; waiting' "$DIR/err"
	RUNTIME_DIRECTORY='' run -100 timeout 20 incr-flush <"$DIR/line"
	kill -0 "$pid"
	on_server "alter database ${db}_away rename to $db"
	wait_for 10 sum_is 3
	wait "$pid"
}

# killed_in_redis BREAK TEXT MEND: functions; REDIS_URL has a user of its own
killed_in_redis() {
	local p
	remember_here
	flow
	increment 1 >&9
	wait_for 5 sum_is 1
	wait_for 5 no_batches
	for p in publish consume flush; do
		wait_for 5 eval '[ "$(marks_of incr-'$p' | wc -l)" -ge 2 ]'
	done
	"$1"
	kill -9 "$publish" "$consume" "$flush"
	exec 9>&-
	rm "$DIR"/{lines,batches,publish,consume}
	flow
	increment 2 >&9
	for p in publish consume; do
		wait_for 5 has "$2" "$DIR/$p"
	done
	kill -0 "$publish" && kill -0 "$consume"
	RUNTIME_DIRECTORY='' ends_with 100 incr-publish
	ends_with 100 incr-publish -q another
	"$3"
	wait_for 10 sum_is 3
	kill -0 "$publish" && kill -0 "$consume" && kill -0 "$flush"
	run -1 grep -F secret "$DIR"/once/*
}

@test "killed while maxmemory-policy is wrong: they wait, too" {
	own_redis --maxmemory 100mb --maxmemory-policy noeviction
	evict() { rcli config set maxmemory-policy allkeys-lru; }
	keep() { rcli config set maxmemory-policy noeviction; }
	killed_in_redis evict 'maxmemory-policy allkeys-lru, must be noeviction' keep
}

@test "killed while a permission is missing: they wait, too" {
	own_redis
	rcli acl setuser user on '>secret' '~*' '&*' +@all
	export REDIS_URL="unix://user:secret@$OWN_REDIS/redis.sock"
	rcli() { redis-cli -s "$OWN_REDIS/redis.sock" "$@"; }
	deny() { rcli acl setuser user -evalsha; }
	allow() { rcli acl setuser user +evalsha; }
	killed_in_redis deny NOPERM allow
}

# -- Redis ------------------------------------------------------------------

# flow [COMMAND...]: what is written to descriptor 9 is counted; COMMAND is put
# in front of the programs
flow() {
	mkfifo "$DIR/lines" "$DIR/batches"
	exec 9<>"$DIR/lines" 8<>"$DIR/batches"
	background "$@" incr-publish <"$DIR/lines" 2>"$DIR/publish" 8>&- 9>&-
	publish=$!
	background "$@" incr-consume >"$DIR/batches" 2>"$DIR/consume" 8>&- 9>&-
	consume=$!
	background "$@" incr-flush -i 0.1 <"$DIR/batches" 2>"$DIR/flush" 8>&- 9>&-
	flush=$!
	exec 8>&-
}

hang_up() { rcli "$@" client kill type normal >/dev/null; }

# through BREAK TEXT MEND: functions. Each of the three says TEXT once.
through() {
	local since p tries
	flow
	increment 1 >&9
	wait_for 5 sum_is 1
	wait_for 5 no_batches
	tries=$(connections)
	since=${EPOCHREALTIME/./}
	"$1"
	increment 2 >&9
	for p in publish consume; do
		wait_for 5 has "$2" "$DIR/$p" || { cat "$DIR"/{publish,consume,flush}; return 1; }
	done
	wait_for 5 elapsed "$since" 1500000
	"$3"
	increment 4 >&9
	wait_for 10 sum_is 7
	wait_for 10 no_batches
	for p in "$publish" "$consume" "$flush"; do
		kill -0 "$p"
	done
	for p in publish consume; do
		[ "$(times "$DIR/$p" "$2")" = 1 ]
	done
	# Seven of each in two seconds, and those of redis-cli.
	[ "$(($(connections) - tries))" -le 45 ]
}

connections() {
	rcli ${MASTER-} info stats |
		sed -n 's/^total_connections_received:\([0-9]*\).*/\1/p'
}

@test "Redis: another maxmemory-policy for a moment" {
	own_redis --maxmemory 100mb --maxmemory-policy noeviction
	evict() {
		rcli config set maxmemory-policy allkeys-lru
		hang_up
	}
	keep() { rcli config set maxmemory-policy noeviction; }
	through evict 'maxmemory-policy allkeys-lru, must be noeviction' keep
}

@test "Redis: another maxmemory-policy is seen within a minute" {
	local preloaded=(env "LD_PRELOAD=$DIR/clock.so") p
	not sanitized incr-publish || skip "what is preloaded must be first"
	own_redis --maxmemory 100mb --maxmemory-policy noeviction
	cd "$DIR" && build_clock
	flow "${preloaded[@]}"
	increment 1 >&9
	wait_for 5 sum_is 1
	rcli config set maxmemory-policy allkeys-lru
	# Nothing is looked at all the time.
	increment 2 >&9
	wait_for 5 sum_is 3
	wait_for 5 no_batches
	not grep -qF maxmemory-policy publish consume
	echo 61 >ahead
	increment 4 >&9
	for p in publish consume; do
		wait_for 10 has 'maxmemory-policy allkeys-lru, must be noeviction' $p
	done
	rcli config set maxmemory-policy noeviction
	wait_for 10 sum_is 7
	wait_for 10 no_batches
	kill -0 "$publish" && kill -0 "$consume" && kill -0 "$flush"
	for p in publish consume; do
		[ "$(times $p maxmemory-policy)" = 1 ]
	done
}

# A script that Redis has forgotten is loaded in the middle of such a call.
@test "Redis: its settings are looked at with a call that is sent again" {
	local preloaded=(env "LD_PRELOAD=$DIR/clock.so")
	not sanitized incr-publish || skip "what is preloaded must be first"
	own_redis
	cd "$DIR" && build_clock
	flow "${preloaded[@]}"
	increment 1 >&9
	wait_for 5 sum_is 1
	kill -STOP "$consume"
	rcli script flush
	echo 61 >ahead
	increment 2 >&9
	wait_for 5 has_ready 1
	increment 4 >&9
	wait_for 5 has_ready 2
	kill -CONT "$consume"
	wait_for 5 sum_is 7
	[ ! -s publish ] && [ ! -s consume ]
}

@test "Redis: a password that is refused for a moment" {
	own_redis
	rcli acl setuser master on '>m' '~*' '&*' +@all
	MASTER='--no-auth-warning --user master --pass m'
	rcli config set requirepass old
	export REDIS_URL="unix://:old@$OWN_REDIS/redis.sock"
	rcli() { redis-cli -s "$OWN_REDIS/redis.sock" $MASTER "$@"; }
	change() {
		rcli config set requirepass new
		hang_up
	}
	back() { rcli config set requirepass old; }
	through change 'WRONGPASS invalid username-password pair or user is disabled.' back
}

@test "Redis: a permission that is missing for a moment" {
	own_redis
	rcli acl setuser user on '>u' '~*' '&*' +@all
	export REDIS_URL="unix://user:u@$OWN_REDIS/redis.sock"
	rcli() { redis-cli -s "$OWN_REDIS/redis.sock" "$@"; }
	deny() { rcli acl setuser user -evalsha; }
	allow() { rcli acl setuser user +evalsha; }
	through deny "NOPERM" allow
}

@test "Redis: an error nobody has heard of in a greeting" {
	own_redis
	rcli acl setuser user on '>u' '~*' '&*' +@all
	export REDIS_URL="unix://user:u@$OWN_REDIS/redis.sock"
	rcli() { redis-cli -s "$OWN_REDIS/redis.sock" "$@"; }
	deny() {
		rcli acl setuser user -script
		hang_up
	}
	allow() { rcli acl setuser user +script; }
	through deny NOPERM allow
}

@test "Redis: a rotated password is read from the file" {
	own_redis --requirepass old
	rcli() { redis-cli -s "$OWN_REDIS/redis.sock" --no-auth-warning "$@"; }
	echo "unix://:old@$OWN_REDIS/redis.sock" >"$DIR/url"
	REDIS_URL=@$DIR/url
	flow
	increment 1 >&9
	wait_for 5 sum_is 1
	rcli -a old config set requirepass new
	rcli -a new client kill type normal
	increment 2 >&9
	wait_for 5 has WRONGPASS "$DIR/publish"
	echo "unix://:new@$OWN_REDIS/redis.sock" >"$DIR/url"
	wait_for 5 sum_is 3
	kill -0 "$publish" && kill -0 "$consume" && kill -0 "$flush"
}

@test "Redis: a URL from a FIFO is read once, and not waited for again" {
	own_redis
	mkfifo "$DIR/url" "$DIR/lines"
	exec 9<>"$DIR/lines"
	REDIS_URL=@$DIR/url background incr-publish -e <"$DIR/lines" >"$DIR/out" 9>&-
	publish=$!
	echo "$REDIS_URL" >"$DIR/url"
	answered() { [ "$(wc -l <"$DIR/out")" = "$1" ]; }
	increment 1 >&9
	wait_for 5 answered 1
	hang_up
	increment 2 >&9
	wait_for 5 answered 2
	kill -0 "$publish"
	exec 9>&-
	[ "$(ready)" = 2 ]
}
