/*
 * What a sentinel is asked, and what its replies mean.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "redis/sentinel.h"

/* The reply that these bytes are. */
static struct redis_reply *
reply_of(const char *bytes)
{
	redisReader *reader = redisReaderCreate();
	void *reply = NULL;

	redisReaderFeed(reader, bytes, strlen(bytes));
	check(redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL,
	    "%s", bytes);
	redisReaderFree(reader);
	return reply;
}

static void
check_question(
    const char *user, const char *password, int replies, const char *begins)
{
	static const char ask[] = "*3\r\n$8\r\nSENTINEL\r\n$23\r\n"
				  "get-master-addr-by-name\r\n$1\r\nm\r\n";
	struct url_redis url = {.master = "m"};
	struct buf out = {0};
	char due[256];

	buf_add(&out, "what was there", 14);
	snprintf(url.sentinel_user, sizeof url.sentinel_user, "%s", user);
	snprintf(url.sentinel_password, sizeof url.sentinel_password, "%s",
	    password);
	snprintf(due, sizeof due, "%s%s", begins, ask);
	check(sentinel_write(&url, &out) == replies, "%s %s", user, password);
	check(
	    out.len == strlen(due) && memcmp(buf_ptr(&out), due, out.len) == 0,
	    "%.*s", (int)out.len, buf_ptr(&out));
	buf_free(&out);
}

static const struct {
	const char *bytes;
	enum sentinel_answer means;
	const char *why;
} replies[] = {
    {"+OK\r\n", SENTINEL_MORE, ""},
    {"*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n", SENTINEL_FOUND, ""},
    {"*2\r\n$1\r\nh\r\n:6379\r\n", SENTINEL_FOUND, ""},
    {"*-1\r\n", SENTINEL_UNFIT_LONG, "knows no primary of this name"},
    {"*0\r\n", SENTINEL_UNFIT_LONG, "knows no primary of this name"},
    {":1\r\n", SENTINEL_UNFIT_LONG, "knows no primary of this name"},
    {"*2\r\n$0\r\n\r\n$4\r\n6379\r\n", SENTINEL_UNFIT_NOW,
	"gave no address of the primary"},
    {"*2\r\n$1\r\nh\r\n$1\r\n0\r\n", SENTINEL_UNFIT_NOW,
	"gave no address of the primary"},
    {"*2\r\n$1\r\nh\r\n$5\r\n65536\r\n", SENTINEL_UNFIT_NOW,
	"gave no address of the primary"},
    {"*2\r\n$1\r\nh\r\n$2\r\n-1\r\n", SENTINEL_UNFIT_NOW,
	"gave no address of the primary"},
    {"*1\r\n$1\r\nh\r\n", SENTINEL_UNFIT_NOW, "gave no address of the primary"},
    {"*2\r\n:1\r\n$4\r\n6379\r\n", SENTINEL_UNFIT_NOW,
	"gave no address of the primary"},
    {"*3\r\n$1\r\nh\r\n$4\r\n6379\r\n:1\r\n", SENTINEL_UNFIT_NOW,
	"gave no address of the primary"},
    {"+NO\r\n", SENTINEL_UNFIT_NOW, "gave no address of the primary"},
    {"$2\r\nhi\r\n", SENTINEL_UNFIT_NOW, "gave no address of the primary"},
    {"-IDONTKNOW\r\n", SENTINEL_UNFIT_NOW, "IDONTKNOW"},
    {"-LOADING\r\n", SENTINEL_UNFIT_NOW, "LOADING"},
    {"-NOAUTH x\r\n", SENTINEL_UNFIT_LONG, "NOAUTH x"},
    {"-ERR unknown command\r\n", SENTINEL_UNFIT_LONG, "ERR unknown command"},
};

static void
check_replies(void)
{
	for (size_t i = 0; i < check_n(replies); i++) {
		struct redis_reply *reply = reply_of(replies[i].bytes);
		struct url_host host = {"untouched", 7};
		char why[REASON_MAX] = "";

		check(sentinel_check(reply, &host, why) == replies[i].means,
		    "%s", replies[i].bytes);
		check(strcmp(why, replies[i].why) == 0, "%s: %s",
		    replies[i].bytes, why);
		check(
		    (host.port == 6379) == (replies[i].means == SENTINEL_FOUND),
		    "%s: port %d", replies[i].bytes, host.port);
		redis_reply_free(reply);
	}
}

/* A name as long as there is room for, and a longer one. */
static void
check_long_name(void)
{
	char name[URL_PART_MAX + 1], bytes[URL_PART_MAX + 64];
	struct url_host host = {"", 0};
	char why[REASON_MAX];

	for (size_t len = URL_PART_MAX - 1; len <= URL_PART_MAX; len++) {
		struct redis_reply *reply;
		bool fits = len < URL_PART_MAX;

		memset(name, 'h', len);
		name[len] = '\0';
		snprintf(bytes, sizeof bytes, "*2\r\n$%zu\r\n%s\r\n$1\r\n1\r\n",
		    len, name);
		reply = reply_of(bytes);
		check((sentinel_check(reply, &host, why) == SENTINEL_FOUND) ==
			  fits,
		    "%zu bytes", len);
		check(strlen(host.name) == URL_PART_MAX - 1, "%zu bytes", len);
		redis_reply_free(reply);
	}
}

int
main(void)
{
	check_question("", "", 1, "");
	check_question("", "p", 2, "*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n");
	check_question(
	    "u", "p", 2, "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n");
	check_replies();
	check_long_name();
	return check_end();
}
