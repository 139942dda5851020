/* Redis URLs, and passwords where they don't belong. */
#include "base/url.h"
#include "check.h"

#define HOST(a, p) .n_hosts = 1, .hosts = {{a, p}}
#define HOSTS(a, p, b, q) .n_hosts = 2, .hosts = {{a, p}, {b, q}}

static const struct {
	const char *text;
	struct url_redis want;
} good[] = {
    {"redis://127.0.0.1:6379/0", {HOST("127.0.0.1", 6379)}},
    {"redis://h", {HOST("h", 6379)}},
    {"redis://h/", {HOST("h", 6379)}},
    {"redis://h:1/65535", {HOST("h", 1), .db = 65535}},
    {"redis://[::1]:7/2", {HOST("::1", 7), .db = 2}},
    {"redis://[::1]", {HOST("::1", 6379)}},
    {"redis://u@h", {HOST("h", 6379), .user = "u"}},
    {"redis://:p@h", {HOST("h", 6379), .password = "p"}},
    {"redis://u:p%40%2f@h:9/1",
	{HOST("h", 9), .db = 1, .user = "u", .password = "p@/"}},
    {"redis://u:p@q@h", {HOST("h", 6379), .user = "u", .password = "p@q"}},
    {"redis://u:p,q@h,i:7/3",
	{HOSTS("h", 6379, "i", 7), .db = 3, .user = "u", .password = "p,q"}},
    {"redis://[::1]:1,[::2]", {HOSTS("::1", 1, "::2", 6379)}},
    {"unix:///a/b.sock", {.path = "/a/b.sock"}},
    {"unix:///a?db=3", {.path = "/a", .db = 3}},
    {"unix:///a%3fb", {.path = "/a?b"}},
    {"unix://u:p@/a", {.path = "/a", .user = "u", .password = "p"}},
    {"rediss://h", {HOST("h", 6379), .tls = true}},
    {"rediss://h/?cacert=/a%26b",
	{HOST("h", 6379), .tls = true, .cacert = "/a&b"}},
    {"rediss://h:1,i?key=/k&cert=/c&cacert=/a",
	{HOSTS("h", 1, "i", 6379), .tls = true, .cacert = "/a", .cert = "/c",
	    .key = "/k"}},
    {"redis-sentinel://h?master=m",
	{HOST("h", 26379), .sentinel = true, .master = "m"}},
    {"redis-sentinel://u:p@h:1,i/4?master=m%20n&sentinel-user=v"
     "&sentinel-password=q%40",
	{HOSTS("h", 1, "i", 26379), .sentinel = true, .db = 4, .user = "u",
	    .password = "p", .master = "m n", .sentinel_user = "v",
	    .sentinel_password = "q@"}},
    {"rediss-sentinel://h?cacert=/a&master=m",
	{HOST("h", 26379), .sentinel = true, .tls = true, .master = "m",
	    .cacert = "/a"}},
};

