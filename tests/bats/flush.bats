#!/usr/bin/env bats
# incr-flush with plain input: sums, windows, the statement, Postgres away.
# What checkpoints add is in exactly.bats.

load helper

OTHER=00000000-0000-0000-0000-000000000001

setup() {
	use_postgres
	export REDIS_URL=redis://127.0.0.1:1 INCR_QUEUE=plain
	DIR=$BATS_TEST_TMPDIR
	mkfifo "$DIR/in"
}

teardown() {
	end_background
	exec 8>&- 9>&-
	[ -z "${DIR_PG-}" ] || pg_stop "$DIR_PG" QUIT
}

# fed [OPTION...]: incr-flush in the background, its input is descriptor 9,
# its messages are in $DIR/err. $flush is it.
fed() {
	exec 9<>"$DIR/in" # to read, too: so that nothing waits for the other
	background incr-flush "$@" <"$DIR/in" 2>"$DIR/err" 9>&-
	flush=$!
}

# ended STATUS: it ends so once its input has ended.
ended() {
	local status=0
	exec 9>&-
	wait_for 10 gone "$flush"
	wait "$flush" || status=$?
	[ "$status" -eq "$1" ] || {
		echo "status $status, not $1: $(cat "$DIR/err")"
		return 1
	}
}

keys() { seq -f '{"key":"00000000-0000-0000-0000-%012.0f","value":1}' "$@"; }

# -- lines -----------------------------------------------------------------------

@test "plain input is added up by key" {
	{ increments 1 1000; increment 5 "$OTHER"; increment 6 "$OTHER"; } |
		incr-flush
	sum_is 500500
	[ "$(sum_of "$OTHER")" = 11 ]
	[ "$(sql 'select count(*) from increments')" = 2 ]
	increment 1 | incr-flush
	sum_is 500501
}

@test "the same key in other forms is one key" {
	{
		increment 1 00000000-0000-0000-0000-00000000000a
		increment 2 00000000-0000-0000-0000-00000000000A
		echo ' { "value" : 4, "key":"00000000-0000-0000-0000-00000000000a"}'
	} | incr-flush
	[ "$(sum_of 00000000-0000-0000-0000-00000000000a)" = 7 ]
}

@test "nothing in, nothing done, status 0" {
	run incr-flush </dev/null
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(sql 'select count(*) from incr_ledger')" = 0 ]
}

@test "a last line without newline is a line" {
	printf %s "$(increment 7)" | incr-flush
	sum_is 7
}

@test "a bad line is said with its number, status 1, the rest is counted" {
	{ increment 1; echo nonsense; increment 2; } >"$DIR/lines"
	run incr-flush <"$DIR/lines"
	[ "$status" -eq 1 ]
	[ "$output" = "incr-flush: line 2: not-json: the line must be one JSON text" ]
	sum_is 3
}

@test "blank, oversized and control lines are bad lines" {
	{
		increment 1
		echo
		head -c 100000 /dev/zero | tr '\0' x
		echo
		echo '{"error":{"code":"not-json","detail":"x","line":1}}'
		echo '{"checkpoint":{"queue":"plain","consumer":"'"$OTHER"'","seq":0,"lines":0,"taken":1,"adopted":false}}'
		increment 2
	} >"$DIR/lines"
	run incr-flush <"$DIR/lines"
	[ "$status" -eq 1 ]
	[[ "${lines[0]}" == *"line 2: not-json: "* ]]
	[[ "${lines[1]}" == *"line 3: too-long: "* ]]
	[[ "${lines[2]}" == *"line 4: control-line: "* ]]
	[[ "${lines[3]}" == *"line 5: control-line: "* ]]
	sum_is 3
}

@test "of many bad lines only the first are said, and how many there were" {
	run incr-flush < <(yes x | head -n 500; increment 1)
	[ "$status" -eq 1 ]
	[ "${#lines[@]}" -eq 12 ]
	[ "${lines[11]}" = "incr-flush: stdin: 500 of 501 lines rejected" ]
	sum_is 1
}

@test "sums beyond int64 are exact" {
	local max=9223372036854775807
	yes "$(increment $max)" | head -n 20000 | incr-flush
	{ increment $max; increment $max; increment 1 "$OTHER"; } | incr-flush
	sum_is 184485887481169225691614 # 20002 times
	[ "$(sum_of "$OTHER")" = 1 ]
}

@test "where int64 ends nothing changes" {
	local max=9223372036854775807
	{
		increment $max
		increment $max "$OTHER"
		increment 1 "$OTHER"
		increment 5000000000000000000 00000000-0000-0000-0000-000000000002
		increment 5000000000000000000 00000000-0000-0000-0000-000000000002
	} | incr-flush
	sum_is $max
	[ "$(sum_of "$OTHER")" = 9223372036854775808 ]
	[ "$(sum_of 00000000-0000-0000-0000-000000000002)" = 10000000000000000000 ]
}

