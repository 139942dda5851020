/* Kills, stops or disconnects the program at a named place, for tests. */
#include "base/failpoint.h"

#ifdef INCR_POINTS

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"

enum {
	NTH_MAX = 1000,
	FDS = 1024 /* descriptors that are looked at */
};

enum cut {
	CUT_NONE,
	CUT_HALF,      /* half of the bytes */
	CUT_LINES,     /* all lines but the last, if there are several */
	CUT_LAST_LINE, /* the last line has its half */
};

static const struct {
	const char *name;
	enum cut cut;
} points[] = {
    {"serve-body", CUT_NONE},          /* read, not written */
    {"serve-half", CUT_HALF},          /* of a line is written */
    {"serve-written", CUT_NONE},       /* all of it */
    {"serve-verdict", CUT_NONE},       /* read, not answered */
    {"serve-answer-half", CUT_HALF},   /* of an answer is sent */
    {"serve-answer", CUT_NONE},        /* all of it */
    {"validate-judged", CUT_NONE},     /* a line, nothing is written */
    {"validate-half", CUT_HALF},       /* of the lines is written */
    {"validate-written", CUT_NONE},    /* all of them */
    {"publish-shards-sent", CUT_NONE}, /* none is introduced */
    {"publish-introduce-sent", CUT_NONE},
    {"publish-introduced", CUT_NONE}, /* no batch is sent */
    {"publish-frozen", CUT_NONE},     /* a batch, nothing is sent */
    {"publish-opened", CUT_NONE},     /* MULTI is answered, no more is sent */
    {"publish-half", CUT_HALF},       /* of its lines is sent */
    {"publish-sent", CUT_NONE},       /* all of it */
    {"publish-replied", CUT_NONE},    /* Redis has answered for it */
    {"publish-verdict-half", CUT_HALF},
    {"publish-verdict", CUT_NONE}, /* written */
    {"consume-register-sent", CUT_NONE},
    {"consume-registered", CUT_NONE}, /* nothing is written */
    {"consume-take-sent", CUT_NONE},
    {"consume-list-sent", CUT_NONE}, /* a batch is made, not read */
    {"consume-taken", CUT_NONE},     /* a batch, nothing is written */
    {"consume-half", CUT_HALF},      /* of what there is is written */
    {"consume-lines", CUT_LINES},    /* and no checkpoint */
    {"consume-checkpoint-half", CUT_LAST_LINE},
    {"consume-written", CUT_NONE},    /* all there is */
    {"consume-end", CUT_NONE},        /* and that was the end */
    {"consume-renew-sent", CUT_NONE}, /* of itself and who was adopted */
    {"consume-renewed", CUT_NONE},
    {"consume-adopt-sent", CUT_NONE}, /* of one that was seen */
    {"consume-adopted", CUT_NONE},    /* known, nothing is read */
    {"consume-read-sent", CUT_NONE},
    {"consume-read", CUT_NONE},     /* an adopted batch, not written */
    {"flush-ask-sent", CUT_NONE},   /* is the consumer registered? */
    {"flush-checkpoint", CUT_NONE}, /* of a batch is read */
    {"flush-look-sent", CUT_NONE},  /* for an adopted consumer's row */
    {"flush-row", CUT_NONE},        /* of an adopted consumer is read */
    {"flush-plain", CUT_NONE},      /* a window without checkpoints ends */
    {"flush-closed", CUT_NONE},     /* a window, nothing is sent */
    {"flush-sent", CUT_NONE},       /* its statement */
    {"flush-unmoved", CUT_NONE},    /* it moved nothing, the row is unread */
    {"flush-committed", CUT_NONE},  /* the answer to COMMIT is read */
    {"flush-adopted-closed", CUT_NONE},    /* adopted batches, nothing sent */
    {"flush-adopted-sent", CUT_NONE},      /* their statement */
    {"flush-adopted-committed", CUT_NONE}, /* the answer is read */
    {"flush-sums-read", CUT_NONE},         /* counts, no line written */
    {"flush-acknowledge-sent", CUT_NONE},
    {"flush-acknowledged", CUT_NONE}, /* the answer is read */
    {"flush-mark-sent", CUT_NONE},    /* this half lives */
    {"flush-marked", CUT_NONE},
    {"flush-restore-sent", CUT_NONE}, /* which are kept, the 2nd time: move */
    {"flush-restored", CUT_NONE},
    {"flush-rows", CUT_NONE},       /* of acknowledged consumers are read */
    {"flush-trim-sent", CUT_NONE},  /* kept batches may give way */
    {"flush-renew-sent", CUT_NONE}, /* of one that is held after the end */
    {"flush-renewed", CUT_NONE},
    {"send-sent", CUT_NONE},     /* a request, nothing is read */
    {"send-answer", CUT_NONE},   /* read, no verdict written */
    {"send-half", CUT_HALF},     /* of a verdict is written */
    {"send-written", CUT_NONE},  /* all of it */
    {"rejected-sent", CUT_NONE}, /* what is to be withdrawn */
    {"rejected-withdrawn", CUT_NONE},
    {"rejected-forward-sent", CUT_NONE}, /* to another shard */
    {"rejected-forwarded", CUT_NONE},    /* the answer is read */
    {"audit-listed", CUT_NONE},          /* the lists are read, nothing else */
    {"audit-surveyed", CUT_NONE},        /* the moment, batches are not read */
    {"audit-read", CUT_NONE},            /* all of the queue, not the table */
};

