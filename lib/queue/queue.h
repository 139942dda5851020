/*
 * The queue in Redis: publish, take, adopt, acknowledge.
 *
 * Keys and scripts are those of incr(7): the lists of adjust/rmq
 * (rmq::queue::[Q]::ready, ::rejected), our own keys beside them, and the
 * scripts of lib/queue/lua/, each atomic and safe to repeat.
 *
 * One connection, one call at a time, never blocking.  A program's loop:
 *
 *	deadline = queue_wait(q, &pfd);         what to poll for
 *	... io_poll ...
 *	switch (queue_step(q, pfd.revents))     QUEUE_DONE: read the result
 *
 * The queue connects by itself, connects again with back-off when the
 * connection is lost, checks the server (a cluster, an evicting
 * maxmemory-policy, keys of another release: QUEUE_FAULT) and loads the
 * scripts.  It prints nothing.
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
#include "queue/queue_identify.h"
#include "queue/queue_publish.h"
#include "record/id.h"
#include "redis/session.h"

enum {
	QUEUE_CONNECT_MS = 2000,
	QUEUE_REPLY_MS = 2000,
	QUEUE_OWNER_MS = 1000, /* of an owner key, renewed four times in it */
	/* Replicas have a call that counts so soon, with --replicas.  Nobody
	 * renews meanwhile what must be renewed four times a second. */
	QUEUE_CONFIRM_MS = 1000,
	QUEUE_CONFIRM_SOON_MS = 250,
	QUEUE_CONFIRM_EVERY_MS = 1000, /* renewals */
	QUEUE_ENDED_MS = 5000, /* the same, once its owner has left in order */
	QUEUE_BATCH_MAX = 100000,     /* payloads of one batch */
	QUEUE_TAKE_BYTES = 16 << 20,  /* of payloads in one batch */
	QUEUE_UNACKED_MAX = 1000,     /* batches of one consumer */
	QUEUE_UNACKED_AGE_MS = 30000, /* of the oldest of them */
	QUEUE_PUBLISHER_S = 86400,    /* life of a publisher key */
	QUEUE_NOT_AFTER_S = 60, /* a sending does nothing later than that */
	/* How long after an upgrade marks are made and found as the release
	 * before did it, too: its programs run beside the new ones for an hour
	 * at most, and make marks for --idempotency-window, a day at most,
	 * --wait, another one, and QUEUE_NOT_AFTER_S.  Rounded up. */
	QUEUE_BOTH_S = 50 * 3600,
	QUEUE_LINES_MAX = 2000,     /* lines of one publish, */
	QUEUE_TAGS_MAX = 1000,      /* and of those the ones with a tag */
	QUEUE_PEEK_MAX = 1000,      /* payloads of one peek */
	QUEUE_PEEK_BYTES = 1 << 20, /* of them, if two are not more */
	QUEUE_WITHDRAWER_S = 86400  /* life of a withdrawer key */
};

struct queue;
struct batch_pieces;

enum queue_state {
	QUEUE_DOWN,    /* not connected (yet); tried again by itself */
	QUEUE_IDLE,    /* connected; a call may begin */
	QUEUE_CALLING, /* a call is under way */
	QUEUE_DONE,    /* the call's result may be read */
	QUEUE_REFUSED, /* Redis answered with an error that proves that this
			* sending of the call did nothing (queue_status: why) */
	QUEUE_LOST,    /* the connection was lost during the call, or the
			* answer was another error, which ends it, too; if the
			* call was sent (queue_status), it may have been
			* done, or be done later.  Also a call that is done
			* and that too few replicas have: then the queue may
			* be idle at once */
	QUEUE_FAULT    /* configuration: trying again is of no use */
};

/*
 * url as in url.h, name as in queue_name.h.  No input or output yet.
 * NULL with *ret_why (constant text without the URL).  Caller closes.
 */
struct queue *queue_open(
    const char *url, const char *name, const char **ret_why);
void queue_close(struct queue *q);

