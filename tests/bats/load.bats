#!/usr/bin/env bats
# incr-db load, incr-flush --load: each line of a file is counted once.

bats_require_minimum_version 1.5.0
load helper

ID=00000000-0000-8000-8000-0000000000ff

setup() {
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() { end_background; }

# many N: lines of as many keys, 1 to N
many() {
	seq "$1" | awk '{ printf "{\"key\":\"00000000-0000-4000-8000-%012d\",\"value\":%d}\n", $1, $1 }'
}
# sum_of_all: of the table
sum_of_all() { sql 'select coalesce(sum(value), 0) from increments'; }
row() { sql "select seq from incr_ledger where queue = 'incr-db load'"; }

@test "a file is counted once, however often it is loaded, under any name" {
	increments 1 100 >a.ndjson
	run -0 incr-db load a.ndjson
	[ "$output" = '100 of 100 lines loaded, 0 of them before' ]
	mv a.ndjson b.ndjson
	run -0 incr-db load b.ndjson
	[ "$output" = '100 of 100 lines loaded, 100 of them before' ]
	[ "$(sum_of_all)" = 5050 ]
	# Another file is another one, with the same lines, too.
	{ cat b.ndjson; increment 7; } >c.ndjson
	run -0 incr-db load c.ndjson
	[ "$(sum_of_all)" = $((5050 * 2 + 7)) ]
}

@test "bad lines are named and have a number, also at the end" {
	{
		echo bad
		increment 1
		echo
		increment 2
		echo '{"error":{"code":"x"}}'
	} >a
	run -1 --separate-stderr incr-db load a
	[ "$output" = '5 of 5 lines loaded, 0 of them before' ]
	[[ ${stderr_lines[0]} == 'incr-flush: line 1: not-json: '* ]]
	[[ ${stderr_lines[1]} == 'incr-flush: line 3: not-json: '* ]]
	[[ ${stderr_lines[2]} == 'incr-flush: line 5: control-line: '* ]]
	run -0 --separate-stderr incr-db load a
	[ "$output" = '5 of 5 lines loaded, 5 of them before' ]
	[ -z "$stderr" ]
	[ "$(sum_of_all)" = 3 ]
}

# until_done LOADER...: as often as it takes, killed after a while that grows
until_done() {
	local wait=3 status=1
	kills=0
	while [ $status -ne 0 ]; do
		"$@" -m $((10 + wait)) <file 2>>err &
		for ((i = 0; i < wait; i++)); do
			gone $! || sleep 0.01
		done
		kill -9 $! 2>/dev/null || :
		status=0
		wait $! || status=$?
		[ $status -ne 137 ] || kills=$((kills + 1))
		[[ $status =~ ^(0|111|137)$ ]] || return 1
		wait=$((wait + 4))
		[ $wait -lt 2000 ]
	done
}

# Each statement takes ten milliseconds at least.
slow_statements() {
	sql "create function slow() returns trigger language plpgsql as
			'begin perform pg_sleep(0.01); return null; end';
		create trigger slow after insert on increments
			for each statement execute function slow()"
}

@test "killed at any time and typed again, each line is counted once" {
	many 3000 >file
	slow_statements
	until_done incr-flush --load "$ID:3000"
	[ "$kills" -ge 2 ]
	[ "$(sum_of_all)" = $((3000 * 3001 / 2)) ]
	[ "$(sql 'select count(*) from increments where value = right(key::text, 12)::numeric')" = 3000 ]
	[ "$(row)" = 3000 ]
}

@test "two at the same time count each line once" {
	many 3000 >file
	background incr-flush --load "$ID:3000" -m 20 <file 2>err1
	one=$!
	background incr-flush --load "$ID:3000" -m 27 <file 2>err2
	wait $one || [ $? = 111 ]
	wait $! || [ $? = 111 ]
	until_done incr-flush --load "$ID:3000"
	[ "$(sum_of_all)" = $((3000 * 3001 / 2)) ]
	[ "$(row)" = 3000 ]
}

@test "a COMMIT whose answer is lost counts nothing twice" {
	many 10 >file
	lock increments
	background incr-flush --load "$ID:10" <file 2>err
	pid=$!
	wait_for 5 waits_for_lock 1
	kill -9 "$pid"
	wait "$pid" || :
	unlock # the statement of the dead one goes on, and may commit
	wait_for 10 eval '[ "$(sql "select count(*) from pg_stat_activity where application_name = '"'incr-flush'"'")" = 0 ]'
	incr-flush --load "$ID:10" <file
	[ "$(sum_of_all)" = 55 ]
}

@test "a Postgres that went back: 111, and the next one counts what is missing" {
	many 10 >file
	incr-flush --load "$ID:4" <file
	[ "$(row)" = 4 ]
	sql "delete from increments where value > 2" >/dev/null
	sql "update incr_ledger set seq = 2" >/dev/null
	incr-flush --load "$ID:10" <file
	[ "$(sum_of_all)" = 55 ]
}

@test "a Postgres that went back meanwhile: 111, nothing passes the gap" {
	many 4 >file
	mkfifo in
	exec 7<>in
	background incr-flush --load "$ID:4" -i 0.1 <in 2>err 7>&-
	pid=$!
	head -n 2 file >&7
	wait_for 5 eval '[ "$(row)" = 2 ]'
	hold "delete from increments where value = 2; update incr_ledger set seq = 1"
	tail -n 2 file >&7
	wait_for 5 waits_for_lock 1
	echo 'commit;' >&"$LOCK"
	unlock
	wait_for 5 gone "$pid"
	exec 7>&-
	status=0
	wait "$pid" || status=$?
	[ "$status" = 111 ]
	grep -q '^incr-flush: ledger: went back to batch 1; 3 to 4 not committed$' err
	incr-flush --load "$ID:4" <file
	[ "$(sum_of_all)" = 10 ]
}

@test "lines that come behind those of the file are not read" {
	many 5 >file
	incr-flush --load "$ID:3" <file
	[ "$(sum_of_all)" = 6 ]
	[ "$(row)" = 3 ]
}

named() { sql "select queue, seq from incr_ledger where queue like 'incr-db load %'"; }

@test "--name: what a pipe says is counted once, however often it comes" {
	name() { incr-db load --name "$@"; }
	for n in 0 100; do
		run -0 name day.1 < <(increments 1 100)
		[ "$output" = "100 of 100 lines loaded, $n of them before" ]
	done
	increments 1 100 >a
	run -0 incr-db --name=day.1 load a
	[ "$output" = '100 of 100 lines loaded, 100 of them before' ]
	[ "$(sum_of_all)" = 5050 ]
	[ "$(named)" = "incr-db load day.1:$(sha256sum a | cut -c 1-64)|100" ]
	# Another name is another one, and so is the file without.
	run -0 name day.2 <a
	run -0 incr-db load a
	[ "$(sum_of_all)" = $((3 * 5050)) ]
	# The file that the lines were in is not there any more.
	mkdir tmp
	TMPDIR=$PWD/tmp run -0 name day.3 <a
	[ -z "$(ls tmp)" ]
}

@test "--name: other lines with a name that was loaded are 100, and not counted" {
	increments 1 10 >a
	run -0 incr-db --name x load <a
	for other in "$(increments 1 9)" "$(increments 1 11)" "$(increments 2 11)"; do
		run -100 incr-db --name x load <<<"$other"
		[ "$output" = 'incr-db: x: other lines were loaded with this name; nothing counted' ]
	done
	increment 1 >b
	run -100 incr-db --name x load b
	[ "$(sum_of_all)" = 55 ]
	[ "$(named | wc -l)" = 1 ]
	run -0 incr-db --name x load <a
	[ "$output" = '10 of 10 lines loaded, 10 of them before' ]
}

@test "--name: of two with other lines at the same time one is counted" {
	increments 1 10 >a
	increments 1 20 >b
	lock increments
	for file in a b; do
		background sh -c "incr-db --name x load <$file; echo \$? >$file.status" 2>$file.err
	done
	# Both have looked: neither knows of the other one.
	both_wait() { [ "$(sql "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'incr-flush' and wait_event_type = 'Lock'")" = 2 ]; }
	wait_for 10 both_wait
	unlock
	wait_for 20 test -s a.status
	wait_for 20 test -s b.status
	[ "$(sort -n a.status b.status | xargs)" = '0 100' ]
	grep -q 'x: other lines were loaded with this name; nothing counted' ./*.err
	[[ $(sum_of_all) =~ ^(55|210)$ ]]
}

@test "--name: killed at any time and typed again, each line is counted once" {
	many 2000 >file
	slow_statements
	until_done incr-flush --load "$ID:2000:x:y"
	[ "$kills" -ge 2 ]
	[ "$(sum_of_all)" = $((2000 * 2001 / 2)) ]
	[ "$(named)" = 'incr-db load x:y|2000' ]
}

@test "--name: a wrong one, no lines, a pipe that broke, a full disk" {
	wrong() {
		run -100 incr-db "$@" </dev/null
		[ "${#lines[@]}" -eq 1 ]
	}
	for bad in '' 'a b' "a'b" 'a/b' "$(printf 'x%.0s' {1..129})"; do
		wrong --name "$bad" load
	done
	wrong load
	wrong --name x load a b
	wrong --name x load
	[ "$output" = 'incr-db: stdin: does not end with a newline, perhaps not all is there' ]
	run -100 incr-db --name x load < <(printf %s "$(increment 1)")
	for bad in "$ID:1:" "$ID:1:a b" "$ID:1:$(printf 'x%.0s' {1..201})" "$ID:111111111111111111111:x"; do
		run -100 incr-flush --load "$bad" </dev/null
	done
	run -111 sh -c 'incr-db --name x load <&-'
	[ "$output" = 'incr-db: stdin: not all of it was read, nothing counted' ]
	increments 1 5000 >large
	run -111 sh -c 'ulimit -f 100; trap "" XFSZ; incr-db --name x load <large'
	[[ ${lines[-1]} == 'incr-db: stdin: not all of it was read, nothing counted' ]]
	[ "$(sum_of_all)" = 0 ]
}

@test "no file, a file without a newline at its end, one that changes: said" {
	run -100 incr-db load none
	[ "$output" = 'incr-db: none: no file' ]
	printf %s "$(increment 1)" >torn
	run -100 incr-db load torn
	[[ $output == 'incr-db: torn: does not end with a newline'* ]]
	: >empty
	run -100 incr-db load empty
	run -100 incr-db load
	run -100 incr-db load a b
	for wrong in x "$ID" "$ID:" "$ID:0" "$ID:x" "${ID}9:1"; do
		run -100 incr-flush --load "$wrong" </dev/null
	done
	[ "$(sum_of_all)" = 0 ]
	increments 1 5 >changes
	lock increments
	background sh -c 'incr-db load changes; echo $? >status' 2>err
	wait_for 5 waits_for_lock 1
	increment 9 >>changes
	unlock
	wait_for 10 test -s status
	# Whoever tries again after 111 would count its first lines twice.
	[ "$(cat status)" = 100 ]
	grep -q 'changes: has changed while it was read' err
	[ "$(sum_of_all)" = 15 ]
	# As well where incr-flush has failed.
	rm status
	increments 6 9 >changes
	lock increments
	background sh -c 'incr-db load changes; echo $? >status' 2>err
	wait_for 5 waits_for_lock 1
	increment 9 >>changes
	pkill -TERM -P "$(pgrep -P $!)" -x incr-flush
	wait_for 10 test -s status
	[ "$(cat status)" = 100 ]
	unlock
}

@test "a stream of incr-consume is refused; incr-audit is not disturbed" {
	use_redis
	incr-consume -o -w 1 >stream 2>/dev/null
	run -100 incr-flush --load "$ID:9" <stream
	[[ $output == 'incr-flush: stdin: '* ]]
	increments 1 3 >a
	incr-db load a
	increments 1 3 | incr-publish
	incr-consume -o | incr-flush
	run -0 incr-audit -e 12
}
