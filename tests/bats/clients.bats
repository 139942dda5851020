#!/usr/bin/env bats
# The clients of docs/clients.md: whatever happens to a request, its increment
# is counted once, and what is refused is not repeated.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

PAGE=$ROOT/docs/clients.md

# A server that is started again when it is killed, and whose socket stays.
setup() {
	use_redis
	use_postgres
	cd "$BATS_TEST_TMPDIR" || return
	DIR=$(mktemp -d /tmp/incr-clients.XXXXXX)
	unset http_proxy INCR_TOKEN
	background env --default-signal=INT,QUIT setsid \
		incr-listen "$DIR/s" -- incr-keep -p "$DIR/ingest.pid" ingest -- \
		incr-ingest >"$DIR/err" 2>&1
	keeper=$!
	wait_for 5 healthy "$DIR/s"
}

teardown() {
	kill "$keeper" 2>/dev/null || :
	wait_for 5 gone "$keeper"
	end_background
	rm -rf "$DIR"
}

# code LANGUAGE FILE: the page's program in this language
code() {
	awk -v start="^\`\`\`$1\$" '$0 ~ start { on = 1; next }
		/^```$/ { on = 0 } on' "$PAGE" >"$2"
	[ -s "$2" ]
}

# program LANGUAGE: the command that runs the page's program is in run.
program() {
	case $1 in
	sh)
		code sh all
		sed -n '/^count() {/,$p' all >x.sh
		run=(sh -eu x.sh)
		;;
	python)
		code python x.py
		run=(/usr/bin/python3 x.py)
		;;
	js)
		code js x.js
		run=(node x.js)
		;;
	go)
		code go x.go
		command -v go >/dev/null || skip 'not run: no go here'
		HOME=$PWD GOFLAGS=-mod=mod go build -o x x.go
		run=(./x)
		;;
	esac
}

# between FAULT...: INCR_URL is that of a server whose requests meet these.
between() {
	rm -f port
	background perl "$BATS_TEST_DIRNAME/faulty.pl" port "$DIR/s" \
		"$DIR/ingest.pid" "$@" >met
	wait_for 5 test -s port
	export INCR_URL
	INCR_URL=http://127.0.0.1:$(cat port)/increment
}

# survives LANGUAGE: every fault, with one key, and counts once; then another
# request is refused, and not repeated.
survives() {
	program "$1"
	between lose kill 503
	timeout 60 "${run[@]}" >out 2>&1 || { cat out met; return 1; }
	cat met
	[ "$(cut -d ' ' -f 1 met | xargs)" = 'lose kill 503 pass' ]
	[ "$(cut -d ' ' -f 2 met | sort -u | wc -l)" = 1 ]
	grep -qE '^pass "[0-9a-f-]{32,36}"$' met
	incr-consume -o | incr-flush
	[ "$(sum_of)" = 3 ]
	between 422
	run timeout 60 "${run[@]}"
	[ "$status" -ne 0 ]
	[ "$status" -ne 124 ]
	[ "$(cut -d ' ' -f 1 met | xargs)" = 422 ]
	[ "$(sum_of)" = 3 ]
}

@test "sh: counted once, whatever happens" { survives sh; }
@test "Python: counted once, whatever happens" { survives python; }
@test "JavaScript: counted once, whatever happens" { survives js; }
@test "Go: counted once, whatever happens" { survives go; }

@test "a file in pieces: each line is counted once, whatever happens" {
	code sh all
	sed '/^count() {/,$d' all >pieces
	increments 1 10 >increments.ndjson
	between lose pass 503 kill
	sh -eu pieces
	[ "$(cut -d ' ' -f 1 met | xargs)" = 'lose pass 503 kill pass pass' ]
	diff increments.ndjson verdicts
	# Typed once more.
	sh -eu pieces
	incr-consume -o | incr-flush
	[ "$(sum_of)" = 55 ]
}

@test "every program of the page is one of these" {
	grep -c '^```[a-z]' "$PAGE" | grep -qx 5
	[ "$(grep '^```[a-z]' "$PAGE" | sort -u | xargs)" = \
		'```go ```js ```python ```sh' ]
}
