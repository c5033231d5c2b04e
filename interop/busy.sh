#!/usr/bin/env bash
# busy.sh [ROUNDS]: all tests on a machine that has much else to do. So many times, 3 by default, with the race detector and in
# any order; then 20 times those of the packages whose tests are about time and order. It ends with the first failure.
#
# The load is LOAD processes that never rest for each processor, 4 by default: a test gets a fifth of the machine. It takes hours.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${1:-3}
load=()
stop() { kill "${load[@]}" 2>/dev/null || true; }
trap stop EXIT
for ((i = 0; i < ${LOAD:-4} * $(nproc); i++)); do
	while kill -0 $$ 2>/dev/null; do :; done & # ends with this script, however that ends
	load+=($!)
done

for ((i = 1; i <= rounds; i++)); do
	echo "== all tests, round $i of $rounds"
	go test -race -shuffle=on -timeout 90m ./...
done
for pkg in h1 h2 stream websocket; do
	echo "== 20 times $pkg"
	go test -count=20 -shuffle=on -timeout 240m "./$pkg/..."
done
echo "== all passed"
