"""The words and filters of a history search."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import BadInput
from bot.i18n.translate import tell
from bot.views import history_query
from bot.views.history_query import FILTERS, Query, read
from inference.contract.model_info import MAX_SEED

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "query"),
    [
        ("", Query()),
        ("a Red circle", Query(words=("a", "red", "circle"))),
        ("model:demo red", Query(words=("red",), model="demo")),
        ('red MODEL:"Dream Shaper" circle', Query(words=("red", "circle"), model="Dream Shaper")),
        ("by:„Ann Lee“", Query(by="Ann Lee")),
        ("preset:poster@3", Query(preset="poster")),
        ("by:discord:4711", Query(by="discord:4711")),
        (f"seed:{MAX_SEED}", Query(seed=MAX_SEED)),
        ("before:2026-11-20", Query(before=datetime(2026, 11, 20, tzinfo=UTC))),
        ("before:7d", Query(before=NOW - timedelta(days=7))),
        ("before:2W", Query(before=NOW - timedelta(days=14))),
        ("is:Favourite", Query(marked=True)),
        ("is:favorite in:best", Query(marked=True, folder="best")),
        ('in:"my  best"', Query(marked=True, folder="my best")),
        ("circ* red", Query(words=("circ*", "red"))),
        ("CIRCLE: 100%_", Query(words=("circle", "100"))),
        ("16:9 (red:1.3) https://a.b/c", Query(words=("16", "9", "red", "1", "3", "http", "a", "b", "c"))),
        ("seed:7 seed:7", Query(seed=7)),
    ],
)
def test_what_is_looked_for(said, query):
    """Filters stand anywhere between the words, in any case, with quotes around spaces; other colons are plain text."""
    assert read(said, NOW) == query


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("colour:red", "There is no filter colour:. The filters are model:, preset:, by:, seed:, before:, in:, is:"),
        ("red model: demo", "model: needs a value right after the colon"),
        ('by:" "', "by: needs a value right after the colon"),
        ("seed:x", "seed must be a whole number from 0 to"),
        (f"seed:{MAX_SEED + 1}", "seed must be a whole number from 0 to"),
        ("seed:²", "seed must be a whole number"),
        ("before:yesterday", "before: takes a date such as"),
        ("before:2026-02-30", "before: takes a date such as"),
        ("is:new", "favourite"),
        ("model:a model:b", "model: is given twice"),
        ("ci*", "at least 3 letters"),
    ],
)
def test_what_makes_no_sense_is_told(said, told):
    """An invalid search is refused in one sentence with the valid values."""
    with pytest.raises(BadInput) as refused:
        read(said, NOW)
    assert told in tell(refused.value.problem)


@given(st.text())
def test_any_text_is_read_or_refused(said):
    """Any text is a search or a mistake with a sentence, and a search contains no empty or blank word."""
    refused, query = None, Query()
    try:
        query = read(said, NOW)
    except BadInput as error:
        refused = error
    assert refused is None or len(tell(refused.problem)) > 20
    assert all(word and not word.isspace() for word in query.words)


PLAIN = st.text(st.characters(codec="ascii", categories=["Ll", "Nd"]), min_size=1, max_size=9)


@given(
    st.lists(PLAIN, max_size=4),
    st.none() | PLAIN,
    st.none() | st.integers(0, MAX_SEED),
    st.none() | st.dates(datetime(1, 1, 1).date()),
    st.randoms(),
)
def test_order_does_not_matter(words, model, seed, before, chance):
    """Filters mean the same at any place between the words."""
    said = {"model": model, "seed": seed, "before": before}
    pieces = [*words, *(f"{name}:{value}" for name, value in said.items() if value is not None)]
    straight = read(" ".join(pieces), NOW)
    chance.shuffle(pieces)
    mixed = read(" ".join(pieces), NOW)
    assert set(mixed.words) == set(straight.words)
    assert (mixed.model, mixed.seed, mixed.before) == (straight.model, straight.seed, straight.before)
    assert (mixed.model, mixed.seed) == (model or "", seed)
    assert before is None or mixed.before.date() == before


def test_every_filter_is_described():
    """The table at the top of the module names each filter."""
    assert not [name for name in FILTERS if f"`{name}:" not in history_query.__doc__]
