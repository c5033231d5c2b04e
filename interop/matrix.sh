#!/usr/bin/env bash
# matrix.sh [FLAG…]: the conformance suites of `weir conform` against servers written elsewhere, see interop/peers/matrix; the
# tables in docs/conformance.md are written anew. Flags are those of that program, such as -html FOLDER. A server that fails a case
# is what it is for: it fails only when it cannot run.
#
# matrix.sh --ci: a few cases against each, and no page is written.
# matrix.sh --long: groups 9, 12 and 13 against the libraries in Go, over HTTP/1.1 and over weir's HTTP/2, and no page.
#
# It installs what is missing: HAProxy, nghttpx (nghttp2-proxy), Node, and Node's package ws.
set -euo pipefail

ws=8.18.3
missing=()
need() { command -v "$1" >/dev/null || PATH=$PATH:/usr/sbin command -v "$1" >/dev/null || missing+=("$2"); }
need nghttpx nghttp2-proxy
need haproxy haproxy
need node nodejs
need npm npm
if [ ${#missing[@]} -gt 0 ]; then
	apt-get update -q
	apt-get install -y -q --no-install-recommends "${missing[@]}"
fi
cache=${XDG_CACHE_HOME:-$HOME/.cache}/weir/ws-$ws
if [ ! -e "$cache/node_modules/ws/wrapper.mjs" ]; then
	mkdir -p "$cache"
	npm install --prefix "$cache" --no-audit --no-fund --ignore-scripts "ws@$ws"
fi

flags=(-markdown ../../docs/conformance.md)
if [ "${1:-}" = --ci ]; then
	shift
	flags=(-cases 1.1,2,7.5,7.7,8441.settings,8441.answer)
elif [ "${1:-}" = --long ]; then
	shift
	flags=(-exclude '' -cases '9.*,12.*,13.*' -peers gorilla,coder,gws,gobwas)
fi
cd "$(dirname "$0")/peers"
exec go run ./matrix -ws "$cache/node_modules/ws" "${flags[@]}" "$@"
