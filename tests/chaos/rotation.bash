# Passwords are changed while everybody is at work.
# shellcheck shell=bash

# Redis knows both for a moment; then the old one is of no use.  Those who are
# connected may stay, or have to come again.
fault_rotate_redis() {
	local old new=$1-$2-$3 home
	old=$(<"$D/redis.password")
	[ "$old" != "$new" ] || return 77
	for home in $(redis_homes); do
		redis_acl "$home" ">$new" || return 77
	done
	echo "$new" >"$D/redis.password"
	write_url redis
	for home in $(redis_homes); do
		redis_acl "$home" "<$old"
		((($1 % 3) == 0)) || redis-cli -s "$home/redis.sock" \
			client kill user incr
	done
	return 0
}

redis_homes() { redis_home; }
redis_acl() { # HOME RULE
	[ "$(timeout 5 redis-cli -s "$1/redis.sock" acl setuser incr "$2")" = OK ]
}

# Whoever comes meanwhile is let in with either: a program that was not fit yet
# takes a wrong password for a wrong configuration, and is right.
fault_rotate_postgres() {
	let_in trust || return 77
	admin "alter role incr password '$1-$2-$3'" || return 77
	echo "$1-$2-$3" >"$D/pg.password"
	swap_postgres_password
	let_in scram-sha-256
	(($1 % 3)) || fault_postgres_cut
}

swap_postgres_password() { write_url pg; }
