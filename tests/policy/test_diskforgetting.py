# -*- test-case-name: tests.policy.test_diskforgetting -*-
"""
L{intermediary.policy.diskforgetting}: keys that are forgotten together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from intermediary.policy import diskcalls, diskforgetting

from .stored import entryOf
from .test_diskstore import DiskTests

if TYPE_CHECKING:
    from collections.abc import Sequence


class ForgettingTests(DiskTests):
    """What L{DiskStore.forget} comes to."""

    def setUp(self) -> None:
        super().setUp()
        self.told: list[tuple[bytes, ...]] = []
        forgetting = self.store._forgetting
        forget = forgetting._forget

        def noted(keys: Sequence[bytes]) -> Any:
            self.told.append(tuple(keys))
            return forget(keys)

        self.patch(forgetting, "_forget", noted)

    def test_oneIsForgottenAtOnce(self) -> None:
        """With all its variants, and its files."""
        self.add(entryOf(b"a", b"1"), entryOf(b"a", b"2", variant=b"v"), entryOf(b"b", b"3"))
        self.assertEqual(self.successResultOf(self.store.forget(b"a")), 2)
        self.assertEqual(self.entries(b"a"), ())
        self.assertEqual(self.contents(b"b"), [b"3"])
        self.assertEqual(len(self.filesThere()), 1)

    def test_thoseThatComeMeanwhileGoTogether(self) -> None:
        """Each is told of its own, when it is done and not before."""
        for key in (b"a", b"b", b"c"):
            self.add(entryOf(key, b"content"))
        self.pool.holding = True
        first, *others = [self.store.forget(key) for key in (b"a", b"b", b"none", b"c", b"b")]
        self.assertEqual(len(self.store._forgetting), 3)
        self.pool.step()
        self.assertEqual(self.successResultOf(first), 1)
        for each in others:
            self.assertNoResult(each)
        while self.pool.waiting:
            self.pool.step()
        self.assertEqual([self.successResultOf(each) for each in others], [1, 0, 1, 1])
        self.assertEqual(self.told, [(b"a",), (b"b", b"none", b"c")])
        self.pool.holding = False
        self.assertEqual(len(self.store._forgetting), 0)
        self.assertEqual(self.filesThere(), [])

    def test_aDiskThatHangs(self) -> None:
        """It is known as such, and forgets when it is back."""
        self.patch(diskcalls, "CALLS", 8)
        self.patch(diskforgetting, "KEYS", 4)
        self.add(*[entryOf(b"%d" % number, b"content") for number in range(20)])
        self.pool.holding = True
        forgetting = [self.store.forget(b"%d" % number) for number in range(20)]
        self.assertFalse(self.store.inUse)
        self.assertEqual(len(self.store._forgetting), 4)
        while self.pool.waiting:
            self.pool.step()
        for each in forgetting:
            self.successResultOf(each)
        self.pool.holding = False
        self.reactor.advance(diskcalls.RETRY_SECONDS)
        for number in range(20):
            self.assertEqual(self.entries(b"%d" % number), ())
        self.assertTrue(self.store.inUse)
        self.assertEqual(self.filesThere(), [])

    def test_aDiskThatFails(self) -> None:
        """Who waits is told, and it is done later."""
        self.add(entryOf(b"a", b"content"))
        forget = self.store._forgetting._forget

        def fails(keys: Sequence[bytes]) -> Any:
            self.patch(self.store._forgetting, "_forget", forget)
            raise OSError("trouble")

        self.patch(self.store._forgetting, "_forget", fails)
        self.assertEqual(self.successResultOf(self.store.forget(b"a")), 0)
        self.assertFalse(self.store.inUse)
        self.reactor.advance(diskcalls.RETRY_SECONDS)
        self.assertEqual(self.entries(b"a"), ())
        self.assertEqual(self.filesThere(), [])
