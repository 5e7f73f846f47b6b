"""Messages as the emulated Discord stores and shows them."""

import copy
import hashlib
import mimetypes
import struct
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.emulators.discord.components import buttons_of, media_of, selects_of, texts_of

EPHEMERAL, LOADING, COMPONENTS_V2 = 1 << 6, 1 << 7, 1 << 15
DEFAULT, REPLY, CHAT_INPUT, CONTEXT_MENU = 0, 19, 20, 23


@dataclass(eq=False)
class Attachment:
    """An uploaded file."""

    discord: Any
    id: str
    filename: str
    data: bytes
    channel: str  # the channel's id, which is part of the URL
    description: str | None = None
    title: str | None = None

    @property
    def content_type(self):
        """The type that Discord derives from the name."""
        return mimetypes.guess_type(self.filename)[0] or "application/octet-stream"

    @property
    def url(self):
        """The signed URL, valid for a day."""
        expires = f"{self.discord.wall_clock() + self.discord.cdn_seconds:x}"
        path = f"/attachments/{self.channel}/{self.id}/{quote(self.filename)}"
        return f"{self.discord.cdn_base}{path}?ex={expires}&is=0&hm={self.signed(expires)}&"

    def signed(self, expires):
        """Return the signature of a URL."""
        return hashlib.sha256(f"{self.id}{expires}{self.discord.token}".encode()).hexdigest()

    @property
    def size_in_pixels(self):
        """Width and height of a PNG; empty for other files, which are not inspected."""
        if self.data[:8] != b"\x89PNG\r\n\x1a\n" or len(self.data) < 24:
            return {}
        return dict(zip(("width", "height"), struct.unpack(">II", self.data[16:24]), strict=True))

    def payload(self):
        """Return the attachment object of the API."""
        told = {"id": self.id, "filename": self.filename, "size": len(self.data), "url": self.url, "proxy_url": self.url}
        more = {"description": self.description, "title": self.title}
        return told | {"content_type": self.content_type} | self.size_in_pixels | {key: value for key, value in more.items() if value}

    def media(self):
        """Return the media object of a component that shows the file."""
        size = self.size_in_pixels or {"width": None, "height": None}
        return {"id": self.id, "url": self.url, "proxy_url": self.url, "content_type": self.content_type, "attachment_id": self.id, **size}


