"""What is live at a first deployment: one target group on each binding, or nothing on any."""

from __future__ import annotations

import pytest

from bluegreen.controller.resolve import adopted
from bluegreen.core.fleet import BindingRef, Colour, Weights
from bluegreen.core.observation import Binding
from bluegreen.errors import Refused
from bluegreen.ports import Place


def places(*weights: Weights | None) -> tuple[Place, ...]:
    refs = [BindingRef("alb", "listener", f"rule-{n}", False, f"alb:80 host {n}") for n in range(len(weights))]
    return tuple(Place(Binding(ref, pairs, "[]"), "vpc") for ref, pairs in zip(refs, weights, strict=True))


@pytest.mark.parametrize("weights", [(None,), ((("tg-a", 0),), None), ((),)])
def test_where_nothing_has_traffic_nothing_is_adopted(weights: tuple[Weights | None, ...]) -> None:
    assert adopted("shop", places(*weights), Colour.GREEN) is None


def test_the_group_with_all_the_traffic_of_each_binding_is() -> None:
    found = adopted("shop", places((("tg-a", 1), ("tg-b", 0)), (("tg-c", 100),)), Colour.GREEN)
    assert found is not None and (found.groups, found.ours, found.deployment) == (("tg-a", "tg-c"), False, "shop-0")


@pytest.mark.parametrize(
    ("weights", "what"),
    [
        (
            ((("tg-a", 50), ("tg-b", 50)),),
            "alb:80 host 0 splits its traffic between several target groups: tg-a 50, tg-b 50",
        ),
        (((("tg-a", 1),), (("tg-b", 0),)), "alb:80 host 1 sends traffic to no target group, and alb:80 host 0 does"),
        ((None, (("tg-b", 9),)), "alb:80 host 0 sends traffic to no target group, and alb:80 host 1 does"),
    ],
)
def test_anything_between_is_refused_and_names_the_binding(weights: tuple[Weights | None, ...], what: str) -> None:
    with pytest.raises(Refused) as caught:
        adopted("shop", places(*weights), Colour.GREEN)
    assert caught.value.what == what and caught.value.where.startswith("rule-")
