/* The tables of incr(7): what an event costs with a setting. */
#include "inspect/setting_costs.h"

#include <stdio.h>
#include <string.h>

enum { COSTS_BYTES = 512 };

const struct setting_cost setting_costs[] = {
    {"appendfsync always", "any crash", "nothing"},
    {"appendfsync everysec", "killed", "nothing; slow disk: lost, up to 2 s"},
    {"appendfsync everysec", "power lost", "lost and twice: last 1 to 2 s"},
    {"appendfsync no", "power lost", "lost and twice: last 30 s"},
    {"appendonly no, save", "any crash", "lost and twice: since the snapshot"},
    {"appendonly no, no save", "any crash", "lost: ready and taken"},
    {"replicas, --replicas 0", "failover", "lost and twice: its lag"},
    {"replicas, --replicas N", "failover",
	"nothing, if any N of them may be lost or behind"},
    {"replicas, --replicas N", "two primaries",
	"nothing, if N is the number of replicas"},
    {"min-replicas alone", "two primaries",
	"lost and twice: min-replicas-max-lag"},
    {"neither of them", "two primaries",
	"twice: all that was ready; lost: published there"},
    {"maxmemory, noeviction", "full", "nothing: requests are answered 503"},
    {"default settings", "any crash", "nothing"},
    {"synchronous_commit off", "any crash",
	"lost: last 0.6 s (3 wal_writer_delay)"},
    {"fsync off", "killed", "nothing"},
    {"fsync off", "power lost", "anything, up to the whole cluster"},
    {"full_page_writes off", "power lost", "anything: torn pages"},
    {"asynchronous standby", "failover", "lost: its lag; nothing with --keep"},
    {"synchronous standby", "failover", "nothing"},
    {"unlogged tables", "any crash", "lost: everything counted"},
    {NULL, NULL, NULL}};

void
setting_costs_tell(struct findings *f, enum finding level, const char *object,
    const char *setting, const char *said)
{
	char costs[COSTS_BYTES] = "";

	for (const struct setting_cost *c = setting_costs; c->setting != NULL;
	     c++) {
		size_t len = strlen(costs);

		if (strcmp(c->setting, setting) == 0)
			snprintf(costs + len, sizeof costs - len, "%s%s: %s",
			    len == 0 ? "" : "; ", c->event, c->cost);
	}
	findings_add(f, level, "%s: %s: %s", object,
	    said == NULL ? setting : said, costs);
}
