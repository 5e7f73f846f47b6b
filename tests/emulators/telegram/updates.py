"""Updates for the bot: kept until confirmed, fetched by long polling or sent by `webhook`."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.telegram.errors import Refusal
from tests.emulators.telegram.webhook import Webhook

FIRST = 820_000_001
# Only bots that request these kinds receive them.
UNASKED = ("chat_member", "message_reaction", "message_reaction_count")
BY_OTHER = "terminated by other getUpdates request; make sure that only one bot instance is running"
BY_WEBHOOK = "terminated by setWebhook request"
ACTIVE = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"


@dataclass(eq=False)
class Update:
    """An update for the bot."""

    id: int
    kind: str
    body: dict[str, Any]
    about: Any = None  # the message, press or query
    key: int = 0  # updates with the same key are sent one after the other
    times: int = 0  # how often it was delivered
    is_confirmed: bool = False

    def payload(self):
        """Return the update on the wire."""
        return {"update_id": self.id, self.kind: self.body}


@dataclass(eq=False)
class _Poll:
    """A request that waits for updates."""

    bell: asyncio.Event = field(default_factory=asyncio.Event)
    conflict: str | None = None
    is_over: bool = False

    def end(self, conflict=None):
        self.conflict, self.is_over = conflict, True
        self.bell.set()


class Updates:
    """All updates, and the request that waits for them."""

    def __init__(self, telegram):
        self.telegram = telegram
        self.every: list[Update] = []
        self.allowed: list[str] = []  # the kinds that the bot requested; empty means all except `UNASKED`
        self.webhook = Webhook(telegram, self)
        self._again: list[Update] = []
        self._poll: _Poll | None = None

    @property
    def waiting(self):
        """The updates that the bot has not confirmed; oldest first."""
        return [one for one in self.every if not one.is_confirmed]

    @property
    def is_polled(self):
        """Whether a request is waiting now."""
        return self._poll is not None

    def is_wanted(self, kind):
        """Return whether the bot receives this kind."""
        return kind in self.allowed if self.allowed else kind not in UNASKED

    def add(self, kind, body, about=None, key=0):
        """Add an update, if the bot wants its kind."""
        made = Update(FIRST + len(self.every), kind, body, about, key)
        if self.is_wanted(kind):
            self.every.append(made)
            self._check(made)
            self.ring()
        return made

    def _check(self, update):
        if self.telegram.schema:
            self.telegram.misspoken += self.telegram.schema.check_update(update.payload())

    def repeat(self, about):
        """Send again, with the same number: an update, or the update about a message, press or query."""
        found = about if isinstance(about, Update) else next((one for one in reversed(self.every) if one.about is about), None)
        assert found, f"The bot was never told of {about}"
        if found.is_confirmed:
            self._again.append(found)
        else:
            self._again.append(Update(found.id, found.kind, found.body, found.about, found.key))
        self.ring()

    def ring(self):
        """Wake the waiting request and the webhook."""
        if self._poll:
            self._poll.bell.set()
        self.webhook.ring()
        self.telegram.changed()

    def stop_poll(self, conflict=None):
        """End the waiting request, with a conflict if given."""
        if self._poll:
            self._poll.end(conflict)

    def confirm(self, offset):
        """Confirm all updates before the offset; a negative offset counts from the end."""
        first = offset if offset >= 0 else next((one.id for one in self.every[offset:]), 0)
        for one in self.every:
            if one.id < first:
                one.is_confirmed = True
        self.telegram.changed()

    def drop(self):
        """Confirm all updates."""
        for one in self.every:
            one.is_confirmed = True

    def _due(self, offset, limit):
        again, self._again = self._again, []
        return sorted([*again, *(one for one in self.waiting if offset <= 0 or one.id >= offset)], key=lambda one: one.id)[:limit]

    def take_again(self):
        """Return the updates to be sent again by a webhook."""
        again, self._again = self._again, []
        return again

    async def get(self, offset, limit, timeout, is_gone):  # noqa: ASYNC109 - it is Telegram's
        """Return the due updates, or wait for one."""
        if self.webhook.url:
            raise Refusal(ACTIVE, 409)
        self.confirm(offset)
        self.stop_poll(BY_OTHER)
        poll = self._poll = _Poll()
        try:
            return await self._waited(poll, offset, limit, time.monotonic() + timeout, is_gone)
        finally:
            if self._poll is poll:
                self._poll = None

    async def _waited(self, poll, offset, limit, deadline, is_gone):
        self.telegram.changed()
        while True:
            if poll.conflict:
                raise Refusal(poll.conflict, 409)
            if is_gone() or poll.is_over:
                return []
            found, left = self._due(offset, limit), deadline - time.monotonic()
            if found or left <= 0:
                break
            poll.bell.clear()
            # Poll for a client that has disconnected.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(poll.bell.wait(), min(left, 0.25))
        for one in found:
            one.times += 1
        return [one.payload() for one in found]
