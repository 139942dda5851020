#!/usr/bin/env bats
# incr-top, on a terminal (tmux) and for scripts.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir metrics
	export INCR_METRICS_DIR=$PWD/metrics LC_ALL=C.UTF-8
	unset NO_COLOR INCR_METRICS_URL
}

teardown() {
	close_terminal
	end_background
}

# One server of its own per test.
mux() { tmux -S "$BATS_TEST_TMPDIR/tmux" -f /dev/null "$@"; }

# terminal ROWS COLS COMMAND: a shell in it that types COMMAND, then "status N"
terminal() {
	mux new-session -d -x "$2" -y "$1" "sh -c 'trap : INT; $3; echo status \$?; cat'"
}
close_terminal() {
	[ -S tmux ] || return 0
	mux kill-server || :
	wait_for 5 not mux has-session
	rm -f tmux
}
screen() { mux capture-pane -p; }
styles() { mux capture-pane -ep; }
shows() { screen | grep -qF -e "$1"; }
lacks() { not shows "$1"; }
key() { mux send-keys "$1"; }
# of FORMAT: what tmux knows of the terminal
of() { mux display-message -p "#{$1}"; }
is() { [ "$(of "$1")" = "$2" ]; }
# The process in it.
top_pid() { pgrep -s "$(of pane_pid)" -x incr-top; }
top_of_shell() { pgrep -P "$(of pane_pid)" -x incr-top; }
sends() { kill "-$1" "$(top_pid)"; }

# write PROGRAM PID LINE...: its file; LINE has its labels as @
write() {
	local labels="program=\"$1\",host=\"here\",pidns=\"1\",pid=\"$2\"" file
	file=metrics/$1-here-1-$2.prom
	shift 2
	{
		printf '# TYPE %s gauge\n' incr_updated_timestamp_seconds \
			incr_queue_ready
		printf '%s\n' "incr_updated_timestamp_seconds{@} $(date +%s.%N)" \
			"process_start_time_seconds{@} $(($(date +%s) - 7380))" "$@"
	} | sed "s/@/$labels/" >"$file.new"
	mv "$file.new" "$file"
}

