/* Keeps the lines of a batch, their answers, and what Redis gets of them. */
#include "publish/publish_batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/lines.h"
#include "record/increment.h"

struct publish_batch_entry {
	uint64_t number;
	int64_t arrived_ms;
	uint32_t len; /* bytes in text, with tag and newline */
	uint8_t tag_len;
	bool data;
	enum fault fault; /* of data */
};

static void add_entry(struct publish_batch *b,
    const struct publish_batch_line *line, size_t tag_len, bool data,
    size_t text_at);
static int answer(struct publish_batch *b, struct buf *out);
static int release_first(struct publish_batch *b, struct buf *out);
static int put_error(const struct publish_batch *b, const char *tag,
    size_t tag_len, const struct control_error *error, struct buf *out);
static void empty(struct publish_batch *b);

unsigned
publish_batch_faults(bool echo, bool tagged)
{
	unsigned set = echo ? FAULT_BIT(UNAVAILABLE) | FAULT_BIT(UNKNOWN)
			    : FAULTS_OF_INCREMENTS;

	return tagged ? set | FAULT_BIT(IDEMPOTENCY_KEY_REUSED) : set;
}

int
publish_batch_open(struct publish_batch *b, bool echo, bool tagged)
{
	*b = (struct publish_batch){.echo = echo,
	    .tagged = tagged,
	    .keeps = echo,
	    .max = PUBLISH_BATCH_LINES};
	b->entries = calloc(PUBLISH_BATCH_LINES, sizeof *b->entries);
	return b->entries == NULL ? -1 : 0;
}

void
publish_batch_close(struct publish_batch *b)
{
	queue_lines_free(&b->encoded);
	buf_free(&b->text);
	free(b->entries);
	*b = (struct publish_batch){0};
}

bool
publish_batch_empty(const struct publish_batch *b)
{
	return b->first == b->end;
}

void
publish_batch_judge(const struct publish_batch_line *line, bool tagged,
    bool sharded, struct publish_batch_judged *ret)
{
	const char *json;
	size_t at, len;

	ret->fault = FAULT_NONE;
	ret->tag_len = 0;
	if (tagged && lines_split_tag(line->text, line->len, &ret->tag_len) < 0)
		ret->fault = FAULT_NOT_TAGGED;
	else if (line->too_long)
		ret->fault = FAULT_TOO_LONG;
	if (ret->fault != FAULT_NONE)
		return;
	at = tagged ? ret->tag_len + 1 : 0;
	json = line->text + at;
	len = line->len - at;
	ret->canonical = ret->tag_len > 0 || sharded
			     ? increment_recognise(json, len, &ret->inc) == 0
			     : increment_is_canonical(json, len);
	if (!ret->canonical)
		ret->fault = increment_judge(json, len, &ret->inc);
}

/* Adds an increment to what goes to Redis, in canonical form.  0, or -1 if
 * memory is gone. */
static inline int
encode(struct publish_batch *b, const struct publish_batch_line *line,
    const struct publish_batch_judged *judged)
{
	size_t at = b->tagged ? judged->tag_len + 1 : 0;
	const char *json = line->text + at;
	size_t len = line->len - at;
	char canonical[INCREMENT_TEXT];

	if (!judged->canonical) {
		len = increment_format(&judged->inc, canonical);
		json = canonical;
	}
	return queue_lines_add(
	    &b->encoded, line->text, judged->tag_len, json, len, &judged->inc);
}

enum publish_batch_taken
publish_batch_add(struct publish_batch *b,
    const struct publish_batch_line *line,
    const struct publish_batch_judged *judged, struct control_error *ret_error)
{
	size_t text_at = b->text.len;
	enum publish_batch_taken taken;

	if (judged->fault != FAULT_NONE) {
		taken =
		    publish_batch_answer(b, line, judged, &b->text, ret_error);
		if (b->echo && taken != PUBLISH_BATCH_NO_MEMORY)
			add_entry(b, line, judged->tag_len, false, text_at);
		return taken;
	}
	if (encode(b, line, judged) < 0 ||
	    (b->keeps && lines_put(&b->text, line->text, line->len) < 0))
		return PUBLISH_BATCH_NO_MEMORY;
	add_entry(b, line, judged->tag_len, true, text_at);
	return PUBLISH_BATCH_DATA;
}

enum publish_batch_taken
publish_batch_answer(const struct publish_batch *b,
    const struct publish_batch_line *line,
    const struct publish_batch_judged *judged, struct buf *out,
    struct control_error *ret_error)
{
	enum fault fault = judged->fault;
	size_t at = b->tagged ? judged->tag_len + 1 : 0;
	bool is_error =
	    fault == FAULT_CONTROL_LINE && control_parse_error(line->text + at,
					       line->len - at, ret_error) == 0;

	/* Half a line is no sign of what the whole line is. */
	if (b->echo && line->torn)
		fault = FAULT_UNAVAILABLE;
	if (!is_error)
		*ret_error = (struct control_error){
		    .fault = fault, .line = line->number};
	if (b->echo && (is_error ? lines_put(out, line->text, line->len)
				 : put_error(b, line->text, judged->tag_len,
				       ret_error, out)) < 0)
		return PUBLISH_BATCH_NO_MEMORY;
	return is_error ? PUBLISH_BATCH_ERROR : PUBLISH_BATCH_REJECTED;
}

