#!/usr/bin/env bats
# What is written about the programs is true: options, codes, examples, files.
#
# A page says by a comment what a block is: run (it runs, exits 0 and says
# nothing on standard error), serve (it runs until SIGTERM), up (it runs where an
# incr-up does), cron (as a crontab), client (clients.bats), fresh (fresh.bats),
# alerts (alerts.bats, tests/long/alerts), partitions and databases
# (partitions.bats), redis, hosts (tests/long/hosts), fleet (tests/long/shards), restart
# (up.bats).  Every other command line of a page runs, too, or commands.not says
# why it does not.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() {
	MAN=$ROOT/man
	cd "$BATS_TEST_TMPDIR" || return
	open_folder
	PROGRAMS=$(sed -e ':a' -e '/\\$/{ N; s/\\\n//; ba' -e '}' \
		"$ROOT/Makefile" | sed -nE 's/^(PROGRAMS|SCRIPTS) = //p' | xargs)
}

teardown() {
	[ -z "${session:-}" ] || pkill -9 -s "$session" || :
	end_background
	[ -z "${UP_STATE:-}" ] || end_up
}

# help_options PROGRAM: "letter long ARGUMENT" of each line of --help
help_options() {
	"$1" --help | sed -nE \
		's/^  (    |-(.), )--([a-z-]+)( ([A-Z]+))?.*/\2 \3 \5/p'
}

# page_options PROGRAM: the same of each item of its page
page_options() {
	sed -nE -e 's/^\.It Fl (.) , Fl -([a-z-]+)( Ar ([A-Z]+))?$/\1 \2 \4/p' \
		-e 's/^\.It Fl -([a-z-]+)( Ar ([A-Z]+))?$/ \1 \3/p' "$MAN/$1.1"
}

# as_synopsis: those lines as the SYNOPSIS has them
as_synopsis() {
	sed -E -e '/^[hV] /d' -e 's/^ ([a-z-]+) ?/-\1 /' \
		-e 's/^([^-]) [a-z-]+ ?/\1 /' -e 's/ ([A-Z]+)$/ Ar \1/' \
		-e 's/^/.Op Fl /; s/ +$//'
}

synopsis() {
	sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESC/p' "$MAN/$1.1" |
		grep '^\.Op Fl' | grep -v '^\.Op Fl - '
}

# item PROGRAM LONG: the text of an option's item, on one line
item() {
	sed -nE "/^\.It Fl (. , Fl )?-$2( |$)/,/^\.(It Fl|El)/p" \
		"$MAN/$1.1" | sed '1d;$d' | tr '\n' ' '
}

@test "every program and script has a page, and every page is clean" {
	for p in $PROGRAMS; do
		[ -e "$MAN/$p.1" ]
	done
	"$ROOT/tests/ci/lint" pages
	for page in "$MAN"/*.1; do
		p=${page##*/}
		[[ " $PROGRAMS " == *" ${p%.1} "* ]]
		for section in NAME SYNOPSIS DESCRIPTION ENVIRONMENT \
			'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
			grep -qx "\.Sh $section" "$page"
		done
	done
}

# man of Debian sets a wider cell and the next one without a space between them.
@test "no cell of a table is wider than its column" {
	awk '/^\.Bl -column/ { n = split($0, part, "\""); columns = n / 2 - 0.5
			for (i = 1; i <= columns; i++) width[i] = length(part[2 * i]) }
		/^\.El/ { columns = 0 }
		columns && sub(/^\.It /, "") {
			gsub(/(^| )(Em|Li) /, " "); gsub(/\\&/, "")
			n = split(" " $0, cell, " Ta( |$)")
			for (i = 1; i < n && i <= columns; i++) {
				sub(/^ +/, "", cell[i])
				if (length(cell[i]) > width[i])
					print FILENAME ":" FNR ": " cell[i]
			}
		}' "$MAN"/* >wide
	cat wide
	quiet wide
}

@test "--help, the SYNOPSIS and the page name the same options" {
	for p in $PROGRAMS; do
		[ "$(help_options "$p" | wc -l)" -ge 2 ]
		diff <(help_options "$p") <(page_options "$p")
		diff <(help_options "$p" | as_synopsis) <(synopsis "$p")
	done
}

