#!/usr/bin/env bats
# What the programs give up once they have started: tried from inside.

bats_require_minimum_version 1.5.0
load helper

setup() {
	DIR=$BATS_TEST_TMPDIR
	cd "$DIR" || return
	unset INCR_NO_SANDBOX
	echo secret >secret
}

teardown() { end_background; }

# build_tries: inside.so tries on SIGUSR1 what an intruder would, and notes in
# the file INSIDE how each try ended.
build_tries() {
	not sanitized incr-validate || skip "what is preloaded must be first"
	cat >inside.c <<-'END'
		#include <errno.h>
		#include <fcntl.h>
		#include <signal.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <string.h>
		#include <sys/mman.h>
		#include <sys/ptrace.h>
		#include <sys/socket.h>
		#include <sys/syscall.h>
		#include <sys/wait.h>
		#include <unistd.h>

		static int to;

		static void
		note(const char *what, long result)
		{
			dprintf(to, "%s %s\n", what, result < 0 ?
			    strerrorname_np(errno) : "works");
		}

		static void
		try(int sig)
		{
			char *argv[] = {"such", NULL}, name[64];
			void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			long pid;

			(void)sig;
			snprintf(name, sizeof name, "/proc/%d/environ", getppid());
			note("passwd", open("/etc/passwd", O_RDONLY));
			note("read", open("./secret", O_RDONLY));
			note("write", open("./new", O_WRONLY | O_CREAT, 0600));
			note("environ", open(name, O_RDONLY));
			note("socket", socket(AF_INET, SOCK_STREAM, 0));
			note("packet", socket(AF_PACKET, SOCK_RAW, 0));
			note("code", p == MAP_FAILED ? -1 : 0);
			note("trace", ptrace(PTRACE_CONT, getppid(), NULL, NULL));
			pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
			if (pid == 0)
				_exit(0);
			note("fork", pid);
			note("exec", syscall(SYS_execve, "/no/such", argv, argv));
			dprintf(to, "end\n");
		}

		__attribute__((constructor)) static void
		begin(void)
		{
			const char *path = getenv("INSIDE");
			struct sigaction act = {.sa_handler = try,
			    .sa_flags = SA_RESTART};
			int fd = path == NULL ? -1 : open(path, O_WRONLY |
			    O_CREAT | O_APPEND | O_CLOEXEC, 0600);

			if (fd < 0)
				return;
			to = fcntl(fd, F_DUPFD_CLOEXEC, 100);
			close(fd);
			sigaction(SIGUSR1, &act, NULL);
		}
	END
	"${CC:-cc}" -D_GNU_SOURCE -Wall -Werror -shared -fPIC -o inside.so inside.c
}

# A machine without a part of it proves nothing about it.
all_of_it() {
	incr-validate -V | sed 1d >missing
	quiet missing || skip "not run: $(paste -sd ' ' missing)"
}

# tried PID: what was tried in it, on one line
tried() {
	rm -f "$DIR/new"
	: >tries
	kill -USR1 "$1"
	wait_for 5 grep -qx end tries
	grep -vx end tries | paste -sd ' '
}

# field NAME PID: of /proc/PID/status
field() {
	sed -n "s/^$1:	//p" "/proc/$2/status"
}

confined() { [ "$(field Seccomp "$1")" = 2 ] && [ "$(field NoNewPrivs "$1")" = 1 ]; }

refused='passwd EACCES read EACCES write EACCES environ EACCES socket EPERM packet EPERM code EPERM trace EPERM fork EPERM exec EPERM'

@test "incr-validate: no file, no program, no socket, once it has started" {
	build_tries
	all_of_it
	mkfifo in
	exec 7<>in
	INSIDE=$DIR/tries LD_PRELOAD=$DIR/inside.so background incr-validate <in >out 7>&-
	wait_for 5 confined $!
	run tried $!
	[ "$output" = "$refused" ]
	increment 3 >&7
	wait_for 5 grep -q '"value":3' out # and it goes on
	exec 7>&-
	wait $!
}

@test "incr-serve: the same; it accepts connections, and reads its tokens again" {
	build_tries
	all_of_it
	mkdir tokens metrics front back
	incr-token --tokens tokens/file new first >first
	export INCR_METRICS_DIR=$DIR/metrics
	mkfifo ring # each line is its own verdict
	exec 7<>ring
	INSIDE=$DIR/tries LD_PRELOAD=$DIR/inside.so background incr-serve \
		-l ./front/s -l 127.0.0.1:0 --port-file "$DIR/port" \
		--metrics ./back/m --tokens tokens/file --linger 0 <ring >ring 7>&-
	server=$!
	wait_for 5 confined "$server"
	run tried "$server"
	[ "$output" = "$refused" ]

	# A file in the place of another, not the same one.
	incr-token --tokens tokens/file new second >second
	kill -HUP "$server"
	wait_for 5 knows second
	before=$(stat -c %i metrics/incr-serve-*)
	wait_for 10 replaced
	curl -sf --unix-socket back/m http://h/metrics | grep -q '^incr_http'
	exec 7>&-
	kill "$server"
	wait "$server"
	[ -z "$(find front back -type s)" ] # they are removed
}

