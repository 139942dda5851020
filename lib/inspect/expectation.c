/* Compares counts with what is expected of each key. */
#include "inspect/expectation.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS_MIN = 64, ENTRIES_MIN = 16, BLANK = ' ' };

/* Of U128_DIGITS digits. */
#define LARGEST ((u128)10000000000000000000u * 10000000000000000000u - 1)

#define KEY_BEFORE "{\"key\":\""
#define VALUE_BEFORE "\",\"value\":"
#define TIME_BEFORE ",\"updated_at\":\""

static enum expectation_line parse(
    const char *line, size_t len, struct id *ret_key, u128 *ret_count);
static int parse_json(const char *line, size_t len, struct id *ret_key,
    const char **ret_digits, size_t *ret_n);
static int parse_columns(const char *line, size_t len, struct id *ret_key,
    const char **ret_digits, size_t *ret_n);
static bool is_frame(
    struct expectation *e, uint64_t number, const char *line, size_t len);
static enum expectation_line add(
    struct expectation *e, const struct id *key, u128 count);
static bool merge(struct expectation *e);
static struct expectation_key *find(
    const struct expectation *e, const struct id *key);

/* -- lines ---------------------------------------------------------------- */

enum expectation_line
expectation_add_line(
    struct expectation *e, uint64_t number, const char *line, size_t len)
{
	enum expectation_line result;
	struct id key;
	u128 count;

	if (is_frame(e, number, line, len))
		return EXPECTATION_TAKEN;
	result = parse(line, len, &key, &count);
	return result == EXPECTATION_TAKEN ? add(e, &key, count) : result;
}

static bool
is_separator(char c)
{
	return c == BLANK || c == '\t' || c == '|';
}

static bool
begins(const char *line, size_t len, const char *with)
{
	return len >= strlen(with) && memcmp(line, with, strlen(with)) == 0;
}

static size_t
skip_separators(const char *line, size_t len, size_t at)
{
	while (at < len && is_separator(line[at]))
		at++;
	return at;
}

static size_t
skip_digits(const char *line, size_t len, size_t at)
{
	while (at < len && line[at] >= '0' && line[at] <= '9')
		at++;
	return at;
}

static bool
is_names(const char *line, size_t len)
{
	static const char first[] = "key", second[] = "value";
	size_t at = skip_separators(line, len, 0);

	if (!begins(line + at, len - at, first))
		return false;
	at = skip_separators(line, len, at + strlen(first));
	return begins(line + at, len - at, second);
}

static bool
is_dashes(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (line[i] != '-' && line[i] != '+')
			return false;
	return true;
}

/* Of a table: " key | value | updated_at", a line of dashes, an empty line at
 * its end. */
static bool
is_frame(struct expectation *e, uint64_t number, const char *line, size_t len)
{
	if (number == 1)
		e->headed = is_names(line, len);
	if (number == 2)
		return e->headed && is_dashes(line, len);
	return e->headed && (number == 1 || len == 0);
}

static enum expectation_line
parse(const char *line, size_t len, struct id *ret_key, u128 *ret_count)
{
	const char *digits;
	size_t n;
	struct increment inc;
	enum fault fault;
	bool json = len > 0 && line[0] == '{';

	if ((json ? parse_json(line, len, ret_key, &digits, &n)
		  : parse_columns(line, len, ret_key, &digits, &n)) == 0) {
		if (n > 1 && *digits == '0')
			return EXPECTATION_BAD;
		return u128_parse(digits, n, ret_count) < 0 ? EXPECTATION_LARGE
							    : EXPECTATION_TAKEN;
	}
	fault = increment_parse(line, len, &inc);
	if (fault != FAULT_NONE)
		return fault == FAULT_UNAVAILABLE ? EXPECTATION_MEMORY
						  : EXPECTATION_BAD;
	*ret_key = inc.key;
	*ret_count = (uint64_t)inc.value;
	return EXPECTATION_TAKEN;
}

