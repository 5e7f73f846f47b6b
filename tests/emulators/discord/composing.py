"""Turn the body of a request into a message, or refuse it: Discord's limits on messages."""

import copy
import re
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.discord import components as parts
from tests.emulators.discord.errors import Refusal, bad, check_length
from tests.emulators.discord.messages import COMPONENTS_V2, EPHEMERAL, Attachment

MOST_ATTACHMENTS = 10
CONTENT = 2000
# The limits of an embed's fields, in characters; all embeds of a message together are limited to 6000.
EMBED = {("title",): 256, ("description",): 4096, ("footer", "text"): 2048, ("author", "name"): 256}
SENT_FLAGS = EPHEMERAL | COMPONENTS_V2 | 1 << 2 | 1 << 12
LEGACY = ("content", "embeds", "poll", "sticker_ids")
NO_LEGACY = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"
NO_FILE = "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND"


@dataclass
class Draft:
    """A validated message that may be sent."""

    content: str = ""
    embeds: list[dict[str, Any]] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=list)
    flags: int = 0
    files: list[Attachment] = field(default_factory=list)

    @property
    def is_v2(self):
        """Whether the message consists of components only."""
        return bool(self.flags & COMPONENTS_V2)

    def put(self, message):
        """Set the content of a message."""
        message.content, message.embeds, message.components = self.content, self.embeds, self.components
        message.flags, message.files = self.flags, self.files


def compose(discord, channel, body, uploads, before=None, *, most_bytes=None):
    """Return the draft for a body; `before` is the message that it edits."""
    body = body or {}
    draft = Draft(flags=_flags(body, before))
    draft.content = _kept(body, "content", before) or ""
    draft.embeds = copy.deepcopy(_kept(body, "embeds", before) or [])
    draft.components = copy.deepcopy(_kept(body, "components", before) or [])
    if not isinstance(draft.content, str):
        raise bad("content", "STRING_TYPE_CONVERT", f"Could not interpret {draft.content!r} as string.")
    check_length("content", draft.content, 0, CONTENT)
    _check_embeds(draft.embeds)
    if draft.is_v2:
        _refuse_legacy(body, draft)
    if "components" in body:
        parts.check_message(draft.components, is_v2=draft.is_v2)
    files = _attachments(discord, channel, body, uploads, before, most_bytes or discord.attachment_size_limit)
    draft.files, names = files
    _show(draft, names)
    if not (draft.content or draft.embeds or draft.files or draft.components or body.get("sticker_ids") or body.get("poll")):
        raise Refusal(50006)
    return draft


def _kept(body, key, before):
    return body.get(key) if key in body or before is None else getattr(before, key)


def _flags(body, before):
    asked = body.get("flags")
    if before is None:
        if (asked or 0) & ~SENT_FLAGS:
            raise bad("flags", "BASE_TYPE_CHOICES", "These flags cannot be set")
        return asked or 0
    if asked is None:
        return before.flags
    if before.is_v2 and not asked & COMPONENTS_V2:
        raise bad("flags", "MESSAGE_CANNOT_REMOVE_COMPONENTS_V2_FLAG", "The components v2 flag cannot be removed from a message")
    return before.flags & ~(1 << 2) | asked & (COMPONENTS_V2 | 1 << 2)


def _refuse_legacy(body, draft):
    # An empty text counts as used; null or a missing key does not.
    for key in LEGACY:
        if body.get(key) is not None or getattr(draft, key, None):
            raise bad(key, NO_LEGACY, f"The '{key}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2")


def _check_embeds(embeds):
    check_length("embeds", embeds, 0, 10)
    total = 0
    for index, embed in enumerate(embeds):
        for path, most in EMBED.items():
            text = embed.get(path[0]) if len(path) == 1 else (embed.get(path[0]) or {}).get(path[1])
            check_length(f"embeds.{index}.{'.'.join(path)}", text, 0, most)
            total += len(text or "")
        check_length(f"embeds.{index}.fields", embed.get("fields"), 0, 25)
        for number, one in enumerate(embed.get("fields") or []):
            check_length(f"embeds.{index}.fields.{number}.name", one.get("name"), 1, 256)
            check_length(f"embeds.{index}.fields.{number}.value", one.get("value"), 1, 1024)
            total += len(one["name"] + one["value"])
        embed.setdefault("type", "rich")
    if total > 6000:
        raise bad("embeds", "MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000")


