#!/usr/bin/env bats
# The units for systemd, as they are installed: systemd's own checks, and
# what they start. tests/long/systemd boots a systemd that runs them.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	BIN=$BIN PREFIX=$PWD/p "$ROOT/etc/install" incr-serve incr-validate \
		incr-publish incr-consume incr-flush incr-ingest incr-drain \
		incr-token incr-listen incr-metrics
	UNITS=$PWD/p/lib/systemd/system
	sockets=$(mktemp -d /tmp/incr-units.XXXXXX)
	# Those of a programs' build are not those of the test.
	PATH=/usr/sbin:/usr/bin:/sbin:/bin
	unset INCR_SITE INCR_TOKENS INCR_OPEN INCR_BIND INCR_RATE INCR_TRUST
}

teardown() {
	end_background
	rm -rf "$sockets"
}

# setting UNIT NAME: its values
setting() { sed -n "s/^$2=//p" "$UNITS/$1"; }

@test "systemd finds no fault in them, nor in the user's file" {
	export SYSTEMD_UNIT_PATH=$UNITS:
	run -0 systemd-analyze verify --man=no "$UNITS"/*
	[ -z "$output" ]
	systemd-sysusers --dry-run "$PWD/p/lib/sysusers.d/incr.conf"
	# Every page they name is there.
	for page in $(cat "$UNITS"/* | sed -n 's/^Documentation=//p'); do
		page=${page#man:}
		page=${page%)}
		[ -s "p/share/man/man${page#*(}/${page%(*}.${page#*(}" ]
	done
	# A mistake would have been seen.
	sed -i 's/^Restart=always/Restart=allways/' "$UNITS/incr-drain@.service"
	run systemd-analyze verify --man=no "$UNITS/incr-drain@.service"
	[[ "$output" == *allways* ]]
}

# exposed UNIT TENTHS: no more than that, by systemd's own reckoning
exposed() {
	systemd-analyze security --offline=yes --no-pager --threshold="$2" \
		"$UNITS/$1" >exposure || { cat exposure; return 1; }
}

@test "their services may do little: exposure 1.1 of 10, Caddy's 1.3" {
	exposed incr-caddy.service 13
	exposed incr-nginx.service 13
	exposed incr-ingest@.service 11
	exposed incr-drain@.service 11
	exposed incr-rest.service 11
	exposed incr-once.service 11
	exposed incr-metrics.service 11
	for unit in "$UNITS"/*.service; do
		unit=${unit##*/}
		[ "$(setting "$unit" LimitCORE)" = 0 ]
		[ -n "$(setting "$unit" MemoryMax)" ]
		[ -n "$(setting "$unit" TasksMax)" ]
	done
	# What a sandbox of its own needs, which no group of calls has.
	for call in landlock_{add_rule,create_ruleset,restrict_self} seccomp; do
		setting incr-ingest@.service SystemCallFilter | grep -qw "$call"
		setting incr-drain@.service SystemCallFilter | grep -qw "$call"
	done
	# Owners know a dead neighbour by it.
	not grep -q '^ProcSubset' "$UNITS/incr-drain@.service"
	[ "$(setting incr-ingest@.service ProcSubset)" = pid ]
}

# user UNIT: who runs it
user() { setting "$1" User; }

@test "each has a user, and variables of its own" {
	[ "$(user incr-caddy.service)" = incr-edge ]
	[ "$(user incr-ingest@.service)" = incr-ingest ]
	[ "$(user incr-drain@.service)" = incr-drain ]
	[ "$(user incr-metrics.service)" = incr-edge ]
	[ "$(setting incr-ingest@.socket SocketUser)" = incr-ingest ]
	[ "$(setting incr-ingest@.socket SocketGroup)" = incr ]
	[ "$(setting incr-ingest@.socket SocketMode)" = 0660 ]
	[ "$(setting incr-caddy.service EnvironmentFile)" = -/etc/incr/edge ]
	[ "$(setting incr-drain@.service EnvironmentFile | xargs)" = \
		'-/etc/incr/env -/etc/incr/drain' ]
	# What both had in one file is taken away, wherever it comes from.
	[ "$(grep -E '^(EnvironmentFile|UnsetEnvironment)' \
		"$UNITS/incr-ingest@.service" | sed 's/.*=-*//' | xargs)" = \
		'/etc/incr/env INCR_LISTEN DATABASE_URL PGPASSWORD /etc/incr/ingest /etc/incr/edge' ]
	# The folder of metrics is for all three, and made by nobody of them.
	[ "$(cat p/lib/tmpfiles.d/incr.conf | grep -v '^#')" = \
		$'d /run/incr 0755 root root -\nd /run/incr/metrics 2775 root incr -' ]
	for unit in incr-ingest@.service incr-drain@.service; do
		[ "$(setting $unit ReadWritePaths)" = -/run/incr/metrics ]
	done
}

