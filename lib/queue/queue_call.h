/*
 * The inside of the queue: its calls, its state, and how a call is written.
 * For queue.c and the queue_*.c beside it alone.
 *
 * A new call is one line in QUEUE_CALLS.  The compiler then asks for the rest:
 * its digest function, and the include of a script's text in queue_call.c.
 */
#ifndef INCR_QUEUE_CALL_H
#define INCR_QUEUE_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/batch_pieces.h"
#include "queue/liveness.h"
#include "queue/mark_groups.h"
#include "queue/queue.h"
#include "queue/queue_look.h"
#include "queue/queue_members.h"
#include "queue/queue_names.h"
#include "queue/reply_limit.h"
#include "record/id.h"
#include "record/queue_name.h"
#include "redis/resp.h"
#include "redis/session.h"

/*
 * Each call of Redis: of a script lua/NAME.lua, or of a plain command.  In any
 * order.  Its reply becomes a result in queue_call_digest_NAME().
 */
#define QUEUE_CALLS(SCRIPT, COMMAND) \
	SCRIPT(INTRODUCE, introduce) \
	SCRIPT(PUBLISH, publish) \
	SCRIPT(ADMIT, admit) /* of a transaction */ \
	SCRIPT(REGISTER, register) \
	SCRIPT(TAKE, take) \
	SCRIPT(READ, read) \
	COMMAND(LIST, list) /* the second half of take and read */ \
	SCRIPT(RENEW, renew) \
	SCRIPT(HOLDERS, holders) \
	SCRIPT(ADOPT, adopt) \
	SCRIPT(MARK, mark) \
	SCRIPT(ACKNOWLEDGE, acknowledge) \
	SCRIPT(NUMBERS, numbers) \
	SCRIPT(RESTORE, restore) \
	COMMAND(ASK, ask) \
	SCRIPT(IDENTIFY, identify) \
	SCRIPT(MEASURE, measure) \
	SCRIPT(PEEK, peek) \
	SCRIPT(WITHDRAW, withdraw) \
	SCRIPT(SURVEY, survey) \
	SCRIPT(TRIM, trim) \
	SCRIPT(LOOK, look) \
	SCRIPT(SHARDS, shards) \
	COMMAND(INFO, info) \
	COMMAND(SETTINGS, settings)

#define QUEUE_CALL_VALUE(CALL, name) QUEUE_CALL_##CALL,
#define QUEUE_CALL_DIGEST(CALL, name) \
	enum queue_state queue_call_digest_##name( \
	    struct queue *q, const struct redis_reply *reply);

enum queue_call {
	QUEUE_CALLS(QUEUE_CALL_VALUE, QUEUE_CALL_VALUE) QUEUE_CALL_NONE
};

/*
 * What a reply makes of a call: QUEUE_DONE with q->result filled in,
 * QUEUE_CALLING if a second half of the call was begun, QUEUE_LOST if there
 * is no such reply: then what was done is not known.
 */
QUEUE_CALLS(QUEUE_CALL_DIGEST, QUEUE_CALL_DIGEST)

/* The digest of the last call, whose reply the session has.  If that is no
 * reply to this call, the connection ends. */
enum queue_state queue_call_digest(struct queue *q);
/* The same of any reply, without a connection. */
enum queue_state queue_call_digest_reply(
    struct queue *q, const struct redis_reply *reply);

/* What the session of a queue is opened with: it loads the scripts. */
extern const struct session_options queue_call_session;

/* How long replicas are waited for once the last call is done, milliseconds;
 * 0: they need not have it. */
int64_t queue_call_confirm_ms(const struct queue *q);

/* Of the queue's keys.  Release 0.1.0 noted none: its keys are of version 1,
 * and can be read, and so can those of 2, which had a key for each tag. */
#define QUEUE_CALL_VERSION "3"
#define QUEUE_CALL_VERSION_BEFORE "2"

/* A batch as it is sent. */
struct queue_sending {
	struct id publisher;
	uint64_t seq;
	const struct queue_lines *lines; /* borrowed until the call ends */
	struct queue_terms terms;
};

