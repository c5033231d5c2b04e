#!/usr/bin/env bash
# h2spec.sh [MIN_CLEARTEXT [MIN_TLS]]: runs h2spec, strict cases too, against `weir serve`, in cleartext and over TLS, and prints both scores.
# It fails when the server crashed, or when fewer cases passed than asked for.
#
# One case cannot pass in cleartext: http2/3.5/2 (an invalid connection preface). Without the preface of RFC 9113, 3.4 a
# connection to a port that speaks both is HTTP/1.1, so the answer is one of HTTP/1.1.
set -euo pipefail

min_cleartext=${1:-145}
min_tls=${2:-146}
version=v2.2.1+incompatible
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/weir/h2spec-$version
work=$(mktemp -d)
server=

cleanup() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT

if [ ! -x "$cache/h2spec" ]; then
	mkdir -p "$cache"
	(cd "$work" && GOFLAGS= GOBIN=$cache go install "github.com/summerwind/h2spec/cmd/h2spec@$version")
fi
(cd "$root" && go build -o "$work/weir" ./cmd/weir)

"$work/weir" serve --listen 127.0.0.1:0 --tls-listen 127.0.0.1:0 >"$work/events" 2>"$work/log" &
server=$!
for _ in $(seq 100); do
	[ -s "$work/events" ] && break
	kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
	sleep 0.1
done
port() { sed -n "1s|.*\"$1://127\.0\.0\.1:\([0-9]*\)\".*|\1|p" "$work/events"; }

# score NAME MINIMUM FLAG…: one run; the cases that failed, and the score.
status=0
score() {
	local name=$1 minimum=$2 passed
	shift 2
	"$cache/h2spec" -S -o 5 -h 127.0.0.1 "$@" >"$work/out" 2>&1 || true
	sed -n '/^Failures:/,$p' "$work/out" | sed '/^Finished in/,$d'
	echo "$name: $(grep -E '^[0-9]+ tests,' "$work/out" || echo "no score: $(tail -n 1 "$work/out")")"
	passed=$(sed -n 's/^[0-9]* tests, \([0-9]*\) passed.*/\1/p' "$work/out")
	if [ "${passed:-0}" -lt "$minimum" ]; then
		echo "$name: fewer than $minimum passed"
		status=1
	fi
	if ! kill -0 "$server" 2>/dev/null; then
		echo "$name: the server crashed"
		cat "$work/log"
		exit 1
	fi
}

score cleartext "$min_cleartext" -p "$(port http)"
score TLS "$min_tls" -t -k -p "$(port https)"

kill -TERM "$server"
code=0
wait "$server" || code=$?
server=
if grep -qE 'BUG:|panic' "$work/log"; then
	cat "$work/log"
	status=1
fi
if [ "$code" -ne 0 ]; then
	echo "the server ended with exit code $code"
	cat "$work/log"
	status=1
fi
exit $status
