"""Logging: one structured line per event to standard error, and a place for the trace of what nobody foresaw."""

import base64
import logging
import secrets
import sys
import tempfile
import traceback
from pathlib import Path

import structlog

from bot.config import Log

_BEFORE = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def set_up(log: Log) -> None:
    """Send every logger, ours and the libraries', to standard error in one form."""
    renderer = structlog.processors.JSONRenderer() if log.format == "json" else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_BEFORE,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=log.level.upper(), force=True)
    structlog.configure(
        processors=[*_BEFORE, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def incident(error: BaseException) -> Path:
    """Keep the trace of an error that nobody foresaw in a file of its own and return it; its name is the incident's code.

    The terminal stays free of it unless `[log] level` is debug: most people can do nothing with a trace but be frightened.
    """
    code = base64.b32encode(secrets.token_bytes(5)).decode()
    path = Path(tempfile.gettempdir()) / f"easel-{code}.log"
    trace = "".join(traceback.format_exception(error))
    path.write_text(trace, encoding="utf-8")
    logging.getLogger("easel").debug("incident %s\n%s", code, trace)
    return path
