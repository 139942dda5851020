#!/usr/bin/env bats
# incr-keep: one command that is run again, whoever is killed.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	# What the tests keep: a script that does what the file plan says.
	printf '#!/bin/sh\necho $$ >>runs\n. ./plan\n' >part
	chmod +x part
	plan 'exec sleep infinity'
}

teardown() {
	local file
	end_background
	for file in *.pid; do
		[ ! -e "$file" ] || incr-keep -e -s KILL -p "$file" left
	done
}

plan() { echo "$1" >plan; }
runs() { [ "$(cat runs 2>/dev/null | wc -l)" -ge "$1" ]; }
pid() { cut -d ' ' -f 1 part.pid; }

# keep [ARG...]: in the background, as from a terminal, until the command is
# there; $keeper is its pid.
keep() {
	background env --default-signal=INT,QUIT setsid \
		incr-keep -p part.pid "$@" x -- ./part >out 2>err
	keeper=$!
	wait_for 5 runs 1
}

# ends_with STATUS: the keeper, and nothing is left
ends_with() {
	local status=0
	wait "$keeper" || status=$?
	[ "$status" -eq "$1" ] || { echo "status $status"; cat err; return 1; }
	[ ! -e part.pid ]
	[ ! -e part.keeper ]
	gone "$(tail -n 1 runs)"
}

@test "the pid file names the command, which leads its session" {
	keep
	[ "$(pid)" = "$(cat runs)" ]
	[ "$(ps -o sid= -p "$(pid)" | tr -d ' ')" = "$(pid)" ]
	# pid, start time, boot
	[ "$(wc -w <part.pid)" = 3 ]
	[ "$(awk '{ print $22 }' "/proc/$(pid)/stat")" = "$(cut -d ' ' -f 2 part.pid)" ]
	[ "$(cut -d ' ' -f 3 part.pid)" = "$(cat /proc/sys/kernel/random/boot_id)" ]
	[ "$(cut -d ' ' -f 1 part.keeper)" = "$keeper" ]
	kill "$keeper"
	ends_with 0
	quiet err
}

@test "sockets that are meant for it are the command's, each time" {
	plan 'echo "$LISTEN_FDS $LISTEN_PID $$ $(readlink /proc/$$/fd/3)" >>handed
		exec sleep infinity'
	socket=$(mktemp -u /tmp/incr-keep.XXXXXX)
	background setsid incr-listen "$socket" -- incr-keep -p part.pid x \
		-- ./part >out 2>err
	keeper=$!
	for n in 1 2 3; do
		wait_for 5 has_handed "$n"
		kill -9 "$(pid)"
	done
	wait_for 5 has_handed 4
	rm "$socket"
	[ "$(cut -d ' ' -f 1 handed | sort -u)" = 1 ]
	[ "$(cut -d ' ' -f 4 handed | sort -u | grep -c socket:)" = 1 ]
	awk '$2 != $3 { exit 1 }' handed
	kill "$keeper"
	ends_with 0
	# Those of somebody else are not.
	plan 'echo "$LISTEN_PID" >>others; exec sleep infinity'
	rm runs
	export LISTEN_FDS=1 LISTEN_PID=1
	keep
	wait_for 5 test -s others
	[ "$(cat others)" = 1 ]
	kill "$keeper"
	ends_with 0
	run -100 incr-listen 127.0.0.1:0 127.0.0.1:0 127.0.0.1:0 127.0.0.1:0 \
		127.0.0.1:0 -- incr-keep x -- true
	[ "$output" = 'incr-keep: LISTEN_FDS: more than 4 sockets' ]
}

has_handed() { [ "$(wc -l <handed)" -eq "$1" ]; }

