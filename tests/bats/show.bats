#!/usr/bin/env bats
# incr-db show, for scripts: JSON, the largest, unknown keys, and each change.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

OTHER=00000000-0000-0000-0000-000000000001
NONE=00000000-0000-0000-0000-000000000000

setup() {
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() { end_background; }

counts() {
	sql "insert into increments values ('$KEY', 3, '2026-01-02 03:04:05Z'),
		('$OTHER', 18446744073709551616, '2026-01-01 00:00:00.5Z')"
}
# counted KEY VALUE: as incr-flush does it
counted() {
	sql "insert into increments as i (key, value) values ('$1', $2)
		on conflict (key) do update set value = i.value + excluded.value,
		updated_at = now()"
}

@test "--json: an object in each line, exact, in UTC" {
	export PGTZ=Asia/Tokyo
	run -0 incr-db --json show
	[ -z "$output" ]
	counts
	run -0 incr-db show --json
	[ "${lines[0]}" = '{"key":"'$KEY'","value":3,"updated_at":"2026-01-02T03:04:05.000000Z"}' ]
	[ "${lines[1]}" = '{"key":"'$OTHER'","value":18446744073709551616,"updated_at":"2026-01-01T00:00:00.500000Z"}' ]
	[ "${#lines[@]}" = 2 ]
	# It is no increment: nobody counts it by mistake.
	incr-db show --json >rows
	run -1 --separate-stderr incr-validate <rows
	[ -z "$output" ]
}

@test "--top: the largest, and no more" {
	counts
	counted "$NONE" 7
	run -0 incr-db -p --top 2 show
	[[ ${lines[0]} == "$OTHER	18446744073709551616	"* ]]
	[[ ${lines[1]} == "$NONE	7	"* ]]
	[ "${#lines[@]}" = 2 ]
	run -0 incr-db show --top=1 --json "$KEY" "$NONE"
	[[ $output == '{"key":"'$NONE'","value":7,'* ]]
	for n in '' 0 -1 1x 1000001 99999999999999999999 "1;drop table increments"; do
		run -100 incr-db show --top "$n"
		[[ $output == *"not a number from 1 to 1000000" ]]
	done
	run -0 incr-db -p show --top 1000000
	[ "${#lines[@]}" = 3 ]
}

@test "a key without a count: the others are shown, it is named, and 1" {
	counts
	run -1 --separate-stderr incr-db -p show "$NONE" "${KEY^^}"
	[[ $output == "$KEY	3	"* ]]
	[ "$stderr" = "incr-db: $NONE: has no count" ]
	for format in --json --plain; do
		run -1 --separate-stderr incr-db show $format "$NONE"
		[ -z "$output" ]
	done
	# On a terminal, too.
	run -1 script -qec "incr-db show $NONE" /dev/null
	[[ $output == *"$NONE: has no count"* ]]
	# All are of one moment: what it does not show it names.
	run -1 --separate-stderr incr-db show --top 1 "$NONE" "$KEY" "$OTHER"
	[ "$stderr" = "incr-db: $NONE: has no count" ]
}

# follow ARG...: in the background, into the file changes; SIGINT is not ignored
follow() {
	background perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' \
		incr-db show --follow "$@" >changes 2>err
	pid=$!
}
# ends SIGNAL: with 0
ends() {
	kill "-$1" "$pid"
	wait_for 5 gone "$pid"
	wait "$pid"
}
has_lines() { [ "$(wc -l <changes)" = "$1" ]; }
@test "--follow KEY: its count, then each change, in order" {
	counts
	follow "$KEY" "$NONE"
	wait_for 5 has_lines 1
	[[ $(cat changes) == "$KEY	3	"* ]]
	counted "$KEY" 4
	counted "$OTHER" 1
	wait_for 5 has_lines 2
	[[ $(tail -n 1 changes) == "$KEY	7	"* ]]
	counted "$NONE" 1
	wait_for 5 has_lines 3
	[[ $(tail -n 1 changes) == "$NONE	1	"* ]]
	# A second look at the same prints nothing: the next line is a change.
	counted "$KEY" 1
	wait_for 5 has_lines 4
	[[ $(tail -n 1 changes) == "$KEY	8	"* ]]
	[ ! -s err ]
	children=$(pgrep -P "$pid" -d ' ')
	ends INT
	[ ! -s err ]
	for child in $children; do wait_for 5 gone "$child"; done
}

@test "--follow without a key: only changes, also of what commits late" {
	counted "$KEY" 1
	mkfifo late
	follow --json
	# This one has changed before, and is no change from now on.
	wait_for 5 eval 'counted $OTHER 2; [ -s changes ]'
	run ! grep -q "$KEY" changes
	# A transaction that began before others, and commits after them.
	exec 7<>late
	background psql -XqAt -d "$DATABASE_URL" <late >/dev/null
	echo "begin; select now();" >&7
	wait_for 5 eval '[ "$(sql "select count(*) from pg_stat_activity where state like '"'idle in tr%'"'")" = 1 ]'
	counted "$NONE" 5
	wait_for 5 grep -q "$NONE" changes
	echo "update increments set value = value + 10, updated_at = now() where key = '$KEY'; commit;" >&7
	wait_for 5 grep -q "$KEY" changes
	exec 7>&-
	[ "$(grep -c "$KEY" changes)" = 1 ]
	grep -q "^{\"key\":\"$KEY\",\"value\":11,\"updated_at\":\"" changes
	ends TERM
}

@test "--follow ends with 0 when its reader has gone, also while nothing changes" {
	counts
	background bash -c "set -o pipefail; incr-db show --follow '$KEY' 2>err | head -n 1 >first"
	pid=$!
	wait_for 5 gone "$pid"
	wait "$pid"
	[[ $(cat first) == "$KEY	3	"* ]]
	[ ! -s err ]
	# Nobody has read anything.
	run -0 bash -c "set -o pipefail; incr-db show --follow 2>err | :"
	[ ! -s err ]
	# The filter of the rows ends only while incr-db rests.
	mkdir slow
	printf '#!/bin/sh\nsleep 0.5\nexec /usr/bin/env "$@"\n' >slow/env
	chmod +x slow/env
	PATH=$PWD/slow:$PATH run -111 sh -c "incr-db show --follow '$KEY' >/dev/full"
	[ "$output" = 'incr-db: stdout: not written' ]
}

@test "--follow: a database that is away is 111 at first, then waited for" {
	local url=$DATABASE_URL
	DATABASE_URL="postgresql:///x?host=$PWD" run -111 timeout 20 incr-db show --follow
	[[ ${lines[0]} == 'incr-db: postgres: '* ]]
	[ "${#lines[@]}" = 1 ]
	echo "$url" >url
	counts
	DATABASE_URL=@$PWD/url follow "$KEY"
	wait_for 5 has_lines 1
	sql 'alter table increments rename to away'
	wait_for 5 grep -q '; waiting$' err
	sql 'alter table away rename to increments'
	counted "$KEY" 1
	wait_for 5 has_lines 2
	[ "$(wc -l <err)" = 1 ]
	ends TERM
}

@test "--follow rests nine times as long as a look has taken" {
	mkdir slow
	cat >slow/psql <<-END
		#!/bin/sh
		cut -d ' ' -f 1 /proc/uptime >>"$PWD/looks"
		sleep 0.2
		exec '$(command -v psql)' "\$@"
	END
	chmod +x slow/psql
	PATH=$PWD/slow:$PATH follow
	looked() { [ "$(wc -l <looks)" -ge 2 ]; }
	wait_for 15 looked
	kill "$pid"
	# 0.2 s and more of each 2 s.
	awk 'NR > 1 && $1 - last < 1.9 { exit 1 } { last = $1 }' looks
}

@test "--follow in a terminal obeys no byte; usage errors" {
	run -100 incr-db show --follow --top 3
	[ "$output" = 'incr-db: --follow: not with --top' ]
	sql 'drop table increments'
	sql "create table increments (key uuid, value text, updated_at timestamptz);
		insert into increments values ('$KEY', E'evil\\x1b[31m', now())"
	background script -qefc "incr-db show --follow $KEY" shown >/dev/null 2>&1 </dev/null
	wait_for 5 grep -q evil shown
	run ! grep -q $'\e' shown
}