@test "a standard input that can't be read is not its end" {
	run incr-flush <"$DIR"
	[ "$status" -eq 111 ]
	[ "$output" = "incr-flush: stdin: Is a directory" ]
}

# -- windows ---------------------------------------------------------------------

@test "a row is there an interval after its line, and the next window counts" {
	local before after
	fed -i 0.4
	before=${EPOCHREALTIME/./}
	increment 3 >&9
	wait_for 3 sum_is 3
	after=${EPOCHREALTIME/./}
	[ $((after - before)) -lt 4000000 ] # without -i it would be nine
	increment 4 >&9
	wait_for 3 sum_is 7
	ended 0
	[ "$(sql 'select seq from incr_ledger')" = 2 ]
}

@test "nothing is committed before the interval without need" {
	fed -i 20
	increment 3 >&9
	increment 4 >&9
	ended 0
	[ "$(sql 'select seq, (select value from increments) from incr_ledger')" = "1|7" ]
}

@test "--max-keys closes a window" {
	fed -i 20 -m 2
	keys 1 2 >&9
	wait_for 3 total_is 2
	keys 3 3 >&9
	ended 0
	total_is 3
	[ "$(sql 'select seq from incr_ledger')" = 2 ]
}

# statements FROM: how many the server got since byte FROM of its log, beside
# the greeting of a connection.
statements() {
	log_since "$1" | grep 'LOG:  \(execute\|statement\)' |
		grep -vc 'statement: begin read only' || :
}

@test "a window is exactly one statement, with 1 key and with 100,000" {
	local n from
	sql "alter database $(sql 'select current_database()') set log_statement = 'all'"
	for n in 1 100000; do
		keys 1 $n >"$DIR/lines"
		from=$(stat -c %s "$INCR_SUITE/pg.log")
		incr-flush <"$DIR/lines"
		[ "$(statements "$from")" -eq 1 ]
	done
	total_is 100001
}

@test "while a statement runs the next window fills" {
	local before
	lock increments
	fed -i 0.1
	increment 1 >&9
	wait_for 5 waits_for_lock
	keys 1 5000 >"$DIR/lines"
	before=$(bytes_read "$flush")
	background cat "$DIR/lines" >&9
	wait_for 5 has_read "$flush" $((before + $(wc -c <"$DIR/lines")))
	waits_for_lock
	total_is 0
	unlock
	wait_for 5 total_is 5001
	ended 0
	[ "$(sql 'select seq from incr_ledger')" = 2 ]
}

@test "workers side by side lose nothing and do not deadlock" {
	local pids=()
	for _ in 1 2 3 4; do
		background sh -c 'incr-flush <"$1"' - <(keys 1 2000; keys 2000 -1 1)
		pids+=($!)
	done
	wait "${pids[@]}"
	total_is 16000
}

# -- Postgres in trouble ------------------------------------------------------------

@test "Postgres stopped and started in the middle: every line counts once" {
	# The socket's folder is short: its path is limited.
	DIR_PG=$INCR_SUITE/own$BATS_SUITE_TEST_NUMBER
	pg_start "$DIR_PG"
	export DATABASE_URL="postgresql:///postgres?host=$DIR_PG&user=postgres"
	incr-db create
	fed -i 0.1
	increment 1 >&9
	wait_for 5 sum_is 1
	pg_stop "$DIR_PG"
	increment 2 >&9
	wait_for 5 grep -q '^incr-flush: postgres: .*; waiting$' "$DIR/err"
	increment 4 >&9
	exec 9>&- # the server would hold it, too
	pg_start "$DIR_PG"
	ended 0
	sum_is 7
	[ "$(wc -l <"$DIR/err")" -eq 1 ]
	pg_stop "$DIR_PG"
}

@test "Postgres dies while the statement runs: every line counts once" {
	DIR_PG=$INCR_SUITE/own$BATS_SUITE_TEST_NUMBER
	pg_start "$DIR_PG"
	export DATABASE_URL="postgresql:///postgres?host=$DIR_PG&user=postgres"
	incr-db create
	lock increments
	fed -i 0.1
	increment 1 >&9
	wait_for 5 waits_for_lock
	increment 2 >&9
	pg_stop "$DIR_PG" QUIT
	exec 8>&-
	wait_for 5 grep -q '^incr-flush: postgres: .*; waiting$' "$DIR/err"
	exec 9>&- # the server would hold it, too
	pg_start "$DIR_PG"
	ended 0
	sum_is 3
	[ "$(sql 'select seq from incr_ledger')" = 2 ]
	[ "$(wc -l <"$DIR/err")" -eq 1 ] # also of what libpq would say itself
	pg_stop "$DIR_PG"
}

