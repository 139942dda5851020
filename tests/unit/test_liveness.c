/*
 * Looks at the owners of consumers: who becomes a candidate, and when.
 */
#include <stdint.h>

#include "check.h"
#include "queue/liveness.h"

static const struct id self = {{1}}, a = {{2}}, b = {{3}}, c = {{4}};

/* The owner record of a speaker whose process nobody can judge. */
static const char *
far_record(const struct id *speaker)
{
	static char record[OWNER_RECORD_MAX];
	char text[ID_TEXT + 1];

	id_format(speaker, text);
	snprintf(record, sizeof record, "%s elsewhere 1 1", text);
	return record;
}

static const char *
dead_record(const struct id *speaker)
{
	static char record[OWNER_RECORD_MAX];
	char text[ID_TEXT + 1];

	id_format(speaker, text);
	snprintf(
	    record, sizeof record, "%s %s %d 1", text, owner_boot(), INT32_MAX);
	return record;
}

struct seen {
	const struct id *consumer;
	const char *record; /* empty: without owner */
	const char *stale;  /* its mark, which has run out; NULL: not so */
	const char *mark;   /* one that has not */
};

static void
note(struct liveness *l, const struct seen *s, int64_t now_ms)
{
	const char *mark = s->stale != NULL  ? s->stale
			   : s->mark != NULL ? s->mark
					     : "";
	struct liveness_look look = {.consumer = *s->consumer,
	    .missing = *s->record == '\0' || s->stale != NULL,
	    .record = s->record,
	    .record_len = strlen(s->record),
	    .mark = mark,
	    .mark_len = strlen(mark)};

	liveness_note(l, &look, now_ms);
}

static void
look(struct liveness *l, int64_t now_ms, const struct seen *seen, size_t n)
{
	check(liveness_begin(l) == 0, "memory");
	for (size_t i = 0; i < n; i++)
		note(l, &seen[i], now_ms);
	liveness_end(l, &self);
}

/* Which of a, b and c are candidates: bits 1, 2, 4. */
static int
candidates(const struct liveness *l, int64_t now_ms)
{
	const struct liveness_seen *one;
	int found = 0;

	for (size_t i = 0;
	     (one = liveness_candidate(l, &i, &self, now_ms)) != NULL;)
		found |= id_equal(&one->consumer, &a)   ? 1
			 : id_equal(&one->consumer, &b) ? 2
							: 4;
	return found;
}

static void
check_two_looks(void)
{
	const struct seen none[] = {{&b, .record = ""}, {&a, .record = ""}};
	const struct seen a_renewed[] = {
	    {&b, .record = ""}, {&a, .record = far_record(&a)}};
	struct liveness l = {0};

	look(&l, 1000, none, 2);
	check(candidates(&l, 1000) == 0, "one look is none");
	check(liveness_missing(&l), "worth another look");
	look(&l, 1000 + LIVENESS_APART_MS - 1, none, 2);
	check(candidates(&l, 1000 + LIVENESS_APART_MS - 1) == 0, "too near");
	look(&l, 1000 + LIVENESS_APART_MS, none, 2);
	check(candidates(&l, 1000 + LIVENESS_APART_MS) == 3, "both");
	look(&l, 1300, a_renewed, 2);
	check(candidates(&l, 1300) == 2, "a was renewed");
	look(&l, 1600, none, 2);
	check(candidates(&l, 1600) == 2, "a begins again");
	look(&l, 1900, none, 1);
	check(candidates(&l, 1900) == 2, "a was swept");
	liveness_free(&l);
}

/* Another connection: nobody could renew, maybe. */
static void
check_forget(void)
{
	const struct seen none[] = {{&a, .record = ""}};
	struct liveness l = {0};

	look(&l, 1000, none, 1);
	liveness_forget(&l);
	check(!liveness_missing(&l), "forgotten");
	look(&l, 2000, none, 1);
	check(candidates(&l, 2000) == 0, "a first look");
	liveness_free(&l);
}

