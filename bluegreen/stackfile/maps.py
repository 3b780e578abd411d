"""Maps: with names of the user's (Table), or with declared keys and nothing else (Keys)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml

from bluegreen.stackfile.kinds import BAD, Kind, Reading, Text


class Table(NamedTuple):
    """A map from names to values of one kind."""

    name: Text
    value: Kind
    words: str

    def read(self, node: yaml.Node, key: str, reading: Reading) -> Any:
        pairs = map_pairs(node, key, reading, self.words)
        if pairs is None:
            return BAD
        found: dict[str, Any] = {}
        for name, name_node, child in pairs:
            if fault := self.name.fault(name):
                reading.wrong(name_node, key, fault)
            found[name] = self.value.read(child, f"{key}.{name}", reading)
        return BAD if BAD in found.values() else found

    def schema(self) -> dict[str, Any]:
        names = {"propertyNames": {"enum": list(self.name.choices)}} if self.name.choices else {}
        return {"type": "object", **names, "additionalProperties": self.value.schema()}


class Key(NamedTuple):
    """A declared key. `not_yet` is why it is refused for now, and what works instead."""

    kind: Kind
    help: str
    required: bool = False
    not_yet: str = ""
    example: str = ""


class Keys(NamedTuple):
    """A map with declared keys; read as a dict of those that are there. `foreign` explains keys people may try."""

    keys: Mapping[str, Key]
    words: str = "a map of keys"
    foreign: Mapping[str, str] = MappingProxyType({})

    def read(self, node: yaml.Node, key: str, reading: Reading) -> Any:
        pairs = map_pairs(node, key, reading, self.words)
        if pairs is None:
            return BAD
        found: dict[str, Any] = {}
        prefix = f"{key}." if key else ""
        for name, name_node, child in pairs:
            if name in self.keys:
                found[name] = self._value(self.keys[name], prefix + name, name_node, child, reading)
            else:
                reading.wrong(name_node, prefix + name, self._unknown(name))
                found[name] = BAD
        for name, declared in self.keys.items():
            if declared.required and name not in found:
                found[name] = reading.wrong(node, prefix + name, f"missing: {declared.help} ({declared.kind.words})")
        return BAD if any(value is BAD for value in found.values()) else found

    def _value(self, declared: Key, key: str, name_node: yaml.Node, child: yaml.Node, reading: Reading) -> Any:
        value = declared.kind.read(child, key, reading)
        if declared.not_yet and value is not BAD:
            return reading.wrong(name_node, key, f"not supported yet; {declared.not_yet}")
        return value

    def _unknown(self, name: str) -> str:
        if name in self.foreign:
            return self.foreign[name]
        from difflib import get_close_matches

        near = get_close_matches(name, self.keys, 1)
        hint = f', did you mean "{near[0]}"?' if near else ""
        return f"unknown key{hint} (allowed: {', '.join(sorted(self.keys))})"

    def schema(self) -> dict[str, Any]:
        properties = {name: {**key.kind.schema(), "description": key.help} for name, key in self.keys.items()}
        required = [name for name, key in self.keys.items() if key.required]
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def map_pairs(node: yaml.Node, key: str, reading: Reading, words: str) -> list[tuple[str, yaml.Node, yaml.Node]] | None:
    """(name, its node, value node) of a map; None when it is none. Double keys and merge keys are mistakes."""
    if not isinstance(node, yaml.MappingNode):
        reading.wrong(node, key, f"expected {words}")
        return None
    found: dict[str, tuple[str, yaml.Node, yaml.Node]] = {}
    for name_node, child in node.value:
        name = name_node.value if isinstance(name_node, yaml.ScalarNode) else ""
        if not name or name == "<<":
            reading.wrong(name_node, key, "a merge key (<<) is not allowed" if name else "a key must be a plain word")
        elif name in found:
            first = found[name][1].start_mark.line + 1
            reading.wrong(
                name_node, f"{key}.{name}" if key else name, f"this key is there twice, first on line {first}"
            )
        else:
            found[name] = (name, name_node, child)
    return list(found.values())