@test "a statement's backend is terminated: counted once, said at most once" {
	lock increments
	fed -i 0.1
	increment 1 >&9
	wait_for 5 waits_for_lock
	sql "select pg_terminate_backend(pid) from pg_stat_activity where
		datname = current_database() and application_name = 'incr-flush'"
	wait_for 5 waits_for_lock
	unlock
	ended 0
	sum_is 1
	[ "$(wc -l <"$DIR/err")" -le 1 ]
}

# cut_proxy: a proxy in front of Postgres at $DIR/.s.PGSQL.5432 that, while
# $DIR/cut exists, loses the next answer and its connection with it.
cut_proxy() {
	background perl -e '
		use IO::Socket::UNIX; use IO::Select;
		my ($dir, $to) = @ARGV;
		my $l = IO::Socket::UNIX->new(Local => "$dir/.s.PGSQL.5432",
			Listen => 5) or die;
		my ($s, %peer, %server) = (IO::Select->new($l));
		while (1) { for my $c ($s->can_read) {
			if ($c == $l) {
				my $a = $l->accept;
				my $b = IO::Socket::UNIX->new(Peer => $to) or die;
				@peer{$a, $b} = ($b, $a); $server{$b} = 1;
				$s->add($a, $b); next;
			}
			my $p = $peer{$c} or next;
			my $lost = $server{$c} && -e "$dir/cut";
			my $n = sysread($c, my $d, 65536);
			if (!$n || $lost) {
				unlink "$dir/cut" if $lost;
				$s->remove($c, $p); delete @peer{$c, $p};
				close $c; close $p; next;
			}
			syswrite($p, $d);
		} }' "$1" "$INCR_SUITE/pg/.s.PGSQL.5432" 2>/dev/null
	wait_for 5 test -S "$1/.s.PGSQL.5432"
}

@test "the answer to a COMMIT is lost: counted once" {
	local dir=$INCR_SUITE/cut$BATS_SUITE_TEST_NUMBER
	mkdir "$dir"
	cut_proxy "$dir"
	DATABASE_URL="postgresql:///$(sql 'select current_database()')?host=$dir&user=postgres" fed -i 0.1
	increment 1 >&9
	wait_for 5 sum_is 1
	touch "$dir/cut"
	increment 2 >&9
	wait_for 5 test ! -e "$dir/cut"
	# Committed before its answer was lost; or that was the answer to 1.
	wait_for 5 sum_is 3
	increment 4 >&9
	ended 0
	sum_is 7
	[ "$(sql 'select seq from incr_ledger')" = 3 ]
}

@test "a table that is missing is a configuration error with its remedy" {
	sql 'drop table increments'
	increment 1 >"$DIR/lines"
	run incr-flush <"$DIR/lines"
	[ "$status" -eq 100 ]
	[ "$output" = 'incr-flush: postgres: apply: relation "public.increments" does not exist (42P01); run incr-db create' ]
	[ "$(sql 'select count(*) from incr_ledger')" = 0 ]
}

@test "a wrong type and a missing grant are configuration errors" {
	increment 1 >"$DIR/lines"
	sql 'alter table increments alter value type smallint'
	yes "$(increment 9000000)" | head -n 9 >"$DIR/many"
	run incr-flush <"$DIR/many"
	[ "$status" -eq 100 ]
	[[ "$output" == *"(22003)"* ]]
	sql 'do $$ begin create role nobody_much login; exception
		when duplicate_object then null; end $$'
	DATABASE_URL=${DATABASE_URL/user=postgres/user=nobody_much}
	run incr-flush <"$DIR/lines"
	[ "$status" -eq 100 ]
	[[ "$output" == *"(42501); grant what incr(7) says" ]]
}

@test "a read-only server is left and tried again until it is not" {
	local name
	name=$(sql 'select current_database()')
	sql "alter database $name set default_transaction_read_only = on"
	fed -i 0.1
	increment 1 >&9
	wait_for 5 grep -q 'session is read-only; waiting$' "$DIR/err"
	PGOPTIONS='-c default_transaction_read_only=off' \
		sql "alter database $name reset default_transaction_read_only"
	wait_for 5 sum_is 1
	ended 0
}

@test "a wrong user is a configuration error, without the password" {
	export DATABASE_URL="postgresql://nemo:s3cret@/postgres?host=$INCR_SUITE/pg"
	increment 1 >"$DIR/lines"
	run incr-flush <"$DIR/lines"
	[ "$status" -eq 100 ]
	[[ "$output" == *'28000: role "nemo" does not exist'* ]]
	[[ "$output" != *s3cret* ]]
}

