"""The movers of weights: absolute, for the whole action, and nothing that is attached falls out by accident."""

from __future__ import annotations

import pytest

from bluegreen.core.fleet import Weights, weights_of
from bluegreen.core.observation import Binding
from bluegreen.core.traffic import MAX_GROUPS, all_to, attach, live_group, without, words
from tests.core.decide.words import RULE, forwarding

NOW = forwarding(tg_a=100, tg_b=0)
NONE = Binding(RULE, None, "[]")


def test_all_to_one_group_keeps_every_other_at_zero() -> None:
    assert all_to(NOW, "tg-b") == (("tg-a", 0), ("tg-b", 100))
    assert all_to(NOW, "tg-c") == (("tg-a", 0), ("tg-b", 0), ("tg-c", 100))
    assert all_to(NOW, "tg-a", also=("tg-a", "tg-d")) == (("tg-a", 100), ("tg-b", 0), ("tg-d", 0))
    assert all_to(NONE, "tg-c") == (("tg-c", 100),)


def test_a_group_that_joins_has_no_weight_and_moves_none() -> None:
    assert attach(NOW, "tg-c") == (("tg-a", 100), ("tg-b", 0), ("tg-c", 0))
    assert attach(NONE, "tg-c") == (("tg-c", 0),)


def test_groups_that_leave_move_nothing_else() -> None:
    assert without(NOW, ("tg-b", "tg-x")) == (("tg-a", 100),)
    assert without(NOW, ("tg-a", "tg-b")) == ()
    assert without(NOW, ()) == NOW.weights


@pytest.mark.parametrize(
    ("weights", "live"),
    [
        ({"tg-a": 100, "tg-b": 0}, "tg-a"),
        ({"tg-a": 0, "tg-b": 1}, "tg-b"),
        ({"tg-a": 50, "tg-b": 50}, None),
        ({"tg-a": 99, "tg-b": 1}, None),
        ({"tg-a": 0}, None),
        ({}, None),
    ],
    ids=["all on one", "any weight is all of it", "halves", "a trickle is a share", "no weight", "no group"],
)
def test_the_live_group_is_the_one_that_has_all_the_weight(weights: dict[str, int], live: str | None) -> None:
    assert live_group(weights_of(weights)) == live


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        (None, "no forward action"),
        ((), "no groups"),
        ((("tg-a", 100), ("tg-b", 0)), "blue shop-1 100, tg-b 0"),
        ((("arn:aws:elb:tg/x", 5),), "tg/x 5"),
    ],
)
def test_weights_in_words(weights: Weights | None, told: str) -> None:
    assert words(weights, {"tg-a": "blue shop-1"}) == told


def test_an_action_holds_five_groups() -> None:
    assert MAX_GROUPS == 5, "ALB quotas: target groups per action"
