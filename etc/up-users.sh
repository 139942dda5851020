#!/bin/sh
# up-users.sh: as which user each part of incr-up runs, with which rights,
# variables and files.  For incr-up alone, which reads it; state, sockets, start
# and so on are its settings and functions.
#
# As root nothing but the supervisor is root: a part is a user of its own, has no
# capability, and no way to get one.  Caddy alone may bind to ports below 1024.
# As another user all parts are that user.
#
# shellcheck disable=SC2154 # set by incr-up

find_users() {
	[ -n "$is_root" ] || return 0
	name_kinds
	write_only
	make_users || return
	may_change_users || return
	chmod go+x "$state" || return 111 # not to be read
	for kind in $kinds; do
		as "$kind" test -x "$state" || {
			can_not "$kind" "$state" 'enter it'
			return 100
		}
	done
}

name_kinds() {
	kinds='ingest drain caddy metrics'
	[ -z "$own_redis" ] || kinds="$kinds redis"
	[ -z "$own_postgres" ] || kinds="$kinds postgres"
	redis_user=incr-drain
	! id redis >/dev/null 2>&1 || redis_user=redis
}

# What is open at a terminal can read what root types there; the parts get what
# can be written only.
write_only() {
	mine=/proc/$$/fd
	[ ! -t 1 ] || ! (: >>$mine/1) 2>/dev/null || exec >>$mine/1
	[ ! -t 2 ] || ! (: >>$mine/2) 2>/dev/null || exec 2>>$mine/2
}

# As etc/incr.sysusers, also where there is no systemd.
make_users() {
	made=
	for user in incr-edge incr-ingest incr-drain; do
		! id -nG "$user" 2>/dev/null | grep -qw incr || continue
		make_user "$user" || return
		made="$made $user"
	done
	[ -z "$made" ] || line users "made:$made"
}

# Or puts one that is there into the group.
make_user() {
	getent group incr >/dev/null || groupadd -r incr 2>/dev/null || :
	group=-U
	! getent group "$1" >/dev/null || group="-g $1"
	set -- "$1" useradd -r -M -d / -s /usr/sbin/nologin "$group" -G incr "$1"
	! id "$1" >/dev/null 2>&1 || set -- "$1" usermod -a -G incr "$1"
	user=$1
	shift
	# shellcheck disable=SC2068 # the words of group
	reason=$(LC_ALL=C $@ 2>&1) && return
	# Another incr-up may have been quicker.
	! id -nG "$user" 2>/dev/null | grep -qw incr || return 0
	say "$user: no such user, and not made ($(echo "$reason" | tail -n 1));" \
		"make it, in a group incr, or run incr-up as another user than root"
	return 100
}

# In a container root may lack what makes it root: bits 0 and 5 to 8.
may_change_users() {
	reason='root without the capabilities chown, kill, setgid, setuid, setpcap'
	if [ $((0x$(capabilities) & 0x1e1)) = $((0x1e1)) ]; then
		reason=$(LC_ALL=C as ingest true 2>&1) && return
	fi
	say "$reason; run incr-up as another user than root"
	return 100
}

capabilities() {
	sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status
}

user_of() {
	case $1 in
	caddy | metrics) echo incr-edge ;;
	ingest) echo incr-ingest ;;
	drain) echo incr-drain ;;
	redis) echo "$redis_user" ;;
	postgres) echo postgres ;;
	*) return 1 ;;
	esac
}

can_not() {
	kind=$1 object=$2
	shift 2
	say "$object: the user $(user_of "$kind") can not $*"
}

# -- rights and variables -----------------------------------------------------

# become KIND: the words before a command by which it is this part's.
become() {
	[ -n "$is_root" ] || return 0
	user=$(user_of "$1") && gid=$(id -g "$user") || return
	caps=-all
	groups=--init-groups
	case $1 in
	caddy)
		[ $((0x$(capabilities) & 0x400)) = 0 ] ||
			caps=$caps,+net_bind_service
		;;
	redis) groups=--groups=$(id -g incr-ingest) || return ;; # of its socket
	postgres) groups=--clear-groups ;;
	esac
	echo "setpriv --reuid=$user --regid=$gid $groups --inh-caps=$caps" \
		"--ambient-caps=$caps --bounding-set=$caps --no-new-privs"
}

