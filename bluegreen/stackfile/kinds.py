"""The types that keys are declared with. Each reads a YAML node, or says what is wrong with it and what would be right,
and each describes itself for the JSON Schema and the reference page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import yaml

from bluegreen.stackfile.mistake import Mistakes

BAD = object()  # read and found wrong; the mistake is noted
BOOLEANS = {"y", "n", "yes", "no", "on", "off", "true", "false"}
NUMBER = re.compile(
    r"^[-+]?(0x[0-9a-fA-F_]+|0o?[0-7_]+|[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|[0-9]+(:[0-5]?[0-9])+|\.inf|\.nan)$",
    re.I,
)
DURATION = re.compile(r"^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$")
VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|(.?))")


class Reading(NamedTuple):
    """One file being read: its variables, and the mistakes so far."""

    mistakes: Mistakes
    variables: Mapping[str, str]
    placeholders: bool

    def wrong(self, node: yaml.Node, key: str, message: str) -> Any:
        self.mistakes.add(node.start_mark.line + 1, node.start_mark.column + 1, key, message)
        return BAD

    def scalar(self, node: yaml.Node, key: str, expected: str) -> str | None:
        """The text of a scalar with its variables put in; None when it is none (the mistake is noted)."""
        if not isinstance(node, yaml.ScalarNode):
            kind = "a list" if isinstance(node, yaml.SequenceNode) else "a map"
            self.wrong(node, key, f"expected {expected}, not {kind}")
            return None
        if not node.style and node.value in ("", "~", "null", "Null", "NULL"):
            self.wrong(node, key, f"no value: expected {expected}")
            return None
        return self._interpolate(node, key)

    def _interpolate(self, node: yaml.ScalarNode, key: str) -> str | None:
        bad: list[str] = []

        def put(match: re.Match[str]) -> str:
            dollar, name, default, rest = match.groups()
            if dollar:
                return "$"
            if name is None:
                bad.append(f"a lone $ before {rest!r}: write $$ for a dollar, ${{NAME}} for a variable")
                return ""
            if name in self.variables:
                return self.variables[name]
            if default is not None:
                return str(default)
            if self.placeholders:
                return "placeholder"
            how = "--version V" if name == "VERSION" else f"--set {name}=…"
            bad.append(f"{name} is not set: give it with {how}")
            return ""

        text = VARIABLE.sub(put, node.value)
        if "\0" in text:
            bad.append("a NUL byte in the value")
        for message in bad:
            self.wrong(node, key, message)
        return None if bad else text


class Kind(Protocol):
    @property
    def words(self) -> str: ...

    def read(self, node: yaml.Node, key: str, reading: Reading) -> Any: ...

    def schema(self) -> dict[str, Any]: ...


class Text(NamedTuple):
    """A string. A plain scalar that YAML 1.1 takes for something else must be quoted. `numbers`: plain integers are fine."""

    words: str = "a string"
    pattern: str = r"[\s\S]*"
    choices: tuple[str, ...] = ()
    numbers: bool = False

    def read(self, node: yaml.Node, key: str, reading: Reading) -> Any:
        text = reading.scalar(node, key, self.words)
        if text is None:
            return BAD
        assert isinstance(node, yaml.ScalarNode)
        if not node.style and "$" not in node.value and (surprise := self._surprise(node.value)):
            return reading.wrong(node, key, surprise)
        if fault := self.fault(text):
            return reading.wrong(node, key, fault)
        return text

    def fault(self, text: str) -> str:
        """What is wrong with it; "" when nothing is."""
        if self.choices and text not in self.choices:
            from difflib import get_close_matches

            near = get_close_matches(text, self.choices, 1)
            hint = f', did you mean "{near[0]}"?' if near else ""
            return f'"{text[:80]}" is not allowed{hint} (allowed: {", ".join(self.choices)})'
        return "" if re.fullmatch(self.pattern, text) else f'expected {self.words}, not "{text[:80]}"'

    def _surprise(self, value: str) -> str:
        if value.lower() in BOOLEANS:
            return f'YAML 1.1 reads {value} as a boolean; if the word is meant, quote it: "{value}"'
        if NUMBER.match(value) and not (self.numbers and re.fullmatch(r"0|[1-9][0-9]*", value)):
            return f'YAML 1.1 reads {value} as a number; quote it: "{value}"'
        return ""

    def schema(self) -> dict[str, Any]:
        if self.choices:
            return {"type": "string", "enum": list(self.choices)}
        return {"type": ["string", "integer"] if self.numbers else "string", **self._pattern()}

    def _pattern(self) -> dict[str, Any]:
        return {} if self.pattern == r"[\s\S]*" else {"pattern": f"^(?:{self.pattern})$|\\$\\{{"}


class Number(NamedTuple):
    low: int
    high: int
    unit: str = ""

    @property
    def words(self) -> str:
        return f"a whole number from {self.low} to {self.high}{self.unit and ' '}{self.unit}"

    def read(self, node: yaml.Node, key: str, reading: Reading) -> Any:
        text = reading.scalar(node, key, self.words)
        if text is None:
            return BAD
        if not re.fullmatch(r"0|-?[1-9][0-9]{0,8}", text) or not self.low <= int(text) <= self.high:
            return reading.wrong(node, key, f"expected {self.words}, not {text[:80]}")
        return int(text)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


class Flag(NamedTuple):
    words: str = "true or false"

    def read(self, node: yaml.Node, key: str, reading: Reading) -> Any:
        text = reading.scalar(node, key, self.words)
        if text is None:
            return BAD
        if text not in ("true", "false"):
            return reading.wrong(node, key, f"expected true or false, not {text[:80]}")
        return text == "true"

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


class Duration(NamedTuple):
    """Read as seconds: 500ms, 5s, 2m, 1h30m. `low` and `high` are seconds."""

    low: float
    high: float

    @property
    def words(self) -> str:
        return f"a duration from {seconds_words(self.low)} to {seconds_words(self.high)}, such as 5s or 2m"

    def read(self, node: yaml.Node, key: str, reading: Reading) -> Any:
        text = reading.scalar(node, key, self.words)
        if text is None:
            return BAD
        seconds = parse_duration(text)
        if seconds is None or not self.low <= seconds <= self.high:
            return reading.wrong(node, key, f"expected {self.words}, not {text[:80]}")
        return seconds

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^(?:\d+h)?(?:\d+m)?(?:\d+s)?(?:\d+ms)?$"}


def parse_duration(text: str) -> float | None:
    """Seconds, or None when it is no duration."""
    match = DURATION.match(text)
    if not match or not text or len(text) > 20:
        return None
    hours, minutes, seconds, millis = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + millis / 1000


def seconds_words(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s" if seconds == int(seconds) else f"{round(seconds * 1000)}ms"


class Items(NamedTuple):
    """A list, without an item twice when `unique`; read as a tuple of (value, node)."""

    item: Kind
    low: int = 1
    unique: bool = False

    @property
    def words(self) -> str:
        return f"a list, each item {self.item.words}"

    def read(self, node: yaml.Node, key: str, reading: Reading) -> Any:
        if not isinstance(node, yaml.SequenceNode):
            return reading.wrong(node, key, f"expected {self.words}: write it as [one, two]")
        if len(node.value) < self.low:
            return reading.wrong(node, key, f"the list is empty: expected at least {self.low}, each {self.item.words}")
        values = [self.item.read(child, f"{key}[{i}]", reading) for i, child in enumerate(node.value)]
        if self.unique:
            for i, value in enumerate(values):
                if value is not BAD and value in values[:i]:
                    reading.wrong(node.value[i], f"{key}[{i}]", f"{value} is there twice")
        return BAD if any(value is BAD for value in values) else tuple(values)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema(), "minItems": self.low, "uniqueItems": self.unique}


class Either(NamedTuple):
    """The kind is chosen by the shape of the node: scalar, list or map."""

    words: str
    scalar: Kind | None = None
    items: Kind | None = None
    mapping: Kind | None = None

    def read(self, node: yaml.Node, key: str, reading: Reading) -> Any:
        kind: Kind | None = self.scalar
        if isinstance(node, yaml.SequenceNode):
            kind = self.items
        elif isinstance(node, yaml.MappingNode):
            kind = self.mapping
        return kind.read(node, key, reading) if kind else reading.wrong(node, key, f"expected {self.words}")

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [kind.schema() for kind in (self.scalar, self.items, self.mapping) if kind]}
