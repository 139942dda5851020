/* The filter of system calls, by an interpreter of the few instructions that
 * it has. */
#include "base/sandbox_filter.h"
#include "check.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { ALL = (SANDBOX_PAIR << 1) - 1, BROKEN = -1 };

static struct sock_filter code[SANDBOX_FILTER_MAX];
static size_t n;

/* The errno of the call, 0: it passes. */
static int
judge(const struct seccomp_data *d)
{
	uint32_t a = 0;

	for (size_t at = 0; at < n; at++) {
		const struct sock_filter *c = &code[at];
		bool yes;

		switch (c->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (c->k % 4 != 0 || c->k + sizeof a > sizeof *d)
				return BROKEN;
			memcpy(&a, (const char *)d + c->k, sizeof a);
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K: yes = a == c->k; break;
		case BPF_JMP | BPF_JGE | BPF_K: yes = a >= c->k; break;
		case BPF_JMP | BPF_JGT | BPF_K: yes = a > c->k; break;
		case BPF_JMP | BPF_JSET | BPF_K: yes = (a & c->k) != 0; break;
		case BPF_RET | BPF_K:
			if (c->k == SECCOMP_RET_ALLOW)
				return 0;
			return (c->k & SECCOMP_RET_ACTION_FULL) ==
				       SECCOMP_RET_ERRNO
				   ? (int)(c->k & SECCOMP_RET_DATA)
				   : BROKEN;
		default: return BROKEN;
		}
		at += yes ? c->jt : c->jf;
	}
	return BROKEN; /* the end without a verdict */
}

#if defined __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#define OTHER_ARCH AUDIT_ARCH_I386
#elif defined __aarch64__
#define ARCH AUDIT_ARCH_AARCH64
#define OTHER_ARCH AUDIT_ARCH_ARM
#else
#define ARCH AUDIT_ARCH_RISCV64
#define OTHER_ARCH AUDIT_ARCH_RISCV32
#endif

static int
call(long number, uint64_t first, uint64_t second, uint64_t third)
{
	return judge(&(struct seccomp_data){
	    .nr = (int)number, .arch = ARCH, .args = {first, second, third}});
}

/* Whatever a program needs. */
static const long refused[] = {
    SYS_execve,
    SYS_execveat,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_listen,
    SYS_memfd_create,
    SYS_personality,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_mount,
    SYS_umount2,
    SYS_unshare,
    SYS_setns,
    SYS_pivot_root,
    SYS_chroot,
    SYS_name_to_handle_at,
    SYS_open_by_handle_at,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_quotactl,
    SYS_acct,
    SYS_syslog,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
#ifdef SYS_pidfd_getfd
    SYS_pidfd_getfd,
#endif
#ifdef SYS_process_madvise
    SYS_process_madvise,
#endif
#ifdef SYS_move_mount
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
#endif
#ifdef SYS_mount_setattr
    SYS_mount_setattr,
#endif
#ifdef SYS_io_uring_setup
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
#endif
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_ioperm
    SYS_ioperm,
    SYS_iopl,
    SYS_modify_ldt,
#endif
};

