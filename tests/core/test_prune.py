"""What may leave the registry: never what anything speaks for, and all of the rest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bluegreen.core.prune import Stored, judge

NOW, YOUNG_S = 1_800_000_000.0, 3600.0
KEYS = [letter * 64 for letter in "abcd"]
DIGESTS = [f"sha256:{letter * 64}" for letter in "12345678"]

tags = st.lists(st.sampled_from([*(key[:12] for key in KEYS), "newest", "1.4.2", "A" * 12, "a" * 13]), max_size=3)


@st.composite
def shelves(draw: st.DrawFn) -> list[Stored]:
    return [
        Stored(
            "registry.example.com/shop/app",
            digest,
            tuple(draw(tags)),
            draw(st.sampled_from(["", *KEYS])),
            draw(st.sampled_from([None, NOW, NOW - YOUNG_S + 1, NOW - YOUNG_S, NOW - 1e7])),
            tuple(draw(st.lists(st.sampled_from(DIGESTS), max_size=2))) if draw(st.booleans()) else (),
        )
        for digest in draw(st.lists(st.sampled_from(DIGESTS), unique=True))
    ]


@given(shelves(), st.sets(st.sampled_from(DIGESTS)))
def test_what_goes_is_old_ours_and_needed_by_nobody(found: list[Stored], needed: set[str]) -> None:
    verdicts = judge(found, dict.fromkeys(needed, "live blue shop-1"), NOW, YOUNG_S)
    assert [verdict.stored for verdict in verdicts] == found
    goes = [verdict.stored for verdict in verdicts if not verdict.stays]
    parts = {child for one in found for child in one.children}
    assert goes == [
        one
        for one in found
        if one.digest not in needed | parts
        and one.key
        and all(tag == one.key[:12] for tag in one.tags)
        and not one.children
        and one.created_at in (NOW - YOUNG_S, NOW - 1e7)
    ]
    assert all(verdict.why for verdict in verdicts)


def test_who_needs_an_image_is_told() -> None:
    old = Stored("r/app", DIGESTS[0], (KEYS[0][:12],), KEYS[0], 0.0)
    (kept,) = judge([old], {old.digest: "standby green shop-7 (1.4.2)"}, NOW, YOUNG_S)
    assert kept.stays and kept.why == "standby green shop-7 (1.4.2) needs it"
    (gone,) = judge([old], {}, NOW, YOUNG_S)
    assert not gone.stays and gone.stored.reference == f"r/app@{DIGESTS[0]}"
