#!/bin/sh
# up-check.sh: the dry run of incr-up: what of its state folder, programs, users,
# Caddyfile, ports and disk would be wrong, and what the parts say of theirs.  For
# incr-up alone, which reads it.  Nothing is written, and nothing stays running.
#
# shellcheck disable=SC2154,SC2034 # set and used by incr-up

disk_least=100 # MB
disk_near=1024

dry_run() {
	outcomes=0
	running=
	sockets=
	check_state
	check_commands
	check_users
	check_caddyfile
	check_disk
	check_drains
	check_services
	# shellcheck disable=SC2086 # a word each
	exit "$(worst $outcomes)"
}

# finding LEVEL TEXT...
finding() {
	level=$1
	shift
	case $level in
	warning) outcomes="$outcomes 1" ;;
	error) outcomes="$outcomes 100" ;;
	esac
	printf '%s\n' "$(printf %s "$level: $*" | LC_ALL=C tr -c ' -~' '?')" \
		2>/dev/null || leave_unwritten
}

leave_unwritten() {
	say "stdout: not written"
	exit 111
}

# worst STATUS...: 100 counts for most, then 111 and whatever else, then 1.
worst() {
	of_all=0
	for one; do
		case $one:$of_all in
		0:* | *:100 | 1:[!0]*) ;;
		*) of_all=$one ;;
		esac
	done
	echo "$of_all"
}

