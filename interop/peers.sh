#!/usr/bin/env bash
# peers.sh [-v …]: other people's clients and proxies against `weir serve`, and ordinary traffic over net/http's HTTP/2 and
# over weir's, see interop/peers. Flags are those of go test; -long adds what takes long (gRPC's keepalive).
# It installs what is missing: curl, nghttp and h2load (nghttp2-client), nghttpx (nghttp2-proxy), HAProxy, nginx, Apache,
# Chromium, Firefox, and Node. Caddy is built from interop/caddy, which takes a minute the first time.
set -euo pipefail

missing=()
need() { command -v "$1" >/dev/null || PATH=$PATH:/usr/sbin command -v "$1" >/dev/null || missing+=("$2"); }
need curl curl
need nghttp nghttp2-client
need h2load nghttp2-client
need nghttpx nghttp2-proxy
need haproxy haproxy
need nginx nginx-light
need apache2 apache2-bin
need chromium chromium
need firefox-esr firefox-esr
need node nodejs
if [ ${#missing[@]} -gt 0 ]; then
	apt-get update -q
	apt-get install -y -q --no-install-recommends "${missing[@]}"
fi
export PATH=$PATH:/usr/sbin

cd "$(dirname "$0")/peers"
unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { echo "not formatted: $unformatted"; exit 1; }
go vet ./...
go test -count=1 -timeout 20m -parallel 8 ./... "$@"