/*
 * Before the first step: from now on a call that counts (introduce, publish,
 * register, take, read) is QUEUE_DONE only once replicas have it.  How many:
 * told, or as the queue has noted (told NULL); at most REPLICAS_MAX.  The first
 * program that is told a number has it noted; one that is told a higher one
 * raises it; one that is told a lower one is QUEUE_FAULT.
 */
void queue_replicate(struct queue *q, const uint64_t *told);

/* Are calls waited for until replicas have them? */
bool queue_confirms(const struct queue *q);

/*
 * Fills *ret_pfd (fd -1: none) with what to wait for.  Returns the
 * clock_ms() at which queue_step is due even if nothing is ready.
 */
int64_t queue_wait(const struct queue *q, struct pollfd *ret_pfd);

/*
 * Does what can be done now; revents are those of the pollfd, 0 if none.
 * QUEUE_DONE, QUEUE_REFUSED and QUEUE_LOST are returned once per call.
 */
enum queue_state queue_step(struct queue *q, short revents);

/* The connection of the queue (session.h): may a call begin, was it sent,
 * why it failed.  Lives as long as q; every call of this module may change
 * it. */
const struct session_status *queue_status(const struct queue *q);

/* Was the connection lost at the smallest reply there is, at one message?  Then
 * it would be lost again. */
bool queue_at_limit(const struct queue *q);

/* Ends the connection and the call, without QUEUE_LOST; the queue connects
 * again. */
void queue_hang_up(struct queue *q);
/* The same, and the next host or sentinel is asked first (session.h). */
void queue_move_on(struct queue *q);

/*
 * -- calls ---------------------------------------------------------------
 *
 * A call begins with a function below: 0, or -1 if the queue is not idle or
 * memory is gone.  After QUEUE_DONE the function declared next to it returns
 * the result, a struct of the call's own, borrowed until the next call
 * begins, with everything that is reached from it.  Asking for the result of
 * another call than the last one is a bug, at which the program aborts.
 */

/* A reply from Redis, for the functions that take a result. */
struct redis_reply;

/* Registers a consumer, which must be new: never repeated under one id.  before
 * (NULL: none) is asked about.  own: keys of other shards are dead letters to
 * it; that is noted, and holds for its batches for ever.  Refused while it is
 * not known how many shards there are. */
int queue_register(struct queue *q, const struct id *consumer,
    const struct id *before, bool own);

struct queue_registered {
	int64_t at_ms;   /* Unix milliseconds by Redis's clock */
	unsigned shards; /* of the queue, if keys of others are dead letters;
			  * else 0 */
	/* Of `before`: */
	bool known;    /* this Redis has, or had a day ago, the consumer: */
	uint64_t last; /* the last batch that it took */
};
const struct queue_registered *queue_registered(const struct queue *q);

/* Takes batch seq (from 1), at most n payloads; with strict only if the
 * consumer has a flush mark, without also before it ever had one. */
int queue_take(struct queue *q, const struct id *consumer, uint64_t seq,
    uint64_t n, bool strict);

/* Reads a batch of any consumer, without changing anything. */
int queue_read(struct queue *q, const struct id *consumer, uint64_t seq);

enum queue_take_outcome {
	QUEUE_TAKEN,     /* the batch is there */
	QUEUE_EMPTY,     /* nothing ready; seq was not used */
	QUEUE_FULL,      /* too many unacknowledged batches, or too old ones */
	QUEUE_NOT_OWNER, /* not its own owner just now: renew, then repeat */
	QUEUE_UNMARKED,  /* its flush mark has run out, or is missing */
	QUEUE_GONE,      /* take: not registered, or seq can't be had, so go on
			  * under a new id; read: acknowledged */
	QUEUE_MORE       /* the batch is there, and is read in pieces: repeat,
			  * once other calls had their turn */
};

