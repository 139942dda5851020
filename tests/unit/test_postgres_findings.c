/* What is said of a database: of a healthy one nothing bad, and one finding for
 * each thing that is not as it should be. */
#include "check.h"
#include "inspect/postgres_findings.h"
#include "postgres/survey.h"

static const char *const healthy[] = {"version\t15.1", "standbys\t0",
    "connections\t8\t97", "wire\tlocal", "setting\tfsync\ton",
    "setting\tfull_page_writes\ton", "setting\tsynchronous_commit\ton",
    "setting\tsynchronous_standby_names\t", "setting\tstatement_timeout\t0",
    "table\tincrements\tr\tp", "table\tincr_ledger\tr\tp",
    "table\tincr_database\tr\tp", "grant\tincrements\tSELECT\tyes",
    "grant\tincrements\tINSERT\tyes", "grant\tincrements\tUPDATE\tyes",
    "grant\tincrements\tDELETE\tno", "grant\tincr_ledger\tSELECT\tyes",
    "grant\tincr_ledger\tINSERT\tyes", "grant\tincr_ledger\tUPDATE\tyes",
    "grant\tincr_ledger\tDELETE\tyes", "grant\tincr_database\tSELECT\tyes",
    "grant\tincr_database\tINSERT\tno", "column\tincrements\tkey\tuuid\tmust",
    "column\tincrements\tvalue\tnumeric\tmust",
    "column\tincrements\tupdated_at\ttimestamp with time zone\tfree",
    "column\tincr_ledger\tconsumer\tuuid\tmust",
    "column\tincr_ledger\tqueue\ttext\tmust",
    "column\tincr_ledger\tseq\tbigint\tmust",
    "column\tincr_ledger\tcommitted_at\ttimestamp with time zone\tfree",
    "column\tincr_ledger\tlines\tbigint\tfree",
    "column\tincr_database\tone\tboolean\tfree",
    "column\tincr_database\tid\tuuid\tmust", "unique\tincrements",
    "unique\tincr_ledger"};

static char said[8192];

/* The healthy facts, but that `line` (NULL: none) takes the place of the one
 * that begins with `fact` (NULL: it is added). */
static unsigned
bad(const char *fact, const char *line, bool keeps)
{
	struct findings f = {0};
	struct buf text = {0};
	unsigned n;

	for (size_t i = 0; i < check_n(healthy); i++) {
		const char *it = healthy[i];

		if (fact != NULL && strncmp(it, fact, strlen(fact)) == 0)
			it = line;
		if (it != NULL)
			check(buf_addf(&text, "%s\n", it) == 0, "memory");
	}
	if (fact == NULL && line != NULL)
		check(buf_addf(&text, "%s\n", line) == 0, "memory");
	postgres_findings(&f, buf_ptr(&text), text.len, keeps);
	n = f.n[FINDING_WARNING] + findings_errors(&f);
	snprintf(
	    said, sizeof said, "%.*s", (int)f.lines.len, buf_ptr(&f.lines));
	buf_free(&f.lines);
	buf_free(&text);
	return n;
}

static void
one(const char *fact, const char *line, const char *finding)
{
	check(bad(fact, line, false) == 1 && strstr(said, finding) != NULL,
	    "%s in:\n%s", finding, said);
}

static void
none(const char *fact, const char *line, bool keeps, const char *finding)
{
	check(bad(fact, line, keeps) == 0 && strstr(said, finding) != NULL,
	    "%s in:\n%s", finding, said);
}

static void
check_settings(void)
{
	one("setting\tfsync", "setting\tfsync\toff",
	    "warning: postgres: fsync off: killed: nothing; power lost: "
	    "anything, up to the whole cluster\n");
	one("setting\tfull", "setting\tfull_page_writes\toff",
	    "full_page_writes off: power lost: anything: torn pages\n");
	one("setting\tsynchronous_commit", "setting\tsynchronous_commit\toff",
	    "synchronous_commit off: any crash: lost: last 0.6 s");
	one("setting\tstatement", "setting\tstatement_timeout\t30000",
	    "warning: postgres: statement_timeout 30000 ms: ");
	one("connections", "connections\t90\t97", "90 of 97 connections");
	one("wire", "wire\tplain", "no TLS to another machine");
	none(
	    "wire", "wire\ttls", false, "default settings: any crash: nothing");
}

