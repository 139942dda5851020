/* Says whether a batch goes into a window, and what must be known first. */
#include "flush/placement.h"

static enum placement add(const struct placement_facts *f);
static bool continues(
    const struct window *w, const struct control_checkpoint *b);
static enum placement look(const struct placement_facts *f);

enum placement
placement_of(const struct placement_facts *f)
{
	const struct control_checkpoint *b = f->batch;
	const struct placement_row *r = f->row;
	bool known = r->known && id_equal(&r->consumer, &b->consumer);

	if (!f->registered) {
		if (!id_equal(f->asked, &b->consumer))
			return f->may_ask ? PLACEMENT_ASK : PLACEMENT_WAIT;
		if (!known)
			return look(f);
		if (b->seq > r->row)
			return PLACEMENT_FOREIGN;
	}
	if (!b->adopted)
		return add(f);
	if (!known)
		return look(f);
	if (b->seq <= r->row)
		return PLACEMENT_ACKNOWLEDGE;
	return b->seq == r->last + 1 ? add(f) : look(f);
}

static enum placement
add(const struct placement_facts *f)
{
	if (!f->filling->open || continues(f->filling, f->batch))
		return PLACEMENT_ADD;
	return f->committer_idle ? PLACEMENT_CLOSE : PLACEMENT_WAIT;
}

/* Is b the next batch of w? */
static bool
continues(const struct window *w, const struct control_checkpoint *b)
{
	return w->adopted == b->adopted &&
	       id_equal(&w->consumer, &b->consumer) && w->last + 1 == b->seq &&
	       w->log.len / sizeof(struct increment) < WINDOW_LOG_MAX;
}

/* A row is read only when every batch that was placed is in the table. */
static enum placement
look(const struct placement_facts *f)
{
	if (!f->committer_idle)
		return PLACEMENT_WAIT;
	return f->filling->open ? PLACEMENT_CLOSE : PLACEMENT_LOOK;
}
