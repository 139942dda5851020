/* Reads the file of bearer tokens, finds a token by its digest. */
#include "serve/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/reason.h"
#include "base/sha256.h"

enum { WORDS = 3, RATE_TEXT = 32 };

struct entry {
	uint8_t digest[SHA256_BYTES];
	uint64_t bucket;
	unsigned line;
	struct token token;
};

/* Entries by bucket; bucket b is entries[starts[b]] to [starts[b + 1]]. */
struct tokens {
	struct entry *entries;
	size_t n;
	uint32_t *starts;
	unsigned shift; /* of the hash to a bucket */
	struct hash_seed seed;
};

struct word {
	const char *at;
	size_t len;
};

static const char *add_line(
    struct tokens *t, const char *line, size_t len, unsigned number);
static size_t split(const char *line, size_t len, struct word words[WORDS + 1]);
static const char *read_words(
    const struct word *words, size_t n, struct entry *ret);
static const char *add_digests(
    struct tokens *t, const struct word *list, struct entry *e);
static const char *add(struct tokens *t, const struct entry *e);
static bool read_name(const struct word *w, char *ret);
static bool read_digest(const struct word *w, uint8_t *ret);
static bool read_rate(const struct word *w, struct token *ret);
static unsigned find_repeated(struct tokens *t, const char **ret_why);
static int by_name(const void *a, const void *b);
static int by_digest(const void *a, const void *b);
static int make_buckets(struct tokens *t);
static int by_bucket(const void *a, const void *b);
static uint64_t bucket_of(const struct tokens *t, const uint8_t *digest);
static int read_file(const char *path, struct buf *ret, const char **ret_why);

struct tokens *
tokens_parse(
    const char *text, size_t len, unsigned *ret_line, const char **ret_why)
{
	struct tokens *t = calloc(1, sizeof *t);
	const char *end = text + len, *next;
	unsigned line = 0;

	*ret_line = 0;
	*ret_why = LOG_NO_MEMORY;
	if (t == NULL)
		return NULL;
	for (; text < end; text = next) {
		const char *lf = memchr(text, '\n', (size_t)(end - text));

		next = lf == NULL ? end : lf + 1;
		*ret_why = add_line(
		    t, text, (size_t)((lf == NULL ? end : lf) - text), ++line);
		if (*ret_why != NULL) {
			*ret_line = line;
			tokens_free(t);
			return NULL;
		}
	}
	*ret_line = find_repeated(t, ret_why);
	if (*ret_line == 0) {
		if (make_buckets(t) == 0)
			return t;
		*ret_why = LOG_NO_MEMORY;
	}
	tokens_free(t);
	return NULL;
}

/* -- lines --------------------------------------------------------------- */

/* NULL, or the fault of the line. */
static const char *
add_line(struct tokens *t, const char *line, size_t len, unsigned number)
{
	struct word words[WORDS + 1];
	struct entry e = {.line = number};
	const char *why;
	size_t n;

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' && line[i] != '\t')
			return "control character in a line";
	n = split(line, len, words);
	if (n == 0)
		return NULL;
	why = read_words(words, n, &e);
	return why != NULL ? why : add_digests(t, &words[1], &e);
}

/* The number of words before a comment; WORDS + 1 if too many. */
static size_t
split(const char *line, size_t len, struct word words[WORDS + 1])
{
	const char *end = line + len;
	size_t n = 0;

	while (n <= WORDS) {
		while (line < end && (*line == ' ' || *line == '\t'))
			line++;
		if (line == end || *line == '#')
			break;
		words[n].at = line;
		while (line < end && *line != ' ' && *line != '\t')
			line++;
		words[n].len = (size_t)(line - words[n].at);
		n++;
	}
	return n;
}

