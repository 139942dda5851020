/* Redis URLs, and passwords where they don't belong. */
#include "base/url.h"
#include "check.h"

static const struct {
	const char *text;
	int result;
	struct url_redis want;
} urls[] = {
    {"redis://127.0.0.1:6379/0", 0, {.host = "127.0.0.1", .port = 6379}},
    {"redis://h", 0, {.host = "h", .port = 6379}},
    {"redis://h/", 0, {.host = "h", .port = 6379}},
    {"redis://h:1/65535", 0, {.host = "h", .port = 1, .db = 65535}},
    {"redis://[::1]:7/2", 0, {.host = "::1", .port = 7, .db = 2}},
    {"redis://[::1]", 0, {.host = "::1", .port = 6379}},
    {"redis://u@h", 0, {.host = "h", .port = 6379, .user = "u"}},
    {"redis://:p@h", 0, {.host = "h", .port = 6379, .password = "p"}},
    {"redis://u:p%40%2f@h:9/1", 0,
	{.host = "h", .port = 9, .db = 1, .user = "u", .password = "p@/"}},
    {"redis://u:p@q@h", 0,
	{.host = "h", .port = 6379, .user = "u", .password = "p@q"}},
    {"unix:///a/b.sock", 0, {.path = "/a/b.sock", .port = 6379}},
    {"unix:///a?db=3", 0, {.path = "/a", .port = 6379, .db = 3}},
    {"unix:///a%3fb", 0, {.path = "/a?b", .port = 6379}},
    {"unix://u:p@/a", 0,
	{.path = "/a", .port = 6379, .user = "u", .password = "p"}},
    {"", -1, {.port = 0}},
    {"h:6379", -1, {.port = 0}},
    {"http://h", -1, {.port = 0}},
    {"rediss://h", -1, {.port = 0}},
    {"redis://", -1, {.port = 0}},
    {"redis://:6379", -1, {.port = 0}},
    {"redis://h:", -1, {.port = 0}},
    {"redis://h:0", -1, {.port = 0}},
    {"redis://h:65536", -1, {.port = 0}},
    {"redis://h:6379x", -1, {.port = 0}},
    {"redis://h/65536", -1, {.port = 0}},
    {"redis://h/x", -1, {.port = 0}},
    {"redis://h/-1", -1, {.port = 0}},
    {"redis://h/0?x=1", -1, {.port = 0}},
    {"redis://h?db=1", -1, {.port = 0}},
    {"redis://[::1", -1, {.port = 0}},
    {"redis://[::1]x", -1, {.port = 0}},
    {"redis://u:%4@h", -1, {.port = 0}},
    {"redis://u:%00@h", -1, {.port = 0}},
    {"redis://u:%zz@h", -1, {.port = 0}},
    {"unix://", -1, {.port = 0}},
    {"unix://a", -1, {.port = 0}},
    {"unix://a/b", -1, {.port = 0}},
    {"unix:///a?x=1", -1, {.port = 0}},
    {"unix:///a?db=", -1, {.port = 0}},
    {"unix:///a?db=99999999999999999999", -1, {.port = 0}},
};

static const struct {
	const char *text;
	bool has;
} secrets[] = {
    {"redis://u:p@h", true},
    {"redis://:p@h/1", true},
    {"redis://u:p@q@h", true},
    {"unix://u:p@/a", true},
    {"postgresql://u:p@h/db", true},
    {"postgresql://h/db?password=p", true},
    {"postgresql://h/db?sslpassword=p", true},
    {"host=h password=p", true},
    {"host=h password = p", true},
    {"host=h password  =\tp", true},
    {"host=h\tpassword\t=p", true},
    {"redis://h:6379/0", false},
    {"redis://u@h:6379/0", false},
    {"redis://[::1]:6379", false},
    {"unix:///a:b@c", false},
    {"postgresql:///db?host=/tmp/a:b@c", false},
    {"host=h user=u", false},
    {"host=h dbname=password", false},
    {"increments", false},
    {"", false},
};

int
main(void)
{
	for (size_t i = 0; i < check_n(urls); i++) {
		struct url_redis got = {.port = 42}, want = urls[i].want;
		const char *why = NULL, *text = urls[i].text;
		int result = url_parse_redis(text, &got, &why);

		check(result == urls[i].result, "%s", text);
		if (result < 0) {
			check(why != NULL && strstr(text, why) == NULL, "%s",
			    text);
			check(got.port == 42, "%s: touched", text);
			continue;
		}
		check(strcmp(got.host, want.host) == 0, "%s", text);
		check(strcmp(got.path, want.path) == 0, "%s", text);
		check(strcmp(got.user, want.user) == 0, "%s", text);
		check(strcmp(got.password, want.password) == 0, "%s", text);
		check(got.port == want.port && got.db == want.db, "%s", text);
	}
	for (size_t i = 0; i < check_n(secrets); i++)
		check(url_has_password(secrets[i].text) == secrets[i].has, "%s",
		    secrets[i].text);
	return check_end();
}
