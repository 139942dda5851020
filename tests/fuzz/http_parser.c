/*
 * Any bytes as requests: first whole, then in pieces whose sizes the input
 * itself gives; the same requests, bodies and faults must come out.
 */
#include "http/http_parser.h"
#include "fuzz.h"

/* What came out, so far as it can be compared. */
struct outcome {
	uint64_t hash; /* of all events and bodies */
	size_t requests, body_len;
	int status;
};

static void
mix(struct outcome *o, uint64_t value)
{
	o->hash = (o->hash ^ value) * 0x100000001b3;
}

static void
take_value(
    struct outcome *o, const struct http_value *v, const char *p, size_t eaten)
{
	promise(v->at == 0 || (size_t)v->at + v->len < eaten);
	mix(o, v->at);
	for (size_t i = 0; i < v->len; i++)
		mix(o, (uint8_t)p[v->at + i]);
}

static void
take(struct outcome *o, const struct http_parser *h, enum http_event e,
    const char *p, size_t eaten)
{
	const struct http_request *r = &h->request;

	switch (e) {
	case HTTP_HEAD:
		promise(eaten <= HTTP_HEAD_MAX);
		promise((size_t)r->path_at + r->path_len < eaten);
		promise(!(r->chunked && r->has_length));
		promise(r->chunked || r->has_length || r->length == 0);
		mix(o, (uint64_t)r->method << 3 | (uint64_t)r->chunked << 2 |
			   (uint64_t)r->keep_alive << 1 | r->expects);
		for (size_t i = 0; i < r->path_len; i++)
			mix(o, (uint8_t)p[r->path_at + i]);
		mix(o, r->length);
		take_value(o, &r->authorization, p, eaten);
		take_value(o, &r->idempotency_key, p, eaten);
		take_value(o, &r->line_offset, p, eaten);
		take_value(o, &r->forwarded, p, eaten);
		return;
	case HTTP_DATA:
		promise(eaten > 0);
		for (size_t i = 0; i < eaten; i++)
			mix(o, (uint8_t)p[i]);
		o->body_len += eaten;
		return;
	case HTTP_END:
		promise(eaten == 0);
		mix(o, 1);
		o->requests++;
		return;
	case HTTP_FAULT:
		promise(eaten == 0 && h->why != NULL);
		promise(h->status == 400 || h->status == 417 ||
			h->status == 431 || h->status == 505);
		o->status = h->status;
		return;
	case HTTP_MORE: promise(eaten == 0); return;
	case HTTP_FRAMING: promise(eaten > 0); return;
	}
}

/* Grows what the parser sees by the sizes at steps, or at once. */
static struct outcome
feed(const char *text, size_t len, const uint8_t *steps, size_t n_steps)
{
	struct http_parser h = {0};
	struct outcome o = {.hash = 0xcbf29ce484222325};
	size_t used = 0, have = n_steps == 0 ? len : 0, step = 0, eaten;

	for (;;) {
		enum http_event e =
		    http_parser_step(&h, text + used, have - used, &eaten);

		promise(eaten <= have - used);
		take(&o, &h, e, text + used, eaten);
		used += eaten;
		if (e == HTTP_FAULT || (e == HTTP_MORE && have == len))
			return o;
		if (e != HTTP_MORE)
			continue;
		promise(have - used <= HTTP_HEAD_MAX);
		have += 1 + steps[step++ % n_steps];
		have = have < len ? have : len;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t n_steps = len > 8 ? 8 : len;
	const char *text = (const char *)data + n_steps;
	struct outcome whole, cut;

	if (n_steps == 0)
		return 0;
	whole = feed(text, len - n_steps, NULL, 0);
	cut = feed(text, len - n_steps, data, n_steps);
	promise(whole.hash == cut.hash && whole.requests == cut.requests &&
		whole.body_len == cut.body_len && whole.status == cut.status);
	return 0;
}
