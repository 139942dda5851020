#!/usr/bin/env bats
# What every program has in common: --help, --version, usage errors.

bats_require_minimum_version 1.5.0
load helper

teardown() { end_background; }

programs() {
	local p
	for p in incr-validate incr-publish incr-consume incr-flush incr-serve \
		incr-send incr-metrics incr-rejected incr-audit incr-top; do
		[ ! -x "$BIN/$p" ] || echo "$p"
	done
}

@test "every program has --help and --version on standard output, exit 0" {
	for p in $(programs); do
		"$p" --help | grep -q "^usage: $p "
		"$p" -V | grep -qE "^$p [0-9]+\.[0-9]+\.[0-9]+$"
	done
}

@test "every program says a wrong option in one line and exits 100" {
	for p in $(programs); do
		run "$p" --no-such-option
		[ "$status" -eq 100 ]
		[ "${#lines[@]}" -eq 1 ]
		[[ "$output" == "$p: --no-such-option: "* ]]
	done
}

@test "no program or script says an argument with its control characters" {
	local evil=$'\e]0;x\a\\033[2J\x9b2J\nline'
	wrong() {
		run "$@" </dev/null
		[ "$status" -eq 100 ]
		[ "${#lines[@]}" -eq 1 ]
		[[ "$output" == *line* ]]
		LC_ALL=C not grep -q '[^[:print:]]' <<<"$output"
	}
	for p in $(programs) incr-ingest incr-drain incr-up incr-keep incr-db \
		incr-token; do
		wrong "$p" "--no$evil"
		wrong "$p" "$evil"
	done
	wrong incr-token --tokens x new "$evil"
	wrong incr-token --tokens x --rate "$evil" new x
	wrong incr-token --tokens "/no/$evil/x" new x
	wrong incr-db show "$evil"
	wrong incr-up --port "$evil"
	wrong incr-up --tokens "$evil"
	wrong incr-serve --tokens "$evil"
	wrong incr-serve -l "/no/${evil/$'\n'/}"
	wrong incr-ingest -q "$evil"
}

@test "every script reports a full disk and a closed output in one line" {
	for p in incr-ingest incr-drain incr-up incr-keep incr-db incr-token; do
		for option in '--help >/dev/full' '-V >/dev/full' '-h >&-'; do
			run -111 sh -c "$p $option"
			[ "$output" = "$p: stdout: not written" ]
		done
	done
}

# A script that is a link finds what lies beside the file.
@test "every script works through a symlink, from anywhere" {
	cd "$BATS_TEST_TMPDIR"
	mkdir -p links other
	for p in incr-ingest incr-drain incr-up incr-keep incr-db incr-token; do
		ln -s "$BIN/$p" links/
	done
	cd other
	for p in incr-ingest incr-drain incr-up incr-keep incr-db incr-token; do
		PATH=/usr/bin:/bin run -0 "../links/$p" -V
		[[ "$output" == "$p "[0-9]* ]]
	done
	use_postgres
	sql 'drop table increments, incr_ledger'
	run -0 ../links/incr-db create
	run -0 ../links/incr-db create
	# It goes on to its programs and the Caddyfile.
	PATH=/usr/bin:/bin run -100 ../links/incr-up --state /dev/null/x
	[[ "$output" == *'/dev/null'* ]]
	[[ "$output" != *missing* ]]
	PATH=/usr/bin:/bin run -100 ../links/incr-drain -n x
	[[ "$output" == 'incr-consume: '* ]]
	PATH=/usr/bin:/bin run -100 ../links/incr-ingest -w x
	[[ "$output" == 'incr-publish: '* ]]
}

@test "every program reports a full disk under --help" {
	for p in $(programs); do
		run sh -c "$p --help >/dev/full"
		[ "$status" -eq 111 ]
	done
}

