/* Bulk strings, written and taken off again. */
#include "check.h"
#include "redis/resp.h"

static char text[12345];

/* Has a string of len bytes this head, and is it whole, but not cut off? */
static void
check_string(size_t len, const char *head)
{
	size_t n = strlen(head);
	struct buf b = {0};
	const char *at, *string;

	check(resp_encode(&b, text, len) == 0, "%zu", len);
	check(b.len == n + len + 2 && memcmp(buf_ptr(&b), head, n) == 0 &&
		  memcmp(buf_ptr(&b) + b.len - 2, "\r\n", 2) == 0,
	    "the head of %zu", len);
	at = buf_ptr(&b);
	check(resp_take(&at, at + b.len, &string) == len &&
		  string == buf_ptr(&b) + n && at == buf_ptr(&b) + b.len,
	    "%zu taken", len);
	for (size_t cut = 1; cut <= n + 2; cut++) {
		at = buf_ptr(&b);
		check(resp_take(&at, at + b.len - cut, &string) == SIZE_MAX &&
			  at == buf_ptr(&b),
		    "%zu without the last %zu", len, cut);
	}
	buf_free(&b);
}

int
main(void)
{
	static const char other[] = ":1\r\n1\r\n";
	static const char huge[] = "$99999999999999999999\r\n";
	const char *at = other, *string;
	struct resp_args args = {.n = 0};

	check_string(0, "$0\r\n");
	check_string(9, "$9\r\n");
	check_string(10, "$10\r\n");
	check_string(12345, "$12345\r\n");
	check(resp_take(&at, other + sizeof other - 1, &string) == SIZE_MAX,
	    "no bulk string");
	at = huge;
	check(resp_take(&at, huge + sizeof huge - 1, &string) == SIZE_MAX,
	    "more bytes than there are");
	resp_arg_u64(&args, UINT64_MAX);
	check(args.n == 1 &&
		  memcmp(buf_ptr(&args.resp), "$20\r\n18446744073709551615\r\n",
		      args.resp.len) == 0,
	    "a number");
	resp_args_free(&args);
	return check_end();
}
