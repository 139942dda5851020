#!/usr/bin/env bats
# What others have sent does not command the terminal on which it is shown.

bats_require_minimum_version 1.5.0
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	use_redis
}

teardown() { end_background; }

# A title, a colour, both bytes of CSI, a backspace and a return, in one line.
EVIL=$'evil\e]0;title\a\e[31m\x9b1m\xc2\x9b2mred\b\r'

# on_terminal COMMAND...: what it shows there, on both descriptors, into shown
on_terminal() {
	printf '%q ' "$@" >typed
	script -qec "exec $(cat typed)" /dev/null </dev/null >shown.raw
	# The terminal's own end of a line.
	sed 's/\r$//' shown.raw >shown
}

# harmless FILE: not a byte in it that a terminal obeys
harmless() {
	[ -s "$1" ] || { echo "$1: empty"; return 1; }
	! LC_ALL=C grep -qaP '[^\t\x20-\x7e]' "$1" || {
		echo "$1:"
		cat -v "$1"
		return 1
	}
}

# has_evil FILE: its text arrived there
has_evil() { grep -qF 'evil\x1b]0;title\x07\x1b[31m\x9b1m\xc2\x9b2mred' "$1"; }

@test "incr-consume: control bytes are escaped on a terminal, and in no pipe" {
	printf %s "$EVIL" | put_stdin
	printf '{"key":\t"\xc3\xa9"}' | put_stdin
	incr-consume -o | head -n 3 >piped
	printf '%s\n{"key":\t"\xc3\xa9"}\n' "$EVIL" | diff - <(sed 1d piped)
	rcli del "incr::queue::[$INCR_QUEUE]::consumers" >/dev/null
	printf %s "$EVIL" | put_stdin
	printf '{"key":\t"\xc3\xa9"}' | put_stdin
	on_terminal timeout 20 incr-consume -o
	harmless shown
	has_evil shown
	grep -qF '{"key":'$'\t''"\xc3\xa9"}' shown
	[ "$(grep -c '^{"checkpoint":{' shown)" -ge 2 ]
	# A file and a device that is none are as they were.
	printf %s "$EVIL" | put_stdin
	incr-consume -o >file
	grep -qF "$EVIL" file
}

@test "publish, serve and metrics: the same" {
	# A return between the members is JSON.
	printf '{"key":"%s",\r"value":1}\n{"error":{"code":"not-json","detail":"%s","line":2}}\n%s\n' \
		"$KEY" "$EVIL" "$EVIL" >lines
	on_terminal sh -c 'incr-publish -e <lines' || :
	harmless shown

	mkdir metrics
	printf '# HELP incr_x x\n# TYPE incr_x gauge\nincr_x{a="%s"} 1\n' \
		"$EVIL" >metrics/incr-x-h-1-1.prom
	on_terminal incr-metrics "$PWD/metrics"
	has_evil shown
	harmless shown
	incr-metrics "$PWD/metrics" | grep -qF "$EVIL"

	# Its requests go there, and nobody answers.
	printf '%s' "$EVIL" >body
	mkfifo verdicts
	background setsid script -qec \
		"exec incr-serve -l '$PWD/s' --linger 0 0<>verdicts" \
		/dev/null </dev/null >shown.raw
	wait_for 10 test -S s
	background curl -s --unix-socket s --data-binary @body \
		http://localhost/increment
	wait_for 10 eval 'sed "s/\r$//" shown.raw >shown; has_evil shown'
	harmless shown
}

@test "dead letters, tables and tokens: the same" {
	printf %s "$EVIL" | rcli -x lpush \
		"rmq::queue::[$INCR_QUEUE]::rejected" >/dev/null
	on_terminal incr-rejected list
	has_evil shown
	harmless shown

	use_postgres
	sql "alter table increments add \"$(printf %s "${EVIL//$'\x9b'/}" |
		tr -d '\302')\" text not null"
	on_terminal incr-db create || :
	harmless shown
	grep -q 'does not belong there' shown
	sql 'drop table increments'
	sql "create table increments (key uuid, value text, updated_at text);
		insert into increments values ('$KEY', E'evil\\x1b[31m', E'\\u009b1m')"
	for options in '' -p; do
		# shellcheck disable=SC2086 # none or one
		on_terminal incr-db $options show
		grep -qF "$KEY" shown
		harmless shown
	done
	incr-db -p show | grep -qF $'evil\e[31m'

	printf '%s %064d\n' "$EVIL" 1 >tokens
	chmod 600 tokens
	on_terminal incr-token --tokens tokens list || :
	harmless shown
}

# evil KIND: a server of this kind; EVIL_AT is where
evil() {
	EVIL_AT=$PWD/$1
	[ "$1" != postgres ] || EVIL_AT=$PWD/.s.PGSQL.5432
	background perl "$ROOT/tests/bats/evil.pl" "$1" "$EVIL_AT"
	wait_for 5 test -e "$EVIL_AT"
}

# complains COMMAND...: without input, and its standard error is harmless
complains() {
	timeout 20 "$@" <"${INPUT:-/dev/null}" >/dev/null 2>err || :
	harmless err || {
		echo "$*"
		return 1
	}
}

@test "what servers say" {
	local p
	use_postgres
	increment 1 >line
	INPUT=line
	evil redis
	export REDIS_URL=unix://$EVIL_AT
	for p in incr-publish 'incr-consume -o' 'incr-rejected list' incr-audit; do
		# shellcheck disable=SC2086 # words
		complains $p -w 0.2
		grep -qF 'evil\x1b]0;title\x07' err
	done
	evil postgres
	for p in 'incr-flush -w 0.2' incr-audit 'incr-db show' 'incr-db create' \
		'incr-db clear -y' 'incr-db adopt -y'; do
		# shellcheck disable=SC2086 # words
		DATABASE_URL="postgresql://u@/d?host=$PWD" complains $p
		grep -qa evil err
	done
	evil http
	on_terminal sh -c "exec incr-send -w 0.2 \
		-u http://127.0.0.1:$(cat http)/increment <line" || :
	harmless shown
}

@test "what arguments and variables say" {
	local p
	for p in "$BIN"/incr-*; do
		p=${p##*/}
		complains "$p" "--$EVIL"
		complains "$p" "-$EVIL"
		complains env INCR_QUEUE="$EVIL" REDIS_URL="$EVIL" \
			DATABASE_URL="$EVIL" INCR_LISTEN="$EVIL" \
			INCR_URL="$EVIL" INCR_METRICS_DIR="$EVIL" \
			INCR_INGESTS="$EVIL" INCR_TOKENS="$EVIL" \
			INCR_KEEP="$EVIL" "$p" "$EVIL"
	done
	printf '%s\n' "$EVIL" '{"'"$EVIL"'":1}' |
		incr-validate >/dev/null 2>err || :
	harmless err
}
