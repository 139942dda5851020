#!/usr/bin/env bats
# incr-ingest and incr-drain: options, ends of pipes, signals, deaths.

bats_require_minimum_version 1.5.0
load helper

setup() {
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	export TMPDIR=$PWD
	sockets=$(mktemp -d /tmp/incr-wiring.XXXXXX)
	socket=$sockets/s
}

teardown() {
	end_background
	redis_stop "$sockets/r"
	rm -rf "$sockets"
}

# In a session of its own, as from a terminal: SIGINT is not ignored.
ingest() {
	background env --default-signal=INT setsid \
		incr-ingest -l "$socket" "$@" 2>err
	main=$!
	wait_for 10 healthy "$socket"
}

drain() {
	background env --default-signal=INT setsid incr-drain "$@" 2>err
	main=$!
	# Each program runs before, too, to judge its options.
	wait_for 10 grep -qx incr-flush "/proc/$main/comm"
	wait_for 10 has_part incr-consume
}

post() { # VALUE: the status
	http_status --unix-socket "$socket" \
		-d "$(increment "$1")" http://localhost/increment
}

# part NAME: its pid in the session of $main.
part() { pgrep -s "$main" -f "(^|/)$1( |\$)"; }
has_part() { [ -n "$(part "$1")" ]; }
ends_with() {
	local status=0
	wait "$main" || status=$?
	[ "$status" -eq "$1" ]
}

@test "the wirings have --help and --version, and report a full disk" {
	for name in incr-ingest incr-drain incr-up incr-keep; do
		"$name" --help | grep -q "^usage: $name "
		"$name" -V | grep -qE "^$name [0-9]+\.[0-9]+\.[0-9]+$"
		run sh -c "$name --help >/dev/full 2>/dev/null"
		[ "$status" -eq 111 ]
	done
}

@test "a wrong option of any part ends the wiring with 100 before it starts" {
	for wrong in --no-such-option '-q bad/name' '-w x' '-g x' \
		-q operand '-- operand'; do
		# shellcheck disable=SC2086
		run -100 incr-ingest -l "$socket" $wrong
		[ "${#lines[@]}" -eq 1 ]
	done
	for wrong in --no-such-option '-q bad/name' '-n x' '-- -i x' '-i 3' \
		'-- -n 3' -r '-- --' operand '-- operand'; do
		# shellcheck disable=SC2086
		run -100 incr-drain $wrong
		[ "${#lines[@]}" -eq 1 ]
	done
	[ ! -e "$socket" ]
}

@test "a password is refused as an argument, taken from the environment" {
	run -100 incr-ingest -l "$socket" -r "redis://:secret@127.0.0.1:1"
	[[ "$output" != *secret* ]]
	run -100 incr-drain -- --redis="redis://:secret@127.0.0.1:1"
	[[ "$output" != *secret* ]]
	export REDIS_URL=redis://:secret@127.0.0.1:1
	background setsid incr-ingest -l "$socket" 2>err
	main=$!
	wait_for 5 has_part incr-publish
	run ! pgrep -s "$main" -f secret
}

@test "options are told apart: each program gets what is its own" {
	unset INCR_QUEUE
	drain -n 7 --queue=told-apart -- -i 3 -r "$REDIS_URL"
	args() { tr '\0' ' ' <"/proc/$(part "$1")/cmdline"; }
	[ "$(args incr-consume)" = \
		"incr-consume -q told-apart -r $REDIS_URL -n 7 " ]
	[ "$(args incr-flush)" = "incr-flush -q told-apart -r $REDIS_URL -i 3 " ]
}

@test "ingest: 202 when Redis has it; the pid is that of incr-serve" {
	ingest
	[ "$(post 3)" = 202 ]
	[ "$(rcli lindex "rmq::queue::[$INCR_QUEUE]::ready" 0)" = \
		"$(increment 3)" ]
	[ "$(cat "/proc/$main/comm")" = incr-serve ]
}