struct queue {
	struct session *session;
	const char *url;
	struct queue_names names;
	int64_t names_ms; /* when they are due */
	char name[QUEUE_NAME_MAX + 1];
	char version_key[QUEUE_NAME_MAX + 40]; /* for the handshake */
	char replicas_key[QUEUE_NAME_MAX + 40];
	char cluster_version_key[QUEUE_NAME_MAX + 40]; /* in a cluster */
	char cluster_replicas_key[QUEUE_NAME_MAX + 40];
	struct handshake_key keys[2];
	bool confirms;          /* calls count only once replicas have them: */
	bool told;              /* so many, not as the queue has noted */
	uint64_t replicas;      /* so many */
	bool confirming;        /* the call is done, and they are waited for */
	int64_t confirmed_ms;   /* when they were last asked */
	enum queue_call call;   /* the last one begun */
	enum queue_call done;   /* the one that result is of */
	size_t n_keys;          /* of call, if it is a script */
	size_t asked;           /* the most that its reply may list or count */
	uint64_t both_until_ms; /* as the last introduce was told: marks are
				 * made as a release before made them, too;
				 * 0 once that is over */
	struct resp_args args;
	struct mark_groups groups;    /* of the last publish with tags */
	struct queue_sending sending; /* the last one */
	struct buf opening, ending;   /* its commands, by a transaction */
	uint64_t forbidden_at; /* the connection at which there is none */

	union {
		unsigned shards;
		struct queue_introduced introduced;
		struct queue_published published;
		struct queue_registered registered;
		struct queue_batch batch;
		struct queue_renewed renewed;
		struct queue_holders holders;
		struct queue_adopted adopted;
		struct queue_marked marked;
		struct queue_acknowledged acknowledged;
		struct queue_numbered numbered;
		struct queue_restored restored;
		struct queue_trimmed trimmed;
		struct queue_asked asked;
		struct queue_identified identified;
		struct queue_lengths lengths;
		struct queue_peeked peeked;
		struct queue_withdrawn withdrawn;
		struct queue_surveyed surveyed;
		struct queue_looked looked;
		const char *informed;
		const struct redis_reply *settings;
	} result;
	struct id batch_of; /* consumer and number of a take or read, */
	uint64_t batch_seq;
	uint64_t batch_max; /* and how many payloads it may have */

	struct queue_trim {
		struct id consumer;
		uint64_t seq;
	} trims[QUEUE_TRIM_MAX]; /* that the next trim names */
	size_t n_trims;

	struct queue_members members;
	/* Of the last call of each, for another round. */
	struct id holders_self;
	struct id numbers_after;
	struct {
		struct queue_restore of;
		struct buf seqs; /* of the lists that it names, uint64_t */
	} restore;
	enum queue_user look_user;
	struct {
		struct id database;
		const char *how;
		struct queue_ledger ledger;
		uint64_t missed;
	} identify;

	struct reply_limit limit;
	struct batch_pieces pieces; /* of batch_seq, if there is a limit */
	bool in_pieces;             /* the last peek was for it */
	int64_t pieces_ms;          /* when the take or read began */
	struct {
		struct queue_list list;
		uint64_t older, n;
	} peek; /* the last one, */
	struct {
		uint64_t ready, rejected;
	} survey; /* and this, for queue_repeat */

	struct liveness liveness;
	uint64_t liveness_connection; /* at which the looks were made */
	struct id adopter;
	bool adopter_strict;
	bool adopter_idle;
	bool second_round; /* of an adoption */
	bool adopted_last; /* so did the last look */
};

/*
 * A reply is checked for shape and size by its digest: Redis may be another
 * program, or lie.  Numbers of replies go up to what Lua computes exactly, so
 * that a sum of a few of them fits an int64.
 */
#define QUEUE_CALL_NUMBER_MAX ((int64_t)1 << 53)

/* Element i of reply, a number from min (at least -QUEUE_CALL_NUMBER_MAX) to
 * max.  0, or -1: it is none. */
int queue_call_number(const struct redis_reply *reply, size_t i, int64_t min,
    int64_t max, int64_t *ret);

/* Are all elements of reply from the first on texts? */
bool queue_call_are_texts(const struct redis_reply *reply, size_t first);

/* Are all elements of reply from the first on numbers of something, each
 * higher than the one before? */