# fresh: what is written stays so, as if by programs that run
fresh() {
	while sleep 1; do touch -c metrics/*.prom; done &
	remember $!
}

# a_system [OLDEST]: files as two drains and an ingest have them
a_system() {
	[ -s pids ] || fresh 3>&-
	write incr-serve 11 'incr_http_requests_total{code="202",@} 70' \
		'incr_http_requests_total{code="503",@} 3' \
		'process_resident_memory_bytes{@} 3500000' \
		'process_open_fds{@} 950' 'process_max_fds{@} 1000'
	write incr-publish 12 'incr_published_total{@} 1234'
	write incr-consume 13 'incr_queue_ready{queue="a",@} 12345' \
		'incr_queue_unacked{queue="a",@} 6' \
		"incr_queue_oldest_seconds{queue=\"a\",@} ${1:-4}"
	write incr-consume 14 'incr_queue_ready{queue="a",@} 12340' \
		'incr_queue_rejected{queue="a",@} 2'
	write incr-flush 15 'incr_flush_staleness_seconds{@} 7.25' \
		'incr_flush_keys{@} 99' 'incr_flushed_total{@} 1000'
}

# value FIGURE OF: of the table on standard input
value() { awk -F '\t' -v f="$1" -v of="$2" '$1 == f && $2 == of { print $3 }'; }

# -- the numbers ----------------------------------------------------------------

@test "the numbers of the table and of the screen are those of the system" {
	use_redis
	use_postgres
	background incr-ingest -l ./s
	serve=$! # which it becomes
	wait_for 10 healthy ./s
	for value in 1 2 3 x; do
		http_status -m 10 --unix-socket ./s -d "$(increment "$value")" \
			http://x/increment
	done
	increments 4 20 | incr-publish
	[ "$(ready)" = 20 ]
	incr-consume -o | incr-flush
	increments 21 25 | incr-publish
	counted() {
		incr-top --once >table &&
			[ "$(value in_total all <table)" = 25 ] &&
			[ "$(value answers_total 400 <table)" = 1 ]
	}
	wait_for 10 counted
	[ "$(value out_total all <table)" = 20 ]
	[ "$(value answers_total 202 <table)" = 3 ]
	[ "$(value answers_total 400 <table)" = 1 ]
	[ "$(value statement_keys all <table)" = 1 ]
	[ "$(value processes all <table)" -ge 3 ]
	# What the kernel says of the process.
	of=$(cut -f 2 table | grep -m 1 "^incr-serve@.*/$serve\$")
	rss=$(awk '/^VmRSS/ { print $2 * 1024 }' "/proc/$serve/status")
	[ "$(value memory_bytes "$of" <table)" -gt $((rss / 2)) ]
	[ "$(value memory_bytes "$of" <table)" -lt $((rss * 2)) ]
	[ "$(value files "$of" <table)" -gt 3 ]
	[ "$(value files_max "$of" <table)" = "$(awk '/^Max open files/ { print $4 }' "/proc/$serve/limits")" ]
	measured() { incr-top --once | value cpu "$of" | grep -q '^[0-9]'; }
	wait_for 10 measured
	terminal 24 80 incr-top
	wait_for 10 shows '202 0/s  '
	wait_for 10 shows 'incr-validate '
	# More comes, and is seen to come.
	while :; do
		increments 1 5 |
			curl -s -m 10 --unix-socket ./s -H 'Content-Type: application/x-ndjson' \
				--data-binary @- http://x/increments
	done >/dev/null &
	remember $!
	is_busy() { screen | grep -qE '^in +[0-9,.]*[1-9][0-9,.]*/s .*█'; }
	wait_for 10 is_busy || { screen; return 1; }
	wait_for 10 shows '200 '
}

@test "several processes tell of a queue: the highest number counts" {
	a_system
	incr-top --once --every 0.2 >table
	[ "$(value queue_ready a <table)" = 12345 ]
	[ "$(value queue_taken a <table)" = 6 ]
	[ "$(value queue_dead a <table)" = 2 ]
	[ "$(value queue_oldest_seconds a <table)" = 4 ]
	[ "$(value processes all <table)" = 5 ]
	[ "$(value processes incr-consume@here <table)" = 2 ]
	[ "$(value memory_bytes incr-serve@here/11 <table)" = 3500000 ]
	[ "$(value files incr-publish@here/12 <table)" = - ]
	# A line each, of three fields.
	not grep -vE $'^[a-z0-9_]+\t[^\t ]+\t(-|[0-9.e+-]+)$' table
	[ -z "$(cut -f 1,2 table | sort | uniq -d)" ]
}

@test "incr-top(1) has every figure of the table, and no other" {
	a_system
	write incr-consume 17 'incr_queue_ready{queue="s.0",@} 1' \
		'incr_queue_ready{queue="s.1",@} 1'
	incr-top --once --every 0.2 | cut -f 1 | sort -u >there
	sed -n '/^\.Sh TABLE/,/^\.Sh ENV/p' "$ROOT/man/incr-top.1" |
		sed -nE 's/^\.It Li ([^T]*) Ta .*/\1/p' | tr -d ',' | xargs -n 1 |
		sort -u | diff - there
}

@test "what is late is marked and full, and a process that is gone is named" {
	local age
	a_system 4
	terminal 24 80 incr-top
	wait_for 10 shows ' 12,345      6      2           -    4.0s  █████▋........'
	shows 'counted  after   7.2s ██████████▏...'
	shows '2h03m'
	shows '950!' # of 1000
	shows '3.50M'
	lacks '4.0s!'
	a_system 12.5
	rm metrics/incr-flush-*
	wait_for 10 shows ' 12.5s! ██████████████'
	wait_for 10 shows '! no incr-flush runs: nothing is counted'
	shows '1 of 1 gone'
}

