#include "serve/failure_log.h"

void
complaint_add(struct complaints *c, uint16_t status, const char *code,
    const struct trace *t)
{
	uint64_t others = c->last.status == 0 ? 0 : c->last.others + 1;

	c->last = (struct complaint){
	    .status = status, .code = code, .trace = *t, .others = others};
}

bool
complaint_next(struct complaints *c, int64_t now_ms, struct complaint *ret)
{
	if (complaint_due(c) > now_ms)
		return false;
	if (c->last.status == 0)
		return false;
	*ret = c->last;
	c->last.status = 0;
	if (now_ms < INT64_MAX - COMPLAINT_EVERY_MS)
		c->next_ms = now_ms + COMPLAINT_EVERY_MS;
	return true;
}

int64_t
complaint_due(const struct complaints *c)
{
	return c->last.status == 0 ? INT64_MAX : c->next_ms;
}