/* Adds the entry of a line whose text begins at text_at. */
static void
add_entry(struct publish_batch *b, const struct publish_batch_line *line,
    size_t tag_len, bool data, size_t text_at)
{
	b->entries[b->end++] =
	    (struct publish_batch_entry){.number = line->number,
		.arrived_ms = line->arrived_ms,
		.len = (uint32_t)(b->text.len - text_at),
		.tag_len = (uint8_t)tag_len,
		.data = data};
	b->n_data += data;
}

int64_t
publish_batch_oldest_ms(const struct publish_batch *b)
{
	for (size_t i = b->first; i < b->end; i++)
		if (b->entries[i].data)
			return b->entries[i].arrived_ms;
	return INT64_MAX;
}

int
publish_batch_each(const struct publish_batch *b,
    int (*add)(void *ctx, const struct publish_batch_line *line), void *ctx)
{
	const char *at = buf_ptr(&b->text);

	for (size_t i = b->first; i < b->end; i++) {
		const struct publish_batch_entry *e = &b->entries[i];
		const struct publish_batch_line line = {.text = at,
		    .len = e->len - 1,
		    .number = e->number,
		    .arrived_ms = e->arrived_ms};

		if (add(ctx, &line) < 0)
			return -1;
		at += e->len;
	}
	return 0;
}

/* An error line stays as it is. */
static int
encode_again(void *ctx, const struct publish_batch_line *line)
{
	struct publish_batch *b = ctx;
	struct publish_batch_judged judged;

	publish_batch_judge(line, b->tagged, false, &judged);
	return judged.fault == FAULT_NONE ? encode(b, line, &judged) : 0;
}

const struct queue_lines *
publish_batch_encode(struct publish_batch *b)
{
	if (!b->stale)
		return &b->encoded;
	queue_lines_clear(&b->encoded);
	if (publish_batch_each(b, encode_again, b) < 0)
		return NULL;
	b->stale = false;
	return &b->encoded;
}

uint64_t
publish_batch_refuse(struct publish_batch *b, size_t i, enum fault fault)
{
	struct publish_batch_entry *e = &b->entries[b->first];

	while (!e->data || i-- > 0)
		e++;
	b->n_faults += e->fault == FAULT_NONE;
	e->fault = fault;
	return e->number;
}

void
publish_batch_refuse_all(struct publish_batch *b, enum fault fault)
{
	for (size_t i = b->first; i < b->end; i++)
		if (b->entries[i].data)
			b->entries[i].fault = fault;
	b->n_faults = b->n_data;
}

int
publish_batch_expire(struct publish_batch *b, int64_t limit_ms,
    enum fault fault, struct buf *out)
{
	int expired = 0;

	while (!publish_batch_empty(b)) {
		struct publish_batch_entry *e = &b->entries[b->first];

		if (e->data && e->arrived_ms > limit_ms)
			break;
		if (e->data) {
			b->n_faults += e->fault == FAULT_NONE;
			e->fault = fault;
			b->stale = true;
			expired++;
		}
		if (release_first(b, out) < 0)
			return -1;
	}
	if (publish_batch_empty(b))
		empty(b);
	return expired;
}

int
publish_batch_release(struct publish_batch *b, struct buf *out)
{
	while (b->n_faults > 0)
		if (release_first(b, out) < 0)
			return -1;
	if (b->echo && b->text.len > 0 && answer(b, out) < 0)
		return -1;
	empty(b);
	return 0;
}

/* After the last fault, which is mostly everything: text is the answers. */
static int
answer(struct publish_batch *b, struct buf *out)
{
	struct buf spare = *out;

	if (out->len > 0)
		return buf_add(out, buf_ptr(&b->text), b->text.len);
	*out = b->text;
	b->text = spare;
	return 0;
}

static int
release_first(struct publish_batch *b, struct buf *out)
{
	const struct publish_batch_entry *e = &b->entries[b->first];
	struct control_error error = {.fault = e->fault, .line = e->number};
	const char *text = buf_ptr(&b->text);

	if (b->echo && (e->fault == FAULT_NONE ? buf_add(out, text, e->len)
					       : put_error(b, text, e->tag_len,
						     &error, out)) < 0)
		return -1;
	buf_drop(&b->text, e->len);
	b->n_data -= e->data;
	b->n_faults -= e->fault != FAULT_NONE;
	b->first++;
	return 0;
}

static int
put_error(const struct publish_batch *b, const char *tag, size_t tag_len,
    const struct control_error *error, struct buf *out)
{
	if (b->tagged &&
	    (buf_add(out, tag, tag_len) < 0 || buf_add(out, "\t", 1) < 0))
		return -1;
	return control_add_error(out, error);
}

static void
empty(struct publish_batch *b)
{
	queue_lines_clear(&b->encoded);
	buf_clear(&b->text);
	b->first = b->end = b->n_data = b->n_faults = 0;
	b->stale = false;
}
