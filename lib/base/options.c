/* Parses options, their defaults and the environment from one table. */
#include "base/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/num.h"
#include "base/url.h"

#ifndef INCR_VERSION
#define INCR_VERSION "0.1.0"
#endif

enum {
	MAX_DEFS = 32,
	LONG_ONLY = 256, /* getopt's value of defs[i] is LONG_ONLY + i */
	WORD_MAX = 4096,
	SECRET_MAX = 4096,
	KEPT = 72 /* at most so many options are @FILE */
};

/* Lines of files that options named. */
static struct {
	const char *path;
	char line[SECRET_MAX];
} kept[KEPT];
static size_t n_kept;

static const struct option_def common[] = {
    {.letter = 'h', .name = "help", .help = "show this and leave"},
    {.letter = 'V', .name = "version", .help = "show the version and leave"},
};

static void take_defaults(const struct options_prog *prog);
static void build(
    const struct options_prog *prog, char *ret_short, struct option *ret_long);
static const struct option_def *find(const struct options_prog *prog, int c);
static void require_whole(
    const struct options_prog *prog, const char *name, const char *word);
static _Noreturn void no_such(
    const struct options_prog *prog, const char *word);
static _Noreturn void wrong(
    const struct options_prog *prog, int c, const char *word);
static void store(const struct option_def *d, const char *text,
    const char *where, bool is_argument);
static void store_list(
    const struct option_def *d, const char *text, const char *where);
static void store_url(const struct option_def *d, const char *text,
    const char *where, bool is_argument);
static bool is_public(const char *url);
static void store_secret(const struct option_def *d, const char *text,
    const char *where, bool is_argument);
static int read_line(const char *path, char ret[SECRET_MAX]);
static const char *read_first_line(const char *path, const char *where);
static _Noreturn void bad(
    const struct option_def *d, const char *where, const char *text);
static _Noreturn void help(const struct options_prog *prog);
static void help_line(const struct option_def *d);
static _Noreturn void version(const struct options_prog *prog);
static void say_off(const struct sandbox *wanted);
static _Noreturn void finish(void);

int
options_parse(const struct options_prog *prog, int argc, char **argv)
{
	char shorts[2 * MAX_DEFS + 4];
	struct option longs[MAX_DEFS + 3];
	bool seen[MAX_DEFS] = {false};
	char where[64];
	int c, name;

	io_hold();
	if (prog->n_defs > MAX_DEFS)
		log_die(EXIT_BUG, "options: more than %d", MAX_DEFS);
	build(prog, shorts, longs);
	take_defaults(prog);
	opterr = 0;
	while (name = -1,
	    (c = getopt_long(argc, argv, shorts, longs, &name)) != -1) {
		const struct option_def *d = find(prog, c);
		bool apart = optarg != NULL && optarg == argv[optind - 1];

		if (name >= 0)
			require_whole(
			    prog, longs[name].name, argv[optind - 1 - apart]);
		if (c == 'h')
			help(prog);
		if (c == 'V')
			version(prog);
		if (d == NULL)
			wrong(prog, c, argv[optind - 1]);
		if (d->kind == OPTIONS_LIST && !seen[d - prog->defs])
			(void)d->call(d->dest, NULL);
		seen[d - prog->defs] = true;
		snprintf(where, sizeof where, "--%s", d->name);
		store(d, optarg, where, true);
		if (d->given != NULL)
			*d->given = true;
	}
	if (optind < argc && prog->operands == NULL)
		log_die(EXIT_CONFIG, "%s: takes no operands; see %s --help",
		    options_shown(argv[optind]), prog->name);
	return optind;
}

int
options_command(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0)
			return i;
	return argc;
}