@test "SIGTERM, SIGINT, SIGQUIT and SIGHUP end it with the command" {
	local signal
	for signal in TERM INT QUIT HUP; do
		rm -f runs
		keep
		kill -s "$signal" "$keeper"
		ends_with 0
		[ ! -s err ]
	done
	# With the status that the command chooses, and not again.
	plan 'trap "exit 7" TERM; while :; do sleep 0.02; done'
	rm runs
	keep
	wait_for 5 catches TERM
	kill "$keeper"
	ends_with 7
	[ "$(wc -l <runs)" = 1 ]
	# What SIGTERM is to the command.
	plan 'trap "exit 8" USR1; while :; do sleep 0.02; done'
	rm runs
	keep --signal=USR1
	wait_for 5 catches USR1
	kill "$keeper"
	ends_with 8
}
catches() { # SIGNAL
	local mask
	mask=$(sed -n 's/^SigCgt:	//p' "/proc/$(pid)/status")
	((0x$mask >> ($(kill -l "$1") - 1) & 1))
}

@test "0, 1, 111 and others start it again, first at once, then later" {
	plan 'exit $(sed -n "$(wc -l <runs)p" statuses)'
	printf '%s\n' 0 1 111 2 100 >statuses
	run -100 incr-keep x -- ./part
	diff - <(echo "$output") <<-'END'
		incr-keep: x: exit status 0: starting again in 0 ms
		incr-keep: x: exit status 1: starting again in 100 ms
		incr-keep: x: exit status 111: starting again in 200 ms
		incr-keep: x: exit status 2: starting again in 400 ms
		incr-keep: x: exit status 100: stays down
	END
	[ "$(wc -l <runs)" = 5 ]
}

@test "the delay grows to five seconds, and anew after ten of calm" {
	# The clock and sleep are of the test: no second is waited for.
	mkdir stubs
	printf '#!/bin/sh\necho "$1" >>naps\n' >stubs/sleep
	chmod +x stubs/sleep
	sed 's,/proc/uptime,./uptime,; s/^leave_limit=.*/sleep() { command -p sleep "$@"; }/' \
		"$(command -v incr-keep)" >incr-keep
	grep -q ./uptime incr-keep
	echo 100.00 >uptime
	plan '[ "$(wc -l <runs)" -ne 9 ] || echo 110.01 >uptime
		[ "$(wc -l <runs)" -lt 11 ] || exit 101
		exit 1'
	PATH=$PWD/stubs:$PATH run -101 sh ./incr-keep x -- ./part
	grep -o 'in [0-9]* ms' <<<"$output" >delays
	printf 'in %d ms\n' 0 100 200 400 800 1600 3200 5000 0 100 |
		diff - delays
}

@test "100, 101, 126 and 127 stay down, said, with the same status" {
	local status
	for status in 100 101; do
		plan "exit $status"
		rm -f runs
		run -"$status" incr-keep -p part.pid x -- ./part
		[ "$output" = "incr-keep: x: exit status $status: stays down" ]
		[ "$(wc -l <runs)" = 1 ]
		[ ! -e part.pid ] && [ ! -e part.keeper ]
	done
	run -127 incr-keep -p part.pid x -- ./missing
	[[ "${lines[1]}" = 'incr-keep: x: exit status 127: stays down' ]]
	[ ! -e part.pid ]
	run -126 incr-keep x -- /
}

@test "kill -9 of the command: another one, by the same pid file" {
	local old
	keep
	old=$(pid)
	kill -9 "$old"
	wait_for 5 runs 2
	gone "$old"
	[ "$(pid)" = "$(tail -n 1 runs)" ]
	[ "$(cat err)" = 'incr-keep: x: exit status 137: starting again in 0 ms' ]
	kill "$keeper"
	ends_with 0
}