/* The result of take and of read. */
struct queue_batch {
	enum queue_take_outcome outcome;
	uint64_t seq;
	int64_t taken_ms; /* Unix milliseconds by Redis's clock */
	int64_t since_ms; /* its payloads have waited since then at most;
			   * taken_ms if not known (read, repeated) */
	unsigned shards;  /* of a read: as the consumer was registered */
	size_t n;         /* payloads; 0 unless QUEUE_TAKEN */
	const struct redis_reply *payloads; /* of queue_batch_payload */
	const struct batch_pieces *pieces;  /* the same, or NULL */
};
const struct queue_batch *queue_batch(const struct queue *q);
/* Payload i (from 0, oldest first). */
const char *queue_batch_payload(
    const struct queue_batch *b, size_t i, size_t *ret_len);

/*
 * Refreshes the ownership by self of n consumers; the owner records keep the
 * process that they name.
 *
 * A consumer that leaves in order may have an incr-flush behind it that still
 * has its batches.  If there was a mark of that one, its last renewal,
 * QUEUE_RENEW_END, names no process, and lives QUEUE_ENDED_MS; from then on
 * incr-flush renews, with QUEUE_RENEW_CLAIM, and the records name its process.
 */
enum queue_renew_mode { QUEUE_RENEW_KEEP, QUEUE_RENEW_END, QUEUE_RENEW_CLAIM };
int queue_renew(struct queue *q, const struct id *self,
    const struct id *consumers, size_t n, enum queue_renew_mode mode);

enum queue_ownership {
	QUEUE_OWNED,      /* by self, with batches unacknowledged */
	QUEUE_OWNED_BARE, /* by self, without */
	QUEUE_DISOWNED /* another or nobody owns it, or it is not registered */
};

struct queue_renewed {
	const struct redis_reply *consumers; /* of queue_renewed_is */
};
const struct queue_renewed *queue_renewed(const struct queue *q);
/* Of consumer i (from 0) of the call. */
enum queue_ownership queue_renewed_is(const struct queue_renewed *r, size_t i);

/* Finds the consumers that hold unacknowledged batches and are not owned by
 * self. */
int queue_holders(struct queue *q, const struct id *self);

struct queue_holders {
	size_t n;
	const struct redis_reply *list; /* of queue_holder */
};
const struct queue_holders *queue_holders_found(const struct queue *q);
/* Consumer i (from 0), and how long its owner key still lives; negative: it
 * has none.  0, or -1 if that entry of the set of consumers is none. */
int queue_holder(const struct queue_holders *h, size_t i,
    struct id *ret_consumer, int64_t *ret_life_ms);

/* Makes the flush mark of consumer: the incr-flush behind it lives, for
 * another life_ms. */
int queue_mark(struct queue *q, const struct id *consumer, int64_t life_ms);

struct queue_marked {
	bool registered; /* else no mark was made */
	bool known;      /* it is, or was a day ago */
};
const struct queue_marked *queue_marked(const struct queue *q);

/*
 * Looks at all consumers once, and lets self adopt at most one: a consumer
 * without owner, or whose owner is not flushed (adopt.lua), at this look and
 * the one before it; or one half of which is a process of this machine that
 * is gone.  One without owner and without batches is swept instead.
 *
 * Self adopts nobody while its own flush mark is missing; with strict also
 * not before there ever was one.  With idle it is renewed, if it owns itself.
 */
int queue_adopt(struct queue *q, const struct id *self, bool strict, bool idle);

struct queue_adopted {
	struct id consumer; /* if n > 0 */
	size_t n;           /* its batches; 0: nobody was adopted */
	bool more; /* the look showed a consumer that another look, 250 ms
		    * later, may adopt or sweep */
	size_t candidates; /* consumers that may be adopted by the next call */
	size_t live;       /* that have an owner and a flush mark, self, too */
	bool flushed;      /* there is or was a flush mark of self */
	bool marked;       /* it lives */
	bool renewed;      /* self was, for another life */
	bool idle;         /* nothing is ready */
	const struct redis_reply *seqs; /* of queue_adopted_seq */
};
const struct queue_adopted *queue_adopted(const struct queue *q);
/* Batch number i of it, oldest first. */
uint64_t queue_adopted_seq(const struct queue_adopted *a, size_t i);

/* A payload to be copied to the rejected list. */
struct queue_reject {
	uint64_t seq;
	uint64_t index; /* in the batch, from 0 */
};