@test "a process that ended and came again is a restart" {
	a_system
	terminal 24 80 incr-top
	wait_for 10 shows 'incr-flush '
	rm metrics/incr-flush-*
	wait_for 10 shows '1 of 1 gone'
	write incr-flush 16 'incr_flushed_total{@} 5'
	restarted() { screen | grep -qE '^incr-flush +here +16 .* 1$'; }
	wait_for 10 restarted
	lacks gone
}

# -- the terminal -----------------------------------------------------------------

# sane COMMAND: after COMMAND in it, the terminal is as before
is_sane() {
	is alternate_on 0 && is cursor_flag 1 && screen | grep -q '^status'
}

@test "it leaves the terminal as it was: q, Ctrl-C, SIGTERM, SIGHUP, a crash" {
	local how before
	a_system
	for how in q C-c TERM HUP SEGV; do
		terminal 24 80 "stty -g >before; incr-top; stty -g >after"
		wait_for 10 shows 'q quit'
		is alternate_on 1
		is cursor_flag 0
		case $how in
		q | C-c) key "$how" ;;
		*) sends "$how" ;;
		esac
		wait_for 10 is_sane
		cmp before after
		lacks 'q quit'
		close_terminal
	done
}

@test "stopped and continued: the shell has its terminal meanwhile" {
	a_system
	mux new-session -d -x 80 -y 24 'PS1="ready> " bash --norc -i'
	wait_for 10 shows 'ready>'
	key 'incr-top'
	key Enter
	wait_for 10 shows 'q quit'
	key C-z
	wait_for 10 shows 'Stopped'
	is alternate_on 0
	is cursor_flag 1
	key 'echo $((40 + 2))'
	key Enter
	wait_for 10 shows 42
	key fg
	key Enter
	wait_for 10 shows 'q quit'
	is alternate_on 1
	# In the background it runs, and leaves the terminal alone.
	key C-z
	wait_for 10 is alternate_on 0
	key bg
	key Enter
	pid=$(top_of_shell)
	goes_on() { [ "$(sed 's/.*) //' "/proc/$pid/stat" | cut -c 1)" != T ]; }
	wait_for 10 goes_on
	reads=$(bytes_read "$pid")
	wait_for 10 has_read "$pid" $((reads + 3000))
	goes_on
	is alternate_on 0
	key fg
	key Enter
	wait_for 10 is alternate_on 1
	key q
	wait_for 10 is alternate_on 0
	# A signal to end reaches one that is stopped.
	key 'incr-top'
	key Enter
	wait_for 10 is alternate_on 1
	pid=$(top_of_shell)
	key C-z
	wait_for 10 is alternate_on 0
	key 'kill %1'
	key Enter
	wait_for 10 gone "$pid"
}

@test "every size: 80x24 has all, a larger one more, a smaller one less" {
	local n
	a_system
	terminal 24 80 incr-top
	wait_for 10 shows 'q quit'
	[ "$(screen | tail -n 1)" = 'q quit  p pause' ]
	mux resize-window -x 120 -y 40
	at_end() { [ "$(screen | sed -n "$1p")" = 'q quit  p pause' ]; }
	wait_for 10 at_end 40
	screen | awk 'length($0) > longest { longest = length($0) } END { exit longest < 110 }'
	mux resize-window -x 30 -y 7
	small() { screen | sed -n 1p | grep -q '^incr-top' && lacks program; }
	wait_for 10 small
	[ "$(screen | wc -l)" -le 7 ]
	mux resize-window -x 80 -y 24
	wait_for 10 at_end 24
	# With many processes some share a row.
	for n in $(seq 40); do
		write incr-serve "2$n" 'process_resident_memory_bytes{@} 1000000'
	done
	wait_for 10 shows ' x41 '
	at_end 24
}

