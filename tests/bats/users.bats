#!/usr/bin/env bats
# incr-up as root: each part is a user of its own, without rights that it does
# not need, variables that are others', or files that are others'.

bats_require_minimum_version 1.5.0
load helper
load up

setup_file() { make_up_cluster; }
teardown_file() { rm -rf "$cluster"; }

setup() {
	[ "$(id -u)" = 0 ] || skip 'needs root'
	up_setup
	use_given
}

teardown() { up_teardown; }

# of PID FIELD: a line of /proc/PID/status, its words with one space between
of() { awk -v f="$2:" '$1 == f { $1 = ""; print substr($0, 2) }' "/proc/$1/status"; }

# each COMMAND...: with the user and the pid of each process of each part
each_of_parts() {
	local name pid
	for name in "$INCR_STATE"/run/*.pid; do
		name=${name##*/}
		for pid in $(pgrep -s "$(part "${name%.pid}")"); do
			"$@" "${name%%[-.]*}" "$pid" || {
				echo "$name, pid $pid: not $*"
				cat "/proc/$pid/status"
				return 1
			}
		done
	done
}

user_of() { # KIND
	case $1 in
	caddy | metrics) echo incr-edge ;;
	ingest | drain) echo "incr-$1" ;;
	*) echo "$1" ;;
	esac
}

is_its_user() { # KIND PID
	local id
	id=$(id -u "$(user_of "$1")")
	[ "$(of "$2" Uid)" = "$id $id $id $id" ] &&
		[ "$(of "$2" Gid | tr ' ' '\n' | sort -u)" = \
			"$(id -g "$(user_of "$1")")" ]
}

has_no_rights() { # KIND PID
	local may=0 field
	[ "$1" != caddy ] || may=400 # to bind to ports below 1024
	for field in CapInh CapPrm CapEff CapBnd CapAmb; do
		[ "$(printf %x "0x$(of "$2" $field)")" = $may ] || return
	done
	[ "$(of "$2" NoNewPrivs)" = 1 ]
}

has_its_groups() { # KIND PID
	local groups
	groups=$(of "$2" Groups | xargs -rn 1 getent group | cut -d: -f1 | sort |
		paste -sd' ')
	case $1 in
	caddy | metrics | ingest | drain) [ "$groups" = "incr $(user_of "$1")" ] ;;
	redis) [ "$groups" = incr-ingest ] ;; # the folder of its socket
	postgres) [ -z "$groups" ] ;;
	esac
}

# variables PID: names of its environment
variables() { tr '\0' '\n' <"/proc/$1/environ" | cut -d= -f1 | sort; }

has_its_variables() { # KIND PID
	local not='SECRET_OF_ANOTHER|INCR_TOKEN'
	case $1 in
	ingest) not+='|DATABASE_URL|PGPASSWORD' ;;
	drain) not+='|INCR_TOKENS' ;;
	*) not+='|DATABASE_URL|REDIS_URL|INCR_TOKENS' ;;
	esac
	[ "$1" != caddy ] || not+='|PGPASSWORD|TMPDIR'
	# Those of Postgres rewrite what is seen of theirs.
	[[ $(cat "/proc/$2/comm") != postgres ]] || return 0
	not grep -qxE "$not" <(variables "$2") &&
		not grep -qx HOME=/root <(tr '\0' '\n' <"/proc/$2/environ")
}

# at USER COMMAND...: as this user, with its groups
at() { setpriv --reuid "$1" --regid "$(id -g "$1")" --init-groups "${@:2}"; }