# knows NAME: it takes an increment with the token of that file
knows() {
	increment 1 | curl -sf -d @- -H "Authorization: Bearer $(cat "$1")" \
		"http://127.0.0.1:$(cat port)/increment"
}

replaced() { [ "$(stat -c %i metrics/incr-serve-*.prom)" != "$before" ]; }

@test "incr-serve --rate-shared: connections to Redis, and no more" {
	build_tries
	all_of_it
	use_redis
	mkfifo ring
	exec 7<>ring
	INSIDE=$DIR/tries LD_PRELOAD=$DIR/inside.so background incr-serve \
		-l ./s --rate 5/s --rate-shared <ring >ring 7>&-
	wait_for 5 confined $!
	run tried $!
	[ "$output" = "$(of_clients)" ]
	exec 7>&-
	kill $!
}

# of_clients: what those are refused that make connections
of_clients() { sed 's/socket EPERM/socket works/' <<<"$refused"; }

# of_names: and also look names up
of_names() {
	of_clients | sed 's/passwd EACCES/passwd works/; s/code EPERM/code works/'
}

@test "incr-publish, incr-consume, incr-flush: they write no file, run no program" {
	build_tries
	all_of_it
	use_redis
	use_postgres
	mkdir metrics
	export INCR_METRICS_DIR=$DIR/metrics INSIDE=$DIR/tries
	mkfifo in stream
	exec 7<>in 8<>stream
	for command in 'incr-publish <in' 'incr-consume >stream 8>&-' \
		'incr-flush -i 0.1 <stream 8>&-'; do
		background env LD_PRELOAD="$DIR/inside.so" \
			sh -c "exec $command" 7>&-
		wait_for 5 confined $!
		run tried $!
		case $command in
		*flush*) [ "$output" = "$(of_names | sed 's/read EACCES/read works/')" ] ;;
		*) [ "$output" = "$(of_clients)" ] ;;
		esac
	done
	# And they go on, over connections that they make now.
	increment 3 >&7
	wait_for 10 sum_is 3
	exec 7>&- 8>&-
}

@test "incr-send: connections to the names of hosts, its metrics, no other file" {
	build_tries
	all_of_it
	mkdir metrics
	mkfifo ring in
	exec 7<>ring 8<>in
	background incr-serve -l 127.0.0.1:0 --port-file "$DIR/port" --linger 0 \
		<ring >ring 7>&- 8>&-
	wait_for 5 test -s port
	for host in localhost "$(hostname)"; do
		# libcurl knows localhost by itself.
		getent ahosts "$host" >/dev/null || continue
		INCR_METRICS_DIR=$DIR/metrics INSIDE=$DIR/tries \
			LD_PRELOAD=$DIR/inside.so background incr-send \
			-u "http://$host:$(cat port)/increment" -w 0 \
			--no-keys <in >out 2>err 7>&- 8>&-
		wait_for 5 confined $!
		run tried $!
		[ "$output" = "$(of_names)" ]
		increment 3 >&8
		# A name of this machine may be that of another address.
		if [ "$host" = localhost ]; then
			wait_for 10 grep -q '"value":3' out
		else
			wait_for 10 test -s out
			not grep -i 'resolve\|getaddrinfo' err
		fi
		kill $!
		wait $! || :
	done
	[ -n "$(find metrics -name 'incr-send-*.prom')" ]
	exec 7>&- 8>&-
}

# on_terminal COMMAND...: in one of its own, into which it types what comes in
on_terminal() { script -qefc "$*" /dev/null; }

@test "incr-top: a folder is read and no socket made; a URL is asked" {
	local place
	build_tries
	all_of_it
	mkdir metrics
	mkfifo ring keys
	exec 7<>ring 8<>keys
	INCR_METRICS_DIR=$DIR/metrics background incr-serve -l ./s \
		--metrics 127.0.0.1:0 --port-file "$DIR/port" --linger 0 \
		<ring >ring 7>&- 8>&-
	wait_for 5 test -s port
	for place in "$DIR/metrics" "http://127.0.0.1:$(head -n 1 port)/metrics" \
		"http://localhost:$(head -n 1 port)/metrics"; do
		: >picture
		INSIDE=$DIR/tries TERM=xterm background on_terminal exec env \
			LD_PRELOAD="$DIR/inside.so" incr-top --every 0.2 "$place" \
			<keys >picture 7>&- 8>&-
		wait_for 10 grep -q incr-serve picture
		top=$(pgrep -P "$(pgrep -P $! -x script || echo $!)" -x incr-top)
		confined "$top"
		run tried "$top"
		case $place in
		http*) [ "$output" = "$(of_names)" ] ;;
		*) [ "$output" = "$refused" ] ;;
		esac
		printf q >&8
		wait $!
	done
	exec 7>&- 8>&-
}

