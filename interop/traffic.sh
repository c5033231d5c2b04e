#!/usr/bin/env bash
# traffic.sh [REQUESTS [SEED]]: runs TestTraffic of h2 with the race detector: REQUESTS requests (default: 100 000) of
# random shape over net/http's HTTP/2 and as many over weir's, from Go's client and in raw frames, which have to give the
# same answers but for the differences that docs/nethttp.md has, and to leave nothing. SEED (default: the time) is what
# they come of. 100 000 take some 15 minutes on two cores.
#
# Every 5000 requests a line says how far it is. A request that fails is printed with flags that make it again, alone:
#
#   go test ./h2 -run 'TestTraffic$' -traffic.seed=SEED -traffic.batch=BATCH -traffic.script=SCRIPT -v
set -euo pipefail

case "${1:-}" in
-h | --help)
	sed -n '2,/^set /{s/^# \{0,1\}//;/^set /!p}' "$0"
	exit
	;;
esac
requests=${1:-100000}
seed=${2:-$(date +%s)}
cd "$(dirname "$0")/.."

echo "$requests requests, seed $seed"
go test -race -timeout 0 -v ./h2 -run 'TestTraffic$' "-traffic.requests=$requests" "-traffic.seed=$seed" |
	grep --line-buffered -v -E '^ *(=== |--- PASS: TestTraffic/batches/)'
