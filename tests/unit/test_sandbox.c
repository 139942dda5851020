/* What can be done inside of the sandbox, tried by child processes. */
#include "base/sandbox.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char top[] = "/tmp/test_sandbox.XXXXXX";

/* 0, or the errno of what could not be opened. */
static int
opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* 0, or the errno of a call's result. */
#define TRY(call) ((call) < 0 ? errno : 0)

static int
maps_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static bool
is_on(const char *what, int error)
{
	if (error != 0)
		fprintf(stderr, "%s: not run: %s\n", what, strerror(error));
	return error == 0;
}

/* -- what children do ----------------------------------------------------- */

static void
calls(const struct sandbox *wanted)
{
	char *const argv[] = {"true", NULL};
	struct sandbox s = *wanted;
	struct sandbox_off off = sandbox_enter(&s);

	check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "no new privileges");
	if (!is_on("seccomp", off.seccomp))
		return;
	check(TRY(execve("/bin/true", argv, argv)) == EPERM, "execve");
	check(TRY(socket(AF_INET, SOCK_STREAM, 0)) == EPERM, "socket");
	check(TRY(socket(AF_UNIX, SOCK_STREAM, 0)) == EPERM, "socket");
	check(TRY(accept(-1, NULL, NULL)) == EPERM, "accept");
	check(maps_code() == EPERM, "code");
	if (SANDBOX_SANITIZED)
		return;
	check(TRY(ptrace(PTRACE_TRACEME, 0, NULL, NULL)) == EPERM, "ptrace");
	check(TRY(fork()) == EPERM, "fork");
}

static void *
note(void *arg)
{
	*(bool *)arg = true;
	return NULL;
}

static void
connects(const struct sandbox *wanted)
{
	struct sandbox s = *wanted;
	struct sandbox_off off = sandbox_enter(&s);
	pthread_t thread;
	bool ran = false;

	if (is_on("seccomp", off.seccomp)) {
		check(opens("/etc/passwd", O_RDONLY) != EPERM, "still EACCES");
		check(TRY(socket(AF_INET, SOCK_STREAM, 0)) == 0, "socket");
		check(TRY(socket(AF_PACKET, SOCK_RAW, 0)) == EPERM, "packet");
		check(TRY(accept(-1, NULL, NULL)) == EPERM, "accept");
		check(maps_code() == 0, "code");
	}
	check(pthread_create(&thread, NULL, note, &ran) == 0 &&
		  pthread_join(thread, NULL) == 0 && ran,
	    "a thread");
}

static void
files(const struct sandbox *wanted)
{
	struct sandbox s = *wanted;
	struct sandbox_off off;
	char stat_of[64], environ_of[64];
	long abi = syscall(444, NULL, 0, 1); /* of landlock */

	snprintf(stat_of, sizeof stat_of, "/proc/%d/stat", (int)getppid());
	snprintf(
	    environ_of, sizeof environ_of, "/proc/%d/environ", (int)getppid());
	check(opens(environ_of, O_RDONLY) == 0, "before");
	setenv("INCR_METRICS_DIR", "metrics", 1);
	sandbox_file(&s, "tokens/file", SANDBOX_READ);
	sandbox_file(&s, "links/link", SANDBOX_READ);
	sandbox_folder(&s, "sockets", SANDBOX_REMOVE);
	sandbox_folder(&s, "missing", SANDBOX_REPLACE);
	sandbox_folder(&s, NULL, SANDBOX_REPLACE);
	sandbox_file(&s, "", SANDBOX_REPLACE);
	off = sandbox_enter(&s);
	if (!is_on("landlock", off.landlock))
		return;
	check(opens("/etc/passwd", O_RDONLY) == EACCES, "passwd");
	check(opens("other/file", O_RDONLY) == EACCES, "other");
	check(opens("other", O_RDONLY) == EACCES, "a folder");
	check(opens("new", O_WRONLY | O_CREAT) == EACCES, "new");
	check(abi < 3 || TRY(truncate("other/file", 0)) == EACCES, "truncate");
	check(abi < 6 || TRY(kill(getppid(), 0)) == EPERM, "a signal");
	check(TRY(kill(getpid(), 0)) == 0, "to itself");

	check(opens("metrics/a.new", O_WRONLY | O_CREAT | O_TRUNC) == 0,
	    "a.new: %s", strerror(errno));
	check(TRY(rename("metrics/a.new", "metrics/a")) == 0, "rename");
	check(opens("metrics/a", O_RDONLY) == 0, "read");
	check(opens("metrics", O_RDONLY | O_DIRECTORY) == 0, "list");
	check(TRY(unlink("metrics/a")) == 0, "unlink");
	check(TRY(rename("metrics/b", "sockets/b")) != 0, "out of the folder");
	check(TRY(symlink("/etc", "metrics/etc")) == EACCES, "symlink");

	check(opens("tokens/file", O_RDONLY) == 0, "tokens");
	check(opens("tokens/file", O_WRONLY) == EACCES, "write tokens");
	check(opens("tokens/new", O_WRONLY | O_CREAT) == EACCES, "new tokens");
	check(opens("target/file", O_RDONLY) == 0, "where the link leads");

	check(opens("sockets/file", O_RDONLY) == EACCES, "read");
	check(TRY(unlink("sockets/file")) == 0, "remove");

	check(opens("/proc/self/stat", O_RDONLY) == 0, "proc");
	check(opens(stat_of, O_RDONLY) == 0, "of another");
	check(opens(environ_of, O_RDONLY) == EACCES, "environment of another");
	check(opens("/proc/self/comm", O_WRONLY) == EACCES, "write");
}

