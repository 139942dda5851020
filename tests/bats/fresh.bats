#!/usr/bin/env bats
# The commands of incr(7) that make database and role on a fresh Debian, in
# their order, in a cluster as Debian makes it: peer on the socket, passwords
# over TCP.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() {
	[ "$(id -u)" = 0 ] || skip 'needs root'
	cd "$BATS_TEST_TMPDIR" || return
	use_redis
	CLUSTER=$INCR_SUITE/f$BATS_SUITE_TEST_NUMBER
	# What these users have to reach.
	chmod 755 "$BATS_RUN_TMPDIR" "${PWD%/*}" .
	fresh_blocks
	fresh_cluster
	unset DATABASE_URL PGUSER PGDATABASE
}

teardown() {
	[ -z "${CLUSTER-}" ] || pg_stop "$CLUSTER"
	end_background
}

# The blocks into fresh.1 and so on, of a user that there is.
fresh_blocks() {
	awk '$0 == ".\\\" fresh" { marked = 1; next }
		marked && /^\.Bd/ { marked = 0; file = "fresh." ++n; next }
		file && /^\.Ed/ { close(file); file = "" }
		file { gsub(/\\e/, "\\"); print >file }' "$ROOT/man/incr.7"
	sed -i 's/incr-drain/nobody/g' fresh.*
	[ "$(ls fresh.* | wc -l)" = 3 ]
}

fresh_cluster() {
	local port
	port=$(free_port)
	mkdir "$CLUSTER"
	chown postgres "$CLUSTER"
	as_postgres "$PG_BIN/initdb" -D "$CLUSTER/data" --auth-local=peer \
		--auth-host=scram-sha-256 -E UTF8 --locale=C --no-sync >initdb.log
	pg_start "$CLUSTER" port="$port" listen_addresses=127.0.0.1 ||
		{ cat "$CLUSTER.log"; return 1; }
	# Where Debian's libpq looks, and the page says so.
	export PGHOST=$CLUSTER PGPORT=$port
}

# count: three increments through queue and table
count() {
	increments 1 3 | incr-publish
	# shellcheck disable=SC2016 # that shell's
	"$@" sh -c 'incr-consume -o | incr-flush -w 5'
}

@test "owner, tables, role, rights; then the user counts, then a password" {
	# Where the user has no way in, as root's own folder, the reason is told.
	mkdir -m 700 private
	cd private
	run -100 runuser -u nobody -- incr-db -d postgresql:///incr create
	[[ $output == *'role "nobody" does not exist'* ]]
	cd ..
	# Before the tables there is nothing to have a right on.
	run -100 runuser -u nobody -- incr-db -d postgresql:///incr create
	sh -eu fresh.1 >out 2>err
	cat err
	[ ! -s err ]
	sh -eu fresh.2 >out 2>err
	[ ! -s err ]
	[ ! -s out ]
	export DATABASE_URL=postgresql:///incr
	chmod 777 "$INCR_SUITE/redis/redis.sock"
	count runuser -u nobody --
	[ "$(runuser -u nobody -- incr-db -p show | cut -f 2)" = 6 ]
	run -100 runuser -u nobody -- incr-db -y clear
	[ "$output" = 'incr-db: postgres: permission denied for table increments' ]
	# Nobody else is let in.
	run -100 incr-db show
	[[ $output == *'role "root" does not exist'* ]]

	# With a password, everybody who has the URL.
	cat >typed <<-'EXPECT'
		set timeout 10
		spawn -noecho sh -eu fresh.3
		expect "password" { send "s3?cret\r" }
		expect "again" { send "s3?cret\r" }
		expect eof
		exit [lindex [wait] 3]
	EXPECT
	expect typed
	unset PGHOST
	export DATABASE_URL=postgresql://nobody:s3%3fcret@127.0.0.1/incr
	incr-db create
	count env
	[ "$(incr-db -p show | cut -f 2)" = 12 ]
	DATABASE_URL=postgresql://nobody:wrong@127.0.0.1/incr run -100 incr-db show
	[[ $output == *'password authentication failed'* ]]
}