/* What our programs write; any other form of an increment is judged as one. */
static int
parse_json(const char *line, size_t len, struct id *ret_key,
    const char **ret_digits, size_t *ret_n)
{
	size_t at = strlen(KEY_BEFORE), end;

	if (!begins(line, len, KEY_BEFORE) || len - at < ID_TEXT ||
	    id_parse(line + at, ID_TEXT, ret_key) < 0)
		return -1;
	at += ID_TEXT;
	if (!begins(line + at, len - at, VALUE_BEFORE))
		return -1;
	at += strlen(VALUE_BEFORE);
	end = skip_digits(line, len, at);
	*ret_digits = line + at;
	*ret_n = end - at;
	if (end == at || end == len)
		return -1;
	if (begins(line + end, len - end, TIME_BEFORE)) {
		end += strlen(TIME_BEFORE);
		while (end < len && line[end] != '"' && line[end] != '\\')
			end++;
		if (end == len || line[end++] != '"')
			return -1;
	}
	return end + 1 == len && line[end] == '}' ? 0 : -1;
}

static int
parse_columns(const char *line, size_t len, struct id *ret_key,
    const char **ret_digits, size_t *ret_n)
{
	size_t at = skip_separators(line, len, 0), end;

	if (len - at < ID_TEXT || id_parse(line + at, ID_TEXT, ret_key) < 0)
		return -1;
	end = at + ID_TEXT;
	at = skip_separators(line, len, end);
	if (at == end)
		return -1;
	end = skip_digits(line, len, at);
	*ret_digits = line + at;
	*ret_n = end - at;
	return end > at && (end == len || is_separator(line[end])) ? 0 : -1;
}

/* -- keys ----------------------------------------------------------------- */

/* Lines of few keys, however many, need no more memory than these keys. */
static enum expectation_line
add(struct expectation *e, const struct id *key, u128 count)
{
	struct expectation_key *more;
	size_t cap;
	bool full = e->n == e->cap;

	if (full && !merge(e))
		return EXPECTATION_LARGE;
	if (full && e->n >= e->cap / 3 * 2) {
		cap = e->cap == 0 ? KEYS_MIN : e->cap / 2 * 3;
		more = reallocarray(e->keys, cap, sizeof *more);
		if (more == NULL)
			return EXPECTATION_MEMORY;
		e->keys = more;
		e->cap = cap;
	}
	e->keys[e->n++] =
	    (struct expectation_key){.key = *key, .expected = count};
	return EXPECTATION_TAKEN;
}

static int
compare_keys(const void *a, const void *b)
{
	const struct expectation_key *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof x->key);
}

/* Sorts; each key is there once then.  False: a sum is too large. */
static bool
merge(struct expectation *e)
{
	struct expectation_key *to = e->keys;

	if (e->n == 0)
		return true;
	qsort(e->keys, e->n, sizeof *e->keys, compare_keys);
	for (size_t i = 1; i < e->n; i++) {
		if (!id_equal(&to->key, &e->keys[i].key))
			*++to = e->keys[i];
		else if (e->keys[i].expected > LARGEST - to->expected)
			return false;
		else
			to->expected += e->keys[i].expected;
	}
	e->n = (size_t)(to - e->keys) + 1;
	return true;
}

enum expectation_line
expectation_end(struct expectation *e)
{
	struct expectation_key *less;

	if (!merge(e))
		return EXPECTATION_LARGE;
	less = e->n == 0 ? NULL : reallocarray(e->keys, e->n, sizeof *less);
	if (less != NULL) {
		e->keys = less;
		e->cap = e->n;
	}
	return EXPECTATION_TAKEN;
}

void
expectation_free(struct expectation *e)
{
	free(e->keys);
	*e = (struct expectation){0};
}

static struct expectation_key *
find(const struct expectation *e, const struct id *key)
{
	struct expectation_key wanted = {.key = *key};

	return e->n == 0 ? NULL
			 : bsearch(&wanted, e->keys, e->n, sizeof *e->keys,
			       compare_keys);
}

