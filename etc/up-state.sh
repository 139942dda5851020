#!/bin/sh
# up-state.sh: the state folder of incr-up, for incr-up alone, which reads it.
#
# What incr-up writes there, as root perhaps, goes where it says: nobody but its
# user and root can change a folder on the way, and no link in it is followed.
#
# shellcheck disable=SC2154,SC2034 # set and used by incr-up

links_max=40 # on the way, as in the kernel

name_state() {
	[ -z "$state" ] || return 0
	state=$PWD/var
	[ "$me" != 0 ] || state=/var/lib/incr
}

find_state() {
	[ -z "$dry" ] || {
		look_state
		return
	}
	name_state
	walk "$state"
	(cd "$folder") 2>/dev/null || die "$state: Permission denied"
	state=$folder
	run=$state/run
	find_links
	make_folders
	find_strangers
}

find_links() {
	for name in run log metrics redis postgres caddy programs env env.new \
		lock rest rest.new; do
		[ ! -L "$state/$name" ] || die "$state/$name: a symbolic link"
	done
}

make_folders() {
	reason=$(umask go-w && LC_ALL=C mkdir -p "$run" "$state/log" \
		"$state/metrics" 2>&1) || die "$state: ${reason##*: }"
	for name in run log; do
		is_safe "$state/$name" last || die "$reason"
	done
	# Others may write there, but not put another one in its place.
	is_ours "$state/metrics" || die "$reason"
	chmod 700 "$run" || die "$run: not closed to others"
}

# What incr-up and its keepers write to was made by them, and has one name.
find_strangers() {
	set -- "$run" "$state/log"
	for name in env env.new lock rest rest.new; do
		[ ! -e "$state/$name" ] || set -- "$@" "$state/$name"
	done
	found=$(find "$@" \( ! -type f ! -type d -o ! -user "$me" -o \
		-type f -links +1 \) -print -quit)
	[ -z "$found" ] || die "$found: not a file of incr-up's own"
	# Those of release 0.1.0 everybody could read.
	find "$state/log" -type f -perm /o=rwx -exec chmod o-rwx {} +
}

# walk PATH: to a folder, which is made if need be: its physical path into
# folder.  Each step is judged before it is taken, and can't be changed by
# others afterwards.
walk() {
	walk_to "$1"
	is_safe "$folder" last || die "$reason"
}

