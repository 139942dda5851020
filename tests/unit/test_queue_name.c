/* What a queue may be called: of any length given, and as an option. */
#include "check.h"
#include "record/queue_name.h"

#define TEN "aZ09._:-bc"
#define SIXTY TEN TEN TEN TEN TEN TEN

static const struct {
	const char *text;
	bool valid;
} names[] = {
    {"increments", true},
    {"a", true},
    {".", true},
    {TEN, true},
    {SIXTY SIXTY "12345678", true},
    {SIXTY SIXTY "123456789", false},
    {"", false},
    {"a b", false},
    {"a\n", false},
    {"a]", false},
    {"[a", false},
    {"{a}", false},
    {"a/b", false},
    {"a*", false},
    {"\xc3\xa9", false},
};

int
main(void)
{
	for (size_t i = 0; i < check_n(names); i++) {
		const char *text = names[i].text, *taken = "before";

		check(queue_name_is_valid(text, strlen(text)) == names[i].valid,
		    "\"%s\"", text);
		check((queue_name_take(&taken, text) == NULL) == names[i].valid,
		    "\"%s\"", text);
		check(strcmp(taken, names[i].valid ? text : "before") == 0,
		    "\"%s\"", taken);
	}
	check(!queue_name_is_valid("a\0b", 3), "NUL");
	return check_end();
}
