#!/usr/bin/env bats
# One version in all files, and a workflow that does what .ci/run does.

# bats file_tags=scripts
bats_require_minimum_version 1.5.0
load helper

WORKFLOW=$ROOT/.github/workflows/ci.yml

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p tests/ci debian
	cp "$ROOT/tests/ci/version" tests/ci
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