enum action { KILL, STOP, EXIT, DROP, ACTIONS };

static const char *const actions[ACTIONS] = {"kill", "stop", "exit", "drop"};

static struct {
	const char *name; /* NULL: nothing (more) is to happen */
	enum cut cut;
	enum action action;
	uint64_t left; /* times to come here, this one included */
	bool cutting;  /* the first part is written */
} armed;

__attribute__((constructor)) static void arm(void);
static bool arm_point(const char *name, size_t len);
static bool arm_action(const char *text, size_t len);
static bool is_here(const char *name);
static void act(void);
static void drop(void);
static size_t cut_at(enum cut cut, const char *p, size_t n);

static void
arm(void)
{
	const char *text = getenv("INCR_POINT"), *at = text;

	if (text == NULL || *text == '\0')
		return;
	armed.left = 1;
	if (!arm_point(at, strcspn(at, ":")))
		log_die(EXIT_CONFIG, "INCR_POINT: %s: no such point", text);
	at += strcspn(at, ":");
	at += *at == ':';
	if (!arm_action(at, strcspn(at, ":")))
		log_die(EXIT_CONFIG, "INCR_POINT: %s: no such action", text);
	at += strcspn(at, ":");
	if (*at == ':' && num_u64(at + 1, 1, NTH_MAX, &armed.left) < 0)
		log_die(EXIT_CONFIG, "INCR_POINT: %s: not the 1st to %dth time",
		    text, NTH_MAX);
}

static bool
arm_point(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof points / sizeof *points; i++)
		if (strlen(points[i].name) == len &&
		    memcmp(points[i].name, name, len) == 0) {
			armed.name = points[i].name;
			armed.cut = points[i].cut;
		}
	return armed.name != NULL;
}

static bool
arm_action(const char *text, size_t len)
{
	for (armed.action = 0; armed.action < ACTIONS; armed.action++)
		if (strlen(actions[armed.action]) == len &&
		    memcmp(actions[armed.action], text, len) == 0)
			return true;
	return false;
}

void
failpoint_hit(const char *name)
{
	if (is_here(name) && --armed.left == 0)
		act();
}

int
failpoint_after(const char *name, int result)
{
	failpoint_hit(name);
	return result;
}

size_t
failpoint_cut(const char *name, const char *p, size_t n)
{
	size_t first;

	if (!is_here(name))
		return n;
	if (armed.cutting) {
		act();
		return n;
	}
	first = cut_at(armed.cut, p, n);
	if (first == 0 || --armed.left > 0)
		return n;
	armed.cutting = true;
	return first;
}

static bool
is_here(const char *name)
{
	return armed.name != NULL && strcmp(armed.name, name) == 0;
}

static void
act(void)
{
	const char *name = armed.name;

	armed.name = NULL;
	switch (armed.action) {
	case KILL: raise(SIGKILL); return;
	case STOP: raise(SIGSTOP); return;
	case EXIT: log_die(EXIT_TEMPFAIL, "%s: told to leave here", name);
	case DROP: drop(); return;
	case ACTIONS: return;
	}
}

/* What was written before still arrives. */
static void
drop(void)
{
	struct sockaddr_storage peer;

	for (int fd = 0; fd < FDS; fd++) {
		socklen_t len = sizeof peer;

		if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0)
			shutdown(fd, SHUT_RDWR);
	}
}

/* Where p[0..n) is cut, 0 if it can't be. */
static size_t
cut_at(enum cut cut, const char *p, size_t n)
{
	const char *newline = n < 2 ? NULL : memrchr(p, '\n', n - 1);
	size_t last = newline == NULL ? 0 : (size_t)(newline - p) + 1;

	switch (cut) {
	case CUT_NONE: break;
	case CUT_HALF: return n / 2;
	case CUT_LINES: return last;
	case CUT_LAST_LINE: return last + (n - last) / 2;
	}
	return 0;
}

#endif
