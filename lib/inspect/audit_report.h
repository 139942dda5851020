/*
 * The report of an audit: a line for each place, or an object of JSON, which
 * has a member for each shard, too.
 */
#ifndef INCR_AUDIT_REPORT_H
#define INCR_AUDIT_REPORT_H

#include "base/buf.h"
#include "base/u128.h"
#include "inspect/audit.h"
#include "inspect/expectation_report.h"

/* The bytes of a report, for which out has room. */
size_t audit_report_max(const struct audit *a);

void audit_report_table(struct buf *out, const struct audit *a);
/* expected: the sum that is expected, NULL: none. */
void audit_report_json(struct buf *out, const struct audit *a,
    const char *queue, const u128 *expected);

#endif
