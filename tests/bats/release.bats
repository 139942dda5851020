#!/usr/bin/env bats
# One version in all files, and a workflow that does what .ci/run does.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

WORKFLOW=$ROOT/.github/workflows/ci.yml

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p tests/ci debian
	cp "$ROOT"/tests/ci/{version,notes} tests/ci
	cp "$ROOT"/{Makefile,NEWS.md,openapi.yaml} .
	cp "$ROOT/debian/changelog" debian
	VERSION=$(sed -n 's/^VERSION ?= //p' Makefile)
}

@test "Makefile, openapi.yaml, debian/changelog and NEWS.md have one version" {
	[ "$("$ROOT/tests/ci/version")" = "$VERSION" ]
	[ "$(incr-validate -V | head -n 1)" = "incr-validate $VERSION" ]
}

@test "a file with another version is named, and so is a tag" {
	sed -i "1,/^## /s/^## .*/## $VERSION, 2026-12-01/" NEWS.md
	[ "$(tests/ci/version "v$VERSION")" = "$VERSION" ]
	run -1 tests/ci/version v9.9.9
	[ "${lines[0]}" = "version: tag v9.9.9: 9.9.9, Makefile has $VERSION" ]
	local file
	for file in openapi.yaml debian/changelog NEWS.md; do
		cp "$file" kept
		sed -i -E "0,/^(  version: |incr \(|## )[0-9.]+/s//\17.7.7/" "$file"
		run -1 tests/ci/version
		[[ "$output" == *"version: $file: 7.7.7, Makefile has $VERSION"* ]]
		cp kept "$file"
	done
	# What is not released yet has no tag.
	sed -i "1,/^## /s/^## .*/## Next release/" NEWS.md
	tests/ci/version
	run -1 tests/ci/version "v$VERSION"
}

@test "the workflow runs .ci/run, and makes a release only of what passed" {
	python3 - "$WORKFLOW" >jobs <<-'END'
		import json, sys, yaml
		text = yaml.safe_load(open(sys.argv[1]))
		text["on"] = text.pop(True)  # YAML 1.1 takes on for true
		json.dump(text, sys.stdout)
	END
	python3 - jobs >runs <<-'END'
		import json, sys
		flow = json.load(open(sys.argv[1]))
		test, release = flow["jobs"]["test"], flow["jobs"]["release"]
		assert flow["on"]["push"]["tags"] == ["v*"], flow["on"]
		assert "pull_request" in flow["on"]
		assert release["needs"] == "test"
		assert "refs/tags/v" in release["if"]
		assert any(".ci/run" in s.get("run", "") for s in test["steps"])
		assert flow["permissions"] == {"contents": "read"}
		assert any("tests/ci/notes >notes.md" in s.get("run", "")
		           and "--notes-file notes.md" in s["run"]
		           for s in release["steps"])
		for job in flow["jobs"].values():
		    assert job["timeout-minutes"] <= 60
		    for step in job["steps"]:
		        print(step.get("run", ""))
	END
	# What it calls is there.
	grep -oE '(tests|etc|\.ci)/[a-z/-]+' runs | sort -u >files
	[ "$(wc -l <files)" -ge 2 ]
	local file goal
	while read -r file; do
		[ -x "$ROOT/$file" ]
	done <files
	grep -oE '\bmake (deb|images)\b' runs | sort -u >goals
	[ "$(wc -l <goals)" = 2 ]
	while read -r _ goal; do
		grep -q "^$goal:" "$ROOT/goals.mk"
	done <goals
}

# Its parts end after the seconds that it gives them, and ten more: then it says
# which of them was at work.  A job that ends before says nothing.
@test "the job that runs .ci/run lasts longer than its parts may" {
	local limit parts
	limit=$(sed -n '/^  test:/,/^  release:/s/.*timeout-minutes: //p' "$WORKFLOW")
	parts=$(awk '$1 == "part" && $2 > 0 { n++; sum += $2 + 10 }
		END { if (n == 2) print sum }' "$ROOT/.ci/run")
	# Ten minutes for git, the checkout and the logs.
	[ $((limit * 60)) -ge $((parts + 600)) ]
}

@test "the notes of a release are the newest section of NEWS.md, and no other" {
	cat >NEWS.md <<-'END'
		# News

		## 2.0.0, 2026-12-01

		New.

		### What to do

		```sh
		## a comment
		true
		```

		## 1.0.0

		Old.
	END
	tests/ci/notes >notes
	sed -n '5,12p' NEWS.md | diff - notes
	[ "$(wc -l <notes)" = 8 ]
	sed -i '4,13d' NEWS.md
	run -1 --separate-stderr tests/ci/notes
	[ -z "$output" ]
	[ "$stderr" = 'notes: NEWS.md: no entries in its newest section' ]
	# Of the NEWS.md that there is: whole, and nothing of the release before.
	cd "$ROOT"
	tests/ci/notes >"$BATS_TEST_TMPDIR/notes"
	[ -s "$BATS_TEST_TMPDIR/notes" ]
	run ! grep -q '^## ' "$BATS_TEST_TMPDIR/notes"
	[ "$(sed -n '/^## /,$p' NEWS.md | tail -n +2 | sed '/^## /,$d' |
		grep -c .)" = "$(grep -c . "$BATS_TEST_TMPDIR/notes")" ]
}

# As CONTRIBUTING.md types it; git takes a line with # for a comment.
@test "the message of the tag is the notes, headings and all" {
	local typed
	typed=$(grep -o 'tests/ci/notes | git tag .*vX\.Y\.Z' "$ROOT/CONTRIBUTING.md")
	git -c init.defaultBranch=main init -q .
	git config user.name x
	git config user.email x@example.com
	git commit -q --allow-empty -m x
	eval "${typed//X.Y.Z/1.2.3}"
	git for-each-ref --format='%(contents)' refs/tags/v1.2.3 | sed '/./,$!d' >tagged
	tests/ci/notes | diff - <(sed '$d' tagged)
	grep -q '^### ' tagged
}
