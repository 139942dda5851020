/* Bulk strings and arguments. */
#include "check.h"
#include "redis/resp.h"

static char text[12345];

/* Has a string of len bytes this head, and is it whole? */
static void
check_string(size_t len, const char *head)
{
	size_t n = strlen(head);
	struct buf b = {0};

	check(resp_encode(&b, text, len) == 0, "%zu", len);
	check(b.len == n + len + 2 && memcmp(buf_ptr(&b), head, n) == 0 &&
		  memcmp(buf_ptr(&b) + b.len - 2, "\r\n", 2) == 0,
	    "the head of %zu", len);
	buf_free(&b);
}

int
main(void)
{
	struct resp_args args = {.n = 0};
	struct buf command = {0};

	check_string(0, "$0\r\n");
	check_string(9, "$9\r\n");
	check_string(10, "$10\r\n");
	check_string(12345, "$12345\r\n");
	resp_arg_u64(&args, UINT64_MAX);
	check(args.n == 1 &&
		  memcmp(buf_ptr(&args.resp), "$20\r\n18446744073709551615\r\n",
		      args.resp.len) == 0,
	    "a number");
	resp_args_behind(&args, 2);
	check(args.n == 3 && resp_encode_command(&command, &args) == 0 &&
		  command.len == 4 + args.resp.len &&
		  memcmp(buf_ptr(&command), "*3\r\n", 4) == 0,
	    "arguments behind them are counted");
	buf_free(&command);
	resp_args_free(&args);
	return check_end();
}
