/* Gives up files and system calls, with landlock and seccomp. */
#include "base/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/url.h"

/*
 * Of linux/landlock.h, which in Debian 12 is of Linux 6.1 and ends with REFER.
 * The numbers of the calls are the same on all machines.
 */
enum {
	CREATE_RULESET = 444,
	ADD_RULE = 445,
	RESTRICT_SELF = 446,
	RULESET_VERSION = 1 << 0,
	RULE_PATH_BENEATH = 1
};

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

struct path_beneath {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

enum fs_right {
	EXECUTE = 1 << 0,
	WRITE_FILE = 1 << 1,
	READ_FILE = 1 << 2,
	READ_DIR = 1 << 3,
	REMOVE_FILE = 1 << 5,
	MAKE_REG = 1 << 8,
	FIRST_RIGHTS = (1 << 13) - 1, /* those of ABI 1 */
	REFER = 1 << 13,              /* ABI 2 */
	TRUNCATE = 1 << 14,           /* ABI 3 */
	IOCTL_DEV = 1 << 15           /* ABI 5 */
};

enum net_right { BIND_TCP = 1 << 0, CONNECT_TCP = 1 << 1 }; /* ABI 4 */

enum scope { ABSTRACT_SOCKET = 1 << 0, SIGNAL = 1 << 1 }; /* ABI 6 */

static const uint64_t rights[SANDBOX_USES] = {
    [SANDBOX_READ] = READ_FILE | READ_DIR,
    [SANDBOX_REPLACE] =
	READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | MAKE_REG | REMOVE_FILE,
    [SANDBOX_REMOVE] = REMOVE_FILE};

static void allow_own(struct sandbox *s);
static int drop_capabilities(unsigned needs);
static int restrict_files(const struct sandbox *s);
static struct ruleset_attr handled(unsigned needs, long abi);
static int add_rules(const struct sandbox *s, int ruleset, uint64_t fs);
static int restrict_calls(unsigned needs);

void
sandbox_folder(struct sandbox *s, const char *path, enum sandbox_use use)
{
	int fd;

	if (s->off || path == NULL || *path == '\0' ||
	    s->n == SANDBOX_FOLDERS_MAX)
		return;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	s->folders[s->n].fd = fd;
	s->folders[s->n++].use = use;
}

void
sandbox_file(struct sandbox *s, const char *path, enum sandbox_use use)
{
	char *copy, *target;

	if (s->off || path == NULL || *path == '\0')
		return;
	copy = strdup(path);
	if (copy != NULL)
		sandbox_folder(s, dirname(copy), use);
	free(copy);
	target = realpath(path, NULL);
	if (target != NULL)
		sandbox_folder(s, dirname(target), use);
	free(target);
}

/*
 * libc loads what /etc/nsswitch.conf names, and reads the file of servers
 * again when it has changed, which may be a link; libssl has its certificates
 * in /etc/ssl and /usr, or where the variables say.
 */
void
sandbox_names(struct sandbox *s)
{
	static const char *const folders[] = {"/etc", "/usr", "/lib", "/lib64",
	    "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager",
	    "/run/nscd", "/var/lib/sss"};

	s->needs |= SANDBOX_CONNECT | SANDBOX_LIBRARY;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		sandbox_folder(s, folders[i], SANDBOX_READ);
	sandbox_file(s, "/etc/resolv.conf", SANDBOX_READ);
	sandbox_file(s, getenv("SSL_CERT_FILE"), SANDBOX_READ);
	sandbox_folder(s, getenv("SSL_CERT_DIR"), SANDBOX_READ);
}

void
sandbox_redis(struct sandbox *s, const char *url)
{
	struct url_redis u;
	const char *why;

	if (s->off || url_parse_redis(url, &u, &why) < 0)
		return;
	s->needs |= SANDBOX_CONNECT;
	if (url_has_names(&u))
		sandbox_names(s);
	sandbox_file(s, u.cacert, SANDBOX_READ);
	sandbox_file(s, u.cert, SANDBOX_READ);
	sandbox_file(s, u.key, SANDBOX_READ);
}

struct sandbox_off
sandbox_enter(struct sandbox *s)
{
	struct sandbox_off off = {0};

	if (s->off)
		return off;
	allow_own(s);
	if (drop_capabilities(s->needs) < 0)
		off.capset = errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || restrict_files(s) < 0)
		off.landlock = errno;
	if (restrict_calls(s->needs) < 0)
		off.seccomp = errno;
	while (s->n > 0)
		close(s->folders[--s->n].fd);
	return off;
}