static void
take_defaults(const struct options_prog *prog)
{
	for (size_t i = 0; i < prog->n_defs; i++) {
		const struct option_def *d = &prog->defs[i];
		const char *text = d->env == NULL ? NULL : getenv(d->env);

		if (text != NULL && *text != '\0') {
			store(d, text, d->env, false);
			if (d->given != NULL)
				*d->given = true;
		} else if (d->def != NULL && *d->def != '(')
			store(d, d->def, "default", false);
	}
}

static void
build(const struct options_prog *prog, char *ret_short, struct option *ret_long)
{
	char *s = ret_short;
	size_t n = prog->n_defs;

	*s++ = ':'; /* a missing value is told apart */
	for (size_t i = 0; i < n; i++) {
		const struct option_def *d = &prog->defs[i];

		ret_long[i] = (struct option){.name = d->name,
		    .has_arg = d->arg != NULL,
		    .val = d->letter ? d->letter : LONG_ONLY + (int)i};
		if (d->letter == 0)
			continue;
		*s++ = (char)d->letter;
		if (d->arg != NULL)
			*s++ = ':';
	}
	*s++ = 'h';
	*s++ = 'V';
	*s = '\0';
	ret_long[n] = (struct option){.name = "help", .val = 'h'};
	ret_long[n + 1] = (struct option){.name = "version", .val = 'V'};
	ret_long[n + 2] = (struct option){0};
}

static const struct option_def *
find(const struct options_prog *prog, int c)
{
	if (c >= LONG_ONLY)
		return &prog->defs[c - LONG_ONLY];
	for (size_t i = 0; i < prog->n_defs; i++)
		if (prog->defs[i].letter == c)
			return &prog->defs[i];
	return NULL;
}

/* getopt takes the beginning of a name for the name. */
static void
require_whole(
    const struct options_prog *prog, const char *name, const char *word)
{
	size_t len = strcspn(word, "=");

	if (len != 2 + strlen(name) || strncmp(word + 2, name, len - 2) != 0)
		no_such(prog, word);
}

static void
no_such(const struct options_prog *prog, const char *word)
{
	/* Its value may be a secret. */
	log_die(EXIT_CONFIG, "%.*s: no such option; see %s --help",
	    (int)strcspn(word, "="), word, prog->name);
}

/* word: the last one that getopt has finished with, which is a long option
 * but not one of several letters behind one dash. */
static void
wrong(const struct options_prog *prog, int c, const char *word)
{
	const struct option_def *d = c == ':' ? find(prog, optopt) : NULL;
	char letter[] = {'-', (char)optopt, '\0'};

	if (strncmp(word, "--", 2) != 0 && optopt > 0 && optopt < LONG_ONLY)
		word = letter;
	if (d == NULL)
		no_such(prog, word);
	if (word != letter)
		require_whole(prog, d->name, word);
	log_die(EXIT_CONFIG, "--%s: needs a value, %s; see %s --help", d->name,
	    d->arg, prog->name);
}

static void
store(const struct option_def *d, const char *text, const char *where,
    bool is_argument)
{
	const char *what;

	switch (d->kind) {
	case OPTIONS_FLAG: /* a variable is 0 or 1 */
		if (!is_argument && strcmp(text, "0") != 0 &&
		    strcmp(text, "1") != 0)
			bad(d, where, text);
		*(bool *)d->dest = is_argument || *text == '1';
		return;
	case OPTIONS_NUMBER:
		if (num_u64(text, d->min, d->max, d->dest) < 0)
			bad(d, where, text);
		return;
	case OPTIONS_SECONDS:
		if (num_seconds(
			text, (int64_t)d->min, (int64_t)d->max, d->dest) < 0)
			bad(d, where, text);
		return;
	case OPTIONS_TEXT:
		if (*text == '\0')
			bad(d, where, text);
		*(const char **)d->dest = text;
		return;
	case OPTIONS_FILE:
		if (access(text, R_OK) < 0)
			log_die(EXIT_CONFIG, "%s: %s: %s", where, text,
			    strerror(errno));
		*(const char **)d->dest = text;
		return;
	case OPTIONS_URL: store_url(d, text, where, is_argument); return;
	case OPTIONS_SECRET: store_secret(d, text, where, is_argument); return;
	case OPTIONS_CALL:
		what = d->call(d->dest, text);
		if (what != NULL)
			log_die(
			    EXIT_CONFIG, "%s: %s: not %s", where, text, what);
		return;
	case OPTIONS_LIST: store_list(d, text, where); return;
	}
}