/* How long acknowledged batches are kept, and the database that has them. */
struct queue_keep {
	int64_t ms; /* 0: they are deleted */
	struct id database;
};

/* Deletes or keeps batches of consumer, after copying rejects (sorted), as far
 * as they are still unacknowledged. */
int queue_acknowledge(struct queue *q, const struct id *consumer,
    const struct queue_keep *keep, const uint64_t *seqs, size_t n,
    const struct queue_reject *rejects, size_t n_rejects);

/* Lists the last acknowledged numbers of consumers, in order of their ids and
 * behind `after`. */
enum { QUEUE_NUMBERS_MAX = 500 };
int queue_numbers(struct queue *q, const struct id *after);

struct queue_numbered {
	size_t n; /* QUEUE_NUMBERS_MAX: there may be more */
	const struct redis_reply *list; /* of queue_numbered_at */
};
const struct queue_numbered *queue_numbered(const struct queue *q);
struct queue_number {
	uint64_t last;   /* the last acknowledged one */
	uint64_t closed; /* so often was the consumer, by queue_restore */
};
/* Consumer i (from 0).  0, or -1 if that entry of the set of consumers is
 * none. */
int queue_numbered_at(const struct queue_numbered *l, size_t i,
    struct id *ret_consumer, struct queue_number *ret_number);

/* Of a consumer whose ledger row is lower than it was. */
struct queue_restore {
	struct id consumer;
	uint64_t row;       /* where it stands, in: */
	struct id database; /* batches that another one counted stay kept */
	uint64_t known;     /* batches up to this number are missed */
	/* Does not own it from now on if not all up to known are lost; nil:
	 * none. */
	struct id speaker;
	/* Nothing is done if this has changed since the caller looked. */
	bool looked;
	struct queue_number seen;
};

/* Makes kept batches above the row unacknowledged again, to be adopted. */
int queue_restore(struct queue *q, const struct queue_restore *r);

struct queue_restored {
	uint64_t moved;  /* batches */
	uint64_t oldest; /* unacknowledged above the row; 0: none is */
	uint64_t lost;   /* batches, which nobody was told of before */
	uint64_t back;   /* so much lower is the row than Redis knew it */
	bool changed;    /* it is not as seen: nothing was done */
};
const struct queue_restored *queue_restored(const struct queue *q);

/* Lets kept batches give way, the oldest first, until they have no more than so
 * many messages (0: any number), and no more bytes than Redis has room for; at
 * most QUEUE_TRIM_MAX of them in one call. */
enum { QUEUE_TRIM_MAX = 100 };
int queue_trim(struct queue *q, uint64_t messages);

struct queue_trimmed {
	uint64_t batches, messages; /* gave way before their time */
	bool more;                  /* batches may have to: repeat the call */
	uint64_t kept, bytes;       /* batches that stay, and what they take */
	bool is_short; /* the time of one that gave way is not over */
};
const struct queue_trimmed *queue_trimmed(const struct queue *q);

struct queue_acknowledged {
	bool known;    /* this Redis has, or had a day ago, the consumer: */
	uint64_t last; /* the last batch that it took */
};
const struct queue_acknowledged *queue_acknowledged(const struct queue *q);

/* Asks whether consumer is registered. */
int queue_ask(struct queue *q, const struct id *consumer);

struct queue_asked {
	bool registered;
};
const struct queue_asked *queue_asked(const struct queue *q);

/* Measures the lists, for metrics. */
int queue_measure(struct queue *q);

struct queue_lengths {
	uint64_t ready, unacked /* batches */, rejected;
	/* What queue_age.h asks for; Unix milliseconds by Redis's clock: */
	int64_t at_ms;
	uint64_t taken;     /* messages, since the queue began */
	int64_t emptied_ms; /* ready was last known to be empty; 0: not known */
	int64_t batch_ms; /* the oldest unacknowledged batch was taken; 0: there
			   * is none */
};
const struct queue_lengths *queue_lengths(const struct queue *q);

/* -- calls of those who inspect a queue ----------------------------------- */

/* Begins the last of the calls below once more, as it was: after QUEUE_LOST.
 * 0, or -1. */
