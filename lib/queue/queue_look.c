/*
 * The calls of --check: look, INFO, CONFIG GET.
 *
 * The commands that a user must be allowed are those of the scripts' own text,
 * so that no list of them can be out of date.
 */
#include "queue/queue_look.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "queue/queue_call.h"

enum { COMMAND_MAX = 64, COMMANDS_MAX = 64, LOOKED_HEAD = 6 };

struct commands {
	char text[COMMANDS_MAX][COMMAND_MAX];
	size_t n;
};

/* QUEUE_CALL_NONE ends each.  ADMIT is left out: whoever may not make it makes
 * PUBLISH in its place. */
static const enum queue_call calls_of[][16] = {
    [QUEUE_PUBLISHES] = {QUEUE_CALL_SHARDS, QUEUE_CALL_INTRODUCE,
	QUEUE_CALL_PUBLISH, QUEUE_CALL_MEASURE, QUEUE_CALL_NONE},
    [QUEUE_CONSUMES] = {QUEUE_CALL_REGISTER, QUEUE_CALL_TAKE, QUEUE_CALL_READ,
	QUEUE_CALL_RENEW, QUEUE_CALL_HOLDERS, QUEUE_CALL_ADOPT,
	QUEUE_CALL_MEASURE, QUEUE_CALL_PEEK, QUEUE_CALL_NONE},
    [QUEUE_FLUSHES] = {QUEUE_CALL_MARK, QUEUE_CALL_RENEW,
	QUEUE_CALL_ACKNOWLEDGE, QUEUE_CALL_NUMBERS, QUEUE_CALL_RESTORE,
	QUEUE_CALL_IDENTIFY, QUEUE_CALL_TRIM, QUEUE_CALL_NONE},
};

/* Beside the scripts. */
static const char *const command_of[] = {[QUEUE_PUBLISHES] = NULL,
    [QUEUE_CONSUMES] = "LRANGE",
    [QUEUE_FLUSHES] = "SISMEMBER"};

static void
add(struct commands *c, const char *text)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->text[i], text) == 0)
			return;
	assert(c->n < COMMANDS_MAX);
	snprintf(c->text[c->n++], COMMAND_MAX, "%s", text);
}

/* The capitals at p, if a quote ends them; 0: there are none. */
static size_t
word(const char *p)
{
	size_t len = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return len > 0 && len < COMMAND_MAX / 2 - 1 && p[len] == '\'' ? len : 0;
}

/* redis.call('GET', ...), redis.pcall('MEMORY', 'USAGE', ...) */
static void
add_script(struct commands *c, const char *text)
{
	while ((text = strstr(text, "call('")) != NULL) {
		char command[COMMAND_MAX];
		size_t len, more;

		text += strlen("call('");
		len = word(text);
		if (len == 0)
			continue;
		snprintf(command, sizeof command, "%.*s", (int)len, text);
		text += len;
		more = strncmp(text, "', '", 4) == 0 ? word(text + 4) : 0;
		if (more > 0)
			snprintf(command + len, sizeof command - len, "|%.*s",
			    (int)more, text + 4);
		add(c, command);
	}
}

static int
send_look(struct queue *q)
{
	static const char *const rests[] = {"owner", "batches", "flush"};
	enum queue_user user = q->look_user;
	struct commands commands = {.n = 0};
	size_t n;

	if (!queue_call_start(q))
		return -1;
	for (const enum queue_call *c = calls_of[user]; *c != QUEUE_CALL_NONE;
	     c++)
		add_script(&commands, queue_call_script(*c));
	if (command_of[user] != NULL)
		add(&commands, command_of[user]);
	if (q->confirms && q->replicas > 0)
		add(&commands, "WAIT");
	queue_call_list_key(q, "ready");
	queue_call_list_key(q, "rejected");
	queue_call_own_key(q, "consumers");
	queue_call_own_key(q, "database");
	queue_call_queues_key(q);
	n = queue_members_keys(q, rests, 3);
	queue_call_own_key(q, "version");
	resp_arg_u64(&q->args, commands.n);
	for (size_t i = 0; i < commands.n; i++)
		resp_arg_text(&q->args, commands.text[i]);
	queue_members_ids(q);
	q->asked = commands.n;
	return queue_call_eval(q, QUEUE_CALL_LOOK, 5 + n, NULL);
}

