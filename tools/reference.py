# -*- test-case-name: tests.test_reference -*-
"""
C{python -m tools.reference}: write the configuration reference from the model.

C{docs/configuration.md} is kept, so that it can be read without a build; a test
fails when it is not what this would write.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intermediary.ops import cachetables, fronttables, schema, tables, tlstables
from intermediary.ops.logformat import _JSON, CERTIFICATES, COMBINED, VARIABLES
from intermediary.ops.problems import spell

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parent.parent / "docs" / "configuration.md"

_INTRODUCTION = """\
# Configuration

<!-- Written by "python -m tools.reference" from the tables in intermediary/ops: edit those. -->

`twistd -n intermediary --config FILE` reads one TOML file. `--check` reads and
validates it, says what would run and exits; `--explain` prints the compiled program
of every route. Neither binds a port.

A key that is not known is an error, and so is a value of the wrong type: nothing is
converted or ignored. All errors come at once, each with its file, line, key, value
and what to do about it.

Durations are in seconds and may be fractions. Sizes are in octets: an integer, or a
string with a unit (`"64KiB"`, `"10MB"`; `KiB` is 1024, `kB` 1000).

`python -m intermediary.ops.config --schema` prints a JSON Schema of the file, with
which editors complete and check it.
"""

_EXAMPLE = """\
## Examples

The file of `make run`:

```{literalinclude} ../examples/quickstart.toml
:language: toml
```

A forward proxy for an office (`examples/forward.toml`):

```{literalinclude} ../examples/forward.toml
:language: toml
```

A reverse proxy with a cache (`examples/cache.toml`):

```{literalinclude} ../examples/cache.toml
:language: toml
```

A site with https ([](tls.md) tells more; `examples/tls.toml`):

```{literalinclude} ../examples/tls.toml
:language: toml
```

A reverse proxy for two sites (`examples/reverse.toml`):

```{literalinclude} ../examples/reverse.toml
:language: toml
```
"""

#: The headings, and the tables of the model that they are about.
_TABLES: tuple[tuple[str, type[tables.Table]], ...] = (
    ("Top level", schema.Document),
    ("`[forward.NAME]`", fronttables.ForwardTable),
    ("`[reverse.NAME]`", fronttables.ReverseTable),
    ("`[[reverse.NAME.route]]`", fronttables.RouteTable),
    ("`[[reverse.NAME.passthrough]]`", fronttables.PassageTable),
    ("`[forward.NAME.timeouts]` and `[reverse.NAME.timeouts]`", fronttables.TimeoutsTable),
    ("`tls` of a front", tlstables.TLSTable),
    ("`clients` of such a `tls`", tlstables.ClientsTable),
    ("`headers` of such `clients`", tlstables.ClientHeadersTable),
    ("`client-certificate` of a route or of a forward front", tlstables.ClientRuleTable),
    ("`https-only` of a reverse front", fronttables.HTTPSOnlyTable),
    ("`intercept` of a forward front", fronttables.InterceptTable),
    ("`acme` of such a `tls`", tlstables.AcmeTable),
    ("`[upstream.NAME]`", schema.UpstreamTable),
    ("`tls` of an upstream", tlstables.OriginTLSTable),
    ("`[limits]`", schema.LimitsTable),
    ("`[pool]`", schema.PoolTable),
    ("`[cache]`", cachetables.CacheTable),
    ("`disk` of `[cache]`", cachetables.DiskTable),
    ("`cache` of a route or of a forward front", cachetables.RouteCacheTable),
    ("`force` of such a `cache`", cachetables.ForceTable),
    ("`bypass` of such a `cache`", cachetables.BypassTable),
    ("`[log]`", schema.LogTable),
)


def page() -> str:
    """Write the whole page."""
    definitions = schema.jsonSchema()["$defs"]
    parts = [_INTRODUCTION, _EXAMPLE]
    for heading, table in _TABLES:
        properties = (
            schema.jsonSchema() if table is schema.Document else definitions[table.__name__]
        )["properties"]
        required = {str(f.alias) for f in table.model_fields.values() if f.is_required()}
        text = "\n".join(_docstring(table))
        keys = "\n".join(
            _key(name, entry, name in required)
            for name, entry in properties.items()
            if "description" in entry and not _isTable(entry)
        )
        parts.append(f"## {heading}\n\n{text}\n\n{keys}\n")
    parts.append(_formats())
    return "\n".join(parts)


def _docstring(table: type[tables.Table]) -> Iterator[str]:
    """The lines of a table's docstring, without their indentation."""
    for line in (table.__doc__ or "").strip().splitlines():
        yield line.strip()


def _isTable(entry: dict[str, Any]) -> bool:
    """Tell whether a property has a heading of its own."""
    inner = entry.get("additionalProperties") or entry.get("items") or entry
    return isinstance(inner, dict) and "$ref" in inner


def _key(name: str, entry: dict[str, Any], required: bool) -> str:
    """Write one key down."""
    facts = [_type(entry)]
    default = entry.get("default")
    if required:
        facts.append("required")
    elif default is None:
        facts.append("absent by default")
    else:
        facts.append(f"default `{spell(default)}`")
    text = f"- **`{name}`** ({', '.join(facts)}): {entry['description']}"
    if examples := entry.get("examples"):
        shown = " or ".join(f"`{name} = {spell(example)}`" for example in examples)
        text += f" For example {shown}."
    return text


def _type(entry: dict[str, Any]) -> str:
    """Name the type of a property in a word or two."""
    if "enum" in entry:
        return " or ".join(f"`{spell(value)}`" for value in entry["enum"])
    if "anyOf" in entry:
        words = [_type(each) for each in entry["anyOf"] if each.get("type") != "null"]
        if words[:2] == ["integer", "string"]:
            # A size is never nothing, and a time may be.
            words[:2] = ["size" if entry["anyOf"][0].get("minimum") else "time"]
        return " or ".join(words)
    if "$ref" in entry:
        return "table"
    if "const" in entry:
        return f"`{spell(entry['const'])}`"
    if entry["type"] == "array":
        item = _type(entry["items"])
        return f"array of {item}" if item.endswith("`") else f"array of {item}s"
    if entry["type"] == "object":
        return "table"
    word: str = entry["type"]
    # The only numbers with fractions are durations.
    return "seconds" if word == "number" else word


def _formats() -> str:
    """Write down the formats of the access log."""
    variables = "\n".join(
        f"- `${name}`: {variable.meaning}" for name, variable in VARIABLES.items()
    )
    keys = ", ".join(f"`{name}`" for name in _JSON)
    more = " and ".join(f"`{name}`" for name in CERTIFICATES)
    return f"""\
## Formats of the access log

`combined` is short for this template:

```
{COMBINED}
```

`json` writes one object a line; what is absent is `null`. Its keys are, in this order and with
the meanings below: {keys}.
Where a front asks clients for certificates, each line also has {more}.

In a template, `$name` and `${{name}}` stand for a variable, `${{request:NAME}}` for a field
of the request, `$$` for a dollar sign. What is absent is written `-`.

{variables}

Whatever came from a client is escaped: control characters, quotes, backslashes and
octets beyond ASCII are written `\\xHH`, in JSON `\\u00HH`. Nobody can forge a line.
"""


def main() -> int:
    """Write the page to its file."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
