#!/usr/bin/env bats
# debian/, as far as it can be judged without debhelper: nothing that is
# installed is missing in the package, and what is said twice agrees.
# tests/long/deb builds it and installs it in a Debian that boots.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

setup() { cd "$BATS_TEST_TMPDIR" || return; }

# words NAME: the value of a variable of the Makefile
words() {
	printf 'include Makefile\nwords:\n\t@echo $(%s)\n' "$1" >words.mk
	env -u MAKEFLAGS -u MAKELEVEL -u VERSION make -s -C "$ROOT" \
		-f "$PWD/words.mk" words
}

# What dh does of debian/rules before it makes a package, in ./debian/incr.
stage() {
	mkdir -p debian
	cp -r "$ROOT/debian/." debian
	# shellcheck disable=SC2046 # one word per program
	BIN=$BIN PREFIX=/usr DESTDIR=$PWD/debian/incr "$ROOT/etc/install" \
		$(words PROGRAMS) $(words SCRIPTS)
	sed 's:^/usr/lib/systemd/system:/lib/systemd/system:' \
		debian/incr/usr/share/incr/installed >installed
	rules execute_after_dh_auto_install
}

rules() { env -u MAKEFLAGS -u MAKELEVEL make -s -f debian/rules "$@"; }

@test "the version of the package is that of the programs" {
	local version
	version=$(words VERSION)
	[[ "$version" == [0-9]* ]]
	[ "$(sed -n '1s/^incr (\(.*\)) .*/\1/p' "$ROOT/debian/changelog")" = \
		"$version" ]
	"$BIN/incr-serve" -V | grep -qF "$version"
	grep -qxE "## ${version//./\\.}( .*)?" "$ROOT/NEWS.md"
	grep -qx '3.0 (native)' "$ROOT/debian/source/format"
}

