#!/usr/bin/env bats
# How the programs are built: whose variables are honoured, hardening, and
# the same bytes in another folder.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() {
	unset MAKEFLAGS MAKELEVEL CC CFLAGS CPPFLAGS LDFLAGS PREFIX DESTDIR VERSION
	cd "$BATS_TEST_TMPDIR" || return
}

# copy_sources DIR: what a program is built from
copy_sources() {
	mkdir -p "$1/tests"
	cp -r "$ROOT"/{Makefile,*.mk,lib,src,bin,etc,man,sql,Caddyfile} \
		"$ROOT/openapi.yaml" "$1"
}

# told VARIABLE=VALUE...: the command that compiles a module and the one that
# links a program, with these in the environment and then as arguments
told() {
	env "$@" make -n -C copy bin/incr-metrics >environment
	make -n -C copy bin/incr-metrics "$@" >arguments
	diff environment arguments >&2
	grep -e '-c -o build/base/log.o' environment
	grep -e '-o bin/incr-metrics' environment
}

@test "variables are honoured from the environment and as arguments" {
	copy_sources copy
	rm -f copy/bin/incr-metrics
	told CC=clang CFLAGS=-O1\ -DMINE CPPFLAGS=-DTHEIRS LDFLAGS=-Wl,-O1 \
		VERSION=9.8.7 >commands
	[ "$(grep -c 'clang .*-O1 -DMINE' commands)" = 2 ]
	grep -q -e '-std=c17 .*INCR_VERSION=.*9\.8\.7.* -DTHEIRS -O1' commands
	grep -q -e '-pie .*-Wl,-O1 .*-Wl,--as-needed' commands
	[ "$(told CC=clang | grep -c 'clang .*-O2 -g')" = 2 ]
	[ "$(told CPPFLAGS= | grep -c 'gcc .*-O2 -g')" = 2 ]
}

@test "make install and uninstall honour PREFIX and DESTDIR as well" {
	copy_sources copy
	PREFIX=/opt/incr DESTDIR=$PWD/stage \
		make -s -C copy -o build install >/dev/null
	[ -x stage/opt/incr/bin/incr-up ]
	[ -s stage/opt/incr/share/man/man7/incr.7 ]
	PREFIX=/opt/incr DESTDIR=$PWD/stage make -s -C copy uninstall
	[ -z "$(ls -A stage)" ]
}

# The build of today's bin/, as a package would have it.
@test "programs are hardened" {
	local program
	make -s -C "$ROOT" build >/dev/null
	for program in validate publish consume flush serve send metrics \
		rejected audit; do
		program=$ROOT/bin/incr-$program
		readelf -hW "$program" | grep -q 'DYN (Position-Independent Exec'
		readelf -dW "$program" | grep -q 'FLAGS_1.*NOW.*PIE'
		readelf -lW "$program" | grep -q GNU_RELRO
		readelf -lW "$program" | grep -q 'GNU_STACK.* RW  '
		nm -D "$program" >symbols
		grep -q __stack_chk_fail symbols
		grep -qE '__[a-z]+_chk\>' symbols
	done
	[ "$(uname -m)" != x86_64 ] ||
		readelf -nW "$ROOT/build/base/log.o" |
		grep -q 'IBT, SHSTK'
}

@test "two folders build the same bytes" {
	local copy
	for copy in one another/folder; do
		copy_sources "$copy"
		rm -f "$copy"/bin/incr-{metrics,consume}
		make -s -C "$copy" CFLAGS='-O0 -g' bin/incr-metrics \
			bin/incr-consume >/dev/null
	done
	cmp one/bin/incr-metrics another/folder/bin/incr-metrics
	cmp one/bin/incr-consume another/folder/bin/incr-consume
	cmp one/build/libincr.a another/folder/build/libincr.a
}
