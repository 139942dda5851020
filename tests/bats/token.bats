#!/usr/bin/env bats
# incr-token: makes, lists and revokes tokens.

bats_require_minimum_version 1.5.0
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export INCR_TOKENS=tokens
}

teardown() {
	end_background
	[ -z "${shared-}" ] || rm -rf "$shared"
}

sum() { printf %s "$1" | sha256sum | cut -c1-64; }
# Nothing else is left beside the file.
alone_there() { [ "$(ls)" = "${1-tokens}" ]; }

# with_user COMMAND...: on a machine with the user incr-ingest, whom root makes,
# where /etc/opt is ./opt
with_user() {
	mkdir -p etc opt
	grep -v '^incr-ingest:' /etc/passwd >etc/passwd
	grep -v '^incr-ingest:' /etc/group >etc/group
	echo 'incr-ingest:x:64990:64991::/:/bin/false' >>etc/passwd
	echo 'incr-ingest:x:64991:' >>etc/group
	# shellcheck disable=SC2016
	unshare -m sh -c 'mount --bind etc/passwd /etc/passwd &&
		mount --bind etc/group /etc/group &&
		mount --bind opt /etc/opt && exec "$@"' sh "$@"
}

@test "root makes a file that the user of the units can read, or is told" {
	[ "$(id -u)" = 0 ] || skip 'needs root'
	with_user true || skip 'can not mount'
	INCR_TOKENS=/etc/opt/tokens
	with_user incr-token new shop 2>said >token
	[ ! -s said ]
	[ "$(stat -c '%u %g %a' ./opt/tokens)" = '0 64991 640' ]
	# One that was made by hand, and what is in no folder of theirs.
	chgrp 0 opt/tokens
	chmod 600 opt/tokens
	with_user incr-token new other 2>said >token
	[ "$(cat said)" = "incr-token: /etc/opt/tokens: user incr-ingest, who runs incr-serve, can't read it; see incr-token(1)" ]
	[ "$(stat -c '%u %g %a' ./opt/tokens)" = '0 0 600' ]
	chgrp 64991 opt/tokens
	chmod 640 opt/tokens
	with_user incr-token revoke other 2>said
	[ ! -s said ]
	chmod 700 opt
	with_user incr-token revoke shop 2>said
	grep -q "can't read it" said
}

@test "new: prints a token, and the file has its digest, not for others" {
	token=$(incr-token new shop)
	[[ "$token" =~ ^incr_[A-Za-z0-9_-]{43}$ ]]
	[ "$(cat tokens)" = "shop $(sum "$token")" ]
	mode=600
	[ "$(id -u)" != 0 ] || ! id incr-ingest || mode=640
	[ "$(stat -c %a tokens)" = "$mode" ]
	chmod 644 tokens
	other=$(incr-token --rate 5/s:9 new other)
	[ "$other" != "$token" ]
	[ "$(tail -n 1 tokens)" = "other $(sum "$other") 5/s:9" ]
	[ "$(stat -c %a tokens)" = 644 ]
	[ "$(incr-token list)" = $'shop\tdefault\nother\t5/s:9' ]
	not grep -q -e "$token" -e "$other" tokens
	alone_there
}

@test "new: a name that is there is refused, others and comments stay" {
	printf '# one\n\n a\t%s - # x\n#b %s' "$(sum a)" "$(sum b)" >tokens
	cp tokens before
	run -100 incr-token new a
	[ "${#lines[@]}" -eq 1 ]
	cmp before tokens
	# b stands in a comment; the last line had no newline.
	token=$(incr-token new b)
	[ "$(cat tokens)" = "$(cat before)"$'\n'"b $(sum "$token")" ]
	[ "$(incr-token list)" = $'a\t-\nb\tdefault' ]
}

@test "revoke: takes one name out and leaves the rest as it was" {
	printf '# shop\nshop %s\n\tshop2 %s 1/s#\nx %s # shop\n' "$(sum a)" \
		"$(sum b)" "$(sum c)" | sed 's/#$/ #/' >tokens
	incr-token revoke shop
	[ "$(cat tokens)" = $'# shop\n\tshop2 '"$(sum b) 1/s #"$'\nx '"$(sum c) # shop" ]
	run -100 incr-token revoke shop
	[ "${#lines[@]}" -eq 1 ]
	incr-token revoke shop2
	incr-token revoke x
	[ "$(cat tokens)" = '# shop' ]
	[ -z "$(incr-token list)" ]
	alone_there
}

