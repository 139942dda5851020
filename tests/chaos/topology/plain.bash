# A Redis, a Postgres, a proxy before each.
# shellcheck shell=bash

ADDED=
WITHOUT=

topology_up() {
	one_redis && one_postgres && reach
}

proxy_now() { echo "$1"; }

topology_heal() {
	redis_heal
	postgres_heal
}

topology_down() {
	redis_stop "$D/redis"
	pg_stop "$D/pg" QUIT
}