@test "no part is root, has a capability, or a way to one" {
	unset REDIS_URL DATABASE_URL
	use_cluster "$INCR_STATE"
	up_start
	each_of_parts is_its_user
	each_of_parts has_no_rights
	each_of_parts has_its_groups
	# Who is root is a supervisor.
	local pid n=0
	for pid in $(descendants "$up"); do
		[ "$(of "$pid" Uid | cut -d' ' -f2)" != 0 ] || {
			tr '\0' ' ' <"/proc/$pid/cmdline" >cmdline
			grep -qE '^(/bin/sh [^ ]*/incr-(up|keep) |sleep )' cmdline
			n=$((n + 1))
		}
	done
	echo "# processes of root below incr-up: $n keepers," \
		"0 of $(descendants "$up" | wc -l) are parts" >&3
	take 3
	# shellcheck source=/dev/null
	. "$INCR_STATE/env"
	wait_for 10 sum_is 3

	# Who needs a socket reaches it, nobody else.
	sockets=$(cat "$INCR_STATE/run/sockets")
	redis=$sockets/queue/redis/redis.sock
	ingest=$sockets/ingest-1.sock
	for user in incr-ingest incr-drain root; do
		[ "$(at "$user" redis-cli -s "$redis" ping)" = PONG ]
	done
	for user in incr-drain root; do
		at "$user" psql -XAtq -d "$DATABASE_URL" -c 'select 1'
	done
	# A superuser runs programs as the user postgres.
	[ "$(psql -XAtq -d "$DATABASE_URL" -c \
		'select rolsuper from pg_roles where rolname = current_user')" = f ]
	for name in postgres root; do
		not at incr-drain psql -XAtq -h "$sockets/postgres" -U "$name" \
			-d incr -c 'select 1'
	done
	not at incr-drain psql -XAtq -d "$DATABASE_URL" -c \
		"copy increments from program 'id'"
	at incr-edge curl -fs --unix-socket "$ingest" http://h/health/ready
	for user in incr-edge nobody; do
		not at "$user" redis-cli -s "$redis" ping
	done
	for user in incr-edge incr-ingest nobody; do
		not at "$user" psql -XAtq -d "$DATABASE_URL" -c 'select 1'
	done
	for user in incr-ingest incr-drain nobody; do
		not at "$user" curl -fs --unix-socket "$ingest" http://h/health/ready
	done

	# Files.
	[ "$(stat -c '%U:%G %a' "$INCR_STATE/metrics")" = 'root:incr 2775' ]
	[ "$(stat -c %a "$INCR_STATE"/metrics/*.prom | sort -u)" = 644 ]
	[ "$(stat -c '%U %a' "$INCR_STATE"/log/*.log | sort -u)" = 'root 640' ]
	[ "$(stat -c '%U %a' "$INCR_STATE/env")" = 'root 600' ]
	for kind in caddy redis postgres; do
		[ "$(stat -c '%U %a' "$INCR_STATE/$kind")" = "$(user_of "$kind") 700" ]
	done
	up_stop
	quiet err
}

@test "tables that an earlier run made as the superuser go on as the drains'" {
	local table
	unset REDIS_URL DATABASE_URL
	use_cluster "$INCR_STATE"
	up_start --ingests 1 --drains 1
	take 3
	# shellcheck source=/dev/null
	. "$INCR_STATE/env"
	wait_for 10 sum_is 3
	{
		for table in increments incr_ledger incr_database; do
			echo "alter table $table owner to postgres;"
		done
		echo 'alter database incr owner to postgres;'
		echo 'reassign owned by incr to postgres; drop role incr;'
	} | psql -Xq -v ON_ERROR_STOP=1 -h "$(cat "$INCR_STATE/run/sockets")/postgres" \
		-U postgres -d incr
	up_stop
	unset REDIS_URL DATABASE_URL
	up_start --ingests 1 --drains 1
	take 4
	# shellcheck source=/dev/null
	. "$INCR_STATE/env"
	wait_for 10 sum_is 7
	incr-db create
	up_stop
	quiet err
}

@test "what is still to be given stands in no folder that is given already" {
	mkdir shim victim
	# Root's command, and an incr-drain that is quicker than the next one.
	cat >shim/chown <<-'END'
	#!/bin/sh
	/usr/bin/chown "$@" || exit
	case "$*" in
	*' queue')
		setpriv --reuid incr-drain --regid incr-drain --clear-groups \
			sh -c 'mv queue/redis queue/old &&
				ln -s "$1" queue/redis' - "$VICTIM"
		;;
	esac
	END
	chmod +x shim/chown
	# shellcheck disable=SC2016 # that shell's
	VICTIM=$PWD/victim PATH=$PWD/shim:$PATH run -0 sh -euc '
		. "$1/etc/up-users.sh"
		line() { :; }
		short_folder() { pwd; }
		run=. is_root=yes own_redis=yes own_postgres= redis_user=incr-drain
		make_users
		make_sockets
		readlink "$sockets/queue/redis"' - "$ROOT"
	[ "$output" = "$PWD/victim" ] # it was quick
	[ "$(stat -c '%U %a' victim)" = 'root 755' ]
}

@test "a certificate of Caddy's that never ends holds nobody up" {
	mkdir -p caddy/pki/authorities/local
	mkfifo caddy/pki/authorities/local/root.crt
	chmod -R go+rX caddy
	background perl -MIO::Socket::INET -e '
		my $l = IO::Socket::INET->new(Listen => 9, ReuseAddr => 1,
			LocalPort => $ARGV[0], LocalAddr => "127.0.0.1");
		open my $f, ">", "listens"; while (my $c = $l->accept) { }' \
		"$INCR_PORT"
	wait_for 5 test -e listens
	# shellcheck disable=SC2016 # that shell's
	run -1 timeout 20 sh -euc '
		. "$1/etc/up-users.sh"
		. "$1/etc/up-parts.sh"
		line() { :; }
		is_root=yes programs=/ state=$PWD INCR_SITE=localhost
		INCR_URL=https://localhost:$INCR_PORT/increment
		make_users
		own_authority' - "$ROOT"
}

