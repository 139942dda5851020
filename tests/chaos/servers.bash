# A Redis, a Postgres.  The programs are a user and a role with passwords, the
# rig itself is neither: it goes past the proxies, to sockets in the servers'
# own folders.
# shellcheck shell=bash

# How programs reach them: a URL, with the user and the password where %s
# stands, in a file, which they read at each connection.
redis_url() { give_url redis "$1"; }
postgres_url() { give_url pg "$1"; }

give_url() { # WHAT FORMAT
	echo "$2" >"$D/$1.format"
	write_url "$1"
}

write_url() { # WHAT
	# shellcheck disable=SC2059 # it is one
	printf "$(<"$D/$1.format")\n" "incr:$(<"$D/$1.password")" \
		>"$D/$1.url.new"
	mv "$D/$1.url.new" "$D/$1.url"
}

# Sets through.
reach() {
	mkdir "$D/once"
	through=(env "REDIS_URL=@$D/redis.url" "DATABASE_URL=@$D/pg.url"
		"RUNTIME_DIRECTORY=$D/once" "$@")
}

# -- Redis -------------------------------------------------------------------

# redis_up [NODE [ARG...]]: the server in $D/NODE
redis_up() {
	local node=${1:-redis}
	[ $# = 0 ] || shift
	LD_PRELOAD=$ROOT/build/chaos/clock.so INCR_CHAOS_CLOCK=$D/clock.redis \
		redis_start "$D/$node" --appendfsync always \
		--maxmemory-policy noeviction --logfile "$D/$node.log" \
		--repl-diskless-load swapdb --repl-diskless-sync-delay 0 \
		--user incr on ">$(<"$D/redis.password")" '~*' '&*' +@all "$@"
} 2>/dev/null

# The queues of the system, one a line, and how the rig's own programs reach
# them.
queues() { echo "$INCR_QUEUE"; }
rig_url() { echo "unix://$(redis_home)/redis.sock"; }

# key_of rmq|incr|chaos QUEUE NAME
key_of() { echo "$1::queue::${BRACKETS:0:1}$2${BRACKETS:1:1}::$3"; }
BRACKETS='[]'
home_of() { redis_home; } # KEY: the folder of the Redis that has it
all_keys() { rcli --raw keys '*'; }

# rcli ARG...: redis-cli on the primary
rcli() { redis-cli -s "$(redis_home)/redis.sock" "$@"; }
# rcli_at KEY ARG...: on the one that has this key
rcli_at() {
	local home
	home=$(home_of "$1") && redis-cli -s "$home/redis.sock" "${@:2}"
}

# In all queues.  Without an answer it is more than any number.
ready() {
	local queue key
	for queue in $(queues); do
		key=$(key_of rmq "$queue" ready)
		rcli_at "$key" llen "$key" | grep -x '[0-9]*' || echo 1e9
	done | awk '{ n += $1 } END { print n }'
}
batches() { all_keys | grep '::consumer::.*::batch::'; }
redis_pid() { cat "$(redis_home)/redis.pid"; }
redis_set() { [ "$(rcli config set "$1" "$2")" = OK ]; }
alive() { ! gone "$1"; }

# One Redis behind one proxy.
one_redis() {
	echo first >"$D/redis.password"
	mount_disk redis 192m
	redis_up || return
	redis_home() { echo "$D/redis"; }
	REDIS_URL=unix://$D/redis/redis.sock
	start_proxy redis "$D/px/redis.sock" "$D/redis/redis.sock" || return
	redis_url "unix://%s@$D/px/redis.sock"
}

redis_heal() {
	kill -CONT "$(redis_pid)"
	rm -f "$D/redis/full"
	alive "$(redis_pid)" || redis_up
	insist redis_well
}

redis_well() { redis_set maxmemory 0 && redis_set min-replicas-to-write 0 && redis_own; }
redis_own() { [ "$(rcli replicaof no one)" = OK ]; }

# -- Postgres ----------------------------------------------------------------

PG_SETTINGS=(max_wal_size=96MB min_wal_size=32MB track_commit_timestamp=on)

# A role that is no superuser: such a one is never refused.
postgres_up() {
	echo first >"$D/pg.password"
	pg_start "$D/$1" "${PG_SETTINGS[@]}" || return
	psql -Xqh "$D/$1" -U postgres -d postgres \
		-c "create role incr login password 'first'" \
		-c 'create database chaos owner incr' &&
		let_in scram-sha-256
}

# let_in HOW: the role incr, to every server there is
let_in() {
	local data
	for data in "$D"/pg*/data; do
		printf '%s\n' "local chaos incr $1" 'local all all trust' \
			'local replication all trust' >"$data/pg_hba.conf"
		kill -HUP "$(head -n 1 "$data/postmaster.pid")"
	done 2>/dev/null
	if [ "$1" = trust ]; then
		wait_for 10 lets_in_anybody
	else
		wait_for 10 not lets_in_anybody
	fi
}
lets_in_anybody() {
	PGPASSWORD=wrong PGCONNECT_TIMEOUT=5 psql -XAtqh "$(pg_home)" -U incr \
		-d chaos -c 'select'
}

# Also after a crash that it did not survive.
postgres_again() {
	local home
	home=$(pg_home)
	[ ! -e "$home/data/postmaster.pid" ] || pg_stop "$home" "$1"
	pg_start "$home" "${PG_SETTINGS[@]}"
}

postgres_answers() { "$PG_BIN/pg_isready" -qh "$(pg_home)"; }

# admin SQL...: by another way than that of the programs
admin() {
	local statements=() s
	for s; do statements+=(-c "$s"); done
	PGCONNECT_TIMEOUT=5 psql -XAtqh "$(pg_home)" -U postgres -d postgres \
		"${statements[@]}"
}

# sql STATEMENT: in the database of the programs
sql() {
	PGCONNECT_TIMEOUT=5 psql -XAtqh "$(pg_home)" -U postgres -d chaos -c "$1"
}

# lasting COMMAND...: what it does in Postgres is there after a failover, too
lasting() { PGOPTIONS='-c synchronous_commit=on' "$@"; }

# One Postgres, behind one proxy.
one_postgres() {
	mount_disk pg 300m
	pg_home() { echo "$D/pg"; }
	postgres_up pg || return
	export DATABASE_URL="postgresql:///chaos?host=$D/pg&user=postgres"
	start_proxy postgres "$D/px/.s.PGSQL.5432" "$D/pg/.s.PGSQL.5432"
	postgres_url "postgresql://%s@/chaos?host=$D/px"
}

postgres_heal() {
	rm -f "$(pg_home)/full"
	postgres_answers || postgres_again QUIT
	insist postgres_well
}

postgres_well() {
	lasting admin 'alter database chaos allow_connections true' \
		'alter role incr connection limit -1'
}
