/*
 * Options: one table gives getopt_long(3), --help and the environment's
 * defaults.
 */
#ifndef INCR_OPTIONS_H
#define INCR_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sandbox.h"
#include "base/url.h"

enum options_kind {
	OPTIONS_FLAG,    /* bool *dest: true */
	OPTIONS_NUMBER,  /* uint64_t *dest, in [min, max] */
	OPTIONS_SECONDS, /* int64_t *dest: milliseconds, in [min, max] ms */
	OPTIONS_TEXT,    /* const char **dest, not empty */
	OPTIONS_FILE,    /* const char **dest: a file that can be read */
	OPTIONS_URL,     /* const char **dest: a URL; as an argument without
			  * password, or @FILE: the file's first line.  Unless
			  * call is NULL, call(dest, text) judges it: NULL, or
			  * what is wrong */
	OPTIONS_SECRET,  /* const char **dest: a token of visible ASCII; as an
			  * argument only @FILE: the file's first line */
	OPTIONS_CALL,    /* call(dest, text): NULL, or what a good one is */
	OPTIONS_LIST     /* the same for each word of a text that spaces or
			  * commas separate, borrowed for the call.  May be
			  * repeated; what arguments give takes the place of
			  * default and environment: before the first of
			  * them call(dest, NULL) empties the list */
};

struct option_def {
	int letter;       /* one character, or 0: only the long form */
	const char *name; /* the long form, without dashes */
	const char *arg;  /* its argument's name, NULL for a flag */
	const char *env;  /* the variable behind it, or NULL */
	const char *def;  /* the default as --help shows it, or NULL; it is
			   * also parsed, unless it begins with '(' */
	const char *help; /* a few words */
	enum options_kind kind;
	void *dest;
	uint64_t min, max;
	const char *(*call)(void *dest, const char *text);
	bool *given; /* set if the value is no default; NULL: not needed */
};

/*
 * Options that several programs have, each with a few words of its own for
 * --help; the queue's is QUEUE_NAME_OPTION of record/queue_name.h.
 */
#define OPTIONS_REDIS(dest_, what) \
	{ \
		.letter = 'r', .name = "redis", .arg = "URL", \
		.env = "REDIS_URL", .def = "redis://127.0.0.1:6379/0", \
		.help = (what), .kind = OPTIONS_URL, .dest = (dest_), \
		.call = url_judge_redis \
	}

#define OPTIONS_DATABASE(dest_, judge, what) \
	{ \
		.letter = 'd', .name = "database", .arg = "URL", \
		.env = "DATABASE_URL", .def = "(PG*)", .help = (what), \
		.kind = OPTIONS_URL, .dest = (dest_), .call = (judge) \
	}

#define OPTIONS_WAIT(dest_, def_, min_ms, what) \
	{ \
		.letter = 'w', .name = "wait", .arg = "SECONDS", \
		.def = (def_), .help = (what), .kind = OPTIONS_SECONDS, \
		.dest = (dest_), .min = (min_ms), .max = 86400000 \
	}

#define OPTIONS_GRACE(dest_, what) \
	{ \
		.letter = 'g', .name = "grace", .arg = "SECONDS", .def = "10", \
		.help = (what), .kind = OPTIONS_SECONDS, .dest = (dest_), \
		.max = 3600000 \
	}

#define OPTIONS_HIGH_WATER(dest_, what) \
	{ \
		.name = "high-water", .arg = "N", .env = "INCR_HIGH_WATER", \
		.def = "(by Redis's maxmemory)", .help = (what), \
		.kind = OPTIONS_NUMBER, .dest = (dest_), .min = 1, \
		.max = 1000000000 \
	}

#define OPTIONS_REPLICAS(dest_, given_) \
	{ \
		.letter = 'R', .name = "replicas", .arg = "N", \
		.env = "INCR_REPLICAS", \
		.def = "(as the queue has noted, or 0)", \
		.help = "nothing counts before N replicas have it", \
		.kind = OPTIONS_NUMBER, .dest = (dest_), .max = 16, \
		.given = (given_) \
	}

#define OPTIONS_CACERT(dest_) \
	{ \
		.name = "cacert", .arg = "FILE", .env = "CURL_CA_BUNDLE", \
		.help = "certificate authorities for https, PEM", \
		.kind = OPTIONS_FILE, .dest = (dest_) \
	}

#define OPTIONS_CHECK(dest_) \
	{ \
		.name = "check", .help = "say what is wrong, change nothing", \
		.kind = OPTIONS_FLAG, .dest = (dest_) \
	}

#define OPTIONS_SANDBOX(sandbox_) \
	{ \
		.name = "no-sandbox", .env = "INCR_NO_SANDBOX", \
		.help = "keep all rights, for debuggers", \
		.kind = OPTIONS_FLAG, .dest = &(sandbox_)->off \
	}

struct options_prog {
	const char *name;     /* "incr-validate" */
	const char *operands; /* what follows the options, or NULL: nothing */
	const char *purpose;  /* one sentence for --help */
	const struct option_def *defs;
	size_t n_defs;
	const struct sandbox *sandbox; /* of OPTIONS_SANDBOX, or NULL */
};

/* -h and -V are every program's and are added by the module. */

/*
 * Parses the defaults, then the environment, then the arguments, into the
 * destinations.  A long option is a whole name: a script that abbreviates one
 * would break when another is added.  Prints --help or --version on standard
 * output and exits 0; the version with what is off of the sandbox.  On a wrong
 * option, value or operand says so and exits EXIT_CONFIG.  Texts stored are
 * valid for ever.  Returns the index of the first operand.
 */
int options_parse(const struct options_prog *prog, int argc, char **argv);

/* The index of the first "--", or argc: for a program that becomes a command,
 * whose words are no options of ours; it is the argc of options_parse then. */
int options_command(int argc, char **argv);

/* word, for a message about an operand; other words if it is a URL with a
 * password, which somebody has put into the wrong place. */
const char *options_shown(const char *word);

/* If text, as options_parse stored it, came from @FILE, reads the file again,
 * into the same place; one that can't be read, or is no regular file, changes
 * nothing. */
void options_refresh(const char *text);

/* Allows the folders of the files that options_refresh() reads, and what
 * connections to the Redis of url need. */
void options_allow(struct sandbox *s, const char *url);

#endif