@test "add: one more token of a name, behind the others; drop takes the oldest" {
	printf '# one\n a.b\t%s  5/s # x\naxb %s' "$(sum a)" "$(sum x)" >tokens
	token=$(incr-token add a.b)
	[[ "$token" =~ ^incr_[A-Za-z0-9_-]{43}$ ]]
	printf '# one\n a.b\t%s,%s  5/s # x\naxb %s\n' "$(sum a)" \
		"$(sum "$token")" "$(sum x)" | cmp - tokens
	[ "$(incr-token list)" = $'a.b\t5/s\t2 tokens\naxb\tdefault' ]
	third=$(incr-token add a.b)
	[ "$(incr-token list | head -n 1)" = $'a.b\t5/s\t3 tokens' ]
	incr-token drop a.b
	incr-token drop a.b
	printf '# one\n a.b\t%s  5/s # x\naxb %s\n' "$(sum "$third")" \
		"$(sum x)" | cmp - tokens
	# The last one is nobody's to drop; that is what revoke is for.
	cp tokens before
	run -100 incr-token drop a.b
	[ "$output" = 'incr-token: a.b: has one token only; revoke takes the name out' ]
	for command in 'add b' 'drop b'; do
		# shellcheck disable=SC2086
		run -100 incr-token $command
		[[ "$output" == 'incr-token: b: not in '* ]]
	done
	run -111 sh -c 'incr-token add a.b >/dev/full'
	cmp before tokens
	incr-token add a.b >/dev/null
	incr-token revoke a.b
	[ "$(incr-token list)" = $'axb\tdefault' ]
	# A name that reads like a digest stays a name.
	printf '%s %s' "$(sum a)" "$(sum a)" >tokens
	token=$(incr-token add "$(sum a)")
	[ "$(cat tokens)" = "$(sum a) $(sum a),$(sum "$token")" ]
	rm before
	alone_there
}

# rotate N: the Nth block of the page's commands that replace a token
rotate() {
	awk -v n="$1" '/^\.\\" rotate/ { k++ } k == n && /^\.Ed/ { exit }
		k == n && !/^\./' "$ROOT/man/incr-token.1" >"block.$1"
	[ -s "block.$1" ]
	sh -eu "block.$1"
}

@test "the page's way to replace a token: no gap, and keys stay the client's" {
	use_redis
	incr-token new shop >shop.token
	export INCR_METRICS_DIR=$PWD/metrics
	mkdir metrics stubs
	background incr-ingest -l ./s --linger 0
	serve=$!
	wait_for 10 healthy ./s
	# What systemctl is told, the server hears.
	# shellcheck disable=SC2016
	printf '#!/bin/sh\n[ "$*" = "reload incr-ingest@*.service" ] && kill -HUP %s\n' \
		"$serve" >stubs/systemctl
	chmod +x stubs/systemctl
	PATH=$PWD/stubs:$PATH
	# code TOKENFILE KEY VALUE
	code() {
		sed 's/.*/header = "Authorization: Bearer &"/' "$1" >config
		curl -s -m 10 -K config -H "Idempotency-Key: $2" -o body \
			-w '%{http_code}' -d "$(increment "$3")" \
			--unix-socket ./s http://x/increment
	}
	old() { rotate 2 | awk '{ print $2 }'; }
	old_is() { [ "$(old)" = "$1" ]; }
	is() { [ "$(code "${@:2}")" = "$1" ]; }
	[ "$(code shop.token k 3)" = 202 ]
	rotate 1
	wait_for 5 is 202 shop.new other 1
	# Both are valid, both are one client to the queue.
	[ "$(code shop.new k 3)" = 202 ]
	[ "$(code shop.new k 4)" = 422 ]
	[ "$(code shop.token other 1)" = 202 ]
	[ "$(code shop.token other 2)" = 422 ]
	[ "$(ready)" = 2 ]
	wait_for 5 old_is 2
	rotate 3
	wait_for 5 is 401 shop.token k 3
	[ "$(code shop.new k 3)" = 202 ]
	[ "$(ready)" = 2 ]
	[ "$(old)" = 2 ]
}