@test "kill -9 of the keeper: the command goes on, the next one ends it" {
	local old stranger
	keep
	old=$(pid)
	kill -9 "$keeper"
	wait_for 5 gone "$keeper"
	kill -0 "$old"
	rm runs
	keep
	gone "$old"
	[ "$(cat err)" = "incr-keep: x: ending pid $old" ]
	kill -9 "$keeper"
	wait_for 5 gone "$keeper"
	old=$(pid)
	run -0 incr-keep -e -p part.pid x
	gone "$old"
	[ ! -e part.pid ] && [ ! -e part.keeper ]
	# Nothing is named: nothing to do.
	run -0 incr-keep --end --pidfile part.pid x
	[ -z "$output" ]
	# A stranger that got the pid is let alone.
	background sleep infinity
	stranger=$!
	echo "$stranger 1 $(cat /proc/sys/kernel/random/boot_id)" >part.pid
	run -0 incr-keep -e -p part.pid x
	kill -0 "$stranger"
	echo "$stranger $(awk '{ print $22 }' "/proc/$stranger/stat") other-boot" >part.pid
	run -0 incr-keep -e -p part.pid x
	kill -0 "$stranger"
}

@test "--end ends a keeper that is alive, and what it keeps" {
	keep
	run -0 incr-keep -e -p part.pid x
	wait_for 5 gone "$keeper"
	gone "$(cat runs)"
	[ "$(wc -l <runs)" = 1 ]
	[ ! -e part.pid ] && [ ! -e part.keeper ]
}

@test "two with one pid file: the second says whose it is, exits 100" {
	keep
	run -100 incr-keep -p part.pid y -- ./part
	[ "$output" = "incr-keep: part.pid: held by incr-keep, pid $keeper" ]
	[ "$(wc -l <runs)" = 1 ]
	kill "$keeper"
	ends_with 0
}

@test "what the command leaves in its session is ended, too" {
	plan 'sleep infinity >log 2>&1 & echo $! >neighbour; exit 100'
	run -100 incr-keep x -- ./part
	gone "$(cat neighbour)"
}

@test "a command that has ended is not there, also while nobody has waited for it" {
	background perl -e '
		my $pid = fork // die;
		exit if !$pid;
		open my $f, "<", "/proc/sys/kernel/random/boot_id" or die;
		my $boot = <$f>;
		my $stat;
		do {
			open my $s, "<", "/proc/$pid/stat" or die;
			$stat = <$s>;
		} until $stat =~ /\) Z /;
		my $began = (split " ", $stat =~ s/.*\) //r)[19];
		open my $to, ">", "part.tmp" or die;
		print $to "$pid $began $boot";
		close $to;
		rename "part.tmp", "part.pid" or die;
		sleep'
	wait_for 5 test -e part.pid
	run -0 timeout 5 incr-keep -e -p part.pid x
	[ ! -e part.pid ]
}

@test "a command that ignores the signal is killed, and the status is 111" {
	sed 's/^leave_limit=.*/leave_limit=1/' "$(command -v incr-keep)" >incr-keep
	plan 'trap "" TERM; while :; do sleep 0.02; done'
	background sh ./incr-keep -p part.pid x -- ./part 2>err
	keeper=$!
	wait_for 5 runs 1
	wait_for 5 ignores "$(cat runs)" TERM
	kill "$keeper"
	ends_with 111
	grep -q 'still there after 1 s, killed$' err
}
ignores() { # PID SIGNAL
	local mask
	mask=$(sed -n 's/^SigIgn:	//p' "/proc/$1/status")
	((0x$mask >> ($(kill -l "$2") - 1) & 1))
}

@test "a signal while it waits ends it at once, with 0" {
	local before
	plan 'exit 1'
	keep
	wait_for 10 grep -q 'in 3200 ms' err
	before=${EPOCHREALTIME/./}
	kill "$keeper"
	ends_with 0
	not elapsed "$before" 3000000
}

@test "what was ignored at the start stays so, and nothing else is" {
	plan 'sed -n "s/^SigIgn:	/0x/p" /proc/self/status >mask; exit 100'
	background env --ignore-signal=HUP,INT --default-signal=QUIT,PIPE,TERM \
		incr-keep x -- ./part
	wait "$!" || [ $? = 100 ]
	# Of HUP, INT, QUIT, PIPE and TERM.
	[ $(($(cat mask) & 0x5007)) = 3 ]
	background env --default-signal=HUP,INT,QUIT,PIPE,TERM \
		incr-keep x -- ./part
	wait "$!" || [ $? = 100 ]
	[ $(($(cat mask) & 0x5007)) = 0 ]
}

