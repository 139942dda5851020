/* Makes the filter of system calls for seccomp(2). */
#include "base/sandbox_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* Those of which the low half of an argument comes first, and clone(2) has its
 * flags there. */
#if defined __x86_64__ && !defined __ILP32__
#define ARCH AUDIT_ARCH_X86_64
#define FOREIGN_ABI UINT32_C(0x40000000) /* x32 */
#elif defined __aarch64__ && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCH AUDIT_ARCH_AARCH64
#elif defined __riscv && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#endif

enum test {
	ALWAYS,
	IF_EQUAL,
	IF_SET,    /* any bit of value */
	IF_CLEAR,  /* all of them */
	IF_GREATER /* than value */
};

/* It is refused, unless the program has one of the needs. */
struct rule {
	uint32_t number;
	unsigned unless;
	enum test test;
	int arg;        /* the argument that is tested, its low 32 bits */
	uint32_t value; /* against this one */
};

/* Beside the needs of sandbox_filter.h. */
enum { LEAK_CHECK = 1 << 16 };

#define REFUSED(name) \
	{ \
		.number = SYS_##name \
	}
#define UNLESS(name, needs) \
	{ \
		.number = SYS_##name, .unless = (needs) \
	}

static const struct rule rules[] = {
    /* Other programs and processes. */
    REFUSED(execve),
    REFUSED(execveat),
    UNLESS(clone3, LEAK_CHECK),
    {.number = SYS_clone,
	.unless = LEAK_CHECK,
	.test = IF_CLEAR,
	.value = CLONE_THREAD},
#ifdef SYS_fork
    UNLESS(fork, LEAK_CHECK),
    UNLESS(vfork, LEAK_CHECK),
#endif
    UNLESS(ptrace, LEAK_CHECK),
    REFUSED(process_vm_readv),
    REFUSED(process_vm_writev),
    REFUSED(kcmp),
#ifdef SYS_pidfd_getfd
    REFUSED(pidfd_getfd),
#endif
#ifdef SYS_process_madvise
    REFUSED(process_madvise),
#endif
    UNLESS(pidfd_send_signal, SANDBOX_SIGNAL),

    /* Sockets.  To look names up, libc binds one of AF_NETLINK. */
    UNLESS(socket, SANDBOX_CONNECT),
    {.number = SYS_socket, .test = IF_GREATER, .value = 16 /* AF_NETLINK */},
    UNLESS(socketpair, SANDBOX_PAIR),
    REFUSED(listen),
    UNLESS(bind, SANDBOX_LIBRARY),
    UNLESS(connect, SANDBOX_CONNECT),
    UNLESS(accept, SANDBOX_ACCEPT),
    UNLESS(accept4, SANDBOX_ACCEPT),

    /* New code. */
    {.number = SYS_mmap,
	.unless = SANDBOX_LIBRARY,
	.test = IF_SET,
	.arg = 2,
	.value = PROT_EXEC},
    {.number = SYS_mprotect,
	.unless = SANDBOX_LIBRARY,
	.test = IF_SET,
	.arg = 2,
	.value = PROT_EXEC},
    {.number = SYS_pkey_mprotect,
	.unless = SANDBOX_LIBRARY,
	.test = IF_SET,
	.arg = 2,
	.value = PROT_EXEC},
    REFUSED(memfd_create),
    REFUSED(personality),

    /* Keys typed into the terminal of whoever started this. */
    {.number = SYS_ioctl, .test = IF_EQUAL, .arg = 1, .value = TIOCSTI},
    {.number = SYS_ioctl, .test = IF_EQUAL, .arg = 1, .value = TIOCLINUX},

    /* The rest of the system. */
    REFUSED(unshare),
    REFUSED(setns),
    REFUSED(mount),
    REFUSED(umount2),
    REFUSED(pivot_root),
    REFUSED(chroot),
#ifdef SYS_move_mount
    REFUSED(move_mount),
    REFUSED(open_tree),
    REFUSED(fsopen),
    REFUSED(fsconfig),
    REFUSED(fsmount),
    REFUSED(fspick),
#endif
#ifdef SYS_mount_setattr
    REFUSED(mount_setattr),
#endif
    REFUSED(name_to_handle_at),
    REFUSED(open_by_handle_at),
#ifdef SYS_io_uring_setup
    REFUSED(io_uring_setup),
    REFUSED(io_uring_enter),
    REFUSED(io_uring_register),
#endif
    REFUSED(bpf),
    REFUSED(perf_event_open),
    REFUSED(userfaultfd),
    UNLESS(keyctl, SANDBOX_KEYRING),
    UNLESS(add_key, SANDBOX_KEYRING),
    UNLESS(request_key, SANDBOX_KEYRING),
    REFUSED(init_module),
    REFUSED(finit_module),
    REFUSED(delete_module),
    REFUSED(kexec_load),
#ifdef SYS_kexec_file_load
    REFUSED(kexec_file_load),
#endif
    REFUSED(reboot),
    REFUSED(swapon),
    REFUSED(swapoff),
    REFUSED(quotactl),
    REFUSED(acct),
    REFUSED(syslog),
    REFUSED(sethostname),
    REFUSED(setdomainname),
    REFUSED(settimeofday),
    REFUSED(clock_settime),
    REFUSED(clock_adjtime),
    REFUSED(adjtimex),
#ifdef SYS_ioperm
    REFUSED(ioperm),
    REFUSED(iopl),
    REFUSED(modify_ldt),
#endif
};

