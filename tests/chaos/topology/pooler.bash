# PgBouncer before Postgres, in transaction mode, and a proxy on either side of
# it.
# shellcheck shell=bash

ADDED='pool_kill pool_kill pool_term pool_safe pool_stop pool_stop pool_reload
	pool_pause pool_cut'
WITHOUT=

topology_up() {
	command -v pgbouncer >/dev/null || die 'no pgbouncer here'
	one_redis && one_postgres || return
	mkdir -m 777 "$D/pool"
	start_proxy server "$D/px/server.d/.s.PGSQL.5432" \
		"$D/pg/.s.PGSQL.5432"
	write_pool
	pool_up || return
	# What was before Postgres is before the pooler now.
	start_proxy pool "$D/px/pool.d/.s.PGSQL.5432" \
		"$D/pool/.s.PGSQL.6432"
	postgres_url "postgresql://%s@/chaos?host=$D/px/pool.d"
	reach
}

# With few connections, so that some have to wait.
write_pool() {
	{
		echo '[databases]'
		echo "chaos = host=$D/px/server.d user=incr password=$(<"$D/pg.password")"
		echo '[pgbouncer]'
		printf '%s\n' listen_addr= listen_port=6432 auth_type=any \
			"unix_socket_dir=$D/pool" pool_mode=transaction \
			"pidfile=$D/pool/pid" "logfile=$D/pool/log" \
			"default_pool_size=$((5 + SEED % 8))" max_client_conn=400 \
			server_login_retry=1 admin_users=postgres
	} >"$D/pool.ini"
	chmod 644 "$D/pool.ini"
}

pool_up() {
	rm -f "$D/pool/pid"
	alone as_postgres pgbouncer -qd "$D/pool.ini" 2>>"$D/pool.err"
	wait_for 10 test -s "$D/pool/pid"
}

pool_pid() { cat "$D/pool/pid"; }

proxy_now() {
	case $1 in
	postgres) echo pool ;;
	*) echo "$1" ;;
	esac
}

topology_heal() {
	redis_heal
	kill -CONT "$(pool_pid)"
	postgres_heal
	alive "$(pool_pid)" || pool_up
	pool_says resume
}

topology_down() {
	kill -9 "$(pool_pid)"
	redis_stop "$D/redis"
	pg_stop "$D/pg" QUIT
} 2>/dev/null

pool_again() { # SIGNAL TENTHS
	local pid
	pid=$(pool_pid) || return
	kill -"$1" "$pid"
	kill -CONT "$pid"
	within 5 gone "$pid" || kill -9 "$pid"
	wait_for 5 gone "$pid"
	sleep "$(($2 / 10)).$(($2 % 10))"
	pool_up
}

pool_says() {
	psql -XAtqh "$D/pool" -p 6432 -U postgres -d pgbouncer -c "$1"
}

fault_pool_kill() { pool_again KILL $(($1 % 20)); }
fault_pool_term() { pool_again TERM $(($1 % 20)); }
fault_pool_safe() { pool_again INT $(($1 % 20)); }
fault_pool_stop() { pause "$(pool_pid)" $((5 + $1 % 40)); }
fault_pool_reload() { kill -HUP "$(pool_pid)"; }

# Clients wait; or they are cut off, and wait then.
fault_pool_pause() {
	local how=pause
	(($1 % 2)) || how='kill'
	timeout 3 bash -c "$(declare -f pool_says)
		D=$D pool_says '$how chaos'"
	later $((5 + $2 % 40)) insist pool_says 'resume chaos'
}

# Its connections to Postgres.
fault_pool_cut() {
	local n
	for n in 0 1 2 3; do
		tell_proxy server "${HARMS[$2 % ${#HARMS[@]}]} $(($1 + n)) $(($3 % 4000))"
	done
}

# It has the password, not the programs.
swap_postgres_password() {
	write_pool
	kill -HUP "$(pool_pid)"
}
