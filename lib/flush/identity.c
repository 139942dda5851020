/* Compares the database that Postgres has with the one that Redis names. */
#include "flush/identity.h"

#include "base/log.h"

static int ask(
    struct committer *c, struct acknowledger *a, char ret_why[REASON_MAX]);
static int judge(struct committer *c, const struct acknowledger *a,
    char ret_why[REASON_MAX]);

int
identity_step(struct committer *c, struct acknowledger *a,
    enum acknowledger_news news, char ret_why[REASON_MAX])
{
	if (news == ACKNOWLEDGER_IDENTIFIED)
		return judge(c, a, ret_why);
	return a->identifies || !postgres_status(c->pg)->idle
		   ? 0
		   : ask(c, a, ret_why);
}

static int
ask(struct committer *c, struct acknowledger *a, char ret_why[REASON_MAX])
{
	struct id database;

	/* Before the id is noted nobody counts in it, so this stays true. */
	if (c->summed != postgres_status(c->pg)->connections) {
		committer_sum(c);
		return 0;
	}
	if (statements_database(c->pg, &database) < 0) {
		reason_set(ret_why, "postgres: no row in incr_database; "
				    "run incr-db create");
		return EXIT_CONFIG;
	}
	acknowledger_identify(a, &database, &c->ledger);
	return 0;
}

static int
judge(
    struct committer *c, const struct acknowledger *a, char ret_why[REASON_MAX])
{
	char noted[ID_TEXT + 1], ours[ID_TEXT + 1];

	if (acknowledger_is_right(a)) {
		if (!c->bound)
			committer_bind(c, &a->database);
		return 0;
	}
	id_format(&a->noted.database, noted);
	id_format(&a->database, ours);
	reason_set(ret_why,
	    "queue %s: is counted in database %s, this is %s; nothing counted; "
	    "see incr-db adopt",
	    c->queue, noted, ours);
	return c->bound ? EXIT_TEMPFAIL : EXIT_CONFIG;
}