@test "a C locale and --ascii get ASCII, UTF-8 gets blocks" {
	a_system
	terminal 24 80 incr-top
	wait_for 10 shows '4.0s  █'
	close_terminal
	terminal 24 80 'incr-top --ascii'
	wait_for 10 shows '4.0s  ####'
	close_terminal
	terminal 24 80 'LC_ALL=C incr-top'
	wait_for 10 shows '4.0s  ####'
	LC_ALL=C not grep -q '[^ -~]' <(screen)
}

@test "colours, and none with NO_COLOR, --no-color, TERM=vt100" {
	local how
	a_system 12.5
	terminal 24 80 incr-top
	wait_for 10 shows '12.5s!'
	styles | grep -qF $'\e[1m\e[31m'
	for how in 'NO_COLOR=1 incr-top' 'incr-top --no-color' 'TERM=vt100 incr-top'; do
		close_terminal
		terminal 24 80 "$how"
		wait_for 10 shows '12.5s! █'
		not grep -qF $'\e[' <(styles)
	done
}

@test "p holds the picture" {
	a_system
	terminal 24 80 incr-top
	wait_for 10 shows '4.0s '
	key p
	wait_for 10 shows 'paused'
	a_system 5
	# It has read since.
	reads=$(bytes_read "$(top_pid)")
	wait_for 10 has_read "$(top_pid)" $((reads + 4000))
	shows '4.0s '
	key p
	wait_for 10 shows '5.0s '
	lacks paused
}

@test "TERM=dumb: one picture below the other, and no code" {
	a_system
	background env --default-signal=INT script -qfec \
		'TERM=dumb exec incr-top --every 0.2 --ascii' /dev/null </dev/null >out
	script=$!
	pictures() { [ "$(grep -c '^incr-top' out)" -ge 3 ]; }
	wait_for 20 pictures
	pkill -INT -P "$script" -x incr-top
	wait_for 20 gone "$script"
	wait "$script"
	LC_ALL=C not grep -q $'[^ -~\r]' out
}

@test "names of others do not command the terminal" {
	a_system
	write incr-consume 13 $'incr_queue_ready{queue="evil\e[31m\x9b2m",@} 1'
	LC_ALL=C terminal 24 80 incr-top
	wait_for 10 shows 'evil?[31m?2m'
	not grep -qF $'\e[31mm' <(styles)
	incr-top --once --every 0.2 | LC_ALL=C not grep -q $'[^\t -~]'
}

# The picture in docs/ has the words that the screen has: tests/ci/picture.
@test "docs/incr-top.svg shows the rows of this incr-top" {
	words() { grep -oE '[a-z][a-z-]+' | grep -vx vm | sort -u; }
	sed -n 's/^<text [^>]*>\(.*\)<.text>$/\1/p' "$ROOT/docs/incr-top.svg" |
		words >picture
	[ "$(wc -l <picture)" -ge 30 ]
	# Nothing that the screen would not say, and all that it says always.
	strings_of() {
		grep -ohE '"[^"]*"' "$ROOT"/lib/top/view*.c | sed 's/%[-*0-9.]*[a-z]/ /g'
	}
	strings_of | words >said
	grep -vE '^incr-|^metrics$|^ms$|^s$' picture | comm -23 - said >odd
	cat odd
	[ ! -s odd ]
	a_system
	terminal 24 80 incr-top
	wait_for 10 shows 'q quit'
	wait_for 10 shows '99'
	screen | sed 1d | words | grep -vx here | comm -23 - picture >lacking
	cat lacking
	[ ! -s lacking ]
}

# -- places -----------------------------------------------------------------------

