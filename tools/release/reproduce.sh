#!/usr/bin/env bash
# Builds the commit of the snapshot in dist/ a second time, in a clone of the repository, in another time zone and with
# other permissions of new files, and compares the checksums. `make reproduce` runs it. Arguments are further ones of goreleaser.
set -euo pipefail
cd "$(dirname "$0")/../.."

shopt -s nullglob
first=(dist/*_SHA256SUMS)
if [ ${#first[@]} -ne 1 ]; then
  echo 'reproduce: there is no snapshot in dist: run "make snapshot" first' >&2
  exit 1
fi
commit=$(sed -n 's/.*"commit":"\([0-9a-f]*\)".*/\1/p' dist/metadata.json)
if [ "$commit" != "$(git rev-parse HEAD)" ] || [ -n "$(git status --porcelain)" ]; then
  echo "reproduce: the snapshot is of the commit ${commit:-unknown}; the checkout is of another, or has changes." >&2
  echo 'Commit them, and run "make snapshot".' >&2
  exit 1
fi

repository=$PWD
elsewhere=$(mktemp -d)
trap 'rm -rf "$elsewhere"' EXIT
git clone --quiet . "$elsewhere/mira"
cd "$elsewhere/mira"
git checkout --quiet --detach "$commit"
umask 077
TZ=Asia/Kathmandu "$repository/bin/goreleaser" release --snapshot --clean --skip=sign,sbom "$@"
if ! diff "$repository/${first[0]}" dist/*_SHA256SUMS; then
  echo 'reproduce: the second build has other checksums: something depends on the folder, the time or the machine' >&2
  exit 1
fi
echo "reproduce: the second build is the same."
