"""Logging: one structured line per event to standard error, and a place for the trace of what nobody foresaw."""

import base64
import logging
import secrets
import sys
import tempfile
import traceback
from pathlib import Path

from bot.config import Log


class _Lines(logging.Formatter):
    """Writes records as structlog does.

    The library is imported with the first line there is: a start has none to write, and no time to lose.
    """

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._is_json = log.format == "json"
        self._made: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as a line."""
        if self._made is None:
            self._made = self._make()
        return self._made.format(record)

    def _make(self) -> logging.Formatter:
        import structlog

        renderer = structlog.processors.JSONRenderer() if self._is_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        return structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=(
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )


def set_up(log: Log) -> None:
    """Send every logger, ours and the libraries', to standard error in one form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(log))
    logging.basicConfig(handlers=[handler], level=log.level.upper(), force=True)


def incident(error: BaseException) -> Path:
    """Keep the trace of an error that nobody foresaw in a file of its own and return it; its name is the incident's code.

    The terminal stays free of it unless `[log] level` is debug: most people can do nothing with a trace but be frightened.
    """
    code = base64.b32encode(secrets.token_bytes(5)).decode()
    path = Path(tempfile.gettempdir()) / f"easel-{code}.log"
    trace = "".join(traceback.format_exception(error))
    # Everybody may look into that folder, and a trace can name what is nobody else's business.
    path.touch(mode=0o600)
    path.write_text(trace, encoding="utf-8")
    logging.getLogger("easel").debug("incident %s\n%s", code, trace)
    return path
