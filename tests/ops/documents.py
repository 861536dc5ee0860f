# -*- test-case-name: tests.ops -*-
"""Configuration files for tests."""

from __future__ import annotations

#: The file that the project's documentation promises to keep working.
STABLE = b"""\
[forward.egress]
listen = ["tcp:3128:interface=127.0.0.1"]

[reverse.site]
listen = ["tcp:8000:interface=127.0.0.1"]
[[reverse.site.route]]
host = ["example.org", "*.example.org"]     # optional
path = "/api/"                               # prefix, default "/"
upstream = "api"
[[reverse.site.route]]
upstream = "web"

[upstream.api]
servers = ["http://127.0.0.1:9001", "http://127.0.0.1:9002"]   # round robin
[upstream.web]
servers = ["http://127.0.0.1:9000"]

[limits]             # every limit has a default; these and more
header-octets = 65536
body-octets = "unlimited"
connections = 10000

[log]
access = "access.log"     # "-" = standard output, absent = none
format = "combined"       # combined | json | a template
"""

#: A value other than the default for every key.
EVERYTHING = b"""\
shutdown-seconds = 5

[forward.egress]
listen = ["tcp:3128:interface=127.0.0.1", "unix:/run/proxy.sock"]
via = "proxy-1"
connect-ports = [443, 8443]
cache = false
guard = "on"
allow-destinations = ["10.1.0.0/16", "Build.Example.org"]
[forward.egress.timeouts]
connect = 1
request-head = 2
idle = 3
response-head = 4
between-bytes = 5.5
tunnel-idle = 6

[reverse.site]
listen = ["tcp:8000"]
via = "gate"
trusted-proxies = ["10.0.0.0/8"]
[reverse.site.timeouts]
idle = 9
[[reverse.site.route]]
host = ["Example.org"]
path = "/x/"
upstream = "web"
preserve-host = false
cache = { grace = 30, grace-error = 0, ignore-query = ["utm_*"], sort-query = true, refresh-uses = 3, store-cookies = true, cache-status = "key", key-cookies = ["lang"], key-fields = ["X-Device"], share = "web" }

[upstream.web]
servers = ["http://Localhost:9000", "https://Localhost"]
tls = { ca = "ca.pem", certificate = "us.pem", key = "us.key", name = "B.example", profile = "modern" }

[limits]
header-octets = "32KiB"
header-fields = 10
target-octets = 1000
trailer-octets = 2000
body-octets = "10MiB"
connections = 50

[pool]
per-origin = 1
total = 2
waiters = 3
wait = 4
idle = 5
age = 6

[cache]
memory = "32MiB"
max-object = "1MiB"
targeted = ["Site-Cache-Control", "CDN-Cache-Control"]
purge-from = ["127.0.0.1", "192.0.2.0/24"]

[log]
access = "-"
format = "$peer $status"
"""
