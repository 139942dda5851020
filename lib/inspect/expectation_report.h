/*
 * The report on an expectation: a line for each key of which there is more or
 * less, and one for all keys of the expectation.
 */
#ifndef INCR_EXPECTATION_REPORT_H
#define INCR_EXPECTATION_REPORT_H

#include "base/buf.h"
#include "inspect/expectation.h"

enum {
	EXPECTATION_REPORT_KEYS = 1000, /* as many are shown at most */
	EXPECTATION_REPORT_MAX = 256 * (3 + EXPECTATION_REPORT_KEYS)
};

/* Each adds at most EXPECTATION_REPORT_MAX bytes; out has room for them. */
void expectation_report_table(struct buf *out, const struct expectation *e);
/* Members of an object, with a comma before the first one. */
void expectation_report_json(struct buf *out, const struct expectation *e);

#endif
