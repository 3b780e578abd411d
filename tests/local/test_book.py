"""Notes of rollbacks without the ledger: of one AWS only, believed only where AWS shows the same, and never kept for ever."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bluegreen.core.fleet import BindingRef, Colour, Fleet
from bluegreen.core.note import KEPT_S, Note, account_of, doubt
from bluegreen.core.observation import Binding
from bluegreen.core.record import Record
from bluegreen.local.book import LocalBook, forget_endpoint
from bluegreen.ports import Here

HERE = Here("eu-west-1", "http://127.0.0.1:5820", "bluegreen")
NOW = 1_800_000_000.0
NOTE = Note("demo", "123456789012", HERE.endpoint, HERE.region, HERE.table, "demo-1", ("tg-1",), NOW, "no table")
RULE = BindingRef("alb", "listener", "rule", False, "alb:80")
A = Fleet("demo-1", Colour.BLUE, "ra", "A", 4, ("tg-1",))
B = Fleet("demo-2", Colour.GREEN, "rb", "B", 4, ("tg-2",))
RECORD = Record("demo", 2, live=B, standby=A, bindings=(RULE,), account="123456789012", beat_at=NOW - 60)
MOVED = (Binding(RULE, (("tg-1", 100), ("tg-2", 0)), ""),)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BLUEGREEN_STATE_DIR", str(tmp_path))
    return tmp_path


def test_a_note_is_kept_with_all_that_it_is_of_and_forgotten() -> None:
    book = LocalBook(HERE)
    assert "is kept in" in book.write(NOTE)
    (kept,) = book.notes("demo")
    assert kept.note == NOTE and json.loads(Path(kept.file).read_text("utf-8"))["groups"] == ["tg-1"]
    book.forget(kept.file)
    book.forget(kept.file)
    assert book.notes("demo") == ()


@pytest.mark.parametrize(
    "other",
    [
        replace(HERE, endpoint="http://127.0.0.1:5826"),
        replace(HERE, endpoint=""),
        replace(HERE, region="us-east-1"),
        replace(HERE, table="mine"),
    ],
)
def test_what_is_noted_of_one_aws_is_not_read_for_another(other: Here) -> None:
    LocalBook(HERE).write(NOTE)
    assert LocalBook(other).notes("demo") == ()
    assert LocalBook(HERE).notes("dem") == () and LocalBook(HERE).notes("demo-1") == () == LocalBook(HERE).notes("*")


def test_of_two_accounts_both_are_kept_the_newest_first() -> None:
    book = LocalBook(HERE)
    book.write(NOTE)
    book.write(replace(NOTE, account="999999999999", at=NOW + 1))
    assert [kept.note.account for kept in book.notes("demo") if kept.note] == ["999999999999", "123456789012"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"stack": "demo"}', "null", "[" * 100_000])
def test_a_file_that_is_no_note_is_named_as_that(home: Path, text: str) -> None:
    book = LocalBook(HERE)
    book.write(NOTE)
    (kept,) = book.notes("demo")
    Path(kept.file).write_text(text, "utf-8")
    (kept,) = book.notes("demo")
    assert kept.note is None and "cannot be read" in kept.wrong


def test_a_file_that_was_copied_under_another_name_is_not_believed() -> None:
    book = LocalBook(HERE)
    book.write(NOTE)
    (kept,) = book.notes("demo")
    other = LocalBook(replace(HERE, endpoint="http://127.0.0.1:5826"))
    other.write(replace(NOTE, endpoint=other.here.endpoint))
    (copy,) = other.notes("demo")
    Path(copy.file).write_bytes(Path(kept.file).read_bytes())
    (copy,) = other.notes("demo")
    assert copy.note is None and "another stack, endpoint" in copy.wrong


def test_a_note_of_an_older_version_is_none_for_it_does_not_say_of_which_aws_it_is(home: Path) -> None:
    old = home / "eu-west-1-bluegreen-demo.json"
    old.write_text('{"stack": "demo", "at": 1.0, "to": "demo-1", "why": "x"}', "utf-8")
    (kept,) = LocalBook(HERE).notes("demo")
    assert kept.note is None and kept.file == str(old) and "of which AWS" in kept.wrong


def test_a_sandbox_that_ends_takes_its_own_notes_along(home: Path) -> None:
    LocalBook(HERE).write(NOTE)
    other = LocalBook(replace(HERE, endpoint=""))
    other.write(replace(NOTE, endpoint=""))
    (home / "x@y.json").write_text("{", "utf-8")
    forget_endpoint(HERE.endpoint)
    assert LocalBook(HERE).notes("demo") == () and len(other.notes("demo")) == 1


def test_a_folder_that_cannot_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLUEGREEN_STATE_DIR", "/proc/nowhere")
    assert "no note" in LocalBook(HERE).write(NOTE) and LocalBook(HERE).notes("demo") == ()


def test_a_note_is_believed_where_the_load_balancer_shows_it_and_nothing_is_newer() -> None:
    assert doubt(NOTE, RECORD, MOVED) is None


@pytest.mark.parametrize(
    ("change", "bindings", "why"),
    [
        ({"account": "999999999999"}, MOVED, "is in account 999999999999"),
        ({"live": A, "standby": B}, MOVED, "says so already"),
        ({"beat_at": NOW + 6}, MOVED, "worked on after it"),
        ({}, (Binding(RULE, (("tg-1", 0), ("tg-2", 100)), ""),), "other weights"),
        ({}, (Binding(RULE, (("tg-1", 50), ("tg-2", 50)), ""),), "other weights"),
        ({}, (Binding(RULE, (("tg-9", 100),), ""),), "other weights"),
        ({}, (), "other weights"),
        ({"standby": None}, MOVED, "does not keep demo-1"),
    ],
)
def test_else_it_is_void(change: dict[str, Any], bindings: tuple[Binding, ...], why: str) -> None:
    found = doubt(NOTE, replace(RECORD, **change), bindings)
    assert found is not None and why in found.why and found.void


def test_without_a_record_it_waits_and_not_for_ever() -> None:
    found = doubt(NOTE, None, ())
    assert found is not None and not found.void and KEPT_S == 7 * 24 * 3600


def test_the_account_is_read_off_an_arn() -> None:
    assert account_of("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/x/1") == "123456789012"
    assert account_of("tg-1") == account_of("") == ""
