/* Tells a service manager about a server. */
#include "serve/serve_notify.h"

#include <stdbool.h>

#include "base/io.h"
#include "base/notify.h"
#include "base/reason.h"

enum { STATUS_MS = 1000 }; /* between two looks at what the status is */

static int64_t status_ms; /* of the last one */

static void say_status(const struct shutdown *s, int64_t now_ms);
static bool is_stuck(const struct backend *b, int64_t now_ms);

int64_t
serve_notify_tick(const struct shutdown *s, int64_t now_ms)
{
	const struct backend *b = &s->server->backend;

	notify_state(
	    s->stage == SHUTDOWN_RUNNING ? NOTIFY_READY : NOTIFY_STOPPING);
	if (status_ms == 0 || now_ms - status_ms >= STATUS_MS)
		say_status(s, now_ms);
	return notify_tick(
	    now_ms, s->stage == SHUTDOWN_RUNNING && is_stuck(b, now_ms));
}

static void
say_status(const struct shutdown *s, int64_t now_ms)
{
	const struct backend *b = &s->server->backend;
	char why[REASON_MAX];

	status_ms = now_ms;
	if (s->stage != SHUTDOWN_RUNNING) {
		notify_status("stopping");
	} else if (backend_fresh(b, now_ms)) {
		notify_status("ready");
	} else {
		backend_why_stale(b, now_ms, why);
		notify_status(why);
	}
}

static bool
is_stuck(const struct backend *b, int64_t now_ms)
{
	int64_t oldest_ms = inflight_oldest(&b->inflight);

	return oldest_ms != IO_FOREVER &&
	       now_ms - oldest_ms > SERVE_NOTIFY_VERDICTS * b->verdict_ms;
}

void
serve_notify_reload(int64_t now_ms)
{
	notify_state(NOTIFY_RELOADING);
	(void)notify_tick(now_ms, true);
}
