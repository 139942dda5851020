/* Control lines: by their first bytes; well-formed to the last. */
#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "increments.h"
#include "record/control.h"

#define TEN "abcdefghij"
#define SIXTY TEN TEN TEN TEN TEN TEN
#define CHECKPOINT(q, c, s, l, t, a, more) \
	"{\"checkpoint\":{\"queue\":" q ",\"consumer\":" c ",\"seq\":" s \
	",\"lines\":" l ",\"taken\":" t ",\"adopted\":" a more "}}"
#define ERROR(c, d, l, more) \
	"{\"error\":{\"code\":" c ",\"detail\":" d ",\"line\":" l more "}}"

static const struct {
	const char *text;
	enum control_kind kind;
} kinds[] = {
    {"", CONTROL_DATA},
    {"{\"checkpoint\":", CONTROL_DATA},
    {"{\"checkpoint\":{", CONTROL_CHECKPOINT},
    {"{\"checkpoint\":{garbage", CONTROL_CHECKPOINT},
    {"{\"checkpoint\": {", CONTROL_DATA},
    {" {\"checkpoint\":{", CONTROL_DATA},
    {"{\"Checkpoint\":{", CONTROL_DATA},
    {"{\"checkpoints\":{", CONTROL_DATA},
    {"{\"error\":", CONTROL_DATA},
    {"{\"error\":{", CONTROL_ERROR},
    {"{\"error\":{}}", CONTROL_ERROR},
    {"{\"error\":[", CONTROL_DATA},
    {"{\"key\":\"" K "\",\"value\":3}", CONTROL_DATA},
};

static const char *const good[] = {
    CHECKPOINT("\"q\"", "\"" K "\"", "7", "512", "1795451234567", "false", ""),
    CHECKPOINT("\"" SIXTY SIXTY "12345678\"", "\"" K "\"",
	"9223372036854775807", "9223372036854775807", "9223372036854775807",
	"true", ",\"end\":true"),
    CHECKPOINT("\"q\"", "\"" K "\"", "0", "0", "0", "false", ""),
    CHECKPOINT("\"q\"", "\"" K "\"", "7", "5", "9,\"since\":8", "false", ""),
    CHECKPOINT("\"q\"", "\"" K "\"", "7", "5", "9,\"since\":9", "true",
	",\"end\":true"),
};

static const char *const bad_checkpoints[] = {
    CHECKPOINT("\"\"", "\"" K "\"", "7", "5", "1", "false", ""),
    CHECKPOINT("\"a b\"", "\"" K "\"", "7", "5", "1", "false", ""),
    CHECKPOINT("\"a\\u0000\"", "\"" K "\"", "7", "5", "1", "false", ""),
    CHECKPOINT("\"" SIXTY SIXTY "123456789\"", "\"" K "\"", "7", "5", "1",
	"false", ""),
    CHECKPOINT("5", "\"" K "\"", "7", "5", "1", "false", ""),
    CHECKPOINT("\"q\"", "\"x\"", "7", "5", "1", "false", ""),
    CHECKPOINT("\"q\"", "null", "7", "5", "1", "false", ""),
    CHECKPOINT("\"q\"", "\"" K "\"", "-1", "5", "1", "false", ""),
    CHECKPOINT("\"q\"", "\"" K "\"", "7.0", "5", "1", "false", ""),
    CHECKPOINT("\"q\"", "\"" K "\"", "\"7\"", "5", "1", "false", ""),
    CHECKPOINT(
	"\"q\"", "\"" K "\"", "9223372036854775808", "5", "1", "false", ""),
    CHECKPOINT("\"q\"", "\"" K "\"", "7", "-5", "1", "false", ""),
    CHECKPOINT("\"q\"", "\"" K "\"", "7", "5", "-1", "false", ""),
    CHECKPOINT("\"q\"", "\"" K "\"", "7", "5", "8,\"since\":9", "false", ""),
    CHECKPOINT("\"q\"", "\"" K "\"", "7", "5", "8,\"since\":-1", "false", ""),
    CHECKPOINT(
	"\"q\"", "\"" K "\"", "7", "5", "8,\"since\":\"7\"", "false", ""),
    CHECKPOINT("\"q\"", "\"" K "\"", "7", "5", "1", "0", ""),
    CHECKPOINT("\"q\"", "\"" K "\"", "7", "5", "1", "false", ",\"end\":1"),
    CHECKPOINT("\"q\"", "\"" K "\"", "7", "5", "1", "false", ",\"x\":1"),
    CHECKPOINT("\"q\"", "\"" K "\"", "7", "5", "1", "false", ",\"seq\":7"),
    CHECKPOINT("\"q\"", "\"" K "\"", "7", "5", "1", "false", "") "x",
    CHECKPOINT("\"q\"", "\"" K "\"", "7", "5", "1", "false", "},\"x\":{"),
    "{\"checkpoint\":{}}",
    "{\"checkpoint\":{\"queue\":\"q\"}}",
    "{\"checkpoint\":{",
    "{\"key\":\"" K "\",\"value\":3}",
    ERROR("\"not-json\"", "\"x\"", "7", ""),
};

