/* Idempotency keys and the tags made of them. */
#include "check.h"
#include "serve/idempotency.h"

#define X51 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X255 X51 X51 X51 X51 X51

static const struct {
	const char *value, *key; /* NULL: no key */
} values[] = {
    {"\"8e03978e-40d5\"", "8e03978e-40d5"},
    {"8e03978e-40d5", "8e03978e-40d5"},
    {"\"a b\"", "a b"},
    {"\" \"", " "},
    {"\"a\\\"b\\\\c\"", "a\"b\\c"},
    {"a\\b", "a\\b"},
    {"a\"b", "a\"b"},
    {"a;b=1", "a;b=1"},
    {X255, X255},
    {"\"" X255 "\"", X255},
    {"", NULL},
    {"\"\"", NULL},
    {"\"", NULL},
    {"\"a", NULL},
    {"\"a\\\"", NULL},
    {"\"a\\", NULL},
    {"\"a\\b\"", NULL},
    {"\"a\"b\"", NULL},
    {"\"a\";b=1", NULL},
    {"\"a\" ", NULL},
    {"a b", NULL},
    {"a\tb", NULL},
    {"\"a\tb\"", NULL},
    {"\xc3\xa4", NULL},
    {"\"\xc3\xa4\"", NULL},
    {"a\x7f", NULL},
    {X255 "x", NULL},
    {"\"" X255 "x\"", NULL},
};

static void
test_values(void)
{
	for (size_t i = 0; i < check_n(values); i++) {
		const char *value = values[i].value, *want = values[i].key;
		struct idempotency_key key = {.len = 7};
		int result = idempotency_read(value, strlen(value), &key);

		check((result == 0) == (want != NULL), "%s", value);
		if (want == NULL)
			check(key.len == 7, "untouched: %s", value);
		else
			check(key.len == strlen(want) &&
				  memcmp(key.text, want, key.len) == 0,
			    "%s: %.*s", value, key.len, key.text);
	}
}

static const struct {
	const char *value;
	int64_t offset; /* -1: none */
} offsets[] = {
    {"0", 0},
    {"7", 7},
    {"007", 7},
    {"5000", 5000},
    {"999999999999999", 999999999999999},
    {"1000000000000000", -1},
    {"18446744073709551617", -1},
    {"", -1},
    {"-1", -1},
    {"+1", -1},
    {"1.0", -1},
    {"1 ", -1},
    {"1,2", -1},
    {"0x1", -1},
};

static void
test_offsets(void)
{
	for (size_t i = 0; i < check_n(offsets); i++) {
		const char *value = offsets[i].value;
		int64_t want = offsets[i].offset;
		uint64_t n = 42;
		int result = idempotency_read_offset(value, strlen(value), &n);

		check(result == (want < 0 ? -1 : 0), "%s", value);
		check(n == (want < 0 ? 42 : (uint64_t)want), "%s: %ju", value,
		    (uintmax_t)n);
	}
}

static struct idempotency_tag
make(const char *client, const char *text)
{
	struct idempotency_key key = {.len = (uint8_t)strlen(text)};
	struct idempotency_tag tag = {0};

	memcpy(key.text, text, key.len);
	check(idempotency_make(client, &key, &tag) == 0, "%s", text);
	return tag;
}

static void
check_text(const struct idempotency_tag *tag, uint32_t line, const char *want)
{
	char text[IDEMPOTENCY_TEXT];
	size_t len = idempotency_format(tag, line, text);

	check(len == strlen(want) && memcmp(text, want, len) == 0, "%.*s",
	    (int)len, text);
}

/* What `printf 'client\0key' | openssl dgst -sha256 -binary | head -c 18 |
 * base64 | tr +/ -_` says. */
static void
test_tags(void)
{
	struct idempotency_tag none = {0}, nobody = make("", "k1");
	struct idempotency_tag alice = make("alice", "k1"),
			       moved = make("alicek", "1");

	check(
	    idempotency_is_none(&none) && !idempotency_is_none(&alice), "none");
	check_text(&none, 1, "");
	check_text(&nobody, 1, "l4LB_9BHYgoBjfym_-C1LLv2.1");
	check_text(&alice, 10000, "qohYAyPHjHsuyNxbklmmZPDI.10000");
	check_text(&alice, UINT32_MAX, "qohYAyPHjHsuyNxbklmmZPDI.4294967295");
	alice.offset = 5000;
	check_text(&alice, 1, "qohYAyPHjHsuyNxbklmmZPDI.5001");
	alice.offset = 999999999999999;
	check_text(&alice, 10000, "qohYAyPHjHsuyNxbklmmZPDI.1000000000009999");
	alice.offset = 0;
	check(memcmp(&alice, &moved, sizeof alice) != 0,
	    "the name ends somewhere");
}

int
main(void)
{
	test_values();
	test_offsets();
	test_tags();
	return check_end();
}
