/* Says what of a server's addresses, tokens and limits would be wrong. */
#include "serve/serve_findings.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/num.h"
#include "base/reason.h"
#include "net/listen.h"
#include "redis/session.h"
#include "serve/acceptor.h"
#include "serve/tokens.h"

void
serve_findings_address(struct findings *f, const char *addr, bool exposed)
{
	const char *why;
	bool local;

	switch (listen_probe(addr, &local, &why)) {
	case LISTEN_FREE:
		findings_add(f, FINDING_OK, "%s: can be listened on", addr);
		break;
	case LISTEN_STALE:
		findings_add(f, FINDING_OK,
		    "%s: a stale socket, which would be replaced", addr);
		break;
	case LISTEN_TAKEN:
		findings_add(f, FINDING_ERROR, "%s: %s", addr, why);
		return;
	}
	if (!local && !exposed)
		findings_add(f, FINDING_ERROR,
		    "%s: reachable from other hosts: needs --tokens FILE or "
		    "--open",
		    addr);
}

void
serve_findings_tokens(struct findings *f, const char *path)
{
	char why[REASON_MAX];
	struct tokens *t;
	size_t n;

	if (path == NULL)
		return;
	t = tokens_read(path, why);
	if (t == NULL) {
		findings_add(f, FINDING_ERROR, "%s", why);
		return;
	}
	n = tokens_count(t);
	tokens_free(t);
	findings_add(f, n == 0 ? FINDING_WARNING : FINDING_OK,
	    "%s: %zu token%s%s", path, n, n == 1 ? "" : "s",
	    n == 0 ? ": nobody may send" : "");
}

void
serve_findings_limit(struct findings *f, uint64_t max_connections)
{
	size_t room = acceptor_room((size_t)max_connections);

	if (room < max_connections)
		findings_add(f, FINDING_WARNING,
		    "descriptors: the limit (ulimit -Hn) allows %zu of %ju "
		    "connections (--max-connections)",
		    room, (uintmax_t)max_connections);
	else
		findings_add(f, FINDING_OK,
		    "descriptors: enough for %ju connections",
		    (uintmax_t)max_connections);
}

void
serve_findings_redis(struct findings *f, const char *url)
{
	const struct session_options options = {
	    .connect_ms = 2000, .reply_ms = 2000};
	int64_t deadline_ms = clock_ms() + SERVE_FINDINGS_MS;
	enum session_state state = SESSION_DOWN;
	const char *why;
	struct session *s = session_open(url, &options, &why);

	if (s == NULL) {
		findings_add(f, FINDING_ERROR, "redis: %s", why);
		return;
	}
	while (state == SESSION_DOWN && clock_ms() < deadline_ms) {
		struct pollfd pfd;
		int64_t due_ms = session_wait(s, &pfd);

		if (io_poll(&pfd, 1, num_min(deadline_ms, due_ms)) < 0)
			break;
		state = session_step(s, pfd.revents);
	}
	if (state == SESSION_IDLE)
		findings_add(f, FINDING_OK, "redis: can share rates");
	else
		findings_add(f,
		    state == SESSION_FAULT ? FINDING_ERROR : FINDING_DOWN,
		    "redis: %s", session_status(s)->why);
	session_close(s);
}
