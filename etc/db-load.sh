#!/bin/sh
# db-load.sh: incr-db load, for incr-db alone, which reads it.
#
# The file, or who writes to the pipe, owns an increment until COMMIT.  Its lines are numbered, and the
# ledger has the number of the last one that was counted, under an id made of
# the digest of the file, or of the name it was given: killed at any line and typed again, also by two at
# the same time, each line is counted once.
#
# shellcheck disable=SC2154 # set by incr-db

load() {
	if [ $# -eq 0 ]; then
		spool
		set -- stdin
	else
		[ -f "$1" ] || die 100 "$1: no file"
		exec 6<"$1" || exit 111
	fi
	# The same file at every look, whatever has its name by then.
	file=/dev/fd/6
	lines=$(wc -l <"$file") || exit 111
	if [ "$lines" -eq 0 ] || [ -n "$(tail -c 1 "$file")" ]; then
		die 100 "$1: does not end with a newline, perhaps not all is there"
	fi
	digest=$(sha256sum <"$file") || exit 111
	identify
	before=$(loaded_lines) || exit
	failed=0
	incr-flush --load "$id:$lines${label:+:$label}" --grace 0 \
		--max-keys 50000 ${url+-d "$url"} <"$file" || failed=$?
	# Also where that failed: typed again, it would be another file.
	now=$(sha256sum <"$file") || exit 111
	[ "$now" = "$digest" ] ||
		die 100 "$1: has changed while it was read; lines of what it was may be counted, as $id"
	# Another one with this name may have come first.
	[ "$failed" -le 1 ] || {
		check_name
		exit "$failed"
	}
	after=$(loaded_lines) || exit
	printf '%s of %s lines loaded, %s of them before\n' "$after" "$lines" \
		"$before" 2>/dev/null || die 111 "stdout: not written"
	return "$failed"
}

# Standard input, in a file that nobody else can open: whether it is what has
# been counted is known at its end.
spool() {
	spooled=$(mktemp) || exit 111
	exec 7>"$spooled"
	exec 6<"$spooled"
	rm "$spooled"
	cat >&7 2>/dev/null || die 111 "stdin: not all of it was read, nothing counted"
	exec 7>&-
}

# The id, and the queue of its row: of a name, the row says what its contents
# were, and as an id has one row, no others are counted.
identify() {
	label=
	[ -n "$name" ] || {
		id=$(id_of "$digest")
		return
	}
	id=$(id_of "$(printf 'incr-db load %s' "$name" | sha256sum)")
	label=$name:${digest%% *}
	check_name
}

check_name() {
	[ -n "$name" ] || return 0
	other=$(echo "select 1 from incr_ledger where consumer = '$id'
		and queue <> 'incr-db load $label';" | query -At 3>&1) || exit
	[ -z "$other" ] ||
		die 100 "$name: other lines were loaded with this name; nothing counted"
}

# A UUID of version 8, which no consumer has.
id_of() {
	printf '%s\n' "$1" | sed -E \
		's/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*/\1-\2-8\3-8\4-\5/'
}

loaded_lines() {
	echo "select coalesce(max(seq), 0) from incr_ledger
		where consumer = '$id' and queue = 'incr-db load${label:+ $label}';" | query -At 3>&1
}
