# -*- test-case-name: tests.test_benchmarks -*-
"""
The proxies that are compared, each with the configuration that it is given.

A configuration is what somebody who knows the product would write for this
task: one worker, connections kept on both sides, requests logged, the
forwarding fields that a gateway should set.  Where a log can be buffered it is,
since ours is.  Nothing is cached, but where hits are measured, and there each
has its cache as it is usually run: nginx in files, Squid in memory.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .certificate import selfSigned
from .children import ROOT, BenchmarkError, Child, Workspace, findProgram

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cases import Case


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """What a configuration is written for."""

    folder: Path
    originPort: int
    #: Where to listen as a gateway, and as a proxy for clients.
    reversePort: int
    forwardPort: int
    #: Whether it is to cache.
    cached: bool = False
    #: Whether the gateway speaks TLS.
    secure: bool = False
    #: What the harness itself runs under, for our own command.
    introspection: Path | None = None

    @property
    def accessLog(self) -> Path:
        """Where the peer writes a line for every request."""
        return self.folder / "access.log"

    def write(self, name: str, text: str) -> Path:
        """Write a file into the folder, readable for any user."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o644)
        return path


NGINX = """\
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 16384; }}
http {{
    access_log {folder}/access.log combined buffer=64k flush=1s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_timeout 3600s;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    {extra}
    {store}
    upstream origin {{
        server 127.0.0.1:{originPort};
        keepalive 512;
        keepalive_timeout 3600s;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{reversePort} backlog=4096{tls};
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_request_buffering off;
            {caching}
        }}
    }}
}}
"""

HAPROXY = """\
global
    nbthread 1
    maxconn 9000
    log stdout format raw local0 info
defaults
    mode http
    log global
    option httplog
    option dontlognull
    option http-keep-alive
    option forwardfor
    http-reuse always
    timeout connect 10s
    timeout client 3600s
    timeout server 3600s
    timeout http-keep-alive 3600s
frontend site
    bind 127.0.0.1:{reversePort} backlog 4096
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    default_backend origin
backend origin
    server origin 127.0.0.1:{originPort}
"""

SQUID = """\
workers 1
max_filedescriptors 16384
visible_hostname benchmark.invalid
pid_filename {folder}/squid.pid
coredump_dir {folder}
cache_log {folder}/error.log
access_log stdio:{folder}/access.log logformat=combined
buffered_logs on
logfile_rotate 0
{caching}
memory_cache_shared off
pinger_enable off
netdb_filename none
icp_port 0
digest_generation off
shutdown_lifetime 0 seconds
client_idle_pconn_timeout 1 hour
server_idle_pconn_timeout 1 hour
http_port 127.0.0.1:{forwardPort} name=forward
http_port 127.0.0.1:{reversePort} name=reverse accel vhost
acl reverse myportname reverse
cache_peer 127.0.0.1 parent {originPort} 0 no-query no-digest originserver name=origin
cache_peer_access origin allow reverse
cache_peer_access origin deny all
never_direct allow reverse
always_direct allow !reverse
http_access allow all
"""

#: Files in the page cache, sent by the kernel, and kept open.
NGINX_STORE = """\
proxy_cache_path {folder}/cache levels=1:2 keys_zone=hits:64m max_size=1g inactive=1h
        use_temp_path=off;
    sendfile on;
    open_file_cache max=1000 inactive=1h;
    open_file_cache_valid 1h;"""

#: TLS 1.2 and 1.3, as Debian's own configuration has it: without that, releases before
#: 1.23.4 leave out 1.3, and resume sessions without an exchange of keys.  The rest is as it
#: comes: sessions in tickets.
NGINX_TLS = """ ssl;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate}"""

NGINX_CACHING = """\
proxy_cache hits;
            proxy_cache_lock on;
            add_header X-Cache-Status $upstream_cache_status;"""

SQUID_UNCACHED = """\
cache deny all
cache_mem 0"""

SQUID_CACHING = """\
cache_mem 256 MB
maximum_object_size_in_memory 1 MB
memory_cache_mode always"""

INTERMEDIARY_CACHING = """
[cache]
memory = "256MiB"
"""

INTERMEDIARY_TLS = 'tls = {{ certificate = "{certificate}", key = "{certificate}" }}'