@test "what it makes incr-serve takes, and what it revokes no longer" {
	incr-token new shop >shop.token
	incr-token --rate - new bar >bar.token
	code() {
		sed 's/.*/header = "Authorization: Bearer &"/' "$1" >config
		curl -s -m 5 -K config -o body -w '%{http_code}' -d x \
			--unix-socket ./s http://x/increment
	}
	mkfifo v
	exec {v}<>v
	background incr-serve -l ./s --linger 0 --tokens tokens \
		--max-in-flight 1 --verdict-timeout 0.1 <&$v >lines
	serve=$!
	wait_for 5 curl -s --unix-socket ./s http://x/health/live
	# Nobody gives verdicts: 504 is what a taken one gets.
	[ "$(code shop.token)" = 504 ]
	[ "$(code bar.token)" = 403 ]
	incr-token revoke shop
	kill -HUP "$serve"
	refused() { [ "$(code shop.token)" = 401 ]; }
	wait_for 5 refused
	exec {v}>&-
}

@test "new: nothing is added if the token could not be printed" {
	incr-token new first >/dev/null
	cp tokens before
	run -111 sh -c 'incr-token new second >/dev/full'
	[ "$output" = 'incr-token: stdout: not written' ]
	cmp before tokens
	rm before
	alone_there
}

@test "ten at once: all are there, each once" {
	local pids=() i
	for i in $(seq 10); do
		background incr-token new "n$i" >"t$i"
		pids+=($!)
	done
	wait "${pids[@]}"
	[ "$(incr-token list | sort | uniq | wc -l)" -eq 10 ]
	for i in $(seq 10); do
		grep -qx "n$i $(sum "$(cat "t$i")")" tokens
	done
}