bool queue_call_ascend(
    const struct redis_reply *reply, size_t first, int64_t min, int64_t max);

/* Is reply a list of up to max rows, each a text and width - 1 numbers from
 * min to QUEUE_CALL_NUMBER_MAX? */
bool queue_call_are_rows(
    const struct redis_reply *reply, size_t width, size_t max, int64_t min);

/* The text of a call that is a script. */
const char *queue_call_script(enum queue_call call);

/* Begins to write a call.  False if none may begin now. */
bool queue_call_start(struct queue *q);

/* Sends what was written as the arguments of call, the first n_keys of which
 * are keys of its script; more (NULL: none) are those behind them, borrowed
 * until the call ends.  0, or -1. */
int queue_call_eval(struct queue *q, enum queue_call call, size_t n_keys,
    const struct buf *more);

/* The same, of a plain command: its name and arguments were written. */
int queue_call_command(struct queue *q, enum queue_call call);

/* The same, of a transaction: behind the script come commands, and do nothing
 * if it fails. */
int queue_call_transaction(struct queue *q, enum queue_call call, size_t n_keys,
    const struct session_commands *commands);

/* Sends a batch, for which queue_call_start was called, by the script, or by a
 * transaction, if that is of use.  0, or -1. */
int queue_call_publish(struct queue *q, const struct queue_sending *sending);
int queue_call_admit(struct queue *q, const struct queue_sending *sending);
bool queue_call_can_admit(
    const struct queue *q, const struct queue_sending *sending);
/* The six arguments that both have first: the number, ..., the batch's name. */
void queue_call_terms(struct queue *q, const struct queue_sending *sending);
/* The transaction was refused: sends its batch by the script. */
int queue_call_admit_refused(struct queue *q);

/* May its reply have megabytes? */
bool queue_call_is_large(enum queue_call call);

/* Begins a peek for the rest of the batch of a take or read.  0, or -1. */
int queue_call_piece(struct queue *q);

/* A reply to a peek that was for the batch of a take or read. */
enum queue_state queue_call_digest_piece(
    struct queue *q, const struct redis_reply *reply);

/* A reply of a script by which other consumers are registered than it was given
 * keys of: the call is made again, with theirs, by send.  QUEUE_CALLING, or
 * QUEUE_LOST. */
enum queue_state queue_call_with_members(struct queue *q,
    const struct redis_reply *reply, int (*send)(struct queue *));

/* Begins the last call, of a script, once more.  0, or -1. */
int queue_call_again(struct queue *q);

/* Add one argument each: rmq::queues; a key that nobody has; and, with brackets
 * or braces (queue_key.h), rmq::queue::[Q]::list, incr::queue::[Q]::rest,
 * incr::queue::[Q]::consumer::ID::rest with ::SEQ unless seq is NULL,
 * incr::queue::[Q]::publisher::ID with rest; an id.
 *
 * A call that has the key that nobody has is refused as a whole while its slot
 * is moved to another node of a cluster: TRYAGAIN.  Without one it would begin
 * if all its keys were there, and fail at the first that is not. */
void queue_call_queues_key(struct queue *q);
void queue_call_guard_key(struct queue *q);
void queue_call_list_key(struct queue *q, const char *list);
void queue_call_own_key(struct queue *q, const char *rest);
void queue_call_consumer_key(struct queue *q, const struct id *consumer,
    const char *rest, const uint64_t *seq);
void queue_call_publisher_key(
    struct queue *q, const struct id *publisher, const char *rest);
void queue_call_id(struct queue *q, const struct id *id);

/* One: the name that a script adds to rmq::queues; empty on a cluster, where
 * that is in another slot, and the first key is one that nobody has. */
void queue_call_name(struct queue *q);

/* Three: the version of the keys, how long a queue of a release before has
 * marks of both kinds, and its name, the same. */
void queue_call_version(struct queue *q);

/* One: how many replicas this program was told of, empty if none. */
void queue_call_told(struct queue *q);

/* Two: the owner record of this process for speaker, and its life; ended: a
 * record that names no process. */
void queue_call_record(struct queue *q, const struct id *speaker);
void queue_call_ended_record(struct queue *q, const struct id *speaker);

#endif