@test "the page has the default and the variable of every option" {
	for p in $PROGRAMS; do
		"$p" --help | sed -nE \
			's/^  .{4}--([a-z-]+).*, default (.*)$/\1\t\2/p' |
			while IFS=$'\t' read -r long default; do
				default=${default% \[*}
				[[ "$(item "$p" "$long")" == *"$default"* ]] || {
					echo "$p --$long: $default"
					false
				}
			done
		"$p" --help | sed -nE 's/^  .*\[([A-Z_]+)\]$/\1/p' |
			while read -r variable; do
				grep -q "Ev $variable\>" "$MAN/$p.1"
			done
	done
}

@test "incr(7) names every metric" {
	sed -nE 's/.*"(incr_[a-z_]+)".*/\1/p' \
		"$ROOT/lib/base/metrics_list.h" | sort -u >names
	[ "$(wc -l <names)" -ge 20 ]
	# A metric stands in that list, and nowhere else.
	run ! grep -E '(name = |\{)"incr_[a-z_]+"' "$ROOT"/src/*.c \
		"$ROOT"/lib/*/*.c
	while read -r name; do
		grep -qw "$name" "$MAN/incr.7"
	done <names
}

# X(NAME, "code" of each fault
fault_codes() {
	sed -nE 's/^[[:space:]]*X\([A-Z_]+, "([a-z-]+)",.*/\1/p' \
		"$ROOT/lib/record/fault.h"
}

@test "incr-record(5) has every code and its meaning in no other list" {
	fault_codes | sort >codes
	sed -nE 's/^\.It Li ([a-z]+(-[a-z]+)*)$/\1/p' "$MAN/incr-record.5" |
		grep -vxE 'key|value' | sort | diff codes -
}

@test "incr-serve(1) has every HTTP status" {
	sed -nE 's/^\tX\(([0-9]+),.*/\1/p' "$ROOT/lib/http/http_status.h" >statuses
	[ "$(wc -l <statuses)" -ge 17 ]
	while read -r status; do
		grep -qwE "^(\.It )?[0-9, ]*$status" "$MAN/incr-serve.1" ||
			{ echo "missing: $status"; false; }
	done <statuses
}

@test "README, CONTRIBUTING and docs name files and goals that exist" {
	local pages
	cd "$ROOT" || return
	pages="README.md CONTRIBUTING.md NEWS.md $(echo docs/*.md)"
	for page in $pages lib/README.md; do
		grep -oE '\]\([^):]+\)' "$page" | sed 's/^](//; s/)$//' |
			sed "s:^:${page%"${page##*/}"}:"
		# X and FOLDER stand for any.
		grep -oE '`(src|lib|bin|sql|man|etc|tests|docs)/[^` ]*`' "$page" |
			tr -d '`' | grep -vE 'X|FOLDER' || :
	done | sort -u >"$BATS_TEST_TMPDIR/files"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/files")" -ge 40 ]
	while read -r file; do
		[ -e "$file" ] || { echo "no $file"; false; }
	done <"$BATS_TEST_TMPDIR/files"
	# shellcheck disable=SC2086 # one word per page
	grep -hoE '(`|^)make (-j2 )?[a-z-]+' $pages | sed 's/.* //' |
		sort -u | grep -v '^-' >"$BATS_TEST_TMPDIR/goals"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/goals")" -ge 8 ]
	while read -r goal; do
		grep -qE "^$goal:|^\.PHONY:.*\b$goal\b" Makefile ./*.mk tests/tests.mk ||
			{ echo "no make $goal"; false; }
	done <"$BATS_TEST_TMPDIR/goals"
}

# Their names are those of files below tests/, of bats also without the folder.
@test "docs/tests.md and docs/postmortem.md name tests that exist, and all topics" {
	cd "$ROOT/tests" || return
	grep -ohE '`[a-z_./*-]+`' ../docs/tests.md ../docs/postmortem.md |
		tr -d '`' | grep -vE '^(lib/|-)' | sort -u >"$BATS_TEST_TMPDIR/named"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/named")" -ge 40 ]
	while read -r name; do
		compgen -G "${name#tests/}" >/dev/null ||
			compgen -G "bats/$name" >/dev/null ||
			{ echo "no $name"; false; }
	done <"$BATS_TEST_TMPDIR/named"
	for file in bats/*.bats; do
		grep -qF "${file##*/}" ../docs/tests.md || { echo "docs/tests.md lacks $file"; false; }
	done
}

