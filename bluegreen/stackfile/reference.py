"""What is published of the schema: the JSON Schema for editors, and the reference page of docs/."""

from __future__ import annotations

from typing import Any

from bluegreen.stackfile.kinds import Either, Items
from bluegreen.stackfile.maps import Keys, Table
from bluegreen.stackfile.schema import FILE


def json_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12. A scalar may hold ${VARIABLES}; what they become is checked on loading."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "bluegreen stack file",
        **FILE.schema(),
    }


def reference_markdown() -> str:
    """The reference page docs/stack-file.md."""
    head = (
        "# The stack file\n\n"
        "Generated from the schema; `bluegreen schema` prints the same as JSON Schema for your editor.\n"
        "A string may hold `${NAME}` or `${NAME:-default}`, filled by `--version` and `--set`; `$$` is a dollar.\n\n"
        "| key | value | meaning |\n|---|---|---|\n"
    )
    return head + "\n".join(_rows(FILE, "")) + "\n"


def _rows(keys: Keys, prefix: str) -> list[str]:
    rows: list[str] = []
    for name, key in keys.keys.items():
        inner = _inner(key.kind)
        words = "" if inner else key.kind.words.replace("|", "\\|")
        marks = (" **required**" if key.required else "") + (
            f" *Not supported yet: {key.not_yet}.*" if key.not_yet else ""
        )
        rows.append(f"| `{prefix}{name}` | {words} | {key.help}{marks} |")
        if inner:
            rows += _rows(inner[0], f"{prefix}{name}{inner[1]}")
    return rows


def _inner(kind: Any) -> tuple[Keys, str] | None:
    if isinstance(kind, Keys):
        return kind, "."
    if isinstance(kind, Items) and isinstance(kind.item, Keys):
        return kind.item, "[]."
    if isinstance(kind, Table) and isinstance(kind.value, Keys):
        return kind.value, ".NAME."
    if isinstance(kind, Either) and isinstance(kind.mapping, Keys):
        return kind.mapping, "."
    return None
