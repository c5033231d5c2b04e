#!/usr/bin/env bash
# conform.sh --ci [FLAG…]: the conformance suites against `weir serve`, over every transport, and against weir's own client: all that is quick,
# and a sample of the rest; and h2spec, by h2spec.sh. It fails when a case does, or the server crashed.
#
# conform.sh --full [FLAG…]: every case, the additional ones too, which takes a while; the tables in docs/conformance.md are written anew.
#
# The flags are those of `weir conform URL`, such as --html FOLDER.
set -euo pipefail

mode=${1:-}
case "$mode" in
--ci | --full) shift ;;
*)
	sed -n '2,/^set /{s/^# \{0,1\}//;/^set /!p}' "$0" >&2
	exit 2
	;;
esac
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
server=

cleanup() {
	[ -z "$server" ] || kill -9 "$server" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT

# What is quick, and of what is large or long a case of each kind.
sample=1,2,3,4,5,6,7,10,8441,h2spec
sample+=,9.1.1,9.2.3,9.3.4,9.4.6,9.5.6,9.6.6,9.7.2,9.8.4
sample+=,12.1.3,12.2.4,12.3.2,12.4.5,12.5.11,13.1.4,13.2.3,13.3.2,13.4.4,13.5.3,13.6.4,13.7.11
case "$mode" in
--ci)
	flags=(--cases "$sample,strict" --strict)
	client_flags=(--cases "${sample/,8441,h2spec/}")
	;;
--full)
	flags=(--strict --markdown "$root/docs/conformance.md")
	client_flags=(--strict --markdown "$root/docs/conformance.md")
	;;
esac

"$root/interop/h2spec.sh" --junit "$work"

(cd "$root" && go build -o "$work/weir" ./cmd/weir)

# start COMMAND…: a server of weir's, on two ports, which says where.
start() {
	: >"$work/events"
	"$work/weir" "$@" --listen 127.0.0.1:0 --tls-listen 127.0.0.1:0 >"$work/events" 2>"$work/log" &
	server=$!
	for _ in $(seq 1000); do
		[ -s "$work/events" ] && return
		kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
		sleep 0.1
	done
}
start serve --compress --max-frame-size 0
port() { sed -n "1s|.*\"$1://127\.0\.0\.1:\([0-9]*\)\".*|\1|p" "$work/events"; }

status=0
"$work/weir" conform -k --http 1.1,2 --agent weir \
	--h2spec h2c="$work/h2c.xml" --h2spec h2="$work/h2.xml" \
	--known "h2spec.http2.3.5.2@h2c=the port speaks HTTP/1.1 too, and what does not begin with the preface is HTTP/1.1" \
	"${flags[@]}" "$@" \
	"ws://127.0.0.1:$(port http)/echo" "wss://127.0.0.1:$(port https)/echo" || status=$?

kill -TERM "$server"
code=0
wait "$server" || code=$?
server=
if [ "$code" -ne 0 ] || grep -qE 'BUG:|panic' "$work/log"; then
	echo "the server ended with exit code $code"
	cat "$work/log"
	status=1
fi

# The other way round: the fuzzing server, and weir's client over every transport.
start conform "${client_flags[@]}"
visit() { "$work/weir" conform -k --client "$1://127.0.0.1:$(port "$2")" --http "$3" --agent "client-$4" "${@:5}" || status=1; }
visit ws http 1.1 h1
visit wss https 1.1 h1tls
visit ws http 2 h2c
visit wss https 2 h2 --shutdown
wait "$server" || status=1
server=
sed 1d "$work/events" # its table
exit "$status"