@test "incr-top: a folder in the place of that of its start is named" {
	all_of_it
	mkdir metrics new
	echo 'incr_queue_ready{queue="a",program="x",host="h",pid="1"} 3' >metrics/x.prom
	cp metrics/x.prom new
	mkfifo keys
	exec 8<>keys
	TERM=xterm background on_terminal exec incr-top --every 0.2 metrics \
		<keys >picture 8>&-
	wait_for 10 grep -q ready picture
	mv metrics old
	mv new metrics
	wait_for 10 grep -q 'metrics: replaced since the start' picture
	printf q >&8
	wait $!
	exec 8>&-
}

@test "a name is looked up, and a file of a URL read again, from inside" {
	all_of_it
	use_redis
	increment 3 >in
	run -111 incr-publish -r redis://localhost:1/ -w 0.1 <in
	[[ "$output" == *'connect: Connection refused'* ]]

	# The password comes later, in a file that takes the place of another.
	redis_start "$DIR/r" --requirepass right
	remember "$(cat r/redis.pid)"
	mkdir urls
	echo "unix://:right@$DIR/r/redis.sock" >urls/url
	mkfifo lines
	exec 7<>lines
	background incr-publish -r @urls/url <lines 2>err 7>&-
	increment 3 >&7
	password=right
	wait_for 5 pushed 1
	with_password config set requirepass other >/dev/null
	password=other
	echo "unix://:other@$DIR/r/redis.sock" >urls/new
	mv urls/new urls/url
	with_password client kill type normal >/dev/null
	increment 4 >&7
	wait_for 10 pushed 2
	exec 7>&-
}

# pushed N: so many messages are ready at the Redis of r
pushed() {
	[ "$(with_password llen "rmq::queue::[$INCR_QUEUE]::ready")" = "$1" ]
}

with_password() {
	redis-cli -s r/redis.sock --no-auth-warning -a "$password" "$@"
}

@test "--no-sandbox, INCR_NO_SANDBOX: all of it works, and --version says so" {
	build_tries
	mkfifo in
	exec 7<>in
	for option in --no-sandbox --; do
		[ "$option" = --no-sandbox ] || export INCR_NO_SANDBOX=1
		INSIDE=$DIR/tries LD_PRELOAD=$DIR/inside.so \
			background incr-validate "$option" <in >out 7>&-
		increment 3 >&7
		wait_for 5 grep -q '"value":3' out
		[ "$(field Seccomp $!)" = "$(field Seccomp $$)" ]
		run tried $!
		[[ "$output" =~ ^'passwd works read works write works environ works socket works '.*' code works trace ESRCH fork works exec ENOENT'$ ]]
		kill -9 $!
	done
	[ "$(incr-validate -V | sed 1d)" = 'sandbox: off (--no-sandbox)' ]
	INCR_NO_SANDBOX=0 incr-validate -V >version
	not grep -q no-sandbox version
}

# build_lacking: lacking ERRNO COMMAND... is a kernel, or a container, without
# landlock, seccomp and capset: all fail with ERRNO
build_lacking() {
	cat >lacking.c <<-'END'
		#include <linux/filter.h>
		#include <linux/seccomp.h>
		#include <stdlib.h>
		#include <sys/prctl.h>
		#include <sys/syscall.h>
		#include <unistd.h>

		int
		main(int argc, char **argv)
		{
			unsigned error = (unsigned)atoi(argv[1]);
			struct sock_filter code[] = {
			    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
			    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 444, 2, 0),
			    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_capset, 1, 0),
			    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 1),
			    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
			    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
			struct sock_fprog prog = {6, code};

			(void)argc;
			if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
				return 1;
			execvp(argv[2], argv + 2);
			return 1;
		}
	END
	"${CC:-cc}" -Wall -Werror -o lacking lacking.c
}

@test "a kernel without landlock, seccomp, capset: it goes on, and --version says why" {
	local error why
	build_lacking
	while read -r error why; do
		run -0 ./lacking "$error" incr-validate -V
		[[ "${lines[0]}" =~ ^'incr-validate '[0-9.]+$ ]]
		[ "${lines[1]}" = "sandbox: no landlock: $why" ]
		[ "${lines[2]}" = "sandbox: no seccomp: $why" ]
		[ "${lines[3]}" = "sandbox: no capset: $why" ]
		increment 3 | ./lacking "$error" incr-validate >out 2>err
		grep -q '"value":3' out
		quiet err
	done <<-'END'
		38 Function not implemented
		95 Operation not supported
		1 Operation not permitted
	END
	# As under the units, who has no capability needs no capset.
	run -0 setpriv --bounding-set -all ./lacking 1 incr-validate -V
	[[ "$output" != *capset* ]]
}
