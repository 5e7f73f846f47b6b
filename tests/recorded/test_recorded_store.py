"""Databases that an earlier version wrote: they upgrade, nothing is lost, and everything in them works."""

import asyncio
import io
import zipfile
from collections import Counter

import pytest

from bot.core.values import MessageRef
from bot.generation.fields import GenerationParams
from bot.jobs.delivery import Sent
from bot.jobs.dispatcher import Dispatcher
from bot.store import schema
from bot.store.images.search import SearchQuery
from bot.store.jobs.job import DONE, PAUSED, RUNNING, WAITING
from bot.store.jobs.outbox import GAVE_UP, SENDING, SENT, TODO, UNKNOWN
from inference.contract.settings import EngineSettings
from inference.demo import WEIGHTS
from inference.models.registry import read_catalogue
from inference.supervisor import LocalEngine
from tests.running import on_one_core
from tests.stores import books_are_right


class Everywhere:
    """All platforms at once; every delivery succeeds."""

    def __init__(self):
        self.delivered = Counter()
        self._more = asyncio.Condition()

    def is_mirrored(self, _platform):
        """Return True: this process shows its own cards."""
        return True

    async def settle(self, _job, _address):
        """Do nothing: no update of a card is pending."""

    async def show(self, _card, _address):
        """Do nothing."""

    async def deliver(self, outgoing):
        """Count a delivery."""
        async with self._more:
            self.delivered[outgoing.card.job] += 1
            self._more.notify_all()
        return Sent()

    async def until(self, jobs):
        """Wait until all of these jobs are delivered."""
        async with self._more:
            await self._more.wait_for(lambda: jobs <= self.delivered.keys())


def told(reply):
    """Return the text and the facts of a reply."""
    return " ".join([reply.text, *(f"{one.name} {one.told}" for one in reply.facts)])


def of_state(recorded, table, *states):
    """Return the recorded rows of a table that are in one of these states."""
    return [one for one in recorded.rows[table] if one["state"] in states]


async def test_the_database_upgrades(raw):
    """The recorded database upgrades to the newest revision and then has exactly the tables that this version needs."""
    _, database = raw
    assert (await schema.state(database)).standing in ("behind", "current")
    assert await schema.upgrade(database) == schema.Schema(schema.HEAD, schema.HEAD, "current")
    assert await schema.differences(database) == ()


async def test_what_was_recorded_is_of_every_kind(recorded):
    """The recording has jobs and deliveries in every state, and rows in every table except `lease`."""
    assert {one["state"] for one in recorded.rows["job"]} == {WAITING, PAUSED, RUNNING, DONE, "failed", "cancelled"}
    assert {one["state"] for one in recorded.rows["delivery"]} == {TODO, SENDING, SENT, UNKNOWN, GAVE_UP}
    assert [name for name, rows in recorded.rows.items() if not rows] == ["lease"]


async def test_every_picture_is_found_again(recorded):
    """Each user's history lists all of their pictures; the files exist, /info shows the settings, and a search finds the words."""
    for user in recorded.people():
        own = {one["id"] for one in recorded.rows["picture"] if one["person_id"] == user}
        found = await recorded.store.finding.pictures(SearchQuery(user=user, people=(user,)), 1, 100)
        assert {one.id for one in found.pictures} == own
        for one in found.pictures:
            assert await recorded.store.files.get(one.file)
            assert await recorded.store.files.get(one.thumbnail)
            assert str(one.seed) in told(await recorded.say(f"/info {one.id}", user))
        words = {one["id"] for one in recorded.rows["picture"] if one["person_id"] == user and "circle" in one["words"]}
        sought = SearchQuery(user=user, people=(user,), words=("circle",))
        assert words <= {one.id for one in (await recorded.store.finding.pictures(sought, 1, 100)).pictures}


async def test_favourites_are_in_their_folders(recorded):
    """Each favourite is found in its folder, or among the favourites if it has none."""
    for one in recorded.rows["favourite"]:
        query = f'in:"{one["folder"]}"' if one["folder"] else "is:favourite"
        assert one["picture_id"] in [shown.id for shown in (await recorded.say(f"/history {query}", one["person_id"])).pictures]
    assert {"", "odd: 100%", "ü folder"} == {one["folder"] for one in recorded.rows["favourite"]}


async def test_every_preset_is_painted_with(recorded):
    """Each preset can be shown and used by its owner, with its slots filled, in its newest version."""
    used = 0
    for user in recorded.people():
        for one in await recorded.store.presets.of_person(user):
            slots = " ".join(f"{name}:cat" for name in one.body.slots if name != "prompt")
            job = await recorded.job(await recorded.say(f"/preset_use {one.name} {slots} at night", user))
            assert GenerationParams.model_validate_json(job.params).preset == f"{one.name}@{one.version}#{one.id}"
            assert "at night" in job.request.prompt.text
            assert one.name in told(await recorded.say(f"/preset_show {one.name}", user))
            used += 1
    assert used == sum(not one["archived"] for one in recorded.rows["preset"])