static const char *
read_words(const struct word *words, size_t n, struct entry *ret)
{
	struct client *c = &ret->token.client;
	uint8_t digest[SHA256_BYTES];

	if (n < 2 || n > WORDS)
		return "expected: name sha256 [rate]";
	if (!read_name(&words[0], c->name))
		return "expected a name: 1 to 64 of A-Z a-z 0-9 . _ -, a "
		       "letter or digit first";
	if (n == WORDS && !read_rate(&words[2], &ret->token))
		return "expected a rate: N/s or N/s:BURST, 1 to 1000000 each, "
		       "or -";
	/* The limit is by name, so that it outlives the token. */
	if (sha256_digest(c->name, strlen(c->name), digest) < 0)
		return LOG_NO_MEMORY;
	memcpy(c->key.bytes, digest, sizeof c->key.bytes);
	return NULL;
}

/* The tokens of one name: sha256[,sha256]..., the newest last. */
static const char *
add_digests(struct tokens *t, const struct word *list, struct entry *e)
{
	const char *end = list->at + list->len, *comma, *why;
	struct word one = {.at = list->at};

	do {
		comma = memchr(one.at, ',', (size_t)(end - one.at));
		one.len = (size_t)((comma == NULL ? end : comma) - one.at);
		if (!read_digest(&one, e->digest))
			return "expected a SHA-256 of 64 hexadecimal digits";
		e->token.client.old_token = comma != NULL;
		why = add(t, e);
		one.at += one.len + 1;
	} while (why == NULL && comma != NULL);
	return why;
}

static const char *
add(struct tokens *t, const struct entry *e)
{
	if (t->n == TOKENS_MAX)
		return "more than 10000 tokens";
	if ((t->n & (t->n - 1)) == 0) { /* a power of two: full */
		struct entry *more = realloc(t->entries,
		    (t->n == 0 ? 1 : 2 * t->n) * sizeof *t->entries);

		if (more == NULL)
			return LOG_NO_MEMORY;
		t->entries = more;
	}
	t->entries[t->n++] = *e;
	return NULL;
}

