/*
 * The queue in Redis (layer 2): publish, take, adopt, acknowledge.
 *
 * Keys and scripts are those of incr(7): the lists of adjust/rmq
 * (rmq::queue::[Q]::ready, ::rejected), our own keys beside them, and the
 * scripts of lib/lua/, each atomic and safe to repeat.
 *
 * One connection, one call at a time, never blocking.  A program's loop:
 *
 *	deadline = queue_wait(q, &pfd);         what to poll for
 *	... io_poll ...
 *	switch (queue_step(q, pfd.revents)) ... what has become of the call
 *
 * The module connects by itself, comes back with back-off when the
 * connection is lost, checks what it finds (a cluster, an evicting
 * maxmemory-policy: QUEUE_FAULT) and loads the scripts.  It prints nothing.
 *
 * A reply that does not come within QUEUE_REPLY_MS ends the connection.
 */
#ifndef INCR_QUEUE_H
#define INCR_QUEUE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "record/id.h"

enum {
	QUEUE_CONNECT_MS = 2000,
	QUEUE_REPLY_MS = 2000,
	QUEUE_OWNER_MS =
	    1000, /* life of an owner key; renew four times in it */
	QUEUE_TAKE_BYTES = 16 << 20,  /* of payloads in one batch */
	QUEUE_UNACKED_MAX = 1000,     /* batches of one consumer */
	QUEUE_UNACKED_AGE_MS = 30000, /* of the oldest of them */
	QUEUE_PUBLISHER_S = 86400,    /* life of a publisher key */
	QUEUE_LINES_MAX = 1000,       /* lines of one publish */
	QUEUE_PEEK_MAX = 1000,        /* payloads of one peek */
	QUEUE_PEEK_BYTES = 1 << 20,   /* of them, if two are not more */
	QUEUE_WITHDRAWER_S = 86400    /* life of a withdrawer key */
};

struct queue;

enum queue_state {
	QUEUE_DOWN,    /* not connected (yet); tried again by itself */
	QUEUE_IDLE,    /* connected; a call may begin */
	QUEUE_CALLING, /* a call is under way */
	QUEUE_DONE,    /* the call's result may be read */
	QUEUE_REFUSED, /* Redis answered with an error: this sending of the
			* call did nothing (queue_why) */
	QUEUE_LOST,    /* the connection went during the call; if queue_sent,
			* it may have been done, now or later */
	QUEUE_FAULT    /* configuration: trying again is of no use */
};

/*
 * url as in url.h, name checked by options.  No input or output yet.
 * NULL with *ret_why (constant text without the URL).  Caller closes.
 */
struct queue *queue_open(
    const char *url, const char *name, const char **ret_why);
void queue_close(struct queue *q);

/*
 * Fills *ret_pfd (fd -1: none) with what to wait for.  Returns the
 * clock_ms() at which queue_step is due even if nothing is ready.
 */
int64_t queue_wait(const struct queue *q, struct pollfd *ret_pfd);

/*
 * Does what can be done now; revents are those of the pollfd, 0 if none.
 * QUEUE_DONE, QUEUE_REFUSED and QUEUE_LOST are returned once per call;
 * results stay valid until the next call begins.
 */
enum queue_state queue_step(struct queue *q, short revents);

/* Connected and no call under way: one of the calls below may begin. */
bool queue_idle(const struct queue *q);

/* Was the last byte of the call handed to the kernel?  Valid from the
 * beginning of a call to the beginning of the next; once true it stays. */
bool queue_sent(const struct queue *q);

/* Why it is down, refused, lost or faulty: one line, borrowed until the
 * next step; it may contain bytes from Redis, never the URL. */
const char *queue_why(const struct queue *q);

/* Changes whenever a connection was made to another run_id than the one
 * before it: Redis was restarted or replaced.  0 before the first. */
uint64_t queue_run(const struct queue *q);

/* The maxmemory of Redis, in bytes, when the connection was made.  0: none,
 * or no connection yet. */
uint64_t queue_maxmemory(const struct queue *q);

/* Ends the connection (and the call, without another word of it); the
 * module connects again. */
void queue_hang_up(struct queue *q);