INTERMEDIARY = """\
[forward.egress]
listen = ["tcp:{forwardPort}:interface=127.0.0.1"]

[reverse.site]
listen = ["tcp:{reversePort}:interface=127.0.0.1:backlog=4096"]
{tls}
[[reverse.site.route]]
upstream = "web"

[upstream.web]
servers = ["http://127.0.0.1:{originPort}"]

[log]
access = "{folder}/access.log"
format = "combined"
{caching}"""


def _fill(
    template: str,
    site: Site,
    extra: str = "",
    caching: str = "",
    store: str = "",
    tls: str = "",
) -> str:
    if site.secure:
        tls = tls.format(certificate=selfSigned(site.folder))
    else:
        tls = ""
    return template.format(
        folder=site.folder,
        originPort=site.originPort,
        reversePort=site.reversePort,
        forwardPort=site.forwardPort,
        extra=extra,
        caching=caching,
        store=store,
        tls=tls,
    )


def _nginx(extra: str) -> Callable[[Site], list[str]]:
    def configure(site: Site) -> list[str]:
        caching = store = ""
        if site.cached:
            caching, store = NGINX_CACHING, NGINX_STORE.format(folder=site.folder)
        path = site.write("nginx.conf", _fill(NGINX, site, extra, caching, store, NGINX_TLS))
        return ["nginx", "-p", str(site.folder), "-c", str(path)]

    return configure


def _haproxy(site: Site) -> list[str]:
    return ["haproxy", "-db", "-f", str(site.write("haproxy.cfg", _fill(HAPROXY, site)))]


def _squid(site: Site) -> list[str]:
    # -N: one process, which also keeps the log; nothing to be left out of the count.
    # -n: shared memory of its own, so that two runs do not meet.
    caching = SQUID_CACHING if site.cached else SQUID_UNCACHED
    path = site.write("squid.conf", _fill(SQUID, site, caching=caching))
    return ["squid", "-N", "-n", f"bench{site.reversePort}", "-f", str(path)]


def twistd() -> Path:
    """Give the C{twistd} of the environment that the harness runs in."""
    return Path(sys.executable).parent / "twistd"


def _intermediary(site: Site) -> list[str]:
    caching = INTERMEDIARY_CACHING if site.cached else ""
    text = _fill(INTERMEDIARY, site, caching=caching, tls=INTERMEDIARY_TLS)
    path = site.write("intermediary.toml", text)
    arguments = ["--reactor=intermediary", "--pidfile=", "-n", "intermediary", "--config"]
    if site.introspection is not None:
        # By its file and with -P, so that the installed package is what runs.
        program = ROOT / "benchmarks" / "introspection.py"
        start = [sys.executable, "-P", str(program), str(site.introspection)]
    else:
        start = [str(twistd())]
    return [*start, *arguments, str(path)]


