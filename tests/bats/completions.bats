#!/usr/bin/env bats
# What bash, zsh and fish complete behind the names of the programs.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

FILES=$ROOT/etc/completions

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	PROGRAMS=$(sed -e ':a' -e '/\\$/{ N; s/\\\n//; ba' -e '}' \
		"$ROOT/Makefile" | sed -nE 's/^(PROGRAMS|SCRIPTS) = //p' | xargs -n 1 | sort)
}

# in_bash WORD...: what bash suggests for the last word
in_bash() {
	bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
		_incr "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
		printf "%s\n" "${COMPREPLY[@]}"' "$FILES/incr.bash" "$@"
}

in_fish() { fish --no-config -c "source $FILES/incr.fish; complete -C '$1'"; }

in_zsh() { timeout 60 expect "$BATS_TEST_DIRNAME/zsh.exp" "$FILES" "$1" | tr -d '\r'; }

# long_options PROGRAM
long_options() { "$1" --help | sed -nE 's/^  (-.,|   ) (--[a-z-]+).*/\2/p' | sort -u; }

@test "the completions are those of the programs as they are" {
	local shell
	for shell in bash:incr.bash zsh:_incr fish:incr.fish; do
		# shellcheck disable=SC2086 # one word per program
		(PATH=$BIN:$ROOT/bin:$PATH "$FILES/generate" "${shell%:*}" \
			$PROGRAMS) | diff "$FILES/${shell#*:}" - || {
			echo "run: make completions"
			false
		}
	done
}

@test "bash suggests each long option of each program" {
	local p
	for p in $PROGRAMS; do
		# Of the scripts those of the programs that they start, too.
		run -0 comm -23 <(long_options "$p") <(in_bash "$p" -- | sort -u)
		[ -z "$output" ]
		[ "$(in_bash "$p" -- | wc -l)" -ge 2 ]
	done
}

@test "bash suggests commands, files, and what stands behind --" {
	touch one.tokens
	[ "$(in_bash incr-db cr)" = create ]
	[ "$(in_bash incr-serve --tokens one)" = one.tokens ]
	[ "$(in_bash incr-serve --tokens = one)" = one.tokens ]
	[ -z "$(in_bash incr-serve --rate '')" ]
	[ "$(in_bash incr-drain --batc)" = --batch ]
	[ -z "$(in_bash incr-drain --max-k)" ]
	[ "$(in_bash incr-drain -- --max-k)" = --max-keys ]
	[ "$(in_bash incr-ingest --tok)" = --tokens ]
	in_bash incr-keep x -- unx | grep -qx unxz
	[ "$(in_bash incr-keep x -- cat one)" = one.tokens ]
	in_bash incr-keep --signal T | grep -qx TERM
}

@test "fish suggests options with their text, commands, files" {
	touch one.tokens
	in_fish 'incr-db ' | grep -qxP 'create\tmake what is missing, .*'
	in_fish 'incr-serve --tok' | grep -qP '^--tokens\tbearer tokens'
	[ "$(in_fish 'incr-serve --tokens one')" = one.tokens ]
	[ "$(in_fish 'incr-drain --max-k')" = '' ]
	in_fish 'incr-drain -- --max-k' | grep -q '^--max-keys'
	in_fish 'incr-keep x -- unx' | grep -q '^unxz'
	[ "$(in_fish 'incr-keep x -- cat one')" = one.tokens ]
	# Each program, not only those above.
	local p
	for p in $PROGRAMS; do
		echo "complete -C '$p --ver'"
	done >each.fish
	fish --no-config -c "source $FILES/incr.fish; source each.fish" >each
	[ "$(grep -c '^--version' each)" = "$(wc -w <<<"$PROGRAMS")" ]
}

@test "zsh suggests options with their text, commands, files" {
	touch one.tokens two.tokens
	[ "$(head -n 1 "$FILES/_incr")" = "#compdef $(xargs <<<"$PROGRAMS")" ]
	in_zsh 'incr-db ' | grep -q '^create *-- make what is missing'
	in_zsh 'incr-serve --' >serve
	diff <(long_options incr-serve) <(grep -oE '^--[a-z-]+' serve | sort)
	in_zsh 'incr-serve --tokens ' | grep -q '^one.tokens .*two.tokens'
	in_zsh 'incr-drain -- --m' | grep -q '^--max-keys'
	in_zsh 'incr-keep x -- cat ' | grep -q '^one.tokens .*two.tokens'
	in_zsh 'incr-keep x -- unx' | grep -qw unxz
}

@test "installed, each shell finds the completion by the program's name" {
	make -s -C "$ROOT" install DESTDIR="$PWD/d" PREFIX=/usr BIN="$BIN" >out 2>&1
	cd d/usr/share
	local p
	for p in $PROGRAMS; do
		bash -c '. "bash-completion/completions/$0" && complete -p "$0"' "$p"
		[ -f "fish/vendor_completions.d/$p.fish" ]
	done
	[ -f zsh/vendor-completions/_incr ] || [ -f zsh/site-functions/_incr ]
	XDG_DATA_DIRS=$PWD fish --no-config -c 'set fish_complete_path \
		fish/vendor_completions.d; complete -C "incr-db cre"' | grep -q ^create
	make -s -C "$ROOT" uninstall DESTDIR="$BATS_TEST_TMPDIR/d" PREFIX=/usr
	[ ! -e "$BATS_TEST_TMPDIR/d/usr" ]
}