/* -- what there is -------------------------------------------------------- */

void
expectation_add_counted(struct expectation *e, const struct id *key, u128 count)
{
	struct expectation_key *k = find(e, key);

	if (k != NULL)
		k->counted += count;
}

void
expectation_add_waiting(struct expectation *e, const struct increment *inc)
{
	struct expectation_key *k = find(e, &inc->key);

	if (k != NULL)
		k->waiting += (uint64_t)inc->value;
}

void
expectation_add_rejected(struct expectation *e, const struct increment *inc)
{
	struct expectation_key *k = find(e, &inc->key);

	if (k != NULL)
		k->rejected += (uint64_t)inc->value;
}

void
expectation_forget_table(struct expectation *e)
{
	for (size_t i = 0; i < e->n; i++)
		e->keys[i].counted = 0;
}

void
expectation_forget_queue(struct expectation *e)
{
	for (size_t i = 0; i < e->n; i++)
		e->keys[i].waiting = e->keys[i].rejected = 0;
}

/* -- batches -------------------------------------------------------------- */

int
expectation_log_add(struct expectation_log *l, const struct expectation *e,
    const struct increment *inc)
{
	const struct expectation_key *k = find(e, &inc->key);
	struct expectation_entry *more;
	size_t cap;

	if (k == NULL)
		return 0;
	if (l->n == l->cap) {
		cap = l->cap == 0 ? ENTRIES_MIN : l->cap * 2;
		more = reallocarray(l->list, cap, sizeof *more);
		if (more == NULL)
			return -1;
		l->list = more;
		l->cap = cap;
	}
	l->list[l->n++] = (struct expectation_entry){
	    .at = (size_t)(k - e->keys), .value = (uint64_t)inc->value};
	return 0;
}

static int
compare_entries(const void *a, const void *b)
{
	const struct expectation_entry *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

/* A sum that is too large for an entry begins another one. */
void
expectation_log_end(struct expectation_log *l)
{
	struct expectation_entry *to = l->list;

	if (l->n == 0)
		return;
	qsort(l->list, l->n, sizeof *l->list, compare_entries);
	for (size_t i = 1; i < l->n; i++)
		if (to->at == l->list[i].at &&
		    to->value <= UINT64_MAX - l->list[i].value)
			to->value += l->list[i].value;
		else
			*++to = l->list[i];
	l->n = l->cap = (size_t)(to - l->list) + 1;
	to = reallocarray(l->list, l->n, sizeof *to);
	if (to != NULL)
		l->list = to;
}

void
expectation_log_free(struct expectation_log *l)
{
	free(l->list);
	*l = (struct expectation_log){0};
}

void
expectation_add_log(struct expectation *e, const struct expectation_log *l)
{
	for (size_t i = 0; i < l->n; i++)
		e->keys[l->list[i].at].waiting += l->list[i].value;
}

/* -- results -------------------------------------------------------------- */

const struct expectation_key *
expectation_differing(const struct expectation *e, size_t at, size_t *ret_at)
{
	for (; at < e->n; at++) {
		const struct expectation_key *k = &e->keys[at];

		if (k->counted + k->waiting + k->rejected == k->expected)
			continue;
		*ret_at = at + 1;
		return k;
	}
	return NULL;
}

size_t
expectation_differ(const struct expectation *e)
{
	size_t n = 0;

	for (size_t at = 0; expectation_differing(e, at, &at) != NULL;)
		n++;
	return n;
}

struct expectation_key
expectation_total(const struct expectation *e)
{
	struct expectation_key sum = {0};

	for (size_t i = 0; i < e->n; i++) {
		sum.expected += e->keys[i].expected;
		sum.counted += e->keys[i].counted;
		sum.waiting += e->keys[i].waiting;
		sum.rejected += e->keys[i].rejected;
	}
	return sum;
}