int
queue_look(struct queue *q, enum queue_user user)
{
	q->members.rounds = 0;
	q->look_user = user;
	return send_look(q);
}

enum queue_state
queue_call_digest_look(struct queue *q, const struct redis_reply *reply)
{
	size_t count = redis_reply_count(reply), len;
	struct id database = {0};
	const char *id;
	int64_t n[LOOKED_HEAD - 1];

	if (queue_members_changed(reply))
		return queue_call_with_members(q, reply, send_look);
	if (count < LOOKED_HEAD || count - LOOKED_HEAD > q->asked ||
	    !queue_call_are_texts(reply, LOOKED_HEAD - 1))
		return QUEUE_LOST;
	for (size_t i = 0; i < LOOKED_HEAD - 1; i++)
		if (queue_call_number(
			reply, i, 0, QUEUE_CALL_NUMBER_MAX, &n[i]) < 0)
			return QUEUE_LOST;
	if (n[4] > n[3])
		return QUEUE_LOST;
	id = redis_reply_text(redis_reply_at(reply, LOOKED_HEAD - 1), &len);
	if (id_parse(id, len, &database) < 0)
		database = (struct id){0};
	q->result.looked = (struct queue_looked){.ready = (uint64_t)n[0],
	    .unacked = (uint64_t)n[1],
	    .rejected = (uint64_t)n[2],
	    .consumers = (uint64_t)n[3],
	    .alive = (uint64_t)n[4],
	    .database = database,
	    .n_refused = count - LOOKED_HEAD,
	    .reply = reply};
	return QUEUE_DONE;
}

const struct queue_looked *
queue_looked(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_LOOK);
	return &q->result.looked;
}

const char *
queue_looked_refused(const struct queue_looked *l, size_t i)
{
	size_t len;

	return redis_reply_text(
	    redis_reply_at(l->reply, LOOKED_HEAD + i), &len);
}

/* -- commands ------------------------------------------------------------- */

int
queue_info(struct queue *q)
{
	if (!queue_call_start(q))
		return -1;
	resp_arg_text(&q->args, "INFO");
	return queue_call_command(q, QUEUE_CALL_INFO);
}

enum queue_state
queue_call_digest_info(struct queue *q, const struct redis_reply *reply)
{
	size_t len;

	q->result.informed = redis_reply_text(reply, &len);
	return q->result.informed == NULL ? QUEUE_LOST : QUEUE_DONE;
}

const char *
queue_informed(const struct queue *q)
{
	assert(q->done == QUEUE_CALL_INFO);
	return q->result.informed;
}

int
queue_settings(struct queue *q)
{
	static const char *const words[] = {"CONFIG", "GET", "appendfsync",
	    "save", "min-replicas-to-write", "min-replicas-max-lag"};

	if (!queue_call_start(q))
		return -1;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		resp_arg_text(&q->args, words[i]);
	return queue_call_command(q, QUEUE_CALL_SETTINGS);
}

enum queue_state
queue_call_digest_settings(struct queue *q, const struct redis_reply *reply)
{
	q->result.settings = reply;
	return redis_reply_is_list(reply) &&
		       redis_reply_count(reply) % 2 == 0 &&
		       queue_call_are_texts(reply, 0)
		   ? QUEUE_DONE
		   : QUEUE_LOST;
}

const char *
queue_setting(const struct queue *q, const char *name)
{
	const struct redis_reply *all = q->result.settings;
	size_t len;

	assert(q->done == QUEUE_CALL_SETTINGS);
	for (size_t i = 0; i + 1 < redis_reply_count(all); i += 2)
		if (strcmp(redis_reply_text(redis_reply_at(all, i), &len),
			name) == 0)
			return redis_reply_text(
			    redis_reply_at(all, i + 1), &len);
	return NULL;
}

uint64_t
queue_replicas(const struct queue *q)
{
	return q->confirms ? q->replicas : 0;
}
