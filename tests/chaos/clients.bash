# Who sends, and what each was told.  A client sends items, "KEY VALUE", and
# writes what became of each into said.CLIENT, with tabs:
#
#	CLASS KEY VALUE counted|perhaps|refused WHY WHEN
#
# WHEN is the time of the first 202, if it was looked at.
#
# Most items have a key that nobody else uses; some share a few keys, with
# values that together are more than an int64.
# shellcheck shell=bash

ITEMS=40   # of one turn of a client,
MANY=3000  # of every seventh, if it can send many at once

start_clients() {
	client 1 post caddy-proxied "http://127.0.0.1:$port_px"
	client 2 post caddy "http://127.0.0.1:$port_b"
	client 3 post direct a
	client 4 keyed
	client 5 send "http://127.0.0.1:$port_px"
	client 6 send "http://127.0.0.1:$port_b" --single
	client 7 send "http://127.0.0.1:$port_px" --no-keys
	client 8 publish
	client 9 tagged
	client 10 silent
	[ "${ABSENT-}" = plain ] || client 11 plain
	client 12 letters
	client 13 once
	client 14 audit
}

# client NUMBER KIND [ARG...]: the function KIND again and again, in files of
# its own.
client() {
	(
		trap - EXIT
		number=$1 turn=0 my=$D/client.$1
		shift
		: >"$D/said.$number"
		while [ -e "$D/send" ]; do
			turn=$((turn + 1))
			count=$ITEMS
			case $1 in
			send | publish | tagged | silent | plain)
				((turn % 7)) || count=$MANY
				;;
			esac
			items >"$my.items"
			"$@" 2>>"$my.err"
			sleep 0.2
		done
	) &
	clients+=($!)
}

items() {
	awk -v s=$((SEED % 65536)) -v c="$number" -v t="$turn" -v n="$count" '
	BEGIN {
		srand(s * 4096 + c * 256 + t % 256)
		for (i = 0; i < n; i++)
			if (i % 20 == 11)
				print shared(99), "9223372036854775807"
			else if (i % 5 == 3)
				printf "%s %d\n", shared(int(rand() * 4)),
				    1 + rand() * 1000000000000
			else
				printf "%08x-%04x-4000-8000-%012x %d\n",
				    t, s, c * 10000 + i, 1 + rand() * 9
	}
	function shared(which) {
		return sprintf("00000000-%04x-4000-9000-%012x", s, which)
	}'
}

lines() { awk '{ printf "{\"key\":\"%s\",\"value\":%s}\n", $1, $2 }'; }

# say CLASS ANSWERS...: what became of the items, from lines "NUMBER STATUS
# EXIT TIME", where STATUS is that of HTTP and EXIT curl's; one without is not
# known.  What was answered 202 anywhere has been counted.
say() {
	awk -v class="$1" -v OFS='\t' '
	FILENAME != ARGV[ARGC - 1] {
		said[$1] = said[$1] " " $2 ($3 ? "/" $3 : "")
		if ($2 == 202) {
			counted[$1] = 1
			if ($4 && !(when[$1] && when[$1] < $4)) when[$1] = $4
		}
		else if ($2 !~ /^(503|408|429)$/ && $3 != 7)
			perhaps[$1] = 1
		next
	}
	{
		v = "refused"
		if (perhaps[FNR] || !(FNR in said)) v = "perhaps"
		if (counted[FNR]) v = "counted"
		print class, $1, $2, v, said[FNR], \
		    when[FNR] ? when[FNR] : "\\N"
	}' "${@:2}" "$my.items" >>"$D/said.$number"
}

# -- HTTP --------------------------------------------------------------------

# ask WHERE [KEYS]: sends the items to a URL or a supervisor's ingests, with
# idempotency keys that begin with KEYS.  No connection is used twice: curl
# repeats a POST when one was closed.
ask() {
	local url=$1 socket='' line
	case $1 in
	a | b)
		url=http://localhost
		socket=$(sockets "$1")/ingest-$((1 + turn % 2)).sock
		;;
	esac
	awk -v url="$url" -v socket="$socket" -v keys="${2-}" '
	NR > 1 { print "next" }
	{
		print "url = " url "/increment"
		if (socket) print "unix-socket = " socket
		print "max-time = 4\nsilent\noutput = /dev/null"
		print "header = \"Connection: close\""
		if (keys)
			print "header = \"Idempotency-Key: " keys NR "\""
		print "data = \"{\\\"key\\\":\\\"" $1 "\\\",\\\"value\\\":" \
		    $2 "}\""
		print "write-out = \"%{stderr}" NR \
		    " %{http_code} %{exitcode}\\n\""
	}' "$my.items" | curl -K - 2>&1 >/dev/null | while read -r line; do
		echo "$line $EPOCHREALTIME"
	done
}

post() { # CLASS WHERE
	ask "$2" >"$my.1"
	say "$1" "$my.1"
}

# Each three times, twice of them at once.
keyed() {
	local keys=$SEED-$number-$turn- other
	ask "http://127.0.0.1:$port_px" "$keys" >"$my.1" &
	other=$!
	ask b "$keys" >"$my.2"
	wait "$other"
	ask "http://127.0.0.1:$port_b" "$keys" >"$my.3"
	say keyed "$my.1" "$my.2" "$my.3"
}

send() { # URL [OPTION]
	lines <"$my.items" >"$my.lines"
	"${through[@]}" incr-send -u "$1/increment" -w 10 --timeout 4 ${2+"$2"} \
		<"$my.lines" >"$my.verdicts"
	echo "incr-send $?" >>"$D/statuses"
	compare "$my.verdicts" >"$my.1"
	say "send${2-}" "$my.1"
}

