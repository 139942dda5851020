/*
 * The queue's keys, calls and results.
 *
 * In: one call at a time.  Out: its typed result.  Every change is one
 * script, so a process killed at any line leaves it done or not done; a
 * call whose reply was lost is repeated as it was (register apart), and the
 * scripts see to it that it counts once.
 *
 * What belongs to whom: lines belong to the publisher's caller until
 * QUEUE_PUSHED or QUEUE_BEFORE, payloads to Redis until queue_acknowledge.
 */
#include "queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "owner.h"
#include "session.h"
#include "sightings.h"
#include "tick.h"

#include "lua/acknowledge.h"
#include "lua/adopt.h"
#include "lua/measure.h"
#include "lua/publish.h"
#include "lua/read.h"
#include "lua/register.h"
#include "lua/renew.h"
#include "lua/take.h"

enum call {
	CALL_PUBLISH,
	CALL_REGISTER,
	CALL_TAKE,
	CALL_READ,
	CALL_RENEW,
	CALL_ADOPT,
	CALL_ACKNOWLEDGE,
	CALL_MEASURE,
	CALL_ASK, /* a plain command, as are those behind it */
	CALL_NONE
};

enum { N_SCRIPTS = CALL_MEASURE + 1 };

static const char *const scripts[N_SCRIPTS] = {
    [CALL_PUBLISH] = script_publish,
    [CALL_REGISTER] = script_register,
    [CALL_TAKE] = script_take,
    [CALL_READ] = script_read,
    [CALL_RENEW] = script_renew,
    [CALL_ADOPT] = script_adopt,
    [CALL_ACKNOWLEDGE] = script_acknowledge,
    [CALL_MEASURE] = script_measure,
};

enum {
	NAME_LEN_MAX = 128,
	REST_MAX = 160, /* a UUID, a number, the words */
	KEY_MAX = 512, /* the same, a name, and more words */
	CANDIDATES_MAX = 100 /* of one adoption */
};

static const char queues_key[] = "rmq::queues";

struct queue {
	struct session *session;
	char name[NAME_LEN_MAX + 1];
	enum call call; /* the last one begun */
	struct resp_args args;

	struct queue_batch batch; /* of take and read */
	const struct redis_reply **payloads;
	size_t payloads_cap;

	struct sightings sightings;
	uint64_t sightings_connection;
	struct id adopter, adopted;
	bool second_round; /* of an adoption */
};

static void list_key(struct queue *q, const char *list);
static void own_key(struct queue *q, const char *rest);
static void consumer_key(struct queue *q, const struct id *consumer,
    const char *rest, const uint64_t *seq);
static void id_arg(struct queue *q, const struct id *id);
static void record_args(struct queue *q, const struct id *speaker);
static bool start(struct queue *q);
static int eval(struct queue *q, enum call call, size_t n_keys);
static enum queue_state digest(struct queue *q);
static int digest_batch(struct queue *q);
static int gather(struct queue *q, const struct redis_reply *chunk);
static int send_adopt(struct queue *q);
static enum queue_state digest_adopt(struct queue *q);
static int digest_look(struct queue *q);
static int note(struct queue *q, const struct redis_reply *list, size_t step,
    int64_t now_ms);
static int reply_id(const struct redis_reply *p, struct id *ret);
static bool state_is(const struct redis_reply *reply, const char *word);

/* -- the connection ------------------------------------------------------ */

struct queue *
queue_open(const char *url, const char *name, const char **ret_why)
{
	static const struct session_options options = {
	    scripts, N_SCRIPTS, QUEUE_CONNECT_MS, QUEUE_REPLY_MS};
	struct queue *q;

	*ret_why = "not a queue's name";
	if (strlen(name) > NAME_LEN_MAX)
		return NULL;
	*ret_why = "out of memory";
	q = calloc(1, sizeof *q);
	if (q == NULL)
		return NULL;
	memcpy(q->name, name, strlen(name) + 1);
	q->call = CALL_NONE;
	q->session = session_open(url, &options, ret_why);
	if (q->session == NULL) {
		free(q);
		return NULL;
	}
	return q;
}

void
queue_close(struct queue *q)
{
	if (q == NULL)
		return;
	session_close(q->session);
	resp_args_free(&q->args);
	sightings_free(&q->sightings);
	free(q->payloads);
	free(q);
}

