#!/usr/bin/env bats
# incr-db: make the tables, compare their shape, empty and show the counts.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

OTHER=00000000-0000-0000-0000-000000000001

setup() {
	use_postgres
	DIR=$BATS_TEST_TMPDIR
}

teardown() { end_background; }

shape() { sql "select string_agg(format('%s %s', relname, reloptions), ',' order by 1)
	from pg_class where relname in ('increments', 'incr_ledger')"; }
counts() {
	sql "insert into increments values ('$KEY', 3, '2026-01-02 03:04:05Z'),
		('$OTHER', 18446744073709551616, '2026-01-01 00:00:00Z')"
	sql "insert into incr_ledger values ('$OTHER', 'q', 7)"
}
rows() { sql 'select (select count(*) from increments),
	(select count(*) from incr_ledger)'; }

# typed ANSWER COMMAND...: on a terminal, where ANSWER is typed
typed() {
	cat >"$DIR/typed" <<-'EXPECT'
		set timeout 5
		set answer [lindex $argv 0]
		eval spawn -noecho [lrange $argv 1 end]
		expect "y/N" { send "$answer\r" }
		expect eof
		exit [lindex [wait] 3]
	EXPECT
	expect "$DIR/typed" "$@"
}

# -- create ----------------------------------------------------------------------

@test "create makes both tables, and again changes nothing" {
	local before
	before=$(shape)
	sql 'drop table increments, incr_ledger'
	run incr-db create
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(shape)" = "$before" ]
	[[ "$before" == *'increments {fillfactor=70}'* ]]
	counts
	run incr-db create
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(rows)" = '2|1' ]
	increment 1 | incr-flush
	sum_is 4
}

@test "create makes the table that is missing" {
	counts
	sql 'drop table incr_ledger'
	incr-db create
	[ "$(rows)" = '2|0' ]
}

@test "several creates at the same time" {
	local pids=()
	sql 'drop table increments, incr_ledger'
	for _ in 1 2 3; do
		background incr-db create
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid"; done
	[ "$(rows)" = '0|0' ]
}

# differs CHANGE MESSAGE: after CHANGE, create says MESSAGE first
differs() {
	sql 'drop table if exists increments, incr_ledger'
	incr-db create
	sql "$1"
	run incr-db create
	[ "$status" -eq 100 ] && [ "${lines[0]}" = "incr-db: $2" ] || {
		echo "$1: $status: $output"
		return 1
	}
}

@test "create names what is different and ends with 100" {
	differs 'alter table increments drop updated_at' \
		'increments: column updated_at is missing, must be timestamp with time zone not null default now()'
	differs 'alter table increments alter value type bigint' \
		'increments: column value is bigint not null, must be numeric not null'
	differs 'alter table increments alter value drop not null' \
		'increments: column value is numeric, must be numeric not null'
	differs 'alter table increments alter updated_at drop default' \
		'increments: column updated_at is timestamp with time zone not null, must be timestamp with time zone not null default now()'
	differs 'alter table increments drop constraint increments_pkey' \
		'increments: primary key is missing, must be PRIMARY KEY (key)'
	differs 'alter table increments drop constraint increments_value_check' \
		"increments: constraint is missing, must be CHECK ((value > (0)::numeric))"
	differs 'alter table increments add note text not null' \
		'increments: column note does not belong there: text not null'
	differs 'alter table incr_ledger alter seq type integer' \
		'incr_ledger: column seq is integer not null, must be bigint not null'
	differs 'alter table incr_ledger drop constraint incr_ledger_pkey' \
		'incr_ledger: primary key is missing, must be PRIMARY KEY (consumer)'
}

@test "create names every difference, and a view is no table" {
	sql 'alter table increments alter value drop not null, drop updated_at'
	sql 'alter table incr_ledger drop queue'
	run incr-db create
	[ "$status" -eq 100 ]
	[ "${#lines[@]}" -eq 3 ]
	sql 'drop table increments'
	sql 'create view increments as select 1 as key'
	run incr-db create
	[ "$status" -eq 100 ]
	[[ "$output" == *'increments: table is no table, must be a table'* ]]
}

@test "create accepts a column more that a row may leave out" {
	sql "alter table increments add note text, add n integer not null default 7,
		add i bigint generated always as identity"
	sql "alter table incr_ledger add note text not null default ''"
	run incr-db create
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	increment 3 | incr-flush
	sum_is 3
}

@test "create needs no right to create where the tables are right" {
	local role=plain_$BATS_SUITE_TEST_NUMBER owner=$DATABASE_URL
	sql "drop role if exists $role"
	sql "create role $role login"
	DATABASE_URL=${owner/user=postgres/user=$role}
	run incr-db create
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	# Others in the way, or missing, are told.
	DATABASE_URL=$owner sql 'alter table increments drop updated_at'
	run -100 incr-db create
	[[ $output == 'incr-db: increments: column updated_at is missing'* ]]
	DATABASE_URL=$owner sql 'drop table increments'
	run -100 incr-db create
	[ "$output" = 'incr-db: postgres: permission denied for schema public; the owner of the schema runs incr-db create' ]
	# A schema of another's before that of the tables.
	DATABASE_URL=$owner incr-db create
	DATABASE_URL=$owner sql "create schema $role; grant usage on schema $role to $role"
	run incr-db create
	[ "$status" -eq 0 ]
	# Who may create there gets tables there.
	DATABASE_URL=$owner sql "grant create on schema $role to $role"
	incr-db create
	[ "$(sql "select count(*) from pg_tables where schemaname = '$role'")" = 3 ]
	DATABASE_URL=$owner sql "drop schema $role cascade; drop owned by $role; drop role $role"
}

# -- clear -----------------------------------------------------------------------

@test "clear --yes deletes all counts and leaves the ledger" {
	counts
	run incr-db --yes clear
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(rows)" = '0|1' ]
	run incr-db clear -y
	[ "$status" -eq 0 ]
}

@test "clear asks on a terminal" {
	counts
	run typed n incr-db clear
	[ "$status" -eq 1 ]
	[[ "$output" == *'Delete all counts? [y/N]'* ]]
	[[ "$output" == *'incr-db: clear: nothing deleted'* ]]
	run typed '' incr-db clear
	[ "$status" -eq 1 ]
	[ "$(rows)" = '2|1' ]
	run typed y incr-db clear
	[ "$status" -eq 0 ]
	[ "$(rows)" = '0|1' ]
}

@test "clear refuses without a terminal and without --yes" {
	counts
	echo y >"$DIR/y"
	run incr-db clear <"$DIR/y"
	[ "$status" -eq 100 ]
	[ "$output" = 'incr-db: clear: standard input is not a terminal; needs --yes' ]
	[ "$(rows)" = '2|1' ]
}

# -- show ------------------------------------------------------------------------

@test "show: all, newest first; some keys; plain" {
	export PGTZ=UTC
	counts
	run incr-db show
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == *key*value*updated_at* ]]
	[[ "${lines[2]}" == *"$KEY"*3*2026-01-02* ]]
	[[ "${lines[3]}" == *"$OTHER"*18446744073709551616*2026-01-01* ]]
	[ "${#lines[@]}" -eq 4 ]
	run incr-db show "$OTHER"
	[ "${#lines[@]}" -eq 3 ]
	[[ "${lines[2]}" == *"$OTHER"* ]]
	run incr-db -p show "${KEY^^}"
	[ "$output" = "$KEY	3	2026-01-02 03:04:05+00" ]
	run incr-db show --plain "$KEY" "$OTHER"
	[ "${#lines[@]}" -eq 2 ]
	run -1 --separate-stderr incr-db -p show 00000000-0000-0000-0000-000000000000
	[ -z "$output" ]
}