async def test_a_preset_keeps_its_versions_and_what_it_locks(recorded):
    """An earlier version of a preset gives the earlier settings; locked settings and limits of the newest version are enforced."""
    ann, words = recorded.named("ann"), "title:cat at night"
    first = (await recorded.job(await recorded.say(f"/preset_use placard@1 {words}", ann))).request
    newest = (await recorded.job(await recorded.say(f"/preset_use placard {words} --steps 9", ann))).request
    assert (first.prompt.text, first.negative.text, first.steps) == ("a placard of cat, red, at night", "", 3)
    assert (newest.prompt.text, newest.negative.text, newest.steps, newest.width) == ("a placard of cat, red, at night", "fog", 9, 64)
    for refused, key in (("--steps 10", "input-preset-most"), ("--scheduler euler", "input-preset-locked")):
        with pytest.raises(Exception, match=key):
            await recorded.say(f"/preset_use placard {words} {refused}", ann)


async def test_groups_look_at_one_board(recorded):
    """Two linked groups see the same board, pinned posts first; each post keeps its likes and can be used by its code."""
    ann, bob = recorded.named("ann"), recorded.named("bob")
    channel, group = recorded.channel("discord", "/imagine a running circle"), recorded.channel("telegram", "/preset_use@")
    boards = {one["board_id"] for one in recorded.rows["board_place"]}
    here, there = await recorded.say("/board", ann, channel), await recorded.say("/board", bob, group)
    codes = [[one.told.rpartition(" · ")[2] for one in reply.facts] for reply in (here, there)]
    assert codes[0] == codes[1]
    assert "number 0" in here.facts[0].told
    shown = [one for one in recorded.rows["share"] if not one["removed"]]
    assert len(boards) < len(recorded.rows["board_place"])
    for one in shown:
        reply = await recorded.say(f"/use {one['id']} at night", bob, group)
        if reply.form is not None:
            reply = await recorded.press(reply.form.wire, bob, group, filled={"slot_1": "cat", "words": ""})
        assert (await recorded.job(reply)).user == bob
    votes = Counter(one["share_id"] for one in recorded.rows["vote"])
    for one in shown:
        assert (await recorded.store.boards.get(one["id"])).votes == votes[one["id"]]
    reported = await recorded.say("/reports", recorded.named("mod"), channel, moderates=True)
    assert "rude" in told(reported)


async def test_settings_and_rules_hold(recorded):
    """Settings of users and channels apply to new requests, and the rules of a channel are enforced."""
    ann, eve = recorded.named("ann"), recorded.named("eve")
    channel = recorded.channel("discord", "/imagine a running circle")
    (settled,) = [(await recorded.job(await recorded.say("/imagine a boat", eve, channel))).request]
    assert (settled.steps, settled.negative.text, settled.width) == (2, "blur", 64)
    assert (await recorded.job(await recorded.say("/imagine a boat", ann))).request.steps == 3
    with pytest.raises(Exception, match="denied-closed"):
        await recorded.say("/explain a boat", ann, channel)
    with pytest.raises(Exception, match="input-place-most"):
        await recorded.say("/imagine a boat --steps 21", ann, channel)
    rules = told(await recorded.say("/rules", ann, channel))
    assert "900" in rules
    assert await recorded.store.settings.covers(channel)
    assert "de" in [one["language"] for one in recorded.rows["job"]]


async def test_the_books_are_right(recorded):
    """Each account equals the sum of its ledger, before and after a new request; granted credits are still there."""
    assert await books_are_right(recorded.store)
    ann = recorded.named("ann")
    before = await recorded.store.ledger.balance(ann)
    assert before.extra == 12_500
    job = await recorded.job(await recorded.say("/imagine a boat --size 64x64 --steps 2", ann))
    after = await recorded.store.ledger.balance(ann)
    assert before.left - after.left == job.credits > 0
    assert await books_are_right(recorded.store)


async def test_people_are_who_they_were(recorded, messages):
    """Linked accounts stay linked, unlinked accounts stay apart; access tokens, roles, tiers, digests and the audit log are kept."""
    ann, parted = recorded.named("ann"), [one["id"] for one in recorded.rows["person"] if one["name"] == "Yan"]
    assert {one.platform for one in await recorded.store.people.identities(ann)} == {"discord", "web"}
    assert [{one.platform for one in await recorded.store.people.identities(one)} for one in parted] == [{"discord"}, {"telegram"}]
    assert (await recorded.store.tokens.holder(messages["tokens"][recorded.kind])).name == "gallery"
    mod = await recorded.store.people.find(recorded.people()[recorded.named("mod")])
    assert mod.role == "operator"
    assert (await recorded.store.ledger.balance(mod.id)).allowance == 4_000_000
    acts = [one.act for one in await recorded.store.audit.latest(100)]
    assert sorted(acts) == sorted(one["act"] for one in recorded.rows["audit"])
    for one in recorded.rows["digest"]:
        (key,) = [channel["key"] for channel in recorded.rows["place"] if channel["id"] == one["place_id"]]
        (platform,) = [channel["platform"] for channel in recorded.rows["place"] if channel["id"] == one["place_id"]]
        assert (await recorded.store.digests.of(MessageRef(platform, key))).user == one["person_id"]