@test "standard input, output and error are the command's" {
	plan 'cat; echo to-stderr >&2; ls -l /proc/$$/fd >fds; exit 100'
	increments 1 3 | not incr-keep x -- ./part >out 2>err
	increments 1 3 | cmp - out
	grep -qx to-stderr err
	# Nothing else is: its own script, and no lock.
	not grep -q keeper fds
	not incr-keep -p part.pid x -- ./part </dev/null
	not grep -q keeper fds
	run -100 sh -c 'incr-keep x -- ./part <&-'
	# Arguments arrive as they are.
	run -100 incr-keep x -- sh -c 'printf "[%s]" "$@"; exit 100' - 'a b' '' '*'
	[ "${lines[0]}" = '[a b][][*]incr-keep: x: exit status 100: stays down' ]
}

@test "--help, --version; a full disk is 111, said" {
	local option
	incr-keep --help | grep -q '^usage: incr-keep '
	incr-keep -V | grep -qE '^incr-keep [0-9]+\.[0-9]+\.[0-9]+$'
	for option in -h --help -V; do
		run -111 sh -c "incr-keep $option >/dev/full"
		[ "$output" = 'incr-keep: stdout: not written' ]
	done
	run -111 sh -c 'incr-keep -h >&-'
	[ "$output" = 'incr-keep: stdout: not written' ]
}

@test "usage errors are 100, in one line, and start nothing" {
	wrong() {
		run -100 incr-keep "$@"
		[ "${#lines[@]}" -eq 1 ]
		[[ "$output" == 'incr-keep: '* ]]
	}
	wrong
	wrong x
	wrong x --
	wrong x ./part
	wrong '' -- ./part
	wrong -- ./part
	wrong --no-such-option x -- ./part
	wrong -p
	wrong -p '' x -- ./part
	wrong -s NO x -- ./part
	wrong -e x
	wrong -e -p part.pid x -- ./part
	wrong -p no/such/part.pid x -- ./part
	[ ! -e runs ]
}

# A shell that forks forgets what its child is told at first.
@test "told to leave while it begins to wait: it leaves at once" {
	mkdir deaf
	printf '#!/bin/sh\ntrap "" TERM\n: >begun\nexec %s "$@"\n' \
		"$(command -v sleep)" >deaf/sleep
	chmod +x deaf/sleep
	plan 'exit 100'
	PATH=$PWD/deaf:$PATH keep --hold 3600
	wait_for 5 test -e begun
	kill "$keeper"
	wait_for 5 gone "$keeper"
	ends_with 0
}

@test "--hold: a command that stays down is waited for, and said once" {
	plan 'exit 100'
	export INCR_HOLD=2
	from=${EPOCHREALTIME/./}
	run -100 incr-keep x -- ./part
	elapsed "$from" 1900000
	[ "$output" = 'incr-keep: x: exit status 100: stays down; leaving in 2 s' ]
	[ "$(wc -l <runs)" = 1 ]
	# A signal ends the wait; nothing was running.
	for signal in TERM INT; do
		rm runs
		keep --hold 3600
		wait_for 5 grep -q 'leaving in 3600 s$' err
		kill -s "$signal" "$keeper"
		ends_with 0
	done
	# What is started again is not waited for.
	rm runs
	plan '[ "$(wc -l <runs)" = 3 ] && exit 127; exit 111'
	run -127 incr-keep --hold=0 x -- ./part
	[ "$(wc -l <runs)" = 3 ]
	[[ "$output" == *'stays down' ]]
	for hold in '' x -1 3601 00000 1.5; do
		run -100 incr-keep --hold "$hold" x -- true
		[ "$output" = "incr-keep: --hold: $hold: not a number from 0 to 3600" ]
	done
	INCR_HOLD=y run -100 incr-keep x -- true
	[ "$output" = 'incr-keep: INCR_HOLD: y: not a number from 0 to 3600' ]
}