@test "show: a key that is none is not asked for" {
	for key in x "$KEY'" "$KEY " "${KEY%?}g" "' or 1 = 1 or '12345678901234567890123"; do
		run incr-db show "$key"
		[ "$status" -eq 100 ]
		[[ "$output" == *'not a UUID of 36 characters' ]]
	done
}

@test "show: a full disk is not a success" {
	counts
	run sh -c 'incr-db -p show >/dev/full'
	[ "$status" -eq 111 ]
	[ "$output" = 'incr-db: stdout: not written' ]
	run sh -c 'incr-db show >&-'
	[ "$status" -eq 111 ]
	[ "$output" = 'incr-db: stdout: not written' ]
	# What prints nothing needs no standard output.
	run sh -c 'incr-db create >&- && incr-db -y clear >&-'
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "show: no table is said" {
	sql 'drop table increments'
	run incr-db show
	[ "$status" -eq 100 ]
	[ "$output" = 'incr-db: postgres: relation "increments" does not exist; run incr-db create' ]
}

# -- options ---------------------------------------------------------------------

@test "help and version; on a full disk 111" {
	run incr-db --help
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == 'usage: incr-db '* ]]
	run incr-db -V
	[ "$status" -eq 0 ]
	[[ "$output" == 'incr-db '[0-9]* ]]
	for option in -h --help -V; do
		run sh -c "incr-db $option >/dev/full 2>/dev/null"
		[ "$status" -eq 111 ]
	done
}

