/* Judges the replies to MULTI, to what is queued, and to EXEC. */
#include "redis/transaction.h"

#include <stdbool.h>
#include <string.h>

#include "redis/server_info.h"

static enum transaction_state opened(
    struct transaction *t, const struct redis_reply *reply);
static enum transaction_state queued(
    struct transaction *t, const struct redis_reply *reply);
static enum transaction_state executed(
    struct transaction *t, const struct redis_reply *reply);
static bool is_text(const struct redis_reply *reply, const char *expected);
static enum transaction_state broken(struct transaction *t, const char *why);

void
transaction_start(struct transaction *t, size_t n)
{
	*t = (struct transaction){.n = n};
}

void
transaction_take(struct transaction *t, const struct redis_reply *reply)
{
	size_t i = t->answered++;

	if (i == 0)
		t->state = opened(t, reply);
	else if (i <= t->n)
		t->state = queued(t, reply);
	else
		t->state = executed(t, reply);
}

/* Nothing else was sent: whoever says that it is refused, nothing is done. */
static enum transaction_state
opened(struct transaction *t, const struct redis_reply *reply)
{
	const char *error = redis_reply_error(reply);

	if (error == NULL)
		return is_text(reply, "OK") ? TRANSACTION_OPEN
					    : broken(t, "no transaction");
	reason_set(t->why, "%s", error);
	return TRANSACTION_REFUSED;
}

static enum transaction_state
queued(struct transaction *t, const struct redis_reply *reply)
{
	const char *error = redis_reply_error(reply);

	if (error == NULL && !is_text(reply, "QUEUED"))
		return broken(t, "no transaction");
	if (error != NULL && t->why[0] == '\0')
		reason_set(t->why, "%s", error);
	return TRANSACTION_GOES_ON;
}

/* EXECABORT is Redis's own word; the first error says why.  A node of a cluster
 * says MOVED and the like of all commands. */
static enum transaction_state
executed(struct transaction *t, const struct redis_reply *reply)
{
	const char *error = redis_reply_error(reply);

	if (error != NULL && strncmp(error, "EXECABORT ", 10) != 0 &&
	    !server_info_error_is_proof(error))
		return broken(t, error);
	if (error != NULL) {
		if (t->why[0] == '\0')
			reason_set(t->why, "%s", error);
		return TRANSACTION_REFUSED;
	}
	if (t->why[0] != '\0' || redis_reply_count(reply) != t->n)
		return broken(t, "no transaction");
	error = redis_reply_error(redis_reply_at(reply, 0));
	if (error == NULL)
		return TRANSACTION_DONE;
	(void)broken(t, error);
	return server_info_error_is_proof(error) ? TRANSACTION_REFUSED
						 : TRANSACTION_BROKEN;
}

static bool
is_text(const struct redis_reply *reply, const char *expected)
{
	size_t len;
	const char *text = redis_reply_text(reply, &len);

	return text != NULL && strcmp(text, expected) == 0;
}

static enum transaction_state
broken(struct transaction *t, const char *why)
{
	reason_set(t->why, "%s", why);
	return TRANSACTION_BROKEN;
}
