"""How Sphinx builds the documentation: C{make docs}."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from intermediary import __version__

project = "intermediary"
author = "the intermediary developers"
copyright = author
version = release = __version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
nitpicky = True

html_theme = "furo"
html_title = f"intermediary {version}"
html_copy_source = False
html_show_sphinx = False