/* A text without a word is judged as an empty one. */
static void
store_list(const struct option_def *d, const char *text, const char *where)
{
	static const char separators[] = ", \t\n";
	char word[WORD_MAX];
	const char *what;

	text += strspn(text, separators);
	do {
		size_t len = strcspn(text, separators);

		if (len >= sizeof word)
			bad(d, where, text);
		memcpy(word, text, len);
		word[len] = '\0';
		what = d->call(d->dest, word);
		if (what != NULL)
			log_die(
			    EXIT_CONFIG, "%s: %s: not %s", where, word, what);
		text += len + strspn(text + len, separators);
	} while (*text != '\0');
}

/* An argument is seen by everybody in ps(1): no password there. */
static void
store_url(const struct option_def *d, const char *text, const char *where,
    bool is_argument)
{
	const char *given = text, *why;

	if (*text == '@')
		text = read_first_line(text + 1, where);
	else if (is_argument && url_has_password(text))
		log_die(EXIT_CONFIG,
		    "%s: a password does not belong in an argument; use %s "
		    "or @FILE",
		    where, d->env == NULL ? "the environment" : d->env);
	if (*text == '\0')
		bad(d, where, given);
	why = d->call == NULL ? NULL : d->call(d->dest, text);
	if (why != NULL && (*given == '@' || is_public(given)))
		log_die(EXIT_CONFIG, "%s: %s: %s", where, given, why);
	if (why != NULL)
		log_die(EXIT_CONFIG, "%s: %s", where, why);
	*(const char **)d->dest = text;
}

/* Certainly without a secret, whatever is wrong with it? */
static bool
is_public(const char *url)
{
	return strpbrk(url, "@%") == NULL && strcasestr(url, "pass") == NULL;
}

/* Nor may it be in a message, whatever is wrong with it. */
static void
store_secret(const struct option_def *d, const char *text, const char *where,
    bool is_argument)
{
	if (*text == '@')
		text = read_first_line(text + 1, where);
	else if (is_argument)
		log_die(EXIT_CONFIG,
		    "%s: a token does not belong in an argument; use %s or "
		    "@FILE",
		    where, d->env);
	for (const char *c = text; *c != '\0' || c == text; c++)
		if (*c <= ' ' || *c > '~')
			log_die(EXIT_CONFIG,
			    "%s: not one word of visible ASCII", where);
	*(const char **)d->dest = text;
}

const char *
options_shown(const char *word)
{
	return url_has_password(word) ? "operand with a password" : word;
}

static const char *
read_first_line(const char *path, const char *where)
{
	size_t i = n_kept++ % KEPT;

	kept[i].path = path;
	switch (read_line(path, kept[i].line)) {
	case 0: break;
	case ENODATA:
		log_die(EXIT_CONFIG, "%s: %s: no line of at most %d bytes",
		    where, path, SECRET_MAX - 2);
	default:
		log_die(
		    EXIT_CONFIG, "%s: %s: %s", where, path, strerror(errno));
	}
	return kept[i].line;
}

/* 0, ENODATA or what fopen says. */
static int
read_line(const char *path, char ret[SECRET_MAX])
{
	char line[SECRET_MAX];
	FILE *f = fopen(path, "re");
	bool good;

	if (f == NULL)
		return errno;
	good =
	    fgets(line, SECRET_MAX, f) != NULL && strlen(line) < SECRET_MAX - 1;
	fclose(f);
	if (!good)
		return ENODATA;
	line[strcspn(line, "\n")] = '\0';
	memcpy(ret, line, sizeof line);
	return 0;
}