/* -- calls: each 0, or -1 if not idle or memory is gone ----------------- */

/* The lines of one publish, encoded once; frozen when it was sent. */
struct queue_lines {
	struct buf packed; /* strings as in pack.h, then CR LF */
	size_t n, tags;    /* lines; those of them that have a tag */
};

enum { QUEUE_TAG_MAX = 255 };

/* Adds a line, with a tag unless it is empty; one without costs Redis as much
 * as if there were none.  0, or -1 if there are QUEUE_LINES_MAX, the tag is
 * too long or memory is gone: unchanged. */
int queue_lines_add(struct queue_lines *l, const char *tag, size_t tag_len,
    const char *line, size_t len);
void queue_lines_clear(struct queue_lines *l);
void queue_lines_free(struct queue_lines *l);

/* Makes a new publisher known: once per id, never repeated under one. */
int queue_introduce(struct queue *q, const struct id *publisher);
/* Was the id a new one? */
bool queue_introduced(const struct queue *q);

struct queue_terms {
	uint64_t window_s;   /* tags are remembered that long */
	uint64_t high_water; /* messages ready at most, 0: any number */
};

/* Pushes lines (borrowed for the call) as batch seq (from 1) of a
 * publisher that was introduced. */
int queue_publish(struct queue *q, const struct id *publisher, uint64_t seq,
    const struct queue_lines *lines, const struct queue_terms *terms);

enum queue_published {
	QUEUE_PUSHED, /* now */
	QUEUE_BEFORE, /* by an earlier sending */
	QUEUE_GAP,    /* not pushed: the publisher's key is missing, or seq
		       * is not the next one */
	QUEUE_HIGH,   /* not pushed, seq is not used: enough is ready */
	QUEUE_OOM     /* the same: Redis is at its maxmemory */
};
enum queue_published queue_published(const struct queue *q);
/* Was line i (from 0) refused: its tag is marked with another increment? */
bool queue_reused(const struct queue *q, size_t i);
/* Of QUEUE_HIGH and QUEUE_OOM: was line i pushed before, by its tag? */
bool queue_known(const struct queue *q, size_t i);

/* Registers a consumer, which must be new: never repeated under one id. */
int queue_register(struct queue *q, const struct id *consumer);
/* When that was: Unix milliseconds by Redis's clock. */
int64_t queue_registered_ms(const struct queue *q);

/* Takes batch seq (from 1), at most n payloads. */
int queue_take(
    struct queue *q, const struct id *consumer, uint64_t seq, uint64_t n);

enum queue_taken {
	QUEUE_TAKEN,     /* the batch is there: queue_batch, queue_payload */
	QUEUE_EMPTY,     /* nothing ready; seq was not used */
	QUEUE_FULL,      /* too many unacknowledged batches, or too old ones */
	QUEUE_NOT_OWNER, /* not its own owner just now: renew, then repeat */
	QUEUE_GONE       /* not registered, or seq can't be had: go on under
			  * a new id */
};
enum queue_taken queue_taken(const struct queue *q);

struct queue_batch {
	uint64_t seq;
	int64_t taken_ms; /* Unix milliseconds by Redis's clock */
	int64_t since_ms; /* it has waited since then at most; taken_ms if
			   * that is not known (read, repeated) */
	size_t n;         /* payloads; 0: it is gone (acknowledged) */
};
struct queue_batch queue_batch(const struct queue *q);
/* Payload i (from 0, oldest first), borrowed until the next call. */
const char *queue_payload(const struct queue *q, size_t i, size_t *ret_len);

/* Reads a batch of any consumer, without changing anything: then
 * queue_batch and queue_payload. */
int queue_read(struct queue *q, const struct id *consumer, uint64_t seq);

/*
 * Refreshes the ownership by self of n consumers.  With claim (incr-flush)
 * the owner records then name this process, without (incr-consume) they
 * keep the process they name: so a consumer that has left in order does not
 * look dead while incr-flush still holds its batches.
 */
int queue_renew(struct queue *q, const struct id *self,
    const struct id *consumers, size_t n, bool claim);

