#!/usr/bin/env bash
# Installs the programs that the smoke tests run if they are there: curl, git, OpenSSL,
# testssl.sh, Chromium and the ACME server Pebble by apt, as root; requests, httpx and
# aiohttp into .venv.
set -eu
cd "$(dirname "$0")/../.."

packages=()
command -v curl >/dev/null || packages+=(curl)
command -v git >/dev/null || packages+=(git)
command -v openssl >/dev/null || packages+=(openssl)
command -v testssl >/dev/null || packages+=(testssl.sh)
command -v chromium >/dev/null || packages+=(chromium)
if [ "${#packages[@]}" -gt 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi
# Not every distribution has it.
if ! command -v pebble >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends pebble ||
        echo "There is no pebble here: certificates by ACME are not tried out." >&2
fi

[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m tools.requirements smoke > .venv/smoke.txt
.venv/bin/python -m pip install --quiet -r .venv/smoke.txt
