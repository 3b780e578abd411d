"""Tags, notes, references to secrets and plain values: what anybody may have edited is read as far as it can be."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bluegreen.core import note as notes
from bluegreen.core import secret_ref
from bluegreen.core.fleet import Colour, Moved, OwnedGroup
from bluegreen.core.goal import GroupSpec
from bluegreen.core.note import SKEW_S, Note, account_of, doubt
from bluegreen.core.plain import from_plain, to_plain
from bluegreen.core.record import Owner, Record
from bluegreen.core.stack import FleetShape
from bluegreen.core.tags import LONGEST, belongs, moved_tags, owned_group
from tests.core.decide.words import LIVE, NEW, STANDBY, forwarding, goal, spec

GROUP = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/shop-green-7/abc"
RULE = "arn:aws:elasticloadbalancing:eu-west-1:1:listener-rule/app/shop/1/2/3"
TAGS = {
    "bluegreen:stack": "shop",
    "bluegreen:deployment": "shop-7",
    "bluegreen:colour": "green",
    "bluegreen:release": "r7",
    "bluegreen:version": "7.0",
    "bluegreen:binding": RULE,
    "bluegreen:live-since": "7",
    "bluegreen:rollback": "unsafe",
}


def owned(**change: str | None) -> OwnedGroup:
    tags = {**TAGS, **{f"bluegreen:{key.replace('_', '-')}": value for key, value in change.items()}}
    found = owned_group(GROUP, {key: value for key, value in tags.items() if value is not None}, "shop")
    assert found is not None
    return found


def test_a_group_tells_all_that_its_tags_do() -> None:
    assert owned() == OwnedGroup(GROUP, "shop-7", Colour.GREEN, "r7", "7.0", RULE, 7, True)
    assert owned_group(GROUP, TAGS, "shop2") is None and owned_group(GROUP, {}, "shop") is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("deployment", "blog-7"),
        ("deployment", "shop"),
        ("colour", "red"),
        ("live_since", "soon"),
        ("live_since", "-1"),
        ("live_since", "1234567890"),
        ("live_since", "٣"),
        ("binding", "rule"),
        ("binding", ""),
    ],
)
def test_a_tag_that_cannot_be_read_counts_as_missing_and_is_named(key: str, value: str) -> None:
    found, missing = owned(**{key: value}), owned(**{key: None})
    assert replace(found, unread=()) == missing and missing.unread == ()
    (sentence,) = found.unread
    assert f"bluegreen:{key.replace('_', '-')} = {value!r}" in sentence and "shop-green-7" in sentence


def test_without_its_tag_a_group_has_the_colour_of_its_name() -> None:
    assert owned(colour=None).colour is Colour.GREEN
    blue = owned_group(GROUP.replace("green", "blue"), {"bluegreen:stack": "shop"}, "shop")
    assert blue is not None and blue.colour is Colour.BLUE
    assert owned(rollback="safe").rollback_unsafe is False and owned(live_since="999999999").live_since == 999_999_999


@pytest.mark.parametrize(
    ("deployment", "whose"), [("shop-7", True), ("shop-x", False), ("shop2-7", False), ("", False), ("shop-7-8", False)]
)
def test_a_deployment_belongs_to_the_stack_that_its_id_names(deployment: str, whose: bool) -> None:
    assert belongs("shop", deployment) is whose


def test_a_rollback_without_the_ledger_reads_back_from_its_tags() -> None:
    tags = {
        key.removeprefix("bluegreen:"): value for key, value in moved_tags(Moved(8, 100.6, "shop-7", "ann on laptop"))
    }
    assert tags["live-since"] == "8"
    (other,) = [key for key in tags if key != "live-since"]
    assert owned(**{"live_since": "8", other: tags[other]}).moved == Moved(8, 101.0, "shop-7", "ann on laptop")
    assert owned(**{"live_since": "9", other: tags[other]}).moved is None, "somebody has become live since then"
    assert owned(**{"live_since": "8", other: "nonsense"}).moved is None
    nobody = dict(moved_tags(Moved(8, 1.0, "", "ann")))
    found = owned(live_since="8", **{other: nobody[f"bluegreen:{other}"]}).moved
    assert found is not None and found.left == ""


def test_a_tag_fits_what_aws_takes() -> None:
    (_, value) = moved_tags(Moved(8, 1.0, "shop-7", "ann; é " + "x" * 400))[1]
    assert len(value) == LONGEST == 256 and "; é" not in value and "ann_" in value


# the note of a rollback without the ledger

NOTE = Note("shop", "1", "", "eu-west-1", "bluegreen", "shop-5", ("tg-standby",), 1000.0, "the table was away")
RECORD = Record("shop", 7, live=LIVE, standby=STANDBY, account="1", beat_at=900.0)
SHOWS = (forwarding(tg_live=0, tg_standby=100),)


@pytest.mark.parametrize(
    ("record", "bindings", "why", "void"),
    [
        (RECORD, SHOWS, "", False),
        (None, SHOWS, "no record", False),
        (replace(RECORD, account="2"), SHOWS, "account 2", True),
        (replace(RECORD, account=""), SHOWS, "", False),
        (replace(RECORD, live=STANDBY, standby=LIVE), SHOWS, "says so already", True),
        (replace(RECORD, live=STANDBY, standby=LIVE, goal=goal()), SHOWS, "", False),
        (replace(RECORD, beat_at=1000.0 + SKEW_S), SHOWS, "", False),
        (replace(RECORD, beat_at=1000.0 + SKEW_S + 0.1), SHOWS, "worked on after it", True),
        (RECORD, (forwarding(tg_live=100, tg_standby=0),), "other weights", True),
        (RECORD, (forwarding(tg_live=1, tg_standby=99),), "other weights", True),
        (RECORD, (), "other weights", True),
        (replace(RECORD, standby=NEW), SHOWS, "does not keep shop-5", True),
        (replace(RECORD, standby=None, goal=goal(live=STANDBY)), SHOWS, "", False),
        (replace(RECORD, live=None), SHOWS, "", False),
    ],
    ids=[
        "AWS shows the same",
        "the table is away",
        "another account",
        "a record that names none",
        "the record says so",
        "but something is unfinished",
        "clocks may differ a little",
        "something was done since",
        "AWS shows other weights",
        "or a share of them",
        "or nothing",
        "the fleet is not kept",
        "it is what was live before an unfinished deployment",
        "nothing is live",
    ],
)
def test_a_note_is_believed_only_when_aws_shows_the_same_and_nothing_is_newer(
    record: Any, bindings: Any, why: str, void: bool
) -> None:
    found = doubt(NOTE, record, bindings)
    assert (found is None) is (why == "")
    if found is not None:
        assert why in found.why and found.void is void


def test_the_account_of_an_arn() -> None:
    assert account_of("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/x") == "123456789012"
    assert account_of("tg-live") == "" and account_of("arn:aws:s3:::bucket") == ""
    assert account_of("a:b:c:d:e") == "" and notes.KEPT_S == 7 * 24 * 3600


# references to secrets


@pytest.mark.parametrize(
    ("text", "meant", "good", "parts"),
    [
        ("ssm:/shop/key", True, True, ("ssm", "/shop/key", "")),
        ("ssm:shop", True, False, None),
        ("ssm:/", True, False, None),
        ("secretsmanager:shop/key", True, True, ("secretsmanager", "shop/key", "")),
        ("secretsmanager:shop/key#a", True, True, ("secretsmanager", "shop/key", "a")),
        ("secretsmanager:shop#", True, False, None),
        ("secretsmanager:" + "x" * 512, True, True, None),
        ("secretsmanager:" + "x" * 513, True, False, None),
        ("secretsmanager:x#" + "k" * 256, True, True, None),
        ("secretsmanager:x#" + "k" * 257, True, False, None),
        ("hunter2", False, False, None),
        (" ssm:/x", False, False, None),
    ],
)
def test_a_reference_to_a_secret(text: str, meant: bool, good: bool, parts: Any) -> None:
    assert secret_ref.means_one(text) is meant and secret_ref.is_one(text) is good
    if parts:
        assert secret_ref.parts(text) == parts


def test_a_key_of_a_secret_that_is_json() -> None:
    assert secret_ref.at_key('{"a": 1}', "a") == "1" and secret_ref.at_key("plain", "") == "plain"
    for text in ("plain", "{}", "[]", "3"):
        with pytest.raises(ValueError, match="not JSON with the key a"):
            secret_ref.at_key(text, "a")


# plain values


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        (Record, [], "Record: expected an object"),
        (Record, {"stack": "x"}, "Record"),
        (Record, {"stack": "x", "epoch": 1, "lease_s": True}, "lease_s: expected int"),
        (Record, {"stack": "x", "epoch": 1, "doomed": {}}, "doomed: expected a list"),
        (Record, {"stack": "x", "epoch": 1, "doomed": [{}]}, r"doomed\[0\]"),
        (Record, {"stack": "x", "epoch": 1, "goal": {"kind": "dance"}}, "kind: 'dance' is none of deploy"),
        (GroupSpec, {**to_plain(spec()), "port": "80"}, "port: expected int, not '80'"),
        (GroupSpec, {**to_plain(spec()), "port": 80.0}, "port: expected int"),
    ],
)
def test_what_does_not_fit_is_named(kind: Any, data: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        from_plain(kind, data)


def test_values_read_back_as_they_were_written() -> None:
    shape = FleetShape(2, "ami-1", ("m7i.large",), ("s",), ("g",))
    record = Record("shop", 7, owner=Owner("ann", "laptop"), goal=goal(), live=LIVE, beat_at=5.0)
    for value in (shape, record, forwarding(tg_a=1).ref):
        plain = json.loads(json.dumps(to_plain(value)))
        assert from_plain(type(value), plain) == value
    assert from_plain(Record, {"stack": "x", "epoch": 1, "beat_at": 5}).beat_at == 5.0
    with pytest.raises(ValueError, match="beat_at"):
        from_plain(Record, {"stack": "x", "epoch": 1, "beat_at": True})
    colour = {**to_plain(LIVE), "colour": "red"}
    with pytest.raises(ValueError, match="'red' is none of blue, green"):
        from_plain(Record, {"stack": "x", "epoch": 1, "live": colour})
    pair = {**to_plain(goal()), "before": [{**to_plain(goal().before[0]), "weights": [["tg"]]}]}
    with pytest.raises(ValueError, match="expected 2 items, not 1"):
        from_plain(type(goal()), pair)