enum queue_renewed {
	QUEUE_OWNED,      /* by self, with batches unacknowledged */
	QUEUE_OWNED_BARE, /* by self, without */
	QUEUE_DISOWNED /* another or nobody owns it, or it is not registered */
};
enum queue_renewed queue_renewed(const struct queue *q, size_t i);

/*
 * One look at all consumers, and at most one adoption by self: of a
 * consumer without owner at this look and the one before it, or whose
 * owner is a process of this machine that is gone.  One without owner and
 * without batches is swept instead.
 */
int queue_adopt(struct queue *q, const struct id *self);
/* The number of batches of the consumer adopted, 0 if there was none. */
size_t queue_adopted(const struct queue *q, struct id *ret_consumer);
/* Batch number i of it, oldest first. */
uint64_t queue_adopted_seq(const struct queue *q, size_t i);
/* Did the last look show a consumer that another look, 250 ms later, may
 * adopt or sweep? */
bool queue_orphans(const struct queue *q);

/* A payload to be copied to the rejected list. */
struct queue_reject {
	uint64_t seq;
	uint64_t index; /* in the batch, from 0 */
};

/* Deletes batches of consumer, after copying rejects (sorted). */
int queue_acknowledge(struct queue *q, const struct id *consumer,
    const uint64_t *seqs, size_t n, const struct queue_reject *rejects,
    size_t n_rejects);

/* Is consumer registered? */
int queue_ask(struct queue *q, const struct id *consumer);
bool queue_registered(const struct queue *q);

/* The lengths of the lists, for metrics. */
struct queue_lengths {
	uint64_t ready, unacked /* batches */, rejected;
};
int queue_measure(struct queue *q);
struct queue_lengths queue_lengths(const struct queue *q);

/* -- for whoever looks after a queue ------------------------------------- */

/* Begins the last of the calls below once more, as it was: after QUEUE_LOST.
 * 0, or -1. */
int queue_repeat(struct queue *q);

/* A list of payloads. */
struct queue_list {
	enum { QUEUE_READY, QUEUE_REJECTED, QUEUE_BATCH } kind;
	struct id consumer; /* of a batch */
	uint64_t seq;
};

/* Looks at payloads of a list: at most n (to QUEUE_PEEK_MAX) and about
 * QUEUE_PEEK_BYTES, but two if there are two, behind the `older` oldest. */
int queue_peek(
    struct queue *q, const struct queue_list *list, uint64_t older, uint64_t n);
/* The length of the list at that moment; the payloads that came. */
uint64_t queue_peek_length(const struct queue *q);
size_t queue_peeked(const struct queue *q);
/* Payload i (from 0, oldest first), borrowed until the next call begins. */
const char *queue_peeked_payload(
    const struct queue *q, size_t i, size_t *ret_len);

/* Payloads of the last peek that are to be withdrawn, by their numbers. */
struct queue_picks {
	const size_t *index; /* ascending */
	size_t n;            /* at least 1 */
};

/*
 * Withdraws picks of the last call, which was a queue_peek of the rejected
 * list behind `older`: each goes to the ready list or is dropped.  Call seq
 * (from 1) of a withdrawer.
 */
int queue_withdraw(struct queue *q, const struct id *withdrawer, uint64_t seq,
    bool republish, uint64_t older, const struct queue_picks *picks);
/* How many were: fewer than picked if others have changed the list since;
 * -1: none, and not known whether any was before, since the withdrawer's
 * key is not as this call must find it. */
int64_t queue_withdrawn(const struct queue *q);

/* Where all messages are, at one moment. */
int queue_survey(struct queue *q);
struct queue_surveyed {
	uint64_t ready, rejected;
	size_t consumers;
};
struct queue_surveyed queue_surveyed(const struct queue *q);
/* Consumer i (from 0), its last sequence number and how many batches it
 * has.  0, or -1 if what is registered is no consumer. */
struct queue_held {
	struct id consumer;
	uint64_t last;
	size_t batches;
};
int queue_held(const struct queue *q, size_t i, struct queue_held *ret);
/* Batch j of it: its number and its length. */
uint64_t queue_held_seq(const struct queue *q, size_t i, size_t j);
uint64_t queue_held_length(const struct queue *q, size_t i, size_t j);

#endif
