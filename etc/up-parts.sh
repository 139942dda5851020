#!/bin/sh
# up-parts.sh: how incr-up starts each of its parts, and when one is ready.  For
# incr-up alone, which reads it; state, sockets, own_redis and so on are its
# settings, start() and ready() its ways to start a part and wait for it.
#
# shellcheck disable=SC2154 # set by incr-up

# Half of the machine's, or of what its container may have: Redis needs
# twice its data while it rewrites its file.
half_memory() {
	while read -r name kib _; do
		[ "$name" != MemTotal: ] || break
	done </proc/meminfo
	for file in /sys/fs/cgroup/memory.max \
		/sys/fs/cgroup/memory/memory.limit_in_bytes; do
		{ read -r limit <"$file"; } 2>/dev/null || continue
		case $limit in
		*[!0-9]* | ??????????????????*) continue ;; # no limit
		esac
		[ $((limit / 1024)) -ge "$kib" ] || kib=$((limit / 1024))
	done
	echo "$((kib / 2))kb"
}

up_redis() {
	own redis "$state/redis" || return
	socket=$sockets/queue/redis/redis.sock
	REDIS_URL=unix://$socket
	start redis redis-server --port 0 --unixsocket "$socket" \
		--unixsocketperm 666 --dir "$state/redis" --save '' \
		--appendonly yes --appendfsync always \
		--maxmemory "${maxmemory:-$(half_memory)}" \
		--maxmemory-policy noeviction --daemonize no || return
	ready redis redis_answers || return
	line redis "$REDIS_URL"
}

redis_answers() {
	[ "$(redis-cli -s "$socket" ping)" = PONG ]
}

up_postgres() {
	own postgres "$state/postgres" || return
	make_cluster || return
	set -- -D "$state/postgres/data" -c listen_addresses= \
		-c "unix_socket_directories=$sockets/postgres"
	[ -z "$is_root" ] || {
		write_roles || return
		set -- "$@" -c "hba_file=$sockets/pg_hba" \
			-c "ident_file=$sockets/pg_ident"
	}
	start postgres "$pg_bin/postgres" "$@" || return
	ready postgres "$pg_bin/pg_isready" -h "$sockets/postgres" || return
	make_database || return
	line postgres "$DATABASE_URL"
}

# Half a cluster is never taken for one: it gets its name at the end.
make_cluster() {
	[ ! -e "$state/postgres/data" ] || return 0
	as postgres rm -rf "$state/postgres/new"
	(umask 027 && : >"$state/log/initdb.log") || return 111
	as postgres "$pg_bin/initdb" -D "$state/postgres/new" -U postgres \
		-A trust -E UTF8 --locale=C >"$state/log/initdb.log" 2>&1 || {
		say "initdb: failed, see $state/log/initdb.log"
		return 111
	}
	as postgres mv "$state/postgres/new" "$state/postgres/data"
}

# A superuser of the cluster runs programs as the user postgres, who may be that
# of other clusters, too.  So the drains have a role of their own.
write_roles() {
	(
		umask 022
		printf 'local all postgres peer map=up\nlocal incr incr peer map=up\n' \
			>"$sockets/pg_hba"
		printf 'up %s %s\n' root postgres root incr incr-drain incr \
			>"$sockets/pg_ident"
	) && return
	say "$sockets/pg_hba: not written"
	return 111
}

make_database() {
	role=postgres
	[ -z "$is_root" ] || role=incr
	DATABASE_URL="postgresql:///incr?host=$sockets/postgres&user=$role"
	set -- psql -XAtq -h "$sockets/postgres" -U postgres -v ON_ERROR_STOP=1 -d
	[ "$("$@" postgres -c \
		"select 1 from pg_database where datname = 'incr'")" = 1 ] ||
		"$@" postgres -c 'create database incr' || return 111
	[ -z "$is_root" ] || "$@" incr <<-'EOF' || return 111
		set search_path = pg_catalog; -- nothing of the owner's is called
		do $$ declare
		    name text;
		begin
		    if not exists (select from pg_roles where rolname = 'incr') then
		        create role incr login;
		    end if;
		    alter database incr owner to incr;
		    -- Of an earlier run as root all was the superuser's.
		    for name in select relname from pg_class
		        where relname in ('increments', 'incr_ledger', 'incr_database')
		            and relkind = 'r'
		            and relnamespace = to_regnamespace('public')
		            and relowner <> 'incr'::regrole loop
		        execute format('alter table public.%I owner to incr', name);
		    end loop;
		end $$;
	EOF
}

# The metrics of all parts, also while these stand still.  Whoever serves them
# reads nothing else.
up_metrics() {
	file=$sockets/once/metrics/port
	start metrics incr-metrics --port-file "$file" "$INCR_METRICS_DIR" ||
		return
	ready metrics test -s "$file" || return
	number=$(head -c 6 "$file")
	case $number in
	'' | *[!0-9]*)
		say "metrics: $file: no port"
		return 111
		;;
	esac
	INCR_METRICS_URL=http://127.0.0.1:$number/metrics
	line metrics "$INCR_METRICS_URL"
}

