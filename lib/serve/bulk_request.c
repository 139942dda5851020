/* The lines of one POST /increments and the answer made of their verdicts. */
#include "serve/bulk_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "record/control.h"

static void free_text(struct bulk_request *b);
static struct response make_answer(struct bulk_request *b);
static struct response one_problem(
    const struct bulk_request *b, enum fault fault);
static bool have_one_fault(const struct bulk_request *b, enum fault *ret);
static int write_lines(struct bulk_request *b, struct buf *out);
static int write_cut(const struct bulk_request *b, struct buf *out);
static const char *hint(
    const struct bulk_request *b, enum fault fault, size_t number);
static int write_error(
    struct buf *out, enum fault fault, uint64_t number, const char *detail);
static bool is_blank(const char *line, size_t len);

struct bulk_request *
bulk_request_new(
    void *owner, struct bulk_places *places, const struct ratelimit_key *client)
{
	struct bulk_request *b = calloc(1, sizeof *b);

	if (b == NULL)
		return NULL;
	b->owner = owner;
	b->places = places;
	b->client = *client;
	b->in.max = LINES_JSON_MAX;
	return b;
}

void
bulk_request_free(struct bulk_request *b)
{
	if (b == NULL)
		return;
	if (b->placed)
		bulk_places_give_back(b->places, &b->client);
	free_text(b);
	free(b);
}

static void
free_text(struct bulk_request *b)
{
	lines_close(&b->in);
	buf_free(&b->verdicts);
	buf_free(&b->texts);
}

bool
bulk_request_began(const struct bulk_request *b)
{
	const struct buf *in = &b->in.in;

	return in->len > (b->in.ended ? 0 : LINES_JSON_MAX) ||
	       (in->len > 0 && memchr(buf_ptr(in), '\n', in->len) != NULL);
}

int
bulk_request_feed(struct bulk_request *b, const char *p, size_t len)
{
	return buf_add(&b->in.in, p, len);
}

void
bulk_request_end(struct bulk_request *b)
{
	b->in.ended = true;
}

void
bulk_request_cut(struct bulk_request *b, const struct response *a)
{
	b->cut = *a;
	buf_free(&b->in.in);
	b->in.ended = true;
}

enum lines_result
bulk_request_next(
    struct bulk_request *b, const char **ret_line, size_t *ret_len)
{
	return lines_next(&b->in, ret_line, ret_len);
}

bool
bulk_request_ended(const struct bulk_request *b)
{
	return b->in.ended && b->in.in.len == 0;
}

uint32_t
bulk_request_take(struct bulk_request *b, const char *line, size_t len)
{
	static const uint8_t unknown = FAULT_UNKNOWN;

	if (buf_add(&b->verdicts, &unknown, 1) < 0)
		return 0;
	if (b->verdicts.len == 1 && line != NULL)
		b->first_hint = fault_hint(FAULT_NOT_JSON, line, len);
	b->last_blank = line != NULL && is_blank(line, len);
	return (uint32_t)b->verdicts.len;
}

static bool
is_blank(const char *line, size_t len)
{
	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t' ||
			      line[len - 1] == '\r'))
		len--;
	return len == 0;
}

uint32_t
bulk_request_lines(const struct bulk_request *b)
{
	return (uint32_t)b->verdicts.len;
}

/* For as many lines as there are, if they are like the first one, but no more
 * than the largest body has.  Without that memory texts grows by and by. */
static void
make_room(struct bulk_request *b, size_t len)
{
	size_t n = b->verdicts.len * (len + 1);

	if (b->texts.cap == 0)
		(void)buf_room(&b->texts, num_min_size(n, BULK_REQUEST_BYTES));
}

void
bulk_request_settle(struct bulk_request *b, uint32_t number, enum fault fault,
    const char *text, size_t len)
{
	if (fault == FAULT_NONE)
		make_room(b, len);
	/* Taken, but it can't be shown: it stays unknown. */
	if (fault == FAULT_NONE && lines_put(&b->texts, text, len) < 0)
		return;
	buf_ptr(&b->verdicts)[number - 1] = (char)fault;
}

