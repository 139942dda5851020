#!/usr/bin/env bats
# incr-validate: what passes, what is answered, and what becomes of lines when
# a neighbour, a disk or a signal comes in between.

load helper

setup() { cd "$BATS_TEST_TMPDIR" || return; }
teardown() {
	exec 7>&- 8<&-
	end_background
}

# fault CODE LINE: the error line
fault() {
	printf '{"error":{"code":"%s","detail":"%s","line":%s}}\n' \
		"$1" "$(detail "$1")" "$2"
}

detail() {
	case $1 in
	not-json) echo 'the line must be one JSON text' ;;
	value-out-of-range) echo 'value must be an integer from 1 to 9223372036854775807' ;;
	too-long) echo 'the JSON text must not exceed 4096 bytes' ;;
	control-line) echo 'a checkpoint or an error is not an increment' ;;
	not-tagged) echo 'the line must start with a tag of at most 255 visible ASCII characters and one TAB' ;;
	esac
}

checkpoint() {
	printf '{"checkpoint":{"queue":"q","consumer":"%s","seq":%s,"lines":0,"taken":1,"adopted":false}}\n' \
		"$KEY" "$1"
}

# validate_on_pipe OPTION...: in the background, its input descriptor 7, its
# output in the file out; $pid
validate_on_pipe() {
	mkfifo in
	exec 7<>in
	filter incr-validate "$@" <in >out 2>err 7>&-
}

# filter COMMAND...: in the background, with the standard input given, where
# the shell would give it /dev/null; $pid
filter() {
	"$@" <&0 3>&- &
	pid=$!
	remember "$pid"
}

lines_are() { [ "$(wc -l <"$1")" = "$2" ]; }

# ends_with STATUS: the process $pid does, within three seconds
ends_with() {
	local status=0
	wait_for 3 gone_or_zombie "$pid"
	wait "$pid" || status=$?
	[ "$status" -eq "$1" ]
}

gone_or_zombie() {
	case $(ps -o stat= -p "$1") in '' | Z*) ;; *) false ;; esac
}

# -- lines ------------------------------------------------------------------

@test "canonical lines pass as they are, others in canonical form" {
	{
		increments 1 1000
		increment 9223372036854775807
		echo ' { "value" : 5, "key" : "'"${KEY^^}"'" }'
		printf '{"\\u006bey":"%s","value":6}\r\n' "$KEY"
	} >given
	{
		increments 1 1000
		increment 9223372036854775807
		increment 5
		increment 6
	} >want
	incr-validate <given >out
	cmp out want
}

@test "a bad line is dropped with one message, and the status is 1" {
	run incr-validate < <(increment 1; increment 0; echo; increment 2)
	[ "$status" -eq 1 ]
	[ "$(printf '%s\n' "${lines[@]}" | grep -v '^incr-')" = \
		"$(increment 1; increment 2)" ]
	[ "$(printf '%s\n' "${lines[@]}" | grep '^incr-')" = "$(printf '%s\n' \
		"incr-validate: line 2: value-out-of-range: $(detail value-out-of-range)" \
		"incr-validate: line 3: not-json: $(detail not-json)")" ]
}

@test "ten bad lines are shown, all are counted" {
	run incr-validate < <(yes x | head -n 5000; increment 1)
	[ "$status" -eq 1 ]
	[ "${#lines[@]}" -eq 13 ]
	[ "$(printf '%s\n' "${lines[@]}" | grep -c ': not-json: ')" -eq 10 ]
	[[ "$output" == *"incr-validate: stdin: 5000 of 5001 lines rejected"* ]]
}

@test "-e answers every line with one line, in order, and exits 0" {
	{
		increment 1
		echo
		increment -7
		increment 99999999999999999999
		checkpoint 0
		fault not-json 7
		printf '\xff\0\n'
		increment 2
	} >given
	{
		increment 1
		fault not-json 2
		fault value-out-of-range 3
		fault value-out-of-range 4
		fault control-line 5
		fault control-line 6
		fault not-json 7
		increment 2
	} >want
	incr-validate -e <given >out 2>err
	diff out want
	[ ! -s err ]
}

