/* Remembers that streams come from consumers of this Redis. */
#include "flush/known_stream.h"

#include "base/log.h"
#include "base/url.h"

void
known_stream_open(struct once *o, const char *redis, const char *queue)
{
	struct url_redis url;
	const char *why;

	if (url_parse_redis(redis, &url, &why) == 0 &&
	    buf_addf(&o->place, "stream ") == 0 &&
	    url_add_place(&url, &o->place) == 0 &&
	    buf_addf(&o->place, " %s", queue) == 0)
		once_look(o);
}

void
known_stream_close(struct once *o)
{
	buf_free(&o->place);
}

void
known_stream_note(struct once *o)
{
	once_note(o, ONCE_WORK);
}

int
known_stream_status(const struct once *o)
{
	return o->was[ONCE_WORK] ? EXIT_TEMPFAIL : EXIT_CONFIG;
}
