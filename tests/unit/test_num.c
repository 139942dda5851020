/* Text to number: the whole text, and nothing but a number in range; and number
 * to text. */
#include "base/num.h"
#include "check.h"

static const struct {
	const char *text;
	uint64_t min, max, want;
	int result;
} numbers[] = {
    {"0", 0, 9, 0, 0},
    {"9", 0, 9, 9, 0},
    {"007", 0, 9, 7, 0},
    {"10", 0, 9, 0, -1},
    {"0", 1, 9, 0, -1},
    {"18446744073709551615", 0, UINT64_MAX, UINT64_MAX, 0},
    {"18446744073709551616", 0, UINT64_MAX, 0, -1},
    {"99999999999999999999", 0, UINT64_MAX, 0, -1},
    {"", 0, 9, 0, -1},
    {" 1", 0, 9, 0, -1},
    {"1 ", 0, 9, 0, -1},
    {"1\n", 0, 9, 0, -1},
    {"+1", 0, 9, 0, -1},
    {"-1", 0, UINT64_MAX, 0, -1},
    {"0x1", 0, 9, 0, -1},
    {"1e0", 0, 9, 0, -1},
    {"1.0", 0, 9, 0, -1},
};

static const struct {
	const char *text;
	int64_t min_ms, max_ms, want_ms;
	int result;
} seconds[] = {
    {"9", 0, 20000, 9000, 0},
    {"0.25", 0, 20000, 250, 0},
    {"0.1", 100, 20000, 100, 0},
    {"0.099", 100, 20000, 0, -1},
    {"20", 100, 20000, 20000, 0},
    {"20.001", 100, 20000, 0, -1},
    {"1.2345", 0, 20000, 0, -1},
    {"1.", 0, 20000, 0, -1},
    {".5", 0, 20000, 0, -1},
    {"", 0, 20000, 0, -1},
    {"-1", 0, 20000, 0, -1},
    {"1.-5", 0, 20000, 0, -1},
    {"1e3", 0, INT64_MAX, 0, -1},
    {"9223372036854775807", 0, INT64_MAX, 0, -1},
    {"18446744073709552", 0, INT64_MAX, 0, -1},
};

static void
writes(void)
{
	static const struct {
		uint64_t n;
		const char *text;
	} cases[] = {{0, "0"}, {9, "9"}, {10, "10"}, {1234567890, "1234567890"},
	    {UINT64_MAX, "18446744073709551615"}};

	for (size_t i = 0; i < check_n(cases); i++) {
		char text[NUM_TEXT + 1] = "";
		char *end = num_write(text, cases[i].n);

		check(strcmp(text, cases[i].text) == 0 &&
			  end == text + strlen(text),
		    "%s, not %s", text, cases[i].text);
	}
}

int
main(void)
{
	writes();
	for (size_t i = 0; i < check_n(numbers); i++) {
		uint64_t n = 42;
		int result = num_u64(
		    numbers[i].text, numbers[i].min, numbers[i].max, &n);

		check(result == numbers[i].result, "\"%s\"", numbers[i].text);
		check(n == (result == 0 ? numbers[i].want : 42), "\"%s\"",
		    numbers[i].text);
	}
	for (size_t i = 0; i < check_n(seconds); i++) {
		int64_t ms = 42;
		int result = num_seconds(
		    seconds[i].text, seconds[i].min_ms, seconds[i].max_ms, &ms);

		check(result == seconds[i].result, "\"%s\"", seconds[i].text);
		check(ms == (result == 0 ? seconds[i].want_ms : 42), "\"%s\"",
		    seconds[i].text);
	}
	check(
	    num_min(-1, 1) == -1 && num_min(2, INT64_MIN) == INT64_MIN, "min");
	check(num_min_size(SIZE_MAX, 1) == 1 && num_min_size(0, 1) == 0, "min");
	return check_end();
}
