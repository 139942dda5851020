/* Keeps the first failure of a flusher. */
#include <stdarg.h>

#include "base/log.h"
#include "flush/flusher.h"

void
flusher_fail(struct flusher *f, int status, const char *fmt, ...)
{
	va_list ap;

	if (f->status != 0)
		return;
	f->status = status;
	va_start(ap, fmt);
	reason_vset(f->why, fmt, ap);
	va_end(ap);
}

void
flusher_check_memory(struct flusher *f, int result)
{
	if (result < 0)
		flusher_fail(f, EXIT_TEMPFAIL, LOG_NO_MEMORY);
}