@test "the same over HTTP, of several hosts" {
	a_system
	mkfifo in
	exec 7<>in
	background incr-serve -l ./s --metrics 127.0.0.1:0 --port-file port \
		--linger 0 <in >/dev/null 7>&-
	wait_for 10 test -s port
	url=http://127.0.0.1:$(head -n 1 port)/metrics
	incr-top --once --every 0.2 "$url" >table
	[ "$(value queue_ready a <table)" = 12345 ]
	unset INCR_METRICS_DIR
	INCR_METRICS_URL=$url incr-top --once --every 0.2 >table
	[ "$(value queue_ready a <table)" = 12345 ]
	cp -r metrics others
	rm others/incr-consume-*
	sed -i 's/here/there/' others/*
	incr-top --once --every 0.2 "$url" others >table
	[ "$(value in_total all <table)" = 2468 ]
	[ "$(value processes incr-publish@there <table)" = 1 ]
	export INCR_METRICS_URL=$url
	terminal 24 80 incr-top
	wait_for 10 shows '12,345'
	shows "$url"
	exec 7>&-
}

# lies LIE [ARG...]: to a server that answers so
lies() {
	local lie=$1
	shift
	background setsid perl "$ROOT/tests/bats/httpliar.pl" "$lie.port" "$lie"
	wait_for 10 test -s "$lie.port"
	url=http://127.0.0.1:$(cat "$lie.port")/metrics
}

@test "a server that lies, stalls or is away is named: 111" {
	local lie why url
	while read -r lie why; do
		lies "$lie"
		run -111 incr-top --once --every 0.2 --wait 20 "$url"
		[ "$output" = "incr-top: $url: $why" ] || { echo "$output"; false; }
	done <<-'END'
		endless more than 16777216 bytes
		page no metrics of incr in the answer
		half transfer closed with 76 bytes remaining to read
		redirect HTTP status 302
	END
	lies trickle
	run -111 incr-top --once --every 0.2 --wait 0.5 "$url"
	[[ "$output" == "incr-top: $url: "*timed\ out* ]]
	run -111 incr-top --once http://127.0.0.1:1/metrics
	[[ "$output" == 'incr-top: http://127.0.0.1:1/metrics: Failed to connect'* ]]
}

@test "a server that is away is named on the screen, which goes on" {
	a_system
	INCR_METRICS_DIR='' INCR_METRICS_URL=http://127.0.0.1:1/metrics \
		terminal 24 80 incr-top
	wait_for 10 shows '! http://127.0.0.1:1/metrics: Failed to connect'
	key q
	wait_for 10 is_sane
	shows 'status 0'
}

@test "a folder that is gone is named, and its processes are not" {
	a_system
	terminal 24 80 incr-top
	wait_for 10 shows 'incr-flush '
	mv metrics elsewhere
	wait_for 10 shows "metrics: No such file or directory"
	shows 'incr-flush '
	lacks gone
	mv elsewhere metrics
	wait_for 10 lacks 'No such file'
	shows 'incr-flush '
	lacks gone
}

@test "wrong places and outputs are said before anything is drawn" {
	run -100 incr-top
	[ "$output" = 'incr-top: stdout: no terminal; see --once' ]
	INCR_METRICS_DIR='' run -100 incr-top
	[[ "$output" == 'incr-top: needs DIR, URL, INCR_METRICS_DIR'* ]]
	run -100 incr-top --once missing
	[ "$output" = 'incr-top: missing: No such file or directory' ]
	run -100 incr-top --once http://u:secret@127.0.0.1/
	[[ "$output" == *'does not belong in an argument'* ]]
	[[ "$output" != *secret* ]]
	INCR_METRICS_DIR='' INCR_METRICS_URL='http://u:secret@127.0.0.1:1/x?y' \
		run -111 incr-top --once
	[[ "$output" == 'incr-top: http://127.0.0.1:1/x: '* ]]
	run -111 sh -c 'incr-top --once --every 0.2 >/dev/full'
	[ "$output" = 'incr-top: stdout: No space left on device' ]
}
