# One Redis and one Postgres for the whole suite, in a private folder with a
# short name (socket paths are limited).
# shellcheck shell=bash

# shellcheck source=tests/bats/helper.bash
. "${BASH_SOURCE[0]%/*}/helper.bash"

setup_suite() {
	INCR_SUITE=$(mktemp -d /tmp/incr-suite.XXXXXX)
	export INCR_SUITE
	chmod 755 "$INCR_SUITE"
	redis_start "$INCR_SUITE/redis" --maxmemory-policy noeviction
	pg_start "$INCR_SUITE/pg"
	psql -Xq -h "$INCR_SUITE/pg" -U postgres -d postgres \
		-c 'create database incr_template' >/dev/null
	psql -Xq -h "$INCR_SUITE/pg" -U postgres -d incr_template \
		-v ON_ERROR_STOP=1 -f "$ROOT/sql/schema.sql" >/dev/null
}

teardown_suite() {
	redis_stop "$INCR_SUITE/redis"
	pg_stop "$INCR_SUITE/pg"
	rm -rf "$INCR_SUITE"
}
