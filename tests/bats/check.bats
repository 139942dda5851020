#!/usr/bin/env bats
# --check, the dry run: each finding is provoked, none is there on a healthy
# system, and nothing is changed.

bats_require_minimum_version 1.5.0
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export INCR_QUEUE=q$BATS_SUITE_TEST_NUMBER-$$
}
teardown() {
	end_background
	[ ! -e pg.pid ] || pg_stop "$PWD/pg"
}

# A Redis that costs nothing in any event.
healthy_redis() {
	own_redis --appendfsync always --maxmemory 100mb \
		--maxmemory-policy noeviction
}

# A Postgres of the test's own that costs nothing; its log has all statements.
healthy_postgres() {
	chmod 711 "$BATS_RUN_TMPDIR" "${PWD%/*}" .
	pg_start "$PWD/pg" fsync=on log_statement=all 'log_line_prefix=%a '
	export DATABASE_URL="postgresql:///postgres?host=$PWD/pg&user=postgres"
	incr-db create
}

# finds STATUS LINE PROGRAM...: it ends so, one line of it begins with LINE
finds() {
	local want=$1 line=$2
	shift 2
	run --separate-stderr "$@" --check
	[ "$status" = "$want" ] && [ -z "$stderr" ] || {
		echo "status $status, $stderr:"
		echo "$output"
		return 1
	}
	grep -qF -e "
$line" <<<"
$output" || [[ $'\n'"$output" == *$'\n'"$line"* ]] || {
		echo "no line $line in:"
		echo "$output"
		return 1
	}
}

# fine PROGRAM...: nothing is wrong
fine() {
	finds 0 'ok: ' "$@"
	not grep -v '^ok: .*: ' <<<"$output"
}

# setting NAME VALUE: of Redis, from now on
setting() { [ "$(rcli config set "$1" "$2")" = OK ]; }

@test "a healthy system: all is ok, and nothing is changed" {
	healthy_redis
	healthy_postgres
	finds 1 "warning: queue $INCR_QUEUE: nothing drains it: 0 ready" incr-publish
	mkdir metrics once
	export INCR_METRICS_DIR=$PWD/metrics RUNTIME_DIRECTORY=$PWD/once
	background redis-cli -s "$OWN_REDIS/redis.sock" monitor >monitor
	wait_for 5 grep -q OK monitor
	rcli config resetstat >/dev/null
	changes=$(rcli info persistence | grep changes_since)
	: >pg.log
	fine incr-consume
	grep -q "^ok: queue $INCR_QUEUE: 0 ready, 0 batches taken, 0 consumers alive$" \
		<<<"$output"
	fine incr-flush
	fine incr-flush --keep 60
	grep -q '^ok: postgres: its tables and grants let incr-flush count$' \
		<<<"$output"
	finds 1 warning: incr-publish
	[ "$(rcli info persistence | grep changes_since)" = "$changes" ]
	# What Redis has executed reads, and loads the scripts of the programs.
	rcli info commandstats | sed -n 's/^cmdstat_\([^:]*\):.*/\1/p' |
		grep -vxE 'script\|load|evalsha|info|get|exists|select|time|smembers|llen|zcard|pttl|config\|get|config\|resetstat' >wrote || :
	quiet wrote
	# One each, and incr-publish asks for the number of shards.
	[ "$(grep -c '"EVALSHA"' monitor)" = 5 ]
	# The statements of Postgres read or plan.
	grep '^incr-flush .*\(statement\|execute [^:]*\): ' pg.log >statements
	[ "$(wc -l <statements)" -ge 12 ]
	not grep -viE ': (begin read only; set local|with tables as|explain \(format json\)) ' \
		statements
	# No file.
	[ -z "$(find metrics once -type f)" ]
	# What follows a server may lag.
	mkdir wal
	background "$PG_BIN/pg_receivewal" -h "$PWD/pg" -U postgres -D wal
	wait_for 5 streams
	finds 1 'warning: postgres: asynchronous standby: failover: lost: its lag; nothing with --keep' \
		incr-flush
	fine incr-flush --keep 60
	background setsid incr-drain </dev/null
	wait_for 10 fine incr-publish
	grep -q "^ok: queue $INCR_QUEUE: 0 ready, 0 batches taken, 1 consumer alive$" \
		<<<"$output"
}
streams() { [ "$(sql 'select count(*) from pg_stat_replication')" = 1 ]; }

