/*
 * The file of tokens: what is in it is found, all else is not; what is wrong
 * is named with its line.
 */
#include "base/sha256.h"
#include "check.h"
#include "serve/tokens.h"

#include <stdlib.h>

/* Of "abc" (FIPS 180-4, example) and of "". */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define B "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
#define C "2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6"
#define LONG "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct tokens *
parse(const char *text)
{
	unsigned line;
	const char *why;

	return tokens_parse(text, strlen(text), &line, &why);
}

static void
found(void)
{
	static const char *const texts[] = {"a " ABC, "a " ABC "\n",
	    "\ta\t \t" ABC " \n", "# x\n\n \t\n  # y\na " ABC " # z\n",
	    "a "
	    "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"};

	for (size_t i = 0; i < check_n(texts); i++) {
		struct tokens *t = parse(texts[i]);
		const struct token *a =
		    t == NULL ? NULL : tokens_find(t, "abc", 3);

		check(a != NULL && strcmp(a->client.name, "a") == 0 &&
			  !a->barred && !a->client.own_limit &&
			  a->client.limit.per_s == 0,
		    "%s", texts[i]);
		check(t != NULL && tokens_find(t, "abd", 3) == NULL &&
			  tokens_find(t, "abcd", 4) == NULL &&
			  tokens_find(t, "ab", 2) == NULL &&
			  tokens_find(t, "", 0) == NULL,
		    "%s", texts[i]);
		tokens_free(t);
	}
}

static void
rates(void)
{
	struct tokens *t = parse("a " ABC " 5/s:9\n");
	const struct token *a = tokens_find(t, "abc", 3);

	check(a != NULL && a->client.own_limit && a->client.limit.per_s == 5 &&
		  a->client.limit.burst == 9 && !a->barred,
	    "its own");
	tokens_free(t);
	t = parse("A.b_c-9 " ABC "\t-\n");
	a = tokens_find(t, "abc", 3);
	check(a != NULL && a->barred, "barred");
	tokens_free(t);
	/* nothing: a set in which nobody is */
	t = parse("");
	check(t != NULL && tokens_find(t, "abc", 3) == NULL, "empty");
	tokens_free(t);
	/* the token of no characters is none, whatever the file says */
	t = parse("a " EMPTY);
	check(t != NULL && tokens_find(t, "", 0) == NULL, "no token");
	tokens_free(t);
}

/* Several of one name are one client, all but the last are old. */
static void
lists(void)
{
	struct tokens *t =
	    parse("b " EMPTY "\na " ABC "," B "," LONG " 5/s\nc " C " -\n");
	const struct token *one = t == NULL ? NULL : tokens_find(t, "abc", 3);
	const struct token *two = t == NULL ? NULL : tokens_find(t, "b", 1);
	const struct token *c = t == NULL ? NULL : tokens_find(t, "c", 1);

	check(one != NULL && two != NULL && c != NULL, "found");
	if (one != NULL && two != NULL && c != NULL) {
		check(strcmp(one->client.name, "a") == 0 &&
			  strcmp(two->client.name, "a") == 0 &&
			  memcmp(&one->client, &two->client,
			      sizeof one->client) == 0,
		    "one client");
		check(one->client.limit.per_s == 5 && one->client.own_limit,
		    "its rate");
		check(one->client.old_token && !c->client.old_token, "old");
		check(c->barred && !one->barred, "barred");
	}
	tokens_free(t);
	t = parse("a " ABC "," B "\n");
	two = t == NULL ? NULL : tokens_find(t, "b", 1);
	check(two != NULL && !two->client.old_token, "the newest");
	tokens_free(t);
}

static void
faults(void)
{
	static const struct {
		const char *text;
		unsigned line;
	} cases[] = {
	    {"a", 1},
	    {"\n\na\n", 3},
	    {ABC, 1},
	    {"a " ABC " 1/s x", 1},
	    {"a " ABC "0", 1},
	    {"a " ABC "#", 1},
	    {"a g" ABC, 1},
	    {"a " LONG "g", 1},
	    {"a " LONG LONG, 1},
	    {"a: " ABC, 1},
	    {"a\x7f " ABC, 1},
	    {"\xc3\xa9 " ABC, 1},
	    {"-a " ABC, 1},
	    {".a " ABC, 1},
	    {LONG "a " ABC, 1},
	    {"a " ABC " 0", 1},
	    {"a " ABC " 0/s", 1},
	    {"a " ABC " 1000001/s", 1},
	    {"a " ABC " 1/s:0", 1},
	    {"a " ABC " --", 1},
	    {"a " ABC " 000000000000000000000000000000001/s", 1},
	    {"a " ABC "\r\n", 1},
	    {"# ok\na\x01 " ABC, 2},
	    {"# \x01", 1},
	    {"a " ABC "\nb " EMPTY "\na " LONG "\n", 3},
	    {"a " ABC "\nb " ABC "\n", 2},
	    {"x " EMPTY "\na " ABC "\nb " ABC "\na " LONG "\n", 3},
	    {"a " ABC ",\n", 1},
	    {"a ," ABC "\n", 1},
	    {"a " ABC ",," B "\n", 1},
	    {"a " ABC ", " B "\n", 1},
	    {"a " ABC "," B "0\n", 1},
	    {"x " C "\na " ABC "," B "," ABC "\n", 2},
	    {"x " C "\na " ABC "," C "\n", 2},
	    {"x " C "," B "\na " ABC "\nx " LONG "\n", 3},
	};

	for (size_t i = 0; i < check_n(cases); i++) {
		const char *why = NULL;
		unsigned line = 0;
		struct tokens *t = tokens_parse(
		    cases[i].text, strlen(cases[i].text), &line, &why);

		check(t == NULL && why != NULL && line == cases[i].line,
		    "%s: %u", cases[i].text, line);
		tokens_free(t);
	}
}

/* As many as there may be, each found; and one more. */
static void
many(void)
{
	static char text[(TOKENS_MAX + 1) * 90];
	const char *why;
	size_t len = 0, before = 0;
	unsigned line;
	struct tokens *t;

	for (unsigned i = 0; i <= TOKENS_MAX; i++) {
		uint8_t digest[SHA256_BYTES];
		char token[16];
		int n = snprintf(token, sizeof token, "token%u", i);

		before = len;
		check(sha256_digest(token, (size_t)n, digest) == 0, "digest");
		len += (size_t)sprintf(text + len, "n%u ", i);
		for (size_t k = 0; k < sizeof digest; k++)
			len += (size_t)sprintf(text + len, "%02x", digest[k]);
		text[len++] = '\n';
	}
	t = tokens_parse(text, before, &line, &why);
	check(t != NULL, "%d tokens", TOKENS_MAX);
	for (unsigned i = 0; t != NULL && i <= TOKENS_MAX; i++) {
		const struct token *found;
		char token[16], name[16];
		int n = snprintf(token, sizeof token, "token%u", i);

		snprintf(name, sizeof name, "n%u", i);
		found = tokens_find(t, token, (size_t)n);
		check(i == TOKENS_MAX
			  ? found == NULL
			  : found != NULL &&
				strcmp(found->client.name, name) == 0,
		    "%s", token);
	}
	tokens_free(t);
	t = tokens_parse(text, len, &line, &why);
	check(t == NULL && line == TOKENS_MAX + 1, "one more: %u", line);
}

int
main(void)
{
	found();
	rates();
	lists();
	faults();
	many();
	return check_end();
}
