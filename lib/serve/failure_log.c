/* Limits the messages about failed requests to one a second. */
#include "serve/failure_log.h"

void
failure_log_add(struct failure_log *c, enum http_status status,
    const char *code, const char *why, const struct traceparent *t)
{
	uint64_t others = c->last.status == 0 ? 0 : c->last.others + 1;

	c->last = (struct failure){.status = status,
	    .code = code,
	    .why = why,
	    .trace = *t,
	    .others = others};
}

bool
failure_log_next(struct failure_log *c, int64_t now_ms, struct failure *ret)
{
	if (failure_log_due(c) > now_ms)
		return false;
	if (c->last.status == 0)
		return false;
	*ret = c->last;
	c->last.status = 0;
	if (now_ms < INT64_MAX - FAILURE_LOG_EVERY_MS)
		c->next_ms = now_ms + FAILURE_LOG_EVERY_MS;
	return true;
}

int64_t
failure_log_due(const struct failure_log *c)
{
	return c->last.status == 0 ? INT64_MAX : c->next_ms;
}
