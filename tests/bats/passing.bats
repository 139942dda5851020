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

# fed ARG...: incr-flush that reads what is written to descriptor 9, as a role
# of its own
fed() {
	ROLE=role_$DB
	sql "create role $ROLE login"
	sql "grant select, insert, update on increments to $ROLE"
	sql "grant select, insert, update, delete on incr_ledger to $ROLE"
	mkfifo "$DIR/lines"
	exec 9<>"$DIR/lines"
	DATABASE_URL=${DATABASE_URL/user=postgres/user=$ROLE} \
		background incr-flush "$@" <"$DIR/lines" 2>"$DIR/err" 9>&-
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
