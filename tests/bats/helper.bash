# Shared by all bats files: programs, private servers, waiting.
# shellcheck shell=bash

ROOT=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
# The build under test: bin/, or that of another build (sanitizers).
BIN=${INCR_BIN:-$ROOT/bin}
PG_BIN=${PG_BIN:-/usr/lib/postgresql/15/bin}
# Debian's psql is a wrapper in Perl that takes ten times as long to start.
PATH=$BIN:$PG_BIN:$PATH
# What a test asks is here, whatever proxies there are; curl, libcurl, Perl.
unset http_proxy https_proxy all_proxy HTTPS_PROXY ALL_PROXY HTTP_PROXY no_proxy
export NO_PROXY='*'
# Seconds between two looks at a condition: soon, then seldom.
NAPS=(0.01 0.02 0.03 0.05)
POLL=0.1

KEY=6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11

# increment VALUE [KEY]: one canonical line
increment() {
	printf '{"key":"%s","value":%s}\n' "${2:-$KEY}" "$1"
}

# increments FROM TO: canonical lines of one key, with these values
increments() {
	seq "$1" "$2" | sed 's/.*/{"key":"'"$KEY"'","value":&}/'
}

# wait_for SECONDS COMMAND...: until COMMAND succeeds; 1 if it does not, even
# with ten seconds more: a machine may have much else to do.  A test of how
# long something takes measures it.
wait_for() {
	local deadline=$((${EPOCHREALTIME/./} + ($1 + 10) * 1000000)) naps=0
	shift
	until "$@" >/dev/null 2>&1; do
		if ((${EPOCHREALTIME/./} > deadline)); then
			echo "waited in vain for: $*" >&2
			return 1
		fi
		sleep "${NAPS[naps++]:-$POLL}"
	done
}

# sanitized PROGRAM: what it is built with needs memory of its own.
sanitized() {
	grep -qE '__asan_init|^exec valgrind' "$BIN/$1"
}

# background COMMAND...: in the background, ended with the test. $! is it.
# With setsid in front, all that it starts is ended, too.
background() {
	"$@" <&0 3>&- & # <&0: else its input would be /dev/null
	remember $!
}

# remember PID: end it with the test, too.
remember() {
	echo "$1 $(started "$1")" >>"$BATS_TEST_TMPDIR/pids"
}

# end_background: a process that has another start than was noted is one of
# somebody else, who has the number now, and so is its group.
end_background() {
	local pid start now
	[ ! -f "$BATS_TEST_TMPDIR/pids" ] || while IFS=' ' read -r pid start; do
		now=$(started "$pid")
		[ -z "$now" ] || [ "$now" = "$start" ] || continue
		kill -CONT "$pid" 2>/dev/null || :
		kill -9 "$pid" 2>/dev/null || :
		kill -9 -- "-$pid" 2>/dev/null || :
	done <"$BATS_TEST_TMPDIR/pids"
	[ -z "${OWN_REDIS-}" ] || redis_stop "$OWN_REDIS"
}

# said FILE: what a program said, but that it waited for a service: a loaded
# machine can be slow to connect.
said() { grep -vE '^incr-[a-z]+: [a-z]+( [^:]+)?: (.*[,;] waiting|back|publishing again)$' "$1" || :; }
quiet() { [ -z "$(said "$1")" ]; }

# not COMMAND...: a test goes on after "! COMMAND".
not() { ! "$@"; }

# gone PID: also if it only waits to be reaped
gone() {
	! kill -0 "$1" 2>/dev/null ||
		grep -q "^State:	Z" "/proc/$1/status" 2>/dev/null
}

# session_gone PID: that of this leader is empty
session_gone() { ! pgrep -s "$1" >/dev/null; }

# elapsed SINCE MICROSECONDS: SINCE was ${EPOCHREALTIME/./}
elapsed() { ((${EPOCHREALTIME/./} - $1 >= $2)); }