@test "incr-validate(1): the refused lines, each with its text" {
	cd "$BATS_TEST_TMPDIR" || return
	printf '%s\n' "$(increment 1)" 'no	json' "$(increment 2)" '' \
		'{"error":{"code":"x"}}' "$(increment 3)" >increments.ndjson
	printf 'torn' >>increments.ndjson
	awk '/^incr-validate -e .*paste/ { on = 1 } /^\.Ed/ { on = 0 } on' \
		"$ROOT/man/incr-validate.1" >example
	[ "$(wc -l <example)" = 3 ]
	sh -eu example
	printf '%s\n' 'no	json' '' '{"error":{"code":"x"}}' torn |
		diff - to-correct.ndjson
	[ "$(grep -oE '"line":[0-9]+' refused | tr '\n' ' ')" = \
		'"line":2 "line":4 "line":5 "line":7 ' ]
}

@test "a million blank lines are a million error lines" {
	yes '' | head -n 1000000 | incr-validate -e >out
	lines_are out 1000000
	[ "$(tail -n 1 out)" = "$(fault not-json 1000000)" ]
}

@test "a last line without newline is a line" {
	printf %s "$(increment 1)" | incr-validate >out
	diff out <(increment 1)
	printf x | incr-validate -e >out
	diff out <(fault not-json 1)
	incr-validate </dev/null >out
	[ ! -s out ]
}

@test "-t keeps the tag and its TAB before both kinds of answer" {
	long=$(printf '%0255d' 0)
	{
		printf 'a-tag\t%s\n' '{"value":1,"key":"'"$KEY"'"}'
		printf '\t%s\n' "$(increment 2)"
		printf '%s\t%s\n' "$long" "$(increment 3)"
		printf '%s0\t%s\n' "$long" "$(increment 4)"
		printf 'a-tag\tx\n'
		increment 5
		printf 'a b\t%s\n' "$(increment 6)"
		printf '~\t\t%s\n' "$(increment 7)"
		echo
	} >given
	{
		printf 'a-tag\t%s\n' "$(increment 1)"
		printf '\t%s\n' "$(increment 2)"
		printf '%s\t%s\n' "$long" "$(increment 3)"
		printf '\t%s\n' "$(fault not-tagged 4)"
		printf 'a-tag\t%s\n' "$(fault not-json 5)"
		printf '\t%s\n' "$(fault not-tagged 6)"
		printf '\t%s\n' "$(fault not-tagged 7)"
		printf '~\t%s\n' "$(increment 7)"
		printf '\t%s\n' "$(fault not-tagged 9)"
	} >want
	incr-validate -te <given >out
	diff out want
	run incr-validate -t <given
	[ "$status" -eq 1 ]
	[ "$(printf '%s\n' "${lines[@]}" | grep -v '^incr-')" = \
		"$(grep -v error want)" ]
}

@test "without -t a tag is no part of a line" {
	printf 'a-tag\t%s\n' "$(increment 1)" | incr-validate -e >out
	diff out <(fault not-json 1)
}

