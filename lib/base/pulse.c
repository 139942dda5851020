/* Watches the context switches of another process. */
#include "base/pulse.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_BYTES = 8192 };

static int read_turns(int fd, uint64_t *ret);

void
pulse_open(struct pulse *p, pid_t pid)
{
	char path[64];

	*p = (struct pulse){.fd = -1};
	if (pid == 0)
		return;
	snprintf(path, sizeof path, "/proc/%jd/status", (intmax_t)pid);
	p->fd = open(path, O_RDONLY | O_CLOEXEC);
	p->open = p->fd >= 0;
}

bool
pulse_stands(struct pulse *p, int64_t now_ms)
{
	uint64_t turns;

	if (!p->open)
		return false;
	if (now_ms >= p->next_ms) {
		p->next_ms = now_ms + PULSE_LOOK_MS;
		if (read_turns(p->fd, &turns) < 0 || turns == 0 ||
		    turns != p->turns) {
			p->seen_ms = now_ms;
			p->turns = turns;
		}
	}
	return now_ms - p->seen_ms >= PULSE_MS;
}

static int
read_turns(int fd, uint64_t *ret)
{
	char text[STATUS_BYTES];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	*ret = 0;
	if (n <= 0)
		return -1;
	text[n] = '\0';
	return pulse_parse(text, ret);
}

int
pulse_parse(const char *status, uint64_t *ret)
{
	static const char *const names[] = {
	    "\nvoluntary_ctxt_switches:", "\nnonvoluntary_ctxt_switches:"};

	*ret = 0;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *at = strstr(status, names[i]);
		unsigned long long n;
		char *end;

		if (at == NULL)
			return -1;
		at += strlen(names[i]);
		n = strtoull(at, &end, 10);
		if (end == at)
			return -1;
		*ret += n;
	}
	return 0;
}
