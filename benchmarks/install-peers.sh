#!/bin/sh
# Installs what the benchmarks compare with, and the load generator, from the
# distribution's own packages.  None of them is started or enabled as a service:
# the benchmarks start their own, each with its own configuration.
set -eu

if ! command -v apt-get >/dev/null; then
    echo "install-peers: this needs apt-get; install nginx, haproxy, squid and wrk by hand" >&2
    exit 1
fi

# A policy that refuses every start keeps the packages from opening ports on
# this machine; a policy that is already there is left alone.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends nginx haproxy squid wrk
