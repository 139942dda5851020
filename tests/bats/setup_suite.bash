# One Redis and one Postgres for the whole suite, in a private folder with a
# short name (socket paths are limited).
# shellcheck shell=bash

# shellcheck source=tests/bats/helper.bash
. "${BASH_SOURCE[0]%/*}/helper.bash"

setup_suite() {
	INCR_SUITE=$(mktemp -d /tmp/incr-suite.XXXXXX)
	INCR_PORTS=$(take_ports)
	export INCR_SUITE INCR_PORTS
	chmod 755 "$INCR_SUITE"
	collect_reports
	redis_start "$INCR_SUITE/redis" --maxmemory-policy noeviction
	pg_start "$INCR_SUITE/pg" 'log_line_prefix=%d '
	ask_for_passwords
	psql -Xq -h "$INCR_SUITE/pg" -U postgres -d postgres \
		-c 'create database incr_template' >/dev/null
	psql -Xq -h "$INCR_SUITE/pg" -U postgres -d incr_template \
		-v ON_ERROR_STOP=1 -f "$ROOT/sql/schema.sql" >/dev/null
}

# Of the members of the role with_password alone.
ask_for_passwords() {
	sed -i '1i local all +with_password scram-sha-256' \
		"$INCR_SUITE/pg/data/pg_hba.conf"
	psql -Xq -h "$INCR_SUITE/pg" -U postgres -d postgres \
		-c 'create role with_password' \
		-c 'select pg_reload_conf()' >/dev/null
}

teardown_suite() {
	redis_stop "$INCR_SUITE/redis"
	pg_stop "$INCR_SUITE/pg"
	show_reports || failed=1
	end_leftovers || failed=1
	rm -rf "$INCR_SUITE" "${PORT_BLOCKS:?}/$INCR_PORTS"
	return "${failed:-0}"
}

# What sanitizers and valgrind (the wrappers of tests/ci/check) find goes into
# a folder: nobody sees the output or the status of every program.
collect_reports() {
	export INCR_REPORTS=$INCR_SUITE/reports
	mkdir -m 1777 "$INCR_REPORTS"
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}log_path=$INCR_REPORTS/asan
	UBSAN_OPTIONS=${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}print_stacktrace=1
	UBSAN_OPTIONS+=:log_path=$INCR_REPORTS/ubsan
	export ASAN_OPTIONS UBSAN_OPTIONS
}

# show_reports: 1 if there are any
show_reports() {
	local report found=0
	for report in "$INCR_REPORTS"/*; do
		# Valgrind had nothing to say; the leak checker met a SIGKILL.
		grep -qv 'Unable to get registers' "$report" || continue
		found=1
		head -n 40 "$report" >&2
	done
	return "$found"
}

# end_leftovers: 1 if a test left a server or one of ours running; every
# process of the suite has its folder in the environment
end_leftovers() {
	local environ pid name found=0
	for environ in $(grep -lsF "INCR_SUITE=$INCR_SUITE" /proc/[0-9]*/environ); do
		pid=${environ//[!0-9]/}
		name=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
		case $name in
		incr-* | pgbouncer | redis-server | redis-sentinel | postgres | caddy | nginx | haproxy | perl | hey) ;;
		*) continue ;;
		esac
		found=1
		echo "left running: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")"
		kill -9 "$pid"
	done >&2
	return "$found"
}