# ticks PID: its CPU time, in hundredths of a second
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
# row PLACE: its keys, messages, invalid and sum in the file out, of incr-audit
row() { awk -v place="$1" '$1 == place { print $2, $3, $4, $5 }' out; }
# places PLACE ROW...: these rows are there
places() {
	while [ $# -gt 0 ]; do
		[ "$(row "$1")" = "$2" ] || {
			cat out
			return 1
		}
		shift 2
	done
}

# bytes_read PID: by read(2) and its like
bytes_read() { awk '/^rchar/ { print $2 }' "/proc/$1/io"; }
has_read() { [ "$(bytes_read "$1")" -ge "$2" ]; }

# has TEXT FILE
has() { grep -qF -e "$1" "$2"; }

# http_status ARG...: of curl; the body goes into the file answer.
http_status() { curl -s -o answer -w '%{http_code}' "$@"; }
# healthy SOCKET: a server on it answers that it is ready.
healthy() { curl -fs --unix-socket "$1" http://localhost/health/ready; }

# alone COMMAND...: with the standard descriptors only. A server that keeps a
# FIFO of the test open hides its end.
alone() (
	for fd in "/proc/$BASHPID/fd"/*; do
		fd=${fd##*/}
		[ "$fd" -le 2 ] || exec {fd}>&-
	done
	"$@"
)

# free_port: a TCP port that nobody listens to, no other test of this or another
# suite on this machine gets, also while a server on it is down, and the kernel
# gives to no client.
free_port() {
	local IFS=$' \t\n' block=${INCR_PORTS-} port
	[ "$block" ] || block=$(take_ports)
	for port in $(shuf -i $((10000 + block * 500))-$((10499 + block * 500))); do
		mkdir "$PORT_BLOCKS/$block/$port" 2>/dev/null || continue
		[ -z "$(ss -Hltn "sport = :$port")" ] || continue
		echo "$port"
		return
	done
	return 1
}
PORT_BLOCKS=/tmp/incr-ports

# take_ports: the number of the block of ports that is this process's, for as
# long as it lives.
take_ports() (
	IFS=$' \t\n' # Bats has another one when it is told --filter-tags.
	umask 0
	[ -d "$PORT_BLOCKS" ] || mkdir -m 1777 "$PORT_BLOCKS" || [ -d "$PORT_BLOCKS" ]
	exec 9<"$PORT_BLOCKS"
	flock 9
	own="$$ $(started $$)"
	for block in $({ grep -lxF "$own" "$PORT_BLOCKS"/*/owner |
		sed 's:/owner$::; s:.*/::'; shuf -i 0-39; } 2>/dev/null); do
		read -r pid start 2>/dev/null <"$PORT_BLOCKS/$block/owner" ||
			pid='' start=''
		if [ "$pid $start" != "$own" ]; then
			[ -z "$start" ] || [ "$(started "$pid")" != "$start" ] ||
				continue
			rm -rf "${PORT_BLOCKS:?}/$block"
			mkdir "$PORT_BLOCKS/$block" || continue
			echo "$own" >"$PORT_BLOCKS/$block/owner"
		fi
		echo "$block"
		return
	done 2>/dev/null
	return 1
)
# started PID: by which it is told apart from others that have its number
started() {
	local stat IFS=' '
	read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
	# shellcheck disable=SC2086 # words
	set -- ${stat##*) }
	echo "${20}"
}

# checkpoint CONSUMER SEQ LINES [ADOPTED [MORE]]: a line of incr-consume;
# MORE are members, each with a comma before it.
checkpoint() {
	printf '{"checkpoint":{"queue":"%s","consumer":"%s","seq":%s,"lines":%s,"taken":%s,"adopted":%s%s}}\n' \
		"$INCR_QUEUE" "$1" "$2" "$3" "$(date +%s%3N)" "${4:-false}" \
		"${5-}"
}

# written_by NUMBER ARG...: how many replicas of the Redis of redis-cli ARG have
# all that was written, once NUMBER have. WAIT is about what its own connection
# wrote: as the first command it would prove nothing.
written_by() {
	local number=$1
	shift
	printf '%s\n' 'set incr-sync 1 px 1000' "wait $number 100" |
		redis-cli "$@" | tail -n 1
}

# A clock that can be set forward: LD_PRELOAD=./clock.so, seconds in ahead.
build_clock() {
	cat >clock.c <<-'END'
		#define _GNU_SOURCE
		#include <fcntl.h>
		#include <stdlib.h>
		#include <sys/syscall.h>
		#include <time.h>
		#include <unistd.h>
		static int fd = -1;
		__attribute__((constructor)) static void
		begin(void) /* before the sandbox */
		{
			int low = open(AHEAD, O_RDONLY | O_CREAT, 0600);
			fd = fcntl(low, F_DUPFD_CLOEXEC, 100);
			close(low);
		}
		int
		clock_gettime(clockid_t id, struct timespec *ts)
		{
			int r = (int)syscall(SYS_clock_gettime, id, ts);
			char text[32] = "";
			if (id == CLOCK_BOOTTIME &&
			    pread(fd, text, sizeof text - 1, 0) > 0)
				ts->tv_sec += atol(text);
			return r;
		}
	END
	"${CC:-cc}" -shared -fPIC -DAHEAD="\"$PWD/ahead\"" -o clock.so clock.c
}

# -- Redis ------------------------------------------------------------------

# known CONSUMER...: they are registered, and have taken as many batches as any
# stream of a test has.
known() {
	local id
	for id; do
		rcli sadd "incr::queue::[$INCR_QUEUE]::consumers" "$id"
		rcli set "incr::queue::[$INCR_QUEUE]::consumer::$id::last" 1000
	done >/dev/null
}

# redis_start DIR [ARG...]: a private server at DIR/redis.sock; pid in
# DIR/redis.pid.  Everything it acknowledges is on disk.
redis_start() {
	local dir=$1
	shift
	mkdir -p "$dir"
	# incr-up has its parts connect as other users.
	alone redis-server --port 0 --unixsocket "$dir/redis.sock" \
		--unixsocketperm 777 --dir "$dir" \
		--appendonly yes --appendfsync everysec --save '' \
		--daemonize yes --pidfile "$dir/redis.pid" \
		--logfile "$dir/redis.log" "$@" >/dev/null
	wait_for 10 redis-cli -s "$dir/redis.sock" ping
}

redis_stop() {
	local pid
	pid=$(cat "$1/redis.pid" 2>/dev/null) || return 0
	kill "$pid" 2>/dev/null || return 0
	kill -CONT "$pid" 2>/dev/null || : # a test may have stopped it
	wait_for 10 gone "$pid"
}

# own_redis [ARG...]: a server for this test alone, REDIS_URL; end_background
# stops it.  It lives in OWN_REDIS, which a test may set before.
own_redis() {
	OWN_REDIS=${OWN_REDIS:-$INCR_SUITE/r$BATS_SUITE_TEST_NUMBER}
	redis_start "$OWN_REDIS" "$@"
	export REDIS_URL=unix://$OWN_REDIS/redis.sock
}

redis_pid() { cat "$OWN_REDIS/redis.pid"; }

# rcli ARG...: redis-cli on the Redis of REDIS_URL (a Unix socket).
rcli() {
	local path=${REDIS_URL#unix://}
	redis-cli -s "${path%%\?*}" "$@"
}

# marks [0]: how many tags are marked; 0: their keys.
marks() {
	rcli --raw eval '
		local n = 0
		local at = "incr::queue::[" .. ARGV[1] .. "]::marks::"
		local keys = {}
		for _, key in ipairs(redis.call("KEYS", "incr::queue::*")) do
			if key:sub(1, #at) == at and key ~= at .. "turn" then
				n = n + redis.call("HLEN", key)
				keys[#keys + 1] = key
			end
		end
		return ARGV[2] == "0" and keys or n' 0 "$INCR_QUEUE" "$@"
}

ready() { rcli llen "rmq::queue::[$INCR_QUEUE]::ready"; }
rejected() { rcli llen "rmq::queue::[$INCR_QUEUE]::rejected"; }
# The lines on the queue, oldest first.
queue() { rcli --raw lrange "rmq::queue::[$INCR_QUEUE]::ready" 0 -1 | tac; }
# Standard input as one payload, byte for byte.
put_stdin() { rcli -x lpush "rmq::queue::[$INCR_QUEUE]::ready" >/dev/null; }
# Names of the batch lists that exist.
batches() { rcli --raw keys "incr::queue::\\[$INCR_QUEUE\\]::consumer::*::batch::*"; }
no_batches() { [ -z "$(batches)" ]; }
# Lines that wait in Redis or in batches: 0 when all was committed.
has_ready() { [ "$(ready)" = "$1" ]; }

# orphans N: commands, at one moment so many consumers that are gone, with a
# batch of one increment each: 1, 2, 3 ...
orphans() {
	local n id keys
	echo multi
	for ((n = 1; n <= $1; n++)); do
		id=$(cat /proc/sys/kernel/random/uuid)
		keys=incr::queue::[$INCR_QUEUE]::consumer::$id
		echo "rpush $keys::batch::1 '$(increment "$n")'"
		echo "set $keys::last 1"
		echo "zadd $keys::batches $(date +%s%3N) 1"
		echo "sadd incr::queue::[$INCR_QUEUE]::consumers $id"
	done
	echo exec
}

# -- Postgres ---------------------------------------------------------------

# as_postgres COMMAND...: it refuses to run as root.
as_postgres() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid postgres --regid postgres --clear-groups "$@"
	else
		"$@"
	fi
}

# pg_start DIR [SETTING...]: a private server, its socket in DIR; superuser
# postgres without password.  SETTING: name=value.
pg_start() {
	local dir=$1 settings=() s
	shift
	mkdir -p "$dir"
	if [ ! -d "$dir/data" ]; then
		[ "$(id -u)" != 0 ] || chown postgres "$dir"
		as_postgres "$PG_BIN/initdb" -D "$dir/data" -U postgres -A trust \
			-E UTF8 --locale=C --no-sync >"$dir.initdb.log" 2>&1
	fi
	for s in listen_addresses= unix_socket_directories="$dir" fsync=off \
		max_connections=50 "$@"; do
		settings+=(-c "$s")
	done
	alone as_postgres "$PG_BIN/postgres" -D "$dir/data" "${settings[@]}" \
		>>"$dir.log" 2>&1 </dev/null &
	wait_for 20 "$PG_BIN/pg_isready" -q -h "$dir" -U postgres
	# Not $!, which is a shell in between.
	head -n 1 "$dir/data/postmaster.pid" >"$dir.pid"
}

# pg_stop DIR [SIGNAL]: fast shutdown, unless told otherwise.
pg_stop() {
	local pid
	pid=$(cat "$1.pid" 2>/dev/null) || return 0
	kill -"${2:-INT}" "$pid" 2>/dev/null || return 0
	wait_for 20 gone "$pid"
}

# pg_standby DIR PRIMARY: a streaming standby of the server in PRIMARY.
pg_standby() {
	mkdir -p "$1"
	[ "$(id -u)" != 0 ] || chown postgres "$1"
	as_postgres "$PG_BIN/pg_basebackup" -h "$2" -U postgres -D "$1/data" \
		-R -X stream -c fast --no-sync
	pg_start "$1"
}

# pg_promote DIR: it is the primary from now on.
pg_promote() {
	psql -XAtq -h "$1" -U postgres -d postgres \
		-c 'select pg_promote(true, 30)' >/dev/null
}

# open_folder: other users get into the test's folder; as root incr-up has its
# parts run as such.
open_folder() {
	[ "$(id -u)" = 0 ] || return 0
	chmod 711 "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}"
	chmod 755 "$BATS_TEST_TMPDIR"
}

# pooler [SETTING...]: DATABASE_URL is that of a PgBouncer with one connection
# to the test's database.
pooler() {
	local name=${DATABASE_URL#postgresql:///} dir=$BATS_TEST_TMPDIR
	name=${name%%\?*}
	chmod 711 "$BATS_RUN_TMPDIR" "${dir%/*}" "$dir"
	mkdir -m 777 "$dir/pool"
	{
		echo '[databases]'
		echo "$name = host=$INCR_SUITE/pg user=postgres"
		echo '[pgbouncer]'
		printf '%s\n' listen_addr= listen_port=6432 auth_type=any \
			"unix_socket_dir=$dir/pool" pool_mode=transaction \
			"pidfile=$dir/pool/pid" "logfile=$dir/pool/log" \
			default_pool_size=1 "$@"
	} >"$dir/pool.ini"
	alone as_postgres pgbouncer -qd "$dir/pool.ini"
	wait_for 10 test -s "$dir/pool/pid"
	remember "$(cat "$dir/pool/pid")"
	export DATABASE_URL="postgresql:///$name?host=$dir/pool&port=6432&user=postgres"
	wait_for 10 sql 'select 1'
}

# sql STATEMENT: unaligned rows from DATABASE_URL.
sql() { psql -XAtq -d "$DATABASE_URL" -c "$1"; }

sum_of() { sql "select coalesce(sum(value), 0) from increments where key = '${1:-$KEY}'"; }
sum_is() { [ "$(sum_of)" = "$1" ]; }
total() { sql 'select coalesce(sum(value), 0) from increments'; }
total_is() { [ "$(total)" = "$1" ]; }

# hold STATEMENT: keeps what it locks until unlock.
hold() {
	local fifo
	fifo=$(mktemp -u "$BATS_TEST_TMPDIR/lock.XXXXXX")
	mkfifo "$fifo"
	exec {LOCK}<>"$fifo"
	rm "$fifo"
	background psql -Xq -d "$DATABASE_URL" <&"$LOCK" >"$fifo.out"
	echo "begin; $1; select 1;" >&"$LOCK"
	wait_for 5 grep -q 1 "$fifo.out"
}
lock() { hold "lock table $1 in exclusive mode"; }
unlock() {
	echo 'rollback;' >&"$LOCK"
	exec {LOCK}>&-
}

# waits_for_lock [N]: so many statements of incr-flush do.
waits_for_lock() {
	[ "$(sql "select count(*) from pg_stat_activity where datname =
		current_database() and application_name = 'incr-flush'
		and wait_event_type = 'Lock'")" = "${1:-1}" ]
}

# -- a test's own queue and database, on the suite's servers -----------------

# use_redis: REDIS_URL and INCR_QUEUE for this test alone.
use_redis() {
	export REDIS_URL=unix://$INCR_SUITE/redis/redis.sock
	export INCR_QUEUE=q$BATS_SUITE_TEST_NUMBER-$$
}

# use_postgres: DATABASE_URL, a fresh database with the tables.
use_postgres() {
	local db=t$BATS_SUITE_TEST_NUMBER
	psql -Xq -h "$INCR_SUITE/pg" -U postgres -d postgres \
		-c "drop database if exists $db" \
		-c "create database $db template incr_template strategy file_copy" >/dev/null
	export DATABASE_URL="postgresql:///$db?host=$INCR_SUITE/pg&user=postgres"
}

# use_pid_namespaces: servers, and programs in PID namespaces; skips the test
# where there are none.
use_pid_namespaces() {
	unshare --pid --fork --kill-child --mount-proc true 2>/dev/null ||
		skip "no PID namespaces here"
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	export TMPDIR=$PWD
}

# log_since BYTE: what the suite's server said of this test's database.
log_since() {
	local db=${DATABASE_URL#postgresql:///}
	tail -c "+$(($1 + 1))" "$INCR_SUITE/pg.log" | grep "^${db%%\?*} " || :
}
