/* Begins a statement with its tables and parameters. */
#include "postgres/statement_call.h"

#include <string.h>

#include "base/bigendian.h"
#include "base/buf.h"
#include "postgres/pg_binary.h"

int
statement_call(struct postgres *pg, const char *name, const char *statement,
    const struct postgres_params *p)
{
	struct buf text = {0};
	size_t len;
	int result;

	if (!postgres_status(pg)->idle)
		return -1;
	while (len = strcspn(statement, "@"), statement[len] != '\0') {
		const char *table =
		    postgres_greeted(pg, statement[len + 1] - '0');

		if (table == NULL || buf_add(&text, statement, len) < 0 ||
		    buf_add(&text, table, strlen(table)) < 0)
			break;
		statement += len + sizeof STATEMENT_INCREMENTS - 1;
	}
	result =
	    statement[len] != '\0' || buf_add(&text, statement, len + 1) < 0
		? -1
		: postgres_call(pg, name, buf_ptr(&text), p);
	buf_free(&text);
	return result;
}

void
statement_put(
    struct postgres_params *p, unsigned type, const void *value, size_t len)
{
	p->types[p->n] = type;
	p->values[p->n] = value;
	p->lengths[p->n++] = (int)len;
}

void
statement_put_int8(struct postgres_params *p, uint64_t n, char room[8])
{
	bigendian_put64(room, n);
	statement_put(p, PG_BINARY_INT8, room, 8);
}
