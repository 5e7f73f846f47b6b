"""Stores filled for benchmarks: they have the product's current tables, whatever columns those have."""

import pytest

from benchmarks.standing.crowd import Crowd, crowded
from benchmarks.standing.gallery import filled, prompts
from bot.store.images.blobs import BlobStore
from bot.store.images.search import SearchQuery
from bot.store.sharing import preset_search
from bot.store.sharing.presets import Reader
from bot.store.store import Store


@pytest.mark.parametrize("all_wait", [True, False])
async def test_a_crowd_is_served(url, tmp_path, all_wait):
    """In a store of many jobs made by the database itself the next job can be claimed and read."""
    async with crowded(url, Crowd(900, all_wait)) as database:
        job = await Store.of(database, BlobStore(str(tmp_path))).attempts.claim("painter")
        assert job.request.prompt.text == "a red circle on blue"


async def test_a_gallery_is_searched(url, tmp_path):
    """In a store of many pictures and presets made by the database itself those with a word are found."""
    async with filled(url, 400, prompts(rows=400)) as database:
        store = Store.of(database, BlobStore(str(tmp_path)))
        found = await store.finding.pictures(SearchQuery(user="p0", people=("p0",), words=("zq20",)), 1, 10)
        assert [one.id for one in found.pictures] == ["x20"]
        async with database.read() as session:
            assert await preset_search.ids(session, Reader("p1").shelves, "zq398", 10, maker="p1") == ("r398",)
