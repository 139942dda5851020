/* Decides when trouble with a service is said and when it is too long. */
#include "base/outage.h"

#include "base/io.h"
#include "base/num.h"

static int64_t end_of(const struct outage *o, int64_t wait_ms);

enum outage_action
outage_step(struct outage *o, int64_t wait_ms, int64_t now_ms)
{
	if (o->since_ms == 0) {
		o->said = false;
		return OUTAGE_QUIET;
	}
	if (now_ms >= end_of(o, wait_ms))
		return OUTAGE_GIVE_UP;
	if (!o->explained || o->said || now_ms < o->since_ms + OUTAGE_SAY_MS)
		return OUTAGE_QUIET;
	o->said = true;
	return OUTAGE_SAY;
}

int64_t
outage_due(const struct outage *o, int64_t wait_ms)
{
	if (o->since_ms == 0)
		return IO_FOREVER;
	if (o->explained && !o->said)
		return num_min(o->since_ms + OUTAGE_SAY_MS, end_of(o, wait_ms));
	return end_of(o, wait_ms);
}

static int64_t
end_of(const struct outage *o, int64_t wait_ms)
{
	return wait_ms == IO_FOREVER ? IO_FOREVER : o->since_ms + wait_ms;
}
