/* Asks a database what it is like. */
#include "postgres/survey.h"

#include <string.h>

#include "postgres/pg_binary.h"
#include "postgres/statement_call.h"

/* The end of translate(): a name may have any character. */
#define NO_TAB ", E'\\t\\n', '  ')"

/* What is true of a partition is said of its table, but for grants: those of
 * the table count. */
static const char facts[] =
    "with tables as (select * from (values "
    "(1, 'increments', to_regclass($1)), "
    "(2, 'incr_ledger', to_regclass($2)), "
    "(3, 'incr_database', to_regclass($3))) as t (at, name, id)), "
    "parts as (select name, id from tables where id is not null "
    "union select name, relid "
    "from tables, pg_partition_tree(id) where relid is not null), "
    "facts as ("
    "select 'version' as a, current_setting('server_version') as b, "
    "'' as c, '' as d, '' as e "
    "union all select 'setting', name, left(setting, 64), '', '' "
    "from pg_settings "
    "where name in ('synchronous_commit', 'fsync', 'full_page_writes', "
    "'synchronous_standby_names', 'statement_timeout', "
    "'transaction_timeout', 'lock_timeout') "
    "union all select 'standbys', count(*)::text, '', '', '' "
    "from pg_stat_replication "
    "union all select 'connections', sum(numbackends)::text, "
    "(current_setting('max_connections')::int "
    "- current_setting('superuser_reserved_connections')::int)::text, "
    "'', '' "
    "from pg_stat_database "
    "union all select 'wire', case when inet_client_addr() is null "
    "or inet_client_addr() <<= '127.0.0.0/8' "
    "or inet_client_addr() = '::1' then 'local' "
    "when ssl then 'tls' else 'plain' end, '', '', '' "
    "from pg_stat_ssl where pid = pg_backend_pid() "
    "union all select 'table', name, relkind::text, relpersistence::text, '' "
    "from tables join pg_class on pg_class.oid = id "
    "union all select distinct 'table', name, 'r', 'u', '' "
    "from parts join pg_class on oid = id "
    "where relispartition and relpersistence = 'u' "
    "union all select 'hole', name, '', '', '' "
    "from tables join pg_partitioned_table on partrelid = id "
    "where partstrat = 'h' and (select coalesce(sum(1 / of), 0) "
    "from pg_inherits join pg_class on oid = inhrelid, "
    "cast(substring(pg_get_expr(relpartbound, oid) "
    "from 'modulus ([0-9]+)') as float8) as of "
    "where inhparent = id) < 1 - 1e-9 "
    "union all select 'grant', name, p, "
    "case when has_table_privilege(id, p) then 'yes' else 'no' end, '' "
    "from tables, unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) as p "
    "where id is not null "
    "union all select 'column', name, translate(left(attname, 100)" NO_TAB ", "
    "left(format_type(atttypid, atttypmod), 100), "
    "case when not attnotnull then 'null' "
    "when atthasdef or attidentity <> '' then 'free' else 'must' end "
    "from tables join pg_attribute on attrelid = id "
    "where attnum > 0 and not attisdropped "
    "union all select distinct 'unique', name, '', '', '' "
    "from tables join pg_index on indrelid = id join pg_attribute as k "
    "on attrelid = id and attnum = indkey[0] "
    "and attname = (array['key', 'consumer', 'one'])[at] "
    "where indisunique and indnkeyatts = 1 and indpred is null "
    "union all select distinct 'trigger', name, "
    "translate(left(tgname, 100)" NO_TAB
    ", '', '' from parts join pg_trigger on tgrelid = id "
    "where not tgisinternal and tgenabled not in ('D', 'R') "
    "union all select 'trigger', name, translate(left(rulename, 100)" NO_TAB
    ", '', '' from tables join pg_rewrite on ev_class = id "
    "and ev_enabled <> 'D' "
    "union all select 'policy', name, '', '', '' from tables "
    "where id is not null and row_security_active(id)) "
    "select convert_to(coalesce(string_agg("
    "concat_ws(E'\\t', a, b, c, d, e), E'\\n'), ''), 'UTF8') from facts";

int
survey_call(struct postgres *pg)
{
	struct postgres_params p = {.shape = {.least = 1, .most = 1}};

	p.shape.text = SURVEY_BYTES;
	for (int i = 0; i < 3; i++) {
		const char *table = postgres_greeted(pg, i);

		if (table == NULL)
			return -1;
		statement_put(&p, PG_BINARY_TEXT, table, strlen(table));
	}
	return postgres_call(pg, "survey", facts, &p);
}

const char *
survey_facts(const struct postgres *pg, size_t *ret_len)
{
	return postgres_bytes(pg, 0, ret_len);
}

bool
survey_next(const char **text, size_t *len, struct survey_fact *ret_fact)
{
	const char *end = *len == 0 ? NULL : memchr(*text, '\n', *len), *at;
	size_t line = end == NULL ? *len : (size_t)(end - *text), n;

	if (*len == 0)
		return false;
	*ret_fact = (struct survey_fact){0};
	at = *text;
	for (size_t i = 0, left = line; i < SURVEY_WORDS; i++) {
		const char *tab = memchr(at, '\t', left);

		n = tab == NULL ? left : (size_t)(tab - at);
		if (n >= SURVEY_WORD_MAX)
			return false;
		memcpy(ret_fact->word[i], at, n);
		if (tab == NULL)
			break;
		at += n + 1;
		left -= n + 1;
	}
	*text += line + (end != NULL);
	*len -= line + (end != NULL);
	return true;
}