@test "three users, and a group that all of them are in" {
	local user
	mkdir -p root/etc
	systemd-sysusers --root="$PWD/root" "$PWD/p/lib/sysusers.d/incr.conf"
	for user in incr-edge incr-ingest incr-drain; do
		grep -q "^$user:x:[1-9].*:/usr/sbin/nologin$" root/etc/passwd
		grep "^incr:" root/etc/group | grep -qw -e "$user"
	done
	[ "$(cut -d : -f 3 root/etc/passwd | sort | uniq -d)" = '' ]
}

@test "what was once right outlives their programs, not the machine" {
	local unit
	for unit in incr-ingest@.service incr-drain@.service; do
		[ "$(setting "$unit" RuntimeDirectoryPreserve)" = yes ]
		[ "$(setting "$unit" RuntimeDirectoryMode)" = 0700 ]
	done
	# Of two users, neither's the other's.
	[ "$(setting incr-ingest@.service RuntimeDirectory)" = incr/ingest ]
	[ "$(setting incr-drain@.service RuntimeDirectory)" = incr/drain ]
}

@test "they are started again, for ever, but by the table of incr(7)" {
	local down
	down=$(sed -n '/^\.Sh EXIT STATUS/,/^\.Sh METRICS/p' "$ROOT/man/incr.7" |
		awk '/^\.It/ { $1 = ""; gsub(",", ""); status = $0 }
			/stays down/ { print status }' | xargs)
	[ "$(tr ' ' '\n' <<<"$down" | sort -n | xargs)" = '100 101 126 127' ]
	for unit in incr-ingest@.service incr-drain@.service incr-metrics.service; do
		[ "$(setting $unit RestartPreventExitStatus)" = \
			"$(tr ' ' '\n' <<<"$down" | sort -n | xargs)" ]
	done
	for unit in incr-ingest@.service incr-drain@.service incr-caddy.service \
		incr-nginx.service incr-metrics.service; do
		[ "$(setting $unit Restart)" = always ]
		[ "$(setting $unit StartLimitIntervalSec)" = 0 ]
		# What ends in order is not killed before it has: twice --grace.
		[[ "$unit" = incr-@(caddy|nginx|metrics).service ]] ||
			[ "$(setting $unit TimeoutStopSec)" -gt 20 ]
	done
}

# order UNIT: what it is started after, and stopped before
order() { setting "$1" After | xargs -n 1; }

@test "a stop goes against the flow, waits for the end, and leaves no rest" {
	local unit
	for unit in incr-caddy.service incr-ingest@.service \
		incr-drain@.service incr-rest.service; do
		order "$unit" | grep -qx incr.target
	done
	setting incr-ingest@.service Before | grep -qw incr-caddy.service
	order incr-ingest@.service | grep -qx incr-ingests.target
	for unit in incr-drain@.service incr-rest.service; do
		[ "$(setting $unit Before)" = incr-ingests.target ]
		order $unit | grep -qx incr-drains.target
	done
	order incr-drain@.service | grep -qx incr-rest.service
	[ "$(setting incr-drain@.service Wants)" = incr-rest.service ]
	# What stops with what: the rest with everything, not with the drains.
	[ "$(setting incr-rest.service PartOf)" = incr.target ]
	[ "$(setting incr-drain@.service PartOf)" = incr-drains.target ]
	[ "$(setting incr-ingest@.service PartOf)" = incr-ingests.target ]
	for unit in incr-drains.target incr-ingests.target incr-caddy.service; do
		[ "$(setting $unit PartOf)" = incr.target ]
	done
	# Servers on this machine, and its network, stop later.
	for unit in incr-drain@.service incr-rest.service incr-once.service; do
		order $unit | grep -qx network.target
		order $unit | grep -qx redis-server.service
		order $unit | grep -qx postgresql.service
	done
}

@test "the Debian that tests/long/systemd boots gets packages, by name" {
	cd "$ROOT"
	eval "$(sed -n '/^packages() {$/,/^}$/p' tests/long/systemd)"
	packages >"$BATS_TEST_TMPDIR/packages"
	cd "$BATS_TEST_TMPDIR"
	not grep -vxE '[a-z0-9][a-z0-9.+-]+' packages
	for package in redis-server postgresql-15 caddy curl systemd-sysv; do
		grep -qx "$package" packages
	done
}

@test "ingests, drains and Caddy say when they are ready; two are watched" {
	local unit
	for unit in incr-ingest@.service incr-drain@.service incr-caddy.service; do
		[ "$(setting $unit Type)" = notify ]
	done
	for unit in incr-ingest@.service incr-drain@.service; do
		[ "$(setting $unit NotifyAccess)" = main ]
		# A name may be looked up for 20 seconds.
		[ "$(setting $unit WatchdogSec)" -ge 30 ]
	done
}

@test "each has its name in the journal" {
	local unit name
	for unit in "$UNITS"/*.service; do
		name=${unit##*/}
		name=${name%.service}
		[ "$(setting "${unit##*/}" SyslogIdentifier)" = "${name/@/@%i}" ]
	done
}

@test "drains that rest leave the rest, else it is counted, or nobody knows" {
	local stop status
	mkdir bin
	# shellcheck disable=SC2016
	printf '#!/bin/sh\n[ "$*" = "is-active --quiet incr-drains.target" ] || exit\nexit "$STATUS"\n' \
		>bin/systemctl
	printf '#!/bin/sh\necho "$@" >>counted\n' >p/bin/incr-drain
	chmod +x bin/systemctl
	stop=$(setting incr-rest.service ExecStop | sed "s/^[^']*'//; s/'\$//")
	for status in 0 1 3; do
		STATUS=$status PATH=$PWD/bin:$PATH sh -c "$stop" >>said
	done
	printf '%s\n' '--all -o -w 10 -- -w 10' '--all -o -w 10 -- -w 10' | cmp - counted
	[ "$(cat said)" = 'the drains rest; increments wait in the queue' ]
}

@test "the metrics are served by default, at an address of their own" {
	local at command
	setting incr.target Wants | grep -qw incr-metrics.service
	# All three write where it reads.
	for unit in incr-ingest@.service incr-drain@.service incr-metrics.service; do
		setting $unit Environment | tr ' ' '\n' |
			grep -qx INCR_METRICS_DIR=/run/incr/metrics
	done
	at=$(setting incr-metrics.service Environment | grep -o 'INCR_METRICS_LISTEN=.*')
	at=${at#*=}
	[[ "$at" == 127.*:* && "$at" != 127.0.0.1:* ]]
	command=$(setting incr-metrics.service ExecStart)
	grep -q "^.Li http://$at/metrics" "$ROOT/man/incr.7"
	# As it says, but for the port, which another test may have.
	mkdir metrics
	echo 'a_total 1' >metrics/a.prom
	at=${at%:*}:$(free_port)
	INCR_METRICS_LISTEN=$at INCR_METRICS_DIR=$PWD/metrics \
		background sh -c "exec $command"
	shown() { [ "$(curl -fs -m 2 "http://$at/metrics")" = 'a_total 1' ]; }
	wait_for 5 shown
}

@test "the servers share the rates of clients" {
	setting incr-ingest@.service Environment | grep -qw INCR_RATE_SHARED=1
}

@test "what they start is there, and takes the socket that systemd gives" {
	use_redis
	for unit in incr-ingest@.service incr-drain@.service; do
		[ -x "$(setting $unit ExecStart)" ]
		[[ "$(setting $unit ExecStart)" == "$PWD/p/bin/"* ]]
	done
	mkdir metrics
	INCR_TRUST=$(setting incr-ingest@.service Environment)
	export INCR_METRICS_DIR=$PWD/metrics INCR_TRUST=${INCR_TRUST##*=}
	export INCR_RATE=1/s:10
	# shellcheck disable=SC2046 # as systemd would split it
	background systemd-socket-activate -l "$sockets/s" -E REDIS_URL \
		-E INCR_QUEUE -E INCR_METRICS_DIR -E INCR_TRUST -E INCR_RATE -E PATH \
		$(setting incr-ingest@.service ExecStart) 2>err
	main=$!
	wait_for 5 test -S "$sockets/s"
	post() {
		curl -s -m 10 -o answer -w '%{http_code}\n' -d "$(increment 1)" \
			-H "X-Forwarded-For: $1" --unix-socket "$sockets/s" \
			"http://x/increment?[1-$2]"
	}
	[ "$(post 192.0.2.1 10 | sort -u)" = 202 ]
	[ "$(post 192.0.2.1 10 | sort | tail -n 1)" = 429 ]
	[ "$(post 192.0.2.2 10 | sort -u)" = 202 ]
	[ "$(ready)" -ge 20 ]
	[ "$(cat "/proc/$main/comm")" = incr-serve ]
	wait_for 5 ls metrics/incr-serve-*-"$main".prom
	kill "$main"
	wait_for 10 gone "$main"
	# It is systemd's to take the socket away.
	[ -S "$sockets/s" ]
	not grep -v 'Listening on\|Communication attempt\|Execing' err
}

# reload: what `systemctl reload` does to $main
reload() {
	local command
	while IFS= read -r command; do
		MAINPID=$main sh -c "$command" || return
	done < <(setting incr-ingest@.service ExecReload |
		sed "s/^[^']*'//; s/'\$//")
}

@test "a reload reads the tokens again; without any it does nothing" {
	main=$BASHPID
	trap 'touch hung-up' HUP
	reload
	[ ! -e hung-up ]
	p/bin/incr-token --tokens tokens new shop >token
	INCR_TOKENS=tokens reload
	wait_for 5 test -e hung-up
	# With a file that can't be taken it fails, and says so.
	rm hung-up
	echo damaged >>tokens
	INCR_TOKENS=tokens run -100 --separate-stderr reload
	[[ "$stderr" == 'incr-token: tokens:2: '* ]]
	[ -z "$output" ]
	INCR_TOKENS=missing run -100 reload
	[ ! -e hung-up ]
	# Started without tokens, a server ends at SIGHUP: it gets none.
	background sleep infinity
	main=$!
	p/bin/incr-token --tokens others new shop >token
	INCR_TOKENS=others run -1 reload
	[ "$output" = 'INCR_TOKENS: not there when it was started; restart it' ]
	kill -0 "$main"
}

# front: what incr-caddy.service starts, with these in the environment
front() {
	local command
	command=$(setting incr-caddy.service ExecStart)
	$command
}

@test "Caddy's unit: a site name needs tokens or a word" {
	INCR_SITE=example.org run -100 front
	[ "$output" = 'INCR_SITE: serves everybody; needs INCR_TOKENS or INCR_OPEN=yes' ]
	# What it would run.
	mkdir bin
	# shellcheck disable=SC2016
	printf '#!/bin/sh\n[ "$1" = run ] || exit 0\necho "$@" >>ran\necho "at ${INCR_BIND-none}" >>bound\n' \
		>bin/caddy
	chmod +x bin/caddy
	PATH=$PWD/bin:$PATH
	front
	INCR_SITE=example.org INCR_OPEN=yes front
	INCR_SITE=example.org INCR_TOKENS=/etc/incr/tokens INCR_BIND=::1 front
	[ "$(sort -u ran)" = "run --config $PWD/p/share/incr/Caddyfile --adapter caddyfile" ]
	[ "$(wc -l <ran)" = 3 ]
	# Reached from everywhere, as with incr-up, unless told otherwise.
	printf 'at %s\n' none '' ::1 | cmp - bound
	# Its state is not that of incr-up, whose owners would be changed.
	[ "$(setting incr-caddy.service StateDirectory)" = incr-caddy ]
	[ -z "$(setting incr-caddy.service Environment | grep -E '/var/lib/incr( |/|$)')" ]
	# Its upstreams are the sockets of the first two ingests.
	[[ "$(setting incr-caddy.service Environment)" == *"unix/$(setting \
		incr-ingest@.socket ListenStream | sed s/%i/1/) unix/$(setting \
		incr-ingest@.socket ListenStream | sed s/%i/2/)\""* ]]
}

# site PORT...: sets INCR_SITE; answers PORT: does Caddy, without a server?
site() { printf -v INCR_SITE ', http://:%s' "$@" && INCR_SITE=${INCR_SITE#, }; }
answers() { [ "$(http_status "http://127.0.0.1:$1/")" = 503 ]; }

@test "Caddy takes another configuration while it runs, or says why not" {
	local first other reload main
	first=$(free_port)
	other=$(free_port)
	reload=$(setting incr-caddy.service ExecReload)
	# In the unit a folder of its own, which nobody else enters.
	setting incr-caddy.service Environment | grep -qx \
		"INCR_ADMIN=unix//run/$(setting incr-caddy.service RuntimeDirectory)/admin.sock"
	[ "$(setting incr-caddy.service RuntimeDirectoryMode)" = 0700 ]
	export INCR_ADMIN=unix/$sockets/admin INCR_BIND=127.0.0.1 INCR_OPEN=yes
	export XDG_DATA_HOME=$PWD XDG_CONFIG_HOME=$PWD HOME=$PWD INCR_SITE
	export INCR_UPSTREAMS=unix/$sockets/none
	site "$first"
	# shellcheck disable=SC2046 # its words
	background $(setting incr-caddy.service ExecStart) 2>err
	main=$!
	wait_for 10 answers "$first"
	site "$first" "$other"
	$reload
	answers "$first"
	answers "$other"
	# Nothing that the start would refuse, nor what Caddy does.
	site "$first"
	INCR_OPEN='' run -100 $reload
	[ "$output" = 'INCR_SITE: serves everybody; needs INCR_TOKENS or INCR_OPEN=yes' ]
	INCR_SITE=a,b run ! $reload
	answers "$other"
	$reload
	not answers "$other"
	answers "$first"
	# What the health checks say goes where it went.
	kill "$main"
	wait_for 20 gone "$main"
	grep -q 'no such file or directory' err
}

@test "Caddy whose port another program has stays down, and says who" {
	mkdir bin
	background p/bin/incr-listen 127.0.0.1:0 -- sleep infinity
	local holder=$!
	wait_for 5 listens "$holder"
	INCR_SITE=http://:$port INCR_OPEN=yes INCR_BIND=127.0.0.1 run -100 front
	[ "$output" = "run-caddy: 127.0.0.1:$port: in use by another program" ]
	# With HTTPS there is a second port.
	INCR_SITE=localhost:1 INCR_HTTP_PORT=$port INCR_OPEN=yes \
		INCR_BIND=127.0.0.1 run -100 front
	[ "$output" = "run-caddy: 127.0.0.1:$port: in use by another program" ]
	# Debian's own unit is told by its name.
	printf '#!/bin/sh\n[ "$*" = "is-active --quiet caddy.service" ]\n' \
		>bin/systemctl
	chmod +x bin/systemctl
	PATH=$PWD/bin:$PATH INCR_SITE=http://:$port INCR_OPEN=yes \
		INCR_BIND=127.0.0.1 run -100 front
	[ "$output" = "run-caddy: 127.0.0.1:$port: in use by caddy.service; run: systemctl disable --now caddy.service" ]
}

@test "nginx's unit is Caddy's but for nginx, and does not run beside it" {
	local other first command reload
	limits() { sed -n '/^LimitNOFILE/,$p' "$UNITS/$1" | grep -v '^#'; }
	diff <(limits incr-caddy.service) <(limits incr-nginx.service)
	for other in User Group EnvironmentFile RuntimeDirectoryMode PartOf \
		RestartPreventExitStatus TimeoutStopSec; do
		[ "$(setting incr-nginx.service $other)" = "$(setting incr-caddy.service $other)" ]
	done
	[ "$(setting incr-nginx.service Conflicts)" = incr-caddy.service ]
	for other in INCR_UPSTREAMS INCR_PAGE_BIND; do
		[ "$(setting incr-nginx.service Environment | grep "$other")" = \
			"$(setting incr-caddy.service Environment | grep "$other")" ]
	done
	[ "$(setting incr-nginx.service Environment | grep NGINX)" = \
		"INCR_NGINX_DIR=/run/$(setting incr-nginx.service RuntimeDirectory)" ]
	# In order, and only the first process is told.
	[ "$(setting incr-nginx.service KillSignal)" = SIGQUIT ]
	[ "$(setting incr-nginx.service KillMode)" = mixed ]
	command=$(setting incr-nginx.service ExecStart)
	reload=$(setting incr-nginx.service ExecReload)
	INCR_SITE=example.org run -100 $command
	[ "$output" = 'INCR_SITE: serves everybody; needs INCR_TOKENS or INCR_OPEN=yes' ]
	first=$(free_port)
	other=$(free_port)
	export INCR_NGINX_DIR=$PWD/nginx INCR_BIND=127.0.0.1 INCR_OPEN=yes
	export INCR_UPSTREAMS=unix/$sockets/none INCR_SITE
	site "$first"
	# shellcheck disable=SC2086 # its words
	background setsid $command 2>err
	main=$!
	wait_for 10 answers "$first"
	site "$first" "$other"
	$reload
	answers "$first"
	answers "$other"
	kill -"$(setting incr-nginx.service KillSignal)" "$main"
	wait_for 20 session_gone "$main"
}

# listens PID: sets $port to where it does
listens() {
	port=$(ss -Hltnp | sed -n "s/.* 127.0.0.1:\([0-9]*\) .*pid=$1,.*/\1/p")
	[ -n "$port" ]
}
