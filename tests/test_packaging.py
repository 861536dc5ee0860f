# -*- test-case-name: tests.test_packaging -*-
"""
The package as Twisted and pip see it.

Whether a wheel works in a bare venv is a check of its own (C{tools.wheel}), as
it takes a network, and so is the compiled package (C{tools.compiled}).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tools.wheel import misplaced

ROOT = Path(__file__).parent.parent


def python(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a script that sees this folder as an editable install shows it."""
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


class PluginTests(SynchronousTestCase):
    """C{twistd} finds the service, and C{clientFromString} the endpoint."""

    def elsewhere(self) -> Path:
        """A folder in which there is nothing."""
        path = Path(self.mktemp())
        path.mkdir()
        return path

    def test_twistdOffersTheService(self) -> None:
        """Through C{getPlugins}, as C{twistd} looks for it."""
        done = python(
            "from twisted.plugin import getPlugins\n"
            "from twisted.application.service import IServiceMaker\n"
            "[maker] = [m for m in getPlugins(IServiceMaker) if m.tapname == 'intermediary']\n"
            "print(maker.options.__name__, maker.makeService.__name__)\n",
            self.elsewhere(),
        )
        self.assertEqual(done.stdout, "Options makeService\n", done.stderr)

    def test_lookingForPluginsImportsNothingOfOurs(self) -> None:
        """Every C{twistd} and every endpoint string on the host looks."""
        done = python(
            "import sys\n"
            "from twisted.plugin import getPlugins\n"
            "from twisted.application.service import IServiceMaker\n"
            "from twisted.internet.interfaces import IStreamClientEndpointStringParserWithReactor\n"
            "names = [m.tapname for m in getPlugins(IServiceMaker)]\n"
            "prefixes = [p.prefix for p in getPlugins(IStreamClientEndpointStringParserWithReactor)]\n"
            "assert 'intermediary' in names and 'intermediary' in prefixes\n"
            "print([name for name in sys.modules if name.split('.')[0] == 'intermediary'])\n",
            self.elsewhere(),
        )
        self.assertEqual(done.stdout, "[]\n", done.stderr)

    def test_theReactorIsOffered(self) -> None:
        """For C{--reactor=intermediary}."""
        done = python(
            "from twisted.application.reactors import getReactorTypes\n"
            "print('intermediary' in [reactor.shortName for reactor in getReactorTypes()])\n",
            self.elsewhere(),
        )
        self.assertEqual(done.stdout, "True\n", done.stderr)

    def test_theEndpointStringIsParsed(self) -> None:
        """By the real parser, imported when it is needed."""
        done = python(
            "from twisted.internet import reactor\n"
            "from twisted.internet.endpoints import clientFromString\n"
            "text = 'intermediary:example.org:443:via=tcp\\\\:127.0.0.1\\\\:3128'\n"
            "print(type(clientFromString(reactor, text)).__name__)\n",
            self.elsewhere(),
        )
        self.assertEqual(done.stdout, "IntermediaryClientEndpoint\n", done.stderr)

    def test_theFoldersOfTwistedAreNoPackages(self) -> None:
        """An C{__init__} there would hide Twisted's own, or its plugins."""
        for folder in ("twisted", "twisted/plugins"):
            self.assertFalse((ROOT / folder / "__init__.py").exists(), folder)


class MetadataTests(SynchronousTestCase):
    """What an installation needs stands in one place."""

    def test_everyPackageIsListed(self) -> None:
        """A new one would be missing from the wheel."""
        listed = (ROOT / "setup.cfg").read_text(encoding="utf-8").split()
        for path in (ROOT / "intermediary").rglob("__init__.py"):
            name = ".".join(path.parent.relative_to(ROOT).parts)
            self.assertIn(name, listed)

    def test_theProjectTableIsNotUsed(self) -> None:
        """Metadata in two places would disagree one day."""
        text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        self.assertNotIn("[project", text)


class WheelTests(SynchronousTestCase):
    """What may be in a wheel."""

    GOOD = (
        "intermediary/__init__.py",
        "intermediary/py.typed",
        "twisted/plugins/intermediary_plugin.py",
        "twisted/plugins/intermediary_reactor.py",
        "intermediary-0.1.0.dist-info/METADATA",
    )

    def test_aGoodOne(self) -> None:
        """The package, its metadata and its plugins."""
        self.assertEqual(list(misplaced(self.GOOD)), [])

    def test_aCompiledOne(self) -> None:
        """A library at the top, and a door to it for each module."""
        suffix = "cpython-311-x86_64-linux-gnu.so"
        compiled = (f"intermediary__mypyc.{suffix}", f"intermediary/engine.{suffix}")
        self.assertEqual(list(misplaced((*self.GOOD, *compiled))), [])

    def test_filesOfTwisted(self) -> None:
        """They would replace Twisted's own."""
        for name in ("twisted/__init__.py", "twisted/plugins/dropin.cache"):
            self.assertEqual(list(misplaced((*self.GOOD, name))), [f"{name} belongs to Twisted"])

    def test_testsAndTools(self) -> None:
        """They are for the working copy."""
        self.assertEqual(
            list(misplaced((*self.GOOD, "tests/__init__.py"))),
            ["tests/__init__.py is not a part of the package"],
        )

    def test_whatIsMissing(self) -> None:
        """The plugin makes C{twistd} know the service."""
        self.assertIn(
            "twisted/plugins/intermediary_plugin.py is missing", list(misplaced(self.GOOD[:2]))
        )


