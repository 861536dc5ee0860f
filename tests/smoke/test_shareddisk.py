# -*- test-case-name: tests.smoke.test_shareddisk -*-
"""Two real processes with one disk for their caches: what one purges is gone from both."""

from __future__ import annotations

from pathlib import Path

from .running import RunningProxy, until
from .test_purge import ALLOWED, PurgeTestCase

DISK = ALLOWED + '\ndisk = { path = "{folder}", size = "64MiB" }'


class PairTests(PurgeTestCase):
    """Both have it in memory, and one is told."""

    def test_whatOnePurges(self) -> None:
        """By URL, tag and host, and by an unsafe request; the other one hears of it, once."""
        disk = str(Path(self.mktemp()).absolute())
        self.runs(DISK.replace("{folder}", disk))
        one = self.proxy
        folder = Path(self.mktemp())
        folder.mkdir()
        configuration = (one.folder / "proxy.toml").read_text(encoding="utf-8")
        two = RunningProxy(folder, configuration)
        self.addCleanup(two.discard)
        for proxy in (one, two):
            proxy.says("the disk cache in .* is in use")
        for method, lines in (
            (b"PURGE", ()),
            (b"PURGE", (b"Surrogate-Key: tag-a",)),
            (b"PURGE", (b"Purge-Scope: host",)),
            (b"DELETE", ()),
        ):
            for proxy in (one, two):
                self.proxy = proxy
                for target in (b"/a", b"/b"):
                    self.isStored(target)
                    self.assertTrue(self.isStored(target))
            self.proxy = one
            answer = self.asks(method, b"/a", *lines)
            self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
            self.proxy = two
            until(lambda: not self.isStored(b"/a"), "the other process forgets it")
            # What is stored after that stays.
            self.assertTrue(self.isStored(b"/a"))
            self.assertIs(self.isStored(b"/b"), lines != (b"Purge-Scope: host",))
        for proxy in (one, two):
            self.proxy = proxy
            self.assertEqual(proxy.stop(), 0)
            self.quiet()