@test "what a setting costs stands in incr(7), and nowhere else" {
	tr -d '\n' <"$ROOT/lib/inspect/setting_costs.c" |
		grep -oE '\{"[^}]*"\}' | sed -E 's/^\{"//; s/"\}$//; s/",[[:space:]]*"/\t/g' |
		sort >program
	[ "$(wc -l <program)" -ge 20 ]
	sed -n '/each setting of a server/,/^\.Pp$/p' "$ROOT/man/incr.7" |
		sed -n 's/^\.It //p' | grep -v '^Em' |
		awk -F ' ?Ta ?' -v OFS='\t' '$1 { setting = $1 }
			{ print setting, $2, $3 }' | sort >page
	[ -z "$(comm -23 program page)" ]
	# What is no setting that a server shows.
	comm -13 program page | cut -f 1 | sort -u | diff - <(
		cat <<-'END'
			AOF cut, then loaded
			FLUSHALL
			both tables older
			ledger lost
			maxmemory, other policy
			only increments older
			only ledger older
			restored copy
		END
	)
}

@test "Redis: what each setting costs, memory, policy, clients, version of keys" {
	healthy_redis
	fine incr-consume
	setting appendfsync everysec
	finds 1 'warning: redis: appendfsync everysec: killed: nothing; slow disk: lost, up to 2 s; power lost: ' \
		incr-consume
	setting appendfsync no
	finds 1 'warning: redis: appendfsync no: power lost: ' incr-consume
	setting appendonly no
	finds 1 'warning: redis: appendonly no, no save: any crash: lost: ' incr-consume
	setting save '3600 1'
	finds 1 'warning: redis: appendonly no, save: any crash: ' incr-consume
	setting appendonly yes
	setting appendfsync always
	setting maxmemory 0
	finds 1 'warning: redis: maxmemory 0: ' incr-consume
	setting maxmemory "$(($(rcli info memory |
		sed -n 's/^used_memory:\([0-9]*\).*/\1/p') * 11 / 10))"
	finds 1 'warning: redis: 9' incr-consume
	grep -q ' % of maxmemory used; full: requests are answered 503' <<<"$output"
	setting maxmemory 100mb
	setting maxmemory-policy allkeys-lru
	finds 100 'error: redis: maxmemory-policy allkeys-lru, must be noeviction' \
		incr-consume
	setting maxmemory-policy noeviction
	rcli set "incr::queue::[$INCR_QUEUE]::version" 9
	finds 100 'error: redis: the keys of the queue are of version 9' incr-publish
	rcli del "incr::queue::[$INCR_QUEUE]::version"
	fine incr-consume
}

@test "Redis: replicas, and --replicas against them" {
	local r=$BATS_TEST_TMPDIR/replica
	healthy_redis
	finds 111 'error: redis: 0 of 1 replicas connected (--replicas)' \
		incr-publish --replicas 1 -w 2
	redis_start "$r" --replicaof "$OWN_REDIS" 0 --port 0
	redis-cli -s "$r/redis.sock" replicaof no one
	remember "$(cat "$r/redis.pid")"
	P=$(free_port)
	setting port "$P"
	redis-cli -s "$r/redis.sock" replicaof 127.0.0.1 "$P"
	wait_for 10 follows
	finds 1 'warning: redis: replicas, --replicas 0: failover: lost and twice: ' \
		incr-consume
	grep -q '^warning: redis: neither --replicas nor min-replicas-to-write: two ' \
		<<<"$output"
	setting min-replicas-to-write 1
	finds 1 'warning: redis: min-replicas-to-write, --replicas 0: two primaries: ' \
		incr-consume
	fine incr-consume --replicas 1
	grep -q '^ok: redis: 1 replica, --replicas 1: failover: nothing, ' <<<"$output"
	REDIS_URL=unix://$r/redis.sock
	finds 111 'error: redis: replica, not the primary' incr-consume -w 2
}
follows() { rcli info replication | grep -q 'slave0:.*state=online'; }

# acl: the words of incr(7) for its user
acl() {
	sed -n '/^redis-cli ACL/,/^\.Ed/p' "$ROOT/man/incr.7" | grep -v '^\.Ed' |
		sed 's/\\e$//; s/^redis-cli//; s/\\e/\\/g' | tr -d '\n'
}

