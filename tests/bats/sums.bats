#!/usr/bin/env bats
# incr-flush --sums: what was counted, on standard output, at least once.

bats_require_minimum_version 1.5.0
load helper

OTHER=00000000-0000-0000-0000-000000000001
MANY=25000 # keys: more lines than any pipe holds

setup() {
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	mkfifo in out
}

teardown() {
	end_background
	exec 8>&- 9>&-
}

# fed [OPTION...]: $flush is incr-flush; its input is descriptor 9, and what it
# prints waits in the FIFO out.
fed() {
	exec 9<>in 8<>out
	background incr-flush --sums -i 0.1 "$@" <in >out 2>err 8>&- 9>&-
	flush=$!
}

# keys N [VALUE]
keys() { seq -f '{"key":"00000000-0000-4000-8000-%012.0f","value":'"${2-1}}" "$1"; }
# sum KEY VALUE
sum() { printf '{"key":"%s","value":%s}\n' "$1" "$2"; }
counted() { [ "$(total)" = "$1" ]; }
# table: what it has, as lines
table() {
	sql "select '{\"key\":\"' || key || '\",\"value\":' || value || '}'
		from increments order by 1"
}
# last FILE: the last line of each key
last() { tac "$1" | awk -F '"' '!said[$4]++' | LC_ALL=C sort; }
status_of() {
	local status=0
	wait_for 10 gone "$1"
	wait "$1" || status=$?
	[ "$status" = "$2" ] || {
		cat err
		return 1
	}
}

@test "the counts of what was counted, and of nothing else; without it none" {
	{ increments 1 10; increment 5 "$OTHER"; } >lines
	run -0 incr-flush <lines
	[ -z "$output" ]
	increment 7 | incr-flush --sums >sums
	sum "$KEY" 62 | cmp - sums
	run -0 incr-flush --sums </dev/null
	[ -z "$output" ]
}

@test "every key has its count, exact beyond int64, in pieces" {
	sql "insert into increments values ('$KEY', 999999999999999999),
		('$OTHER', 999999999999999999999999999999999998)"
	{ increment 2; increment 1 "$OTHER"; keys 4321 7; } | incr-flush --sums >sums
	LC_ALL=C sort sums >sorted
	LC_ALL=C comm -3 sorted <(table | LC_ALL=C sort) >differences
	[ ! -s differences ]
	has "$(sum "$KEY" 1000000000000000001)" sums
	has "$(sum "$OTHER" 999999999999999999999999999999999999)" sums
}

@test "a full disk, a reader that has gone: said once, all is counted, 111" {
	run -111 --separate-stderr sh -c 'incr-flush --sums >/dev/full' \
		<<<"$(increment 1)"
	[ "${stderr_lines[0]}" = 'incr-flush: stdout: No space left on device; no more sums' ]
	fed
	increment 2 >&9
	read -r line <&8
	[ "$line" = "$(sum "$KEY" 3)" ]
	exec 8>&-
	for value in 3 4; do
		increment "$value" >&9
		wait_for 10 counted $((value * (value + 1) / 2))
	done
	exec 9>&-
	status_of "$flush" 111
	[ "$(grep -c 'stdout: Broken pipe; no more sums' err)" -eq 1 ]
}

@test "a slow reader holds up no count, and gets fewer lines and the last ones" {
	local n
	use_redis
	fed
	keys $MANY >&9
	wait_for 20 counted $MANY
	for ((n = 1; n <= 8; n++)); do
		increment 1 >&9
		wait_for 10 counted $((MANY + n))
	done
	# Its memory is one of keys, not of counts.
	wait_for 10 has 'stdout: its reader is slow' err
	exec 9>&-
	timeout 20 cat <out >sums 8>&- &
	exec 8>&-
	status_of "$flush" 0
	wait $!
	last sums | cmp - <(table)
	[ "$(grep -c "$KEY" sums)" -le 3 ]
	[ "$(grep -c 'is slow' err)" -eq 1 ]
}

@test "a reader that was slow until the end of input has five seconds from then" {
	fed
	keys $MANY >&9
	wait_for 10 has 'stdout: its reader is slow' err
	counted $MANY
	reads=$(reads_of "$flush")
	exec 9>&-
	wait_for 10 more_reads # It knows of the end.
	timeout 60 cat <out >sums 8>&- &
	exec 8>&-
	status_of "$flush" 0
	wait $!
	last sums | cmp - <(table)
}
# reads_of PID: how many calls of read(2) and its like it has made
reads_of() { awk '/^syscr/ { print $2 }' "/proc/$1/io"; }
more_reads() { [ "$(reads_of "$flush")" -gt "$reads" ]; }

@test "a batch that was counted before is written again" {
	local a=aaaaaaaa-0000-4000-8000-00000000000a b=bbbbbbbb-0000-4000-8000-00000000000b
	use_redis
	sql "insert into incr_ledger (consumer, queue, seq) values
		('$a', '$INCR_QUEUE', 1), ('$b', '$INCR_QUEUE', 3);
		insert into increments values ('$KEY', 9), ('$OTHER', 8)"
	# They are swept: only the numbers of their last batches are known.
	for id in $a $b; do
		rcli set "incr::queue::[$INCR_QUEUE]::consumer::$id::last" 9 >/dev/null
	done
	{
		checkpoint $a 0 0
		increment 5
		checkpoint $a 1 1
		increment 5 "$OTHER"
		checkpoint $b 1 1 true
		checkpoint $a 0 0 false ',"end":true'
	} | incr-flush --sums >sums
	{
		sum "$KEY" 9
		sum "$OTHER" 8
	} | cmp - <(sort -r sums)
}

# written: as much as the pipe holds, but for the ends of its pages
written() {
	perl -e 'ioctl STDIN, 0x541B, my $n = "" or die; # FIONREAD
		exit(unpack("i", $n) < 0.99 * fcntl STDIN, 1032, 0)' <&8 # F_GETPIPE_SZ
}

@test "no batch is acknowledged before its sums are written, for five seconds" {
	use_redis
	keys $MANY | incr-publish
	incr-consume -o -n 100000 >stream
	exec 8<>out
	background incr-flush --sums <stream >out 2>err 8>&-
	flush=$!
	wait_for 20 written
	kill -9 "$flush"
	timeout 20 cat <out >sums 8>&- &
	exec 8>&-
	wait $!
	[ "$(wc -l <sums)" -lt $MANY ]
	# The pipe ends within a line.  What the reader lacks comes with the next one.
	sed -i '$d' sums
	not no_batches
	incr-consume -o | incr-flush --sums >>sums
	last sums | cmp - <(table)
	no_batches
}

@test "nobody reads: after five seconds batches are acknowledged, and 111 is the end" {
	use_redis
	keys $MANY | incr-publish
	incr-consume -o -n 100000 >stream
	exec 8<>out
	background incr-flush --sums <stream >out 2>err 8>&-
	flush=$!
	wait_for 20 no_batches
	counted $MANY
	status_of "$flush" 111
	has 'batches are acknowledged before their sums are written' err
	has 'stdout: some sums were not written' err
}

@test "Postgres away: the sums come when it is back" {
	fed
	increment 1 >&9
	read -r line <&8
	sql "select pg_terminate_backend(pid) from pg_stat_activity
		where application_name = 'incr-flush'
		and datname = current_database()" >/dev/null
	increment 2 >&9
	read -r line <&8
	[ "$line" = "$(sum "$KEY" 3)" ]
	exec 9>&-
	status_of "$flush" 0
}