# -- examples ------------------------------------------------------------------

# blocks KIND PAGE: each block of a kind into KIND.N, or its first lines
blocks() {
	awk -v kind="$1" '
		$0 == ".\\\" " kind { marked = 1; next }
		marked && /^\.Bd/ { marked = 0; file = kind "." ++n; next }
		file && /^\.Ed/ { close(file); file = "" }
		file { gsub(/\\e/, "\\"); gsub(/\\&/, ""); print >file }
	' "$2"
}

# A place where examples run: a queue, a database, a server at INCR_URL.
place() {
	use_redis
	use_postgres
	increments 1 20 >increments.ndjson
	background incr-ingest -l 127.0.0.1:0 --port-file "$PWD/port" \
		--linger 0
	wait_for 5 test -s port
	INCR_URL=http://127.0.0.1:$(cat port)/increment
	export INCR_URL
	wait_for 5 curl -sf "${INCR_URL%/increment}/health/ready"
}

run_blocks() {
	for block in run.*; do
		sh -eu "$block" >out 2>err
		! quiet err || continue
		cat "$block" err
		false
	done
}

@test "every example of every page is marked, and those that run do" {
	place
	for page in "$MAN"/*.[157]; do
		rm -f run.*
		blocks run "$page"
		[ -e run.1 ] || grep -q '^\.\\" serve' "$page"
		[ ! -e run.1 ] || run_blocks
	done
	# Nothing else stands in a section of examples of a program.
	run ! awk '/^\.Sh/ { inside = /EXAMPLES/ }
		inside && /^\.Bd/ && last !~ /^\.\\" (run|serve)$/ {
			print FILENAME ": " $0; found = 1 }
		{ last = $0 }
		END { exit !found }' "$MAN"/*.[15]
}

# commands: PAGE, KIND and COMMAND of every command line of every page
commands() {
	perl "$BATS_TEST_DIRNAME/commands.pl" "$ROOT" "$MAN"/*.[157] \
		"$ROOT"/{README,CONTRIBUTING}.md "$ROOT"/docs/*.md "$ROOT/openapi.yaml"
}

# marked PAGE KIND: each block of a page in Markdown into KIND.N
marked() {
	awk -v kind="$2" '$0 == "<!-- " kind " -->" { marked = 1; next }
		marked && /^```sh$/ { marked = 0; file = kind "." ++n; next }
		file && /^```$/ { close(file); file = "" }
		file { print >file }' "$1"
}

@test "every command line of every page runs, or it is said why not" {
	place
	commands >all
	[ "$(wc -l <all)" -ge 100 ]
	# Blocks of these kinds run in other tests, here, in clients.bats, in
	# fresh.bats, rmq.bats, up.bats, alerts.bats or partitions.bats; of systemd,
	# debian, hosts and fleet (tests/long/shards) in tests/long, of compose in tests/long/containers and containers-kill.
	cut -f 2 all | sort -u |
		grep -vxE 'none|run|serve|up|cron|redis|client|fresh|rmq|systemd|debian|alerts|compose|hosts|restart|partitions|databases|fleet' &&
		return 1
	cut -f 1,2 all | grep -P '^(?!README|man/).*\trun' && return 1
	awk -F '\t' '$2 != "none" { print $3 }' all >elsewhere
	awk -F '\t' '$2 == "none" { print $3 }' all | sort -u |
		grep -vxFf elsewhere >commands
	sed '/^#/d; s/ # .*//' "$BATS_TEST_DIRNAME/commands.not" >not
	[ "$(sed '/^#/d' "$BATS_TEST_DIRNAME/commands.not" | grep -c '[^ ] # [^ ]')" = \
		"$(wc -l <not)" ]
	# What the list has and no page has is a mistake of the list.
	sort not | comm -23 - commands >idle
	cat idle
	[ ! -s idle ]
	ln -s "$ROOT"/{man,tests,openapi.yaml} .
	local failed=0 command
	while IFS= read -r command; do
		each_command "$command" >out 2>&1 </dev/null && continue
		echo "does not run, and is not in commands.not: $command"
		cat out
		failed=1
	done < <(grep -vxFf not commands)
	return $failed
}

# Of make it is asked what it would do.
each_command() {
	case $1 in
	make | 'make '*)
		env -u MAKEFLAGS -u MAKELEVEL make -n -C "$ROOT" ${1#make}
		;;
	*) timeout 30 sh -euc "$1" ;;
	esac
}

