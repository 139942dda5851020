/* Says whether a batch goes into a window, and what must be known first. */
#include "flush/placement.h"

static enum placement add(const struct placement_facts *f);
static bool continues(
    const struct window *w, const struct control_checkpoint *b);
static enum placement adopt(const struct placement_facts *f);
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
	return known && b->seq <= r->row ? PLACEMENT_ACKNOWLEDGE : adopt(f);
}

static enum placement
adopt(const struct placement_facts *f)
{
	const struct id *consumer = &f->batch->consumer;

	if (f->committing != NULL &&
	    id_equal(&f->committing->consumer, consumer))
		return PLACEMENT_WAIT;
	if (f->filling->open && id_equal(&f->filling->consumer, consumer))
		return f->committing == NULL ? PLACEMENT_CLOSE : PLACEMENT_WAIT;
	return f->adopter_takes ? PLACEMENT_ADOPT : PLACEMENT_WAIT;
}

static enum placement
add(const struct placement_facts *f)
{
	if (!f->filling->open || (f->fits && continues(f->filling, f->batch)))
		return PLACEMENT_ADD;
	return f->committing == NULL ? PLACEMENT_CLOSE : PLACEMENT_WAIT;
}

/* Is b the next batch of w? */
static bool
continues(const struct window *w, const struct control_checkpoint *b)
{
	return id_equal(&w->consumer, &b->consumer) && w->last + 1 == b->seq;
}

/* A row is read only when every batch that was placed is in the table. */
static enum placement
look(const struct placement_facts *f)
{
	if (f->committing != NULL)
		return PLACEMENT_WAIT;
	return f->filling->open ? PLACEMENT_CLOSE : PLACEMENT_LOOK;
}

void
placement_explain(
    const struct control_checkpoint *batch, char ret_why[REASON_MAX])
{
	char consumer[ID_TEXT + 1];

	id_format(&batch->consumer, consumer);
	reason_set(ret_why,
	    "redis: consumer %s is not registered here; --redis must be that "
	    "of incr-consume",
	    consumer);
}