int queue_repeat(struct queue *q);

/* A list of payloads. */
struct queue_list {
	enum { QUEUE_READY, QUEUE_REJECTED, QUEUE_BATCH } kind;
	struct id consumer; /* of a batch */
	uint64_t seq;
	bool timed; /* of QUEUE_REJECTED: with their times of arrival */
};

/* Reads payloads of a list, changing nothing: at most n (to QUEUE_PEEK_MAX)
 * and about QUEUE_PEEK_BYTES, but two if there are two, behind the `older`
 * oldest. */
int queue_peek(
    struct queue *q, const struct queue_list *list, uint64_t older, uint64_t n);

struct queue_peeked {
	uint64_t length;                    /* of the list, at that moment */
	size_t n;                           /* payloads read */
	const struct redis_reply *payloads; /* of queue_peeked_payload */
	const struct redis_reply *times;    /* of queue_peeked_ms; or NULL */
};
const struct queue_peeked *queue_peeked(const struct queue *q);
/* Payload i (from 0, oldest first). */
const char *queue_peeked_payload(
    const struct queue_peeked *p, size_t i, size_t *ret_len);
/* When queue_acknowledge last rejected such a payload, if the list is timed:
 * Unix milliseconds by Redis's clock; 0: not known. */
int64_t queue_peeked_ms(const struct queue_peeked *p, size_t i);

/* Where a payload of the rejected list goes; any other text: it stays there,
 * and that becomes its label, in its header with the time at which it did. */
#define QUEUE_TO_READY "ready"
#define QUEUE_TO_NOBODY "" /* it is dropped */

/* Payloads of the last peek that are to be withdrawn, by their numbers. */
struct queue_picks {
	const size_t *index;   /* ascending */
	const char *const *to; /* of each */
	size_t n;              /* at least 1 */
};

/*
 * Withdraws, or labels, picks of the last call, which was a queue_peek of the
 * rejected list behind `older`.  Call seq (from 1) of a withdrawer.
 */
int queue_withdraw(struct queue *q, const struct id *withdrawer, uint64_t seq,
    uint64_t older, const struct queue_picks *picks);

struct queue_withdrawn {
	bool known; /* false: nothing was withdrawn now, and whether anything
		     * was before is not known, since the withdrawer's key
		     * is not as this call must find it */
	uint64_t n; /* fewer than picked if others have changed the list */
};
const struct queue_withdrawn *queue_withdrawn(const struct queue *q);

/* Finds where all messages are, at one moment.  ready, rejected: how many
 * payloads of these lists, the oldest, the caller has read; newer ones are
 * returned.  UINT64_MAX: none are. */
int queue_survey(struct queue *q, uint64_t ready, uint64_t rejected);

struct queue_surveyed {
	uint64_t ready, rejected; /* lengths */
	/* Payloads returned: all that are newer, but for QUEUE_PEEK_MAX and
	 * QUEUE_PEEK_BYTES. */
	size_t newer_ready, newer_rejected;
	size_t consumers;
	struct queue_totals totals;
	const struct redis_reply *reply; /* of the functions below */
};
const struct queue_surveyed *queue_surveyed(const struct queue *q);
/* Payload i (from 0) of those returned; NULL if it is no text. */
const char *queue_surveyed_ready(
    const struct queue_surveyed *s, size_t i, size_t *ret_len);
const char *queue_surveyed_rejected(
    const struct queue_surveyed *s, size_t i, size_t *ret_len);

struct queue_held {
	struct id consumer;
	uint64_t last;                     /* sequence number */
	size_t n;                          /* batches that it has */
	const struct redis_reply *batches; /* of queue_held_batch */
};
/* Consumer i (from 0).  0, or -1 if that entry of the set of consumers is
 * none. */
int queue_surveyed_consumer(
    const struct queue_surveyed *s, size_t i, struct queue_held *ret);

struct queue_held_batch {
	uint64_t seq, length;
};
/* Batch j (from 0) of it. */
struct queue_held_batch queue_held_batch(const struct queue_held *h, size_t j);

#endif
