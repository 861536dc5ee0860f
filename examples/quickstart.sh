#!/usr/bin/env bash
# Starts the demo origin and the proxy of examples/quickstart.toml, or of another
# CONFIG, and stops both on Ctrl-C, on SIGTERM, or when either of them ends.
set -u
cd "$(dirname "$0")/.."
bin=${BIN:-.venv/bin}
config=${CONFIG:-examples/quickstart.toml}

origin= proxy=
stop() {
    trap - INT TERM EXIT
    [ -n "$proxy" ] && kill -TERM "$proxy" 2>/dev/null && wait "$proxy"
    [ -n "$origin" ] && kill -TERM "$origin" 2>/dev/null && wait "$origin" 2>/dev/null
}
trap 'stop; exit 0' INT TERM
trap stop EXIT

# The shell would have background processes ignore Ctrl-C; stop() tells them.
"$bin/python" examples/origin.py 9000 9001 9002 &
origin=$!

cat <<'EOF'

  forward:  curl -x http://127.0.0.1:3128 http://127.0.0.1:9000/
  reverse:  curl http://127.0.0.1:8000/

Ctrl-C stops everything.

EOF

"$bin/twistd" --reactor=intermediary --pidfile= -n intermediary --config "$config" &
proxy=$!

wait -n "$origin" "$proxy"
code=$?
stop
exit "$code"
