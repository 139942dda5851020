/*
 * The inside of the queue (layer 2): its state, and how a call is written.
 * For queue.c, queue_batch.c, queue_adopt.c and queue_list.c alone.
 */
#ifndef INCR_QUEUE_CALL_H
#define INCR_QUEUE_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/liveness.h"
#include "queue/queue.h"
#include "record/id.h"
#include "redis/resp.h"
#include "redis/session.h"

/* The scripts come first: the value is the number of the script. */
enum queue_call {
	QUEUE_CALL_INTRODUCE,
	QUEUE_CALL_PUBLISH,
	QUEUE_CALL_REGISTER,
	QUEUE_CALL_TAKE,
	QUEUE_CALL_READ,
	QUEUE_CALL_RENEW,
	QUEUE_CALL_ADOPT,
	QUEUE_CALL_ACKNOWLEDGE,
	QUEUE_CALL_MEASURE,
	QUEUE_CALL_PEEK,
	QUEUE_CALL_WITHDRAW,
	QUEUE_CALL_SURVEY,
	QUEUE_CALL_LIST, /* a plain command, as are those behind it */
	QUEUE_CALL_ASK,
	QUEUE_CALL_NONE
};

enum { QUEUE_CALL_SCRIPTS = QUEUE_CALL_SURVEY + 1, QUEUE_CALL_NAME_MAX = 128 };

struct queue {
	struct session *session;
	char name[QUEUE_CALL_NAME_MAX + 1];
	enum queue_call call; /* the last one begun */
	size_t n_keys;        /* of it, if it is a script */
	struct resp_args args;

	struct queue_batch batch; /* of take and read */
	struct id batch_of;
	enum queue_taken taken;

	struct liveness sightings;
	uint64_t sightings_connection;
	struct id adopter, adopted;
	bool second_round; /* of an adoption */
};

/* Begins to write a call.  False if none may begin now. */
bool queue_call_start(struct queue *q);

/* Sends what was written as a script's arguments.  0, or -1. */
int queue_call_eval(struct queue *q, enum queue_call call, size_t n_keys);

/* Add one argument each: rmq::queue::[Q]::list, incr::queue::[Q]::rest,
 * incr::queue::[Q]::consumer::ID::rest with ::SEQ unless seq is NULL, an
 * id. */
void queue_call_list_key(struct queue *q, const char *list);
void queue_call_own_key(struct queue *q, const char *rest);
void queue_call_consumer_key(struct queue *q, const struct id *consumer,
    const char *rest, const uint64_t *seq);
void queue_call_id(struct queue *q, const struct id *id);

/* Two: the owner record of this process for speaker, and its life. */
void queue_call_record(struct queue *q, const struct id *speaker);

/* What a reply makes of a call; false if there is no such reply. */
enum queue_state queue_call_digest_batch(struct queue *q);
bool queue_call_digest_list(struct queue *q);
bool queue_call_digest_peek(const struct queue *q);
enum queue_state queue_call_digest_adopt(struct queue *q);

#endif