struct filter {
	struct sock_filter *code;
	size_t n;
};

static void refuse_foreign(struct filter *f);
static void refuse(struct filter *f, const struct rule *r);
static void test(struct filter *f, const struct rule *r);
static void add(
    struct filter *f, uint16_t code, uint32_t k, uint8_t yes, uint8_t no);

#define LOAD(field) \
	BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field)

size_t
sandbox_filter_make(unsigned needs, struct sock_filter ret[SANDBOX_FILTER_MAX])
{
	struct filter f = {.code = ret};
	_Static_assert(
	    sizeof rules / sizeof *rules * 5 + 10 <= SANDBOX_FILTER_MAX,
	    "SANDBOX_FILTER_MAX");

	if (SANDBOX_SANITIZED)
		needs |= LEAK_CHECK;
	refuse_foreign(&f);
	if (f.n == 0)
		return 0;
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if ((rules[i].unless & needs) == 0)
			refuse(&f, &rules[i]);
	add(&f, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	return f.n;
}

/* Leaves the number of the call in the accumulator. */
static void
refuse_foreign(struct filter *f)
{
#ifdef ARCH
	add(f, LOAD(arch), 0, 0);
	add(f, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	add(f, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
	add(f, LOAD(nr), 0, 0);
#ifdef FOREIGN_ABI
	add(f, BPF_JMP | BPF_JGE | BPF_K, FOREIGN_ABI, 0, 1);
	add(f, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
#endif
#else
	(void)f;
#endif
}

/* Finds the number in the accumulator, and leaves it there. */
static void
refuse(struct filter *f, const struct rule *r)
{
	int error = r->number == SYS_clone3 ? ENOSYS : EPERM;
	bool asks = r->test != ALWAYS;

	add(f, BPF_JMP | BPF_JEQ | BPF_K, r->number, 0, asks ? 4 : 1);
	if (asks)
		test(f, r);
	add(f, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error, 0, 0);
	if (asks)
		add(f, LOAD(nr), 0, 0);
}

/* Goes on with the next instruction, which refuses, or with the one behind. */
static void
test(struct filter *f, const struct rule *r)
{
	add(f, BPF_LD | BPF_W | BPF_ABS,
	    (uint32_t)(offsetof(struct seccomp_data, args) +
		       (size_t)r->arg * sizeof(uint64_t)),
	    0, 0);
	switch (r->test) {
	case ALWAYS: break;
	case IF_EQUAL: add(f, BPF_JMP | BPF_JEQ | BPF_K, r->value, 0, 1); break;
	case IF_SET: add(f, BPF_JMP | BPF_JSET | BPF_K, r->value, 0, 1); break;
	case IF_CLEAR:
		add(f, BPF_JMP | BPF_JSET | BPF_K, r->value, 1, 0);
		break;
	case IF_GREATER:
		add(f, BPF_JMP | BPF_JGT | BPF_K, r->value, 0, 1);
		break;
	}
}

static void
add(struct filter *f, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	f->code[f->n++] =
	    (struct sock_filter){.code = code, .jt = yes, .jf = no, .k = k};
}
