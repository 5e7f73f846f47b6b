"""Logging: one structured line per event to standard error, and a file for the trace of an unexpected error.

All output is free of secrets, no matter which code wrote it, and a line names its job and user.
"""

import base64
import copy
import logging
import os
import re
import secrets
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.observability.redaction import Redaction, secrets_of
from bot.config import Log
from bot.core.values import LOG_CONTEXT

if TYPE_CHECKING:
    from structlog.types import EventDict

#: How our own lines are written: what happened, then its fields.
_EVENT = re.compile(r"(?P<event>[a-z_]+\.[a-z_]+)(?P<fields>(?: [a-z_]+=%s)+)")

#: Libraries that tell everything they do, with the secrets and the words that they do it with.
_TALKATIVE = ("aiosqlite", "discord.http", "discord.gateway", "hpack", "httpcore", "httpcore2", "httpx", "httpx2", "telegram", "PIL")


class _Lines(logging.Formatter):
    """Writes records as structlog does.

    The library is imported with the first line there is: a start has none to write, and no time to lose.
    """

    def __init__(self, log: Log, redaction: Redaction) -> None:
        super().__init__()
        self._is_json = log.format == "json"
        self._redaction = redaction
        self._made: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line."""
        if self._made is None:
            self._made = self._make()
        # The message is made of them, and then they are gone. The record itself belongs to others too.
        own = copy.copy(record)
        own.said = _said(record)
        # Once more at the end: what is no text becomes one only there.
        return self._redaction.masked(self._made.format(own))

    def _make(self) -> logging.Formatter:
        import structlog

        plain = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        return structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=(
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _with_fields,
            ),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                self._clean,
                structlog.processors.JSONRenderer() if self._is_json else plain,
            ],
        )

    def _clean(self, _logger: object, _name: str, line: "EventDict") -> "EventDict":
        """Take secrets out of everything in a line, and make it one."""
        for name, value in line.items():
            if isinstance(value, str):
                # In JSON a trace is one line anyway.
                is_trace = name in ("exception", "stack")
                line[name] = (
                    self._redaction.trace(value)
                    if is_trace and not self._is_json
                    else self._redaction.masked(value)
                    if is_trace
                    else self._redaction.line(value)
                )
        return line


def _with_fields(_logger: object, _name: str, line: "EventDict") -> "EventDict":
    """Make fields of what our own lines say, and add which job and person the line is about."""
    event, fields = line["_record"].said
    if event:
        line["event"] = event
        line.update(fields)
    for name, value in LOG_CONTEXT.get():
        line.setdefault(name, value)
    return line


def _said(record: logging.LogRecord) -> tuple[str, dict[str, object]]:
    """Return the event and the fields of one of our own lines; nothing of those of libraries, which are sentences."""
    found = _EVENT.fullmatch(record.msg) if isinstance(record.msg, str) else None
    if found is None or not isinstance(record.args, tuple):
        return "", {}
    names = [field.partition("=")[0] for field in found["fields"].split()]
    # One that was given too little, or too much, is told as a mistake when its message is made.
    return found["event"], dict(zip(names, map(_plain, record.args), strict=False))


def _plain(value: object) -> Any:
    return value if isinstance(value, int | float | None) else str(value)


class _ToStandardError(logging.StreamHandler[Any]):
    """Writes lines. One that cannot be written is told of without what was to be in it."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Say where the line was to come from: Python would show everything that it was to be made of."""
        print(f"log.broken logger={record.name} file={record.filename} line={record.lineno}", file=sys.stderr)


def set_up(log: Log, known: tuple[str, ...] = ()) -> None:
    """Send every logger, ours and the libraries', to standard error in one form, without secrets: those `known` least of all."""
    global _redaction
    _redaction = Redaction((*known, *secrets_of(os.environ)))
    handler = _ToStandardError(sys.stderr)
    handler.setFormatter(_Lines(log, _redaction))
    logging.basicConfig(handlers=[handler], level=log.level.upper(), force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


#: What incidents are cleaned by, also before the configuration could be read.
_redaction = Redaction()


def incident(error: BaseException) -> Path:
    """Keep the trace of an error that nobody foresaw in a file of its own and return it; its name is the incident's code.

    The terminal stays free of it unless `[log] level` is debug: most people can do nothing with a trace but be frightened.
    """
    code = base64.b32encode(secrets.token_bytes(5)).decode()
    path = Path(tempfile.gettempdir()) / f"easel-{code}.log"
    trace = _redaction.masked("".join(traceback.format_exception(error)))
    # Everybody may look into that folder, and a trace can name what is nobody else's business.
    path.touch(mode=0o600)
    path.write_text(trace, encoding="utf-8")
    logging.getLogger("easel").debug("easel.incident incident=%s", code, exc_info=error)
    return path