# At the two steps behind which the file is another: sync, and mv.
@test "killed on its way, the file is as before or as it should be" {
	incr-token new a >/dev/null
	cp tokens before
	mkdir stubs
	# shellcheck disable=SC2016
	for when in 'sync kill -9 $PPID' 'mv kill -9 $PPID' \
		'mv command -p mv "$@"; kill -9 $PPID'; do
		rm -f stubs/*
		printf '#!/bin/sh\n%s\n' "${when#* }" >"stubs/${when%% *}"
		chmod +x stubs/*
		PATH=$PWD/stubs:$PATH run -137 incr-token new b
		case $when in
		*command*) [ "$(incr-token list | wc -l)" -eq 2 ] ;;
		*) cmp before tokens ;;
		esac
	done
}

@test "a link stays a link; a file keeps its owner, group and mode" {
	mkdir real
	ln -s real/tokens tokens
	incr-token new a >/dev/null
	[ -L tokens ] && [ -s real/tokens ]
	chmod 640 real/tokens
	incr-token new b >/dev/null
	[ "$(stat -c %a real/tokens)" = 640 ]
	[ "$(id -u)" = 0 ] || return 0
	chown root:postgres real/tokens
	incr-token new c >/dev/null
	incr-token revoke a
	[ "$(stat -c '%U:%G %a' real/tokens)" = 'root:postgres 640' ]
	chown postgres real/tokens
	incr-token new d >/dev/null
	[ "$(stat -c '%U:%G %a' real/tokens)" = 'postgres:postgres 640' ]
}

@test "who can't keep the owner of the file changes nothing" {
	[ "$(id -u)" = 0 ] || skip 'needs root'
	shared=$(mktemp -d /tmp/incr-token.XXXXXX) # bats' folder is root's
	cp "$BIN/incr-token" "$shared/"
	incr-token --tokens "$shared/tokens" new a >/dev/null
	chmod 777 "$shared"
	chmod 644 "$shared/tokens"
	cp "$shared/tokens" before
	run -111 as_postgres "$shared/incr-token" --tokens "$shared/tokens" new b
	[[ "$output" == "incr-token: $shared/tokens: not changed, "* ]]
	cmp before "$shared/tokens"
	[ "$(ls "$shared" | wc -l)" = 2 ]
}

@test "root changes no file where others can put a link in its place" {
	[ "$(id -u)" = 0 ] || skip 'needs root'
	mkdir -p ours/deep
	incr-token --tokens ours/deep/tokens new a >/dev/null
	cp ours/deep/tokens before
	is_refused() { # REASON
		for command in 'new b' 'add a' 'drop a' 'revoke a'; do
			# shellcheck disable=SC2086
			run -100 incr-token --tokens ours/deep/tokens $command
			[ "$output" = "incr-token: $1" ]
			cmp before ours/deep/tokens
			[ "$(ls ours/deep)" = tokens ]
		done
	}
	for at in "$PWD/ours" "$PWD/ours/deep"; do
		chown nobody "$at"
		is_refused "$at: belongs to nobody, not to root"
		chown root "$at"
		for mode in 757 1777 2775; do
			[ "$at$mode" != "$PWD/ours1777" ] || continue
			chgrp nogroup "$at"
			chmod "$mode" "$at"
			is_refused "$at: others may write it; run: chmod go-w $at"
			chgrp root "$at"
			chmod 0755 "$at"
			chmod g-s "$at"
		done
	done
	chmod 1777 ours
	chmod 775 ours/deep
	incr-token --tokens ours/deep/tokens add a >/dev/null
}

@test "nobody else can lock root out, and so keep a token valid" {
	[ "$(id -u)" = 0 ] || skip 'needs root'
	open_folder
	incr-token new a >/dev/null
	background setpriv --reuid nobody --regid nogroup --clear-groups \
		flock . sh -c 'echo held; exec sleep infinity' >holds
	wait_for 5 grep -q held holds
	timeout 8 incr-token revoke a
	[ -z "$(incr-token list)" ]
	[ "$(stat -c '%U %a' .incr-token.lock)" = 'root 600' ]
}

@test "a file that others may write is refused, by incr-serve, too" {
	incr-token new a >/dev/null
	chmod 606 tokens
	for command in list 'new b' 'revoke a'; do
		# shellcheck disable=SC2086
		run -100 incr-token $command
		[[ "$output" == 'incr-token: '*'tokens: writable by others' ]]
		[ "${#lines[@]}" -eq 1 ]
	done
	run -100 incr-serve --tokens tokens -l ./s </dev/null
	[[ "$output" == *'tokens: writable by others'* ]]
	# Those of its group may.
	chmod 660 tokens
	incr-token list
}

@test "a full disk: 111, said in one line, the file is as before" {
	# What is written to any file fails.
	full() { run -111 sh -c "trap '' XFSZ; ulimit -f 0; exec $*"; }
	full incr-token new a
	[[ "$output" == "incr-token: $PWD/tokens."*': not written' ]]
	alone_there ''
	incr-token new a >/dev/null
	incr-token new z >/dev/null
	cp tokens before
	full incr-token new b
	[[ "$output" == "incr-token: $PWD/tokens."*': not written' ]]
	cmp before tokens
	full incr-token revoke a
	[[ "$output" == "incr-token: $PWD/tokens."*': not written' ]]
	cmp before tokens
	rm before
	alone_there
	for out in '>/dev/full' '>&-'; do
		run -111 sh -c "incr-token list $out"
		[ "$output" = 'incr-token: stdout: not written' ]
	done
}

@test "a faulty file is named with its line, and not touched" {
	for text in 'a b' 'a' "a $(sum a) 1/s x" $'a '"$(sum a)"$'\r' \
		"a:b $(sum a)" $'\x9b2J '"$(sum a)" ".a $(sum a)" \
		"$(printf %065d 0) $(sum a)" "a $(sum a) 1/m" \
		"a $(sum a) "$'1/s\x9b2J' "a $(sum a)," "a ,$(sum a)" \
		"a $(sum a),,$(sum b)" "a $(sum a), $(sum b)"; do
		printf '# one\n%s\n' "$text" >tokens
		cp tokens before
		for command in list 'new b' 'revoke a' 'add a' 'drop a'; do
			# shellcheck disable=SC2086
			run -100 incr-token $command
			[[ "$output" == *"tokens:2: "* ]]
			[ "${#lines[@]}" -eq 1 ]
		done
		cmp before tokens
	done
}

@test "usage errors are 100, in one line" {
	wrong() {
		run -100 incr-token "$@"
		[ "${#lines[@]}" -eq 1 ]
		[[ "$output" == 'incr-token: '* ]]
	}
	wrong
	wrong new
	wrong new a b
	wrong add
	wrong drop a b
	wrong --rate 1/s add a
	wrong list a
	wrong make a
	wrong --secret=x new a
	not grep -q secret=x <<<"$output"
	for name in '' -- .a -a 'a b' a:b "$(printf %065d 0)" ä; do
		wrong new "$name"
	done
	for rate in 0/s 1 1/m 1/s: 1/s:0 1000001/s x --; do
		wrong --rate "$rate" new a
	done
	wrong --rate 1/s revoke a
	wrong --tokens /no/such/folder/tokens new a
	wrong --tokens . list
	INCR_TOKENS='' wrong list
	rm -f tokens
	wrong list
	wrong revoke a
	wrong add a
	wrong drop a
	[ ! -e tokens ]
	run incr-token --help
	[[ "${lines[0]}" == 'usage: incr-token '* ]]
	for option in --help -V; do
		run -111 sh -c "incr-token $option >/dev/full 2>/dev/null"
	done
}
