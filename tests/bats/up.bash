# Shared by tests of incr-up: starting and ending one, its parts, the sum.
# shellcheck shell=bash

# Making a Postgres cluster takes seconds: it is made once, and copied.
make_up_cluster() {
	cluster=$(mktemp -d /tmp/incr-up-cluster.XXXXXX)
	export cluster
	chmod 755 "$cluster"
	[ "$(id -u)" != 0 ] || chown postgres "$cluster"
	as_postgres "$PG_BIN/initdb" -D "$cluster/data" -U postgres -A trust \
		-E UTF8 --locale=C --no-sync >/dev/null 2>&1
}

up_setup() {
	unset REDIS_URL DATABASE_URL INCR_QUEUE
	cd "$BATS_TEST_TMPDIR" || return
	open_folder
	mkdir -p "$BATS_TEST_TMPDIR/postgres"
	INCR_PORT=$(free_port)
	INCR_STATE=$(mktemp -d /tmp/incr-up.XXXXXX)
	export INCR_PORT INCR_STATE
	url=http://localhost:$INCR_PORT/increment
	up=
}

# A test that failed half-way leaves nothing behind either: by its pid files.
up_teardown() {
	[ -z "$up" ] || kill -9 "$up" 2>/dev/null || :
	for file in "$INCR_STATE"/run/*.keeper; do
		read -r pid _ <"$file" && kill -9 "$pid"
	done 2>/dev/null
	for file in "$INCR_STATE"/run/*.pid; do
		read -r pid _ <"$file" && kill -9 -- "-$pid"
	done 2>/dev/null
	if read -r sockets <"$INCR_STATE/run/sockets"; then
		rm -rf "$sockets"
	fi 2>/dev/null
	end_background
	rm -rf "$INCR_STATE"
}

use_cluster() { # STATE
	chmod 755 "$1"
	mkdir -p "$1/postgres"
	cp -a "$cluster/data" "$1/postgres/"
}

# The suite's servers, to be quick.
use_given() {
	use_redis
	use_postgres
}

up_start() {
	background "${up_program:-incr-up}" "$@" >out 2>err
	up=$!
	wait_for 30 is_up || { cat err; return 1; }
}

is_up() { grep -q '^Ctrl-C ends' out; }

up_stop() {
	local status=0
	kill "$up"
	wait "$up" || status=$?
	[ "$status" -eq 0 ]
	up=
}

# Everything that descends from a process.
descendants() {
	ps -eo pid=,ppid= | awk -v top="$1" '
		{ parent[$1] = $2; pids[NR] = $1 }
		END {
			for (i = 1; i <= NR; i++)
				for (q = pids[i]; q in parent; q = parent[q])
					if (parent[q] == top)
						print pids[i]
		}'
}

# A zombie that nobody has asked for is not running.
none_left() { # PIDS
	local pid state
	for pid in $1; do
		state=$(ps -o stat= -p "$pid") || continue
		[[ "$state" == Z* ]] || { ps -fp "$pid"; return 1; }
	done
}

post() { http_status -d "$(increment "$1")" "$url"; }

# Posts until it is taken: the sum of what got a 202 is in $posted.
take() {
	wait_for 10 taken "$1" || return
	posted=$((${posted:-0} + $1))
}

taken() { [ "$(post "$1")" = 202 ]; }

# part NAME: its pid
part() { cut -d' ' -f1 "$INCR_STATE/run/$1.pid"; }
replaced() { # NAME OLD
	local pid
	pid=$(part "$1") && [ "$pid" != "$2" ] && kill -0 "$pid"
}
