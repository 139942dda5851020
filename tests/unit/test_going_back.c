/* What went back is said, each of it, and once. */
#include "check.h"
#include "flush/going_back.h"

static struct going_back g;
static struct committer c;
static char why[REASON_MAX];

int
main(void)
{
	check(!going_back_news(&g, &c, why), "nothing");

	c.lost = 2;
	check(going_back_news(&g, &c, why) &&
		  strcmp(why,
		      "ledger: went back; 2 windows of plain input lost") == 0,
	    "plain input: %s", why);
	check(!going_back_news(&g, &c, why), "once");
	check(g.steps == 1, "one step");

	/* A consumer's row and a plain one at the same time. */
	c.lost = 3;
	g.found = true;
	g.row = 7;
	g.how = (struct queue_restored){.moved = 4, .lost = 5};
	check(going_back_news(&g, &c, why) &&
		  strstr(why, "went back to batch 7: 5 lost, 4 restored"),
	    "the consumer: %s", why);
	check(going_back_news(&g, &c, why) &&
		  strcmp(why,
		      "ledger: went back; 1 windows of plain input lost") == 0,
	    "and the plain input: %s", why);
	check(!going_back_news(&g, &c, why), "nothing more");
	check(g.steps == 2, "a consumer's is counted where it is found");
	return check_end();
}
