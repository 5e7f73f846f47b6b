"""Removes secrets from logs, no matter which library wrote them, and characters that would disguise one line as another."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from urllib.parse import unquote

#: The replacement for a secret.
MASK = "***"

#: Settings from the environment that hold secrets are known by their names.
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|KEY|URL", re.IGNORECASE)

#: The password in an address.
_PASSWORD = re.compile(r"://[^\s:/@]*:(\S+)@")

#: Shorter ones would take words out of sentences that have nothing to do with them.
_LEAST = 8

_NAMED = (
    r"((?:pass(?:word|wd|phrase)?|pwd|secret|token|api_?key|access_?key|private_?key|credentials?|signature)s?(?:[_-](?:key|id|value))?"
)

#: What secrets look like; where a pattern has a group, that stays. None of them takes long, whatever it is shown: repeats have bounds.
_PATTERNS = (
    # Addresses with a password, or with a token in the place of a name.
    (r"(://[^\s:/@\"'<>]{0,200}:)[^\s\"'<>]{1,500}(?=@)", re.IGNORECASE),
    (r"(://)[^\s:/@\"'<>]{1,500}(?=@)", re.IGNORECASE),
    # Telegram: bot123456:AA…, also in the middle of an address.
    (r"((?:bot)?)(?<!\d)\d{5,20}:[\w-]{30,}", 0),
    # Discord: an id in base64, a time, and a signature; and what its webhooks and interactions are called by.
    (r"()(?<![\w-])[\w-]{18,40}\.[\w-]{5,8}\.[\w-]{25,}", 0),
    (r"()(?<![\w-])mfa\.[\w-]{20,}", 0),
    (r"(/(?:webhooks|interactions)/\d{1,30}/)[\w-]{20,}", 0),
    # Headers.
    (r"(authorization[\"']?\s?[:=,]\s?(?:b(?=[\"']))?[\"']?(?:(?:bearer|bot|basic|digest)\s)?)[^\s\"',;]+", re.IGNORECASE),
    (r"(\b(?:bearer|bot)\s)(?=[\w.~+/=-]{0,500}\d)[\w.~+/=-]{16,}", re.IGNORECASE),
    (r"(cookie[\"']?\s?[:=,]\s?(?:b(?=[\"']))?[\"']?)[^\"'\r\n]+", re.IGNORECASE),
    # Keys of stores, and of hubs for models.
    (r"()(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])", 0),
    (r"()(?<!\w)hf_[A-Za-z0-9]{20,}", 0),
    # Whatever is called a secret by who wrote it, in quotes or without.
    (_NAMED + r"[\"']?\s?[:=]\s?b?\")[^\"]{1,2000}(?=\")", re.IGNORECASE),
    (_NAMED + r"[\"']?\s?[:=]\s?b?')[^']{1,2000}(?=')", re.IGNORECASE),
    (_NAMED + r"[\"']?\s?[:=]\s?)(?!b?[\"'])[^\s\"'&,;)}\]]+", re.IGNORECASE),
    # Easel's own: 24 bytes of chance, which are hardly ever without capitals or without small letters.
    (r"()(?<![\w-])(?=[\w-]{0,31}[A-Z])(?=[\w-]{0,31}[a-z])[\w-]{32}(?![\w-])", 0),
)


@cache
def _compiled() -> tuple[re.Pattern[str], ...]:
    """Return the patterns, made when the first line is written: a start writes none."""
    return tuple(re.compile(pattern, flags) for pattern, flags in _PATTERNS)


def secrets_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the secret values of Easel's settings in the environment."""
    return tuple(value for name, value in environment.items() if name.upper().startswith("EASEL__") and _SECRET_NAME.search(name))


class Redaction:
    """Masks text that looks like a secret, and the `known` secrets; of an address only its password."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        # The longest first: one may be a part of another.
        secrets = sorted({secret for one in known for secret in _secrets(one) if len(secret) >= _LEAST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, secrets))) if secrets else None

    def masked(self, text: str) -> str:
        """Return a text without secrets."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        for pattern in _compiled():
            text = pattern.sub(rf"\1{MASK}", text)
        return text

    def line(self, text: str) -> str:
        """Return a text without secrets as what can only be one line: signs that nobody sees are spelled out."""
        return spelled(self.masked(text))

    def trace(self, text: str) -> str:
        """Return a trace without secrets. Each of its lines is marked as a part of it, for what people wrote may stand there too."""
        return "\n".join(f"  | {spelled(line)}" for line in self.masked(text).split("\n"))


def spelled(text: str) -> str:
    """Return a text in which every sign can be seen: what moves a cursor, or turns the writing around, is spelled out."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _secrets(value: str) -> tuple[str, ...]:
    if "://" not in value:
        # A folder is no secret, and its name stands in many lines.
        return () if "/" in value else (value,)
    return tuple(found for password in _PASSWORD.findall(value) for found in (password, unquote(password)))