# The same, where folder may be one in which others make theirs.
walk_to() {
	rest=$1/
	at=
	links=0
	[ "${rest#/}" != "$rest" ] || rest=$(pwd -P)/$rest
	while [ -n "$rest" ]; do
		name=${rest%%/*}
		rest=${rest#*/}
		case $name in
		'' | .) continue ;;
		..) at=${at%/*} && continue ;;
		esac
		step "$1" "$at/$name"
	done
	folder=${at:-/}
}

step() {
	# Postgres, another user, must get there whatever the umask is.
	[ -e "$2" ] || [ -L "$2" ] ||
		reason=$(umask go-w,go+x && LC_ALL=C mkdir -- "$2" 2>&1) ||
		[ -e "$2" ] || die "$1: ${reason##*: }"
	is_safe "$2" || die "$reason"
	if [ -L "$2" ]; then
		links=$((links + 1))
		[ "$links" -le "$links_max" ] || die "$1: too many symbolic links"
		rest=$(readlink "$2")/$rest
		[ "${rest#/}" = "$rest" ] || at=
	else
		at=$2
	fi
}

# is_safe PATH [last]: is it ours or root's, and nobody else's to change?  In a
# sticky folder others can't change what is ours; the last one has to be ours
# alone.  If not, reason says it.
is_safe() {
	is_ours "$1" || return
	# shellcheck disable=SC2046 # its words
	set -- "$1" "${2-}" $(stat -c '%f %g' -- "$1")
	mode=$((0x$3))
	[ $((mode & 0170000)) = $((040000)) ] || return 0 # not a folder
	[ $((mode & 022)) != 0 ] || return 0
	[ -n "$2" ] || [ $((mode & 01000)) = 0 ] || return 0
	[ $((mode & 02)) != 0 ] || ! is_alone "$4" || return 0
	reason="$1: others may write it; run: chmod go-w $1"
	return 1
}

is_ours() {
	case $(stat -c %u -- "$1") in
	0 | "$me") return ;;
	esac
	reason="$1: belongs to $(stat -c %U -- "$1"), not to $(id -un)"
	return 1
}

# Nobody but us is in this group: where each user has one, it may write.
is_alone() {
	[ "$1" = "$(id -g)" ] &&
		getent group "$1" | grep -qE "^[^:]*:[^:]*:[0-9]*:($(id -un))?$" &&
		[ "$(getent passwd | cut -d: -f4 | grep -cx "$1")" -le 1 ]
}

# A URL that an earlier run wrote for its own server, and that came back
# through `. STATE/env`, is not a server given by the user.
private_urls() {
	if was_ours REDIS_URL "${REDIS_URL:-}"; then REDIS_URL=; fi
	if was_ours DATABASE_URL "${DATABASE_URL:-}"; then DATABASE_URL=; fi
	own_redis=$([ -n "${REDIS_URL:-}" ] || echo yes)
	own_postgres=$([ -n "${DATABASE_URL:-}" ] || echo yes)
}

was_ours() {
	[ -n "$2" ] && [ -e "$state/env" ] &&
		grep -qxF "export $1=$(quote "$2") # its own" "$state/env"
}

# Descriptor 9 is the lock.  It is closed in everything that may outlive us.  Who
# may read a file can lock it, too.
lock_state() {
	(umask 077 && : >>"$state/lock" && chmod 600 "$state/lock") 2>/dev/null ||
		die "$state/lock: not writable"
	exec 9>>"$state/lock"
	flock -w 1 9 || {
		read -r holder <"$state/lock" || :
		die "$state: held by incr-up, pid ${holder:-unknown}"
	}
	echo $$ >"$state/lock"
}

# Of an incr-up that was killed: its keepers and parts, in order.
end_leftovers() {
	for kind in caddy ingest drain metrics redis postgres; do
		end_kind "$kind"
	done
	remove_sockets
	rm -f "$run"/*
}

# What the pid files of these parts name.
end_kind() {
	for file in "$run/$1"*.keeper; do
		[ -e "$file" ] || continue
		file=${file%.keeper}
		incr-keep -e -p "$file.pid" -s "$(stop_signal "$1")" \
			"${file##*/}" 9>&-
	done
}

# SIGTERM would let Postgres wait for its clients.
stop_signal() {
	case $1 in
	postgres*) echo INT ;;
	*) echo TERM ;;
	esac
}

# After a restart of the machine the name may be somebody else's.
remove_sockets() {
	[ -e "$run/sockets" ] || return 0
	read -r old <"$run/sockets" || :
	case $old in
	/run/incr-?????? | /tmp/incr-??????) ;;
	*) return 0 ;;
	esac
	[ "$(stat -c %u -- "$old" 2>/dev/null)" != "$me" ] || rm -rf "$old"
}

# -- what others read there ----------------------------------------------------

# The mark at a URL's end: was_ours.
write_env() {
	(
		umask 077
		{
			env_line REDIS_URL "$REDIS_URL" "$own_redis"
			env_line DATABASE_URL "$DATABASE_URL" "$own_postgres"
			env_line INCR_METRICS_DIR "$INCR_METRICS_DIR" ''
			env_line INCR_METRICS_URL "$INCR_METRICS_URL" ''
			env_line INCR_PAGE_URL "$INCR_PAGE_URL" ''
			env_line INCR_URL "$INCR_URL" ''
			[ -z "${INCR_QUEUE:-}" ] ||
				env_line INCR_QUEUE "$INCR_QUEUE" ''
			[ -n "${INCR_SITE:-}" ] || no_proxy_line
			# So that incr-db and its like are found.
			echo "case :\$PATH: in *:$(quote "$here"):*) ;;" \
				"*) PATH=$(quote "$here"):\$PATH ;; esac"
		} >"$state/env.new"
	) 2>/dev/null && mv "$state/env.new" "$state/env" && return
	say "$state/env: not written"
	return 111
}

# No proxy is asked for localhost.
no_proxy_line() {
	# shellcheck disable=SC2016 # of the shell that reads it
	echo 'case ,${no_proxy-${NO_PROXY-}}, in *,localhost,*) ;;' \
		'*) export no_proxy="localhost,${no_proxy-${NO_PROXY-}}" ;; esac'
}

env_line() {
	echo "export $1=$(quote "$2")${3:+ # its own}"
}

quote() {
	printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"
}
