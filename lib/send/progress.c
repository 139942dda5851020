/* Shows how many lines were answered, and how fast. */
#include "send/progress.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"

enum { EVERY_MS = 1000 };

void
progress_open(struct progress *p)
{
	int64_t now_ms = clock_ms();

	*p = (struct progress){
	    .on = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO),
	    .next_ms = now_ms + EVERY_MS,
	    .at_ms = now_ms};
}

int64_t
progress_tick(struct progress *p, int64_t now_ms, uint64_t taken, uint64_t done)
{
	if (!p->on)
		return IO_FOREVER;
	if (now_ms < p->next_ms)
		return p->next_ms;
	log_show("%ju lines taken, %ju answered, %ju/s", (uintmax_t)taken,
	    (uintmax_t)done,
	    (uintmax_t)((done - p->done) * 1000 /
			(uint64_t)(now_ms - p->at_ms)));
	p->done = done;
	p->at_ms = now_ms;
	p->next_ms = now_ms + EVERY_MS;
	return p->next_ms;
}

void
progress_close(struct progress *p)
{
	if (p->on)
		log_show(NULL);
	p->on = false;
}
