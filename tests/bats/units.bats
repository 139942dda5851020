#!/usr/bin/env bats
# The units for systemd, as they are installed: systemd's own checks, and
# what they start. There is no systemd that could run them here.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	BIN=$BIN PREFIX=$PWD/p "$ROOT/etc/install" incr-serve incr-validate \
		incr-publish incr-consume incr-flush incr-ingest incr-drain
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

@test "their services may do little: exposure 2 of 10 at most" {
	for unit in "$UNITS"/*.service; do
		systemd-analyze security --offline=yes --no-pager --threshold=20 \
			"$unit" >exposure || { cat exposure; return 1; }
		[ "$(setting "${unit##*/}" User)" = incr ]
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
		[[ "$(setting "$unit" RuntimeDirectory)" == 'incr/once '* ]]
		[ "$(setting "$unit" RuntimeDirectoryPreserve)" = yes ]
	done
}

@test "they are started again, for ever, but by the table of incr(7)" {
	local down
	down=$(sed -n '/^\.Sh EXIT STATUS/,/^\.Sh METRICS/p' "$ROOT/man/incr.7" |
		awk '/^\.It/ { $1 = ""; gsub(",", ""); status = $0 }
			/stays down/ { print status }' | xargs)
	[ "$(tr ' ' '\n' <<<"$down" | sort -n | xargs)" = '100 101 126 127' ]
	for unit in incr-ingest@.service incr-drain@.service; do
		[ "$(setting $unit RestartPreventExitStatus)" = \
			"$(tr ' ' '\n' <<<"$down" | sort -n | xargs)" ]
	done
	for unit in incr-ingest@.service incr-drain@.service incr-caddy.service; do
		[ "$(setting $unit Restart)" = always ]
		[ "$(setting $unit StartLimitIntervalSec)" = 0 ]
		# What ends in order is not killed before it has: twice --grace.
		[ "$unit" = incr-caddy.service ] ||
			[ "$(setting $unit TimeoutStopSec)" -gt 20 ]
	done
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
	MAINPID=$main sh -c "$(setting incr-ingest@.service ExecReload |
		sed "s/^[^']*'//; s/'\$//")"
}

@test "a reload reads the tokens again; without any it does nothing" {
	use_redis
	main=$BASHPID
	trap 'touch hung-up' HUP
	reload
	[ ! -e hung-up ]
	INCR_TOKENS=x reload
	wait_for 5 test -e hung-up
}

# front ARG...: what incr-caddy.service starts, with these in the environment
front() {
	sh -c "$(setting incr-caddy.service ExecStart | sed "s/^[^']*'//; s/'\$//")"
}

@test "Caddy's unit: a site name needs tokens or a word" {
	INCR_SITE=example.org run -100 front
	[ "$output" = 'INCR_SITE: serves everybody; needs INCR_TOKENS or INCR_OPEN=yes' ]
	# What it would run.
	mkdir bin
	# shellcheck disable=SC2016
	printf '#!/bin/sh\necho "$@" >>ran\necho "at ${INCR_BIND-none}" >>bound\n' \
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