@test "Redis: the user of incr(7) is enough, and each command that it lacks is named" {
	local words
	healthy_redis
	export INCR_QUEUE=increments
	eval "rcli $(acl)" | grep -qx OK
	REDIS_URL=${REDIS_URL/unix:\/\//unix://incr:SECRET@}
	for program in incr-publish incr-consume incr-flush; do
		"$program" --check >"$program" || :
		not grep '^error: redis' "$program"
		# CONFIG GET is refused.
		[ "$(grep -c '^warning: redis: settings of persistence not known (CONFIG GET: NOPERM ' \
			"$program")" = 1 ]
	done
	words=$(acl | grep -o '+[a-z]*' | tr -d + |
		grep -vxE 'select|info|script|evalsha|time|memory|wait|smembers|llen|zcard|get')
	[ "$(wc -w <<<"$words")" -ge 25 ]
	words="$words memory|usage"
	# shellcheck disable=SC2086 # a word each
	printf -- '-%s\n' $words |
		xargs redis-cli -s "$OWN_REDIS/redis.sock" acl setuser incr
	for program in incr-publish incr-consume incr-flush; do
		"$program" --check || [ $? = 100 ]
	done | sed -n 's/^error: redis: this user may not say \(.*\); incr(7) has the user that may$/\L\1/p' |
		sort -u >named
	# The rest is for incr-rejected and incr-audit, and for transactions,
	# which incr-publish can do without.
	tr ' ' '\n' <<<"$words" | sort | comm -3 - named |
		diff - <(printf '%s\n' exec lpushx lrem lset multi renamenx rpop)
	finds 100 'error: redis: this user may not say LPUSH; ' incr-publish
	not grep ZADD <<<"$output"
	finds 100 'error: redis: this user may not say ZADD; ' incr-consume
	finds 100 'error: redis: this user may not say ZREMRANGEBYSCORE; ' incr-flush
	redis-cli -s "$OWN_REDIS/redis.sock" acl setuser incr -evalsha
	finds 100 'error: redis: NOPERM ' incr-consume
	REDIS_URL=${REDIS_URL/SECRET/wrong}
	finds 100 'error: redis: WRONGPASS ' incr-consume
}

@test "the queue: dead letters, and that nothing drains what waits" {
	healthy_redis
	fine incr-consume
	increment 1 | incr-publish
	finds 1 "warning: queue $INCR_QUEUE: nothing drains it: 1 ready, 0 batches taken, 0 " \
		incr-consume
	rcli lpush "rmq::queue::[$INCR_QUEUE]::rejected" x
	rcli del "rmq::queue::[$INCR_QUEUE]::ready"
	finds 1 "warning: queue $INCR_QUEUE: 1 dead letter, see incr-rejected(1)" \
		incr-consume
}

@test "Postgres: what each setting costs, time limits, identity" {
	healthy_redis
	use_postgres
	role=check_$BATS_SUITE_TEST_NUMBER
	sql "create role $role superuser login" >/dev/null
	DATABASE_URL=${DATABASE_URL/user=postgres/user=$role}
	finds 1 'warning: postgres: fsync off: killed: nothing; power lost: anything' \
		incr-flush
	[ "$(grep -c ^warning <<<"$output")" = 1 ]
	sql "alter role $role set synchronous_commit = off"
	finds 1 'warning: postgres: synchronous_commit off: any crash: lost: last 0.6 s' \
		incr-flush
	sql "alter role $role reset all; alter role $role set statement_timeout = '30s'"
	finds 1 'warning: postgres: statement_timeout 30000 ms: ' incr-flush
	sql "alter role $role reset all"
	sql "alter table increments set unlogged"
	finds 1 'warning: increments: an unlogged table: any crash: lost: everything' \
		incr-flush
	sql "alter table increments set logged"
	rcli set "incr::queue::[$INCR_QUEUE]::database" $KEY >/dev/null
	finds 100 "error: queue $INCR_QUEUE: is counted in database $KEY; this is " \
		incr-flush
	rcli set "incr::queue::[$INCR_QUEUE]::database" \
		"$(sql 'select id from incr_database')" >/dev/null
	finds 1 'ok: postgres: its tables and grants' incr-flush
	sql 'delete from incr_database'
	finds 100 'error: incr_database: no row; run incr-db create' incr-flush
	sql 'drop table incr_database'
	finds 100 'error: postgres: greeting: relation "incr_database" does not exist' \
		incr-flush
	sql "drop owned by $role; drop role $role" || :
}

@test "Postgres: grants, shape of the tables, triggers, policies" {
	healthy_redis
	use_postgres
	all=$DATABASE_URL
	role=check_$BATS_SUITE_TEST_NUMBER
	as_owner() { DATABASE_URL=$all sql "$1"; }
	sql "create role $role login" >/dev/null
	sql "grant select, insert on increments to $role;
		grant select, insert, update, delete on incr_ledger to $role"
	DATABASE_URL=${DATABASE_URL/user=postgres/user=$role}
	finds 100 'error: increments: UPDATE not granted to this role' incr-flush
	as_owner "grant update on increments to $role"
	finds 1 'ok: postgres: its tables and grants let incr-flush count' incr-flush
	as_owner "revoke delete on incr_ledger from $role"
	finds 100 'error: incr_ledger: DELETE not granted to this role' incr-flush
	as_owner "grant delete on incr_ledger to $role;
		alter table increments enable row level security"
	finds 1 'warning: increments: row security is on for this role' incr-flush
	as_owner "alter table increments disable row level security;
		alter table increments add more int not null"
	finds 100 'error: increments: column more must have a default' incr-flush
	as_owner "alter table increments alter more set default 0"
	finds 1 'ok: postgres: its tables and grants let incr-flush count' incr-flush
	as_owner "create function f() returns trigger language plpgsql
		as 'begin return null; end';
		create trigger keeper before insert on increments
		for each row execute function f()"
	finds 1 'warning: increments: a trigger or a rule, keeper: ' incr-flush
	as_owner "drop trigger keeper on increments;
		alter table incr_ledger drop lines"
	finds 100 'error: incr_ledger: column lines is missing; run incr-db create' \
		incr-flush
	# What no catalog is asked about, the planning of the statements shows.
	as_owner "alter table incr_ledger add lines bigint
		generated always as (seq) stored"
	finds 100 'error: postgres: plan: ' incr-flush
	as_owner "alter table incr_ledger drop lines, drop constraint incr_ledger_pkey,
		add lines bigint not null default 0"
	finds 100 'error: incr_ledger: column consumer is no primary key' incr-flush
	as_owner "drop table increments"
	finds 100 'error: increments: no such table; run incr-db create' incr-flush
	as_owner "drop owned by $role; drop role $role"
}

# A server that takes connections and says nothing.
silent='umask 0; my $s = IO::Socket::UNIX->new(Local => shift, Listen => 9);
	my @all; push @all, $s->accept while 1'

@test "servers that are away or silent: status 111, within --wait" {
	mkdir away
	for name in redis.sock .s.PGSQL.5432; do
		background perl -MIO::Socket::UNIX -e "$silent" "$PWD/away/$name"
	done
	wait_for 5 test -S away/redis.sock
	wait_for 5 test -S away/.s.PGSQL.5432
	use_redis
	begun=${EPOCHREALTIME/./}
	DATABASE_URL="postgresql:///x?host=$PWD/away" \
		finds 111 'error: postgres: no answer in time' incr-flush -w 0.5
	REDIS_URL=unix://$PWD/away/redis.sock \
		finds 111 'error: redis: ' incr-consume -w 0.5
	not elapsed "$begun" 8000000
	REDIS_URL=unix://$PWD/none \
		finds 111 'error: redis: connect: No such file or directory' \
		incr-publish -w 0.1
	# What another try is of no use for counts for more.
	use_postgres
	sql 'drop table increments'
	REDIS_URL=unix://$PWD/none \
		finds 100 'error: increments: no such table' incr-flush -w 2
}

@test "output that can't be written is no success" {
	healthy_redis
	run -111 sh -c 'incr-consume --check >/dev/full'
	[ "$output" = 'incr-consume: stdout: No space left on device' ]
}

@test "incr-serve: addresses, sockets, tokens, descriptors, shared rates" {
	local port listener
	port=$(free_port)
	fine incr-serve -l "127.0.0.1:$port" -l ./serve.sock --metrics "[::1]:0"
	grep -qx "ok: 127.0.0.1:$port: can be listened on" <<<"$output"
	grep -qx 'ok: ./serve.sock: can be listened on' <<<"$output"
	[ ! -e serve.sock ]
	background incr-listen "127.0.0.1:$port" -- tail -f /dev/null
	background incr-listen ./serve.sock -- tail -f /dev/null
	listener=$!
	wait_for 5 test -S serve.sock
	wait_for 5 listens "$port"
	finds 100 "error: 127.0.0.1:$port: Address already in use" \
		incr-serve -l "127.0.0.1:$port"
	finds 100 'error: ./serve.sock: another server is listening there' \
		incr-serve -l ./serve.sock
	kill -9 "$listener"
	wait_for 5 finds 0 'ok: ./serve.sock: a stale socket, which would be replaced' \
		incr-serve -l ./serve.sock
	[ -S serve.sock ]
	: >file
	finds 100 'error: ./file: exists and is not a socket' incr-serve -l ./file
	finds 100 'error: ./no/sock: No such file or directory' incr-serve -l ./no/sock
	finds 100 'error: 0.0.0.0:0: reachable from other hosts: needs --tokens FILE or --open' \
		incr-serve -l 0.0.0.0:0
	fine incr-serve -l 0.0.0.0:0 --open
	incr-token --tokens tokens new shop >/dev/null
	fine incr-serve -l 0.0.0.0:0 --tokens tokens
	grep -qx 'ok: tokens: 1 token' <<<"$output"
	: >none
	finds 1 'warning: none: 0 tokens: nobody may send' incr-serve -l ./s --tokens none
	echo 'shop nonsense' >bad
	finds 100 'error: bad:1: ' incr-serve -l ./s --tokens bad
	finds 1 'warning: descriptors: the limit (ulimit -Hn) allows ' \
		incr-serve -l ./s --max-connections 1000000
	finds 111 'error: redis: connect: No such file' incr-serve -l ./s --rate 5/s \
		--rate-shared -r unix:///nowhere
	use_redis
	fine incr-serve -l ./s --rate 5/s --rate-shared
	grep -qx 'ok: redis: can share rates' <<<"$output"
}
listens() { [ -n "$(ss -Hltn "sport = :$1")" ]; }

@test "incr-ingest and incr-drain pass it on, and say twice nothing" {
	local process
	healthy_redis
	use_postgres
	finds 1 'ok: ./s: can be listened on' incr-ingest -l ./s
	grep -q "^warning: queue $INCR_QUEUE: nothing drains it: " <<<"$output"
	finds 1 'warning: postgres: fsync off: ' incr-drain -n 5 -- -i 1
	[ "$(grep -c '^ok: redis: version' <<<"$output")" = 1 ]
	[ "$(grep -c '^ok: postgres: its tables' <<<"$output")" = 1 ]
	# With the variables of a unit, and no other.
	mkdir once metrics
	unit=(env -i PATH="$PATH" REDIS_URL="$REDIS_URL" DATABASE_URL="$DATABASE_URL"
		INCR_QUEUE="$INCR_QUEUE" RUNTIME_DIRECTORY="$PWD/once"
		INCR_METRICS_DIR="$PWD/metrics" ${ASAN_OPTIONS+"ASAN_OPTIONS=$ASAN_OPTIONS"})
	finds 1 'ok: postgres: its tables and grants let' "${unit[@]}" incr-drain
	finds 1 'ok: ./s: can be listened on' "${unit[@]}" incr-ingest -l ./s
	[ -z "$(find once metrics -type f)" ]
	# That which counts for most.
	finds 111 'error: postgres: ' incr-drain -- -d "host=$PWD" -w 0.1
	sql 'drop table increments'
	finds 100 'error: increments: no such table' incr-drain
	finds 100 'error: ./no/s: No such file' incr-ingest -l ./no/s -r unix:///x -w 0.1
	for process in incr-drain incr-ingest; do
		run -111 sh -c "$process --check >/dev/full"
		[ "$output" = "$process: stdout: not written" ]
	done
	run -100 incr-drain --check -n x
	[[ "$output" == 'incr-consume: '* ]]
}

# snapshot DIR: every file below it, with its time
snapshot() { find "$1" -printf '%p %m %u %T@ %C@\n' | sort; }

@test "incr-up: folder, programs, Caddyfile, ports, parts; nothing is made" {
	local port
	open_folder
	port=$(free_port)
	up=(env -u REDIS_URL -u DATABASE_URL HOME="$PWD/home" incr-up
		--state "$PWD/state" --port "$port")
	mkdir home
	snapshot . >before
	fine "${up[@]}"
	for line in "$PWD/state: would be made" 'programs: all are there' \
		"Caddyfile: valid for http://:$port" \
		"127.0.0.1:$port: can be listened on" \
		'redis, postgres: private ones would be started'; do
		grep -qx "ok: $line" <<<"$output"
	done
	snapshot . >after
	# Bats has files of its own.
	mine='^\./home\|^\./state'
	[ "$(grep -c "$mine" before)" = 1 ]
	diff <(grep "$mine" before) <(grep "$mine" after)
	finds 100 "error: $PWD/before: Not a directory" \
		incr-up --port "$port" --state "$PWD/before/x"
	mkdir -m 777 others
	finds 100 "error: $PWD/others: others may write it; run: chmod go-w" \
		incr-up --port "$port" --state "$PWD/others"
	mkdir linked
	ln -s /tmp linked/log
	finds 100 "error: $PWD/linked/log: a symbolic link" \
		incr-up --port "$port" --state "$PWD/linked"
	[ "$(ls linked)" = log ]
	background incr-listen "127.0.0.1:$port" -- tail -f /dev/null
	wait_for 5 listens "$port"
	finds 100 "error: 127.0.0.1:$port: Address already in use" "${up[@]}"
	finds 100 "error: 127.0.0.1:$port: Address already in use" \
		incr-up --port "$(free_port)" --metrics-port "$port" --state "$PWD/state"
	INCR_PAGE_PORT=$port finds 100 \
		"error: 127.0.0.1:$port: Address already in use" \
		incr-up --port "$(free_port)" --state "$PWD/state"
	INCR_SITE='a{b' finds 100 'error: Caddyfile: ' "${up[@]}" --open
	PG_BIN=/nowhere finds 100 \
		'error: programs: not found: /nowhere/postgres /nowhere/initdb' "${up[@]}"
}

# As many as are told, or noted; also what its drain alone would be told.
asks_each_shard() {
	local up=(incr-up --state "$PWD/state") q=$INCR_QUEUE-s
	local INCR_QUEUE=$q
	finds 1 "ok: queue $q: 2 shards, not noted in Redis yet" "${up[@]}" --shards 2
	grep -qx "warning: queue $q\.1: nothing drains it: 0 ready.*" <<<"$output"
	increment 1 | incr-publish --shards 2
	finds 1 "ok: queue $q: 2 shards" "${up[@]}"
	grep -q "^warning: queue $q\.[01]: nothing drains it: 1 ready" <<<"$output"
	grep -q "^ok: queue $q\.[01]: 0 ready" <<<"$output"
	rcli set "incr::queue::[$q.1]::database" "$(cat /proc/sys/kernel/random/uuid)" >/dev/null
	finds 100 "error: queue $q.1: is counted in database " "${up[@]}"
	finds 100 "error: queue $q: has 2 shards, not 3 (--shards)" \
		"${up[@]}" --shards 3
}

@test "incr-up: what the parts say of given servers" {
	open_folder
	healthy_redis
	use_postgres
	export INCR_PORT
	INCR_PORT=$(free_port)
	finds 1 'warning: postgres: fsync off: ' incr-up --state "$PWD/state"
	[ "$(grep -c '^ok: redis: version' <<<"$output")" = 1 ]
	grep -q "^warning: queue $INCR_QUEUE: nothing drains it: 0 ready" <<<"$output"
	asks_each_shard
	sql 'drop table incr_ledger'
	finds 100 'error: incr_ledger: no such table; ' incr-up --state "$PWD/state"
	REDIS_URL=unix:///nowhere finds 100 'error: redis: connect: No such file' \
		incr-up --state "$PWD/state"
	[ ! -e state ]
}

@test "incr-up as root: folders that the users of its parts can't enter" {
	local user
	[ "$(id -u)" = 0 ] || skip 'needs root'
	open_folder
	groupadd -rf incr
	for user in incr-edge incr-ingest incr-drain; do # as incr-up does
		id "$user" >/dev/null 2>&1 ||
			useradd -r -M -d / -s /usr/sbin/nologin -U -G incr "$user"
	done
	healthy_redis
	use_postgres
	export INCR_PORT
	INCR_PORT=$(free_port)
	mkdir -m 700 closed
	mkdir closed/clone closed/state
	cp -r "$ROOT/Caddyfile" "$ROOT/etc" "$ROOT/sql" closed/clone
	cp -rL "$BIN" closed/clone/bin
	finds 1 "ok: $PWD/closed/clone/bin: the user incr-ingest can not run the programs; those in $PWD/state/programs would be run" \
		closed/clone/bin/incr-up --state "$PWD/state"
	# Its parts were asked all the same.
	grep -q '^warning: postgres: fsync off: ' <<<"$output"
	grep -q "^warning: queue $INCR_QUEUE: nothing drains it" <<<"$output"
	for user in state new; do
		finds 100 "error: $PWD/closed/$user: the user incr-ingest can not enter it" \
			incr-up --state "$PWD/closed/$user"
	done
	# An open folder in an open one is for all.
	chmod 755 closed
	chmod 700 closed/state
	finds 1 "ok: $PWD/closed/state: free" incr-up --state "$PWD/closed/state"
	not grep -q 'can not' <<<"$output"
}
