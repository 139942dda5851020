#!/bin/sh
# db-load.sh: incr-db load, for incr-db alone, which reads it.
#
# The file owns an increment until COMMIT.  Its lines are numbered, and the
# ledger has the number of the last one that was counted, under an id made of
# the digest of the file: killed at any line and typed again, also by two at
# the same time, each line is counted once.
#
# shellcheck disable=SC2154 # set by incr-db

load() {
	[ -f "$1" ] || die 100 "$1: no file"
	exec 6<"$1" || exit 111
	# The same file at every look, whatever has its name by then.
	file=/dev/fd/6
	lines=$(wc -l <"$file") || exit 111
	if [ "$lines" -eq 0 ] || [ -n "$(tail -c 1 "$file")" ]; then
		die 100 "$1: does not end with a newline, perhaps not all is there"
	fi
	digest=$(sha256sum <"$file") || exit 111
	id=$(id_of "$digest")
	before=$(loaded_lines) || exit
	failed=0
	incr-flush --load "$id:$lines" --grace 0 --max-keys 50000 \
		${url+-d "$url"} <"$file" || failed=$?
	# Also where that failed: typed again, it would be another file.
	now=$(sha256sum <"$file") || exit 111
	[ "$now" = "$digest" ] ||
		die 100 "$1: has changed while it was read; lines of what it was may be counted, as $id"
	[ "$failed" -le 1 ] || exit "$failed"
	after=$(loaded_lines) || exit
	printf '%s of %s lines loaded, %s of them before\n' "$after" "$lines" \
		"$before" 2>/dev/null || die 111 "stdout: not written"
	return "$failed"
}

# A UUID of version 8, which no consumer has.
id_of() {
	printf '%s\n' "$1" | sed -E \
		's/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*/\1-\2-8\3-8\4-\5/'
}

loaded_lines() {
	echo "select coalesce(max(seq), 0) from incr_ledger
		where consumer = '$id' and queue = 'incr-db load';" | query -At 3>&1
}
