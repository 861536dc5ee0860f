# -*- test-case-name: tests.test_layers -*-
"""
C{python -m tools.layers}: hold the imports to the picture of the layers.

Every import counts, also those inside functions and for types alone, as each
says what a reader must know first.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGE = "intermediary"

#: The modules of the package itself that belong to the lowest layers; the
#: others are core.
BASE = frozenset({"", "clientcertificate", "compiling", "errors", "interfaces", "settings"})

#: What each layer may import besides itself.
MAY_IMPORT = {
    "base": set[str](),
    "wire": {"base"},
    "core": {"base", "wire"},
    "net": {"base", "wire", "core"},
    "policy": {"base", "wire", "core"},
    "ops": {"base", "wire", "core", "net", "policy"},
}

#: Layers without sockets, threads or time of their own.
SANS_IO = frozenset({"wire"})

#: Type annotations of base name what implementations are handed.
TYPES_FROM_ABOVE = frozenset({"base"})


class Arrow(NamedTuple):
    """An import, as one module's statement at one line."""

    module: str
    line: int
    imported: str
    #: Under C{if TYPE_CHECKING}.
    typesOnly: bool


def layerOf(module: str) -> str:
    """
    Name the layer of a module of the package.

    @param module: dotted, with the package.
    """
    first = module.removeprefix(PACKAGE).lstrip(".").partition(".")[0]
    if first in BASE:
        return "base"
    return first if first in MAY_IMPORT else "core"


def arrows(module: str, isPackage: bool, source: str) -> Iterator[Arrow]:
    """Iterate over a module's imports, with relative ones made absolute."""
    package = module if isPackage else module.rpartition(".")[0]
    for node, typesOnly in _imports([ast.parse(source)], typesOnly=False):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Arrow(module, node.lineno, alias.name, typesOnly)
            continue
        origin = node.module or ""
        if node.level:
            parts = package.split(".")
            parts = parts[: len(parts) - node.level + 1]
            origin = ".".join([*parts, origin] if origin else parts)
        for alias in node.names:
            # "from .. import x" may name a module or something in it.
            yield Arrow(module, node.lineno, f"{origin}.{alias.name}", typesOnly)


def _imports(
    nodes: Iterable[ast.AST], typesOnly: bool
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Iterate over all import statements in some nodes."""
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, typesOnly
        elif isinstance(node, ast.If) and _isTypeChecking(node.test):
            yield from _imports(node.body, typesOnly=True)
            yield from _imports(node.orelse, typesOnly)
        else:
            yield from _imports(ast.iter_child_nodes(node), typesOnly)


def _isTypeChecking(test: ast.expr) -> bool:
    """Tell C{TYPE_CHECKING} from other conditions."""
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def wrong(arrow: Arrow) -> str | None:
    """Say what is wrong with an import, if anything is."""
    layer = layerOf(arrow.module)
    root = arrow.imported.partition(".")[0]
    if root == PACKAGE:
        above = layerOf(arrow.imported)
        if above == layer or above in MAY_IMPORT[layer]:
            return None
        # The contracts of the interfaces speak of what they are handed.
        if arrow.typesOnly and layer in TYPES_FROM_ABOVE and above in {"core", "wire"}:
            return None
        return f"{layer} must not import {above}"
    if layer in SANS_IO and root in {"twisted", "zope", "socket", "asyncio", "threading"}:
        return f"{layer} must not import {root}"
    if root == "pydantic" and arrow.module not in PYDANTIC:
        return "only the model of the configuration may import pydantic"
    if arrow.imported.startswith("twisted.internet.reactor"):
        reason = "takes its reactor as an argument"
        return None if layer == "ops" else f"{layer} {reason}"
    return None


#: What reads the configuration file.
PYDANTIC = frozenset(
    f"intermediary.ops.{name}"
    for name in ("reading", "schema", "tables", "cachetables", "fronttables", "tlstables")
)


def violations(root: Path) -> Iterator[str]:
    """Walk a package and iterate over its wrong imports, as C{file:line: words}."""
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        isPackage = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if isPackage else parts)
        for arrow in arrows(module, isPackage, path.read_text(encoding="utf-8")):
            if complaint := wrong(arrow):
                yield f"{path}:{arrow.line}: {complaint} ({arrow.imported})"


def main() -> int:
    """Check the package beside this folder."""
    found = list(violations(Path(__file__).parent.parent / PACKAGE))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
