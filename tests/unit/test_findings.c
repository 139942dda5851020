/* Lines of findings, and the exit status of all of them. */
#include "base/findings.h"
#include "base/log.h"
#include "check.h"

static int
status_of(const enum finding *levels, size_t n)
{
	struct findings f = {0};
	int status;

	for (size_t i = 0; i < n; i++)
		findings_add(&f, levels[i], "x: y");
	status = findings_status(&f);
	buf_free(&f.lines);
	return status;
}

#define STATUS(...) \
	status_of((enum finding[]){__VA_ARGS__}, \
	    check_n(((enum finding[]){__VA_ARGS__})))

int
main(void)
{
	struct findings f = {0};
	static const char lines[] = "ok: redis: version 7\n"
				    "warning: a: \\x1b[2J\\x0a\\xff\n"
				    "error: b: c\nerror: d: e\n";

	check(findings_status(&f) == EXIT_DELIVERED, "none");
	findings_add(&f, FINDING_OK, "redis: version %d", 7);
	findings_add(&f, FINDING_WARNING, "a: %s", "\033[2J\n\xff");
	check(findings_errors(&f) == 0, "a warning is no error");
	findings_add(&f, FINDING_ERROR, "b: c");
	findings_add(&f, FINDING_DOWN, "d: e");
	check(findings_errors(&f) == 2, "two errors");
	check(f.lines.len == strlen(lines) &&
		  memcmp(buf_ptr(&f.lines), lines, f.lines.len) == 0,
	    "%.*s", (int)f.lines.len, buf_ptr(&f.lines));
	buf_free(&f.lines);

	check(STATUS(FINDING_OK, FINDING_OK) == EXIT_DELIVERED, "ok");
	check(STATUS(FINDING_OK, FINDING_WARNING) == EXIT_REJECTED, "warning");
	check(STATUS(FINDING_DOWN, FINDING_WARNING) == EXIT_TEMPFAIL, "down");
	check(STATUS(FINDING_ERROR, FINDING_DOWN) == EXIT_CONFIG, "error");
	check(STATUS(FINDING_DOWN, FINDING_ERROR) == EXIT_CONFIG, "order");
	return check_end();
}
