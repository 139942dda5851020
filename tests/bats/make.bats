#!/usr/bin/env bats
# The goals of the Makefile, in a copy of the tree.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() {
	unset MAKEFLAGS MAKELEVEL
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	end_background
	[ -z "${INCR_STATE:-}" ] || rm -rf "$INCR_STATE"
}

# The tree as it is, with what is built in bin/, so that make has no work.
copy_tree() {
	mkdir copy
	tar -C "$ROOT" -cf - --exclude=./.git --exclude=./var \
		--exclude='./build/?*/*' . | tar -C copy -xf -
}

listing() { (cd "$1" && find . | LC_ALL=C sort); }

# A compiler, a linker, a link to a script, an installation and Caddy each read
# the name of the folder.  What is built of the rest is taken over.
@test "the tree may be in a folder with spaces and a quote in its name" {
	local tree="a  b/it's" part skip=()
	mkdir -p "$tree"
	for part in asan points unit fuzz bench chaos check long deb; do
		skip+=("--exclude=./build/$part")
	done
	tar -C "$ROOT" -cf - --exclude=./.git --exclude=./var "${skip[@]}" . |
		tar -C "$tree" -xf -
	touch "$tree"/{lib/base/num.c,src/incr-validate.c}
	make -s -C "$tree" CFLAGS='-O0 -g' bin/incr-validate
	[ "$tree/build/base/num.o" -nt "$tree/lib/base/num.c" ]
	increments 1 1 >line
	"$tree/bin/incr-validate" <line | diff line -
	# The same bytes, whatever the folder is called.
	run ! grep -qF "it's" "$tree/bin/incr-validate"
	make -n -C "$tree" points | grep '^ln ' >links
	mkdir -p "$tree/build/points/bin"
	(cd "$tree" && sh -eu "$OLDPWD/links" && build/points/bin/incr-up --help) >help
	[ -s help ]
	make -s -C "$tree" -o build install PREFIX=/usr DESTDIR="$PWD/a  b/d's"
	[ -x "a  b/d's/usr/bin/incr-up" ]
	make -s -C "$tree" uninstall PREFIX=/usr DESTDIR="$PWD/a  b/d's"
	[ -z "$(find "a  b/d's" -type f)" ]
	(cd "$tree" && INCR_PAGE_PORT=1 INCR_PAGE_FROM=127.0.0.1:2 \
		INCR_PAGE_FILES=$PWD/etc/dashboard/page \
		caddy adapt --config Caddyfile --adapter caddyfile) >adapted
	grep -qF "\"root\":\"$PWD/$tree/etc/dashboard/page\"" adapted
}

@test "install honours PREFIX and DESTDIR, uninstall leaves it as before" {
	mkdir -p stage/opt/x/bin stage/opt/x/share/man
	touch stage/opt/x/bin/other
	listing stage >before
	for _ in 1 2; do
		BIN=$BIN PREFIX=/opt/x DESTDIR=$PWD/stage "$ROOT/etc/install" \
			incr-up incr-drain incr-validate
	done
	for file in bin/incr-up bin/incr-validate share/incr/Caddyfile \
		share/incr/nginx.conf share/incr/run-nginx \
		share/incr/openapi.yaml share/incr/clients.md \
		share/incr/schema.sql share/man/man1/incr-up.1 \
		share/incr/prometheus/prometheus.yml \
		share/incr/prometheus/incr.rules.yml \
		share/incr/dashboard/grafana.json \
		share/incr/dashboard/page/index.html \
		share/incr/dashboard/page/uplot-1.6.32/LICENSE \
		share/man/man7/incr.7; do
		[ -s "stage/opt/x/$file" ]
	done
	[ ! -L stage/opt/x/bin/incr-up ]
	stage/opt/x/bin/incr-up --help >/dev/null
	PREFIX=/opt/x DESTDIR=$PWD/stage "$ROOT/etc/uninstall"
	listing stage | diff before -
	PREFIX=/opt/x DESTDIR=$PWD/stage "$ROOT/etc/uninstall"
}

@test "what is installed others can read, whatever the umask is" {
	(umask 077 && PREFIX=/opt/x DESTDIR=$PWD/stage "$ROOT/etc/install" incr-up)
	[ -z "$(find stage ! -perm -o=r -o -type d ! -perm -o=x)" ]
}

@test "install says where systemd does not look for units" {
	local at=/opt/incr/lib/systemd/system
	PREFIX=/opt/incr DESTDIR=$PWD/d run -0 "$ROOT/etc/install" incr-up
	[ "${lines[0]}" = "install: $at: systemd does not look there; run: systemctl link $at/*" ]
	[ "${lines[1]}" = "install: nor in /opt/incr/lib/sysusers.d; run: ln -s /opt/incr/lib/sysusers.d/incr.conf /etc/sysusers.d/" ]
	[ "${lines[2]}" = "install: nor in /opt/incr/lib/tmpfiles.d; run: ln -s /opt/incr/lib/tmpfiles.d/incr.conf /etc/tmpfiles.d/" ]
	[ "${#lines[@]}" = 3 ]
	[ -e d/opt/incr/lib/sysusers.d/incr.conf ]
	[ -e d/opt/incr/lib/tmpfiles.d/incr.conf ]
	[ -e "d$at/incr.target" ]
	for prefix in '' /usr /usr/local; do
		PREFIX=$prefix DESTDIR=$PWD/d run -0 "$ROOT/etc/install" incr-up
		[ -z "$output" ]
	done
}

@test "uninstall keeps what somebody else has put into its folders" {
	PREFIX=$PWD/p "$ROOT/etc/install" incr-up
	touch p/share/incr/theirs
	PREFIX=$PWD/p "$ROOT/etc/uninstall"
	[ "$(listing p | tail -1)" = ./share/incr/theirs ]
	[ ! -e p/bin ]
}

@test "make install, make uninstall" {
	copy_tree
	make -s -C copy -o build install PREFIX=/usr "DESTDIR=$PWD/d" >log
	[ -x d/usr/bin/incr-serve ]
	[ -x d/usr/bin/incr-db ]
	make -s -C copy uninstall PREFIX=/usr "DESTDIR=$PWD/d"
	[ -z "$(ls -A d)" ]
}

@test "db-clear and bench use the running system of INCR_STATE" {
	INCR_STATE=$PWD/state run -100 "$ROOT/etc/with-env" true
	mkdir state
	echo "export INCR_URL='x y'" >state/env
	export INCR_STATE=$PWD/state
	# shellcheck disable=SC2016
	[ "$("$ROOT/etc/with-env" sh -c 'echo "$INCR_URL"')" = 'x y' ]
	make -n -C "$ROOT" db-clear | grep -q 'with-env bin/incr-db clear'
}

@test "make -n tells of every goal what it would do, and does nothing" {
	copy_tree
	sed -e ':a' -e '/\\$/{ N; s/\\\n//; ba' -e '}' copy/*.mk \
		copy/tests/tests.mk | sed -n 's/^\.PHONY: //p' |
		tr -s '[:blank:]' '\n' | grep -x '[a-z-]*' >goals
	for goal in all run dev deps check quick test test-long bench db-clear install \
		uninstall clean format lint fuzz; do
		grep -qx "$goal" goals
	done
	listing copy >before
	INCR_STATE=$PWD/state timeout 60 xargs make -n -C copy <goals >told
	grep -q 'tests/ci/check$' told
	grep -q '^etc/dev make$' told
	listing copy | diff before -
}

# A machine that lacks two packages, with a stand-in for apt-get and sudo.
machine() {
	mkdir -p m/bin m/root/usr/sbin
	cat >m/bin/dpkg-query <<-'EOF'
	#!/bin/sh
	for p; do
		case $p in
		-*|caddy|hey|'${'*) ;;
		*) echo "$p installed" ;;
		esac
	done
	EOF
	cat >m/bin/apt-get <<-'EOF'
	#!/bin/sh
	echo "$*" >>calls
	cat "$INCR_DEPS_ROOT/usr/sbin/policy-rc.d" \
		"$INCR_DEPS_ROOT/etc/postgresql-common/createcluster.conf" >during
	exit "${APT_STATUS:-0}"
	EOF
	chmod +x m/bin/*
	PATH=$PWD/m/bin:$PATH
	export INCR_DEPS_ROOT=$PWD/m/root
}

@test "deps installs what is missing, says what, starts no service" {
	[ "$(id -u)" = 0 ] || skip 'needs root'
	machine
	echo theirs >m/root/usr/sbin/policy-rc.d
	run -0 "$ROOT/etc/deps" run test
	[ "$output" = 'deps: installing: caddy hey' ]
	[ "$(cut -d' ' -f2 calls | head -1)" = update ]
	grep -q 'install caddy hey$' calls
	grep -qx 'exit 101' during
	grep -qx 'create_main_cluster = false' during
	[ "$(cat m/root/usr/sbin/policy-rc.d)" = theirs ]
	[ ! -e m/root/etc/postgresql-common/createcluster.conf ]
}

@test "deps that fails puts the machine's files back, too" {
	[ "$(id -u)" = 0 ] || skip 'needs root'
	machine
	mkdir -p m/root/etc/postgresql-common
	echo theirs >m/root/etc/postgresql-common/createcluster.conf
	APT_STATUS=7 run -7 "$ROOT/etc/deps" run test
	[ "$(cat m/root/etc/postgresql-common/createcluster.conf)" = theirs ]
	[ ! -e m/root/usr/sbin/policy-rc.d ]
}

@test "deps does nothing where nothing is missing" {
	machine
	sed -i 's/|caddy|hey//' m/bin/dpkg-query
	run -0 "$ROOT/etc/deps" run test long
	[ -z "$output" ]
	[ ! -e calls ]
}

@test "deps installs for make run only what running needs" {
	[ "$(id -u)" = 0 ] || skip 'needs root'
	machine
	sed -i 's/|hey|/|hey|bats|groff|nginx-light|uuid-dev|/' m/bin/dpkg-query
	run -0 "$ROOT/etc/deps" run
	[ "$output" = 'deps: installing: caddy' ]
	run -0 "$ROOT/etc/deps" test
	[ "$output" = 'deps: installing: bats hey groff nginx-light' ]
	run -0 "$ROOT/etc/deps" long
	[ "$output" = 'deps: installing: uuid-dev' ]
	sed -i 's/|hey|/|hey|gnuplot-nox|/' m/bin/dpkg-query
	run -0 "$ROOT/etc/deps" bench
	[[ "$output" == 'deps: installing: '*gnuplot-nox ]]
	run -100 "$ROOT/etc/deps" tests
	[ "$output" = 'deps: unknown kind of packages: tests' ]
	make -n -C "$ROOT" run | grep -qx 'etc/deps run'
	make -n -C "$ROOT" test | grep -qx 'etc/deps run test'
	make -n -C "$ROOT" test-long | grep -qx 'etc/deps run test long'
	make -n -C "$ROOT" bench-all | grep -qx 'etc/deps run bench'
}

@test "before there is a compiler make deps does not complain of it" {
	run -0 make -C "$ROOT" -n CC="$PWD/cc" deps
	[[ "$output" == *etc/deps* && "$output" != *"$PWD/cc"* ]]
}

@test "every long test has its turn in CI, two different ones for a commit" {
	local i pair
	for i in $(seq 1 200); do
		pair=$("$ROOT/tests/long/run" -p "$(echo "$i" | sha1sum)")
		[ "${pair% *}" != "${pair#* }" ]
		echo "$pair"
	done | tr ' ' '\n' | sort -u >chosen
	find "$ROOT/tests/long" -type f ! -name run -printf '%f\n' | sort |
		diff - chosen
}

# long_tests: a tree whose long tests are these
long_tests() {
	mkdir -p t/tests/long t/build
	cp "$ROOT/build/guard" t/build
	cp "$ROOT/tests/long/run" t/tests/long
	printf '#!/bin/sh\necho "figure: 3 s"\n' >t/tests/long/good
	printf '#!/bin/sh\necho "no 4 cores"; exit 77\n' >t/tests/long/absent
	printf '#!/bin/sh\necho "one lost"; exit 1\n' >t/tests/long/bad
	chmod +x t/tests/long/*
}

@test "a long test that can't be run is not passed, one that fails is told" {
	long_tests
	run -1 t/tests/long/run
	[ "${lines[0]}" = '  absent: not run: no 4 cores' ]
	[[ "$output" == *'  bad: failed (1), '*'one lost'* ]]
	[[ "$output" == *'    3 s'*'  good: passed, '* ]]
	[ "${lines[-1]}" = '1 passed, 1 failed' ]
	run -0 t/tests/long/run good absent
	[ "${lines[-1]}" = '1 passed, 0 failed' ]
	run -1 t/tests/long/run good none
	[ "${lines[-1]}" = '1 passed, 1 failed' ]
}

@test "dev builds, runs, and builds and runs again after a change" {
	copy_tree
	# What is to be run is a stand-in that says that it was.
	cat >copy/bin/incr-up <<-'EOF'
	#!/bin/sh
	trap 'echo ended >>log; exit 0' TERM
	echo "up $(cat src/word)" >>log
	while :; do sleep 0.05; done
	EOF
	rm -f copy/src/*.c
	echo one >copy/src/word
	printf '.PHONY: build\nbuild:\n\t@echo built >>log\n' >copy/Makefile
	background setsid copy/etc/dev
	dev=$!
	wait_for 5 grep -qx 'up one' copy/log
	POLL=0.5 wait_for 5 changed_to two
	printf '%s\n' built 'up one' ended built 'up two' |
		cmp - <(head -n 5 copy/log)
	kill -TERM -- "-$dev"
	kill "$dev" 2>/dev/null || :
	wait_for 5 ended_last
}

@test "make dev: a changed source is built, and the system runs with it" {
	[ "$BIN" = "$ROOT/bin" ] || skip 'builds and runs in bin'
	use_redis
	use_postgres
	copy_tree
	INCR_STATE=$(mktemp -d /tmp/incr-dev.XXXXXX)
	INCR_PORT=$(free_port)
	export INCR_STATE INCR_PORT
	background setsid make -s -C copy dev >out 2>&1
	dev=$!
	wait_for 100 runs 1
	sed -i 's/Passes valid increments/Lets valid increments pass/' \
		copy/src/incr-validate.c
	wait_for 60 runs 2
	copy/bin/incr-validate --help | grep -q '^Lets valid increments pass'
	[ "$(http_status -d "$(increment 3)" \
		"http://localhost:$INCR_PORT/increment")" = 202 ]
	kill -TERM -- "-$dev"
	wait_for 40 nothing_runs
	sum_is 3
}

# It has said so often that all is up.
runs() { [ "$(grep -c '^Ctrl-C ends' out)" = "$1" ]; }
nothing_runs() { ! pgrep -s "$dev" && [ -z "$(ls "$INCR_STATE/run")" ]; }

# entr does not see a change in the moment it starts something.
changed_to() {
	grep -qx "up $1" copy/log || { echo "$1" >copy/src/word && return 1; }
}

ended_last() { [ "$(tail -n 1 copy/log)" = ended ]; }

# ci_tree STATUS: a repository with .ci/run and a make that says a verdict for
# test, ends test-long with STATUS, and notes how it was called.
ci_tree() {
	mkdir -p c/.ci c/tests c/bin
	cp "$ROOT/.ci/run" c/.ci
	cp -r "$ROOT/tests/long" c/tests
	cat >c/bin/make <<-EOF
	#!/bin/sh
	echo "\$1" >>calls
	case \$1 in
	test) echo '7 passed, 0 failed' ;;
	*) [ $1 != 0 ] || echo '2 passed, 0 failed'; exit $1 ;;
	esac
	EOF
	chmod +x c/bin/make
	git -C c init -q
	git -C c -c user.name=x -c user.email=x commit -qm x --allow-empty
	PATH=$PWD/c/bin:$PATH
}

@test "CI runs the suite and two long tests, and adds them up" {
	ci_tree 0
	run -0 c/.ci/run
	[ "${lines[-1]}" = '9 passed, 0 failed' ]
	[[ "$output" == *'make test-long SCENARIOS='*' '*': 2 passed, 0 failed'* ]]
	[ "$(paste -sd' ' c/calls)" = 'test test-long' ]
}

@test "CI fails if the long tests end without a verdict" {
	ci_tree 111
	run -1 c/.ci/run
	[ "${lines[-1]}" = '7 passed, 1 failed' ]
}

# called FILE...: the commands that these call, one per line
called() {
	local before='^[[:space:]]*|[|;&(\`'"'"'!] *|[){] +|'
	before+='(if|then|elif|else|do|while|until|run|not|background|exec|xargs|'
	before+='setsid|command -v) +(-[a-z0-9]+ )*'
	grep -hv '^[[:space:]]*#' "$@" |
		grep -oE "($before)[a-z][a-z0-9_.-]+" |
		grep -oE '[a-z][a-z0-9_.-]+$' | sort -u
}

# packages FILE...: those of the commands that these call, but for essential ones
packages() {
	# Words that are something else in our shell.
	local words='file|look|write|sql|watch|as|free|top|size|column|time|halt|kill'
	called "$@" | grep -vxE "$words|apt-get|opt|passwd" |
		PATH=/usr/bin:/bin:/usr/sbin:/sbin xargs bash -c 'type -P "$@"' _ |
		# A package may have it in /bin, which is a link.
		sed 'p; s:^/usr::' | xargs dpkg -S 2>/dev/null |
		sed '/^diversion /d; s/:.*//' | sort -u |
		xargs dpkg-query -W -f '${Essential} ${Package}\n' |
		sed -n 's/^ *no *//p'
}

# lacks FILE OTHERS: packages of standard input that the file does not name, and
# that are not others: a|b
lacks() {
	local package
	grep -vxE "$2" | while read -r package; do
		grep -qwF -e "$package" "$1" || echo "$1 lacks $package"
	done
}

@test "etc/deps names each package of a command that scripts and tests call" {
	command -v dpkg-query >/dev/null || skip "no dpkg"
	cd "$ROOT"
	local out=$BATS_TEST_TMPDIR
	{
		grep -rIlE '^#!.*sh$' bin etc tests .ci
		find . -path ./build -prune -o -name '*.bash' -print -o \
			-name '*.bats' -print -o -name '*.mk' -print
	} >"$out/scripts"
	[ "$(wc -l <"$out/scripts")" -ge 150 ]
	xargs grep -h '' <"$out/scripts" >"$out/all"
	packages "$out/all" >"$out/packages"
	[ "$(wc -l <"$out/packages")" -ge 30 ]
	# Required, needed by what is named.
	lacks etc/deps 'mawk|bsdutils|redis-tools|postgresql-client-common|groff-base|bsdextrautils|python3-minimal' \
		<"$out/packages" | tee "$out/missing"
	[ ! -s "$out/missing" ]
}

installed() {
	find d -path '*/bin/*' -o -name '*.sh' -o -name 'run-*' -o -name unit-caddy
}

# Where a command is missing a script fails, or worse.  nginx is asked for by who
# wants it as the front; redis-tools comes with redis-server, and so on.
@test "each package of a command that an installed script calls comes with incr" {
	command -v dpkg-query >/dev/null || skip "no dpkg"
	local others='redis-tools|postgresql-client-common'
	# shellcheck disable=SC2046 # one word per script
	PREFIX=/usr DESTDIR=$PWD/d "$ROOT/etc/install" \
		$(sed -n 's/^SCRIPTS = //p' "$ROOT/Makefile")
	[ -x d/usr/bin/incr-keep ]
	grep "^run='.*'\$" "$ROOT/etc/deps" >run
	sed -n '/^Depends:/,/^Description:/p' "$ROOT/debian/control" >control
	# shellcheck disable=SC2046 # one word per file
	packages $(installed) >packages
	[ "$(wc -l <packages)" -ge 4 ]
	lacks run "$others|nginx" <packages >missing
	lacks control "$others" <packages >>missing
	# An image has no incr-up.
	rm d/usr/bin/incr-up d/usr/share/incr/up-*
	# shellcheck disable=SC2046 # one word per file
	packages $(installed) "$ROOT/etc/healthy" |
		lacks "$ROOT/Containerfile" "$others|nginx" >>missing
	cat missing
	[ ! -s missing ]
}
