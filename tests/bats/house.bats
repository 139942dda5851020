#!/usr/bin/env bats
# The house: which folder of lib/ may include which, and whose vendor's headers
# are whose.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() { cd "$ROOT" || return; }

@test "a folder of lib/ includes only folders to its left" {
	grep -H '^#include "' lib/*/*.[ch] | awk -F '[/"]' '
		BEGIN {
			n = split("base net record redis,postgres,http queue " \
				"serve,publish,consume,flush,send,inspect,top", rank, " ")
			for (i = 1; i <= n; i++)
				for (j = split(rank[i], names, ","); j > 0; j--)
					at[names[j]] = i
		}
		$2 != $5 && !(at[$5] < at[$2]) { print "wrong:", $0; bad = 1 }
		END { exit bad || NR < 300 }'
}

@test "what decides about requests does not know the connections" {
	run -1 grep -l '"http/conn.h"' lib/http/{exchange,handler,conn_input}.h \
		lib/http/{exchange,conn_input}.c lib/serve/access.[ch] \
		lib/serve/{routes,bulk_request,bulk_queue,backend}.[ch]
}

@test "lib/ has folders only, and no two files of one name" {
	[ "$(find lib -mindepth 1 -maxdepth 1 ! -type d ! -name README.md)" = '' ]
	[ "$(find lib -name '*.[ch]' -printf '%f\n' | sort | uniq -d)" = '' ]
}

# listed: folder/file of every line of lib/README.md's lists
listed() {
	sed -nE -e 's/^## ([a-z\/]+): .*/\1 /p' -e 's/^- `([a-z0-9_.]+)`: .*/\1/p' \
		lib/README.md | awk '/ $/ { folder = $1; next }
			{ print folder "/" $1 }'
}

@test "lib/README.md has a line for each folder and file, once" {
	find lib -type f ! -name README.md | sed -E 's:^lib/::; s:\.[ch]$::' |
		sort -u | diff - <(listed | sort)
	find lib -mindepth 1 -type d | sed 's:^lib/::' | sort |
		diff - <(sed -nE 's/^## ([a-z\/]+): .*/\1/p' lib/README.md | sort)
}

@test "each .c of lib/ begins with what it does, no header with a layer" {
	for file in lib/*/*.c; do
		head -n 2 "$file" | tr '\n' ' ' | grep -qE '^/\*( | +\* )[A-Z"]' ||
			{ echo "$file"; head -n 2 "$file"; false; }
	done
	run ! grep -rn '(layer' lib src
}

# clang-format tears a comment line that is too long, and leaves no space.
@test "no comment of C is torn, no line of Lua longer than 80 columns" {
	run -1 grep -rnP --include='*.[ch]' '^\t* \*(?!const )[^ \t/]' lib src tests
	run -1 grep -nE '.{81,}' lib/queue/lua/*.lua
}

# named FILE: "path function..." of each item of a list in FILE
named() {
	awk '/^  / { item = item $0; next }
		item != "" { print item; item = "" }
		/^- / { item = $0 }
		END { print item }' "$1" |
		grep -oE '`[a-z][a-z0-9_/.-]*(\(\))?`' | tr -d '`' |
		awk '/\(\)$/ { print path, substr($0, 1, length($0) - 2); next }
			/\// { path = $0; print path }'
}

@test "docs/architecture.md names files and functions that exist" {
	local path function
	named docs/architecture.md >"$BATS_TEST_TMPDIR/named"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/named")" -gt 60 ]
	while read -r path function; do
		[ -e "$path" ] || {
			echo "no file $path"
			return 1
		}
		[ -z "$function" ] || grep -q "^$function(" "$path" || {
			echo "no function $function in $path"
			return 1
		}
	done <"$BATS_TEST_TMPDIR/named"
	# Every function stands in such an item.
	[ "$(grep -oE '[a-z_]+\(\)' docs/architecture.md | wc -l)" = \
		"$(awk 'NF == 2' "$BATS_TEST_TMPDIR/named" | wc -l)" ]
}

@test "a vendor's header is included where the table says, and in no header" {
	{
		grep -lE '#include <jansson' -r lib src | sed 's/$/ jansson/'
		grep -lE '#include <hiredis' -r lib src | sed 's/$/ hiredis/'
		grep -lE '#include <(libpq|postgresql)' -r lib src | sed 's/$/ libpq/'
		grep -lE '#include <curl' -r lib src | sed 's/$/ curl/'
		grep -lE '#include <openssl' -r lib src | sed 's/$/ openssl/'
	} | sort | diff - <(
		cat <<-'END'
			lib/base/sha256.c openssl
			lib/net/certificate.c openssl
			lib/postgres/pg_answer.c libpq
			lib/postgres/pg_connect.c libpq
			lib/postgres/pg_url.c libpq
			lib/postgres/postgres.c libpq
			lib/record/json.c jansson
			lib/redis/redis.c hiredis
			lib/redis/tls.c openssl
			lib/send/http_client.c curl
			lib/top/http_get.c curl
		END
	)
}

# needed PROGRAM: the libraries that it is linked with, without versions
needed() { readelf -d "$BIN/$1" | sed -n 's/.*NEEDED.*\[lib\(.*\)\.so.*/\1/p'; }

@test "a program needs the libraries that it uses, and no other" {
	local program
	if sanitized incr-validate; then skip 'a build with libraries of its own'; fi
	for program in validate publish consume flush serve send metrics \
		rejected audit listen pgenv top; do
		echo "$program: $(needed "incr-$program" | sort | paste -sd ' ')"
	done | diff - <(
		cat <<-'END'
			validate: c jansson
			publish: c crypto hiredis jansson ssl
			consume: c crypto hiredis jansson ssl
			flush: c crypto hiredis jansson pq ssl
			serve: c crypto hiredis jansson ssl
			send: c curl jansson
			metrics: c
			rejected: c crypto hiredis jansson ssl
			audit: c crypto hiredis jansson pq ssl
			listen: c
			pgenv: c pq
			top: c curl m
		END
	)
}
