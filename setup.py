# -*- test-case-name: tests.test_packaging -*-
"""
Compile what every request goes through; all else about the package is in setup.cfg.

mypyc makes C of the very sources that run without it.  The variable
INTERMEDIARY_COMPILE says whether it should: "0" never, "1" or the build fails;
without it, where it works, and a package of pure Python otherwise.

An editable install is never compiled: a compiled module would hide what is
edited beside it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setuptools import setup
from setuptools.command.build_ext import build_ext

if TYPE_CHECKING:
    from setuptools import Extension

VARIABLE = "INTERMEDIARY_COMPILE"

#: What every request goes through.  Calls between these modules are calls of C,
#: so one that is left out costs those beside it, too.
COMPILED = (
    "intermediary/engine.py",
    "intermediary/exchange.py",
    "intermediary/front.py",
    "intermediary/program.py",
    "intermediary/net/beginning.py",
    "intermediary/net/bucket.py",
    "intermediary/net/closing.py",
    "intermediary/net/connector.py",
    "intermediary/net/dialling.py",
    "intermediary/net/downstream.py",
    "intermediary/net/eagerness.py",
    "intermediary/net/failures.py",
    "intermediary/net/filesending.py",
    "intermediary/net/gate.py",
    "intermediary/net/listener.py",
    "intermediary/net/loop.py",
    "intermediary/net/pool.py",
    "intermediary/net/prelude.py",
    "intermediary/net/records.py",
    "intermediary/net/socketattempt.py",
    "intermediary/net/splice.py",
    "intermediary/net/sweep.py",
    "intermediary/net/tlssending.py",
    "intermediary/net/tlssocket.py",
    "intermediary/net/tunnel.py",
    "intermediary/net/upstream.py",
    "intermediary/ops/accesslog.py",
    "intermediary/ops/logline.py",
    "intermediary/policy/access.py",
    "intermediary/policy/addresses.py",
    "intermediary/policy/ahead.py",
    "intermediary/policy/admission.py",
    "intermediary/policy/answers.py",
    "intermediary/policy/arrival.py",
    "intermediary/policy/balancing.py",
    "intermediary/policy/body.py",
    "intermediary/policy/bypass.py",
    "intermediary/policy/cache.py",
    "intermediary/policy/cachefield.py",
    "intermediary/policy/cachestate.py",
    "intermediary/policy/collapsing.py",
    "intermediary/policy/delivery.py",
    "intermediary/policy/destination.py",
    "intermediary/policy/disclosure.py",
    "intermediary/policy/diskwriting.py",
    "intermediary/policy/entries.py",
    "intermediary/policy/eviction.py",
    "intermediary/policy/filling.py",
    "intermediary/policy/heads.py",
    "intermediary/policy/hops.py",
    "intermediary/policy/joining.py",
    "intermediary/policy/leftovers.py",
    "intermediary/policy/lookup.py",
    "intermediary/policy/marks.py",
    "intermediary/policy/networks.py",
    "intermediary/policy/outdating.py",
    "intermediary/policy/partials.py",
    "intermediary/policy/passing.py",
    "intermediary/policy/purgerequests.py",
    "intermediary/policy/purging.py",
    "intermediary/policy/rangemiss.py",
    "intermediary/policy/readahead.py",
    "intermediary/policy/reading.py",
    "intermediary/policy/recentchanges.py",
    "intermediary/policy/recentpurges.py",
    "intermediary/policy/redirects.py",
    "intermediary/policy/refreshing.py",
    "intermediary/policy/replies.py",
    "intermediary/policy/revalidation.py",
    "intermediary/policy/routing.py",
    "intermediary/policy/selection.py",
    "intermediary/policy/shelves.py",
    "intermediary/policy/siblings.py",
    "intermediary/policy/spelling.py",
    "intermediary/policy/storedfile.py",
    "intermediary/policy/stores.py",
    "intermediary/policy/stricttransport.py",
    "intermediary/policy/tags.py",
    "intermediary/policy/targets.py",
    "intermediary/policy/tierlooks.py",
    "intermediary/policy/tieroffers.py",
    "intermediary/policy/tiers.py",
    "intermediary/policy/uses.py",
    "intermediary/policy/validation.py",
    "intermediary/policy/visit.py",
    "intermediary/wire/cachekey.py",
    "intermediary/wire/cachestatus.py",
    "intermediary/wire/chunked.py",
    "intermediary/wire/clientcertificates.py",
    "intermediary/wire/clienthello.py",
    "intermediary/wire/combining.py",
    "intermediary/wire/conditional.py",
    "intermediary/wire/connects.py",
    "intermediary/wire/dates.py",
    "intermediary/wire/directives.py",
    "intermediary/wire/encoding.py",
    "intermediary/wire/fields.py",
    "intermediary/wire/forwarding.py",
    "intermediary/wire/framing.py",
    "intermediary/wire/freshness.py",
    "intermediary/wire/http1.py",
    "intermediary/wire/invalidation.py",
    "intermediary/wire/message.py",
    "intermediary/wire/ranges.py",
    "intermediary/wire/reader.py",
    "intermediary/wire/refusal.py",
    "intermediary/wire/request.py",
    "intermediary/wire/response.py",
    "intermediary/wire/reuse.py",
    "intermediary/wire/rules.py",
    "intermediary/wire/section.py",
    "intermediary/wire/startline.py",
    "intermediary/wire/storing.py",
    "intermediary/wire/target.py",
    "intermediary/wire/targeted.py",
    "intermediary/wire/updating.py",
    "intermediary/wire/variants.py",
)

#: The commands that make what will be installed; "editable_wheel" is none of them.
BUILDING = frozenset({"bdist", "bdist_wheel", "build", "build_ext", "install"})

#: What puts compiled modules beside the sources.
IN_PLACE = frozenset({"--inplace", "-i"})


class Uncompiled(Exception):
    """Why a package is of pure Python."""


def wanted() -> str:
    """
    Tell whether to compile.

    @return: C{"0"} never, C{"1"} it has to work, C{""} if it works.
    """
    value = os.environ.get(VARIABLE, "")
    if value not in {"", "0", "1"}:
        raise SystemExit(f"{VARIABLE} is {value!r}; it may be 0, 1 or unset")
    if IN_PLACE.intersection(sys.argv) or not BUILDING.intersection(sys.argv):
        return "0"
    return value


def compromise(reason: Uncompiled) -> None:
    """
    Go on with pure Python and say so, once.

    @raise SystemExit: it was not to be.
    """
    if wanted() == "1":
        raise SystemExit(f"{VARIABLE} is 1, but {reason}")
    print(f"warning: this will be pure Python, the same but slower: {reason}", file=sys.stderr)


def tryCompiler() -> None:
    """
    Compile a line that needs Python's headers.

    Without a compiler, the wheel has to be known for pure before it is begun.

    @raise Uncompiled: it can't be done.
    """
    from setuptools._distutils.ccompiler import new_compiler
    from setuptools._distutils.sysconfig import customize_compiler, get_python_inc

    with tempfile.TemporaryDirectory(prefix="intermediary-") as folder:
        source = Path(folder, "attempt.c")
        source.write_text("#include <Python.h>\nint attempt(void) { return PY_MAJOR_VERSION; }\n")
        try:
            compiler = new_compiler()
            customize_compiler(compiler)
            compiler.add_include_dir(get_python_inc())
            compiler.compile([str(source)], output_dir=folder)
        except Exception as error:  # of each platform its own
            raise Uncompiled(f"the C compiler does not work: {error}") from error


def extensions() -> list[Extension]:
    """
    Translate the modules to C.

    @return: what a compiler has to do.
    @raise Uncompiled: there is no mypyc, no compiler, or it can't.
    """
    tryCompiler()
    try:
        from mypyc.build import mypycify
    except ImportError as error:
        raise Uncompiled(f"mypyc is not installed: {error}") from error
    try:
        # Optimised at level 3, it is not faster.
        found: list[Any] = mypycify(
            ["--config-file=tools/mypyc.ini", *COMPILED],
            opt_level="2",
            debug_level="0",
            group_name="intermediary",
        )
    except SystemExit as error:
        raise Uncompiled("mypyc refuses it, see above") from error
    except Exception as error:  # a defect of mypyc
        raise Uncompiled(f"mypyc fails: {error!r}") from error
    for extension in found:
        # mypyc makes warnings errors, and compilers differ in what they warn of.
        extension.extra_compile_args.append("-Wno-error")
    return found


class AllOrNothing(build_ext):
    """Compile all modules; if one fails, none, as they are parts of one library."""

    def run(self) -> None:
        """Build, or leave nothing behind."""
        try:
            super().run()
        except Exception as error:  # noqa: BLE001 - of each platform its own
            for extension in self.extensions:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.get_ext_fullpath(extension.name))
            self.extensions = []
            compromise(Uncompiled(f"the C compiler fails: {error}"))


def arguments() -> dict[str, Any]:
    """Give what setup.cfg can't say."""
    if wanted() == "0":
        return {}
    try:
        return {"ext_modules": extensions(), "cmdclass": {"build_ext": AllOrNothing}}
    except Uncompiled as reason:
        compromise(reason)
        return {}


if __name__ == "__main__":
    setup(**arguments())