static void
check_owned(void)
{
	struct seen seen[] = {{&a, .record = ""},
	    {&b, .record = far_record(&c)}, {&c, .record = dead_record(&c)}};
	struct liveness l = {0};

	look(&l, 1000, seen, 3);
	check(candidates(&l, 1000) == 4, "its process is gone: at once");
	liveness_free(&l);
}

/* Owned by self: adopted late, or adopted and known. */
static void
check_held(void)
{
	const struct seen own[] = {{&a, .record = far_record(&self)}};
	const struct seen none[] = {{&a, .record = ""}};
	struct liveness l = {0};

	look(&l, 1000, own, 1);
	check(candidates(&l, 1000) == 1, "without knowing it");
	check(liveness_begin(&l) == 0, "memory");
	check(liveness_hold(&l, &a) == 0, "memory");
	note(&l, own, 1100);
	liveness_end(&l, &self);
	check(candidates(&l, 1100) == 0, "it knows");
	look(&l, 1200, own, 1);
	check(candidates(&l, 1200) == 0, "still");
	look(&l, 1300, none, 1);
	look(&l, 1400, own, 1);
	check(candidates(&l, 1400) == 1, "lost, and adopted again");
	liveness_free(&l);
}

static void
check_bounds(void)
{
	char long_record[OWNER_RECORD_MAX + 1];
	struct liveness l = {0};
	struct id id = {{5}};

	memset(long_record, 'x', OWNER_RECORD_MAX);
	long_record[OWNER_RECORD_MAX] = '\0';
	check(liveness_begin(&l) == 0, "memory");
	note(&l, &(struct seen){&a, .record = long_record}, 1000);
	check(l.n_next == 0, "longer than a record: left out");
	for (int i = 0; i < 4 * LIVENESS_MAX; i++) {
		memcpy(id.bytes + 4, &i, sizeof i);
		note(&l, &(struct seen){&id, .record = ""}, 1000);
	}
	liveness_end(&l, &self);
	check(l.n_last == 3 * LIVENESS_MAX, "%zu", l.n_last);
	liveness_free(&l);
}

/* The other half. */
static void
check_marks(void)
{
	char gone[LIVENESS_MARK_MAX], here[LIVENESS_MARK_MAX],
	    owner[OWNER_RECORD_MAX];
	const char *far = "1795451234567 ffffffff-0 elsewhere 1 1";
	struct liveness l = {0};

	snprintf(gone, sizeof gone, "1795451234567 %s", dead_record(&c));
	snprintf(owner, sizeof owner, "%s", far_record(&c));
	snprintf(here, sizeof here, "1795451234567 %s", owner);
	const struct seen stale[] = {{&a, .record = owner, .stale = far},
	    {&b, .record = owner, .mark = here},
	    {&c, .record = owner, .mark = gone}};
	const struct seen fresh[] = {{&a, .record = owner, .mark = far}};

	look(&l, 1000, stale, 3);
	check(candidates(&l, 1000) == 4, "its process is gone");
	check(liveness_missing(&l), "worth another look");
	look(&l, 1250, stale, 2);
	check(candidates(&l, 1250) == 1, "stale at two looks");
	check(liveness_candidates(&l, &self, 1250) == 1, "one");
	look(&l, 1300, fresh, 1);
	check(candidates(&l, 1300) == 0, "marked again");
	look(&l, 1500, stale, 1);
	check(candidates(&l, 1500) == 0, "begins again");
	/* One that has left in order is no process. */
	snprintf(owner, sizeof owner, "%s end", dead_record(&c));
	look(&l, 1600, &(struct seen){&b, .record = owner, .mark = here}, 1);
	check(candidates(&l, 1600) == 0, "left in order");
	liveness_free(&l);
}

int
main(void)
{
	check_two_looks();
	check_forget();
	check_owned();
	check_held();
	check_marks();
	check_bounds();
	return check_end();
}