# A scenario names a block by a text in it, and runs what the page has there.
@test "the scenario of shards types each block that is marked for it" {
	local file text
	marked "$ROOT/docs/scale.md" fleet
	[ -e fleet.4 ]
	sed -nE "s/^\t*(block|typed) '([^']*)'.*/\2/p" "$ROOT/tests/long/shards" |
		sort -u >texts
	while IFS= read -r text; do
		[ "$(grep -lF -- "$text" fleet.* | wc -l)" = 1 ]
	done <texts
	for file in fleet.*; do
		grep -qFf texts "$file"
	done
}

@test "the scenarios of containers run each command that is marked for them" {
	local file text
	marked "$ROOT/docs/containers.md" compose
	sed -nE "s/^\t*(block|of_page) ('[^']*'|[a-z_-]+).*/\2/p" \
		"$ROOT"/tests/containers/system.bash "$ROOT"/tests/long/containers* |
		tr -d "'" | sort -u >texts
	while IFS= read -r text; do
		echo "text: $text"
		[ "$(grep -lF -- "$text" compose.* | wc -l)" = 1 ]
	done <texts
	for file in compose.*; do
		grep -qFf texts "$file" || {
			echo "no scenario runs: $(cat "$file")"
			return 1
		}
	done
	# README and compose.yaml have no others.
	commands | awk -F '\t' '$2 == "compose" { print $1 "\t" $3 }' >all
	sed -n 's/^docs\/containers.md\t//p' all | sort -u >page
	{
		grep -v ^docs/containers.md all | cut -f 2
		sed -nE '/^#\t+make/,/^#$/s/^#\t//p' "$ROOT/compose.yaml" |
			sed -E '/\\$/{ N; s/ *\\\n */ /; }; s/ +# .*//'
	} | sort -u >others
	[ "$(wc -l <others)" -ge 3 ]
	comm -23 others page >unknown
	cat unknown
	[ ! -s unknown ]
}

# What cron does with a crontab: a line sets a variable, or is run by sh.
@test "the crontab of incr(7) counts, and says nothing while all is well" {
	local line
	use_redis
	use_postgres
	blocks cron "$MAN/incr.7"
	# Quoted, as sh and systemd read it.
	printf "%s='%s'\n" REDIS_URL "$REDIS_URL" DATABASE_URL "$DATABASE_URL" \
		INCR_QUEUE "$INCR_QUEUE" >env
	sed -i "s:/etc/incr/drain:$PWD/env:; s:/usr/local/bin:$BIN:" cron.1
	grep -v '^[A-Z]*=' cron.1 | sed -E 's/^([^ ]+ ){5}//' >jobs
	grep '^[A-Z]*=' cron.1 >variables
	[ "$(wc -l <jobs)" = 1 ]
	increments 1 10 | incr-publish
	# They have waited for a minute, as they do by design.
	rcli set "incr::queue::[$INCR_QUEUE]::emptied" \
		"$(($(date +%s%3N) - 60000))" >/dev/null
	for n in 1 2; do # the second one finds nothing
		# shellcheck disable=SC2046 # one word per variable
		(cd / && env -i HOME=/ LOGNAME=root SHELL=/bin/sh PATH=/usr/bin:/bin \
			$(cat "$OLDPWD/variables") /bin/sh -c "$(cat "$OLDPWD/jobs")" \
			</dev/null) >mail 2>&1
		cat mail
		[ ! -s mail ]
		[ "$(sum_of)" = 55 ]
	done
	# A server that is away is told, by a run that ends.
	sed -i "s|^REDIS_URL=.*|REDIS_URL='unix:///nowhere'|" env
	sed -i 's/-w 20/-w 1/g' jobs
	# shellcheck disable=SC2046 # one word per variable
	env -i HOME=/ SHELL=/bin/sh PATH=/usr/bin:/bin $(cat variables) \
		/bin/sh -c "$(cat jobs)" >mail 2>&1 </dev/null || :
	# Whichever half gives up first, and the other may not come to its word.
	grep -qE '^incr-(consume|flush): ' mail
}