up_ingests() {
	n=0
	upstreams=
	while [ "$n" -lt "$ingests" ]; do
		n=$((n + 1))
		start "ingest-$n" env -u INCR_LISTEN incr-ingest || return
		upstreams="$upstreams${upstreams:+ }unix/$sockets/ingest-$n.sock"
	done
	n=0
	while [ "$n" -lt "$ingests" ]; do
		n=$((n + 1))
		ready "ingest-$n" curl -fs --noproxy '*' --max-time 1 --unix-socket \
			"$sockets/ingest-$n.sock" http://localhost/health/ready ||
			return
		line "ingest-$n" "$sockets/ingest-$n.sock" || return
	done
}

find_site() {
	name_site
	[ -z "${INCR_SITE:-}" ] || return 0
	if caddy_listens; then
		say "port $port: in use by another program"
		return 100
	fi
}

# Without a site name: plain HTTP, loopback only.
name_site() {
	if [ -n "${INCR_SITE:-}" ]; then
		site=$INCR_SITE
		bind=${INCR_BIND-}
		site_host=${site#*://}
		INCR_URL=https://${site_host%%[ ,]*}/increment
		return 0
	fi
	site=http://:$port
	bind=127.0.0.1
	! grep -q '^0\{31\}1 ' /proc/net/if_inet6 2>/dev/null ||
		bind="$bind ::1"
	INCR_URL=http://localhost:$port/increment
}

# The status page has a port of loopback that is free, or that was told.
find_page() {
	# shellcheck disable=SC2016 # of the command that has the socket as 3
	page_port=$(incr-listen "127.0.0.1:$page_port" -- sh -c '
		exec awk -v "name=$(readlink "/proc/$$/fd/3")" \
			"\"socket:[\" \$10 \"]\" == name { print \$2 }" \
			/proc/net/tcp') || {
		[ $? = 100 ] && return 100
		return 111 # killed: the next start finds one
	}
	page_port=$((0x${page_port#*:}))
	INCR_PAGE_URL=http://127.0.0.1:$page_port/
}

up_caddy() {
	own caddy "$state/caddy" || return
	find_page || return
	page_from=${INCR_METRICS_URL#http://}
	start caddy env GOGC=400 INCR_SITE="$site" INCR_BIND="$bind" \
		INCR_PAGE_PORT="$page_port" INCR_PAGE_BIND=127.0.0.1 \
		INCR_PAGE_FROM="${page_from%/metrics}" \
		INCR_UPSTREAMS="$upstreams" \
		XDG_DATA_HOME="$state" XDG_CONFIG_HOME="$state" \
		"$run_caddy" "$caddyfile" || return
	if [ -n "${INCR_SITE:-}" ]; then
		ready caddy caddy_listens || return
	else
		ready caddy curl -fs --noproxy '*' --max-time 1 \
			"http://127.0.0.1:$port/health/ready" || return
	fi
	ready caddy curl -fs --noproxy '*' --max-time 1 "$INCR_PAGE_URL" || return
	line caddy "${INCR_URL%/increment}" && line page "$INCR_PAGE_URL"
}

# 7 is a refused connect; every other failure has found somebody.
caddy_listens() {
	listens=0
	curl -ks --noproxy '*' -o /dev/null --max-time 1 \
		--connect-to ::127.0.0.1: "$INCR_URL" 9>&- || listens=$?
	[ "$listens" != 7 ]
}

# How to send an increment, as it can be typed: with the authority that signed
# the certificate if that is Caddy's own, and with a token, which no argument
# may show.
# shellcheck disable=SC2016 # variables of the shell that reads it
tell_curl() {
	options='curl -i'
	if [ -n "$tokens" ]; then
		echo 'printf "Authorization: Bearer %s"' \
			'"${INCR_TOKEN:?a token, see incr-token(1)}" |'
		options='    curl -i -H @-'
	fi
	! own_authority || options="$options --cacert $(quote "$authority")"
	[ -z "${INCR_CLIENT_CA:-}" ] ||
		options="$options"' --cert "${CLIENT_CERT:?a file with certificate and key}"'
	set -- '{"key":"6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11","value":3}'
	echo "$options -d '$1' $INCR_URL"
}

# An authority of Caddy's that is not that of this site is left from another
# one.  A certificate comes a moment after the port is open (35).  The file is
# Caddy's: it is read as Caddy, and may be one that never ends.
own_authority() {
	authority=$state/caddy/pki/authorities/local/root.crt
	[ -n "${INCR_SITE:-}" ] && [ -r "$authority" ] || return
	turn=0
	while [ "$turn" -lt 40 ]; do
		turn=$((turn + 1))
		status=0
		as caddy timeout 3 curl -s --noproxy '*' -o /dev/null --max-time 1 \
			--cacert "$authority" --connect-to ::127.0.0.1: "$INCR_URL" ||
			status=$?
		case $status in
		0 | 56) return ;; # 56: it wants a certificate of the client
		60 | 124) return 1 ;;
		esac
		sleep 0.05
	done
	return 1
}
