"""Reading what stands in the ledger. Whatever an item holds, the answer is a value or a sentence that says what is wrong with it:
people edit items, and other versions write them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NoReturn

from bluegreen.core.event import Event, event_from_plain
from bluegreen.core.plain import from_plain
from bluegreen.core.record import SCHEMA, Record
from bluegreen.core.sound import wrong
from bluegreen.errors import Unreadable
from bluegreen.ports import Journal

LAST_S = 1e11  # no time of ours is later; the year 5138
WRONG = (KeyError, ValueError, AttributeError, TypeError, RecursionError)


def journal(deployment: str, items: Iterable[dict[str, Any]]) -> Journal:
    """The journal of `deployment` from its items, in the order of their numbers."""
    events: list[Event] = []
    wrong: list[str] = []
    following = 0
    for item in items:
        key = item["item"]["S"]
        following = max(following, _number(key) + 1)
        try:
            event = _event(_body(item))
        except WRONG as error:
            wrong.append(f"item {key}: {_words(error)}")
        else:
            events += [event] if event else []
    return Journal(deployment, tuple(events), tuple(wrong), following)


def epoch_of(key: str) -> int | None:
    """7 of "journal#00000007#000001"; None for what is no journal entry."""
    parts = key.split("#")
    return int(parts[1]) if len(parts) == 3 and parts[0] == "journal" and parts[1].isdecimal() else None


def record(stack: str, table: str, item: dict[str, Any] | None) -> Record | None:
    if not item:
        return None
    where = f"DynamoDB table {table}, item record of {stack}"
    try:
        body = _body(item)
        newer = body.get("schema", SCHEMA)
        if isinstance(newer, int) and newer > SCHEMA:
            raise Unreadable(
                f"the record of {stack} was written by a newer bluegreen (schema {newer})",
                item="record",
                newer=True,
                where=where,
                next="upgrade bluegreen on this machine",
            )
        found = from_plain(Record, body)
        for name, stands in (("epoch", item["epoch"]["N"]), ("op_id", item["op_id"]["S"])):
            if stands != str(getattr(found, name)):
                raise ValueError(f"Record.{name}: {getattr(found, name)!r}, and the item's {name} is {stands!r}")
        if why := wrong(found, stack):
            raise ValueError(why)
    except WRONG as error:
        raise Unreadable(
            f"the record of {stack} cannot be read",
            item="record",
            where=where,
            why=f"{_words(error)}. Was it edited by hand?",
            next=f"bluegreen recover {stack} rebuilds it from the tags; bluegreen rollback {stack} works without it",
        ) from error
    return found


def _number(key: str) -> int:
    last = key.rpartition("#")[2]
    return int(last) if last.isdecimal() else -1


def _body(item: dict[str, Any]) -> dict[str, Any]:
    """The JSON object in the item's body. Raises one of WRONG."""
    text = item["body"]["S"]
    body = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    if not isinstance(body, dict):
        raise ValueError("its body is not a JSON object")
    if "\\ud" in text.lower():
        json.dumps(body, ensure_ascii=False).encode()  # half a character can neither be printed nor written
    return body


def _event(body: dict[str, Any]) -> Event | None:
    """None for a kind that this version does not know."""
    if not isinstance(body["kind"], str):
        raise ValueError("its kind is not a text")
    event = event_from_plain(body)
    if event is not None and not 0 <= event.at < LAST_S:
        raise ValueError(f"at: {event.at} is not a time")
    return event


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _words(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error} in it"
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON ({error})"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, AttributeError | TypeError):
        return "a value has the wrong type"
    text = str(error)
    return text if len(text) <= 200 else f"{text[:200]}…"
