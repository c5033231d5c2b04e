#!/usr/bin/env bash
# h2spec.sh [MIN_CLEARTEXT [MIN_TLS]]: runs h2spec, strict cases too, against `weir serve`, in cleartext and over TLS, and prints both scores.
# It fails when the server crashed, or when fewer cases passed than asked for.
#
# h2spec.sh --junit FOLDER […]: the same, and what each case found is in FOLDER/h2c.xml and FOLDER/h2.xml, for `weir conform --h2spec`.
#
# h2spec.sh --compare: the same, then net/http's own HTTP/2 beside it, by the Go of this module and by one newer; the table
# in docs/conformance.md is written anew.
#
# One case cannot pass in cleartext: http2/3.5/2 (an invalid connection preface). Without the preface of RFC 9113, 3.4 a
# connection to a port that speaks both is HTTP/1.1, so the answer is one of HTTP/1.1.
set -euo pipefail

compare=
junit=
case "${1:-}" in
--compare)
	compare=1
	shift
	;;
--junit)
	junit=$(cd "$2" && pwd)
	shift 2
	;;
esac
min_cleartext=${1:-145}
min_tls=${2:-146}
second_go=go1.27.4
version=v2.2.1+incompatible
root=$(cd "$(dirname "$0")/.." && pwd)
page=$root/docs/conformance.md
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

# start COMMAND…: a server that prints where it listens, in the form of `weir serve`.
start() {
	: >"$work/events"
	"$@" >"$work/events" 2>"$work/log" &
	server=$!
	for _ in $(seq 1000); do
		[ -s "$work/events" ] && return
		kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
		sleep 0.1
	done
	echo "$1 does not say where it listens" >&2
	exit 1
}
port() { sed -n "1s|.*\"$1://127\.0\.0\.1:\([0-9]*\)\".*|\1|p" "$work/events"; }

# cases: from h2spec's output, the names of the cases that failed.
cases() {
	awk '/^Failures:/ { on = 1 }
		on && /^ *Generic tests/ { spec = "generic" }
		on && /^ *Hypertext Transfer Protocol/ { spec = "http2" }
		on && /^ *HPACK:/ { spec = "hpack" }
		on && $1 ~ /^[0-9][0-9.]*\.$/ { section = $1; sub(/\.$/, "", section) }
		on && $1 == "×" { n = $2; sub(/:$/, "", n); printf "%s%s/%s/%s", sep, spec, section, n; sep = ", " }' "$work/out"
}

# score NAME MINIMUM FLAG…: one run; the cases that failed, and the score.
status=0
score() {
	local name=$1 minimum=$2 passed total
	shift 2
	"$cache/h2spec" -S -o 30 -h 127.0.0.1 "$@" >"$work/out" 2>&1 || true
	sed -n '/^Failures:/,$p' "$work/out" | sed '/^Finished in/,$d'
	echo "$name: $(grep -E '^[0-9]+ tests,' "$work/out" || echo "no score: $(tail -n 1 "$work/out")")"
	read -r total passed < <(sed -n 's/^\([0-9]*\) tests, \([0-9]*\) passed.*/\1 \2/p' "$work/out") || true
	if [ "${passed:-0}" -lt "$minimum" ]; then
		echo "$name: fewer than $minimum passed"
		status=1
	fi
	if ! kill -0 "$server" 2>/dev/null; then
		echo "$name: the server crashed"
		cat "$work/log"
		exit 1
	fi
	echo "| $name | ${passed:-none} of ${total:-none} | $(cases) |" >>"$work/table"
}

(cd "$root" && go build -o "$work/weir" ./cmd/weir)
start "$work/weir" serve --listen 127.0.0.1:0 --tls-listen 127.0.0.1:0
score "weir, cleartext" "$min_cleartext" -p "$(port http)" ${junit:+-j "$junit/h2c.xml"}
score "weir, TLS" "$min_tls" -t -k -p "$(port https)" ${junit:+-j "$junit/h2.xml"}

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
[ -n "$compare" ] || exit $status

for toolchain in local "$second_go"; do
	go_version=$(GOTOOLCHAIN=$toolchain go env GOVERSION) || continue
	(cd "$root" && GOTOOLCHAIN=$toolchain go build -o "$work/nethttp" ./interop/nethttp)
	start "$work/nethttp"
	score "net/http of $go_version, cleartext" 0 -p "$(port http)"
	score "net/http of $go_version, TLS" 0 -t -k -p "$(port https)"
	kill "$server"
	wait "$server" 2>/dev/null || true
	server=
done

# The table stands between two comments.
{
	sed '/<!-- h2spec -->/q' "$page"
	echo "| server | passed | failed |"
	echo "|---|---|---|"
	cat "$work/table"
	sed -n '/<!-- end of h2spec -->/,$p' "$page"
} >"$work/page"
cp "$work/page" "$page"
exit $status