# PROGRAM OPTION SMALLEST LARGEST and a value beyond each; environment,
# default
ranges() {
	cat <<-'END'
		incr-validate --grace 0 3600 -1 3600.001
		incr-publish --wait 0.1 86400 0.099 86400.001
		incr-publish --grace 0 3600 -1 3600.001
		incr-publish --idempotency-window 1 86400 0 86401
		incr-publish --high-water 1 1000000000 0 1000000001
		incr-publish --replicas 0 16 -1 17
		incr-publish --shards 1 1024 0 1025
		incr-consume --replicas 0 16 -1 17
		incr-consume --batch 1 100000 0 100001
		incr-consume --peek 1 1000 0 1001
		incr-consume --wait 0 86400 -1 86400.001
		incr-flush --interval 0.1 20 0.099 20.001
		incr-flush --max-keys 1 10000000 0 10000001
		incr-flush --keep 0 86400 -1 86400.001
		incr-flush --high-water 1 1000000000 0 1000000001
		incr-flush --wait 0 86400 -1 86400.001
		incr-flush --grace 0 3600 -1 3600.001
		incr-serve --grace 0 3600 -1 3600.001
		incr-serve --max-connections 1 1000000 0 1000001
		incr-serve --max-in-flight 1 1000000 0 1000001
		incr-serve --max-batches 1 10000 0 10001
		incr-serve --linger 0 3600 -1 3600.001
		incr-serve --head-timeout 0.01 3600 0.009 3600.001
		incr-serve --body-timeout 0.01 3600 0.009 3600.001
		incr-serve --verdict-timeout 0.01 3600 0.009 3600.001
		incr-serve --write-timeout 0.01 3600 0.009 3600.001
		incr-serve --idle-timeout 0.01 3600 0.009 3600.001
		incr-send --concurrency 1 512 0 513
		incr-send --wait 0 86400 -1 86400.001
		incr-send --timeout 0.1 600 0.099 600.001
		incr-top --every 0.2 60 0.199 60.001
		incr-top --wait 0.1 86400 0.099 86400.001
		incr-rejected --shards 1 1024 0 1025
		incr-rejected --wait 0 86400 -1 86400.001
		incr-audit --shards 1 1024 0 1025
		incr-audit --wait 0 86400 -1 86400.001
		incr-rejected --number 1 1000000000 0 1000000001
	END
}

# --help is looked at in its turn: what stands before it has been judged.
@test "every number has a range, and what is beyond it is a usage error" {
	ranges | while read -r p option small large below above; do
		for value in "$small" "$large"; do
			"$p" "$option=$value" --help >/dev/null
		done
		for value in "$below" "$above" '' x 1e3; do
			run -100 "$p" "$option=$value" --help
			[ "${#lines[@]}" -eq 1 ]
			[[ "$output" == "$p: $option: "* ]]
		done
	done
	# There is no number that is not in the table.
	for p in $(programs); do
		"$p" --help | sed -nE \
			"s/.*--([a-z-]+) (N|SECONDS) .*/$p --\1/p"
	done | sort | diff - <(ranges | cut -d' ' -f1,2 | sort)
}

# nonsense_for ARG: what no option with such an argument takes
nonsense_for() {
	case $1 in
	FILE) echo "$BATS_TEST_TMPDIR/missing/file" ;;
	NAME) echo 'a b' ;;
	*) echo nonsense ;;
	esac
}

# No service is asked: each is judged before anything is opened.
@test "every option and variable refuses nonsense, naming it and the value" {
	unset REDIS_URL DATABASE_URL
	cd "$BATS_TEST_TMPDIR"
	refuses() { # NAME VALUE COMMAND...
		local name=$1 value=$2
		shift 2
		run -100 timeout 20 "$@" </dev/null
		[ "${#lines[@]}" -eq 1 ]
		[[ "$output" == "$p: $name: "* ]]
		# A token is never shown.
		[[ "$name" == *[tT][oO][kK][eE][nN] ]] ||
			[[ "$output" == "$p: $name: $value: "* ]]
	}
	n=0
	for p in $(programs); do
		more=()
		[ "$p" != incr-rejected ] || more=(count)
		[ "$p" != incr-serve ] || more=(-l ./s)
		[ "$p" != incr-metrics ] || more=(-s ./m .)
		while read -r option arg; do
			value=$(nonsense_for "$arg")
			[ "$p$option" != incr-send--key ] || continue # any text
			refuses "$option" "$value" "$p" "${more[@]}" "$option" "$value"
			n=$((n + 1))
		done < <("$p" --help | sed -nE 's/^ .*(--[a-z-]+) ([A-Z]+) .*/\1 \2/p')
		while read -r variable arg; do
			value=$(nonsense_for "$arg")
			[ "$arg" != NAME ] || value='a[b'
			[ "$variable" != INCR_TOKEN ] || value='two words'
			refuses "$variable" "$value" env "$variable=$value" "$p" \
				"${more[@]}"
			n=$((n + 1))
		done < <("$p" --help |
			sed -nE 's/^ .*--[a-z-]+ ([A-Z]+ )?.*\[([A-Z_]+)\]$/\2 \1/p')
	done
	[ "$n" -ge 70 ]
}