int64_t
queue_wait(const struct queue *q, struct pollfd *ret_pfd)
{
	return session_wait(q->session, ret_pfd);
}

enum queue_state
queue_step(struct queue *q, short revents)
{
	switch (session_step(q->session, revents)) {
	case SESSION_DOWN: break;
	case SESSION_IDLE: return QUEUE_IDLE;
	case SESSION_CALLING: return QUEUE_CALLING;
	case SESSION_REPLIED: return digest(q);
	case SESSION_REFUSED: return QUEUE_REFUSED;
	case SESSION_LOST: return QUEUE_LOST;
	case SESSION_FAULT: return QUEUE_FAULT;
	}
	return QUEUE_DOWN;
}

bool
queue_idle(const struct queue *q)
{
	return session_idle(q->session);
}

bool
queue_sent(const struct queue *q)
{
	return session_sent(q->session);
}

const char *
queue_why(const struct queue *q)
{
	return session_why(q->session);
}

uint64_t
queue_run(const struct queue *q)
{
	return session_run(q->session);
}

void
queue_hang_up(struct queue *q)
{
	session_hang_up(q->session);
}

/* A reply that no script gives: what was done is not known. */
static enum queue_state
digest(struct queue *q)
{
	const struct redis_reply *reply = session_reply(q->session);
	bool good = true;

	switch (q->call) {
	case CALL_ADOPT: return digest_adopt(q);
	case CALL_TAKE:
	case CALL_READ: good = digest_batch(q) == 0; break;
	case CALL_PUBLISH:
		good = redis_reply_int(redis_reply_at(reply, 0), -1) >= 0;
		break;
	case CALL_ACKNOWLEDGE:
	case CALL_ASK: good = redis_reply_int(reply, -1) >= 0; break;
	case CALL_RENEW:
	case CALL_MEASURE: good = redis_reply_count(reply) > 0; break;
	case CALL_REGISTER:
	case CALL_NONE: break;
	}
	if (good)
		return QUEUE_DONE;
	session_hang_up(q->session);
	return QUEUE_LOST;
}

/* -- publish ------------------------------------------------------------- */

int
queue_lines_add(struct queue_lines *l, const char *tag, size_t tag_len,
    const char *line, size_t len)
{
	size_t before = l->resp.len;

	if (l->n == QUEUE_LINES_MAX ||
	    (l->tagged && resp_encode(&l->resp, tag, tag_len) < 0))
		return -1;
	if (resp_encode(&l->resp, line, len) < 0) {
		l->resp.len = before;
		return -1;
	}
	l->n++;
	return 0;
}

void
queue_lines_clear(struct queue_lines *l)
{
	buf_clear(&l->resp);
	l->n = 0;
}

void
queue_lines_free(struct queue_lines *l)
{
	buf_free(&l->resp);
	l->n = 0;
}

int
queue_publish(struct queue *q, const struct id *publisher, uint64_t seq,
    const struct queue_lines *lines, uint64_t window_s)
{
	char rest[REST_MAX], text[ID_TEXT + 1];

	if (!start(q))
		return -1;
	id_format(publisher, text);
	snprintf(rest, sizeof rest, "publisher::%s", text);
	list_key(q, "ready");
	resp_arg_text(&q->args, queues_key);
	own_key(q, rest);
	resp_arg_u64(&q->args, seq);
	resp_arg_u64(&q->args, QUEUE_PUBLISHER_S);
	resp_arg_text(&q->args, q->name);
	if (lines->tagged)
		own_key(q, "seen::");
	else
		resp_arg_text(&q->args, "");
	resp_arg_u64(&q->args, window_s);
	q->call = CALL_PUBLISH;
	return session_eval(q->session, CALL_PUBLISH, 3, &q->args, &lines->resp,
	    lines->tagged ? 2 * lines->n : lines->n);
}

enum queue_published
queue_published(const struct queue *q)
{
	const struct redis_reply *reply = session_reply(q->session);

	switch (redis_reply_int(redis_reply_at(reply, 0), 0)) {
	case 1: return QUEUE_PUSHED;
	case 2: return QUEUE_BEFORE;
	}
	return QUEUE_GAP;
}