def tidy(filename):
    """Return a file name as Discord stores it."""
    return re.sub(r"[^\w.\-]", "", filename.replace(" ", "_")) or "unknown"


def _attachments(discord, channel, body, uploads, before, most_bytes):
    """Return the files of the new message, and by name those that `attachment://` can refer to."""
    for name, data in uploads.values():
        if len(data) > most_bytes:
            raise Refusal(40005, errors={"files": {"_errors": [{"code": "FILE_TOO_LARGE", "message": f"{name} is too large"}]}})
    new = {number: Attachment(discord, discord.ids(), tidy(name), data, channel.id) for number, (name, data) in uploads.items()}
    old = {one.id: one for one in before.files} if before else {}
    listed = body.get("attachments")
    if listed is None:
        files = [*old.values(), *new.values()]
        names = {one.filename: one for one in files}
    else:
        files, names = _listed(listed, new, old)
    if len(files) > MOST_ATTACHMENTS:
        raise Refusal(30015)
    for one in new.values():
        discord.attachments[one.id] = one
    return files, names


def _listed(listed, new, old):
    files, names = [], {}
    for index, told in enumerate(listed):
        one = new.get(str(told.get("id"))) or old.get(str(told.get("id")))
        if one is None:
            raise bad(f"attachments.{index}.id", "ATTACHMENT_NOT_FOUND", f"Attachment {told.get('id')} was not uploaded and is not there")
        check_length(f"attachments.{index}.description", told.get("description"), 0, 1024)
        if str(told["id"]) in new and told.get("filename"):
            one.filename = tidy(told["filename"])
        one.description, one.title = told.get("description", one.description), told.get("title", one.title)
        files.append(one)
        # `attachment://` can refer to a kept file only if the request lists its name along with its id.
        if told.get("filename") or str(told["id"]) in new:
            names[one.filename] = one
    missing = [one for number, one in new.items() if number not in {str(told.get("id")) for told in listed}]
    return files + missing, names | {one.filename: one for one in missing}


def _show(draft, names):
    """Replace each `attachment://` reference with the URL of the file."""
    for index, embed in enumerate(draft.embeds):
        for key, part in embed.items():
            for inner in ("url", "icon_url"):
                if isinstance(part, dict) and str(part.get(inner, "")).startswith("attachment://"):
                    part[inner] = _named(part[inner], names, f"embeds.{index}.{key}.{inner}").url
    for item, key in parts.media_of(draft.components):
        url = item[key]["url"]
        if url.startswith("attachment://"):
            file = _named(url, names, f"components.{key}.url")
            item[key] = file.media()
            if key == "file":
                item |= {"name": file.filename, "size": len(file.data)}
        else:
            item[key] = {"id": "0", "proxy_url": url} | item[key]
        item.setdefault("spoiler", False)
        if key == "media":
            item.setdefault("description", None)
    _complete(parts.numbered(draft.components))


def _complete(components):
    """Fill in the default values that Discord always includes."""
    usual = {
        parts.CONTAINER: {"accent_color": None, "spoiler": False},
        parts.SEPARATOR: {"spacing": 1, "divider": True},
        **{kind: {"min_values": 1, "max_values": 1} for kind in parts.SELECTS},
    }
    for one in parts.walk(components):
        for key, value in usual.get(one["type"], {}).items():
            one.setdefault(key, value)


def _named(url, names, where):
    name = url.removeprefix("attachment://")
    if name not in names:
        raise bad(where, NO_FILE, f"The referenced attachment {name} was not found")
    return names[name]
