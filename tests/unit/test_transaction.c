/* What the replies to a transaction say of it as a whole. */
#include "check.h"
#include "redis/transaction.h"

/* The replies after that to MULTI, of a transaction of two commands. */
static const struct {
	const char *replies, *why;
	enum transaction_state state; /* at the last one */
} cases[] = {
    {"+QUEUED\r\n", "", TRANSACTION_GOES_ON},
    {"+QUEUED\r\n+QUEUED\r\n", "", TRANSACTION_GOES_ON},
    {"+QUEUED\r\n+QUEUED\r\n*2\r\n*1\r\n:1\r\n:2\r\n", "", TRANSACTION_DONE},
    /* Those behind the first one are for the caller. */
    {"+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n-ERR no\r\n", "", TRANSACTION_DONE},
    {"+QUEUED\r\n+QUEUED\r\n*2\r\n-NOSCRIPT No\r\n:0\r\n", "NOSCRIPT No",
	TRANSACTION_REFUSED},
    {"+QUEUED\r\n+QUEUED\r\n*2\r\n-WRONGTYPE it\r\n:0\r\n", "WRONGTYPE it",
	TRANSACTION_REFUSED},
    /* A script that ended somewhere. */
    {"+QUEUED\r\n+QUEUED\r\n*2\r\n-ERR user_script:1: x\r\n:0\r\n",
	"ERR user_script:1: x", TRANSACTION_BROKEN},
    /* The first error says why, and EXECABORT that it is true. */
    {"-MOVED 1 h:1\r\n-MOVED 2 h:1\r\n-EXECABORT T\r\n", "MOVED 1 h:1",
	TRANSACTION_REFUSED},
    {"+QUEUED\r\n-OOM command\r\n-EXECABORT T\r\n", "OOM command",
	TRANSACTION_REFUSED},
    {"+QUEUED\r\n+QUEUED\r\n-EXECABORT T\r\n", "EXECABORT T",
	TRANSACTION_REFUSED},
    {"+QUEUED\r\n-OOM command\r\n-ERR upstream\r\n", "ERR upstream",
	TRANSACTION_BROKEN},
    {"+QUEUED\r\n+QUEUED\r\n-TRYAGAIN keys\r\n", "TRYAGAIN keys",
	TRANSACTION_REFUSED},
    {"+QUEUED\r\n-ERR upstream\r\n*2\r\n:1\r\n:2\r\n", "no transaction",
	TRANSACTION_BROKEN},
    /* Not what a transaction answers. */
    {":1\r\n", "no transaction", TRANSACTION_BROKEN},
    {"+OK\r\n", "no transaction", TRANSACTION_BROKEN},
    {"+QUEUED\r\n+QUEUED\r\n*-1\r\n", "no transaction", TRANSACTION_BROKEN},
    {"+QUEUED\r\n+QUEUED\r\n+OK\r\n", "no transaction", TRANSACTION_BROKEN},
    {"+QUEUED\r\n+QUEUED\r\n*1\r\n:1\r\n", "no transaction",
	TRANSACTION_BROKEN},
    {"+QUEUED\r\n+QUEUED\r\n*3\r\n:1\r\n:2\r\n:3\r\n", "no transaction",
	TRANSACTION_BROKEN},
};

static enum transaction_state
take(struct transaction *t, const char *text, size_t len)
{
	struct redis_reply *reply = redis_reply_parse(text, len);

	check(reply != NULL, "%.*s", (int)len, text);
	transaction_take(t, reply);
	redis_reply_free(reply);
	return t->state;
}

/* How long the reply is that text begins with: a line, or a list. */
static size_t
reply_len(const char *text)
{
	return text[0] == '*' ? strlen(text)
			      : (size_t)(strchr(text, '\n') + 1 - text);
}

static void
check_multi(const char *text, enum transaction_state expected)
{
	struct transaction t;

	transaction_start(&t, 2);
	check(take(&t, text, strlen(text)) == expected, "%s", text);
	check((expected == TRANSACTION_OPEN) == (t.why[0] == '\0'), "%s: %s",
	    text, t.why);
}

int
main(void)
{
	check_multi("+OK\r\n", TRANSACTION_OPEN);
	check_multi("-NOPERM no\r\n", TRANSACTION_REFUSED);
	/* Nothing else was sent, whoever says so. */
	check_multi("-ERR upstream\r\n", TRANSACTION_REFUSED);
	check_multi("+QUEUED\r\n", TRANSACTION_BROKEN);
	check_multi(":1\r\n", TRANSACTION_BROKEN);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct transaction t;
		enum transaction_state state;
		const char *at = cases[i].replies;

		transaction_start(&t, 2);
		state = take(&t, "+OK\r\n", 5);
		while (*at != '\0' && (state == TRANSACTION_OPEN ||
					  state == TRANSACTION_GOES_ON)) {
			state = take(&t, at, reply_len(at));
			at += reply_len(at);
		}
		check(state == cases[i].state && *at == '\0', "case %zu: %d", i,
		    state);
		check(
		    strcmp(t.why, cases[i].why) == 0, "case %zu: %s", i, t.why);
	}
	return check_end();
}