static void
always(void)
{
	static const long passes[] = {SYS_read, SYS_write, SYS_openat,
	    SYS_close, SYS_ppoll, SYS_epoll_pwait, SYS_getrandom, SYS_futex,
	    SYS_brk, SYS_munmap, SYS_mremap, SYS_exit_group, SYS_exit,
	    SYS_renameat, SYS_unlinkat, SYS_tgkill, SYS_kill, SYS_waitid,
	    SYS_rt_sigreturn, SYS_restart_syscall, SYS_sendto, SYS_recvfrom,
	    SYS_rseq, SYS_statx, SYS_clock_gettime, 999 /* of later kernels */};
	const int leak_check = SANDBOX_SANITIZED ? 0 : EPERM;

	for (unsigned needs = 0; needs <= ALL; needs++) {
		n = sandbox_filter_make(needs, code);
		check(n > 0 && n <= SANDBOX_FILTER_MAX, "%zu", n);
		for (size_t i = 0; i < check_n(refused); i++)
			check(call(refused[i], 0, 0, 0) == EPERM, "%ld",
			    refused[i]);
		for (size_t i = 0; i < check_n(passes); i++)
			check(call(passes[i], 0, 0, 0) == 0, "%ld", passes[i]);
		check(call(SYS_ptrace, 0, 0, 0) == leak_check, "ptrace");
		check(call(SYS_clone, SIGCHLD, 0, 0) == leak_check, "clone");
#ifdef SYS_fork
		check(call(SYS_fork, 0, 0, 0) == leak_check, "fork");
		check(call(SYS_vfork, 0, 0, 0) == leak_check, "vfork");
#endif
		check(call(SYS_clone, CLONE_VM | CLONE_THREAD, 0, 0) == 0,
		    "a thread");
		check(call(SYS_clone3, 0, 0, 0) ==
			  (SANDBOX_SANITIZED ? 0 : ENOSYS),
		    "clone3");
		check(call(SYS_ioctl, 0, TIOCSTI, 0) == EPERM, "TIOCSTI");
		check(call(SYS_ioctl, 0, TIOCLINUX, 0) == EPERM, "TIOCLINUX");
		/* The kernel looks at the low half, too. */
		check(
		    call(SYS_ioctl, 0, TIOCSTI | UINT64_C(1) << 32, 0) == EPERM,
		    "TIOCSTI with more");
		check(call(SYS_ioctl, 0, TIOCGWINSZ, 0) == 0, "TIOCGWINSZ");
		check(call(SYS_mmap, 0, 0, PROT_READ | PROT_WRITE) == 0,
		    "memory");
	}
}

static void
needs(void)
{
	static const struct {
		long number;
		uint64_t third;
		unsigned need;
	} cases[] = {{SYS_accept, 0, SANDBOX_ACCEPT},
	    {SYS_accept4, 0, SANDBOX_ACCEPT}, {SYS_socket, 0, SANDBOX_CONNECT},
	    {SYS_bind, 0, SANDBOX_LIBRARY}, {SYS_connect, 0, SANDBOX_CONNECT},
	    {SYS_mmap, PROT_READ | PROT_EXEC, SANDBOX_LIBRARY},
	    {SYS_mprotect, PROT_EXEC, SANDBOX_LIBRARY},
	    {SYS_pkey_mprotect, PROT_EXEC, SANDBOX_LIBRARY},
	    {SYS_keyctl, 0, SANDBOX_KEYRING}, {SYS_add_key, 0, SANDBOX_KEYRING},
	    {SYS_request_key, 0, SANDBOX_KEYRING},
	    {SYS_pidfd_send_signal, 0, SANDBOX_SIGNAL},
	    {SYS_socketpair, 0, SANDBOX_PAIR}};

	for (unsigned given = 0; given <= ALL; given++) {
		n = sandbox_filter_make(given, code);
		for (size_t i = 0; i < check_n(cases); i++)
			check(call(cases[i].number, 1, 0, cases[i].third) ==
				  ((given & cases[i].need) != 0 ? 0 : EPERM),
			    "%u: %ld", given, cases[i].number);
	}
}

/* Families of sockets that carry the lines of nobody here. */
static void
families(void)
{
	n = sandbox_filter_make(SANDBOX_CONNECT, code);
	for (uint64_t family = 1; family < 50; family++)
		check(
		    call(SYS_socket, family, 0, 0) == (family > 16 ? EPERM : 0),
		    "%ju", (uintmax_t)family);
}

static void
foreign(void)
{
	struct seccomp_data d = {.nr = SYS_read, .arch = OTHER_ARCH};

	n = sandbox_filter_make(ALL, code);
	check(judge(&d) == EPERM, "another architecture");
	d.arch = 0;
	check(judge(&d) == EPERM, "none");
#ifdef __x86_64__
	check(call(0x40000000 + SYS_read, 0, 0, 0) == EPERM, "x32");
#endif
}

int
main(void)
{
	always();
	needs();
	families();
	foreign();
	return check_end();
}