@test "no part can read what is typed at the terminal of root" {
	background setsid script -qec 'incr-up --ingests 1 --drains 1' /dev/null \
		</dev/null >out 2>err
	up=$!
	wait_for 30 is_up
	local n=0
	only_writes() { # KIND PID
		local fd
		for fd in "/proc/$2"/fd/*; do
			[[ $(readlink "$fd") == /dev/pts/* ]] || continue
			n=$((n + 1))
			grep -qE '^flags:.*1$' "/proc/$2/fdinfo/${fd##*/}" || return
		done
	}
	each_of_parts only_writes
	[ "$n" -ge 5 ] # of them are open there
	kill "$(cat "$INCR_STATE/lock")"
	wait "$up"
	up=
}

@test "a part has the variables that it needs, and no one else's secrets" {
	token=$(incr-token --tokens tokens new shop)
	export INCR_TOKEN=$token SECRET_OF_ANOTHER=x PGPASSWORD=x TMPDIR=$PWD
	up_start --ingests 1 --drains 1 --tokens tokens
	each_of_parts is_its_user
	each_of_parts has_its_variables
	variables "$(part drain-1)" | grep -qx DATABASE_URL
	variables "$(part drain-1)" | grep -qx PGPASSWORD
	variables "$(part ingest-1)" | grep -qx INCR_TOKENS
	echo "# variables of Caddy: $(variables "$(part caddy)" | wc -l)," \
		"of this test: $(env | wc -l)" >&3
	up_stop
	quiet err
}

@test "a tokens file of root's is handed to the ingests, and read on SIGHUP" {
	token=$(incr-token --tokens tokens new shop)
	chown root:root tokens # as before there was the group
	chmod 600 tokens
	up_start --ingests 1 --drains 1 --tokens tokens
	[ "$(stat -c '%U:%G %a' tokens)" = 'root:incr-ingest 640' ]
	grep -q '^tokens  *tokens: the group incr-ingest may read it now' out
	code() { http_status -H "Authorization: Bearer $token" \
		-d "$(increment 3)" "$url"; }
	is() { [ "$(code)" = "$1" ]; }
	wait_for 5 is 202
	incr-token --tokens tokens revoke shop
	[ "$(stat -c '%U:%G %a' tokens)" = 'root:incr-ingest 640' ]
	kill -HUP "$(part ingest-1)"
	wait_for 5 is 401
	up_stop
	# What it may not, or can not, hand on it says.
	mkdir -m 700 closed
	cp tokens closed/tokens
	chmod 600 closed/tokens
	run -100 incr-up --tokens closed/tokens
	[ "$output" = "incr-up: --tokens: closed/tokens: the user incr-ingest can not enter its folder; move it to one that all may enter, as /etc/incr" ]
	[ "$(stat -c '%G %a' closed/tokens)" = 'root 600' ]
	mkdir -m 777 open
	cp tokens open/tokens
	chmod 600 open/tokens
	run -100 incr-up --tokens open/tokens
	[[ "$output" == *'open/tokens: the user incr-ingest can not read it; run: chgrp incr-ingest open/tokens; chmod g+r open/tokens' ]]
	[ "$(stat -c %a open/tokens)" = 600 ]
}

@test "files of its user that a part can't read are named before it starts" {
	touch authority
	chmod 600 authority
	INCR_SITE=https://localhost INCR_CLIENT_CA=authority \
		run -100 incr-up --open
	[ "$output" = 'incr-up: INCR_CLIENT_CA: authority: the user incr-edge can not read it' ]
	chmod 700 "${INCR_STATE}"
	mkdir "$INCR_STATE/state"
	run -100 incr-up --state "$INCR_STATE/state"
	[ "$output" = "incr-up: $INCR_STATE/state: the user incr-ingest can not enter it" ]
}

