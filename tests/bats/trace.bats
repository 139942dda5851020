#!/usr/bin/env bats
# The ids of requests: from traceparent to the answer and the messages.

bats_require_minimum_version 1.5.0
load helper
load ring

ID=4bf92f3577b34da6a3ce929d0e0e4736
PARENT=00f067aa0ba902b7

# traced TRACEPARENT [CURL'S ARGUMENT...]: a bad increment under this name
traced() {
	ask -D "$DIR/head" -H "traceparent: $1" -d x "${@:2}" http://x/increment
}
told() { sed -n 's/.*,"trace_id":"\([0-9a-f]\{32\}\)"}$/\1/p' "$DIR/body"; }
field() { sed -n 's/^traceresponse: \(.*\).$/\1/p' "$DIR/head"; }

@test "a problem has the trace of its traceparent, in its body and a field" {
	ring judge
	[ "$(traced "00-$ID-$PARENT-01" -H 'tracestate: a=b')" = 400 ]
	[ "$(told)" = "$ID" ]
	[[ "$(field)" =~ ^00-$ID-[0-9a-f]{16}-00$ ]]
	[[ "$(field)" != *"-$PARENT-"* ]]
	# Those that are answered before the body, too, and without a body.
	[ "$(ask -H "traceparent: 00-$ID-$PARENT-00" http://x/no)" = 404 ]
	[ "$(told)" = "$ID" ]
	ask -D "$DIR/head" -I -H "traceparent: 00-$ID-$PARENT-00" http://x/no
	[[ "$(field)" == 00-$ID-* ]]
	[ ! -s "$DIR/err" ]
}

@test "what is no traceparent of version 00 is ignored: a new trace" {
	ring judge
	local bad last=
	for bad in '' x "00-$ID-$PARENT" "00-$ID-$PARENT-01-" \
		"00-${ID^^}-$PARENT-01" "01-$ID-$PARENT-01" \
		"00-00000000000000000000000000000000-$PARENT-01" \
		"00-$ID-0000000000000000-01" \
		"00-$ID-$PARENT-01, 00-$ID-$PARENT-01" "$(printf %4000s x)"; do
		[ "$(traced "$bad")" = 400 ]
		[[ "$(told)" =~ ^[0-9a-f]{32}$ ]]
		[ "$(told)" != "$ID" ]
		[ "$(told)" != "$last" ]
		[[ "$(field)" == 00-$(told)-* ]]
		last=$(told)
	done
	[ "$(traced "00-$ID-$PARENT-01" -H "traceparent: 00-$ID-$PARENT-01")" = 400 ]
	[ "$(told)" != "$ID" ]
	# And without any; also of what can't be read.
	[ "$(post x)" = 400 ]
	[[ "$(told)" =~ ^[0-9a-f]{32}$ ]]
	raw "${POST}Bad\r\n\r\n" | grep -q ',"trace_id":"[0-9a-f]\{32\}"}$'
}

@test "what was taken has no id; 207 has one in its field" {
	ring judge
	[ "$(ask -D "$DIR/head" -H "traceparent: 00-$ID-$PARENT-01" -d "$BODY" http://x/increment)" = 202 ]
	[ -z "$(field)" ]
	printf '%s\nx\n' "$BODY" | ask -D "$DIR/head" --data-binary @- \
		-H "traceparent: 00-$ID-$PARENT-01" http://x/increments
	grep -q ' 207 ' "$DIR/head"
	[[ "$(field)" == 00-$ID-* ]]
	[ ! -s "$DIR/err" ]
}

@test "503 and 504 are said with their trace, at most once a second" {
	local began=$SECONDS
	hand --verdict-timeout 0.2
	[ "$(traced "00-$ID-$PARENT-01")" = 504 ]
	[ "$(cat "$DIR/err")" = "incr-serve: request $ID: 504 unknown" ]
	seq -f 'url = "http://x/increment?%.0f"' 50 >"$DIR/urls"
	for _ in 1 2; do
		curl -sZ --parallel-max 50 -m 10 --unix-socket "$SOCK" -d x \
			-o /dev/null -H "traceparent: 00-$ID-$PARENT-01" \
			-K "$DIR/urls"
		said_all() { [ "$(said)" = $((n + 50)) ]; }
		n=${n:-1}
		wait_for 5 said_all
		n=$((n + 50))
	done
	[ "$(wc -l <"$DIR/err")" -le $((SECONDS - began + 2)) ]
	run ! grep -vE "^incr-serve: request $ID: 504 unknown(, and [0-9]+ more)?$" "$DIR/err"
}
# said: the requests that all lines so far stand for
said() { awk '{ n++ } / more$/ { n += $(NF - 1) } END { print n }' "$DIR/err"; }

@test "503 that is the server's own says why" {
	hand --max-in-flight 1
	post 3>&- >"$DIR/code" &
	remember $!
	wait_for 5 lines_are 1
	why() { sed -n "\$s/^incr-serve: request $ID: 503 unavailable: //p" "$DIR/err"; }
	why_is() { traced "00-$ID-$PARENT-01" && [ "$(why)" = "$1" ]; }
	wait_for 5 why_is 'too many lines in flight (--max-in-flight)'
	kill -9 "$VERDICTS"
	status_is 111

	rm "$DIR/status" "$PORTS" "$DIR/err" "$LINES_OUT"
	ring keep --max-batches 1
	exec {tcp}<>"/dev/tcp/127.0.0.1/$PORT"
	printf 'POST /increments HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx\n' >&$tcp
	wait_for 5 lines_are 1 # it has the place
	refused() {
		ask -H "traceparent: 00-$ID-$PARENT-01" -d x http://x/increments
		[ "$(why)" = 'too many requests of many lines (--max-batches)' ]
	}
	wait_for 5 refused
	exec {tcp}>&-
}

@test "a 207 for lines that the queue did not take is said, a 400 is not" {
	hand
	printf '%s\nx\n' "$BODY" | ask --data-binary @- \
		-H "traceparent: 00-$ID-$PARENT-01" http://x/increments >"$DIR/code" &
	wait_for 5 lines_are 2
	{
		echo "$BODY"
		echo '{"error":{"code":"unavailable","detail":"x","line":2}}'
	} >>"$DIR/say"
	wait $!
	[ "$(cat "$DIR/code")" = 207 ]
	[ "$(cat "$DIR/err")" = "incr-serve: request $ID: 207 unavailable" ]
	# What was not said by the end is said then; that it is unready is not.
	wait_for 5 ready_is 503
	ask -H "traceparent: 00-$ID-$PARENT-01" -d x http://x/increment >"$DIR/code" &
	wait_for 5 lines_are 3
	kill -TERM "$SERVE"
	echo '{"error":{"code":"unknown","detail":"x","line":3}}' >>"$DIR/say"
	wait $!
	kill "$VERDICTS"
	status_is 0
	grep -qx "incr-serve: request $ID: 504 unknown" "$DIR/err"
	not grep -q not-ready "$DIR/err"
}