# variables KIND: the words of env(1) by which it has those that it needs.
variables() {
	# shellcheck disable=SC2013 # a name is a word
	for name in $(awk 'BEGIN { for (name in ENVIRON) print name }'); do
		needs "$1" "$name" || printf -- '-u %s ' "$name"
	done
	[ -z "$is_root" ] ||
		echo "HOME=$(getent passwd "$(user_of "$1")" | cut -d: -f6)"
}

# A TMPDIR of root's may be nobody else's.
needs() {
	case $1:$2 in
	*[!A-Za-z0-9_:]*) ;; # no word of a shell
	*:INCR_TOKEN) return 1 ;;
	ingest:INCR_TOKENS) ;;
	*:INCR_TOKENS) return 1 ;;
	ingest:INCR_SHARDS) ;;
	*:INCR_SHARDS) return 1 ;;
	*:INCR_* | *:PATH | *:LANG | *:LANGUAGE | *:LC_* | *:TZ | *:HOME) ;;
	*:LD_* | *:MALLOC_* | *:GLIBC_TUNABLES | *SAN_OPTIONS) ;;
	*:SSL_CERT_* | *:OPENSSL_* | *:RES_OPTIONS | *:LOCALDOMAIN) ;;
	*:TMPDIR) [ -z "$is_root" ] ;;
	ingest:REDIS_URL | drain:REDIS_URL) ;;
	drain:DATABASE_URL | drain:PG* | drain:KRB5* | postgres:PG*) ;;
	ingest:RUNTIME_DIRECTORY | drain:RUNTIME_DIRECTORY) ;;
	caddy:GO* | caddy:*_proxy | caddy:*_PROXY) ;;
	*) return 1 ;;
	esac
}

# as KIND COMMAND...: once, in a folder that it can enter
as() (
	part=$1
	shift
	words=$(become "$part") && set_variables "$part" || exit
	# shellcheck disable=SC2086 # their words
	[ -z "$words" ] || $words test -x . || cd /
	# shellcheck disable=SC2046,SC2086
	exec env $(variables "$part") $words "$@" 9>&-
)

# What is another one for each part.
set_variables() {
	PATH=$programs:$PATH
	case $1 in
	ingest | drain) export RUNTIME_DIRECTORY="$sockets/once/$1" ;;
	esac
}

# -- files --------------------------------------------------------------------

# The folder of the sockets: who may connect to which.
#
#	ingest-N.sock   Caddy (group incr-edge, 0660)
#	queue/redis/    drains (owner of queue), ingests and Redis (its group)
#	postgres/       drains (group)
#	once/KIND/      marks of RUNTIME_DIRECTORY: KIND; of metrics the port
make_sockets() {
	sockets=$(mktemp -d "$(short_folder)/incr-XXXXXX") || return 111
	echo "$sockets" >"$run/sockets"
	(
		umask 077
		cd "$sockets" && mkdir -p queue/redis postgres once/ingest \
			once/drain once/metrics && chmod 711 . once
	) || return 111
	[ -z "$is_root" ] || give_sockets || return 111
}

# Redis refuses socket paths of 108 bytes.
short_folder() {
	if [ -n "$is_root" ]; then echo /run; else echo /tmp; fi
}

# What is in a folder of somebody else's is given first: later its owner could
# put a link in its place.
give_sockets() (
	cd "$sockets" &&
		chown incr-ingest once/ingest && chown incr-drain once/drain &&
		chown incr-edge once/metrics || exit
	[ -z "$own_redis" ] || {
		chown "$redis_user:" queue/redis && chmod 711 queue/redis
	} || exit
	chown incr-drain:incr-ingest queue && chmod 710 queue || exit
	[ -z "$own_postgres" ] || {
		chown postgres:incr-drain postgres && chmod 710 postgres
	} || exit
	chgrp incr-edge . && chmod 2711 .
)