/* Without metrics nothing of /proc is needed. */
static void
nothing(const struct sandbox *wanted)
{
	struct sandbox s = *wanted;
	struct sandbox_off off;

	unsetenv("INCR_METRICS_DIR");
	off = sandbox_enter(&s);
	if (!is_on("landlock", off.landlock))
		return;
	check(opens("/proc/self/stat", O_RDONLY) == EACCES, "proc");
	check(opens("metrics", O_RDONLY) == EACCES, "metrics");
	check(opens("/", O_RDONLY) == EACCES, "root");
}

static void
debugged(const struct sandbox *wanted)
{
	struct sandbox s = *wanted;
	struct sandbox_off off;

	s.off = true;
	sandbox_folder(&s, ".", SANDBOX_READ);
	off = sandbox_enter(&s);
	check(off.landlock == 0 && off.seccomp == 0, "nothing is missing");
	check(opens("/etc/passwd", O_RDONLY) == 0, "passwd");
	check(TRY(socket(AF_UNIX, SOCK_STREAM, 0)) == 0, "socket");
	check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0, "new privileges");
}

/* A container's own filter answers in front of the kernel. */
static void
contained(const struct sandbox *wanted)
{
	struct sandbox s = *wanted;
	struct sandbox_off off;
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 444, 1, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, 0x00050000 | EPERM),
	    BPF_STMT(BPF_RET | BPF_K, 0x7fff0000),
	};
	struct sock_fprog prog = {.len = check_n(code), .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, 2, &prog) < 0)
		return;
	off = sandbox_enter(&s);
	check(off.landlock == EPERM, "%s", strerror(off.landlock));
	check(off.seccomp == EPERM, "%s", strerror(off.seccomp));
	check(opens("/etc/passwd", O_RDONLY) == 0, "it goes on");
}

/* ------------------------------------------------------------------------- */

/* In a process of its own. */
static void
inside(void (*act)(const struct sandbox *), unsigned needs, const char *name)
{
	struct sandbox s = {.needs = needs};
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		check_failed = 0;
		act(&s);
		_exit(check_failed > 0);
	}
	check(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0,
	    "%s: %d", name, status);
}

static void
put(const char *path)
{
	check(opens(path, O_WRONLY | O_CREAT) == 0, "%s", path);
}

static void
make_folders(void)
{
	static const char *const folders[] = {
	    "metrics", "tokens", "links", "sockets", "target", "other"};

	check(mkdtemp(top) != NULL && chdir(top) == 0, "%s", top);
	for (size_t i = 0; i < check_n(folders); i++)
		check(mkdir(folders[i], 0700) == 0, "%s", folders[i]);
	put("metrics/b");
	put("tokens/file");
	put("sockets/file");
	put("target/file");
	put("other/file");
	check(symlink("../target/file", "links/link") == 0, "link");
}

int
main(void)
{
	char command[64];

	make_folders();
	inside(calls, 0, "calls");
	inside(connects, SANDBOX_CONNECT | SANDBOX_LIBRARY, "connects");
	inside(files, 0, "files");
	inside(nothing, 0, "nothing");
	inside(debugged, 0, "debugged");
	inside(contained, 0, "contained");
	snprintf(command, sizeof command, "rm -rf %s", top);
	check(system(command) == 0, "%s", command);
	return check_end();
}