@test "a folder of an earlier run as root goes on, and no link in it is followed" {
	unset REDIS_URL
	up_start --ingests 1 --drains 1
	# shellcheck source=/dev/null
	(. "$INCR_STATE/env" && redis-cli -s "${REDIS_URL#unix://}" set kept 1)
	up_stop
	touch victim "$INCR_STATE/caddy/certificate"
	ln -s "$PWD/victim" "$INCR_STATE/redis/link"
	ln -s "$PWD" "$INCR_STATE/caddy/link"
	chown -hR root:root "$INCR_STATE/redis" "$INCR_STATE/caddy" \
		"$INCR_STATE/metrics"
	chmod 755 "$INCR_STATE/metrics"
	unset REDIS_URL
	: >out
	up_start --ingests 1 --drains 1
	for file in redis redis/link redis/appendonlydir; do
		[ "$(stat -c %U "$INCR_STATE/$file")" = redis ]
	done
	for file in caddy caddy/link caddy/certificate; do
		[ "$(stat -c %U "$INCR_STATE/$file")" = incr-edge ]
	done
	[ "$(stat -c %U . victim | sort -u)" = root ]
	# shellcheck source=/dev/null
	[ "$(. "$INCR_STATE/env" &&
		redis-cli -s "${REDIS_URL#unix://}" get kept)" = 1 ]
	up_stop
	quiet err
	# Redis can put another's file there by now: it is not given away.
	chown -h root "$INCR_STATE/redis/link"
	run -100 incr-up
	[ "${lines[-1]}" = "incr-up: $INCR_STATE/redis: has files of root; run: chown -hR redis: $INCR_STATE/redis" ]
	[ "$(stat -c %U "$INCR_STATE/redis/link")" = root ]
	# A name of a file elsewhere is none to be given away, by nobody.
	touch "$INCR_STATE/elsewhere"
	ln "$INCR_STATE/elsewhere" "$INCR_STATE/redis/name"
	run -100 incr-up
	[ "${lines[-1]}" = "incr-up: $INCR_STATE/redis/name: another name of a file of root's; remove it" ]
}

@test "users that are not there are made, and that is said" {
	unshare -m true 2>/dev/null || skip 'no mounts here'
	cp -a /etc etc
	for user in incr-edge incr-ingest incr-drain; do
		sed -i "/^$user:/d" etc/passwd etc/shadow etc/group etc/gshadow
	done
	sed -i '/^incr:/d' etc/group etc/gshadow
	# shellcheck disable=SC2016 # that shell's
	background unshare -m --propagation private sh -euc '
		mount --bind etc /etc && exec incr-up --ingests 1 --drains 1' \
		>out 2>err
	up=$!
	wait_for 30 is_up
	[ "$(grep -c ^users out)" = 1 ]
	grep -qx 'users      made: incr-edge incr-ingest incr-drain' out
	for user in incr-edge incr-ingest incr-drain; do
		grep -qE "^$user:[^:]*:[0-9]{3}:[0-9]*:[^:]*:/:/usr/sbin/nologin$" etc/passwd
		grep -qE "^incr:.*[:,]$user(,|$)" etc/group
	done
	[ "$(of "$(part caddy)" Uid | cut -d' ' -f1)" = \
		"$(sed -n 's/^incr-edge:[^:]*:\([0-9]*\):.*/\1/p' etc/passwd)" ]
	up_stop
	quiet err
}

@test "users that can't be made: one line says so, and what to do" {
	mkdir no
	cat >no/id <<-'END'
	#!/bin/sh
	case "$*" in *incr-*) exit 1 ;; esac
	exec /usr/bin/id "$@"
	END
	printf '#!/bin/sh\necho "useradd: cannot lock /etc/passwd" >&2; exit 1\n' \
		>no/useradd
	chmod +x no/id no/useradd
	PATH=$PWD/no:$PATH run -100 incr-up
	[ "$output" = 'incr-up: incr-edge: no such user, and not made (useradd: cannot lock /etc/passwd); make it, in a group incr, or run incr-up as another user than root' ]
	[ -z "$(ls "$INCR_STATE/run")" ]
}

@test "root without the right to change users says so, and starts nothing" {
	for right in setuid kill; do
		run -100 setpriv --bounding-set=-$right incr-up
		[ "$output" = 'incr-up: root without the capabilities chown, kill, setgid, setuid, setpcap; run incr-up as another user than root' ]
	done
	# Without that one Caddy does with the port that is no less than 1024.
	background setpriv --bounding-set=-net_bind_service "$(command -v incr-up)" \
		--ingests 1 --drains 1 >out 2>err
	up=$!
	wait_for 30 is_up
	[ "$(of "$(part caddy)" CapEff)" = 0000000000000000 ]
	up_stop
}

@test "another user than root runs all parts as itself" {
	at nobody test -x "$BIN/incr-up" || skip 'nobody can run the programs'
	unset REDIS_URL
	rmdir "$INCR_STATE"
	chmod 1777 .
	INCR_STATE=$PWD/state
	background setpriv --reuid nobody --regid nogroup --clear-groups \
		"$(command -v incr-up)" --ingests 1 --drains 1 >out 2>err
	up=$!
	wait_for 30 is_up
	is_nobody() { [ "$(of "$2" Uid | cut -d' ' -f2)" = "$(id -u nobody)" ]; }
	each_of_parts is_nobody
	take 3
	[ "$(stat -c %a state/metrics state/env "$(cat state/run/sockets)/queue" |
		paste -sd' ')" = '755 600 700' ]
	[ "$(stat -c '%U %a' state/log/*.log | sort -u)" = 'nobody 640' ]
	up_stop
	quiet err
}
