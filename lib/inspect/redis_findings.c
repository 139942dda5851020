/* Judges a Redis by its INFO and settings, and its queue by its lengths. */
#include "inspect/redis_findings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/certificate_findings.h"
#include "inspect/setting_costs.h"
#include "redis/server_info.h"

enum {
	VALUE_MAX = 64,
	NEAR = 75,         /* percent of maxmemory, where things give way */
	CLIENTS_NEAR = 90, /* percent of maxclients */
	SKEW_US = 1000000  /* between two clocks, and the time of INFO */
};

static bool
is(const char *info, const char *name, const char *value)
{
	char text[VALUE_MAX];

	return server_info_text(info, name, text, sizeof text) == 0 &&
	       strcmp(text, value) == 0;
}

static uint64_t
number(const struct redis_facts *r, const char *name)
{
	return server_info_number(r->info, name);
}

static void
tell_server(struct findings *f, const struct redis_facts *r)
{
	char version[VALUE_MAX] = "of unknown version";
	uint64_t n = server_info_replicas(r->info);

	(void)server_info_text(
	    r->info, "redis_version", version, sizeof version);
	findings_add(f, FINDING_OK,
	    "redis: version %s, a primary %swith %ju replica%s", version,
	    server_info_cluster(r->info) ? "of a cluster " : "", (uintmax_t)n,
	    n == 1 ? "" : "s");
}

/* Percent. */
static double
share(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : (double)part * 100 / (double)whole;
}

static void
tell_memory(struct findings *f, const struct redis_facts *r)
{
	uint64_t max = server_info_maxmemory(r->info);
	double used = share(number(r, "used_memory"), max);

	if (max == 0)
		findings_add(f, FINDING_WARNING,
		    "redis: maxmemory 0: nothing bounds the queue but the "
		    "memory of the machine, and then processes are killed");
	else if (used >= NEAR)
		findings_add(f, FINDING_WARNING,
		    "redis: %.0f %% of maxmemory used; full: requests are "
		    "answered 503",
		    used);
	else
		setting_costs_tell(
		    f, FINDING_OK, "redis", "maxmemory, noeviction", NULL);
	used = share(number(r, "connected_clients"), number(r, "maxclients"));
	if (used >= CLIENTS_NEAR)
		findings_add(f, FINDING_WARNING,
		    "redis: %ju of %ju clients (maxclients) connected",
		    (uintmax_t)number(r, "connected_clients"),
		    (uintmax_t)number(r, "maxclients"));
}

/* What it can't write down it refuses to take. */
static void
tell_failures(struct findings *f, const struct redis_facts *r)
{
	static const char *const fields[] = {"aof_last_write_status",
	    "aof_last_bgrewrite_status", "rdb_last_bgsave_status"};

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (is(r->info, fields[i], "err"))
			findings_add(f, FINDING_ERROR,
			    "redis: %s: err: it can't write its files, and may "
			    "refuse all writes",
			    fields[i]);
}

static void
tell_persistence(struct findings *f, const struct redis_facts *r)
{
	char setting[VALUE_MAX];
	bool always;

	if (r->appendfsync == NULL)
		findings_add(f, FINDING_WARNING,
		    "redis: settings of persistence not known (CONFIG GET: "
		    "%s): incr(7) tells what each costs",
		    r->refused);
	if (!is(r->info, "aof_enabled", "1")) {
		bool saves = r->save != NULL && *r->save != '\0';

		setting_costs_tell(f, FINDING_WARNING, "redis",
		    saves ? "appendonly no, save" : "appendonly no, no save",
		    r->save == NULL ? "appendonly no, and save unknown" : NULL);
		return;
	}
	if (r->appendfsync == NULL)
		return;
	always = strcmp(r->appendfsync, "always") == 0;
	snprintf(setting, sizeof setting, "appendfsync %s", r->appendfsync);
	setting_costs_tell(
	    f, always ? FINDING_OK : FINDING_WARNING, "redis", setting, NULL);
}

static void
tell_replicas(struct findings *f, const struct redis_facts *r)
{
	uint64_t n = server_info_replicas(r->info);
	char said[VALUE_MAX];

	if (r->replicas > 0) {
		snprintf(said, sizeof said, "%ju replica%s, --replicas %ju",
		    (uintmax_t)n, n == 1 ? "" : "s", (uintmax_t)r->replicas);
		setting_costs_tell(f,
		    n > r->replicas ? FINDING_WARNING : FINDING_OK, "redis",
		    "replicas, --replicas N", said);
	} else if (n > 0) {
		bool fenced =
		    server_info_text(r->info, "min_slaves_good_slaves", said,
			sizeof said) == 0;

		setting_costs_tell(f, FINDING_WARNING, "redis",
		    "replicas, --replicas 0", NULL);
		setting_costs_tell(f, FINDING_WARNING, "redis",
		    fenced ? "min-replicas alone" : "neither of them",
		    fenced ? "min-replicas-to-write, --replicas 0"
			   : "neither --replicas nor min-replicas-to-write");
	}
}

/* Windows close by the age of what came in by the clock of Redis. */
static void
tell_clock(struct findings *f, const struct redis_facts *r)
{
	uint64_t there = number(r, "server_time_usec");
	int64_t ahead;

	if (there == 0 || there > INT64_MAX)
		return;
	ahead = (int64_t)there - r->now_us;
	if (llabs(ahead) <= SKEW_US + r->wait_us)
		return;
	findings_add(f, FINDING_WARNING,
	    "redis: its clock is %.1f s %s that of this machine: windows may "
	    "close early",
	    (double)llabs(ahead) / 1e6, ahead > 0 ? "before" : "behind");
}

void
redis_findings(struct findings *f, const struct redis_facts *r)
{
	tell_server(f, r);
	certificate_findings(
	    f, "redis", r->server_expires, r->own_expires, r->now_us / 1000000);
	tell_memory(f, r);
	tell_failures(f, r);
	tell_persistence(f, r);
	tell_replicas(f, r);
	tell_clock(f, r);
}

void
redis_findings_queue(struct findings *f, const struct queue_facts *q)
{
	bool waits = q->ready > 0 || q->unacked > 0;
	bool stands = q->alive == 0 && (waits || q->publishes);

	findings_add(f, stands ? FINDING_WARNING : FINDING_OK,
	    "queue %s: %s%ju ready, %ju batch%s taken, %ju consumer%s alive",
	    q->name, stands ? "nothing drains it: " : "", (uintmax_t)q->ready,
	    (uintmax_t)q->unacked, q->unacked == 1 ? "" : "es",
	    (uintmax_t)q->alive, q->alive == 1 ? "" : "s");
	if (q->rejected > 0)
		findings_add(f, FINDING_WARNING,
		    "queue %s: %ju dead letter%s, see incr-rejected(1)",
		    q->name, (uintmax_t)q->rejected,
		    q->rejected == 1 ? "" : "s");
}
