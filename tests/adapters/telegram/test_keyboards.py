"""Inline keyboards of lists of pictures."""

import pytest

from adapters.telegram import render
from bot.core.values import new_id
from bot.framework.reply import Shown
from bot.views import job_card


@pytest.mark.parametrize("count", [2, 3, 4, 9])
def test_pictures_of_several_requests_are_told_apart(count):
    """In a list of pictures of several requests no two buttons look the same: they are numbered by their place."""
    ids = [new_id() for _ in range(count)]
    pictures = [Shown(one, 0, 7, 64, 64, "f", "t", "words", job_card.picture_buttons(one)) for one in ids]
    labels = [button.text for row in render.numbered(pictures) for button in row]
    assert len(set(labels)) == len(labels)
    assert {f"Delete {number}" for number in range(1, count + 1)} <= set(labels)
