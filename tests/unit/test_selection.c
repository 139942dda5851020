/* Which dead letters are chosen, by every condition and by several. */
#include "check.h"
#include "inspect/selection.h"

/* ids of x, of nothing, of x */
static char *const ids[] = {
    "2d711642b726b044", "e3b0c44298fc1c14", "2d711642b726b044"};

static struct selection
any(uint64_t left)
{
	return (struct selection){.code = FAULT_COUNT, .left = left};
}

static bool
takes(struct selection *s, const char *raw, enum fault fault)
{
	int result = selection_choose(s, raw, strlen(raw), fault);

	check(result >= 0, "memory");
	return result == 1;
}

static void
test_number(void)
{
	struct selection s = any(2);

	check(takes(&s, "x", FAULT_NOT_JSON), "the first");
	check(takes(&s, "y", FAULT_NONE), "the second");
	check(!takes(&s, "x", FAULT_NOT_JSON), "no third");
	check(s.left == 0 && s.chosen == 2 && s.counts[FAULT_NONE] == 1 &&
		  s.counts[FAULT_NOT_JSON] == 1,
	    "counts");
	selection_restart(&s, 1);
	check(
	    s.left == 1 && s.chosen == 0 && s.counts[FAULT_NONE] == 0, "again");
	check(takes(&s, "x", FAULT_NOT_JSON) && s.chosen == 1, "one more");
}

static void
test_code(void)
{
	struct selection s = any(9);

	s.code = FAULT_NONE;
	check(!takes(&s, "x", FAULT_NOT_JSON), "another code");
	check(takes(&s, "y", FAULT_NONE), "valid");
	s.code = FAULT_NOT_JSON;
	check(takes(&s, "x", FAULT_NOT_JSON) && !takes(&s, "y", FAULT_NONE),
	    "not valid");
	check(s.left == 7 && s.invalid == 0, "two of nine");
}

static void
test_ids(void)
{
	struct selection s = any(9);
	const char *wrong;

	check(message_id_set(&s.ids, ids, 3, &wrong) == 0, "memory");
	check(selection_missing(&s) == 3, "all are missing");
	check(takes(&s, "x", FAULT_NOT_JSON), "given");
	check(!takes(&s, "y", FAULT_NOT_JSON), "not given");
	check(takes(&s, "x", FAULT_NOT_JSON), "given twice");
	check(!takes(&s, "x", FAULT_NOT_JSON), "not three times");
	check(selection_missing(&s) == 1, "one is missing");
	selection_restart(&s, 9);
	check(!takes(&s, "x", FAULT_NOT_JSON), "used ids stay used");
	selection_free(&s);
	/* A message that other conditions leave out uses no id. */
	s = any(9);
	s.code = FAULT_NONE;
	check(message_id_set(&s.ids, ids, 1, &wrong) == 0, "memory");
	check(!takes(&s, "x", FAULT_NOT_JSON) && selection_missing(&s) == 1,
	    "of another code");
	selection_free(&s);
}

static void
test_valid_only(void)
{
	struct selection s = any(2);
	const char *wrong;

	s.valid_only = true;
	check(!takes(&s, "x", FAULT_NOT_JSON) && s.invalid == 1, "not valid");
	check(takes(&s, "y", FAULT_NONE) && s.left == 1, "valid");
	selection_restart(&s, 1);
	check(s.invalid == 0, "again");
	check(takes(&s, "y", FAULT_NONE), "valid");
	check(!takes(&s, "x", FAULT_NOT_JSON) && s.invalid == 0,
	    "enough was chosen");
	s = any(2);
	s.valid_only = true;
	check(message_id_set(&s.ids, ids, 1, &wrong) == 0, "memory");
	check(!takes(&s, "y", FAULT_NOT_JSON) && s.invalid == 0, "not meant");
	check(!takes(&s, "x", FAULT_NOT_JSON) && s.invalid == 1 &&
		  selection_missing(&s) == 0,
	    "found, not valid");
	selection_free(&s);
}

int
main(void)
{
	test_number();
	test_code();
	test_ids();
	test_valid_only();
	return check_end();
}
