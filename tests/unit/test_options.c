/* Names of queues; what options_parse does is tested with the programs. */
#include "base/options.h"
#include "check.h"

#define TEN "aZ09._:-bc"
#define SIXTY TEN TEN TEN TEN TEN TEN

static const struct {
	const char *text;
	int result;
} names[] = {
    {"increments", 0},
    {"a", 0},
    {".", 0},
    {TEN, 0},
    {SIXTY SIXTY "12345678", 0},
    {SIXTY SIXTY "123456789", -1},
    {"", -1},
    {"a b", -1},
    {"a\n", -1},
    {"a]", -1},
    {"[a", -1},
    {"{a}", -1},
    {"a/b", -1},
    {"a*", -1},
    {"\xc3\xa9", -1},
};

int
main(void)
{
	for (size_t i = 0; i < check_n(names); i++)
		check(options_check_name(names[i].text) == names[i].result,
		    "\"%s\"", names[i].text);
	return check_end();
}
