"""The fold of a journal: what it keeps beside the events is what the events tell, however they come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bluegreen.core import event as ev
from bluegreen.core.progress import after, fold

TIMES = st.floats(0, 100)
TOKENS = st.sampled_from(["one", "two", "three"])
EVENTS = st.lists(
    st.one_of(
        st.builds(ev.GroupMade, TIMES, st.integers(0, 3), st.sampled_from(["tg-a", "tg-b", "tg-c"])),
        st.builds(ev.Launching, TIMES, st.just("subnet"), st.just(0), st.integers(1, 2), st.just("m7i.large"), TOKENS),
        st.builds(ev.Launched, TIMES, TOKENS, st.sampled_from([("i-1",), ("i-2", "i-3"), ()])),
        st.builds(ev.LaunchRefused, TIMES, TOKENS, st.just("code"), st.just("no room"), st.booleans()),
        st.builds(ev.Unanswered, TIMES, TOKENS),
        st.builds(ev.Shifting, TIMES, st.just("rule"), st.just((("tg-a", 100), ("tg-b", 0)))),
        st.builds(ev.Healthy, TIMES),
        st.builds(ev.Failed, TIMES, st.text(max_size=3)),
    ),
    max_size=12,
)


@given(EVENTS)
def test_what_is_kept_ready_is_what_the_rest_tells(events: list[ev.Event]) -> None:
    done = fold(events)
    assert done.events == tuple(events)
    assert done.made == tuple(arn for _, arn in sorted(done.groups.items()))
    assert done.launched == tuple(i for attempt in done.attempts.values() for i in attempt.instances or ())
    for kind in ev.KINDS.values():
        assert done.last(kind) == next((e for e in reversed(events) if isinstance(e, kind)), None)


@given(EVENTS, EVENTS)
def test_one_more_event_changes_nothing_of_the_progress_before(events: list[ev.Event], more: list[ev.Event]) -> None:
    done = fold(events)
    for event in more:
        after(done, event)
    assert done == fold(events)