@test "4,096 bytes of JSON pass, one more does not, with a tag or without" {
	most=$(printf '%4040s%s' '' "$(increment 3)")
	[ ${#most} -eq 4096 ]
	printf '%s\n %s\n' "$most" "$most" | incr-validate -e >out
	diff out <(increment 3; fault too-long 2)
	long=$(printf '%0255d' 0)
	printf '%s\t%s\n%s\t %s\na\t %s\n' "$long" "$most" "$long" "$most" \
		"$most" | incr-validate -te >out
	diff out <(
		printf '%s\t' "$long"; increment 3
		printf '%s\t' "$long"; fault too-long 2
		printf 'a\t'; fault too-long 3
	)
}

@test "a line too long is answered at once, the rest of it is not kept" {
	validate_on_pipe -e
	head -c 5000 /dev/zero | tr '\0' x >&7
	wait_for 2 lines_are out 1
	diff out <(fault too-long 1)
	before=$(awk '/VmHWM/ { print $2 }' "/proc/$pid/status")
	head -c 50000000 /dev/zero >&7
	after=$(awk '/VmHWM/ { print $2 }' "/proc/$pid/status")
	((after - before < 1000))
	{ echo; increment 1; } >&7
	wait_for 2 lines_are out 2
	diff out <(fault too-long 1; increment 1)
}

@test "memory is flat when nobody takes the output" {
	mkfifo in out
	exec 7<>in 8<>out
	filter incr-validate -e <in >out 7>&- 8<&-
	yes '' | head -c 400000 >&7 &
	feeder=$!
	remember "$feeder"
	wait_for 5 stalled "$pid"
	sanitized incr-validate ||
		(($(awk '/VmRSS/ { print $2 }' "/proc/$pid/status") < 8000))
	not gone "$feeder"
	cat <&8 >all &
	remember $!
	wait_for 10 lines_are all 400000
}

# Its output is full: no CPU time between two looks.
stalled() {
	local a b
	a=$(cut -d ' ' -f 14,15 "/proc/$1/stat")
	sleep 0.2
	b=$(cut -d ' ' -f 14,15 "/proc/$1/stat")
	[ "$a" = "$b" ]
}

# †
@test "control lines of a client are data, and bad" {
	for line in "$(checkpoint 7)" "$(fault unknown 1)" '{"error":{'; do
		run incr-validate < <(increment 1; printf '%s\n' "$line")
		[ "$status" -eq 1 ]
		[[ "$output" == *": line 2: control-line: "* ]]
	done
}

# †
@test "as a filter behind incr-consume it refuses to work, with 100" {
	run incr-validate < <(checkpoint 0; increment 1)
	[ "$status" -eq 100 ]
	[ "${#lines[@]}" -eq 1 ]
	[[ "$output" == "incr-validate: stdin: line 1: "*incr-consume* ]]
	run incr-validate -t < <(checkpoint 0; increment 1)
	[ "$status" -eq 100 ]
	# Only the first line, only seq 0, and not with -e: that is data.
	run incr-validate < <(increment 1; checkpoint 0)
	[ "$status" -eq 1 ]
	run incr-validate < <(checkpoint 1)
	[ "$status" -eq 1 ]
	run incr-validate -e < <(checkpoint 0)
	[ "$status" -eq 0 ]
}

@test "a line typed is answered at once" {
	validate_on_pipe
	for i in 1 2 3; do
		increment "$i" >&7
		wait_for 1 lines_are out "$i"
	done
	exec 7>&-
	ends_with 0
}

@test "no byte of the input is shown in a message" {
	run incr-validate < <(printf '\033]0;secret\007\n{"secret":1}\n')
	[ "$status" -eq 1 ]
	[[ "$output" != *secret* ]]
}

# -- dead ends --------------------------------------------------------------

@test "an input that can't be read is no end of input" {
	run incr-validate <.
	[ "$status" -eq 111 ]
	[ "$output" = 'incr-validate: stdin: Is a directory' ]
	run sh -c 'incr-validate <&-'
	[ "$status" -eq 111 ]
	[ "$output" = 'incr-validate: stdin: Bad file descriptor' ]
}

@test "a full disk, a closed output and a dead reader are 111" {
	increments 1 1000 >given
	run sh -c 'incr-validate <given >/dev/full'
	[ "$status" -eq 111 ]
	[ "$output" = 'incr-validate: stdout: No space left on device' ]
	run sh -c 'incr-validate <given >&-'
	[ "$status" -eq 111 ]
	[ "$output" = 'incr-validate: stdout: Bad file descriptor' ]
	mkfifo dead
	exec 8<>dead
	exec 9>dead 8<&-
	run sh -c 'incr-validate <given >&9'
	exec 9>&-
	[ "$status" -eq 111 ]
	[ "$output" = 'incr-validate: stdout: Broken pipe' ]
}

@test "a device is written in large pieces, as a file is" {
	mkfifo in
	exec 7<>in
	filter incr-validate <in >/dev/null 2>err 7>&-
	increments 1 20000 >given
	cat given >&7
	written() { [ "$(io wchar:)" -ge "$(wc -c <given)" ]; }
	wait_for 5 written
	(($(io syscw:) < 150)) # of 320 times 4 KiB
	exec 7>&-
	ends_with 0
}

io() { awk -v name="$1" '$1 == name { print $2 }' "/proc/$pid/io"; }

@test "with standard descriptors closed, no other file takes their place" {
	increments 1 10 >given
	mkdir metrics
	run env INCR_METRICS_DIR=metrics sh -c 'incr-validate <given >&- 2>&-'
	[ "$status" -eq 111 ]
	not grep -r '"key"' metrics
}

@test "a reader that leaves while nothing comes is noticed" {
	mkfifo in out
	exec 7<>in 8<>out
	filter incr-validate <in >out 2>err 7>&- 8<&-
	increment 1 >&7
	read -r line <&8
	[ "$line" = "$(increment 1)" ]
	exec 8<&-
	ends_with 111
	grep -q 'stdout: Broken pipe' err
}

# -- signals ----------------------------------------------------------------

@test "after SIGTERM, however often, it goes on to the end of input" {
	validate_on_pipe
	increment 1 >&7
	wait_for 2 lines_are out 1
	kill "$pid"
	kill "$pid"
	increment 2 >&7
	wait_for 2 lines_are out 2
	kill "$pid"
	increment 3 >&7
	exec 7>&-
	ends_with 0
	diff out <(increments 1 3)
}

@test "an input that does not end is left after the grace, with 111" {
	validate_on_pipe --grace 0.2
	increment 1 >&7
	wait_for 2 lines_are out 1
	kill "$pid"
	ends_with 111
	grep -qx 'incr-validate: stdin: no end of input within 0.2 s of a signal (--grace)' err
}

@test "an endless input does not outlive the grace either" {
	mkfifo in
	background sh -c 'exec yes >in' 2>/dev/null
	filter incr-validate -e -g 0.2 <in >/dev/null 2>err
	wait_for 2 busy "$pid"
	kill "$pid"
	ends_with 111
}

busy() { [ "$(cut -d ' ' -f 14 "/proc/$1/stat")" -gt 2 ]; }

@test "an output that nobody takes is left after the grace, with 111" {
	mkfifo in out
	exec 8<>out
	background sh -c 'exec yes "" >in' 2>/dev/null
	filter incr-validate -e -g 0.3 <in >out 2>err 8<&-
	wait_for 2 stalled "$pid"
	kill "$pid"
	ends_with 111
	grep -q 'stdout: not read within 0.3 s of a signal' err
}

@test "a second SIGINT ends it at once, by the signal" {
	mkfifo in
	exec 7<>in
	# The shell's background jobs ignore SIGINT.
	filter env --default-signal=INT incr-validate <in >out 2>err 7>&-
	increment 1 >&7
	wait_for 2 lines_are out 1
	kill -INT "$pid"
	increment 2 >&7
	wait_for 2 lines_are out 2
	kill -INT "$pid"
	ends_with 130
}

@test "a signal ignored at start stays ignored" {
	mkfifo in
	exec 7<>in
	filter env --ignore-signal=TERM incr-validate -g 0 <in >out 7>&-
	increment 1 >&7
	wait_for 2 lines_are out 1
	kill "$pid"
	increment 2 >&7
	wait_for 2 lines_are out 2
	exec 7>&-
	ends_with 0
}

# -- the rest ---------------------------------------------------------------

@test "what it counts is in its metrics" {
	mkdir metrics
	{ increments 1 100; yes x | head -n 20; increment 0; } |
		INCR_METRICS_DIR=metrics incr-validate -e >out
	cat metrics/incr-validate-*.prom >prom
	grep -q '^incr_validated_total{.*} 100$' prom
	grep -q '^incr_rejected_total{code="not-json",.*} 20$' prom
	grep -q '^incr_rejected_total{code="value-out-of-range",.*} 1$' prom
}

@test "a grace out of range is a usage error" {
	for grace in -1 3601 x ''; do
		run incr-validate --grace="$grace" </dev/null
		[ "$status" -eq 100 ]
		[ "${#lines[@]}" -eq 1 ]
	done
}

@test "it knows nothing of Redis, Postgres or HTTP" {
	run ldd "$BIN/incr-validate"
	[[ "$output" == *libjansson* ]]
	[[ "$output" != *hiredis* && "$output" != *libpq* ]]
	[[ "$output" != *libcurl* ]]
}