@test "all that make install installs is in the package, and four conffiles" {
	stage
	(cd debian/incr && find . ! -type d | sed 's/^\.//') | sort >files
	while IFS= read -r name; do
		[ -d "debian/incr$name" ] || echo "$name"
	done <installed |
		grep -vx -e /usr/share/incr/installed -e /usr/lib/systemd >wanted
	printf '/etc/incr/%s\n' drain edge ingest metrics >>wanted
	sort wanted | diff - files
	[ "$(wc -l <files)" -gt 50 ]
	[ -z "$(find debian/incr/usr/lib -path '*systemd*')" ]
	for file in debian/incr/etc/incr/*; do
		[ "$(stat -c %a "$file")" = 600 ]
		# What is not told is not there: no program has a wrong address.
		run ! grep -v '^#' "$file"
	done
}

@test "what the package's units start is in it, and nothing of /usr/local" {
	stage
	run ! grep -rl /usr/local debian/incr/lib debian/incr/usr/lib
	grep -hE '^Exec|^ExecReload' debian/incr/lib/systemd/system/*.service |
		grep -oE '/usr/(bin|share/incr)/[A-Za-z0-9._-]+' | sort -u >paths
	[ "$(wc -l <paths)" -ge 4 ]
	while IFS= read -r path; do
		[ -e "debian/incr$path" ]
	done <paths
	# A script finds what stands beside it, wherever dpkg has put it.
	debian/incr/usr/bin/incr-up --help >/dev/null
}

@test "each unit is stopped before it is removed, its links are purged" {
	local unit script
	stage
	rules -n override_dh_installdeb >said
	eval "set -- $(sed -n 's/.*-D"UNITS=\(.*\)"/\1/p' said)"
	for unit in debian/incr/lib/systemd/system/*; do
		unit=${unit##*/}
		printf '%s\n' "$@" | grep -qxF -e "${unit/@./@*.}"
	done
	[ $# = "$(ls debian/incr/lib/systemd/system | wc -l)" ]
	for script in postinst prerm postrm; do
		grep -qx '#DEBHELPER#' debian/incr.$script
		sh -n debian/incr.$script
	done
	grep -q '^[^#]*stop #UNITS#' debian/incr.prerm
	grep -qx $'\tset -- #UNITS#' debian/incr.postrm
	# What is made of them when they run.
	for unit in $(sed -n 's/^StateDirectory=//p' debian/incr/lib/systemd/system/*); do
		grep -q "^[^#]*rm -rf.* /var/lib/$unit " debian/incr.postrm
	done
	for unit in $(awk '/^d/ { print $2 }' debian/incr/usr/lib/tmpfiles.d/incr.conf); do
		[[ "$unit" == /run/incr* ]]
	done
}

# A stand-in for systemctl, which says what has FAILED and what is ACTIVE, and
# for deb-systemd-invoke, which notes what it is asked.
stand_ins() {
	mkdir m
	cat >m/systemctl <<-'EOF'
	#!/bin/sh
	case " $* " in
	*' is-active '*) case " $ACTIVE " in *" ${3} "*) ;; *) exit 3 ;; esac ;;
	*' show -P CanReload '*) echo "${RELOADS:-yes}" ;;
	*' list-units '*)
		for last; do :; done
		printf '%s loaded failed\n' $FAILED | grep "^${last%%[@.]*}[@.]" || :
		;;
	esac
	EOF
	printf '#!/bin/sh\necho "$@" >>asked\n' >m/deb-systemd-invoke
	chmod +x m/*
	PATH=$PWD/m:$PATH
	: >asked
}

@test "an upgrade restarts what runs, or has failed, and no drain that rests" {
	stand_ins
	# systemd runs, for the script alone.
	sed "s:/run/systemd/system:$PWD:" "$ROOT/debian/incr.postinst" >postinst
	export FAILED='incr-ingest@2.service incr-drain@1.service incr-metrics.service'
	export ACTIVE='incr-ingests.target incr-drains.target incr.target'
	sh -e postinst configure ''
	[ ! -s asked ]
	sh -e postinst configure 0.1.0
	printf '%s\n' "try-restart incr-ingest@*.service" \
		"try-restart incr-drain@*.service" \
		'try-restart incr-metrics.service' 'restart incr-ingest@2.service' \
		'restart incr-drain@1.service' 'restart incr-metrics.service' |
		diff - asked
	: >asked
	ACTIVE='incr-ingests.target' sh -e postinst configure 0.1.0
	[ "$(grep '^restart' asked)" = 'restart incr-ingest@2.service' ]
	# The front reads its file again; one of a release before could not.
	for unit in incr-caddy.service incr-nginx.service; do
		: >asked
		ACTIVE=$unit sh -e postinst configure 0.1.0
		[ "$(grep '^reload' asked)" = "reload $unit" ]
		: >asked
		ACTIVE=$unit RELOADS=no run -0 sh -e postinst configure 0.1.0
		not grep '^reload' asked
		[[ "$output" == "incr: $unit goes on with the former "*' until it is restarted' ]]
	done
}

@test "removed, all is stopped; purged are links and files of incr alone" {
	local file
	stand_ins
	mkdir -p s/incr.target.wants s/incron.service.wants s/x.wants etc/incr lib/incr{,-caddy} run/incr
	ln -s /dev/null s/incr.target.wants/incr-drain@7.service
	ln -s /dev/null s/x.wants/incr.target
	ln -s /dev/null s/incron.service
	touch s/incr-drain@.service etc/incr/{tokens,env,mine} lib/incr/counts
	for file in prerm postrm; do
		sed -e "s:/run/systemd/system:$PWD:; s:/etc/systemd/system:$PWD/s:g" \
			-e "s:/etc/incr:$PWD/etc/incr:g; s:/var/lib:$PWD/lib:g" \
			-e "s:/run/incr:$PWD/run/incr:g" \
			-e "s:#UNITS#:'incr-drain@*.service' 'incr.target':" \
			"$ROOT/debian/incr.$file" >"$file"
	done
	sh -e prerm upgrade
	[ ! -s asked ]
	sh -e prerm remove
	printf '%s\n' 'stop incr.target' 'stop incr-drain@*.service incr.target' |
		diff - asked
	sh -e postrm remove
	[ -e etc/incr/tokens ] && [ -L s/x.wants/incr.target ]
	run -0 sh -e postrm purge
	[ "$output" = "incr: $PWD/lib/incr, the state of incr-up, is left; it has counts" ]
	find s etc lib run | sort | xargs >left
	[ "$(cat left)" = 'etc etc/incr etc/incr/mine lib lib/incr lib/incr/counts run s s/incr-drain@.service s/incron.service s/incron.service.wants s/x.wants' ]
}

@test "enabling incr.target enables what Caddy expects, and the drains" {
	local also n
	also=$(sed -n 's/^Also=//p' "$ROOT/etc/incr.target" | xargs)
	for n in $(grep -oE 'ingest-[0-9]+\.sock' "$ROOT/etc/incr-caddy.service" |
		grep -oE '[0-9]+'); do
		grep -qw "incr-ingest@$n.service" <<<"$also"
	done
	grep -qw incr-drain@1.service <<<"$also"
	grep -qw incr-caddy.service <<<"$also"
	# As systemd does it.
	BIN=$BIN PREFIX=/usr DESTDIR=$PWD/root "$ROOT/etc/install" incr-up
	systemctl --root="$PWD/root" enable incr.target
	for unit in $also incr.target; do
		[ -n "$(find root/etc -name "$unit" -type l)" ]
	done
	systemctl --root="$PWD/root" disable incr.target
	[ -z "$(find root/etc -type l)" ]
}

@test "the build needs the same for Debian as for etc/deps" {
	sed -n '/^Build-Depends:/,/^[A-Z].*:/p' "$ROOT/debian/control" |
		grep -oE 'lib[a-z0-9-]+-dev' | sort >of_debian
	[ "$(wc -l <of_debian)" -ge 5 ]
	sed -n "/^build='/,/'\$/p" "$ROOT/etc/deps" | grep -oE 'lib[a-z0-9-]+-dev' |
		grep -vx libc6-dev | sort | diff of_debian -
	grep -qF 'deb) packages="$packages $build $deb"' "$ROOT/etc/deps"
	sed -n "/^deb='/,/'\$/p" "$ROOT/etc/deps" | grep -qw debhelper
	make -n -C "$ROOT" deb | grep -qx 'etc/deps deb'
	make -n -C "$ROOT" deb | grep -qx 'etc/deb'
}

@test "debian/copyright has our licence, and names each other one" {
	sed -n '/^Permission/,$p' "$ROOT/LICENSE" >license
	sed -n '/^License: Expat$/,$p' "$ROOT/debian/copyright" |
		sed -n 's/^ \.$//p; s/^ //p' | sed -n '/^Permission/,/SOFTWARE\.$/p' |
		diff license -
	cd "$ROOT"
	find . \( -path ./build -o -path ./.git -o -path ./var \) -prune -o \
		-iname '*licen[cs]e*' -type f -print | sed 's:^\./::' |
		grep -vx LICENSE >"$BATS_TEST_TMPDIR/others" || :
	while IFS= read -r file; do
		awk -v of="${file%/*}/" '/^Files:/ { gsub(/[*]/, "")
			for (i = 2; i <= NF; i++)
				if (index(of, $i) == 1 || index($i, of) == 1)
					found = 1 }
			END { exit !found }' debian/copyright || {
			echo "debian/copyright: no paragraph with Files: ${file%/*}/*"
			return 1
		}
	done <"$BATS_TEST_TMPDIR/others"
}

# A tree with a stand-in for dpkg-buildpackage, which notes what it sees.
small_tree() {
	mkdir -p t/etc t/build/old t/var t/.git t/bin t/secrets m
	cp "$ROOT/etc/deb" t/etc
	touch t/incr_0.0.1_amd64.deb t/secrets/x t/var/x t/.git/x t/bin/incr-up
	cat >m/dpkg-buildpackage <<-EOF
	#!/bin/sh
	echo told
	find . | LC_ALL=C sort >$PWD/seen
	env >$PWD/variables
	umask >$PWD/umask
	[ ! -e $PWD/fails ] || exit 2
	: >../incr_0.2.0_all.deb
	: >../incr-dbgsym_0.2.0_all.deb
	EOF
	chmod +x m/dpkg-buildpackage
	PATH=$PWD/m:$PATH
}

@test "make deb builds a copy of the tree, whatever the environment says" {
	small_tree
	(
		umask 077
		export CFLAGS=-O0 VERSION=7 PREFIX=/opt DESTDIR=/nowhere \
			MAKEFLAGS=n LC_ALL=C
		run -0 t/etc/deb
		[ "${lines[-1]}" = 'deb: incr_0.2.0_all.deb' ]
	)
	printf '%s\n' . ./bin ./bin/incr-up ./etc ./etc/deb | diff - seen
	run ! grep -E '^(CFLAGS|VERSION|PREFIX|DESTDIR|MAKEFLAGS)=' variables
	grep -qx LC_ALL=C.UTF-8 variables
	grep -qx 0022 umask
	[ "$(echo t/*.deb)" = t/incr_0.2.0_all.deb ]
	[ "$(echo t/build/deb/*)" = "$(echo t/build/deb/{incr-dbgsym_0.2.0_all.deb,incr_0.2.0_all.deb,log})" ]
	[ -d t/build/old ]
	# The copy is gone.
	[ ! -e "$(sed -n 's/^PWD=//p' variables)" ]
}

# debhelper can't be in one; a dollar it hands to make.
@test "make deb in a folder with a space and a quote builds in another one" {
	small_tree
	mkdir "a b"
	mv t "a b/it's \$x"
	TMPDIR="$PWD/a b" run -0 "a b/it's \$x/etc/deb"
	[ "${lines[-1]}" = 'deb: incr_0.2.0_all.deb' ]
	run ! grep "[ '\$]" <(sed -n 's/^PWD=//p' variables)
	[ -e "a b/it's \$x/incr_0.2.0_all.deb" ]
	[ -e "a b/it's \$x/build/deb/log" ]
}

@test "a build that fails is told, and the package of before is left" {
	small_tree
	touch fails
	run -111 t/etc/deb
	[ "${lines[-2]}" = told ]
	[ "${lines[-1]}" = 'deb: failed, see build/deb/log' ]
	[ -e t/incr_0.0.1_amd64.deb ]
}