@test "every example that stays runs until SIGTERM" {
	place
	for page in "$MAN"/*.[17]; do
		rm -f serve.[0-9]*
		blocks serve "$page"
		for block in serve.[0-9]*; do
			[ -e "$block" ] || continue
			rm -f ./*.sock verdicts
			stays "$block"
		done
	done
}

# stays BLOCK: in a session of its own
stays() {
	setsid sh -eu "$1" >out 2>err 3>&- &
	session=$!
	remember "$session"
	wait_for 30 is_up
	if pgrep -s "$session" -x incr-up; then
		pkill -TERM -s "$session" -o -x incr-up
	else
		pkill -TERM -s "$session" -x "$filters"
	fi
	wait "$session"
	wait_for 5 session_gone "$session"
	quiet err
	session=
}

filters='incr-(serve|validate|publish|consume|flush)'

# All programs of the session hold SIGTERM for themselves by now (or the
# supervisor has told what to type).
is_up() {
	local pid pids
	! grep -q '^Ctrl-C' out || return 0
	! pgrep -s "$session" -x incr-up || return 1
	pids=$(pgrep -s "$session" -x "$filters")
	[ "$(wc -w <<<"$pids")" -ge 2 ] || return 1
	for pid in $pids; do
		grep -qE '^SigBlk:	.{12}[4-7c-f]' "/proc/$pid/status" || return 1
	done
}

@test "the README is short and its pipes run" {
	[ "$(wc -l <"$ROOT/README.md")" -le 150 ]
	place
	marked "$ROOT/README.md" run
	[ -e run.5 ]
	touch before
	run_blocks
	# Who types them in a clone has nothing to clean up.
	left=$(find . -maxdepth 1 -type f -newer before ! -name 'run.*' \
		! -name out ! -name err ! -name pids -printf '/%f\n')
	[ -n "$left" ]
	run ! grep -vxFf "$ROOT/.gitignore" <<<"$left"
	for p in $PROGRAMS; do
		grep -q "\*\*$p\*\*" "$ROOT/README.md"
	done
	# By incr-consume, and past the queue; sent but not published: none.
	[ "$(sum_of)" = $((3 * 500500)) ]
}

# up_here ARG...: an incr-up of this test, in a folder that is ./var, too.
up_here() {
	use_redis
	use_postgres
	UP_STATE=$(mktemp -d /tmp/incr-up.XXXXXX)
	ln -s "$UP_STATE" var
	INCR_PORT=$(free_port)
	export INCR_PORT
	background incr-up --state "$UP_STATE" --drains 1 --ingests 1 "$@" \
		>told 2>err
	up=$!
	wait_for 30 grep -q '^Ctrl-C' told || { cat err; return 1; }
	sed -n 's/^  //p' told >printed
}

# Of an incr-up that a failed test left.
end_up() {
	local file pid
	kill -9 "$up" 2>/dev/null || :
	for file in "$UP_STATE"/run/*.keeper "$UP_STATE"/run/*.pid; do
		read -r pid _ <"$file" 2>/dev/null || continue
		kill -9 -- "-$pid" "$pid" 2>/dev/null || :
	done
	rm -rf "$UP_STATE"
}

# takes BLOCK: the lines of an incr-up, or of a page, run and are answered 202.
takes() {
	# curl shows its progress where the output is no terminal.
	printf '%s\n' silent show-error >.curlrc
	HOME=$PWD sh -eu "$1" >out 2>said
	cat said
	quiet said
	grep -qE '^HTTP/[0-9.]+ 202' out
}

@test "what the README begins with runs, and what incr-up prints" {
	up_here
	marked "$ROOT/README.md" up
	takes up.1
	takes printed
	# Both say the same.
	same() { sed -E 's/ *#.*//; s/^\. .*/. env/; s/ [^ ]*$//' "$1"; }
	diff <(sed 's/\$INCR_URL/X/' up.1 | same /dev/stdin) <(same printed)
	shown() { (. var/env && incr-db show) | grep -qE "^ *$KEY *\| *6\b"; }
	wait_for 20 shown
	kill "$up"
	wait "$up"
	quiet err
}

