#!/usr/bin/env bats
# The state folder of incr-up: what it writes there goes nowhere else, whoever
# has prepared the place.

bats_require_minimum_version 1.5.0
load helper

setup() {
	[ "$(id -u)" = 0 ] || skip 'needs root'
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	open_folder
	chmod 1777 .
	mkdir -m 755 ours victim
	INCR_PORT=$(free_port)
	export INCR_PORT
}

teardown() { end_background; }

# as_nobody COMMAND...: somebody else
as_nobody() {
	setpriv --reuid nobody --regid nogroup --clear-groups -- "$@"
}

# refuses STATE REASON: with 100, in one line, before anything is done
refuses() {
	run -100 timeout 20 incr-up --state "$1"
	echo "$output"
	[ "${#lines[@]}" -eq 1 ]
	[ "$output" = "incr-up: $2" ]
	[ -z "$(ls victim)" ]
}

@test "a folder that belongs to somebody else is refused, wherever it stands" {
	as_nobody mkdir theirs theirs/deep
	refuses theirs "$PWD/theirs: belongs to nobody, not to root"
	refuses theirs/new "$PWD/theirs: belongs to nobody, not to root"
	refuses theirs/deep/../new "$PWD/theirs: belongs to nobody, not to root"
	[ -z "$(ls theirs/deep)" ]
	[ "$(ls theirs)" = deep ]
	# Also behind a folder of root's in it.
	mkdir theirs/ours
	refuses theirs/ours "$PWD/theirs: belongs to nobody, not to root"
}

@test "a link of somebody else is refused, and leads nowhere" {
	as_nobody ln -s "$PWD/victim" link
	refuses link "$PWD/link: belongs to nobody, not to root"
	refuses link/new "$PWD/link: belongs to nobody, not to root"
	as_nobody ln -s "$PWD/none" dangling
	refuses dangling "$PWD/dangling: belongs to nobody, not to root"
	[ ! -e none ]
	# A link of root's to a link of theirs.
	ln -s link through
	refuses through/new "$PWD/link: belongs to nobody, not to root"
	ln -s circle circle
	refuses circle "circle: too many symbolic links"
}

@test "a folder that others may write is refused, unless it is sticky on the way" {
	local at
	for mode in 777 775 757 1777; do
		chmod "$mode" ours
		[ "$mode" != 775 ] || chgrp nogroup ours
		at="$PWD/ours: others may write it; run: chmod go-w $PWD/ours"
		refuses ours "$at"
		[ "$mode" = 1777 ] || refuses ours/new "$at"
	done
	[ -z "$(ls ours)" ]
}

@test "a link or a file of others in the folder is refused, not followed" {
	local name
	touch "$PWD/target"
	for name in run log metrics redis postgres caddy programs; do
		ln -s "$PWD/victim" "ours/$name"
		refuses ours "$PWD/ours/$name: a symbolic link"
		rm "ours/$name"
	done
	for name in env env.new lock; do
		ln -s "$PWD/target" "ours/$name"
		refuses ours "$PWD/ours/$name: a symbolic link"
		rm "ours/$name"
	done
	mkdir -p ours/run ours/log ours/metrics
	for name in run/sockets run/x.pid run/x.keeper log/caddy.log; do
		ln -s "$PWD/target" "ours/$name"
		refuses ours "$PWD/ours/$name: not a file of incr-up's own"
		rm "ours/$name"
	done
	for name in lock env run/sockets log/redis.log; do
		ln target "ours/$name" # another name of it
		refuses ours "$PWD/ours/$name: not a file of incr-up's own"
		rm "ours/$name"
		touch "ours/$name"
		chown nobody "ours/$name"
		refuses ours "$PWD/ours/$name: not a file of incr-up's own"
		rm "ours/$name"
	done
	mkfifo ours/log/caddy.log
	refuses ours "$PWD/ours/log/caddy.log: not a file of incr-up's own"
	rm ours/log/caddy.log
	chmod 777 ours/run
	refuses ours "$PWD/ours/run: others may write it; run: chmod go-w $PWD/ours/run"
	chmod 755 ours/run
	for name in run log metrics; do
		chown nobody "ours/$name"
		refuses ours "$PWD/ours/$name: belongs to nobody, not to root"
		chown root "ours/$name"
	done
	[ ! -s target ]
}

@test "a link of root's on the way, and a folder that is still to be made, are right" {
	ln -s ours link
	(umask 000 && refuses_only_port link/new/state)
	[ "$(stat -c '%U %a' ours/new ours/new/state | sort -u)" = 'root 755' ]
	[ "$(stat -c '%U %a' ours/new/state/log)" = 'root 755' ]
	[ "$(stat -c '%U %a' ours/new/state/run)" = 'root 700' ]
	refuses_only_port "./link/.././link/new//state/"
	# Where each user has a group, that group may write.
	chmod 775 ours/new
	refuses_only_port ours/new/state
}

# The folder is right: it goes on to the port, which is taken.
refuses_only_port() {
	[ -e taken ] || {
		background perl -MIO::Socket::INET -e '
			my $l = IO::Socket::INET->new(Listen => 9, LocalPort => $ARGV[0],
				LocalAddr => "127.0.0.1", ReuseAddr => 1);
			open my $f, ">", "taken"; while (my $c = $l->accept) { }' \
			"$INCR_PORT"
		wait_for 5 test -e taken
	}
	run -100 incr-up --state "$1"
	echo "$output"
	[[ "$output" == *"port $INCR_PORT: in use by another program" ]]
}

@test "nobody else can read a log, or hold the lock of the folder or a keeper" {
	mkdir -p ours/run
	touch ours/lock # as release 0.1.0 made it
	mkdir -m 755 ours/log
	touch ours/log/redis.log
	chmod 644 ours/lock ours/log/redis.log
	refuses_only_port ours
	[ "$(stat -c %a ours/log/redis.log)" = 640 ]
	not as_nobody flock -n ours/lock true
	[ "$(stat -c %a ours/run)" = 700 ]
	touch part.keeper
	background incr-keep -p part.pid part -- sleep infinity
	keeper=$!
	wait_for 5 test -s part.pid
	[ "$(stat -c '%U %a' part.keeper)" = 'root 600' ]
	kill "$keeper"
	wait "$keeper"
}

@test "a folder of sockets that has become somebody else's is left alone" {
	theirs=$(as_nobody mktemp -d /tmp/incr-XXXXXX)
	as_nobody touch "$theirs/file"
	mkdir -p ours/run
	echo "$theirs" >ours/run/sockets
	refuses_only_port ours
	[ -e "$theirs/file" ]
	[ ! -e ours/run/sockets ]
	rm -r "$theirs"
}