# Its parts would be started again and again.
@test "incr-up refuses what its parts would refuse, up front, and makes nothing" {
	cd "$BATS_TEST_TMPDIR"
	unset REDIS_URL DATABASE_URL
	wrong() { # NAME VALUE [ARG...]
		local name=$1 value=$2
		shift 2
		run -100 timeout 20 "$@"
		[ "${#lines[@]}" -eq 1 ]
		[[ "$output" == "incr-up: $name: $value: "* ]]
		[ ! -e state ]
	}
	n=0
	for p in $(programs); do
		case $p in
		incr-send | incr-metrics | incr-rejected | incr-audit | incr-top) continue ;;
		esac
		while read -r variable arg; do
			value=$(nonsense_for "$arg")
			[ "$arg" != NAME ] || value='a[b'
			wrong "$variable" "$value" env "$variable=$value" \
				incr-up --state state
			n=$((n + 1))
		done < <("$p" --help |
			sed -nE 's/^ .*--[a-z-]+ ([A-Z]+ )?.*\[([A-Z_]+)\]$/\2 \1/p')
	done
	[ "$n" -ge 15 ]
	for option in port ingests drains maxmemory tokens; do
		wrong "--$option" no/such incr-up --state state "--$option" no/such
		wrong "INCR_${option^^}" no/such env "INCR_${option^^}=no/such" \
			incr-up --state state
	done
	echo 'no tokens' >tokens
	run -100 incr-up --state state --tokens tokens
	[[ "$output" == 'incr-up: tokens:1: '* ]]
	[ ! -e state ]
	INCR_SITE=https://localhost wrong INCR_CLIENT_CA no/such \
		env INCR_CLIENT_CA=no/such incr-up --open --state state
	run -100 incr-up --state state --no-such
	[ ! -e state ]
}

@test "an option that is without effect is refused" {
	run -100 incr-serve -l ./s --rate-shared </dev/null
	[ "$output" = 'incr-serve: --rate-shared: no rate; needs --rate, or --tokens' ]
	# The variable is for servers with rates and without: this one starts, and
	# leaves for want of verdicts.
	INCR_RATE_SHARED=1 run -111 incr-serve -l ./s --linger 0 </dev/null
}

