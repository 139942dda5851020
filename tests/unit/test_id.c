/* UUIDs: 36 characters and no others. */
#include "check.h"
#include "increments.h"
#include "record/id.h"

static const struct {
	const char *text;
	int result, lower;
} cases[] = {
    {K, 0, 0},
    {KU, 0, -1},
    {"6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9A11", 0, -1},
    {"00000000-0000-0000-0000-000000000000", 0, 0},
    {"ffffffff-ffff-ffff-ffff-ffffffffffff", 0, 0},
    {"", -1, -1},
    {K "1", -1, -1},
    {"6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a1", -1, -1},
    {"6f1b3c1e7a4f4f609a532b0f0f3a9a11", -1, -1},
    {"{6f1b3c1e-7a4f-4f60-9a53-2b0f0f3a9a}", -1, -1},
    {"6f1b3c1e-7a4f-4f60-9a53+2b0f0f3a9a11", -1, -1},
    {"6f1b3c1e-7a4f-4f6-09a53-2b0f0f3a9a11", -1, -1},
    {"-6f1b3c1-7a4f-4f60-9a53-2b0f0f3a9a11", -1, -1},
};

static void
every_byte(void)
{
	char text[] = K;
	struct id id;

	for (int at = 0; at < ID_TEXT; at++)
		for (int c = 0; c < 256; c++) {
			int dash = at == 8 || at == 13 || at == 18 || at == 23;
			const char *set = dash ? "-" : "0123456789abcdefABCDEF";
			int good = c != 0 && strchr(set, c) != NULL;

			memcpy(text, K, sizeof text);
			text[at] = (char)c;
			check((id_parse(text, ID_TEXT, &id) == 0) == good,
			    "byte %d at %d", c, at);
			good = good && !(c >= 'A' && c <= 'F');
			check((id_parse_lower(text, ID_TEXT, &id) == 0) == good,
			    "byte %d at %d", c, at);
			check(
			    id_is_lower(text) == good, "byte %d at %d", c, at);
		}
}

/* The text of every value of every byte, and back. */
static void
every_value(void)
{
	char text[ID_TEXT + 1], want[ID_TEXT + 1];
	struct id id, again;

	check(id_parse(K, ID_TEXT, &id) == 0, K);
	for (size_t at = 0; at < ID_BYTES; at++)
		for (int value = 0; value < 256; value++) {
			char *to = want;

			id.bytes[at] = (uint8_t)value;
			for (size_t i = 0; i < ID_BYTES; i++) {
				int dash =
				    i == 4 || i == 6 || i == 8 || i == 10;

				to += snprintf(to, 4, "%s%02x", dash ? "-" : "",
				    id.bytes[i]);
			}
			id_format(&id, text);
			check(
			    strcmp(text, want) == 0, "%s, not %s", text, want);
			check(id_parse_lower(want, ID_TEXT, &again) == 0 &&
				  id_is_lower(want) && id_equal(&id, &again),
			    "%s", want);
		}
}

int
main(void)
{
	struct id a, b;
	char text[ID_TEXT + 1];

	for (size_t i = 0; i < check_n(cases); i++) {
		size_t len = strlen(cases[i].text);

		check(id_parse(cases[i].text, len, &a) == cases[i].result, "%s",
		    cases[i].text);
		check(id_parse_lower(cases[i].text, len, &a) == cases[i].lower,
		    "%s", cases[i].text);
	}
	every_byte();
	every_value();
	check(id_parse(K, ID_TEXT, &a) == 0, K);
	check(a.bytes[0] == 0x6f && a.bytes[4] == 0x7a && a.bytes[15] == 0x11,
	    "in order");
	id_format(&a, text);
	check(strcmp(text, K) == 0, "%s", text);
	check(id_parse("x", 1, &a) < 0 && a.bytes[0] == 0x6f, "untouched");
	id_make(&a);
	id_make(&b);
	check(!id_equal(&a, &b) && id_equal(&a, &a), "made");
	id_format(&a, text);
	check(text[14] == '4', "%s: version 4", text);
	check(strchr("89ab", text[19]) != NULL, "%s: variant 10", text);
	check(id_parse_lower(text, ID_TEXT, &b) == 0 && id_equal(&a, &b),
	    "%s: round", text);
	return check_end();
}
