#!/usr/bin/env bash
# lossy.sh [MESSAGES [SEED]]: runs TestLossy of h3: MESSAGES messages (default: 10 000) each way over HTTP/3 on a network in
# memory that loses 5 % of the packets and reorders 2 %, with 50 ms there and back. Their sizes are log-uniform from 1 to
# 200 000 octets, so 10 000 are some 160 MB each way. They must arrive whole, in order and once, also when the client's NAT
# gives it another port in between. SEED (default: the time) is what sizes, octets and losses come of.
#
# Time is fake, so the minutes that it would take pass as fast as the machine computes them.
set -euo pipefail

case "${1:-}" in
-h | --help)
	sed -n '2,/^set /{s/^# \{0,1\}//;/^set /!p}' "$0"
	exit
	;;
esac
messages=${1:-10000}
seed=${2:-$(date +%s)}
cd "$(dirname "$0")/.."

echo "$messages messages, seed $seed"
go test -count=1 -timeout 0 -v ./h3 -run 'TestLossy$' "-lossy.messages=$messages" "-lossy.seed=$seed"