# The same place as find_state, which makes it; there is what is there of it.
look_state() {
	name_state
	[ "${state#/}" != "$state" ] || state=$PWD/$state
	there=$state
	while [ ! -e "$there" ] && [ ! -L "$there" ]; do
		there=${there%/*}
		there=${there:-/}
	done
	run=$state/run
}

check_state() {
	if [ ! -d "$there" ]; then
		finding error "$there: Not a directory"
	elif ! said=$(walk_there 2>&1); then
		finding error "${said#incr-up: }"
	elif [ ! -w "$there" ]; then
		finding error "$there: not writable"
	elif [ "$there" != "$state" ]; then
		finding ok "$state: would be made"
	elif ! said=$(find_links 2>&1); then
		finding error "${said#incr-up: }"
	else
		check_lock
	fi
}

walk_there() {
	if [ "$there" = "$state" ]; then walk "$there"; else walk_to "$there"; fi
}

check_lock() {
	if [ ! -e "$state/lock" ] || flock -n "$state/lock" true; then
		finding ok "$state: free"
		return
	fi
	read -r running <"$state/lock" || :
	running=${running:-unknown}
	finding ok "$state: incr-up runs there, pid $running"
	[ -r "$state/env" ] || return 0
	# Of the servers that run.
	variables=$(grep -E '^export (REDIS_URL|DATABASE_URL)=' "$state/env") || return 0
	eval "$variables"
}

check_commands() {
	set -- caddy curl flock setsid timeout
	[ -z "$is_root" ] || set -- "$@" setpriv
	[ -z "$own_redis" ] || set -- "$@" redis-server redis-cli
	[ -z "$own_postgres" ] ||
		set -- "$@" "$pg_bin/postgres" "$pg_bin/initdb" psql
	lacks=
	for command; do
		command -v "$command" >/dev/null || lacks="$lacks $command"
	done
	if [ -n "$lacks" ]; then
		finding error "programs: not found:$lacks"
	else
		finding ok "programs: all are there"
	fi
	{ read -r made <"$state/postgres/data/PG_VERSION"; } 2>/dev/null || return 0
	case $("$pg_bin/postgres" --version 2>/dev/null) in
	*" $made"[!0-9]*) ;;
	*) finding error "postgres: $state/postgres/data is of version $made," \
		"$pg_bin of another one" ;;
	esac
}

# Those that are not there incr-up makes.
check_users() {
	users=
	[ -n "$is_root" ] || return 0
	lacks=
	for user in incr-edge incr-ingest incr-drain; do
		id -nG "$user" 2>/dev/null | grep -qw incr || lacks="$lacks $user"
	done
	if [ -z "$lacks" ]; then
		users=yes
		finding ok "users: incr-edge, incr-ingest, incr-drain"
		check_ways
		check_tokens_file
	elif command -v useradd >/dev/null; then
		finding ok "users: would be made:$lacks"
	else
		finding error "users: not there, and useradd is not:$lacks"
	fi
}

# The state folder would be one that all may enter.  Programs that the users can't
# run would be copied there.
check_ways() {
	name_kinds
	above=$there
	[ "$there" != "$state" ] || above=$(cd -P -- "$state/.." && pwd)
	for kind in $kinds; do
		as "$kind" test -x "$above" 2>/dev/null && continue
		finding error \
			"$state: the user $(user_of "$kind") can not enter it"
		return 0
	done
	is_reachable 2>/dev/null || finding ok "$here: the user" \
		"$(user_of "$kind") can not run the programs;" \
		"those in $state/programs would be run"
}

check_tokens_file() {
	[ -z "$tokens" ] || as ingest test -r "$tokens" || finding warning \
		"$tokens: the user incr-ingest can not read it yet"
	[ -z "${INCR_CLIENT_CA:-}" ] || as caddy test -r "$INCR_CLIENT_CA" ||
		finding error \
			"$INCR_CLIENT_CA: the user incr-edge can not read it"
}

# Caddy would make a folder in its home.
check_caddyfile() {
	name_site
	adapted=$(env HOME=/dev/null INCR_SITE="$site" INCR_BIND="$bind" \
		INCR_UPSTREAMS="unix//run/incr/1.sock" \
		caddy adapt --config "$caddyfile" --adapter caddyfile 2>&1) || {
		finding error "Caddyfile: $(printf '%s\n' "$adapted" | tail -n 1)"
		return
	}
	finding ok "Caddyfile: valid for $site"
	[ -n "$running" ] || check_addresses
}

# Of Caddy, and of the metrics and the page if their ports are told; with HTTPS
# there is a second port, which redirects.
check_addresses() {
	set --
	set -f
	for address in $(printf '%s\n' "$adapted" |
		grep -oE '"listen":\[("[^"]*",?)*\]' | grep -oE '"[^"/]*:[0-9]+"' |
		tr -d '"'); do
		set -- "$@" -l "$address"
		case $site in
		http:*) ;;
		*) set -- "$@" -l "${address%:*}:${INCR_HTTP_PORT:-80}" ;;
		esac
	done
	set +f
	for one in "$metrics_port" "$page_port"; do
		[ "$one" = 0 ] || set -- "$@" -l "127.0.0.1:$one"
	done
	[ $# -gt 0 ] || return 0
	# shellcheck disable=SC3045 # dash has it
	(
		ulimit -n "$(ulimit -Hn)" || :
		exec env -u INCR_TOKENS incr-serve --check --open "$@"
	) || outcomes="$outcomes $?"
}

check_disk() {
	free=$(df -Pk -- "$there" | awk 'NR == 2 { print int($4 / 1024) }')
	level=ok
	[ "$free" -ge "$disk_near" ] || level=warning
	[ "$free" -ge "$disk_least" ] || level=error
	finding "$level" "disk: $free MB free at $there"
}

# What the parts say of theirs, once.
check_services() {
	if [ -z "${REDIS_URL:-}${DATABASE_URL:-}" ]; then
		finding ok "redis, postgres: private ones would be started"
		return
	fi
	[ -z "${REDIS_URL:-}" ] || export REDIS_URL
	[ -z "${DATABASE_URL:-}" ] || export DATABASE_URL
	said=
	name_queues
	if [ -z "${REDIS_URL:-}" ]; then
		finding warning "postgres: not asked: what it is like shows" \
			"beside a Redis, which incr-up would start"
		return
	elif [ -z "${DATABASE_URL:-}" ]; then
		finding ok "postgres: a private one would be started"
	else
		hear_each drain incr-flush
	fi
	flushed=$said
	said=
	hear_each drain incr-consume
	said=$said$flushed
	hear ingest incr-publish # of each by itself
	printf '%s' "$said" | awk 'NF && !said[$0]++' 2>/dev/null ||
		leave_unwritten
}

# name_queues: into queues the queue and its shards, as told, else as noted.  That
# Redis does not answer, the parts tell.
name_queues() {
	queue=${INCR_QUEUE:-increments}
	queues=$queue
	[ -n "${REDIS_URL:-}" ] || return 0
	if [ -n "$shards" ]; then
		queues=$(name_shards "$shards")
	elif noted=$(as_part drain incr-consume --list-shards 2>/dev/null); then
		queues=$noted
	fi
}

# hear_each KIND PROGRAM: of each queue
hear_each() {
	for of in $queues; do
		hear "$1" "$2" "$of"
	done
}

# hear KIND PROGRAM [QUEUE]: its dry run, behind said
hear() {
	status=0
	one=$(
		[ -z "${3-}" ] || export INCR_QUEUE="$3"
		as_part "$1" "$2" --check
	) || status=$?
	outcomes="$outcomes $status"
	said="$said$one
"
}

# as_part KIND PROGRAM ARG...: as its user, if there is one yet, who may be one that
# can't enter the folder of the programs.
as_part() {
	kind=$1
	program=$2
	shift 2
	if [ -n "$is_root" ] && [ -n "$users" ]; then
		as "$kind" /proc/self/fd/8 "$@" 8<"$here/$program"
	else
		"$program" "$@"
	fi
}