@test "a long option is a whole name, a missing value is said with both" {
	forms=('OPTION x --help' 'OPTION=x --help' OPTION) n=0
	for p in $(programs); do
		while read -r option arg; do
			form=${forms[n++ % 3]}
			run -100 "$p" ${form//OPTION/${option%?}}
			[[ "$output" == "$p: ${option%?}: no such option; "* ]]
			[ -n "$arg" ] || continue
			run -100 "$p" "$option"
			[[ "$output" == "$p: $option: needs a value, $arg; "* ]]
		done < <("$p" --help | sed -nE 's/^ .*(--[a-z-]+) ([A-Z]+)? .*/\1 \2/p')
	done
	run -100 incr-flush -k
	[[ "$output" == 'incr-flush: --keep: needs a value, SECONDS; '* ]]
	for p in incr-ingest incr-drain incr-up incr-keep incr-db incr-token; do
		while read -r option arg; do
			run -100 "$p" "${option%?}" x
			[ "${#lines[@]}" -eq 1 ]
			[[ "$output" == *": ${option%?}: no such option"* ]]
			[ -n "$arg" ] || continue
			run -100 "$p" "$option"
			[[ "$output" == "$p: $option: needs a value"* ]]
		done < <("$p" --help | sed -nE 's/^ .*(--[a-z-]+)( [A-Z]+)?( .*|$)/\1\2/p')
	done
}

# OPTION DEFAULT VARIABLE: what they have wherever they appear
common() {
	cat <<-'END'
		--queue increments INCR_QUEUE
		--redis redis://127.0.0.1:6379/0 REDIS_URL
		--database (PG*) DATABASE_URL
		--listen 127.0.0.1:8080 INCR_LISTEN
		--url http://localhost:3333/increment INCR_URL
		--batch 10000
		--interval 9
		--max-keys 1000000
		--grace 10
	END
}

@test "an option has the same letter, default and variable everywhere" {
	common | while read -r option default variable; do
		for p in $(programs); do
			line=$("$p" --help | grep -E -- "^  -., $option ") ||
				continue
			echo "${line%%,*}" >>"$BATS_TEST_TMPDIR/$option"
			[[ "$line" == *", default $default${variable:+ [$variable]}" ]]
		done
		[ "$(sort -u "$BATS_TEST_TMPDIR/$option" | wc -l)" = 1 ]
	done
}

@test "a queue's name, a URL: judged alike as argument and in the environment" {
	for p in incr-publish incr-consume incr-flush; do
		for name in '' 'a b' 'a]' 'é' "$(printf %0129d 0)"; do
			run -100 "$p" -q "$name" --help
			[ -z "$name" ] || INCR_QUEUE=$name run -100 "$p" --help
			[[ "$output" == "$p: INCR_QUEUE: "* ]] || [ -z "$name" ]
		done
		INCR_QUEUE="aZ09._:-$(printf %0120d 0)" "$p" --help >/dev/null
		for url in http://h h:6379 redis://h/x unix://a; do
			run -100 "$p" -r "$url" </dev/null
			[[ "$output" == "$p: --redis: $url: "* ]]
			REDIS_URL=$url run -100 "$p" </dev/null
			[ "${#lines[@]}" -eq 1 ]
			[[ "$output" == "$p: REDIS_URL: $url: "* ]]
		done
		run -100 "$p" -r 'rediss://h?cert=c' </dev/null
		[[ "$output" == *"cert and key need each other"* ]]
		run -100 "$p" -r redis://u:secret@h </dev/null
		[[ "$output" != *secret* ]]
	done
}

@test "a URL comes from the first line of a file, with a password, too" {
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR"
	redis_start "$INCR_SUITE/r$BATS_SUITE_TEST_NUMBER" --requirepass secret
	remember "$(cat "$INCR_SUITE/r$BATS_SUITE_TEST_NUMBER/redis.pid")"
	printf 'unix://:secret@%s\nmore\n' \
		"$INCR_SUITE/r$BATS_SUITE_TEST_NUMBER/redis.sock" >redis
	printf '%s\n' "$DATABASE_URL" >postgres
	unset DATABASE_URL
	REDIS_URL=unix:///nobody
	increment 5 | incr-publish -r @redis
	incr-consume -r @redis -o | incr-flush -r @redis -d @postgres
	DATABASE_URL=$(cat postgres)
	sum_is 5
	for p in incr-publish incr-consume incr-flush; do
		run -100 "$p" -r @missing </dev/null
		[ "$output" = "$p: --redis: missing: No such file or directory" ]
	done
}

@test "without --database and DATABASE_URL the variables of libpq count" {
	use_postgres
	export PGHOST=$INCR_SUITE/pg PGUSER=postgres
	PGDATABASE=$(sql 'select current_database()')
	export PGDATABASE
	url=$DATABASE_URL
	unset DATABASE_URL
	increment 5 | incr-flush
	incr-db show | grep -qF "$KEY"
	DATABASE_URL=$url
	sum_is 5
}

# -- memory -------------------------------------------------------------------

# without_memory COMMAND...: each of its first allocations fails once; that is
# never a wrong configuration, and no crash
without_memory() {
	local n status
	for n in $(seq 25); do
		status=0
		LD_PRELOAD=$PWD/calloc.so FAIL=$n timeout 20 "$@" >out 2>err ||
			status=$?
		if [ "$status" = 100 ] || [ "$status" -gt 111 ]; then
			echo "$*: $n: $status"
			cat err
			return 1
		fi
		! grep -q 'out of memory' err || said=$((said + 1))
	done
}

@test "a program that finds no memory when it opens something ends with 111" {
	local said=0
	not sanitized incr-flush || skip "what is preloaded must be first"
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR"
	cat >calloc.c <<-'END'
		#include <errno.h>
		#include <stdlib.h>
		extern void *__libc_calloc(size_t, size_t);
		void *
		calloc(size_t n, size_t size)
		{
			static int calls;
			const char *at = getenv("FAIL");
			if (at != NULL && ++calls == atoi(at)) {
				errno = ENOMEM;
				return NULL;
			}
			return __libc_calloc(n, size);
		}
	END
	"${CC:-cc}" -shared -fPIC -o calloc.so calloc.c
	increment 1 >line
	echo x >token
	without_memory incr-publish <line
	without_memory incr-consume -o -w 1
	without_memory incr-flush </dev/null
	without_memory incr-rejected list
	without_memory incr-audit
	without_memory incr-serve -l ./s --rate 5/s --rate-shared </dev/null
	without_memory incr-send -u http://127.0.0.1:9/increment </dev/null
	[ "$said" -ge 10 ]
}