static void
check_standbys(void)
{
	one("standbys", "standbys\t1",
	    "asynchronous standby: failover: lost: its lag; nothing with "
	    "--keep\n");
	none("standbys", "standbys\t1", true, "ok: postgres: asynchronous");
	none("setting\tsynchronous_standby",
	    "setting\tsynchronous_standby_names\tb", false,
	    "ok: postgres: synchronous standby: failover: nothing\n");
}

static void
check_tables(void)
{
	one("table\tincrements", "table\tincrements\tv\tp",
	    "error: increments: no table\n");
	one("table\tincrements", "table\tincrements\tr\tu",
	    "warning: increments: an unlogged table: any crash: lost: "
	    "everything counted\n");
	one("table\tincr_ledger", NULL,
	    "error: incr_ledger: no such table; run incr-db create\n");
	one("grant\tincrements\tINSERT", "grant\tincrements\tINSERT\tno",
	    "error: increments: INSERT not granted to this role");
	one("grant\tincr_ledger\tDELETE", "grant\tincr_ledger\tDELETE\tno",
	    "error: incr_ledger: DELETE not granted");
	one("grant\tincr_database\tSELECT", "grant\tincr_database\tSELECT\tno",
	    "error: incr_database: SELECT not granted");
	one("column\tincrements\tvalue",
	    "column\tincrements\tvalue\tbigint\tmust",
	    "error: increments: column value is bigint, must be numeric\n");
	one("column\tincr_ledger\tlines", NULL,
	    "error: incr_ledger: column lines is missing; run incr-db");
	one("column\tincrements\tupdated_at",
	    "column\tincrements\tupdated_at\ttimestamp with time zone\tmust",
	    "column updated_at must have a default");
	one(NULL, "column\tincrements\tmore\ttext\tmust",
	    "column more must have a default");
	none(NULL, "column\tincrements\tmore\ttext\tfree", false, "ok:");
	one("unique\tincrements", NULL, "column key is no primary key");
	one(NULL, "trigger\tincrements\tt", "a trigger or a rule, t: ");
	one(NULL, "table\tincrements\tr\tu", "increments: an unlogged table");
	one(NULL, "hole\tincrements",
	    "error: increments: partitions are missing; run incr-db create");
	one(NULL, "policy\tincr_ledger", "incr_ledger: row security is on");
}

/* What a server could send beside them. */
static void
check_bytes(void)
{
	static const char *const texts[] = {"", "\n", "\t\t\t\t\t\t\n",
	    "grant\n", "grant\tx\tINSERT\tno\n", "setting\tx_timeout\n",
	    "connections\t-1\t-9\nconnections\tx\n", "table\tincrements"};
	char full[SURVEY_WORD_MAX + 1];
	struct survey_fact fact;
	const char *p = full;
	size_t len = SURVEY_WORD_MAX;

	for (size_t i = 0; i < check_n(texts); i++) {
		struct findings f = {0};

		postgres_findings(&f, texts[i], strlen(texts[i]), false);
		check(findings_errors(&f) >= 2, "no tables in %s", texts[i]);
		buf_free(&f.lines);
	}
	memset(full, 'x', sizeof full);
	check(!survey_next(&p, &len, &fact), "a word that does not fit");
	len = SURVEY_WORD_MAX - 1;
	check(survey_next(&p, &len, &fact) && len == 0 &&
		  strlen(fact.word[0]) == SURVEY_WORD_MAX - 1,
	    "one that does");
	check(!survey_next(&p, &len, &fact), "the end");
}

int
main(void)
{
	none(NULL, NULL, false, "ok: postgres: version 15.1\n");
	none(NULL, NULL, false, "ok: postgres: default settings: any crash: ");
	check_settings();
	check_standbys();
	check_tables();
	check_bytes();
	return check_end();
}