/* The reply's indexes ascend. */
bool
queue_reused(const struct queue *q, size_t i)
{
	const struct redis_reply *reply = session_reply(q->session);
	size_t low = 1, high = redis_reply_count(reply);

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int64_t at = redis_reply_int(redis_reply_at(reply, mid), -1);

		if (at == (int64_t)i)
			return true;
		if (at < (int64_t)i)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

/* -- a consumer's calls -------------------------------------------------- */

int
queue_register(struct queue *q, const struct id *consumer)
{
	if (!start(q))
		return -1;
	resp_arg_text(&q->args, queues_key);
	own_key(q, "consumers");
	consumer_key(q, consumer, "owner", NULL);
	consumer_key(q, consumer, "last", NULL);
	resp_arg_text(&q->args, q->name);
	id_arg(q, consumer);
	record_args(q, consumer);
	return eval(q, CALL_REGISTER, 4);
}

int
queue_take(struct queue *q, const struct id *consumer, uint64_t seq, uint64_t n)
{
	if (!start(q))
		return -1;
	list_key(q, "ready");
	own_key(q, "consumers");
	consumer_key(q, consumer, "owner", NULL);
	consumer_key(q, consumer, "last", NULL);
	consumer_key(q, consumer, "batches", NULL);
	consumer_key(q, consumer, "batch", &seq);
	id_arg(q, consumer);
	resp_arg_u64(&q->args, seq);
	resp_arg_u64(&q->args, n);
	resp_arg_u64(&q->args, QUEUE_TAKE_BYTES);
	resp_arg_u64(&q->args, QUEUE_UNACKED_MAX);
	resp_arg_u64(&q->args, QUEUE_UNACKED_AGE_MS);
	q->batch = (struct queue_batch){.seq = seq};
	return eval(q, CALL_TAKE, 6);
}

enum queue_taken
queue_taken(const struct queue *q)
{
	const struct redis_reply *reply = session_reply(q->session);

	if (state_is(reply, "taken"))
		return QUEUE_TAKEN;
	if (state_is(reply, "empty"))
		return QUEUE_EMPTY;
	if (state_is(reply, "full"))
		return QUEUE_FULL;
	if (state_is(reply, "notowner"))
		return QUEUE_NOT_OWNER;
	return QUEUE_GONE;
}

struct queue_batch
queue_batch(const struct queue *q)
{
	return q->batch;
}

const char *
queue_payload(const struct queue *q, size_t i, size_t *ret_len)
{
	return redis_reply_text(q->payloads[i], ret_len);
}

int
queue_read(struct queue *q, const struct id *consumer, uint64_t seq)
{
	if (!start(q))
		return -1;
	consumer_key(q, consumer, "batches", NULL);
	consumer_key(q, consumer, "batch", &seq);
	resp_arg_u64(&q->args, seq);
	q->batch = (struct queue_batch){.seq = seq};
	return eval(q, CALL_READ, 2);
}

/* The time, then parts of the list, right to left: puts all payloads in
 * order, oldest first. */
static int
digest_batch(struct queue *q)
{
	const struct redis_reply *reply = session_reply(q->session);

	if (redis_reply_count(reply) == 0)
		return -1;
	q->batch.n = 0;
	q->batch.taken_ms = redis_reply_int(redis_reply_at(reply, 1), 0);
	for (size_t i = 2; i < redis_reply_count(reply); i++)
		if (gather(q, redis_reply_at(reply, i)) < 0)
			return -1;
	return 0;
}

static int
gather(struct queue *q, const struct redis_reply *chunk)
{
	size_t n = redis_reply_count(chunk), cap = q->batch.n + n;
	const struct redis_reply **more;

	if (cap > q->payloads_cap) {
		cap *= 2;
		more = realloc(q->payloads, cap * sizeof *more);
		if (more == NULL)
			return -1;
		q->payloads = more;
		q->payloads_cap = cap;
	}
	while (n-- > 0) {
		const struct redis_reply *one = redis_reply_at(chunk, n);
		size_t len;

		if (redis_reply_text(one, &len) == NULL)
			return -1;
		q->payloads[q->batch.n++] = one;
	}
	return 0;
}

int
queue_renew(struct queue *q, const struct id *self, const struct id *consumers,
    size_t n, bool claim)
{
	if (!start(q))
		return -1;
	own_key(q, "consumers");
	own_key(q, "consumer::");
	id_arg(q, self);
	record_args(q, self);
	resp_arg_text(&q->args, claim ? "1" : "");
	for (size_t i = 0; i < n; i++)
		id_arg(q, &consumers[i]);
	return eval(q, CALL_RENEW, 1);
}

enum queue_renewed
queue_renewed(const struct queue *q, size_t i)
{
	const struct redis_reply *reply = session_reply(q->session);

	switch (redis_reply_int(redis_reply_at(reply, i), 0)) {
	case 1: return QUEUE_OWNED;
	case 2: return QUEUE_OWNED_BARE;
	}
	return QUEUE_DISOWNED;
}

int
queue_acknowledge(struct queue *q, const struct id *consumer,
    const uint64_t *seqs, size_t n, const struct queue_reject *rejects,
    size_t n_rejects)
{
	if (!start(q))
		return -1;
	list_key(q, "rejected");
	consumer_key(q, consumer, "batches", NULL);
	consumer_key(q, consumer, "batch::", NULL);
	resp_arg_u64(&q->args, n);
	for (size_t i = 0; i < n; i++)
		resp_arg_u64(&q->args, seqs[i]);
	for (size_t i = 0; i < n_rejects; i++) {
		resp_arg_u64(&q->args, rejects[i].seq);
		resp_arg_u64(&q->args, rejects[i].index);
	}
	return eval(q, CALL_ACKNOWLEDGE, 2);
}

/* -- adoption ------------------------------------------------------------ */

int
queue_adopt(struct queue *q, const struct id *self)
{
	if (!session_idle(q->session))
		return -1;
	if (q->sightings_connection != session_connection(q->session))
		sightings_forget(&q->sightings);
	q->sightings_connection = session_connection(q->session);
	q->adopter = *self;
	q->second_round = false;
	return send_adopt(q);
}

static int
send_adopt(struct queue *q)
{
	const struct sighting *one;
	size_t i = 0, n = 0;

	if (!start(q))
		return -1;
	own_key(q, "consumers");
	own_key(q, "consumer::");
	id_arg(q, &q->adopter);
	record_args(q, &q->adopter);
	resp_arg_text(&q->args, owner_boot());
	resp_arg_u64(&q->args, SIGHTINGS_MAX);
	while (
	    n < CANDIDATES_MAX && (one = sightings_candidate(&q->sightings, &i,
				       &q->adopter, tick_ms())) != NULL) {
		id_arg(q, &one->consumer);
		resp_arg_text(&q->args, one->record);
		n++;
	}
	return eval(q, CALL_ADOPT, 1);
}

/* Whom this very look showed to be orphaned is adopted by the same call. */
static enum queue_state
digest_adopt(struct queue *q)
{
	size_t i = 0;

	if (digest_look(q) < 0) {
		session_hang_up(q->session);
		return QUEUE_LOST;
	}
	if (queue_adopted(q, NULL) > 0 || q->second_round ||
	    sightings_candidate(&q->sightings, &i, &q->adopter, tick_ms()) ==
		NULL)
		return QUEUE_DONE;
	q->second_round = true;
	return send_adopt(q) < 0 ? QUEUE_DONE : QUEUE_CALLING;
}

static int
digest_look(struct queue *q)
{
	const struct redis_reply *reply = session_reply(q->session);
	int64_t now_ms = tick_ms();

	if (redis_reply_count(reply) != 4 || sightings_begin(&q->sightings) < 0)
		return -1;
	if (queue_adopted(q, NULL) > 0 &&
	    (reply_id(redis_reply_at(reply, 0), &q->adopted) < 0 ||
		sightings_hold(&q->sightings, &q->adopted) < 0))
		return -1;
	if (note(q, redis_reply_at(reply, 2), 1, now_ms) < 0 ||
	    note(q, redis_reply_at(reply, 3), 2, now_ms) < 0)
		return -1;
	sightings_end(&q->sightings, &q->adopter);
	return 0;
}

/* A list of ids (step 1), or of ids and records (step 2). */
static int
note(struct queue *q, const struct redis_reply *list, size_t step,
    int64_t now_ms)
{
	for (size_t i = 0; i + step <= redis_reply_count(list); i += step) {
		struct id id;
		size_t len = 0;
		const char *record = "";

		/* Anything may be in the set; no UUID, no consumer. */
		if (reply_id(redis_reply_at(list, i), &id) < 0)
			continue;
		if (step == 2)
			record =
			    redis_reply_text(redis_reply_at(list, i + 1), &len);
		if (record == NULL)
			return -1;
		sightings_note(&q->sightings, &id, record, len, now_ms);
	}
	return 0;
}

size_t
queue_adopted(const struct queue *q, struct id *ret_consumer)
{
	const struct redis_reply *reply = session_reply(q->session);
	size_t n = redis_reply_count(redis_reply_at(reply, 1));

	if (n > 0 && ret_consumer != NULL)
		*ret_consumer = q->adopted;
	return n;
}

uint64_t
queue_adopted_seq(const struct queue *q, size_t i)
{
	const struct redis_reply *seqs =
	    redis_reply_at(session_reply(q->session), 1);

	return (uint64_t)redis_reply_int(redis_reply_at(seqs, i), 0);
}

bool
queue_orphans(const struct queue *q)
{
	size_t i = 0;

	return sightings_ownerless(&q->sightings) ||
	       sightings_candidate(&q->sightings, &i, &q->adopter, tick_ms()) !=
		   NULL;
}

/* -- questions ----------------------------------------------------------- */

int
queue_ask(struct queue *q, const struct id *consumer)
{
	if (!start(q))
		return -1;
	resp_arg_text(&q->args, "SISMEMBER");
	own_key(q, "consumers");
	id_arg(q, consumer);
	q->call = CALL_ASK;
	return session_command(q->session, &q->args);
}

bool
queue_registered(const struct queue *q)
{
	return redis_reply_int(session_reply(q->session), 0) == 1;
}

int
queue_measure(struct queue *q)
{
	if (!start(q))
		return -1;
	list_key(q, "ready");
	list_key(q, "rejected");
	own_key(q, "consumers");
	own_key(q, "consumer::");
	return eval(q, CALL_MEASURE, 3);
}

struct queue_lengths
queue_lengths(const struct queue *q)
{
	const struct redis_reply *reply = session_reply(q->session);
	uint64_t n[3];

	for (size_t i = 0; i < 3; i++)
		n[i] = (uint64_t)redis_reply_int(redis_reply_at(reply, i), 0);
	return (struct queue_lengths){n[0], n[1], n[2]};
}

/* -- arguments ----------------------------------------------------------- */

static bool
start(struct queue *q)
{
	resp_args_clear(&q->args);
	return session_idle(q->session);
}

static int
eval(struct queue *q, enum call call, size_t n_keys)
{
	q->call = call;
	return session_eval(q->session, call, n_keys, &q->args, NULL, 0);
}

static void
list_key(struct queue *q, const char *list)
{
	char key[KEY_MAX];

	snprintf(key, sizeof key, "rmq::queue::[%s]::%s", q->name, list);
	resp_arg_text(&q->args, key);
}

static void
own_key(struct queue *q, const char *rest)
{
	char key[KEY_MAX];

	snprintf(key, sizeof key, "incr::queue::[%s]::%s", q->name, rest);
	resp_arg_text(&q->args, key);
}

/* ...::consumer::ID::rest, with ::SEQ if there is one */
static void
consumer_key(struct queue *q, const struct id *consumer, const char *rest,
    const uint64_t *seq)
{
	char key[REST_MAX], text[ID_TEXT + 1];
	int len;

	id_format(consumer, text);
	len = snprintf(key, sizeof key, "consumer::%s::%s", text, rest);
	if (seq != NULL)
		snprintf(key + len, sizeof key - (size_t)len, "::%ju",
		    (uintmax_t)*seq);
	own_key(q, key);
}

static void
id_arg(struct queue *q, const struct id *id)
{
	char text[ID_TEXT + 1];

	id_format(id, text);
	resp_arg(&q->args, text, ID_TEXT);
}

/* The owner record of this process, and how long it lives. */
static void
record_args(struct queue *q, const struct id *speaker)
{
	char record[OWNER_RECORD_MAX];

	owner_record(speaker, record);
	resp_arg_text(&q->args, record);
	resp_arg_u64(&q->args, QUEUE_OWNER_MS);
}

/* -- replies ------------------------------------------------------------- */

static int
reply_id(const struct redis_reply *p, struct id *ret)
{
	size_t len;
	const char *text = redis_reply_text(p, &len);

	return text == NULL ? -1 : id_parse(text, len, ret);
}

static bool
state_is(const struct redis_reply *reply, const char *word)
{
	size_t len;
	const char *text = redis_reply_text(redis_reply_at(reply, 0), &len);

	return text != NULL && strcmp(text, word) == 0;
}
