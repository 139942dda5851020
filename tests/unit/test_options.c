/* Lists, and which of default, environment and arguments counts; the rest of
 * what options_parse does is tested with the programs. */
#include "base/options.h"
#include "check.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static char words[64];
static bool given;

static const char *
add(void *dest, const char *word)
{
	if (word == NULL) {
		*(char *)dest = '\0';
		return NULL;
	}
	strcat(strcat(dest, word), ";");
	return NULL;
}

static const struct option_def defs[] = {
    {.letter = 'l',
	.name = "list",
	.arg = "WORD",
	.env = "TEST_LIST",
	.def = "a",
	.help = "words",
	.kind = OPTIONS_LIST,
	.dest = words,
	.call = add,
	.given = &given},
};

static const struct {
	const char *env, *arguments[4];
	const char *want;
	bool given;
} cases[] = {
    {NULL, {NULL}, "a;", false},
    {"", {NULL}, "a;", false},
    {"b", {NULL}, "b;", true},
    {" b, c\td ", {NULL}, "b;c;d;", true},
    {"b", {"-l", "x", "-ly,z", NULL}, "x;y;z;", true},
    {NULL, {"-lx", "--list=y", NULL}, "x;y;", true},
    {NULL, {"-l", "", NULL}, ";", true},
    {NULL, {"-l", " ,", NULL}, ";", true},
};

int
main(void)
{
	static const struct options_prog prog = {.name = "test",
	    .purpose = "Tests.",
	    .defs = defs,
	    .n_defs = check_n(defs)};

	for (size_t i = 0; i < check_n(cases); i++) {
		char *argv[6] = {(char *)(uintptr_t) "test"};
		int argc = 1;

		for (; cases[i].arguments[argc - 1] != NULL; argc++)
			argv[argc] =
			    (char *)(uintptr_t)cases[i].arguments[argc - 1];
		if (cases[i].env == NULL)
			unsetenv("TEST_LIST");
		else
			setenv("TEST_LIST", cases[i].env, 1);
		words[0] = '\0';
		given = false;
		optind = 0;
		check(options_parse(&prog, argc, argv) == argc, "%zu", i);
		check(strcmp(words, cases[i].want) == 0, "%zu: %s", i, words);
		check(given == cases[i].given, "%zu: given", i);
	}
	return check_end();
}
