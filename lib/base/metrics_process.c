/* Measures what this process takes of its machine. */
#include "base/metrics_process.h"

#include <dirent.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics_list.h"
#include "base/num.h"
#include "base/proc.h"

#define FDS "/proc/self/fd"

static double
seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static int
cpu_seconds(double *ret)
{
	struct rusage use;

	if (getrusage(RUSAGE_SELF, &use) < 0)
		return -1;
	*ret = seconds(&use.ru_utime) + seconds(&use.ru_stime);
	return 0;
}

/* Field 2 of statm: pages. */
static int
resident_bytes(double *ret)
{
	char text[256], *pages, *end;
	uint64_t n;

	if (proc_read_file("/proc/self/statm", text, sizeof text) < 0 ||
	    (pages = strchr(text, ' ')) == NULL ||
	    (end = strchr(++pages, ' ')) == NULL)
		return -1;
	*end = '\0';
	if (num_u64(pages, 0, UINT64_MAX, &n) < 0)
		return -1;
	*ret = (double)n * (double)sysconf(_SC_PAGESIZE);
	return 0;
}

/* From Linux 6.2 on the size of the folder is the number of descriptors. */
static int
open_fds(double *ret)
{
	struct stat st;
	const struct dirent *e;
	DIR *d;
	size_t n = 0;

	if (stat(FDS, &st) == 0 && st.st_size > 0) {
		*ret = (double)st.st_size;
		return 0;
	}
	d = opendir(FDS);
	if (d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	*ret = (double)(n - (n > 0)); /* without the one of the folder */
	return 0;
}

static int
max_fds(double *ret)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -1;
	*ret = (double)limit.rlim_cur;
	return 0;
}

/* Found once: it must not move with the machine's clock. */
static int
start_seconds(double *ret)
{
	static double start;
	struct proc p;

	if (start == 0) {
		if (proc_read(getpid(), &p) < 0)
			return -1;
		start = (double)(clock_unix_ms() - clock_ms()) / 1000 +
			(double)p.start_ticks / (double)sysconf(_SC_CLK_TCK);
	}
	*ret = start;
	return 0;
}

size_t
metrics_process(struct metric ret[METRICS_PROCESS])
{
	static const struct {
		struct metric metric;
		int (*find)(double *ret);
	} all[METRICS_PROCESS] = {
	    {{METRIC_PROCESS_CPU}, cpu_seconds},
	    {{METRIC_PROCESS_MEMORY}, resident_bytes},
	    {{METRIC_PROCESS_OPEN_FDS}, open_fds},
	    {{METRIC_PROCESS_MAX_FDS}, max_fds},
	    {{METRIC_PROCESS_START}, start_seconds},
	};
	size_t n = 0;

	for (size_t i = 0; i < METRICS_PROCESS; i++) {
		ret[n] = all[i].metric;
		n += all[i].find(&ret[n].value) == 0;
	}
	return n;
}