static const char *const bad[] = {
    "",
    "h:6379",
    "http://h",
    "redisss://h",
    "redis-sentinels://h?master=m",
    "redis://",
    "redis://:6379",
    "redis://h:",
    "redis://h:0",
    "redis://h:65536",
    "redis://h:6379x",
    "redis://h/65536",
    "redis://h/x",
    "redis://h/-1",
    "redis://h/0/",
    "redis://h#0",
    "redis://h/0#0",
    "redis://h/0?x=1",
    "redis://h?db=1",
    "redis://h?",
    "redis://h?cacert=/a",
    "redis://h?master=m",
    "redis://[::1",
    "redis://[::1]x",
    "redis://u:%4@h",
    "redis://u:%00@h",
    "redis://u:%zz@h",
    "redis://h,",
    "redis://,h",
    "redis://h,,i",
    "redis://h:1,i:x",
    "redis://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
    "rediss://h?master=m",
    "rediss://h?cert=/c",
    "rediss://h?key=/k",
    "rediss://h?cacert=",
    "rediss://h?cacert",
    "rediss://h?cacert=/a&",
    "rediss://h?cacert=/a&cacert=/b",
    "rediss://h?cacert=/a&x=1",
    "rediss://h?cacert=%4",
    "rediss://h?CACERT=/a",
    "redis-sentinel://h",
    "redis-sentinel://h/0",
    "redis-sentinel://h?master=",
    "redis-sentinel://?master=m",
    "redis-sentinel://h?master=m&cacert=/a",
    "redis-sentinel://h?master=m&sentinel-passwor%64=p",
    "unix://",
    "unix://a",
    "unix://a/b",
    "unix:///a?x=1",
    "unix:///a?db=",
    "unix:///a?db=99999999999999999999",
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
    {"redis://u:p/q@h", true},
    {"redis://u:1/q@h", true},
    {"redis://u:p?q@h", true},
    {"redis://u:p#q@h", true},
    {"redis://u:1@h", true},
    {"redis://[:p]@h", true},
    {"redis://u%3Ap@h", true},
    {"redis://u:p%40@h", true},
    {"redis://u:%70@h,i", true},
    {"rediss://:p@[::1]", true},
    {"redis-sentinel://u:p@h,i?master=m", true},
    {"redis-sentinel://h?master=m&sentinel-password=p", true},
    {"redis-sentinel://h?master=m&sentinel-p%61ssword=p", true},
    {"postgresql://h/db?p%61ssword=p", true},
    {"postgresql://h/db?%70%61%73%73%77%6f%72%64%3Dp", true},
    {"postgresql://u:%70@h/db", true},
    {"postgresql://u:p?q@h/db", true},
    {"postgres://u:1?q@h/db", true},
    {"postgresql://h:1?user=a@b", true},
    {"postgresql://h/db?sslp%61ssword=p", true},
    {"redis-sentinel://h:1?master=a@b", false},
    {"redis-sentinel://u@h:1,i:2/0?master=m&sentinel-user=a@b", false},
    {"redis-sentinel://[::1]:1,i:2?master=m@n", false},
    {"rediss://h:1?cacert=/a:b@c", false},
    {"postgresql://h:5432/db?user=a@b", false},
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

static void
check_good(const char *text, const struct url_redis *want)
{
	struct url_redis got = {.db = -1};
	const char *why = NULL;

	check(url_parse_redis(text, &got, &why) == 0, "%s: %s", text, why);
	check(got.tls == want->tls, "%s", text);
	check(got.sentinel == want->sentinel, "%s", text);
	check(got.n_hosts == want->n_hosts, "%s", text);
	for (size_t i = 0; i < want->n_hosts; i++) {
		check(strcmp(got.hosts[i].name, want->hosts[i].name) == 0, "%s",
		    text);
		check(got.hosts[i].port == want->hosts[i].port, "%s", text);
	}
	check(strcmp(got.path, want->path) == 0, "%s", text);
	check(got.db == want->db, "%s", text);
	check(strcmp(got.user, want->user) == 0, "%s", text);
	check(strcmp(got.password, want->password) == 0, "%s", text);
	check(strcmp(got.master, want->master) == 0, "%s", text);
	check(strcmp(got.sentinel_user, want->sentinel_user) == 0, "%s", text);
	check(strcmp(got.sentinel_password, want->sentinel_password) == 0, "%s",
	    text);
	check(strcmp(got.cacert, want->cacert) == 0, "%s", text);
	check(strcmp(got.cert, want->cert) == 0, "%s", text);
	check(strcmp(got.key, want->key) == 0, "%s", text);
}

/* Of two places with one text, a mark for the one is one for the other. */
static const char *const places[] = {"redis://a", "redis://a:1", "redis://b",
    "rediss://a", "redis://a/1", "redis://a,b", "redis://b,a",
    "redis-sentinel://a?master=m", "redis-sentinel://a?master=n", "unix:///s",
    "unix:///s?db=1", "unix:///t"};

static void
add_place(const char *text, struct buf *out)
{
	struct url_redis u;
	const char *why;

	check(url_parse_redis(text, &u, &why) == 0, "%s: %s", text, why);
	buf_clear(out);
	check(url_add_place(&u, out) == 0, "%s", text);
}

static bool
is_same_place(const char *a, const char *b)
{
	struct buf x = {0}, y = {0};
	bool same;

	add_place(a, &x);
	add_place(b, &y);
	same = x.len == y.len && memcmp(buf_ptr(&x), buf_ptr(&y), x.len) == 0;
	buf_free(&x);
	buf_free(&y);
	return same;
}

static void
check_places(void)
{
	for (size_t i = 0; i < check_n(places); i++)
		for (size_t k = 0; k < check_n(places); k++)
			check(is_same_place(places[i], places[k]) == (i == k),
			    "%s %s", places[i], places[k]);
	check(is_same_place("redis://u:p@a", "redis://v:q@a"), "login");
	check(is_same_place("redis-sentinel://a?master=m&sentinel-password=p",
		  "redis-sentinel://a?master=m"),
	    "login");
}

/* Users and passwords change, and nothing else. */
static void
check_login(void)
{
	struct url_redis u;
	const char *why;

	check(url_parse_redis("redis-sentinel://u:p@a:1/2?master=m&"
			      "sentinel-user=x&sentinel-password=y",
		  &u, &why) == 0,
	    "%s", why);
	url_take_login("not a URL", &u);
	check(strcmp(u.user, "u") == 0 && strcmp(u.password, "p") == 0, "%s",
	    u.user);
	url_take_login("redis-sentinel://w@b:9/7?master=n&"
		       "sentinel-password=z",
	    &u);
	check(strcmp(u.user, "w") == 0 && u.password[0] == '\0', "%s", u.user);
	check(
	    u.sentinel_user[0] == '\0' && strcmp(u.sentinel_password, "z") == 0,
	    "%s", u.sentinel_user);
	check(strcmp(u.hosts[0].name, "a") == 0 && u.hosts[0].port == 1 &&
		  u.db == 2 && strcmp(u.master, "m") == 0,
	    "%s", u.hosts[0].name);
}

int
main(void)
{
	check_places();
	check_login();
	for (size_t i = 0; i < check_n(good); i++)
		check_good(good[i].text, &good[i].want);
	for (size_t i = 0; i < check_n(bad); i++) {
		struct url_redis got = {.db = 42};
		const char *why = NULL;

		check(url_parse_redis(bad[i], &got, &why) < 0, "%s", bad[i]);
		check(why != NULL && strstr(bad[i], why) == NULL, "%s", bad[i]);
		check(got.db == 42, "%s: touched", bad[i]);
	}
	for (size_t i = 0; i < check_n(secrets); i++)
		check(url_has_password(secrets[i].text) == secrets[i].has, "%s",
		    secrets[i].text);
	return check_end();
}