struct response
bulk_request_answer(struct bulk_request *b)
{
	struct response a = make_answer(b);

	if (a.why == NULL)
		a.why = b->why;
	if (b->cut.policy != NULL) {
		a.retry_s = b->cut.retry_s;
		a.policy = b->cut.policy;
		a.quota = b->cut.quota;
		a.left = b->cut.left;
	}
	free_text(b);
	return a;
}

static struct response
make_answer(struct bulk_request *b)
{
	struct response a = {
	    .status = HTTP_202, .type = "application/x-ndjson"};
	enum fault fault = FAULT_NONE;
	struct buf lines = {0};

	if (b->verdicts.len == 0 && b->cut.status != 0)
		return b->cut;
	if (b->verdicts.len == 0)
		return (struct response){.status = HTTP_400,
		    .code = "faulty-request",
		    .detail = "the body has no lines"};
	if (b->cut.status == 0 && have_one_fault(b, &fault) &&
	    fault != FAULT_NONE)
		return one_problem(b, fault);
	if (b->cut.status == 0 && have_one_fault(b, &fault)) {
		lines = b->texts;
		b->texts = (struct buf){0};
	} else {
		a.status = HTTP_207;
		if (write_lines(b, &lines) < 0) {
			buf_free(&lines);
			return response_fault(FAULT_UNKNOWN);
		}
	}
	a.text = lines.data;
	a.text_len = lines.len;
	return a;
}

/* With the hint of the only line. */
static struct response
one_problem(const struct bulk_request *b, enum fault fault)
{
	struct response a = response_fault(fault);
	const char *detail = b->verdicts.len == 1 ? hint(b, fault, 1) : NULL;

	if (detail != NULL)
		a.detail = detail;
	return a;
}

static bool
have_one_fault(const struct bulk_request *b, enum fault *ret)
{
	const char *verdicts = buf_ptr(&b->verdicts);

	for (size_t i = 1; i < b->verdicts.len; i++)
		if (verdicts[i] != verdicts[0])
			return false;
	*ret = (enum fault)verdicts[0];
	return true;
}

static int
write_lines(struct bulk_request *b, struct buf *out)
{
	const char *verdicts = buf_ptr(&b->verdicts);
	const char *text = buf_ptr(&b->texts), *end = text + b->texts.len;

	for (size_t i = 0; i < b->verdicts.len; i++) {
		enum fault fault = (enum fault)verdicts[i];
		const char *newline;

		if (fault != FAULT_NONE) {
			if (write_error(
				out, fault, i + 1, hint(b, fault, i + 1)) < 0)
				return -1;
			continue;
		}
		newline = memchr(text, '\n', (size_t)(end - text));
		if (buf_add(out, text, (size_t)(newline + 1 - text)) < 0)
			return -1;
		text = newline + 1;
	}
	return b->cut.status == 0 ? 0 : write_cut(b, out);
}

/* Of the first line that was not read. */
static int
write_cut(const struct bulk_request *b, struct buf *out)
{
	uint64_t number = b->verdicts.len + 1;
	char detail[80];

	if (b->cut.status == HTTP_413)
		return write_error(
		    out, FAULT_TOO_LONG, number, BULK_REQUEST_TOO_LONG);
	if (b->cut.status != HTTP_429)
		return write_error(out, FAULT_UNAVAILABLE, number, NULL);
	snprintf(detail, sizeof detail,
	    "the rate of this client is used up after %ju lines",
	    (uintmax_t)b->verdicts.len);
	return write_error(out, FAULT_UNAVAILABLE, number, detail);
}

/* More about a line than its fault, or NULL. */
static const char *
hint(const struct bulk_request *b, enum fault fault, size_t number)
{
	if (fault != FAULT_NOT_JSON)
		return NULL;
	if (number == b->verdicts.len && b->last_blank && b->cut.status == 0)
		return "the last line is blank: the body must end with one "
		       "newline or none";
	return number == 1 ? b->first_hint : NULL;
}

static int
write_error(
    struct buf *out, enum fault fault, uint64_t number, const char *detail)
{
	return control_add_error(
	    out, &(struct control_error){
		     .fault = fault, .line = number, .detail = detail});
}