async def test_unhandled_updates_are_kept(recorded, messages):
    """Stored updates of a platform that were not handled can be claimed unchanged, and a repeat of them is recognised."""
    (platform,) = {one["platform"] for one in recorded.rows["inbox"]}
    inbox_updates = await recorded.store.inbox.claim(platform, "a runner")
    assert len(inbox_updates) == len([one for one in recorded.rows["inbox"] if one["done"] is None]) == len(messages["letters"])
    assert [f"letter {number}" in one.body.decode() for number, one in enumerate(inbox_updates, 1)] == [True] * len(inbox_updates)
    assert await recorded.store.inbox.take(platform, [(one.update, one.body) for one in inbox_updates]) == ()


async def test_unfinished_work_is_finished(recorded):
    """Queued jobs, jobs with an expired lease, pending deliveries and resumed jobs are run by the model and delivered once."""
    begun = of_state(recorded, "job", WAITING, RUNNING)
    paused, running = of_state(recorded, "job", PAUSED), of_state(recorded, "job", RUNNING)
    untold = {one["job_id"] for one in of_state(recorded, "delivery", TODO, SENDING)}
    everywhere, mod = Everywhere(), recorded.named("mod")
    platforms = ("discord", "telegram", "web", "terminal")
    with on_one_core():
        engine = LocalEngine(EngineSettings(devices=("cpu",)), read_catalogue([], None, WEIGHTS))
        async with engine, Dispatcher(recorded.store, engine, everywhere, platforms, poll_seconds=0.05) as dispatcher:
            awaited = {one["id"] for one in begun} | untold
            await everywhere.until(awaited)
            for one in paused:
                assert (await recorded.store.jobs.get(one["id"])).state == PAUSED
            boss, cellar = recorded.named("boss"), recorded.channel("telegram", "/imagine a paused boat")
            await recorded.say("/resume", boss, cellar, moderates=True)
            await recorded.say(f"/resume {paused_by_name(recorded)}", mod)
            dispatcher.wake()
            await everywhere.until(awaited | {one["id"] for one in paused})
    for one in (*begun, *paused):
        job = await recorded.store.jobs.get(one["id"])
        assert job.state == DONE, job.problem
        assert len((await recorded.store.pictures.of_jobs([job.id]))[job.id]) == job.request.count
    assert {(await recorded.store.jobs.get(one["id"])).attempt for one in running} == {2}
    assert set(everywhere.delivered.values()) == {1}
    assert await books_are_right(recorded.store)


def paused_by_name(recorded):
    """Return the paused user as platform and id."""
    (user,) = [one["id"] for one in recorded.rows["person"] if one["paused"]]
    who = recorded.people()[user]
    return f"{who.platform}:{who.id}"


async def test_failed_jobs_and_lost_deliveries_are_repeated(recorded):
    """A recorded Retry button queues a failed job again, and a Resend button queues a lost delivery again."""
    for one in of_state(recorded, "job", "failed"):
        await recorded.press(f"retry:{one['id']}", one["person_id"])
        assert (await recorded.store.jobs.get(one["id"])).state == WAITING
    users = {one["id"]: one["person_id"] for one in recorded.rows["job"]}
    for one in of_state(recorded, "delivery", UNKNOWN, GAVE_UP):
        await recorded.press(f"resend:{one['job_id']}", users[one["job_id"]])
        assert (await recorded.store.outbox.of_job(one["job_id"])).state == TODO
    assert await books_are_right(recorded.store)


async def test_export_and_deletion_of_all_users(recorded):
    """Each user can export their data and then delete it: no row of theirs is left, and the accounts still equal their ledgers."""
    for user in recorded.people():
        (file,) = (await recorded.say("/me_export", user)).files
        with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
            assert archive.testzip() is None
            own = {one["file"] for one in recorded.rows["picture"] if one["person_id"] == user}
            assert len([name for name in archive.namelist() if name.endswith(".png")]) >= len(own)
    for user in recorded.people():
        button = (await recorded.say("/me_forget", user)).buttons[0]
        await recorded.press(button.wire, user)
        assert not await recorded.store.people.is_known(user)
    assert await books_are_right(recorded.store)
    counts = {name: await recorded.count(name) for name in ("job", "picture", "preset", "share", "identity", "favourite", "vote")}
    assert counts == dict.fromkeys(counts, 0)
