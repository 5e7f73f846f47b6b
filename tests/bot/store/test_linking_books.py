"""However users link and unlink accounts, their credits are those of the model, and each account equals the sum of its ledger."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.core.errors import NotAllowed
from bot.core.limits import Policy, Tier
from bot.core.values import UserRef
from bot.store.billing import ledger, usage
from bot.store.database import Database
from bot.store.store import Store
from tests.bot.store.books import Books
from tests.stores import ALL, books_are_right, emptied, new_job, user_of

NOON, DAY = datetime(2026, 11, 21, 12, tzinfo=UTC), timedelta(days=1)

#: A user of the tier has more credits; an unlinked account has no tier.
RULES = Policy(tiers={"": Tier(credits=10_000), "gold": Tier(credits=25_000)})

PLATFORMS = ("discord", "telegram", "web")
who = st.sampled_from(PLATFORMS)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), who, st.integers(1, 12_000)),
        st.tuples(st.just("settle"), who, st.sampled_from((0.0, 0.25, 1.0))),
        st.tuples(st.just("day"), who, st.just(1)),
        st.tuples(st.just("grant"), who, st.integers(-3000, 6000)),
        st.tuples(st.just("join"), who, who),
        st.tuples(st.just("part"), who, st.just(0)),
    ),
    max_size=30,
)


class History:
    """Three accounts that go through steps, in the store and in the model; several accounts may share the same books."""

    def __init__(self, store, number, clock):
        self.store, self.number, self.clock = store, number, clock
        self.books, self.jobs = {}, []

    def caller(self, name):
        """Return an account as its platform reports it."""
        return UserRef(name, f"{name} {self.number}")

    async def user(self, name):
        """Return the id of the user who has an account."""
        return (await self.store.people.user(self.caller(name))).id

    async def meet(self):
        """Create all users, the first with a better tier."""
        for name in PLATFORMS:
            user = await user_of(self.store, f"{name} {self.number}", name)
            self.books[name] = Books(25_000 if name == PLATFORMS[0] else 10_000)
            await self.store.people.appoint(user, tier="gold" if name == PLATFORMS[0] else "")

    async def step(self, what, name, value):
        """Take a step and assert that the store and the model agree about all users."""
        await getattr(self, what)(name, value)
        assert await books_are_right(self.store)
        for one, books in self.books.items():
            balance = await self.store.ledger.balance(await self.user(one))
            assert (balance.left, balance.extra, balance.allowance) == (books.left, books.extra, books.allowance), one

    async def ask(self, name, amount):
        """Request something."""
        new = new_job(await self.user(name), credits=amount)
        try:
            await self.store.jobs.accept([new])
        except NotAllowed:
            assert not self.books[name].can(amount)
        else:
            assert self.books[name].hold(new.id, amount)
            self.jobs.append((new.id, amount))

    async def settle(self, _name, share):
        """Settle the oldest job, whichever user has it by now."""
        if self.jobs:
            job, amount = self.jobs.pop(0)
            (books,) = {id(one): one for one in self.books.values() if job in one.held}.values()
            async with self.store.database.write() as session:
                assert await ledger.settle(session, job, int(amount * share))
            books.settle(job, int(amount * share))

    async def day(self, _name, days):
        """Let a day begin."""
        for books in {id(one): one for one in self.books.values()}.values():
            books.day += days
        self.clock[0] += days * DAY

    async def grant(self, name, amount):
        """Grant credits, or take some back."""
        self.books[name].grant(amount)
        await self.store.ledger.grant(await self.user(name), amount)

    async def join(self, name, other):
        """Link two users, if they are two."""
        kept, gone = await self.user(name), await self.user(other)
        asked = await self.store.linking.ask(await self.store.linking.make(kept), gone)
        assert asked == await self.store.linking.join(kept, gone) == (kept != gone)
        if asked:
            self.books[name].join(old := self.books[other])
            self.books = {one: self.books[name] if books is old else books for one, books in self.books.items()}

    async def part(self, name, _value):
        """Unlink an account, unless it is the only one."""
        old = self.books[name]
        is_only = sum(books is old for books in self.books.values()) == 1
        assert (await self.store.linking.part(await self.user(name), [self.caller(name)]) is None) == is_only
        if not is_only:
            self.books[name] = old.parted()
            self.books[name].allowance = 10_000


@pytest.mark.parametrize(("kind", "examples"), [("sqlite", 60), ("postgresql", 15)] if ALL else [("sqlite", 20), ("postgresql", 5)])
def test_any_history_of_links_is_exact(kind, examples, tmp_path, monkeypatch):
    """Whatever is requested, settled and granted between linking and unlinking, every user can spend what the model says."""
    clock = [NOON]
    for module in (usage, ledger):
        monkeypatch.setattr(module, "now", lambda: clock[0])

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(taken=steps)
    def live(taken):
        clock[0] = NOON
        loop.run(through(taken))

    async def through(taken):
        history = History(store, next(numbers), clock)
        await history.meet()
        for step in taken:
            await history.step(*step)

    numbers = iter(range(10**9))
    with emptied(kind, tmp_path) as url, asyncio.Runner() as loop:
        store = Store.of(Database(url), None, RULES)
        try:
            live()
        finally:
            loop.run(store.database.__aexit__(None, None, None))
