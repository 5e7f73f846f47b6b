"""Telegram's HTML, and the entities that it detects in a text. Lengths and offsets are in UTF-16 code units, as in the Bot API."""

import re
from html import unescape

from tests.emulators.telegram.errors import Refusal

STYLES = {
    **{"b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline", "s": "strikethrough"},
    **{"strike": "strikethrough", "del": "strikethrough", "tg-spoiler": "spoiler", "span": "spoiler", "code": "code", "pre": "pre"},
    **{"a": "text_link", "blockquote": "blockquote", "tg-emoji": "custom_emoji"},
}
MOST_ENTITIES = 100
# The entities that Telegram knows; any other stays as it is written.
NAMED = re.compile(r"&(?:lt|gt|amp|quot|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});")
ATTRIBUTE = re.compile(r"""\s+([^\s=>/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"'][^\s>]*)))?""")
FOUND = (
    ("url", re.compile(r"(?<![\w@.])(?:https?://[^\s<>\"]+[^\s<>\".,;:!?)]|(?:[a-z0-9-]+\.)+(?:com|org|net|io|me|dev)\b(?:/\S*)?)", re.I)),
    ("email", re.compile(r"(?<![\w.])[\w.+-]+@[\w-]+\.\w{2,}")),
    ("bot_command", re.compile(r"(?<![\w/@<])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/])")),
    ("mention", re.compile(r"(?<![\w@/.])@[A-Za-z][A-Za-z0-9_]{3,31}(?!\w)")),
    ("hashtag", re.compile(r"(?<![\w#/])#\w*[^\W\d]\w*")),
)
# Entities in which no others are detected.
CLOSED = ("code", "pre", "text_link", "text_mention", "url", "email")


