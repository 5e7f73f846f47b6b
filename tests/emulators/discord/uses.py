"""Interactions: what a user did, how long the bot may respond, and what it responded."""

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.discord import world
from tests.emulators.discord.errors import Refusal
from tests.emulators.discord.messages import Message

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
REPLY, DEFER, DEFER_UPDATE, UPDATE, CHOICES, SHOW_MODAL = 4, 5, 6, 7, 8, 9
MOST_FOLLOWUPS_OF_INSTALLED = 5


@dataclass(eq=False)
class Use:
    """One interaction of a user with the bot, from the user's action to the last follow-up."""

    discord: Any
    user: Any
    channel: Any
    kind_of_use: int
    data: dict[str, Any]
    source: Message | None = None  # the message with the component, or the message that the modal came from
    parent: "Use | None" = None  # the interaction that a modal responded to
    id: str = ""
    token: str = field(default_factory=lambda: "aW50ZXJhY3Rpb246" + secrets.token_urlsafe(90))
    began: float = field(default_factory=time.monotonic)
    kind: int | None = None  # the type of the callback
    acknowledged_after: float | None = None
    original: Message | None = None
    followups: list[Message] = field(default_factory=list)
    modal: dict[str, Any] | None = None
    choices: list[dict[str, Any]] | None = None

    def __post_init__(self):
        self.id = self.discord.ids()

    def __repr__(self):
        return f"<Use {self.id} of {self.data.get('name') or self.data.get('custom_id')}: callback {self.kind}, {self.message}>"

    @property
    def acknowledged(self):
        """Whether the bot responded in time."""
        return self.kind is not None

    async def answered(self, timeout=None):  # noqa: ASYNC109 - says how long a person waits
        """Wait for the response and return its type."""
        return await self.discord.until(lambda: self.kind, timeout or self.discord.ack_seconds)

    @property
    def message(self):
        """The original response, which for an update is the message with the component; None if there is none."""
        return None if self.original is None or self.original.is_deleted else self.original

    @property
    def is_ephemeral(self):
        """Whether only the user sees the original response."""
        return bool(self.original and self.original.is_ephemeral)

    @property
    def is_installed_by_person_only(self):
        """Whether the bot is available here only because this user installed it."""
        return self.channel.guild is not None and not self.channel.guild.has_bot

    @property
    def is_late(self):
        """Whether it is too late to acknowledge."""
        return time.monotonic() - self.began > self.discord.ack_seconds

    def check_token(self):
        """Refuse a token that has expired, or whose interaction is not acknowledged."""
        if time.monotonic() - self.began > self.discord.token_seconds:
            raise Refusal(50027)
        if self.kind is None or self.kind == CHOICES:
            raise Refusal(10015)

    def check_followups(self):
        """Refuse a follow-up beyond the limit of user-installed apps."""
        if self.is_installed_by_person_only and len(self.followups) >= MOST_FOLLOWUPS_OF_INSTALLED:
            raise Refusal(40094)

    def answer(self, kind):
        """Record the response and how long it took."""
        self.kind, self.acknowledged_after = kind, time.monotonic() - self.began

    @property
    def owners(self):
        """Who installed the bot: the server or the user."""
        guild = self.channel.guild
        if guild is None:
            return {"0": "0", "1": self.user.id} if self.discord.is_user_installable() else {"0": "0"}
        return {"0": guild.id} if guild.has_bot else {"1": self.user.id}

    def metadata(self):
        """Return the interaction metadata of a message that responds to it."""
        told = {"id": self.id, "type": self.kind_of_use, "user": self.user.payload(), "authorizing_integration_owners": self.owners}
        if self.kind_of_use == COMPONENT:
            told["interacted_message_id"] = self.source.id
        if self.kind_of_use == MODAL:
            told["triggering_interaction_metadata"] = self.parent.metadata()
        if self.data.get("target_id") and self.data["type"] == 3:
            told["target_message_id"] = self.data["target_id"]
        return told

    def payload(self):
        """Return the interaction on the wire."""
        guild = self.channel.guild
        told = {
            **{"id": self.id, "application_id": self.discord.application_id, "type": self.kind_of_use, "token": self.token, "version": 1},
            **{"data": self.data, "channel_id": self.channel.id, "locale": self.user.locale, "entitlements": [], "entitlement_sku_ids": []},
            **{"authorizing_integration_owners": self.owners, "context": self.channel.context},
            **{"app_permissions": str(self._rights().value), "attachment_size_limit": self.discord.attachment_size_limit},
            "channel": self.channel.payload() | {"permissions": str(self.channel.permissions(self.user).value)},
        }
        if self.source:
            told["message"] = self.source.payload()
        return told | (self._in_guild(guild) if guild else {"user": self.user.payload()})

    def _rights(self):
        if self.is_installed_by_person_only:
            return world.INSTALLED_BY_PERSON
        return self.channel.permissions(self.discord.bot)

    def _in_guild(self, guild):
        partial = {"id": guild.id, "locale": guild.locale, "features": []}
        return {"guild_id": guild.id, "guild": partial, "guild_locale": guild.locale, "member": guild.member(self.user, self.channel)}

    async def send(self):
        """Send the interaction to the bot."""
        self.discord.uses.append(self)
        self.began = time.monotonic()
        self.discord.gateway.dispatch("INTERACTION_CREATE", self.payload(), self.channel.guild)
        self.discord.changed()
        await asyncio.sleep(0)
        return self