static bool
read_name(const struct word *w, char *ret)
{
	for (size_t i = 0; i < w->len; i++) {
		char c = w->at[i], low = (char)(c | 0x20);
		bool alnum =
		    (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9');

		if (!alnum && (i == 0 || (c != '.' && c != '_' && c != '-')))
			return false;
	}
	if (w->len > CLIENT_NAME_MAX)
		return false;
	memcpy(ret, w->at, w->len);
	ret[w->len] = '\0';
	return true;
}

static bool
read_digest(const struct word *w, uint8_t *ret)
{
	if (w->len != 2 * SHA256_BYTES)
		return false;
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		int high = hex_value(w->at[2 * i]),
		    low = hex_value(w->at[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool
read_rate(const struct word *w, struct token *ret)
{
	char text[RATE_TEXT];

	if (w->len == 1 && *w->at == '-')
		return ret->barred = true;
	if (w->len >= sizeof text)
		return false;
	memcpy(text, w->at, w->len);
	text[w->len] = '\0';
	ret->client.own_limit = true;
	return ratelimit_parse(text, &ret->client.limit) == 0;
}

/* -- the set ------------------------------------------------------------- */

/* The first line that repeats another's name, or any digest, 0 if none
 * does. */
static unsigned
find_repeated(struct tokens *t, const char **ret_why)
{
	static const struct {
		int (*order)(const void *, const void *);
		const char *why;
		bool once_a_line;
	} looks[] = {
	    {by_name, "repeated name", true},
	    {by_digest, "repeated SHA-256", false},
	};
	unsigned first = 0;

	for (size_t k = 0; k < sizeof looks / sizeof *looks; k++) {
		if (t->n > 1)
			qsort(t->entries, t->n, sizeof *t->entries,
			    looks[k].order);
		for (size_t i = 1; i < t->n; i++) {
			const struct entry *e = &t->entries[i - 1];
			unsigned line =
			    e[0].line > e[1].line ? e[0].line : e[1].line;

			if (looks[k].order(&e[0], &e[1]) != 0 ||
			    (looks[k].once_a_line && e[0].line == e[1].line) ||
			    (first != 0 && first <= line))
				continue;
			first = line;
			*ret_why = looks[k].why;
		}
	}
	return first;
}

static int
by_name(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(x->token.client.name, y->token.client.name);
}

static int
by_digest(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return memcmp(x->digest, y->digest, sizeof x->digest);
}

/* About as many buckets as tokens. */
static int
make_buckets(struct tokens *t)
{
	unsigned bits = 1;
	size_t n;

	while ((size_t)1 << bits < t->n)
		bits++;
	n = (size_t)1 << bits;
	t->shift = 64 - bits;
	t->starts = calloc(n + 1, sizeof *t->starts);
	if (t->starts == NULL)
		return -1;
	hash_seed_make(&t->seed);
	for (size_t i = 0; i < t->n; i++)
		t->entries[i].bucket = bucket_of(t, t->entries[i].digest);
	if (t->n > 1)
		qsort(t->entries, t->n, sizeof *t->entries, by_bucket);
	for (size_t i = 0; i < t->n; i++)
		t->starts[t->entries[i].bucket + 1]++;
	for (size_t i = 0; i < n; i++)
		t->starts[i + 1] += t->starts[i];
	return 0;
}

static int
by_bucket(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->bucket > y->bucket) - (x->bucket < y->bucket);
}

static uint64_t
bucket_of(const struct tokens *t, const uint8_t *digest)
{
	return hash_of(&t->seed, digest) >> t->shift;
}

const struct token *
tokens_find(const struct tokens *t, const char *text, size_t len)
{
	uint8_t digest[SHA256_BYTES];
	const struct token *hit = NULL;
	uint64_t bucket;

	if (len == 0 || len > TOKENS_TEXT_MAX ||
	    sha256_digest(text, len, digest) < 0)
		return NULL;
	bucket = bucket_of(t, digest);
	for (size_t i = t->starts[bucket]; i < t->starts[bucket + 1]; i++)
		if (sha256_equal(digest, t->entries[i].digest))
			hit = &t->entries[i].token;
	return hit;
}

void
tokens_free(struct tokens *t)
{
	if (t == NULL)
		return;
	free(t->entries);
	free(t->starts);
	free(t);
}

size_t
tokens_count(const struct tokens *t)
{
	return t == NULL ? 0 : t->n;
}

/* -- files --------------------------------------------------------------- */

struct tokens *
tokens_read(const char *path, char ret_why[REASON_MAX])
{
	struct tokens *t = NULL;
	struct buf text = {0};
	const char *why;
	unsigned line = 0;

	if (read_file(path, &text, &why) == 0)
		t = tokens_parse(
		    text.len == 0 ? "" : buf_ptr(&text), text.len, &line, &why);
	buf_free(&text);
	if (t == NULL && line > 0)
		reason_set(ret_why, "%s:%u: %s", path, line, why);
	else if (t == NULL)
		reason_set(ret_why, "%s: %s", path, why);
	return t;
}

/* Does not block: a FIFO is refused. */
static int
read_file(const char *path, struct buf *ret, const char **ret_why)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	ssize_t n = 1;

	*ret_why = NULL;
	if (fd < 0 || fstat(fd, &st) < 0)
		n = -1;
	else if (!S_ISREG(st.st_mode))
		*ret_why = "not a regular file";
	else if ((st.st_mode & S_IWOTH) != 0)
		*ret_why = "writable by others";
	while (n > 0 && *ret_why == NULL) {
		char *to = buf_room(ret, 16384);

		n = to == NULL ? -1 : read(fd, to, 16384);
		if (n > 0)
			buf_grow(ret, (size_t)n);
		if (ret->len > TOKENS_FILE_MAX)
			*ret_why = "longer than 4 MiB";
	}
	if (n < 0)
		*ret_why = strerror(errno);
	if (fd >= 0)
		close(fd);
	return *ret_why == NULL ? 0 : -1;
}