/* It is tried again if it is not there: then the folder above it. */
static void
allow_metrics(struct sandbox *s, const char *path)
{
	size_t before = s->n;

	sandbox_folder(s, path, SANDBOX_REPLACE);
	if (s->n == before && path != NULL && *path != '\0' &&
	    errno == ENOENT) {
		char *copy = strdup(path);

		if (copy != NULL)
			sandbox_folder(s, dirname(copy), SANDBOX_REPLACE);
		free(copy);
	}
}

/* What base/metrics.h and base/once.h have, whose marks are in the first folder
 * of several; the end of a process is seen in /proc. */
static void
allow_own(struct sandbox *s)
{
	const char *metrics = getenv("INCR_METRICS_DIR");
	const char *runtime = getenv("RUNTIME_DIRECTORY");
	bool connects = (s->needs & SANDBOX_CONNECT) != 0;
	char *first;

	allow_metrics(s, metrics);
	if (connects || metrics != NULL)
		sandbox_folder(s, "/proc", SANDBOX_READ);
	if (!connects || runtime == NULL)
		return;
	first = strndup(runtime, strcspn(runtime, ":"));
	sandbox_folder(s, first, SANDBOX_REPLACE);
	free(first);
}

/* Root goes on reading and writing the files of others, which landlock limits.
 * With CAP_PERFMON it could read the memory of every process through /proc.  0,
 * or -1 with errno. */
static int
drop_capabilities(unsigned needs)
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3],
	    were[_LINUX_CAPABILITY_U32S_3];
	uint32_t kept = 1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH;

	if ((needs & SANDBOX_SIGNAL) != 0)
		kept |= 1U << CAP_KILL;
	if (syscall(SYS_capget, &head, sets) < 0)
		return -1;
	memcpy(were, sets, sizeof were);
	sets[0].effective &= kept;
	sets[0].permitted &= kept;
	sets[0].inheritable = 0;
	memset(&sets[1], 0, sizeof sets[1]);
	/* A filter of systemd's may refuse the call to who has none anyway. */
	return memcmp(were, sets, sizeof were) == 0
		   ? 0
		   : (int)syscall(SYS_capset, &head, sets);
}

/* -- landlock ------------------------------------------------------------ */

/* 0, or -1 with errno. */
static int
restrict_files(const struct sandbox *s)
{
	long abi = syscall(CREATE_RULESET, NULL, 0, RULESET_VERSION);
	struct ruleset_attr attr = handled(s->needs, abi);
	size_t size = abi < 4   ? sizeof attr.fs
		      : abi < 6 ? 2 * sizeof attr.fs
				: sizeof attr;
	int ruleset, saved;
	long result;

	if (SANDBOX_SANITIZED && abi >= 0) {
		errno = ENOTSUP;
		return -1;
	}
	if (abi < 0)
		return -1;
	ruleset = (int)syscall(CREATE_RULESET, &attr, size, 0);
	if (ruleset < 0)
		return -1;
	result = add_rules(s, ruleset, attr.fs);
	if (result == 0)
		result = syscall(RESTRICT_SELF, ruleset, 0);
	saved = errno;
	close(ruleset);
	errno = saved;
	return (int)result;
}

/* What is refused where no rule allows it, as far as the kernel can. */
static struct ruleset_attr
handled(unsigned needs, long abi)
{
	struct ruleset_attr a = {
	    .fs = FIRST_RIGHTS, .net = BIND_TCP, .scoped = 0};

	if (abi >= 2)
		a.fs |= REFER;
	if (abi >= 3)
		a.fs |= TRUNCATE;
	if (abi >= 5)
		a.fs |= IOCTL_DEV;
	if ((needs & SANDBOX_CONNECT) == 0) {
		a.net |= CONNECT_TCP;
		a.scoped |= ABSTRACT_SOCKET;
	}
	if ((needs & SANDBOX_SIGNAL) == 0)
		a.scoped |= SIGNAL;
	return a;
}

static int
add_rules(const struct sandbox *s, int ruleset, uint64_t fs)
{
	for (size_t i = 0; i < s->n; i++) {
		struct path_beneath rule = {
		    .allowed = rights[s->folders[i].use] & fs,
		    .fd = s->folders[i].fd};

		if (syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
			return -1;
	}
	return 0;
}

/* -- seccomp ------------------------------------------------------------- */

/* 0, or -1 with errno.  Programs that run no code of others need no defence
 * against guessing by time, which an older kernel would make them pay for. */
static int
restrict_calls(unsigned needs)
{
	struct sock_filter code[SANDBOX_FILTER_MAX];
	size_t n = sandbox_filter_make(needs, code);
	struct sock_fprog prog = {.len = (unsigned short)n, .filter = code};

	if (n == 0) {
		errno = ENOTSUP;
		return -1;
	}
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		   SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog) == 0
		   ? 0
		   : -1;
}
