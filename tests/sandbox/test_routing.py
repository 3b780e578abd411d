"""Where a request goes: rules in their order, weights, and who is fit to serve."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from multidict import CIMultiDict

from bluegreen.sandbox.model import FixedResponse, Forward, Group, Listener, ListenerRule, Target, TargetState
from bluegreen.sandbox.routing import Asked, Draw, Picture, host_of, usable


def decided(
    *conditions: tuple[str, str, tuple[str, ...]], host: str = "shop.example.com", path: str = "/", **headers: str
):
    """Whether a rule with these conditions holds for the request."""
    rules = (
        ListenerRule("arn:rule", conditions, FixedResponse(201)),
        ListenerRule("arn:default", (), FixedResponse(404)),
    )
    action = Picture((Listener("arn:l", "alb", 80, rules),), ()).action(
        "arn:l", Asked(host, path, CIMultiDict(headers))
    )
    assert isinstance(action, FixedResponse)
    return action.status == 201


@pytest.mark.parametrize(
    ("pattern", "host", "holds"),
    [
        ("shop.example.com", "shop.example.com", True),
        ("Shop.Example.com", "sHOP.example.COM", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("shop?.example.com", "shop1.example.com", True),
        ("shop?.example.com", "shop.example.com", False),
        ("shop.example.com", "shopXexample.com", False),
        ("shop.example.com", "shop.example.com.evil.test", False),
    ],
)
def test_hosts_match_with_wildcards_whatever_their_case(pattern: str, host: str, holds: bool) -> None:
    assert decided(("host-header", "", (pattern,)), host=host) is holds


@pytest.mark.parametrize(
    ("pattern", "path", "holds"),
    [
        ("/img/*", "/img/a/b.png", True),
        ("/img/*", "/img", False),
        ("/img/?.png", "/img/a.png", True),
        ("/img/?.png", "/img/ab.png", False),
        ("/API", "/api", False),
        ("/a.c", "/abc", False),
        ("/a[b]", "/a[b]", True),
        ("*", "/", True),
    ],
)
def test_paths_match_with_wildcards_and_case(pattern: str, path: str, holds: bool) -> None:
    assert decided(("path-pattern", "", (pattern,)), path=path) is holds


def test_a_header_matches_by_name_and_value_whatever_their_case() -> None:
    condition = ("http-header", "X-Bluegreen-Preview", ("green-*", "yes"))
    assert decided(condition, **{"x-bluegreen-preview": "GREEN-1"})
    assert decided(condition, **{"x-bluegreen-preview": "yes"})
    assert not decided(condition, **{"x-bluegreen-preview": "yes please"})
    assert not decided(condition)


def test_all_conditions_must_hold_and_any_value_of_each() -> None:
    both = (("host-header", "", ("a.test", "b.test")), ("path-pattern", "", ("/x", "/y")))
    assert decided(*both, host="b.test", path="/y")
    assert not decided(*both, host="b.test", path="/z")
    assert not decided(*both, host="c.test", path="/x")


def test_a_condition_nobody_knows_never_holds() -> None:
    assert not decided(("source-ip", "", ("0.0.0.0/0",)))


def test_the_first_rule_that_holds_decides() -> None:
    rules = tuple(ListenerRule(f"r{status}", (), FixedResponse(status)) for status in (201, 202))
    action = Picture((Listener("l", "alb", 80, rules),), ()).action("l", Asked("h", "/", CIMultiDict()))
    assert action == FixedResponse(201)


def test_a_listener_that_is_no_more_decides_nothing() -> None:
    assert Picture((), ()).action("l", Asked("h", "/", CIMultiDict())) is None


@pytest.mark.parametrize("header", ["shop.test", "shop.test:8080", "shop.test:"])
def test_the_port_is_no_part_of_the_host(header: str) -> None:
    assert host_of(header) == "shop.test"
    assert host_of("[::1]:80") == "[::1]"


def test_groups_are_drawn_by_their_weights() -> None:
    draw, rng = Draw(Forward((("a", 900), ("never", 0), ("b", 100)))), random.Random(7)
    drawn = Counter(draw.group(rng) for _ in range(10_000))
    assert drawn.keys() == {"a", "b"}
    assert 850 < drawn["b"] < 1150


@pytest.mark.parametrize("weights", [(), (("a", 0),), (("a", 0), ("b", 0))])
def test_without_any_weight_there_is_no_group(weights: tuple[tuple[str, int], ...]) -> None:
    assert Draw(Forward(weights)).group(random.Random(1)) is None


def serving(*states: TargetState) -> list[int]:
    """The places of those of the targets that get requests."""
    targets = tuple(Target(str(place), 80, state, None) for place, state in enumerate(states))
    found = usable(targets)
    assert Picture((), (Group("g", "/", 5, 2, 2, 2, "200", in_use=True, targets=targets),)).targets("g") == found
    return [int(target.id) for target in found]


def test_healthy_targets_serve_and_no_others() -> None:
    assert serving("unhealthy", "healthy", "initial", "draining", "unused", "healthy") == [1, 5]


def test_a_group_of_only_unhealthy_targets_fails_open() -> None:
    assert serving("unhealthy", "unhealthy") == [0, 1]
    assert serving("unhealthy", "draining", "unused") == [0]


def test_it_does_not_fail_open_while_a_target_is_still_initial() -> None:
    assert serving("initial", "unhealthy") == []


@pytest.mark.parametrize("state", ["initial", "draining", "unused"])
def test_targets_not_in_service_get_nothing(state: TargetState) -> None:
    assert serving(state, state) == []


def test_a_target_whose_health_aws_cannot_tell_stays_in_service() -> None:
    assert serving("unavailable", "unhealthy") == [0]