/* To open a FIFO would wait for a writer. */
void
options_refresh(const char *text)
{
	struct stat st;

	for (size_t i = 0; i < KEPT; i++)
		if (kept[i].line == text && kept[i].path != NULL &&
		    stat(kept[i].path, &st) == 0 && S_ISREG(st.st_mode))
			(void)read_line(kept[i].path, kept[i].line);
}

void
options_allow(struct sandbox *s, const char *url)
{
	sandbox_redis(s, url);
	for (size_t i = 0; i < KEPT; i++)
		sandbox_file(s, kept[i].path, SANDBOX_READ);
}

static void
bad(const struct option_def *d, const char *where, const char *text)
{
	switch (d->kind) {
	case OPTIONS_NUMBER:
		log_die(EXIT_CONFIG, "%s: %s: not a number from %ju to %ju",
		    where, text, (uintmax_t)d->min, (uintmax_t)d->max);
	case OPTIONS_SECONDS:
		log_die(EXIT_CONFIG, "%s: %s: not seconds from %g to %g", where,
		    text, (double)d->min / 1000, (double)d->max / 1000);
	case OPTIONS_FLAG:
		log_die(EXIT_CONFIG, "%s: %s: not 0 or 1", where, text);
	case OPTIONS_TEXT:
	case OPTIONS_FILE:
	case OPTIONS_URL:
	case OPTIONS_SECRET:
	case OPTIONS_CALL:
	case OPTIONS_LIST: break;
	}
	log_die(EXIT_CONFIG, "%s: %s: not %s", where, text,
	    d->arg == NULL ? "valid" : d->arg);
}

static void
help(const struct options_prog *prog)
{
	printf("usage: %s [options]%s%s\n\n%s\n\n", prog->name,
	    prog->operands == NULL ? "" : " ",
	    prog->operands == NULL ? "" : prog->operands, prog->purpose);
	for (size_t i = 0; i < prog->n_defs; i++)
		help_line(&prog->defs[i]);
	for (size_t i = 0; i < sizeof common / sizeof *common; i++)
		help_line(&common[i]);
	printf("\nSee %s(1), incr(7).\n", prog->name);
	finish();
}

static void
help_line(const struct option_def *d)
{
	char left[64], letter[5] = "    ";

	if (d->letter != 0)
		snprintf(letter, sizeof letter, "-%c, ", d->letter);
	snprintf(left, sizeof left, "%s--%s%s%s", letter, d->name,
	    d->arg == NULL ? "" : " ", d->arg == NULL ? "" : d->arg);
	printf("  %-26s %s", left, d->help);
	if (d->def != NULL)
		printf(", default %s", d->def);
	if (d->env != NULL)
		printf(" [%s]", d->env);
	putchar('\n');
}

static void
version(const struct options_prog *prog)
{
	printf("%s %s\n", prog->name, INCR_VERSION);
	if (prog->sandbox != NULL)
		say_off(prog->sandbox);
	finish();
}

/* Only what is tried is known. */
static void
say_off(const struct sandbox *wanted)
{
	struct sandbox s = {.off = wanted->off};
	struct sandbox_off off = sandbox_enter(&s);

	if (s.off)
		printf("sandbox: off (--no-sandbox)\n");
	if (off.landlock != 0)
		printf("sandbox: no landlock: %s\n", strerror(off.landlock));
	if (off.seccomp != 0)
		printf("sandbox: no seccomp: %s\n", strerror(off.seccomp));
	if (off.capset != 0)
		printf("sandbox: no capset: %s\n", strerror(off.capset));
}

/* Standard output may be full or closed: then this was no success. */
static void
finish(void)
{
	int failed = ferror(stdout);

	if (fclose(stdout) != 0 || failed)
		log_die(EXIT_TEMPFAIL, "stdout: %s", strerror(errno));
	exit(EXIT_DELIVERED);
}