@test "what incr-up prints runs with HTTPS and tokens, and shows no token" {
	local token
	token=$(incr-token --tokens tokens new shop)
	export INCR_SITE INCR_HTTP_PORT INCR_BIND=127.0.0.1
	INCR_HTTP_PORT=$(free_port)
	INCR_SITE=https://localhost:$(free_port)
	up_here --tokens tokens
	unset INCR_SITE
	not grep -qF "$token" told
	export INCR_TOKEN=$token
	takes printed
	# Servers take a change when the pages' signal comes.
	incr-token --tokens tokens revoke shop
	commands | cut -f 3 | grep '^kill -HUP' | sort -u | sed 's:DIR:var:' >reload
	[ "$(wc -l <reload)" = 1 ]
	sh -eu reload
	refused() { not takes printed && grep -qE '^HTTP/[0-9.]+ 401' out; }
	wait_for 5 refused
	unset INCR_TOKEN
	sh -u printed >out 2>said || :
	has 'INCR_TOKEN: a token, see incr-token(1)' said
	grep -qE '^HTTP/[0-9.]+ 401' out
	kill "$up"
	wait "$up"
	# The server has read the file.
	[ "$(grep -c '^incr-serve: tokens: read again: 0 tokens$' err)" = 1 ]
	grep -v '^incr-serve: tokens: read again: 0 tokens$' err >rest || :
	quiet rest
}

@test "the role of incr(7) is enough for incr-flush, in SQL and no more" {
	use_redis
	use_postgres
	blocks fresh "$MAN/incr.7"
	sed -n "/<<'END'$/,/^END$/p" fresh.1 | sed '1d;$d' >sql.1
	[ "$(wc -l <sql.1)" = 4 ]
	sed -i "s/\"incr-drain\"/flush_$BATS_SUITE_TEST_NUMBER/g" sql.1
	psql -Xq -v ON_ERROR_STOP=1 -d "$DATABASE_URL" -f sql.1
	owner=$DATABASE_URL
	DATABASE_URL=${owner/user=postgres/user=flush_$BATS_SUITE_TEST_NUMBER}
	increments 1 10 | incr-publish
	incr-consume -o | incr-flush
	increments 1 10 | incr-flush
	# What it does to rows of thirty days ago.
	sql "delete from incr_ledger where committed_at < now()"
	run sql 'delete from increments'
	[[ "$output" == *"permission denied"* ]]
	DATABASE_URL=$owner
	[ "$(sum_of)" = 110 ]
}

@test "the user of incr(7) is enough for the queue, and no more" {
	use_redis
	use_postgres
	export INCR_QUEUE=increments
	redis_start "$BATS_TEST_TMPDIR/r" --maxmemory-policy noeviction
	remember "$(cat r/redis.pid)"
	blocks redis "$MAN/incr.7"
	[ "$(at_that_redis . ./redis.1)" = OK ]
	export REDIS_URL=unix://incr:SECRET@$BATS_TEST_TMPDIR/r/redis.sock
	{
		increments 1 10
		echo '{"error":{' # passes incr-publish -t as data? it is refused
	} | incr-validate -e | incr-publish -e >answers
	redis-cli -s r/redis.sock lpush 'rmq::queue::[increments]::ready' bad
	awk '{ print "t" NR "\t" $0 }' <(increments 1 10) | incr-publish -t
	# A consumer that is gone: its batch is adopted.
	incr-consume >/dev/null 2>&1 &
	consumer=$!
	remember "$consumer"
	wait_for 5 has_batches
	kill -9 "$consumer"
	wait_for 5 gone "$consumer"
	run incr-flush < <(incr-consume -o)
	echo "$output"
	[ "$(sum_of)" = 110 ]
	incr-audit --expect 110 >audit
	[ "$(incr-rejected count -c not-json)" = 1 ]
	redis-cli -s r/redis.sock lpush 'rmq::queue::[increments]::rejected' \
		"$(increment 1)" >/dev/null
	[ "$(incr-rejected republish -n 1 || :)" = '1 republished, 1 not valid' ]
	[ "$(incr-rejected drop -ay)" = '1 dropped' ]
	increments 1 200 >many
	incr-publish <many # by a transaction
	redis-cli -s r/redis.sock info commandstats | grep -q '^cmdstat_exec:calls=1,'
	run redis-cli -s r/redis.sock --user incr --pass SECRET --no-auth-warning \
		get other
	[[ "$output" == *NOPERM* ]]
}

# at_that_redis COMMAND...: a command whose redis-cli asks the one of r
at_that_redis() {
	redis-cli() { command redis-cli -s r/redis.sock "$@"; }
	"$@"
}

has_batches() {
	redis-cli -s r/redis.sock keys '*::batch::*' | grep -q .
}
