/* Bounds and checks what a server answers to a statement. */
#include "postgres/pg_answer.h"

#include <postgresql/libpq-fe.h>
#include <sys/ioctl.h>

#include "base/bigendian.h"
#include "base/num.h"

enum {
	/* Of an answer without rows to a statement without keys. */
	ANSWER_BYTES = 16 << 20,
	/* Notices of a trigger for each key, of which 32 bytes are sent: 1 KiB
	 * each.  libpq does not keep them. */
	SENT_TIMES = 32,
	ROW_BYTES = 16,   /* of a row beside its value */
	READ_BYTES = 8192 /* libpq reads as many, if they are there */
};

void
pg_answer_begin(struct pg_answer *a, const struct pg_shape *shape, size_t sent)
{
	PQclear(a->rows);
	a->rows = NULL;
	a->bytes = a->unread = 0;
	a->sent = sent;
	a->shape = (struct pg_shape){0};
	if (shape != NULL)
		a->shape = *shape;
}

void
pg_answer_free(struct pg_answer *a)
{
	PQclear(a->rows);
	PQclear(a->greeted);
	*a = (struct pg_answer){0};
}

/* What is gone of those that were there is read, and some in any case: others
 * may have come.  Of one message libpq may read more at once; it has a gigabyte
 * at most. */
bool
pg_answer_overruns(struct pg_answer *a, int fd)
{
	const struct pg_shape *s = &a->shape;
	size_t least = num_min_size(a->unread, READ_BYTES);
	int n = 0;

	if (ioctl(fd, FIONREAD, &n) < 0 || n < 0)
		n = 0;
	a->bytes +=
	    a->unread > least + (size_t)n ? a->unread - (size_t)n : least;
	a->unread = (size_t)n;
	return a->bytes > ANSWER_BYTES + s->most * (s->len + ROW_BYTES) +
			      SENT_TIMES * a->sent;
}

void
pg_answer_take(struct pg_answer *a, struct pg_result *rows)
{
	PQclear(a->rows);
	a->rows = rows;
}

static bool
row_fits(const struct pg_answer *a, int i)
{
	const struct pg_shape *s = &a->shape;
	size_t len = (size_t)PQgetlength(a->rows, i, 0);
	int64_t n;

	if (i == 0 && s->text > 0)
		return len <= s->text;
	if (PQgetisnull(a->rows, i, 0) || len != s->len)
		return false;
	if (!s->numbers)
		return true;
	n = (int64_t)bigendian_get64(
	    PQgetvalue(a->rows, i, 0) + len - sizeof n);
	return n >= s->lowest && n <= s->highest;
}

bool
pg_answer_fits(const struct pg_answer *a)
{
	size_t n = pg_answer_count(a);

	if (n < a->shape.least || n > a->shape.most)
		return false;
	if (n > 0 && (PQnfields(a->rows) != 1 || PQfformat(a->rows, 0) != 1))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!row_fits(a, (int)i))
			return false;
	return true;
}

bool
pg_answer_greet(struct pg_answer *a, int n)
{
	PQclear(a->greeted);
	a->greeted = a->rows;
	a->rows = NULL;
	if (PQntuples(a->greeted) != 1 || PQnfields(a->greeted) != n + 1)
		return false;
	for (int i = 0; i < n; i++)
		if (PQgetisnull(a->greeted, 0, i))
			return false;
	return true;
}

const char *
pg_answer_greeted(const struct pg_answer *a, int i)
{
	return i >= PQnfields(a->greeted) || PQgetisnull(a->greeted, 0, i)
		   ? NULL
		   : PQgetvalue(a->greeted, 0, i);
}

size_t
pg_answer_count(const struct pg_answer *a)
{
	return (size_t)PQntuples(a->rows);
}

const char *
pg_answer_value(const struct pg_answer *a, size_t i, size_t *ret_len)
{
	if (i >= pg_answer_count(a))
		return NULL;
	*ret_len = (size_t)PQgetlength(a->rows, (int)i, 0);
	return PQgetvalue(a->rows, (int)i, 0);
}