def units(text):
    """Return the length of a text in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def formatted(raw, parse_mode=None, given=None, users=None):
    """Return (text, entities) of a sent text; `users` are those that `tg://user?id=` can refer to."""
    if len(raw.encode()) > 32 * 1024:
        raise Refusal("message is too long")
    mode = (parse_mode or "").lower()
    if mode == "html":
        text, entities = _Html(raw, users or {}).parsed()
    elif mode.startswith("markdown"):
        raise Refusal("can't parse entities: Markdown is not emulated, send HTML or entities")
    elif mode:
        raise Refusal("unsupported parse_mode")
    else:
        text, entities = raw, _given(raw, given or [])
    return _trimmed(text, entities)


def _given(text, entities):
    kept = []
    for one in entities:
        if one["offset"] < 0 or one["length"] < 0 or one["offset"] + one["length"] > units(text):
            last = units(text)
            raise Refusal(f"entity beginning at UTF-16 offset {one['offset']} ends after the end of the text at UTF-16 offset {last}")
        if one["type"] not in dict(FOUND):  # Telegram detects these itself
            kept.append(dict(one))
    return kept


def _trimmed(text, entities):
    """Strip white space from both ends, and add the detected entities."""
    text = text.rstrip()
    lead = len(text) - len(text.lstrip())
    text, lost = text[lead:], units(text[:lead])
    kept, last = [], units(text)
    for one in entities:
        begin, end = max(0, one["offset"] - lost), min(last, one["offset"] - lost + one["length"])
        if begin < end:
            kept.append(one | {"offset": begin, "length": end - begin})
    kept = kept[:MOST_ENTITIES]
    kept += detected(text, kept)
    return text, sorted(kept, key=lambda one: (one["offset"], -one["length"]))


def detected(text, entities=()):
    """Return the entities that Telegram detects in a text: links, commands, mentions and hashtags."""
    taken = [(one["offset"], one["offset"] + one["length"]) for one in entities if one["type"] in CLOSED]
    found = []
    for kind, pattern in FOUND:
        for match in pattern.finditer(text):
            begin = units(text[: match.start()])
            end = begin + units(match[0])
            if all(end <= low or begin >= high for low, high in taken):
                taken.append((begin, end))
                found.append({"type": kind, "offset": begin, "length": end - begin})
    return sorted(found, key=lambda one: one["offset"])


class _Html:
    """A text in Telegram's HTML."""

    def __init__(self, raw, users):
        self.raw, self.users = raw, users
        self.text, self.length = [], 0
        self.entities, self.open = [], []

    def parsed(self):
        """Return the text and its entities."""
        at = 0
        while at < len(self.raw):
            if self.raw.startswith("</", at):
                at = self._ended(at)
            elif self.raw[at] == "<":
                at = self._started(at)
            elif match := NAMED.match(self.raw, at):
                self._add(unescape(match[0]))
                at = match.end()
            else:
                self._add(self.raw[at])
                at += 1
        if self.open:
            raise self._broken(f'Can\'t find end tag corresponding to start tag "{self.open[-1][0]}"')
        return "".join(self.text), sorted(self.entities, key=lambda one: (one["offset"], -one["length"]))

    def _add(self, text):
        self.text.append(text)
        self.length += units(text)

    def _broken(self, sentence):
        return Refusal(f"can't parse entities: {sentence}")

    def _byte(self, at):
        return len(self.raw[:at].encode())

    def _started(self, at):
        name = re.compile(r"[^\s>]*").match(self.raw, at + 1)
        if name.end() == len(self.raw):
            raise self._broken(f"Unclosed start tag at byte offset {self._byte(at)}")
        tag = name[0].lower()
        if tag not in STYLES:
            raise self._broken(f'Unsupported start tag "{tag}" at byte offset {self._byte(at)}')
        end, given = name.end(), {}
        while match := ATTRIBUTE.match(self.raw, end):
            given[match[1].lower()] = unescape(match[2] or match[3] or match[4] or "")
            end = match.end()
        end = re.compile(r"\s*").match(self.raw, end).end()
        if self.raw[end : end + 1] != ">":
            raise self._broken(f"Unclosed start tag at byte offset {self._byte(at)}")
        if tag == "span" and given.get("class") != "tg-spoiler":
            raise self._broken(f'Tag "span" must have class "tg-spoiler" at byte offset {self._byte(at)}')
        self.open.append((tag, given, self.length, len(self.text)))
        return end + 1

    def _ended(self, at):
        if not self.open:
            raise self._broken(f"Unexpected end tag at byte offset {self._byte(at)}")
        end = self.raw.find(">", at)
        if end < 0:
            raise self._broken(f"Unclosed end tag at byte offset {self._byte(at)}")
        name, (tag, given, begin, first) = self.raw[at + 2 : end].strip().lower(), self.open.pop()
        if name not in ("", tag):
            raise self._broken(f'Unmatched end tag at byte offset {self._byte(at)}, expected "</{tag}>", found "</{name}>"')
        if self.length > begin:
            self._closed(tag, given, {"offset": begin, "length": self.length - begin}, "".join(self.text[first:]))
        return end + 1

    def _closed(self, tag, given, channel, covered):
        language = given.get("class", "").removeprefix("language-") if given.get("class", "").startswith("language-") else ""
        if tag == "code" and language and self.open and self.open[-1][0] == "pre":
            self.open[-1][1]["class"] = f"language-{language}"  # the enclosing block has the language
            return
        entity = {"type": STYLES[tag], **channel}
        if tag == "pre" and language:
            entity["language"] = language
        if tag == "blockquote" and "expandable" in given:
            entity["type"] = "expandable_blockquote"
        if tag == "tg-emoji":
            entity["custom_emoji_id"] = given.get("emoji-id", "")
        if tag == "a" and not self._linked(entity, given.get("href") or covered):
            return
        self.entities.append(entity)

    def _linked(self, entity, address):
        """Set the target of a link entity; return whether the address is valid."""
        if match := re.fullmatch(r"tg://user\?id=(\d+)", address):
            user = self.users.get(int(match[1]))
            entity |= {"type": "text_mention", "user": user.payload()} if user else {}
            return user is not None
        if "." not in address and "://" not in address:
            return False
        entity["url"] = address if "://" in address else f"http://{address}/"
        return True