@test "ingest: each end of each pipe has one holder, the folder is gone" {
	ingest
	declare -A writers readers
	for pid in $(pgrep -s "$main"); do
		for fd in /proc/"$pid"/fd/*; do
			pipe=$(stat -L -c '%F %i' "$fd" 2>&1) || continue
			[[ "$pipe" == fifo* ]] || continue
			# the access mode: 0 reads, 1 writes
			mode=$(sed -n 's/^flags:.*\(.\)$/\1/p' \
				"/proc/$pid/fdinfo/${fd##*/}")
			[ "${fd##*/}" -le 2 ] || [ "$mode" = 1 ] || mode=x
			case $mode in
			1) writers[$pipe]+=" $pid" ;;
			0) readers[$pipe]+=" $pid" ;;
			esac
		done
	done
	rings=0
	for pipe in "${!writers[@]}"; do
		[ -n "${readers[$pipe]:-}" ] || continue
		# one process, however many descriptors it has of it
		[ "$(tr ' ' '\n' <<<"${writers[$pipe]# }" | sort -u | wc -l)" = 1 ]
		[ "$(tr ' ' '\n' <<<"${readers[$pipe]# }" | sort -u | wc -l)" = 1 ]
		rings=$((rings + 1))
	done
	[ "$rings" -eq 3 ]
	[ -z "$(ls -d incr-ingest.* 2>/dev/null)" ]
}

@test "ingest: inherited sockets are incr-serve's, and nobody else's" {
	cat >activate.pl <<-'EOF'
	use IO::Socket::UNIX; use POSIX;
	BEGIN { $^F = 9 } # not closed by exec
	my $l = IO::Socket::UNIX->new(Local => shift, Listen => 9);
	POSIX::dup2(fileno($l), 3);
	POSIX::close(fileno($l)) if fileno($l) != 3;
	$ENV{LISTEN_FDS} = 1; $ENV{LISTEN_PID} = $$;
	exec @ARGV;
	EOF
	background setsid perl activate.pl "$socket" incr-ingest 2>err
	main=$!
	wait_for 5 healthy "$socket"
	[ "$(post 1)" = 202 ]
	inherited=$(readlink "/proc/$main/fd/3")
	for filter in incr-validate incr-publish; do
		run ! grep -F "$inherited" <(readlink "/proc/$(part "$filter")"/fd/*)
	done
	run -100 env LISTEN_FDS=5 incr-ingest
}

# A socket of nobody's, on which all that it starts may listen: COMMAND... is
# run for each line of standard input, and is told of the socket.
listen_for() {
	exec perl -MIO::Socket::INET -MPOSIX -e '
		BEGIN { $^F = 9 } # not closed by exec
		$s = IO::Socket::INET->new(Listen => 1024,
		    LocalAddr => "127.0.0.1") or die;
		POSIX::dup2(fileno($s), 3) or die;
		open($p, ">", "port") && print $p $s->sockport, "\n";
		close($p);
		$SIG{CHLD} = "IGNORE";
		while (<STDIN>) {
			next if fork;
			$ENV{LISTEN_FDS} = 1;
			$ENV{LISTEN_PID} = $$;
			open(STDIN, "<", "/dev/null");
			exec @ARGV;
		}' "$@"
}

@test "ingest: servers on one inherited socket, replaced under load: only 202" {
	mkfifo more
	exec {more}<>more
	background listen_for setsid incr-ingest --linger 1 <more 2>err
	local perl=$!
	wait_for 5 test -s port
	echo >&$more
	echo >&$more
	wait_for 5 servers_are 2
	background env --default-signal=INT hey -z 60s -c 20 -m POST \
		-d "$(increment 1)" "http://127.0.0.1:$(cat port)/increment" >hey.out
	local hey=$!
	for old in $(servers); do
		echo >&$more
		wait_for 5 servers_are 3
		kill "$old"
		wait_for 5 servers_are 2
	done
	kill -INT "$hey"
	wait "$hey"
	kill "$perl"
	for main in $(servers); do kill "$main"; done
	wait_for 5 servers_are 0
	cat hey.out err >&2
	[ "$(grep -c responses hey.out)" = 1 ]
	not grep -q 'Error distribution' hey.out
	n=$(awk '$1 == "[202]" { print $2 }' hey.out)
	((n > 100 && n == $(ready)))
}
# Those of this test: their folder is ours.
servers() {
	for pid in $(pgrep -x incr-serve); do
		[ "$(readlink "/proc/$pid/cwd")" != "$PWD" ] || echo "$pid"
	done
}
servers_are() { [ "$(servers | wc -l)" -eq "$1" ]; }

@test "ingest: kill -9 of any part makes the others leave with 111" {
	for victim in incr-publish incr-validate; do
		ingest
		kill -9 "$(part "$victim")"
		wait_for 5 session_gone "$main"
		ends_with 111
	done
	ingest
	kill -9 "$main"
	wait_for 5 session_gone "$main"
	ends_with 137
}

@test "ingest: SIGTERM and Ctrl-C for the group drain it, exit 0" {
	for signal in TERM INT; do
		ingest
		[ "$(post 1)" = 202 ]
		kill -s "$signal" -- "-$main"
		wait_for 8 session_gone "$main"
		ends_with 0
	done
	quiet err
	[ "$(ready)" = 2 ]
}

@test "drain: rows appear; SIGTERM and Ctrl-C flush what is in hand, exit 0" {
	for signal in TERM INT; do
		drain
		increments 1 100 | incr-publish
		wait_for 5 has_ready 0
		kill -s "$signal" -- "-$main"
		wait_for 8 session_gone "$main"
		ends_with 0
	done
	quiet err
	sum_is 10100
	no_batches
	[ -z "$(ls -d incr-drain.* 2>/dev/null)" ]
}

@test "drain: SIGINT that was ignored at start stays ignored" {
	background setsid incr-drain 2>err # bats' own jobs ignore it
	main=$!
	wait_for 5 has_part incr-consume
	wait_for 5 has_part incr-flush
	kill -s INT -- "-$main"
	increments 1 10 | incr-publish
	wait_for 5 has_ready 0
	has_part incr-consume
}

@test "drain: kill -9 of either part makes the other leave; sums stay right" {
	drain
	increments 1 100 | incr-publish
	wait_for 5 has_ready 0
	kill -9 "$(part incr-consume)"
	wait_for 5 session_gone "$main"
	ends_with 111
	drain
	kill -9 "$main"
	wait_for 5 session_gone "$main"
	ends_with 137
	incr-drain -o
	sum_is 5050
	no_batches
}

@test "a Redis that is of no use ends either wiring with 100, as its reader says" {
	redis_start "$sockets/r" --maxmemory 100mb --maxmemory-policy allkeys-lru
	export REDIS_URL=unix://$sockets/r/redis.sock
	run -100 incr-ingest -l "$socket"
	[[ "$output" == *"incr-publish: "*noeviction* ]]
	run -100 incr-drain </dev/null
	[[ "$output" == *"incr-consume: "*noeviction* ]]
}

# slow_shell: one that closes 7 or 8, where there is a child, goes on once a
# child has ended: LD_PRELOAD=./slow.so
slow_shell() {
	cat >slow.c <<-'END'
		#define _GNU_SOURCE
		#include <errno.h>
		#include <string.h>
		#include <sys/syscall.h>
		#include <sys/wait.h>
		#include <unistd.h>
		int close(int fd)
		{
			siginfo_t info;
			if ((fd == 7 || fd == 8) &&
			    strcmp(program_invocation_short_name, "sh") == 0)
				waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
			return (int)syscall(SYS_close, fd);
		}
	END
	"${CC:-cc}" -shared -fPIC -o slow.so slow.c
}

@test "a program that is not there ends the wiring with 100, however early" {
	mkdir bin
	for program in incr-{serve,validate,flush,ingest,drain}; do
		ln -s "$(command -v "$program")" bin/
	done
	for program in incr-publish incr-consume; do
		printf '#!/bin/sh\n[ "$*" = "${*%%--help}" ] || exit 0\nexit 126\n' \
			>"bin/$program"
		chmod +x "bin/$program"
	done
	slow_shell
	preloads=('')
	# Before what a sanitizer has, nothing is preloaded.
	sanitized incr-serve || preloads+=("$PWD/slow.so")
	for preload in "${preloads[@]}"; do
		LD_PRELOAD=$preload run -100 bin/incr-ingest -l "$socket"
		LD_PRELOAD=$preload run -100 bin/incr-drain
	done
}

@test "a wiring that is ended while it starts says nothing" {
	# What it waits for then.
	mkdir bin
	printf '#!/bin/sh\n: >"$0.runs"\nexec sleep infinity\n' >bin/mktemp
	chmod +x bin/mktemp
	for wiring in "incr-ingest -l $socket" incr-drain; do
		rm -f bin/mktemp.runs
		# shellcheck disable=SC2086 # words
		PATH=$PWD/bin:$PATH background setsid $wiring 2>err
		main=$!
		wait_for 10 test -e bin/mktemp.runs
		kill -- "-$main"
		status=0
		wait "$main" || status=$?
		[ "$status" = 143 ]
		[ ! -s err ]
	done
}
