"""The ordered lists of rules: none is forgotten, and the first that applies decides."""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest

from bluegreen.core.decide import deploy, heal, rollback, upkeep
from bluegreen.core.decide.rollback import WATCHED
from bluegreen.core.step import client_token

FAMILIES = [deploy, heal, rollback, upkeep]


def rules_in(family: ModuleType) -> set[str]:
    """What looks like a rule in its file: a function of the case alone that may have no answer."""
    found = inspect.getmembers(family, inspect.isfunction)
    return {
        name
        for name, one in found
        if not name.startswith("_")
        and list(inspect.signature(one).parameters) == ["case"]
        and inspect.signature(one).return_annotation in ("Decision | None", "Decision")
        and name not in ("decide", "_stop")
    }


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__.rpartition(".")[2])
def test_every_rule_is_in_its_list_and_says_what_it_is_for(family: ModuleType) -> None:
    listed = [rule.__name__ for rule in family.RULES]
    assert set(listed) >= rules_in(family) and len(set(listed)) == len(listed)
    assert all(rule.__doc__ for rule in family.RULES)
    assert listed[0] == "higher_epoch", "who was taken over changes nothing more"


@pytest.mark.parametrize(
    ("family", "order"),
    [
        (deploy, ["foreign_hand", "undo", "make_groups", "launch", "register", "wait_healthy", "shift", "bake"]),
        (
            deploy,
            ["bake", "unknown", "whole", "mark", "promote", "keep_the_better", "retire_older", "deployed", "stuck"],
        ),
        (
            rollback,
            [
                "binding_gone",
                "attach_first",
                "given_up",
                "not_able",
                "traffic_back",
                "swap",
                "watch",
                "clean_up",
                "back",
            ],
        ),
        (heal, ["undo", "launch", "register", "wait_healthy", "take_out", "end_dead", "healed", "lost_more"]),
        (upkeep, ["adopt", "keep_the_better", "retire_older", "end_strays", "kept_alive", "cleaned"]),
    ],
    ids=["up to the switch", "from the switch on", "rollback", "heal", "gc"],
)
def test_the_order_is_a_promise(family: ModuleType, order: list[str]) -> None:
    listed = [rule.__name__ for rule in family.RULES]
    assert [name for name in listed if name in order] == order


def test_a_rollback_looks_at_all_but_the_instances_while_it_waits() -> None:
    assert {"record", "traffic", "health"} == WATCHED


def test_a_token_is_known_again_by_another_machine() -> None:
    token = client_token("shop", "shop-7", "subnet-a", "m7i.large", 0, 1)
    assert len(token) == 50 and token.startswith("bluegreen-")