static const char *const bad_errors[] = {
    ERROR("\"not-jason\"", "\"x\"", "7", ""),
    ERROR("\"none\"", "\"x\"", "7", ""),
    ERROR("5", "\"x\"", "7", ""),
    ERROR("\"not-json\"", "5", "7", ""),
    ERROR("\"not-json\"", "\"x\"", "0", ""),
    ERROR("\"not-json\"", "\"x\"", "-7", ""),
    ERROR("\"not-json\"", "\"x\"", "7.0", ""),
    ERROR("\"not-json\"", "\"x\"", "\"7\"", ""),
    ERROR("\"not-json\"", "\"x\"", "7", ",\"x\":1"),
    ERROR("\"not-json\"", "\"x\"", "7", ",\"line\":7"),
    ERROR("\"not-json\"", "\"x\"", "7", "") " {}",
    "{\"error\":{}}",
    "{\"error\":{\"code\":\"not-json\",\"line\":7}}",
    "{\"error\":{",
    "{}",
    CHECKPOINT("\"q\"", "\"" K "\"", "7", "5", "1", "false", ""),
};

/* What is parsed is formatted as it was, and a newline. */
static void
checkpoints(void)
{
	for (size_t i = 0; i < check_n(good); i++) {
		size_t len = strlen(good[i]);
		struct control_checkpoint c;
		struct buf out = {0};

		check(control_parse_checkpoint(good[i], len, &c) == 0, "%s",
		    good[i]);
		check(control_add_checkpoint(&out, &c) == 0, "memory");
		check(out.len == len + 1 &&
			  memcmp(buf_ptr(&out), good[i], len) == 0 &&
			  buf_ptr(&out)[len] == '\n',
		    "%s: %.*s", good[i], (int)out.len, buf_ptr(&out));
		buf_free(&out);
	}
	for (size_t i = 0; i < check_n(bad_checkpoints); i++) {
		const char *text = bad_checkpoints[i];
		struct control_checkpoint c = {.seq = 42};

		check(control_parse_checkpoint(text, strlen(text), &c) < 0,
		    "%s", text);
		check(c.seq == 42, "%s: touched", text);
	}
}

/* The detail of a fault is the same, given or not. */
static void
usual_detail(const struct control_error *e, const struct buf *line)
{
	struct control_error given = *e;
	struct buf out = {0};

	given.detail = fault_detail(e->fault);
	check(control_add_error(&out, &given) == 0, "memory");
	check(out.len == line->len &&
		  memcmp(buf_ptr(&out), buf_ptr(line), out.len) == 0,
	    "%.*s", (int)line->len, buf_ptr(line));
	buf_free(&out);
}

static void
errors(void)
{
	for (enum fault f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
		struct control_error e = {.fault = f,
					 .line = UINT64_C(1) << (3 * f)},
				     again;
		struct buf out = {0};

		check(control_add_error(&out, &e) == 0, "memory");
		check(buf_ptr(&out)[out.len - 1] == '\n', "a line");
		usual_detail(&e, &out);
		check(control_parse_error(buf_ptr(&out), out.len - 1, &again) ==
			      0 &&
			  again.fault == e.fault && again.line == e.line,
		    "%.*s", (int)out.len, buf_ptr(&out));
		buf_free(&out);
	}
	for (size_t i = 0; i < check_n(bad_errors); i++) {
		struct control_error e = {.line = 42};

		check(control_parse_error(
			  bad_errors[i], strlen(bad_errors[i]), &e) < 0,
		    "%s", bad_errors[i]);
		check(e.line == 42, "%s: touched", bad_errors[i]);
	}
}

#ifndef CHECK_SANITIZED
/* The allocation that fails, counted down; 0: none does. */
static int failing;

void *__libc_malloc(size_t n);

void *
malloc(size_t n)
{
	if (failing > 0 && --failing == 0) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_malloc(n);
}
#endif

/* Whichever allocation fails: the truth, or nothing and the reason. */
static void
memory_gone(void)
{
#ifndef CHECK_SANITIZED
	static const char text[] =
	    CHECKPOINT("\"" TEN TEN "\"", "\"" K "\"", "1234567890123456789",
		"9223372036854775807", "1795451234567", "true", "");
	struct control_checkpoint whole, c;
	int failed = 0, left;

	check(
	    control_parse_checkpoint(text, strlen(text), &whole) == 0, "good");
	for (int i = 1; i < 1000; i++) {
		int result, why;

		failing = i;
		result = control_parse_checkpoint(text, strlen(text), &c);
		why = errno;
		left = failing;
		failing = 0;
		if (result < 0)
			check(why == ENOMEM, "%d: %s", i, strerror(why));
		else
			check(c.seq == whole.seq && c.lines == whole.lines &&
				  c.taken_ms == whole.taken_ms,
			    "%d: seq %ju", i, (uintmax_t)c.seq);
		failed += result < 0;
		if (left > 0)
			break;
	}
	check(failed > 5, "%d", failed);
#endif
}

int
main(void)
{
	static const char nul[] =
	    CHECKPOINT("\"q\"", "\"" K "\"", "7\0", "5", "1", "false", "");
	struct control_checkpoint c;

	for (size_t i = 0; i < check_n(kinds); i++)
		check(control_kind(kinds[i].text, strlen(kinds[i].text)) ==
			  kinds[i].kind,
		    "%s", kinds[i].text);
	checkpoints();
	errors();
	memory_gone();
	check(control_parse_checkpoint(nul, sizeof nul - 1, &c) < 0, "a NUL");
	return check_end();
}
