/* When incr-flush counts its metrics again. */
#include "flush/flush_metrics.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "check.h"

static struct flusher f;
static int64_t now_ms = INT64_MAX / 2; /* of the file, of no value */

/* How long the program may sleep a second later. */
static int64_t
slept_ms(bool count)
{
	now_ms += 1000;
	if (count)
		flush_metrics_count(&f);
	return flush_metrics_tick(now_ms) - now_ms;
}

/* The staleness grows although nothing happens.  (Redis may not answer: else
 * incr-flush asks it four times a second, and counts then.) */
static void
test_staleness(void)
{
	struct window *w = &f.windows[0];

	(void)slept_ms(true);
	check(slept_ms(true) > 1000, "nothing waits");
	w->open = true;
	w->oldest_ms = clock_ms() - 500;
	(void)slept_ms(true); /* it is another value */
	check(slept_ms(false) == 1000, "it waits");
	check(slept_ms(false) == 1000, "it goes on waiting");
	w->open = false;
	(void)slept_ms(true);
	check(slept_ms(true) > 1000, "nothing waits any more");
}

static void
remove_folder(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	check(d != NULL, "%s", path);
	while (d != NULL && (e = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	check(rmdir(path) == 0, "%s", path);
}

int
main(void)
{
	char path[] = "/tmp/incr-metrics.XXXXXX";

	check(mkdtemp(path) != NULL && setenv("INCR_METRICS_DIR", path, 1) == 0,
	    "%s", path);
	check(flush_metrics_open("incr-flush") == 0, "%s", path);
	test_staleness();
	metrics_close();
	remove_folder(path);
	return check_end();
}
