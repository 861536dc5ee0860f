# -*- test-case-name: tests.ops.test_schema -*-
"""Tests of L{intermediary.ops.schema}."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops import cachetables, fronttables, schema, tlstables
from intermediary.ops.tables import Table
from intermediary.settings import (
    CacheSettings,
    ForceSettings,
    Limits,
    OriginTLSSettings,
    PoolSettings,
    RouteCacheSettings,
    Timeouts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def tables() -> Iterator[type[BaseModel]]:
    """All tables of the model."""
    for module in (schema, fronttables, tlstables, cachetables):
        for thing in vars(module).values():
            if (
                isinstance(thing, type)
                and issubclass(thing, Table)
                and thing.__module__ == module.__name__
            ):
                yield thing


def _plain(default: Any) -> Any:
    """Give a default as a file would have it."""
    # A table is pairs, among the settings.
    return list(default) if isinstance(default, tuple | dict) else default


class ModelTests(SynchronousTestCase):
    """The model is the manual, and agrees with the settings."""

    def test_everyKeyIsKebabCase(self) -> None:
        """Lower case, digits and hyphens."""
        for table in tables():
            for name, field in table.model_fields.items():
                self.assertTrue(re.fullmatch(r"[a-z]+(-[a-z]+)*", str(field.alias)), name)

    def test_everyKeyIsDescribed(self) -> None:
        """A sentence at least, or a table with a docstring of its own."""
        for table in tables():
            self.assertTrue(table.__doc__)
            for name, field in table.model_fields.items():
                inner = field.annotation
                if isinstance(inner, type) and issubclass(inner, BaseModel):
                    continue
                self.assertTrue((field.description or "").endswith("."), f"{table}.{name}")

    def test_quantitiesSayTheirUnit(self) -> None:
        """Seconds and octets, in the description."""
        for table in tables():
            for name, field in table.model_fields.items():
                for suffix, word in (("Seconds", "Seconds."), ("Octets", "Octets.")):
                    if name.endswith(suffix):
                        self.assertTrue(str(field.description).endswith(word), name)

    def test_everySettingHasItsKey(self) -> None:
        """Nothing can be set by an application alone."""
        for table, settings in (
            (schema.LimitsTable, Limits),
            (schema.PoolTable, PoolSettings),
            (fronttables.TimeoutsTable, Timeouts),
            (cachetables.CacheTable, CacheSettings),
            (cachetables.RouteCacheTable, RouteCacheSettings),
            (cachetables.ForceTable, ForceSettings),
            (tlstables.OriginTLSTable, OriginTLSSettings),
        ):
            self.assertEqual(
                {f.name: _plain(f.default) for f in dataclasses.fields(settings)},
                {name: _plain(field.default) for name, field in table.model_fields.items()},
            )


class JSONSchemaTests(SynchronousTestCase):
    """Editors complete and check the file by it."""

    def setUp(self) -> None:
        self.schema: dict[str, Any] = schema.jsonSchema()

    def test_isJSON(self) -> None:
        """It can be written down."""
        json.dumps(self.schema)
        self.assertIn("json-schema.org", self.schema["$schema"])

    def test_hasTheKeysOfTheFile(self) -> None:
        """Kebab-case, with descriptions and defaults."""
        self.assertIn("shutdown-seconds", self.schema["properties"])
        limits = self.schema["$defs"]["LimitsTable"]["properties"]
        self.assertEqual(limits["header-octets"]["default"], Limits().headerOctets)
        self.assertEqual(limits["body-octets"]["default"], "unlimited")
        self.assertIn("413", limits["body-octets"]["description"])

    def test_cachingIsASwitchOrATable(self) -> None:
        """And on unless it is off."""
        for table in ("RouteTable", "ForwardTable"):
            cache = self.schema["$defs"][table]["properties"]["cache"]
            self.assertEqual(cache["default"], True)
            self.assertEqual(
                cache["anyOf"], [{"type": "boolean"}, {"$ref": "#/$defs/RouteCacheTable"}]
            )

    def test_TLSAloneIsASwitchOrATable(self) -> None:
        """And off unless it is on."""
        only = self.schema["$defs"]["ReverseTable"]["properties"]["https-only"]
        self.assertEqual(only["default"], False)
        self.assertEqual(only["anyOf"], [{"type": "boolean"}, {"$ref": "#/$defs/HTTPSOnlyTable"}])

    def test_unknownKeysAreErrorsInTheEditorToo(self) -> None:
        """In every table."""
        for table in (self.schema, *self.schema["$defs"].values()):
            self.assertIs(table["additionalProperties"], False)