class CompilationTests(SynchronousTestCase):
    """
    C{setup.py}: whether to compile, what, and what becomes of it if that fails.

    In a process of its own, as setuptools replaces modules of Python's.
    """

    NO_COMPILER: ClassVar[dict[str, str]] = {"CC": "/bin/false"}
    REQUIRED: ClassVar[dict[str, str]] = {"INTERMEDIARY_COMPILE": "1"}

    def says(self, script: str, *arguments: str, **variables: str) -> tuple[str, str]:
        """
        Run a script that knows C{setup}, which was called with arguments.

        @param variables: of the environment.
        @return: what it printed, and its complaints.
        """
        done = subprocess.run(
            [sys.executable, "-c", f"import setup\n{script}", *(arguments or ["bdist_wheel"])],
            cwd=ROOT,
            env={**os.environ, "INTERMEDIARY_COMPILE": "", **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout, done.stderr

    def test_whatIsInstalledIsCompiledIfThatWorks(self) -> None:
        """Unless the variable says that it must, or must not."""
        for value in ("", "0", "1"):
            said = self.says("print(setup.wanted())", INTERMEDIARY_COMPILE=value)
            self.assertEqual(said, (f"{value}\n", ""))

    def test_otherValuesAreRefused(self) -> None:
        """Whoever wrote "no" meant something."""
        _, complaints = self.says("setup.wanted()", INTERMEDIARY_COMPILE="no")
        self.assertEqual(complaints, "INTERMEDIARY_COMPILE is 'no'; it may be 0, 1 or unset\n")

    def test_anEditableInstallIsNot(self) -> None:
        """What is edited would not be what runs; and nothing is built for a mere question."""
        script = """
import sys
for arguments in (
    ["editable_wheel"],
    ["develop"],
    ["build_ext", "--inplace"],
    ["egg_info"],
    ["dist_info"],
    ["sdist"],
):
    sys.argv[1:] = arguments
    print(setup.wanted(), setup.arguments())
"""
        self.assertEqual(self.says(script, **self.REQUIRED), ("0 {}\n" * 6, ""))

    def test_whatIsCompiledIsThere(self) -> None:
        """All of C{wire}, and nothing twice."""
        listed = self.says("print(*setup.COMPILED)")[0].split()
        self.assertEqual(len(set(listed)), len(listed))
        for name in listed:
            self.assertTrue((ROOT / name).is_file(), name)
        for path in (ROOT / "intermediary" / "wire").glob("[!_]*.py"):
            self.assertIn(path.relative_to(ROOT).as_posix(), listed)

    def test_withoutCompilerItIsPure(self) -> None:
        """With a word about it."""
        printed, complaints = self.says("print(setup.arguments())", **self.NO_COMPILER)
        self.assertEqual(printed.splitlines()[-1], "{}")
        self.assertEqual(complaints.count("warning: this will be pure Python"), 1)
        self.assertIn("the same but slower: the C compiler does not work", complaints)

    def test_withoutCompilerItFailsIfItMustBeCompiled(self) -> None:
        """A distribution would rather not be built than be slow."""
        _, complaints = self.says("setup.arguments()", **self.NO_COMPILER, **self.REQUIRED)
        self.assertIn("INTERMEDIARY_COMPILE is 1, but the C compiler does not work", complaints)

    #: Builds two modules, of which one was built already.
    BUILD = """
import pathlib, tempfile
from setuptools import Distribution, Extension
with tempfile.TemporaryDirectory() as folder:
    modules = [Extension("one", [folder + "/one.c"]), Extension("two", ["two.c"])]
    command = setup.AllOrNothing(Distribution({"ext_modules": modules}))
    command.build_lib = command.build_temp = folder
    command.ensure_finalized()
    built = pathlib.Path(command.get_ext_fullpath("one"))
    built.write_bytes(b"")
    try:
        command.run()
    finally:
        print(built.exists(), command.extensions, command.get_outputs())
"""

    def test_ifOneModuleFailsAllAreOfPython(self) -> None:
        """They are parts of one library."""
        printed, complaints = self.says(self.BUILD, **self.NO_COMPILER)
        self.assertEqual(printed.splitlines()[-1], "False [] []")
        self.assertEqual(complaints.count("warning: this will be pure Python"), 1)

    def test_ifOneModuleFailsAndAllMustBeCompiledItFails(self) -> None:
        """And leaves nothing."""
        printed, complaints = self.says(self.BUILD, **self.NO_COMPILER, **self.REQUIRED)
        self.assertEqual(printed.splitlines()[-1], "False [] []")
        self.assertIn("INTERMEDIARY_COMPILE is 1, but the C compiler fails", complaints)
