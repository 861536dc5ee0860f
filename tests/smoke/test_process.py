# -*- test-case-name: tests.smoke.test_process -*-
"""The whole process, as an operator starts and stops it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .processes import Proxy, dial, listener, readAll

ANY = "tcp:0:interface=127.0.0.1"


class RunTests(SynchronousTestCase):
    """It serves under any reactor and stops when it is told to."""

    def serves(self, proxy: Proxy) -> None:
        """A forward front answers, logs it, and the process stops well."""
        with dial(proxy.port("forward")) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n\r\n")
            self.assertTrue(readAll(client).startswith(b"HTTP/1.1 200 "))
        proxy.signal(signal.SIGTERM)
        code, complaints = proxy.ended()
        self.assertEqual((code, complaints), (0, ""))
        self.assertIn('"GET / HTTP/1.1" 200', proxy.output)
        self.assertNotIn("Traceback", proxy.output)

    def test_theDefaultReactor(self) -> None:
        """Without any option of C{twistd}."""
        self.serves(Proxy(self, "--forward", ANY))

    def test_theLeanReactor(self) -> None:
        """As C{make run} starts it."""
        command = ("twistd", "--reactor=intermediary", "-n", "--pidfile=")
        self.serves(Proxy(self, "--forward", ANY, command=command))

    def test_asyncio(self) -> None:
        """For applications that need its loop."""
        command = ("twistd", "--reactor=asyncio", "-n", "--pidfile=")
        self.serves(Proxy(self, "--forward", ANY, command=command))

    def test_twist(self) -> None:
        """The other command, which knows no privileges."""
        command = ("twist", "--log-format=text", "--log-file=-")
        self.serves(Proxy(self, "--forward", ANY, command=command))

    def test_otherUsers(self) -> None:
        """Ports and log are opened before privileges are dropped."""
        if os.geteuid() != 0:
            self.skipTest("only root can become another user")
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(mode=0o700)
        config = folder / "p.toml"
        config.write_text(f'[forward.egress]\nlisten = ["{ANY}"]\n[log]\naccess = "a.log"\n')
        proxy = Proxy(
            self,
            "--config",
            str(config),
            command=("twistd", "-n", "--pidfile=", "--uid=65534", "--gid=65534"),
            cwd=str(folder),
        )
        with dial(proxy.port("egress")) as client:
            proxy.says("set uid/gid 65534/65534")
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assertIn(b" 200 ", readAll(client))
        proxy.signal(signal.SIGTERM)
        self.assertEqual(proxy.ended()[0], 0)
        self.assertIn("GET / HTTP/1.0", (folder / "a.log").read_text())


class StopTests(SynchronousTestCase):
    """What is under way gets its time."""

    def tunnel(self, seconds: float) -> tuple[Proxy, list[int], bytes]:
        """
        Open a tunnel, tell the process to stop, and use the tunnel once more.

        @return: the process, which drains, and what came through.
        """
        config = Path(self.mktemp())
        config.write_text(
            f"shutdown-seconds = {seconds}\n"
            f'[forward.egress]\nlisten = ["{ANY}"]\n[log]\naccess = "-"\nformat = "json"\n'
        )
        origin = listener(self)
        proxy = Proxy(self, "--config", str(config))
        port = origin.getsockname()[1]
        self.client = dial(proxy.port("egress"))
        self.addCleanup(self.client.close)
        self.client.sendall(
            b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (port, port)
        )
        self.far, _ = origin.accept()
        self.addCleanup(self.far.close)
        self.assertIn(b" 200 ", self.client.recv(65536))
        proxy.signal(signal.SIGTERM)
        proxy.says("finishing what is under way")
        self.far.sendall(b"late")
        return proxy, [port], self.client.recv(65536)

    def test_aTunnelGoesOnAfterTheSignal(self) -> None:
        """And when it has ended, so does the process; the octets are in the log."""
        proxy, _, late = self.tunnel(seconds=60)
        self.assertEqual(late, b"late")
        self.far.close()
        self.client.close()
        code, complaints = proxy.ended()
        self.assertEqual((code, complaints), (0, ""))
        (line,) = [text for text in proxy.output.splitlines() if text.startswith("{")]
        record = json.loads(line)
        self.assertEqual((record["method"], record["octets_out"]), ("CONNECT", 4))

    def test_aTunnelIsDroppedAfterItsTime(self) -> None:
        """C{shutdown-seconds}; the exit code is that of a stop."""
        proxy, _, late = self.tunnel(seconds=0.5)
        self.assertEqual(late, b"late")
        self.assertEqual(proxy.ended(), (0, ""))

    def test_aSecondSignalDropsItAtOnce(self) -> None:
        """Nobody has to wait a minute."""
        proxy, _, _ = self.tunnel(seconds=60)
        proxy.signal(signal.SIGTERM)
        self.assertEqual(proxy.ended(), (0, ""))


class RefusalTests(SynchronousTestCase):
    """It does not start, and says why."""

    def test_aTakenPort(self) -> None:
        """One line on standard error, exit code 1, no traceback, no pid file."""
        taken = listener(self).getsockname()[1]
        folder = Path(self.mktemp())
        folder.mkdir()
        proxy = Proxy(
            self,
            "--forward",
            f"tcp:{taken}:interface=127.0.0.1",
            command=("twistd", "-n"),
            cwd=str(folder),
        )
        code, complaints = proxy.ended()
        self.assertEqual(code, 1)
        self.assertEqual(
            complaints,
            f'intermediary: front forward can\'t listen on "tcp:{taken}:interface=127.0.0.1": '
            "Address already in use; stop what listens there, or choose another port\n",
        )
        self.assertNotIn("Traceback", proxy.output)
        self.assertEqual(list(folder.iterdir()), [])

    def test_aTakenPortOfADaemon(self) -> None:
        """The shell gets an exit code, the log the reason."""
        taken = listener(self).getsockname()[1]
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        proxy = Proxy(
            self,
            "--forward",
            f"tcp:{taken}:interface=127.0.0.1",
            command=("twistd", f"--rundir={folder}", f"--logfile={folder}/d.log"),
        )
        code, complaints = proxy.ended()
        self.assertEqual(code, 1)
        self.assertIn("An error has occurred", complaints)
        self.assertIn("StartError", complaints)
        log = (folder / "d.log").read_text()
        self.assertIn("Address already in use", log)
        self.assertEqual([path.name for path in folder.iterdir()], ["d.log"])

    def test_aLogThatCannotBeWritten(self) -> None:
        """Before anything is served."""
        config = Path(self.mktemp())
        config.write_text(
            f'[forward.egress]\nlisten = ["{ANY}"]\n[log]\naccess = "/nonexistent/a.log"\n'
        )
        code, complaints = Proxy(self, "--config", str(config)).ended()
        self.assertEqual(code, 1)
        self.assertEqual(len(complaints.splitlines()), 1)
        self.assertIn('can\'t write the access log "/nonexistent/a.log"', complaints)

    def test_checkBindsNothing(self) -> None:
        """A taken port is none of its business."""
        taken = listener(self).getsockname()[1]
        proxy = Proxy(self, "--forward", f"tcp:{taken}:interface=127.0.0.1", "--check")
        self.assertEqual(proxy.ended(), (0, ""))
        self.assertIn("is valid. It runs:", proxy.output)
        self.assertNotIn("starting up", proxy.output)

    def test_aMistakeOnTheCommandLine(self) -> None:
        """Words on the last line, and an exit code that is not 0."""
        proxy = Proxy(self, "--reverse", ANY)
        code, _ = proxy.ended()
        self.assertEqual(code, 1)
        self.assertIn("--reverse needs a server", proxy.output.splitlines()[-1])
