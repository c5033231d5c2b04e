#!/usr/bin/env bash
# arm.sh [-run REGEXP ...]: the tests of flow, wsframe, stream, h1 and h2 where an int has 32 bits and memory is not x86's: linux/arm,
# under qemu-user (Debian), which is installed on first use. Some 10 minutes. What is given is go test's.
#
# The emulator is ten times slower than the machine. No test depends on that, but for go test's own time-out.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v qemu-arm >/dev/null; then
	apt-get update -q
	apt-get install -y -q --no-install-recommends qemu-user
fi
GOARCH=arm CGO_ENABLED=0 go test -count=1 -timeout 60m -exec qemu-arm "$@" ./flow ./wsframe/... ./stream/... ./h1 ./h2/...