# refused ARG...: a usage error
refused() {
	run incr-db "$@"
	[ "$status" -eq 100 ] && [[ "$output" == "incr-db: "* ]] || {
		echo "$*: $status: $output"
		return 1
	}
}

@test "usage errors end with 100 and change nothing" {
	counts
	refused
	refused --nonsense show
	refused -x
	refused drop
	refused create now
	refused clear "$KEY" --yes
	refused show -d
	refused -d '' show
	refused -d http://localhost/ show
	[ "$(rows)" = '2|1' ]
}

@test "a password in an argument is refused, and not shown" {
	for url in postgresql://u:s3cret@host/db \
		'postgresql://host/db?user=u&password=s3cret' \
		'host=h password=s3cret' "host=h password = 's3 cret'"; do
		for form in "-d$url" "--database=$url"; do
			refused "$form" show
			[[ "$output" == *'a password does not belong'* ]]
			[[ "$output" != *s3*cret* ]]
		done
		refused -d "$url" show
		[[ "$output" != *s3*cret* ]]
	done
}

# psql_seen: puts a psql in front that notes its arguments and variables
psql_seen() {
	mkdir "$DIR/bin"
	{
		echo '#!/bin/sh'
		echo "echo \"\$PGPASSWORD\" >'$DIR/password'"
		echo "echo \"\$*\" >'$DIR/arguments'"
		echo "cat \"\${PGSERVICEFILE:-/dev/null}\" >'$DIR/service'"
		echo "exec '$(command -v psql)' \"\$@\""
	} >"$DIR/bin/psql"
	chmod +x "$DIR/bin/psql"
	PATH=$DIR/bin:$PATH
}

# psql_gets PASSWORD URL: nowhere else than in the environment
psql_gets() {
	DATABASE_URL=$2 run incr-db -p show "$KEY"
	[[ "$status" -eq 0 && "$output" == "$KEY	3	"* &&
		"$(cat "$DIR/password")" = "$1" &&
		"$(cat "$DIR/arguments")" != *s3*cret* ]] || {
		echo "$2: $output, $(cat "$DIR/password" "$DIR/arguments")"
		return 1
	}
}

@test "psql gets the password in its environment, decoded, wherever it stands" {
	local db socket=$INCR_SUITE/pg at
	db=$(sql 'select current_database()')
	at="/$db?host=$socket&user=postgres"
	counts
	psql_seen
	psql_gets 's3/cret@' "postgresql://postgres:s3%2Fcret%40@/$db?host=$socket"
	psql_gets 's3?cret' "postgresql://postgres:s3?cret@/$db?host=$socket"
	psql_gets 's3:cret&=' "postgresql://postgres:s3:cret%26=@/$db?host=$socket"
	psql_gets 's3/cret@' "postgresql://$at&password=s3%2Fcret%40"
	psql_gets 's3/cret@' "postgres://$at&%70asswor%64=s3%2Fcret%40"
	psql_gets 's3 & cret' "postgresql:///?password=s3 %26 cret&dbname=$db&host=$socket&user=postgres"
	at="dbname=$db host=$socket user=postgres"
	psql_gets 's3/cret@' "$at password='s3/cret@'"
	psql_gets "s3 'cret\\" "password = 's3 \\'cret\\\\' $at"
	psql_gets "s3'cret x" "password=s3\\'cret\\ x $at"
	psql_gets 's3=cret' "password=s3=cret $at"
	# Another keyword of that name, and none at all.
	PGPASSWORD=mine psql_gets mine "$at"
	PGPASSWORD=mine psql_gets mine "$at application_name='password = s3cret'"
	# What has no variable is in a file without a name.
	psql_gets '' "$at sslpassword='s3 cret'"
	[ "$(cat "$DIR/service")" = $'[incr-pgenv]\nsslpassword=s3 cret' ]
	DATABASE_URL="$at sslpassword='s3cret '" run -100 incr-db show
	[ "$output" = 'incr-db: postgres: sslpassword: has a newline, or white space at its end' ]
}