def _uncached(site: Site) -> list[str]:
    return _intermediary(replace(site, cached=False))


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """A proxy that can be measured."""

    name: str
    #: Its program, looked for in C{PATH}; None for our own.
    program: str | None
    #: C{"reverse"} and C{"forward"}, as far as it has them.
    fronts: frozenset[str]
    #: Writes its configuration and gives its command line.
    configure: Callable[[Site], list[str]]
    #: How it tells its version.
    versionFlag: str = "-v"
    #: The user to start it as when root asks; a process that changes its user itself
    #: is not told any more when the harness dies (prctl(2)).
    user: str | None = None
    #: Whether it is given a cache where hits are measured.
    caches: bool = True
    #: Whether its gateway is given TLS where that is measured.
    secures: bool = False
    #: Whether it takes part without being named.
    usual: bool = True

    def can(self, case: Case) -> bool:
        """Tell whether it has a case's front, with the cache and the TLS that it needs."""
        return (
            case.front in self.fronts
            and (self.caches or not case.cached)
            and (self.secures or not case.secure)
        )

    def cachesIn(self, case: Case) -> bool:
        """Tell whether it is to have a cache in a case."""
        ours = self.program is None and self.caches
        return case.cached or (case.bypassed and ours)

    def whyNot(self) -> str | None:
        """Say why it can't be measured here, or None when it can."""
        if self.program is not None:
            return None if findProgram(self.program) else "not installed"
        if not twistd().exists():
            return "no twistd beside this Python"
        answer = subprocess.run(
            [twistd(), "--reactor=intermediary", "intermediary", "--check"],
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if answer.returncode == 0:
            return None
        lines = (answer.stderr or answer.stdout).strip().splitlines() or ["no answer"]
        return f"`twistd intermediary --check` fails: {lines[-1]}"

    def version(self) -> str:
        """Give its version as it says itself."""
        if self.program is None:
            command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
        else:
            command = [findProgram(self.program) or self.program, self.versionFlag]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError:
            return "unknown"
        text = answer.stdout + answer.stderr
        if self.program is None:
            commit = text.strip().splitlines()[0] if text.strip() else "unknown"
            return f"{commit}, {buildKind()}"
        found = re.search(r"\d+\.\d+(\.\d+)?", text)
        return found.group() if found else "unknown"


def buildKind() -> str:
    """Tell whether the installed package is compiled."""
    answer = subprocess.run(
        [
            sys.executable,
            "-P",
            "-c",
            "import intermediary.engine; print(intermediary.engine.__file__)",
        ],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    return "compiled" if answer.stdout.strip().endswith(".so") else "pure Python"


INTERMEDIARY_PEER = Peer(
    name="intermediary",
    program=None,
    fronts=frozenset({"reverse", "forward"}),
    configure=_intermediary,
    secures=True,
)

PEERS = {
    peer.name: peer
    for peer in (
        INTERMEDIARY_PEER,
        # What is measured against itself.
        Peer(
            name="intermediary-uncached",
            program=None,
            fronts=frozenset({"reverse", "forward"}),
            configure=_uncached,
            caches=False,
            usual=False,
        ),
        Peer(
            name="nginx",
            program="nginx",
            fronts=frozenset({"reverse"}),
            configure=_nginx(""),
            secures=True,
        ),
        Peer(
            name="nginx-nospool",
            program="nginx",
            fronts=frozenset({"reverse"}),
            configure=_nginx("proxy_max_temp_file_size 0;"),
            usual=False,
        ),
        Peer(
            name="nginx-unbuffered",
            program="nginx",
            fronts=frozenset({"reverse"}),
            configure=_nginx("proxy_buffering off;"),
            usual=False,
        ),
        Peer(
            name="haproxy",
            program="haproxy",
            fronts=frozenset({"reverse"}),
            configure=_haproxy,
            caches=False,
        ),
        Peer(
            name="squid",
            program="squid",
            fronts=frozenset({"reverse", "forward"}),
            configure=_squid,
            user="proxy",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Running:
    """A peer that has been started and listens."""

    peer: Peer
    site: Site
    child: Child

    @property
    def name(self) -> str:
        """The peer's name."""
        return self.peer.name

    @property
    def pids(self) -> list[int]:
        """All its processes: what they use is what it uses."""
        return self.child.pids

    def port(self, front: str) -> int:
        """Give the port of one of its fronts."""
        return self.site.reversePort if front == "reverse" else self.site.forwardPort

    def loggedLines(self) -> int:
        """Count the lines of its access log; complete only when it has ended."""
        if not self.site.accessLog.exists():
            return 0
        with self.site.accessLog.open("rb") as log:
            return sum(1 for _ in log)


def startPeer(
    peer: Peer,
    workspace: Workspace,
    *,
    originPort: int,
    core: int,
    cached: bool = False,
    secure: bool = False,
    introspection: Path | None = None,
) -> Running:
    """
    Start a peer in a folder of its own, and wait until it listens on all its fronts.

    @raise BenchmarkError: when it ends, or does not listen in time.
    """
    folder = workspace.folder(peer.name)
    site = Site(
        folder=folder,
        originPort=originPort,
        reversePort=workspace.freePort(),
        forwardPort=workspace.freePort(),
        cached=cached,
        secure=secure,
        introspection=introspection,
    )
    command = peer.configure(site)
    program = findProgram(command[0])
    if program is None:
        raise BenchmarkError(f"{peer.name} is not installed")
    command[0] = program
    if peer.program == "haproxy":
        # It writes its log to its output: the access log and nothing else.
        with site.accessLog.open("ab") as log:
            child = workspace.start(peer.name, command, core=core, folder=folder, stdout=log)
    else:
        user = peer.user if os.geteuid() == 0 else None
        child = workspace.start(peer.name, command, core=core, folder=folder, user=user)
    running = Running(peer, site, child)
    for front in sorted(peer.fronts):
        child.waitUntilListening(running.port(front))
    return running