@test "a URL that libpq does not understand is refused, and not shown" {
	increment 1 >"$DIR/lines"
	DATABASE_URL='postgresql://u:s3cret@host/db?nonsense=1' \
		run incr-flush <"$DIR/lines"
	[ "$status" -eq 100 ]
	[ "$output" = "incr-flush: DATABASE_URL: not a URL or connection string that libpq understands" ]
	run incr-flush -d postgresql://u:s3cret@host/db <"$DIR/lines"
	[ "$status" -eq 100 ]
	[[ "$output" != *s3cret* ]]
}

@test "--wait bounds the waiting for Postgres" {
	increment 1 >"$DIR/lines"
	DATABASE_URL="postgresql:///x?host=$DIR" run incr-flush -w 0.3 <"$DIR/lines"
	[ "$status" -eq 111 ]
	[[ "${lines[-1]}" == "incr-flush: postgres: "* ]]
}

# reads_no_more READER WRITER: the pipe between is full, so that its writer
# sleeps, and its reader sleeps all the same
reads_no_more() { sleeps "$(pgrep -P "$2" -x cat)" && sleeps "$1"; }
sleeps() { grep -q '^State:.S' "/proc/$1/status"; }

@test "while Postgres is away it reads no more than --max-keys" {
	keys 1 50000 >"$DIR/lines"
	DATABASE_URL="postgresql:///x?host=$DIR" fed -i 0.1 -m 100
	background setsid sh -c "cat '$DIR/lines' >&9; touch '$DIR/all'"
	writer=$!
	exec 9>&-
	wait_for 5 grep -q waiting "$DIR/err"
	wait_for 15 reads_no_more "$flush" "$writer"
	[ ! -e "$DIR/all" ]
	# With all of them it is 4700, of a sanitizer 14700.
	limit=3000
	not sanitized incr-flush || limit=10000
	[ "$(awk '/RssAnon/ { print $2 }' "/proc/$flush/status")" -lt "$limit" ]
}

@test "several hosts are tried" {
	DATABASE_URL=${DATABASE_URL/host=/host=$DIR,}
	increment 1 | incr-flush -w 5
	DATABASE_URL="$DATABASE_URL&target_session_attrs=read-write"
	increment 2 | incr-flush -w 5
	sum_is 3
}

# -- signals ---------------------------------------------------------------------

# SIGTERM is read from a descriptor: blocked.
ready_for_signals() {
	local mask
	mask=$(awk '/SigBlk/ { print $2 }' "/proc/$flush/status")
	((0x$mask & 0x4000))
}
took_signal() { [[ $(awk '/ShdPnd/ { print $2 }' "/proc/$flush/status") == 0000000000000000 ]]; }

@test "SIGTERM: it goes on to the end of its input" {
	fed -i 20
	increment 1 >&9
	wait_for 5 ready_for_signals
	kill "$flush"
	kill "$flush"
	increment 2 >&9
	ended 0
	sum_is 3
}

@test "SIGTERM: after --grace it commits what it has and leaves with 111" {
	local status=0
	fed -i 20 -g 0.2
	increment 1 >&9
	wait_for 5 ready_for_signals
	kill "$flush"
	wait_for 5 gone "$flush"
	wait "$flush" || status=$?
	[ "$status" -eq 111 ]
	sum_is 1
	[ "$(cat "$DIR/err")" = "incr-flush: stdin: no end of input within 0.2 s of a signal (--grace)" ]
}

@test "SIGTERM: with Postgres away it does not wait for ever" {
	DATABASE_URL="postgresql:///x?host=$DIR" fed -i 0.1 -g 0
	increment 1 >&9
	wait_for 5 grep -q waiting "$DIR/err"
	kill "$flush"
	wait_for 5 gone "$flush"
}

@test "a second SIGINT ends it at once" {
	exec 9<>"$DIR/in"
	background env --default-signal=INT incr-flush -i 20 <"$DIR/in" 9>&-
	flush=$!
	increment 1 >&9
	wait_for 5 ready_for_signals
	kill -INT "$flush"
	wait_for 5 took_signal
	kill -INT "$flush"
	wait_for 2 gone "$flush"
	sum_is 0
}

# -- metrics ---------------------------------------------------------------------

@test "the metrics show the flush" {
	export INCR_METRICS_DIR=$DIR
	{ keys 1 10; keys 1 5; echo nonsense; } >"$DIR/lines"
	run incr-flush <"$DIR/lines"
	grep -q '^incr_flushed_total{.*} 15$' "$DIR"/incr-flush-*.prom
	grep -q '^incr_flush_keys{.*} 10$' "$DIR"/incr-flush-*.prom
	grep -q '^incr_flush_duration_seconds_count{.*} 1$' "$DIR"/incr-flush-*.prom
	grep -q '^incr_rejected_total{.*code="not-json".*} 1$' "$DIR"/incr-flush-*.prom
	grep -q '^incr_flush_last_success_timestamp_seconds{.*} [1-9]' "$DIR"/incr-flush-*.prom
}