@dataclass(eq=False)
class Message:
    """A message. Its properties are what users and the bot see; `payload` is what is sent over the wire."""

    discord: Any
    id: str
    channel: Any
    author: Any
    content: str = ""
    embeds: list[dict[str, Any]] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=list)
    flags: int = 0
    files: list[Attachment] = field(default_factory=list)
    nonce: str | int | None = None
    reference: "Message | None" = None
    use: Any = None  # the interaction that it responds to
    mentions: list[Any] = field(default_factory=list)
    edits: list["Message"] = field(default_factory=list)
    created_at: str = ""
    edited_at: str | None = None
    is_deleted: bool = False
    thread: Any = None

    def __repr__(self):
        return f"<Message {self.id} by {self.author.name}: {self.texts()} {[one.filename for one in self.files]}>"

    @property
    def is_ephemeral(self):
        """Whether only one user sees it."""
        return bool(self.flags & EPHEMERAL)

    @property
    def is_thinking(self):
        """Whether it is a deferred response that is not yet completed."""
        return bool(self.flags & LOADING)

    @property
    def is_v2(self):
        """Whether it consists of components only."""
        return bool(self.flags & COMPONENTS_V2)

    @property
    def attachments(self):
        """Every file of the message, including files that Discord shows only in an embed or a component."""
        return [one.payload() for one in self.files]

    def data(self, name):
        """Return the bytes of the file with this name."""
        found = [one.data for one in self.files if one.filename == name]
        assert found, f"No {name} among {[one.filename for one in self.files]}"
        return found[0]

    def texts(self):
        """Return all displayed texts in order."""
        told = [self.content, *texts_of(self.components)]
        for embed in self.embeds:
            told += [embed.get("author", {}).get("name"), embed.get("title"), embed.get("description")]
            told += [text for one in embed.get("fields", []) for text in (one["name"], one["value"])]
            told.append(embed.get("footer", {}).get("text"))
        return [one for one in told if one]

    def buttons(self):
        """Return (label, custom_id, whether it is disabled) of every button; for a link button, its URL instead of the custom_id."""
        return [
            (one.get("label"), one.get("custom_id") or one.get("url"), one.get("disabled", False)) for one in buttons_of(self.components)
        ]

    def selects(self):
        """Return the selects as they are on the wire."""
        return selects_of(self.components)

    def covered(self):
        """Return for each picture in a component whether it is a spoiler, regardless of its file name."""
        return [bool(item.get("spoiler")) for item, key in media_of(self.components) if key == "media"]

    def before_edit(self):
        """Save the current state in the list of earlier versions."""
        earlier = copy.copy(self)
        earlier.embeds, earlier.components = copy.deepcopy(self.embeds), copy.deepcopy(self.components)
        earlier.files, earlier.edits = list(self.files), []
        self.edits.append(earlier)

    def shown_files(self):
        """Return the ids of the files that embeds and components show: Discord leaves them out of `attachments`."""
        shown = {item[key].get("attachment_id") for item, key in media_of(self.components)}
        urls = {
            part.get("url", part.get("icon_url", "")).partition("?")[0]
            for embed in self.embeds
            for part in embed.values()
            if isinstance(part, dict)
        }
        return shown | {one.id for one in self.files if one.url.partition("?")[0] in urls}

    def payload(self, *, is_seen=True, depth=1):
        """Return the message on the wire; without its content if the bot may not read it."""
        hidden = self.shown_files()
        told = {
            **{"id": self.id, "channel_id": self.channel.id, "type": self._kind(), "author": self.author.payload(), "flags": self.flags},
            **{"timestamp": self.created_at, "edited_timestamp": self.edited_at, "pinned": False, "mention_everyone": False, "tts": False},
            **{"mentions": [one.payload() for one in self.mentions], "mention_roles": [], "content": self.content if is_seen else ""},
            **{"embeds": self.embeds if is_seen else [], "components": self.components if is_seen else []},
            "attachments": [one.payload() for one in self.files if one.id not in hidden] if is_seen else [],
        }
        if self.thread:
            told["thread"] = self.thread.payload()
        return told | self._of_bot() | (self._of_reply(depth) if self.reference else {})

    def _kind(self):
        if self.use and self.use.original is self and self.use.kind_of_use == 2:
            return CHAT_INPUT if self.use.data["type"] == 1 else CONTEXT_MENU
        return REPLY if self.reference else DEFAULT

    def _of_bot(self):
        told = {} if self.nonce is None else {"nonce": self.nonce}
        if self.use:
            told |= {"webhook_id": self.discord.application_id, "interaction_metadata": self.use.metadata()}
        return told | ({"application_id": self.discord.application_id} if self.author.is_bot else {})

    def _of_reply(self, depth):
        told = {"message_reference": {"type": 0, "message_id": self.reference.id, "channel_id": self.reference.channel.id}}
        if self.channel.guild:
            told["message_reference"]["guild_id"] = self.channel.guild.id
        if depth:
            told["referenced_message"] = None if self.reference.is_deleted else self.reference.payload(depth=0)
        return told

    def event(self, sees_content):
        """Return the data of MESSAGE_CREATE and MESSAGE_UPDATE; without the content intent, only messages to the bot have content."""
        bot = self.discord.bot
        is_for_bot = self.channel.guild is None or self.author is bot or bot in self.mentions
        told = self.payload(is_seen=is_for_bot or sees_content)
        if self.channel.guild:
            told |= {"guild_id": self.channel.guild.id, "member": self.channel.guild.member(self.author)}
        return told
