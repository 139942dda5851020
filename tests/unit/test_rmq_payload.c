/* One payload is one line: headers, newlines, and what gives an error line. */
#include "queue/rmq_payload.h"
#include <stdlib.h>

#include "base/lines.h"
#include "check.h"
#include "record/control.h"

#define MARK "\xff\x00\xbe\xbe\x4a"
#define TEXT(text) (text), sizeof(text) - 1

struct row {
	const char *raw;
	size_t len;
	const char *line; /* NULL: an error line */
	size_t line_len;
	enum fault fault;
};

static const struct row rows[] = {
    {TEXT("{\"value\":3}"), TEXT("{\"value\":3}"), FAULT_NONE},
    {TEXT(""), TEXT(""), FAULT_NONE},
    {TEXT("\n"), TEXT(" "), FAULT_NONE},
    {TEXT("a\nb\n\nc\n"), TEXT("a b  c "), FAULT_NONE},
    {TEXT("\r\t\0x"), TEXT("\r\t\0x"), FAULT_NONE},
    /* headers */
    {TEXT(MARK "{}\nx"), TEXT("x"), FAULT_NONE},
    {TEXT(MARK "{\"a\":[\"b\",\"c\"],\"d\":[]}\nx"), TEXT("x"), FAULT_NONE},
    {TEXT(MARK " {\"a\":null,\"a\":[\"\\u0000\"]} \nx\ny"), TEXT("x y"),
	FAULT_NONE},
    {TEXT(MARK "{}\n"), TEXT(""), FAULT_NONE},
    {TEXT(MARK "{}\n" MARK "{}\n"), TEXT(MARK "{} "), FAULT_NONE},
    {TEXT("\xff\x00\xbe\xbe"), TEXT("\xff\x00\xbe\xbe"), FAULT_NONE},
    {TEXT("x" MARK "{}\n"), TEXT("x" MARK "{} "), FAULT_NONE},
    {TEXT(MARK), NULL, 0, FAULT_FAULTY_HEADER},
    {TEXT(MARK "\nx"), NULL, 0, FAULT_FAULTY_HEADER},
    {TEXT(MARK "{}"), NULL, 0, FAULT_FAULTY_HEADER},
    {TEXT(MARK "{} x\ny"), NULL, 0, FAULT_FAULTY_HEADER},
    {TEXT(MARK "{\"a\":[\"\n\"]}\nx"), NULL, 0, FAULT_FAULTY_HEADER},
    {TEXT(MARK "[]\nx"), NULL, 0, FAULT_FAULTY_HEADER},
    {TEXT(MARK "null\nx"), NULL, 0, FAULT_FAULTY_HEADER},
    {TEXT(MARK "{\"a\":\"b\"}\nx"), NULL, 0, FAULT_FAULTY_HEADER},
    {TEXT(MARK "{\"a\":[1]}\nx"), NULL, 0, FAULT_FAULTY_HEADER},
    {TEXT(MARK "{\"a\":[\"b\",[]]}\nx"), NULL, 0, FAULT_FAULTY_HEADER},
    {TEXT(MARK "{\"a\":[\"\xff\"]}\nx"), NULL, 0, FAULT_FAULTY_HEADER},
    {TEXT(MARK "{\"a\":[]}\0\nx"), NULL, 0, FAULT_FAULTY_HEADER},
    /* control lines, also behind a header */
    {TEXT("{\"checkpoint\":{"), NULL, 0, FAULT_CONTROL_LINE},
    {TEXT("{\"error\":{\"code\":\"not-json\"}}"), NULL, 0, FAULT_CONTROL_LINE},
    {TEXT(MARK "{}\n{\"error\":{"), NULL, 0, FAULT_CONTROL_LINE},
    {TEXT("{\"error\":\n{"), TEXT("{\"error\": {"), FAULT_NONE},
    {TEXT(" {\"error\":{"), TEXT(" {\"error\":{"), FAULT_NONE},
};

static void
expect(const char *raw, size_t len, const struct row *r, const char *name)
{
	struct buf out = {0};
	struct control_error e;
	enum fault fault;

	buf_add(&out, "before\n", 7);
	fault = rmq_payload_add_line(&out, raw, len, 12);
	check(fault == r->fault, "%s: %s", name, fault_code(fault));
	check(memcmp(buf_ptr(&out), "before\n", 7) == 0, "%s", name);
	buf_drop(&out, 7);
	check(out.len > 0 && memchr(buf_ptr(&out), '\n', out.len) ==
				 buf_ptr(&out) + out.len - 1,
	    "%s: one line", name);
	if (r->line != NULL)
		check(out.len == r->line_len + 1 &&
			  memcmp(buf_ptr(&out), r->line, r->line_len) == 0,
		    "%s", name);
	else
		check(control_parse_error(buf_ptr(&out), out.len, &e) == 0 &&
			  e.fault == r->fault && e.line == 12,
		    "%s", name);
	buf_free(&out);
}

/* len times x, behind a header whose own length is header_len. */
static void
expect_long(size_t header_len, size_t len, const struct row *r)
{
	char *raw = malloc(header_len + len + 1), name[64];

	snprintf(name, sizeof name, "%zu behind %zu", len, header_len);
	memset(raw, ' ', header_len);
	memset(raw + header_len, 'x', len);
	if (header_len > 0) {
		memcpy(raw, MARK "{}", 7);
		raw[header_len - 1] = '\n';
	}
	expect(raw, header_len + len, r, name);
	free(raw);
}

int
main(void)
{
	static char line[LINES_JSON_MAX];
	const struct row fits = {.line = line, .line_len = sizeof line};
	const struct row too_long = {.fault = FAULT_TOO_LONG};
	const struct row faulty = {.fault = FAULT_FAULTY_HEADER};

	memset(line, 'x', sizeof line);
	for (size_t i = 0; i < check_n(rows); i++) {
		char name[32];

		snprintf(name, sizeof name, "row %zu", i);
		expect(rows[i].raw, rows[i].len, &rows[i], name);
	}
	expect_long(0, LINES_JSON_MAX, &fits);
	expect_long(0, LINES_JSON_MAX + 1, &too_long);
	expect_long(100, LINES_JSON_MAX, &fits);
	expect_long(100, LINES_JSON_MAX + 1, &too_long);
	expect_long(RMQ_PAYLOAD_HEADER_MAX, LINES_JSON_MAX, &fits);
	expect_long(RMQ_PAYLOAD_HEADER_MAX + 1, LINES_JSON_MAX, &faulty);
	expect_long(0, 17 << 20, &too_long);
	return check_end();
}