@test "a service: what the URL says comes first, then the service, then PG*" {
	local db
	db=$(sql 'select current_database()')
	counts
	psql_seen
	printf '%s\n' '[incr-test]' "host=$INCR_SUITE/pg" user=postgres dbname=none \
		password=s3cret keepalives_idle=7 >"$DIR/services"
	export PGSERVICEFILE=$DIR/services PGUSER=nobody PGPASSWORD=mine
	psql_gets s3cret "service=incr-test dbname=$db"
	grep -qx keepalives_idle=7 "$DIR/service"
	psql_gets other3 "postgresql:///$db?service=incr-test&password=other3"
	PGSERVICE=incr-test psql_gets s3cret "dbname=$db"
	for command in 'incr-db show' 'incr-flush -w 0.1'; do
		# shellcheck disable=SC2086 # its words
		DATABASE_URL=service=none run timeout 20 $command < <(increment 1)
		[[ "$output" == "${command%% *}: postgres: definition of service \"none\" not found"* ]]
	done
}

@test "--database @FILE: its first line, with a password, too" {
	local url=$DATABASE_URL
	counts
	psql_seen
	printf '%s&password=s3cret\nmore\n' "$url" >"$DIR/url"
	unset DATABASE_URL
	run incr-db -d "@$DIR/url" -p show "$KEY"
	[ "$status" -eq 0 ]
	[[ "$output" == "$KEY	3	"* ]]
	[ "$(cat "$DIR/password")" = s3cret ]
	DATABASE_URL=@$DIR/url run incr-db -p show "$KEY"
	[[ "$output" == "$KEY	3	"* ]]
	refused -d "@$DIR/none" show
}

# -- services --------------------------------------------------------------------

@test "a database or a role that is none is 100, from every program, with a hint" {
	use_redis
	local url what
	while read -r what url; do
		export DATABASE_URL="postgresql:///$url&host=$INCR_SUITE/pg"
		for command in 'incr-db create' 'incr-db clear -y' 'incr-db show' \
			'incr-flush' incr-audit; do
			# shellcheck disable=SC2086 # its words
			run -100 timeout 20 $command < <(increment 1)
			[ "${#lines[@]}" -eq 1 ]
			[[ "$output" == "${command%% *}: postgres: "*"$what \"nope\" does not exist"* ]]
			[ "$what" = role ] ||
				[[ "$output" == *'; create it, then run incr-db create' ]]
		done
	done <<-'END'
		database nope?user=postgres
		role postgres?user=nope
	END
}

# debian_psql: the wrapper of Debian in front, and a cluster of this machine at
# a port where nobody is
debian_psql() {
	[ -x /usr/share/postgresql-common/pg_wrapper ] ||
		skip 'no pg_wrapper here'
	export PG_CLUSTER_CONF_ROOT=$DIR/clusters
	mkdir -p "$DIR/clusters/15/other" "$DIR/clusters/data" "$DIR/wrapper"
	printf '%s\n' port=5999 "data_directory='$DIR/clusters/data'" \
		"unix_socket_directories='$DIR'" \
		>"$DIR/clusters/15/other/postgresql.conf"
	ln -s /usr/share/postgresql-common/pg_wrapper "$DIR/wrapper/psql"
	PATH=$DIR/wrapper:$PATH
	psql -X -d "$DATABASE_URL" -c '' >out 2>&1 || :
	grep -q 'PGSQL.5999' out
}

@test "a URL without a port is the same server to incr-db and incr-flush" {
	cd "$DIR" || return
	debian_psql
	increment 7 | incr-flush
	[ "$(incr-db -p show | cut -f 2)" = 7 ]
	PGCLUSTER=15/other run incr-db -p show
	[[ $output == "$KEY	7	"* ]]
	incr-pgenv -- psql -XAtc 'select 1'
	# A port is one for both.
	for command in 'incr-db show' 'incr-flush -w 0.1'; do
		# shellcheck disable=SC2086 # its words
		PGPORT=5999 run -111 timeout 20 $command < <(increment 1)
		[[ $output == *"$INCR_SUITE/pg/.s.PGSQL.5999"* ]]
	done
}

@test "a database that is away is 111, said in one line" {
	export DATABASE_URL="postgresql:///x?host=$DIR"
	for command in create 'clear -y' show; do
		# shellcheck disable=SC2086 # two words
		run incr-db $command
		[ "$status" -eq 111 ]
		[[ "${lines[0]}" == 'incr-db: postgres: '* ]]
		[ "${#lines[@]}" -eq 1 ]
	done
}
