"""Messages as the emulated Telegram stores and shows them."""

import copy
import time
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.telegram.keyboards import deed
from tests.emulators.telegram.media import Animation, Document, Photo


@dataclass
class Draft:
    """The content of a message to be sent."""

    text: str | None = None
    caption: str | None = None
    entities: list[dict[str, Any]] = field(default_factory=list)
    media: Any = None
    reply_markup: dict[str, Any] | None = None
    has_spoiler: bool = False
    is_caption_above: bool = False
    link_preview: dict[str, Any] | None = None

    @property
    def kind(self):
        """The kind that a chat's permissions refer to."""
        return self.media.kind if self.media else "text"

    def put(self, message):
        """Set the content of a message."""
        for name, value in vars(self).items():
            setattr(message, name, value)


@dataclass(eq=False)
class Message:
    """A message. Its properties are what users and the bot see; `payload` is what is sent over the wire."""

    telegram: Any
    id: int
    chat: Any
    sender: Any  # None for posts of a channel
    text: str | None = None
    caption: str | None = None
    entities: list[dict[str, Any]] = field(default_factory=list)
    media: Any = None
    reply_markup: dict[str, Any] | None = None
    has_spoiler: bool = False
    is_caption_above: bool = False
    link_preview: dict[str, Any] | None = None
    reply_to: "Message | None" = None
    quote: str | None = None
    message_thread_id: int | None = None
    sender_chat: Any = None
    media_group_id: str | None = None
    service: dict[str, Any] | None = None  # the event of a service message
    via: Any = None  # the bot whose inline result it is
    inline_id: str | None = None
    forward_origin: dict[str, Any] | None = None
    is_silent: bool = False
    is_protected: bool = False
    reactions: dict[int, list[dict[str, Any]]] = field(default_factory=dict)  # by user id
    edits: list["Message"] = field(default_factory=list)  # earlier versions
    date: int = field(default_factory=lambda: int(time.time()))
    edited_at: int | None = None
    is_deleted: bool = False
    was_heard: bool = False  # whether the bot received it

    def __repr__(self):
        by = self.sender.name if self.sender else self.chat.title
        return f"<Message {self.id} by {by}: {self.words!r} {self.media or ''} {self.buttons() or ''}>"

    @property
    def words(self):
        """The text or the caption."""
        return self.text if self.text is not None else self.caption or ""

    @property
    def photo(self):
        """The photo, if it has one: `data` is what can be downloaded, `uploaded` what was sent."""
        return self.media if isinstance(self.media, Photo) else None

    @property
    def document(self):
        """The document, if it has one."""
        return self.media if type(self.media) is Document else None

    @property
    def animation(self):
        """The animation, if it has one."""
        return self.media if isinstance(self.media, Animation) else None

    @property
    def keyboard(self):
        """The rows of the inline keyboard, each a list of buttons as they are on the wire."""
        return (self.reply_markup or {}).get("inline_keyboard", [])

    def buttons(self):
        """Return (text, callback data) of every button; for a link button, its URL instead of the data."""
        return [(one["text"], deed(one)) for row in self.keyboard for one in row]

    @property
    def topic(self):
        """The topic of the message, if its group has topics."""
        return self.chat.topics.get(self.message_thread_id)

    def before_edit(self):
        """Return a copy of the current state for the list of earlier versions."""
        earlier = copy.copy(self)
        earlier.edits, earlier.reactions = [], dict(self.reactions)
        return earlier

    def sameness(self):
        """Return the values of which an edit must change at least one."""
        shown = (self.text, self.caption or None, self.entities, self.has_spoiler, self.is_caption_above, self.link_preview)
        return (*shown, self.media and self.media.key, self.reply_markup)

    def payload(self, *, depth=1):
        """Return the message on the wire."""
        told = {"message_id": self.id, "date": self.date, "chat": self.chat.payload()} | self._who() | self._where(depth)
        if self.text is not None:
            told["text"] = self.text
        if self.caption:
            told["caption"] = self.caption
        if self.entities:
            told["entities" if self.text is not None else "caption_entities"] = self.entities
        if self.media:
            told |= self.media.payload()
        return told | (self.service or {}) | self._more()

    def _who(self):
        told = {"sender_chat": self.sender_chat.payload()} if self.sender_chat else {}
        if self.sender:
            told["from"] = self.sender.payload()
        return told | ({"via_bot": self.via.payload()} if self.via else {})

    def _where(self, depth):
        told = {}
        if self.message_thread_id is not None:
            told["message_thread_id"] = self.message_thread_id
            if self.topic:
                told["is_topic_message"] = True
        # A message in a topic that is not a reply counts as a reply to the first message of the topic.
        answered = self.reply_to or (self.topic.root if self.topic and self.topic.root is not self else None)
        if answered and depth and not answered.is_deleted:
            told["reply_to_message"] = answered.payload(depth=0)
        if self.quote:
            told["quote"] = {"text": self.quote, "position": max(0, self.reply_to.words.find(self.quote)), "is_manual": True}
        return told

    def _more(self):
        told = {
            **{"edit_date": self.edited_at, "media_group_id": self.media_group_id, "forward_origin": self.forward_origin},
            **{"has_media_spoiler": self.has_spoiler, "show_caption_above_media": self.is_caption_above},
            **{"has_protected_content": self.is_protected, "link_preview_options": self.link_preview},
        }
        if self.keyboard:
            told["reply_markup"] = self.reply_markup
        return {name: value for name, value in told.items() if value}