# compare VERDICTS: a line that came back is taken
compare() {
	awk 'FNR == NR { line[FNR] = $0; next }
	{
		status = "odd"
		if ($0 == line[FNR]) status = 202
		if ($0 ~ /"code":"unavailable"/) status = 503
		if ($0 ~ /"code":"unknown"/) status = 504
		print FNR, status
	}' "$my.lines" "$1"
}

# -- past HTTP ---------------------------------------------------------------

publish() {
	lines <"$my.items" >"$my.lines"
	publish_lines "$my.1" -e
	say publish "$my.1"
}

publish_lines() { # ANSWERS OPTION...
	"${through[@]}" incr-publish "${@:2}" <"$my.lines" >"$1.verdicts"
	echo "incr-publish $?" >>"$D/statuses"
	compare "$1.verdicts" >"$1"
}

# The same lines twice, under the same tags, now and then at once.
tagged() {
	lines <"$my.items" | awk -v p="$SEED-$number-$turn" -v OFS='\t' \
		'{ print p "-" NR, $0 }' >"$my.lines"
	publish_lines "$my.1" -et --idempotency-window 86400 &
	other=$!
	((turn % 2)) || wait "$other"
	publish_lines "$my.2" -et --idempotency-window 86400
	wait "$other"
	say tagged "$my.1" "$my.2"
}

# Nothing is answered but the status, which is for all of them.
silent() {
	lines <"$my.items" | "${through[@]}" incr-publish
	by_status silent incr-publish $?
}

plain() {
	lines <"$my.items" >"$my.lines"
	"${through[@]}" incr-flush -i 1 <"$my.lines"
	by_status plain incr-flush $?
}

by_status() { # CLASS PROGRAM STATUS
	echo "$2 $3" >>"$D/statuses"
	: >"$my.1"
	[ "$3" != 0 ] || seq "$count" | sed 's/$/ 202/' >"$my.1"
	say "$1" "$my.1"
}

# Counts nothing of its own: a drain of a crontab's kind.
once() {
	local queue
	queue=$(a_queue "$turn")
	"${through[@]}" incr-consume -o -n 50 -q "$queue" |
		"${through[@]}" incr-flush -i 1 -q "$queue"
	echo "incr-consume ${PIPESTATUS[0]}" >>"$D/statuses"
	sleep 2
}

# Sends nothing: whenever it can tell where everything is, nothing may be
# missing (1).
audit() {
	"${through[@]}" incr-audit >"$my.1"
	echo "incr-audit $?" >>"$D/statuses"
	sleep 1
}

# -- payloads of other programs ----------------------------------------------

# The queue, or a shard of it.
a_queue() { echo "$INCR_QUEUE"; } # NUMBER

# Puts what an RMQ program might on the queue, past the proxy: bad ones and
# good ones.
letters() {
	local n=$turn file=$D/letters/$turn key
	bad_letter "$n" >"$file"
	push "bad$n" "$file"
	: >"$my.1"
	head -n 2 "$my.items" >"$my.some"
	mv "$my.some" "$my.items"
	n=0
	while read -r key value; do
		n=$((n + 1))
		printf '%b{ "value": %s,\n "key": "%s"\n}' \
			'\xff\x00\xbe\xbeJ{"a":["b"]}\n' "$value" "$key" \
			>"$my.letter"
		push "$key" "$my.letter" && echo "$n 202" >>"$my.1"
	done <"$my.items"
	say rmq "$my.1"
}

# push NAME FILE: once, however often it must be tried, so that no failover
# can take it back
push() {
	local home queue key pushed
	queue=$(a_queue "$turn")
	key=$(key_of rmq "$queue" ready) pushed=$(key_of chaos "$queue" pushed)
	until home=$(home_of "$key") && [ "$(redis-cli -s "$home/redis.sock" -x eval "
		if redis.call('SADD', KEYS[2], ARGV[1]) == 1 then
			redis.call('LPUSH', KEYS[1], ARGV[2])
		end
		return 1" 2 "$key" "$pushed" \
		"$1" <"$2" 2>/dev/null)" = 1 ] && replicated "$home" "$pushed"; do
		sleep 0.1
	done
}

# Everything that this Redis has is where it would be after a failover.
replicated() { :; } # HOME KEY

bad_letter() { # NUMBER
	local header='\xff\x00\xbe\xbeJ'
	case $(($1 % 10)) in
	0) printf 'no increment %s' "$1" ;;
	1) printf '{"checkpoint":{"queue":"chaos","consumer":"%s","seq":1,"lines":1,"taken":%s,"adopted":false}}' \
		"$KEY" "$1" ;;
	2) printf '{"error":{"code":"unavailable","detail":"","line":%s}}' "$1" ;;
	3) printf '%bbad\n\n%s\n' "$header{\"a\":[\"$1\"]}\n" "$1" ;;
	4) printf '%bno end of a header %s' "$header" "$1" ;;
	5) printf '%b%s' "$header{no json}\n" "$1" ;;
	6) printf '%b' "$(printf '\\x%02x' {0..255})$1" ;;
	7) printf '%05000d' "$1" ;;
	8) printf '{"key":"%s","value":-%s}' "$KEY" "$1" ;;
	9) printf '\n\n{"checkpoint":{"seq":%s}}\n\n' "$1" ;;
	esac
}
