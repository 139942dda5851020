/*
 * clock: a shared object for LD_PRELOAD.  Adds to what a process takes for
 * the time of day as many seconds as the file INCR_CHAOS_CLOCK says: an
 * int64_t, read at every call, so that the clock steps when the file is
 * written.
 * Other clocks (CLOCK_MONOTONIC, CLOCK_BOOTTIME) go on as they are.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t none, *step_s = &none;
static int (*clock_gettime_of_libc)(clockid_t, struct timespec *);

__attribute__((constructor)) static void
find_file(void)
{
	const char *path = getenv("INCR_CHAOS_CLOCK");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	void *there;

	*(void **)&clock_gettime_of_libc = dlsym(RTLD_NEXT, "clock_gettime");
	if (fd < 0)
		return;
	there = mmap(NULL, sizeof *step_s, PROT_READ, MAP_SHARED, fd, 0);
	if (there != MAP_FAILED)
		step_s = there;
	close(fd);
}

int
clock_gettime(clockid_t clock, struct timespec *ret)
{
	int result;

	if (clock_gettime_of_libc == NULL)
		find_file(); /* another constructor was first */
	result = clock_gettime_of_libc(clock, ret);
	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		ret->tv_sec += *step_s;
	return result;
}

int
gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &t) < 0)
		return -1;
	ret->tv_sec = t.tv_sec;
	ret->tv_usec = t.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *ret)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (ret != NULL)
		*ret = t.tv_sec;
	return t.tv_sec;
}
