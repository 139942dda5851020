/* Invalid lines: ten are listed, one message says that no more are, and the
 * total follows only then. */
#include "base/log.h"
#include "check.h"
#include "record/invalid_lines.h"

#include <stdlib.h>
#include <unistd.h>

static char said[4096];

/* What n invalid lines of 100 say on standard error. */
static void
run(uint64_t n)
{
	struct invalid_lines l = {0};
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t len;

	if (saved < 0 || pipe(fds) < 0)
		exit(1);
	dup2(fds[1], STDERR_FILENO);
	for (uint64_t i = 1; i <= n; i++)
		invalid_lines_add(&l, 2 * i, FAULT_MISSING_KEY, NULL);
	invalid_lines_end(&l, 100);
	dup2(saved, STDERR_FILENO);
	close(fds[1]);
	close(saved);
	len = read(fds[0], said, sizeof said - 1);
	said[len < 0 ? 0 : len] = '\0';
	close(fds[0]);
	check(l.n == n, "%ju", (uintmax_t)l.n);
}

static unsigned
lines(void)
{
	unsigned n = 0;

	for (const char *at = said; (at = strchr(at, '\n')) != NULL; at++)
		n++;
	return n;
}

int
main(void)
{
	log_name("test");
	run(0);
	check(*said == '\0', "%s", said);
	run(1);
	check(strcmp(said, "test: line 2: missing-key: the member key is "
			   "missing\n") == 0,
	    "%s", said);
	run(10);
	check(lines() == 10 && strstr(said, "line 20: ") != NULL, "%s", said);
	run(11);
	check(lines() == 12 && strstr(said, "line 22: ") == NULL, "%s", said);
	check(
	    strstr(said, "test: further invalid lines are counted, not listed\n"
			 "test: stdin: 11 of 100 lines rejected\n") != NULL,
	    "%s", said);
	run(50);
	check(lines() == 12 && strstr(said, " 50 of 100 ") != NULL, "%s", said);
	return check_end();
}
