#!/usr/bin/env bash
# closes.sh [RUNS]: each way in which a WebSocket of `weir serve` ends, RUNS times (default: 20) through each proxy and from
# each client, see TestCloses of interop/peers; peers.sh does it with 2. 20 take some 7 minutes on two cores.
# docs/conformance.md has what came of it.
set -euo pipefail

case "${1:-}" in
-h | --help)
	sed -n '2,/^set /{s/^# \{0,1\}//;/^set /!p}' "$0"
	exit
	;;
esac
exec "$(dirname "$0")/peers.sh" -timeout 60m -v -run '^TestCloses' -args -closes "${1:-20}"
