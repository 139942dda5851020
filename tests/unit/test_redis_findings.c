/* What is said of a Redis and of a queue: of a healthy one nothing bad, and one
 * finding for each thing that is not as it should be. */
#include "check.h"
#include "inspect/redis_findings.h"

#define HEALTHY \
	"redis_version:7.0.15\r\nconnected_clients:3\r\nmaxclients:10000\r\n" \
	"used_memory:1000\r\nmaxmemory:100000\r\naof_enabled:1\r\n" \
	"aof_last_write_status:ok\r\naof_last_bgrewrite_status:ok\r\n" \
	"rdb_last_bgsave_status:ok\r\nserver_time_usec:1000000000\r\n"

static const struct redis_facts healthy = {
    .info = HEALTHY "connected_slaves:0\r\n",
    .appendfsync = "always",
    .save = "",
    .now_us = 1000000000,
    .wait_us = 100};

static char said[8192];

/* How many warnings and errors there are; said has all lines. */
static unsigned
bad(const struct redis_facts *r)
{
	struct findings f = {0};
	unsigned n;

	redis_findings(&f, r);
	n = f.n[FINDING_WARNING] + findings_errors(&f);
	snprintf(
	    said, sizeof said, "%.*s", (int)f.lines.len, buf_ptr(&f.lines));
	buf_free(&f.lines);
	return n;
}

static void
one(struct redis_facts r, const char *finding)
{
	check(bad(&r) == 1 && strstr(said, finding) != NULL, "%s in:\n%s",
	    finding, said);
}

/* An INFO of the healthy one but for the line of one field. */
static const char *
with(const char *field, const char *line)
{
	static char text[2048];
	const char *at = strstr(HEALTHY, field);

	snprintf(text, sizeof text, "%.*s%s%s", (int)(at - HEALTHY), HEALTHY,
	    line, strchr(at, '\n') + 1);
	return text;
}

static struct redis_facts
but(const char *info)
{
	struct redis_facts r = healthy;

	r.info = info;
	return r;
}

static void
check_settings(void)
{
	struct redis_facts r = healthy;

	r.appendfsync = "everysec";
	one(r, "warning: redis: appendfsync everysec: killed: nothing; slow "
	       "disk: lost, up to 2 s; power lost: lost and twice: last 1 to "
	       "2 s\n");
	r.appendfsync = "no";
	one(r, "appendfsync no: power lost: lost and twice: last 30 s\n");
	r.appendfsync = r.save = NULL;
	r.refused = "NOPERM no";
	one(r, "settings of persistence not known (CONFIG GET: NOPERM no)");
	r = but(with("aof_enabled", "aof_enabled:0\r\n"));
	one(r, "appendonly no, no save: any crash: lost: ready and taken\n");
	r.save = "3600 1";
	one(r, "appendonly no, save: any crash: lost and twice: since");
	one(but(with("maxmemory", "maxmemory:0\r\n")), "maxmemory 0: ");
	one(but(with("used_memory", "used_memory:75000\r\n")),
	    "75 % of maxmemory used");
	check(bad(&(struct redis_facts){
		  .info = with("used_memory", "used_memory:74999\r\n"),
		  .appendfsync = "always",
		  .save = "",
		  .now_us = healthy.now_us}) == 0,
	    "%s", said);
	one(but(with("connected_clients", "connected_clients:9000\r\n")),
	    "9000 of 10000 clients");
	one(but(with("aof_last_write", "aof_last_write_status:err\r\n")),
	    "error: redis: aof_last_write_status: err");
	one(but(with("rdb_last", "rdb_last_bgsave_status:err\r\n")),
	    "error: redis: rdb_last_bgsave_status: err");
}

static void
check_replicas(void)
{
	struct redis_facts r = but(HEALTHY "connected_slaves:2\r\n");

	check(bad(&r) == 2 &&
		  strstr(said, "replicas, --replicas 0: failover: lost") &&
		  strstr(said, "neither --replicas nor min-replicas-to-write: "
			       "two primaries: twice"),
	    "%s", said);
	r.info = HEALTHY "connected_slaves:2\r\nmin_slaves_good_slaves:2\r\n";
	check(bad(&r) == 2 && strstr(said, "min-replicas-to-write, --replicas "
					   "0: two primaries: lost and twice"),
	    "%s", said);
	r.replicas = 1;
	one(r, "2 replicas, --replicas 1: failover: nothing, if any N");
	r.replicas = 2;
	check(bad(&r) == 0 && strstr(said, "ok: redis: 2 replicas, --replicas "
					   "2: "),
	    "%s", said);
}

static void
check_times(void)
{
	struct redis_facts r = healthy;

	r.now_us = healthy.now_us - 2500000;
	one(r, "its clock is 2.5 s before that of this machine");
	r.now_us = healthy.now_us + 2500000;
	one(r, "its clock is 2.5 s behind that of this machine");
	r.wait_us = 1600000; /* INFO took so long */
	check(bad(&r) == 0, "%s", said);
	r = healthy;
	r.server_expires = 1000 + 14 * 86400;
	check(bad(&r) == 0 && strstr(said, "ok: redis: its certificate is "
					   "valid for 14 days more"),
	    "%s", said);
	r.server_expires--;
	one(r, "its certificate is valid for 13 days more");
	r.server_expires = 0;
	r.own_expires = 1000 + 86400;
	one(r, "the certificate shown to it is valid for 1 day more");
	r.own_expires = 999;
	one(r, "the certificate shown to it is not valid any more");
}

static unsigned
bad_queue(const struct queue_facts *q)
{
	struct findings f = {0};
	unsigned n;

	redis_findings_queue(&f, q);
	n = f.n[FINDING_WARNING] + findings_errors(&f);
	snprintf(
	    said, sizeof said, "%.*s", (int)f.lines.len, buf_ptr(&f.lines));
	buf_free(&f.lines);
	return n;
}

static void
check_queue(void)
{
	struct queue_facts q = {.name = "q", .ready = 3, .alive = 1};

	check(bad_queue(&q) == 0 &&
		  strcmp(said, "ok: queue q: 3 ready, 0 batches taken, 1 "
			       "consumer alive\n") == 0,
	    "%s", said);
	q.alive = 0;
	check(bad_queue(&q) == 1 && strstr(said, "nothing drains it: 3"), "%s",
	    said);
	q.ready = 0;
	check(bad_queue(&q) == 0, "nothing waits, nobody is needed yet");
	q.unacked = 1;
	check(bad_queue(&q) == 1 && strstr(said, "1 batch taken"), "%s", said);
	q.unacked = 0;
	q.publishes = true;
	check(bad_queue(&q) == 1, "what it publishes would wait");
	q.alive = 2;
	q.rejected = 1;
	check(bad_queue(&q) == 1 && strstr(said, "1 dead letter, see"), "%s",
	    said);
}

int
main(void)
{
	check(bad(&healthy) == 0 && strstr(said, "ok: redis: version 7.0.15") &&
		  strstr(said, "ok: redis: appendfsync always: any crash: "
			       "nothing\n"),
	    "%s", said);
	check_settings();
	check_replicas();
	check_times();
	check_queue();
	return check_end();
}
