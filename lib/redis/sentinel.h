/*
 * What a sentinel is asked: who is the primary?
 * https://redis.io/docs/latest/develop/reference/sentinel-clients/
 */
#ifndef INCR_SENTINEL_H
#define INCR_SENTINEL_H

#include "base/buf.h"
#include "base/reason.h"
#include "base/url.h"
#include "redis/redis.h"

/* Writes AUTH, if the URL says so, and the question to out, which is emptied
 * first.  Returns how many replies will come, or -1 if memory is gone. */
int sentinel_write(const struct url_redis *url, struct buf *out);

enum sentinel_answer {
	SENTINEL_MORE,      /* another reply will come */
	SENTINEL_FOUND,     /* *ret is the primary */
	SENTINEL_UNFIT_NOW, /* no answer to be used; this may pass */
	SENTINEL_UNFIT_LONG /* configuration: a password, no such name, no
			     * sentinel */
};

/* Checks the next reply.  Without SENTINEL_MORE and _FOUND, ret_why is the
 * reason, never with a password. */
enum sentinel_answer sentinel_check(const struct redis_reply *reply,
    struct url_host *ret, char ret_why[REASON_MAX]);

#endif
