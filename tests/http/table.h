/*
 * Reads tests/http/table, whose head says how it is written.  For programs
 * that end when it is not: they are tests.
 */
#ifndef INCR_TABLE_H
#define INCR_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TABLE_ROWS = 1000,
	TABLE_STATUSES = 16,
	TABLE_TEXT = 32768, /* of a row, and of what a name stands for */
	TABLE_NAMES = 32,
	TABLE_OWN = 1000, /* values: of a row's own increments, + its line */
	TABLE_NEXT = 5000 /* and of the one behind it */
};

enum table_then { TABLE_KEEP, TABLE_CLOSE, TABLE_CUT, TABLE_REST, TABLE_MORE };

struct table_row {
	unsigned line; /* of the file, from 1 */
	int statuses[TABLE_STATUSES];
	size_t n_statuses;
	enum table_then then;
	char *text; /* until the process ends */
	size_t len;
};

struct table_text {
	char *to;
	size_t len;
	unsigned line;
};

static struct {
	char name[32], text[512];
} table_names[TABLE_NAMES];
static size_t table_n_names;

static void table_expand(struct table_text *t, const char *from, size_t len);

static inline _Noreturn void
table_die(unsigned line, const char *why)
{
	fprintf(stderr, "tests/http/table: %u: %s\n", line, why);
	exit(1);
}

static inline void
table_add(struct table_text *t, const char *p, size_t len)
{
	if (len > TABLE_TEXT - t->len)
		table_die(t->line, "too long");
	memcpy(t->to + t->len, p, len);
	t->len += len;
}

/* <NAME>; how many characters it has, 0 if this is none. */
static inline size_t
table_name(struct table_text *t, const char *from, size_t len)
{
	const char *end = memchr(from, '>', len);
	size_t n = end == NULL ? 0 : (size_t)(end - from) - 1;
	char body[80];

	if (n == 4 && memcmp(from + 1, "BODY", n) == 0) {
		snprintf(body, sizeof body,
		    "{\"key\":\"6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a11\","
		    "\"value\":%u}",
		    TABLE_OWN + t->line);
		table_add(t, body, strlen(body));
		return n + 2;
	}
	for (size_t i = 0; n > 0 && i < table_n_names; i++)
		if (strlen(table_names[i].name) == n &&
		    memcmp(table_names[i].name, from + 1, n) == 0) {
			table_expand(t, table_names[i].text,
			    strlen(table_names[i].text));
			return n + 2;
		}
	return 0;
}

/* What a backslash begins; how many characters it has. */
static inline size_t
table_escape(struct table_text *t, const char *from, size_t len)
{
	static const char letters[] = "rnt\\", bytes[] = "\r\n\t\\";
	const char *letter =
	    len < 2 || from[1] == '\0' ? NULL : strchr(letters, from[1]);
	char *end, c;

	if (letter != NULL) {
		table_add(t, bytes + (letter - letters), 1);
		return 2;
	}
	if (len >= 4 && from[1] == 'x') {
		char hex[3] = {from[2], from[3], '\0'};

		c = (char)strtoul(hex, &end, 16);
		if (*end != '\0')
			table_die(t->line, "not \\xHH");
		table_add(t, &c, 1);
		return 4;
	}
	if (len >= 4 && from[1] == '{') {
		unsigned long n = strtoul(from + 2, &end, 10);
		const char *close = memchr(from, '}', len);

		if (*end != ' ' || close == NULL)
			table_die(t->line, "not \\{N text}");
		while (n-- > 0)
			table_expand(t, end + 1, (size_t)(close - end) - 1);
		return (size_t)(close - from) + 1;
	}
	table_die(t->line, "no such escape");
}

static void
table_expand(struct table_text *t, const char *from, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = 0;
		if (from[i] == '\\')
			n = table_escape(t, from + i, len - i);
		else if (from[i] == '<')
			n = table_name(t, from + i, len - i);
		if (n == 0) {
			table_add(t, from + i, 1);
			n = 1;
		}
	}
}

/* STATUS CONNECTION REQUEST */
static inline void
table_row(struct table_row *row, char *line, size_t len)
{
	static const char *const words[] = {
	    "keep", "close", "cut", "rest", "more"};
	static char text[TABLE_TEXT];
	struct table_text t = {.to = text, .line = row->line};
	char *statuses = line, *then = strchr(line, ' '), *from = NULL, *at;

	if (then != NULL) {
		*then++ = '\0';
		from = strchr(then, ' ');
	}
	if (from == NULL)
		table_die(row->line, "not STATUS CONNECTION REQUEST");
	*from++ = '\0';
	for (at = strtok(statuses, ","); at != NULL; at = strtok(NULL, ","))
		if (strcmp(at, "-") != 0 && row->n_statuses < TABLE_STATUSES)
			row->statuses[row->n_statuses++] = atoi(at);
	row->then = TABLE_KEEP;
	while (strcmp(words[row->then], then) != 0)
		if (++row->then > TABLE_MORE)
			table_die(
			    row->line, "not keep, close, cut, rest or more");
	table_expand(&t, from, len - (size_t)(from - line));
	row->text = malloc(t.len + 1);
	if (row->text == NULL)
		table_die(row->line, "memory is short");
	memcpy(row->text, text, t.len);
	row->len = t.len;
}

/* = NAME TEXT */
static inline void
table_define(char *line, unsigned number)
{
	char *space = strchr(line + 2, ' ');

	if (space == NULL || table_n_names == TABLE_NAMES)
		table_die(number, "not = NAME TEXT");
	*space = '\0';
	if (strlen(line + 2) >= sizeof table_names->name ||
	    strlen(space + 1) >= sizeof table_names->text)
		table_die(number, "too long");
	memcpy(table_names[table_n_names].name, line + 2, strlen(line + 2) + 1);
	memcpy(table_names[table_n_names++].text, space + 1,
	    strlen(space + 1) + 1);
}

/* Adds the next line to a joined one; false at the end of the file. */
static inline bool
table_line(FILE *f, char *line, size_t *len, unsigned *number)
{
	bool joins;

	*len = 0;
	do {
		char *to = line + *len;

		if (fgets(to, (int)(TABLE_TEXT - *len), f) == NULL)
			return false;
		++*number;
		if (*len > 0)
			memmove(to, to + strspn(to, " \t"),
			    strlen(to + strspn(to, " \t")) + 1);
		*len += strcspn(to, "\n");
		joins = *len > 1 && line[*len - 1] == '\\' &&
			line[*len - 2] != '\\';
		*len -= joins;
		line[*len] = '\0';
	} while (joins);
	return true;
}

/* Reads the file; the number of rows, at most TABLE_ROWS. */
static inline size_t
table_read(const char *path, struct table_row *ret_rows)
{
	static char line[TABLE_TEXT];
	FILE *f = fopen(path, "r");
	unsigned number = 0;
	size_t n = 0, len;

	if (f == NULL)
		table_die(0, path);
	while (table_line(f, line, &len, &number)) {
		if (len == 0 || line[0] == '#')
			continue;
		if (line[0] == '=') {
			table_define(line, number);
			continue;
		}
		if (n == TABLE_ROWS)
			table_die(number, "too many rows");
		ret_rows[n] = (struct table_row){.line = number};
		table_row(&ret_rows[n++], line, len);
	}
	fclose(f);
	return n;
}

#endif