# own KIND FOLDER: of an earlier run everything in it was root's, and nobody
# else could put anything there.  The folder itself comes last.
own() {
	mkdir -p "$2" && chmod 700 "$2" || return 111
	[ -n "$is_root" ] || return 0
	user=$(user_of "$1")
	was=$(stat -c %u "$2")
	if [ "$was" = "$(id -u "$user")" ]; then
		[ "$1" != postgres ] || return 0 # which was never root
		[ -n "$(find "$2" -xdev -user 0 -print -quit)" ] || return 0
		linked=$(find "$2" -xdev -user 0 -type f -links +1 -print -quit)
		[ -z "$linked" ] || {
			say "$linked: another name of a file of root's; remove it"
			return 100
		}
		say "$2: has files of root; run: chown -hR $user: $2"
		return 100
	fi
	chown -hR --from="$was" "$user:" "$2" || return 111
}

# The metrics are written by the ingests and the drains.
share_metrics() {
	[ -n "$is_root" ] || return 0
	chgrp incr "$state/metrics" && chmod 2775 "$state/metrics" || return 111
}

# What is below /root nobody else can run: then a copy is run.
reach_programs() {
	[ -n "$is_root" ] || return 0
	if is_reachable; then return; fi
	copy_programs || return 111
	is_reachable || {
		say "$here: the user $(user_of "$kind") can not run the programs," \
			"nor those in $state/programs"
		return 100
	}
}

is_reachable() {
	for kind in ingest drain caddy; do
		# shellcheck disable=SC2016 # that shell's
		as "$kind" sh -c 'for file; do
			[ -r "$file" ] || exit
			[ "$file" = "$1" ] || [ -x "$file" ] || exit
			done' - "$caddyfile" "$run_caddy" "${run_caddy%/*}/dashboard/page" \
			"$programs"/incr-* || return
	done
}

copy_programs() {
	programs=$state/programs/bin
	share=$state/programs/share/incr
	rm -rf "$state/programs"
	(umask 022 && mkdir -p "$programs" "$share/dashboard" &&
		cp -R "$parts/dashboard/page" "$share/dashboard" &&
		chmod -R go=rX "$share/dashboard") &&
		install -m 755 "$here"/incr-* "$programs" &&
		install -m 755 "$run_caddy" "$share" &&
		install -m 644 "$caddyfile" "$schema" "$share" || return
	run_caddy=$share/run-caddy
	caddyfile=$share/Caddyfile
}

# Files that the user has named.
check_files() {
	[ -n "$is_root" ] || return 0
	[ -z "$tokens" ] || as ingest test -r "$tokens" || give_tokens || return
	[ -z "${INCR_CLIENT_CA:-}" ] || as caddy test -r "$INCR_CLIENT_CA" || {
		can_not caddy "INCR_CLIENT_CA: $INCR_CLIENT_CA" 'read it'
		return 100
	}
}

# A file of root's, as incr-token makes it, where nobody else can put another
# one in its place, becomes readable by the ingests.
give_tokens() {
	file=$(readlink -f -- "$tokens")
	as ingest test -x "${file%/*}/" || {
		can_not ingest "$(named tokens): $tokens" "enter its folder;" \
			"move it to one that all may enter, as /etc/incr"
		return 100
	}
	if [ "$(stat -c '%u %h %F' "$file")" = '0 1 regular file' ] &&
		(walk "${file%/*}") 2>/dev/null &&
		chgrp incr-ingest "$file" && chmod g+r "$file" &&
		as ingest test -r "$tokens"; then
		line tokens "$tokens: the group incr-ingest may read it now"
		return
	fi
	can_not ingest "$(named tokens): $tokens" "read it; run:" \
		"chgrp incr-ingest $tokens; chmod g+r $tokens"
	return 100
}
