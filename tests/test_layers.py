# -*- test-case-name: tests.test_layers -*-
"""
The layers of the package: who may import whom; and which tests mirror whom.

Tests of L{tools.layers}, and the check itself.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from tools.layers import MAY_IMPORT, PACKAGE, Arrow, arrows, layerOf, violations, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).parent.parent
ROOT = CHECKOUT / PACKAGE

#: The first line of a module (L{twisted.scripts.trial} reads it, too).
HEADER = re.compile(r"# -\*- test-case-name: (\S+) -\*-")


class PackageTests(SynchronousTestCase):
    """The package as it is."""

    def test_noImportIsAgainstTheLayers(self) -> None:
        """Base, wire, core, net beside policy, ops: each imports only what is below."""
        self.assertEqual(list(violations(ROOT)), [])

    def test_everyFolderIsALayer(self) -> None:
        """A new folder has to say where it stands."""
        folders = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
        self.assertTrue(folders <= set(MAY_IMPORT), folders)


class MirrorTests(SynchronousTestCase):
    """The first line of a module says where its tests are."""

    def modules(self) -> Iterator[Path]:
        """All that are tested, and the tests."""
        for folder in (PACKAGE, "tools", "benchmarks", "tests"):
            yield from sorted(CHECKOUT.joinpath(folder).rglob("*.py"))

    def test_theyAreThere(self) -> None:
        """A module of tests that is renamed is renamed there, too."""
        for path in self.modules():
            with path.open(encoding="utf-8") as file:
                header = HEADER.match(file.readline())
            for name in header[1].split(",") if header is not None else ():
                tests = CHECKOUT.joinpath(*name.split("."))
                self.assertTrue(
                    tests.with_suffix(".py").is_file() or (tests / "__init__.py").is_file(),
                    f"{path.relative_to(CHECKOUT)} names {name}",
                )

    def test_everyModuleNamesThem(self) -> None:
        """Packages alone may have none of their own."""
        for path in self.modules():
            if path.name != "__init__.py":
                with path.open(encoding="utf-8") as file:
                    self.assertRegex(file.readline(), HEADER, str(path.relative_to(CHECKOUT)))


class LayerTests(SynchronousTestCase):
    """Modules and their layers."""

    def test_byFolderOrByName(self) -> None:
        """What is neither a layer's nor base is core."""
        for module, layer in (
            ("intermediary", "base"),
            ("intermediary.errors", "base"),
            ("intermediary.wire", "wire"),
            ("intermediary.wire.fields", "wire"),
            ("intermediary.engine", "core"),
            ("intermediary.net.pool", "net"),
            ("intermediary.policy.routing", "policy"),
            ("intermediary.ops.config", "ops"),
        ):
            self.assertEqual(layerOf(module), layer, module)

    def test_siblingsDoNotKnowEachOther(self) -> None:
        """Net and policy are joined by ops alone."""
        self.assertNotIn("policy", MAY_IMPORT["net"])
        self.assertNotIn("net", MAY_IMPORT["policy"])


class ArrowTests(SynchronousTestCase):
    """Imports are found in all their forms."""

    def imported(self, source: str, module: str = "intermediary.net.pool") -> list[str]:
        """What a module imports."""
        return [arrow.imported for arrow in arrows(module, isPackage=False, source=source)]

    def test_absoluteAndRelative(self) -> None:
        """Relative ones become absolute."""
        self.assertEqual(
            self.imported(
                "import os.path, sys\n"
                "from ..errors import WireError\n"
                "from .. import engine\n"
                "from .gate import Gate as G, x\n"
                "from twisted.internet import defer\n"
            ),
            [
                "os.path",
                "sys",
                "intermediary.errors.WireError",
                "intermediary.engine",
                "intermediary.net.gate.Gate",
                "intermediary.net.gate.x",
                "twisted.internet.defer",
            ],
        )

    def test_ofAPackage(self) -> None:
        """One dot is the package itself."""
        (arrow,) = arrows("intermediary.net", isPackage=True, source="from .gate import Gate")
        self.assertEqual(arrow.imported, "intermediary.net.gate.Gate")

    def test_insideFunctionsAndConditions(self) -> None:
        """No import is hidden."""
        source = "def f():\n try:\n  import a\n finally:\n  if x:\n   import b\n"
        self.assertEqual(self.imported(source), ["a", "b"])

    def test_forTypesAlone(self) -> None:
        """Known as such; the other branch is not."""
        source = "if TYPE_CHECKING:\n import a\nelse:\n import b\nimport c\n"
        self.assertEqual(
            [
                (arrow.imported, arrow.typesOnly)
                for arrow in arrows("m", isPackage=False, source=source)
            ],
            [("a", True), ("b", False), ("c", False)],
        )


class WrongTests(SynchronousTestCase):
    """What is wrong, and what is not."""

    def judged(self, module: str, imported: str, typesOnly: bool = False) -> str | None:
        """The verdict on one import."""
        return wrong(Arrow(f"intermediary.{module}", 1, imported, typesOnly))

    def test_downIsFine(self) -> None:
        """Also within a layer."""
        self.assertIsNone(self.judged("net.pool", "intermediary.errors.WireError"))
        self.assertIsNone(self.judged("net.pool", "intermediary.net.gate"))
        self.assertIsNone(self.judged("ops.compile", "intermediary.policy.routing"))
        self.assertIsNone(self.judged("engine", "intermediary.wire.fields"))

    def test_upIsWrong(self) -> None:
        """Also for types, and for a whole layer."""
        for module, imported in (
            ("wire.fields", "intermediary.engine"),
            ("wire.fields", "intermediary.exchange.Exchange"),
            ("engine", "intermediary.net.pool"),
            ("net.pool", "intermediary.ops.config"),
            ("net.pool", "intermediary.policy"),
            ("policy.access", "intermediary.net.resolver"),
            ("errors", "intermediary.wire.fields"),
        ):
            self.assertIsNotNone(self.judged(module, imported), (module, imported))
            if module != "errors":
                self.assertIsNotNone(self.judged(module, imported, typesOnly=True))

    def test_contractsMayNameWhatTheyAreHanded(self) -> None:
        """Types of core and wire in base; nothing at run time."""
        self.assertIsNone(
            self.judged("interfaces", "intermediary.exchange.Exchange", typesOnly=True)
        )
        self.assertIsNotNone(self.judged("interfaces", "intermediary.exchange.Exchange"))
        self.assertIsNotNone(
            self.judged("interfaces", "intermediary.net.pool.Pool", typesOnly=True)
        )

    def test_wireKnowsNoSockets(self) -> None:
        """No Twisted, no sockets, no threads."""
        for imported in ("twisted.internet.defer.Deferred", "zope.interface", "socket", "asyncio"):
            self.assertIsNotNone(self.judged("wire.http1", imported), imported)
        self.assertIsNone(self.judged("wire.http1", "re"))

    def test_pydanticIsForTheModel(self) -> None:
        """And for reading the file by it."""
        self.assertIsNone(self.judged("ops.schema", "pydantic.Field"))
        self.assertIsNotNone(self.judged("ops.config", "pydantic.Field"))

    def test_theReactorIsAnArgument(self) -> None:
        """Only ops may fetch the global one."""
        self.assertIsNotNone(self.judged("net.pool", "twisted.internet.reactor"))
        self.assertIsNone(self.judged("ops.service", "twisted.internet.reactor"))
