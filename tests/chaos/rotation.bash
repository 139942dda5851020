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
	lasting admin "alter role incr password '$1-$2-$3'" || return 77
	echo "$1-$2-$3" >"$D/pg.password"
	swap_postgres_password
	let_in scram-sha-256
	(($1 % 3)) || fault_postgres_cut
}

swap_postgres_password() { write_url pg; }

# -- a service answers wrongly for two seconds --------------------------------

TROUBLES=(redis_password redis_right redis_policy role_nologin role_password
	role_right table_renamed)

# Programs wait that were once fit, or whose likes were (RUNTIME_DIRECTORY).  No
# supervisor is started meanwhile: it would take that for its configuration.
fault_trouble() {
	local which what=${TROUBLES[$1 % ${#TROUBLES[@]}]}
	for which in "$port_a" "$port_b"; do
		curl -fsm 2 "http://127.0.0.1:$which/health/ready" || return 77
	done
	for which in a b; do
		[ "$(ps -o etimes= -p "$(<"$D/$which.pid")")" -gt 10 ] ||
			return 77
	done
	echo "$what"
	"wrong_$what" || return 77
	[ $(($2 % 2)) = 0 ] || fault_kill "$3" "$2" "$1"
	sleep "$(($3 % 3)).$(($3 % 10))"
	insist lasting "right_$what"
}

wrong_redis_password() { each_redis resetpass '>wrong'; }
right_redis_password() { each_redis resetpass ">$(<"$D/redis.password")"; }
wrong_redis_right() { each_redis -evalsha; }
right_redis_right() { each_redis +@all; }
wrong_redis_policy() { redis_set maxmemory-policy allkeys-lru && redis_set maxmemory 1gb; }
right_redis_policy() { redis_set maxmemory-policy noeviction && redis_set maxmemory 0; }
wrong_role_nologin() { admin 'alter role incr nologin' && fault_postgres_cut; }
right_role_nologin() { admin 'alter role incr login'; }
wrong_role_password() { admin "alter role incr password 'wrong'" && fault_postgres_cut; }
right_role_password() { admin "alter role incr password '$(<"$D/pg.password")'"; }
wrong_role_right() { locked 'revoke all on increments from incr'; }
right_role_right() { locked 'grant all on increments to incr'; }
wrong_table_renamed() { locked 'alter table increments rename to away'; }
right_table_renamed() { locked 'alter table away rename to increments'; }

# Those who are connected have to come again.
each_redis() { # RULE...
	local home
	for home in $(redis_homes); do
		timeout 5 redis-cli -s "$home/redis.sock" acl setuser incr \
			"$@" | grep -qx OK || return
		timeout 5 redis-cli -s "$home/redis.sock" client kill user incr
	done
}

locked() { sql "set lock_timeout = '2s'; $1"; }
