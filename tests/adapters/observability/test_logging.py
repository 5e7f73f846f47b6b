"""The log: no secret is written, no line can be forged, and each record has its context."""

import contextvars
import io
import json
import logging
import re
import sys
import time

import pytest

from adapters.observability import logging as logs
from adapters.observability.redaction import Redaction
from bot.config import Log
from bot.core.values import log_context

TELEGRAM = "123456789:AAF-x7Kq0pLmN3vB9cZ2wQ5rT8yU1iO4aS6"
DISCORD = "MTA2ODQ5NzIxMDU0Mzk4NzY1NA.GxYz12.aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5zA"
INTERACTION = "aW50ZXJhY3Rpb246MTIzNDU2Nzg5MDEyMzQ1Njc4OkFiQ2RFZkdo"
EASEL = "k3Xv_9Qm-PzR7tLw2YbN5cHs8DfGj1Ka"
PASSWORD = "correct-horse-battery"
SECRETS = (TELEGRAM, DISCORD, INTERACTION, EASEL, PASSWORD)

#: Lines as libraries write them, each with a secret.
PLANTED = [
    f'HTTP Request: POST https://api.telegram.org/bot{TELEGRAM}/getUpdates "HTTP/1.1 200 OK"',
    f"telegram.error.InvalidToken: The token `{TELEGRAM}` was rejected by the server.",
    f"file https://api.telegram.org/file/bot{TELEGRAM}/photos/file_1.jpg",
    f"logging in using static token {DISCORD}",
    f"{{'authorization': 'Bot {DISCORD}', 'user-agent': 'x'}}",
    f"PATCH https://discord.com/api/v10/webhooks/123456789012345678/{INTERACTION}/messages/@original",
    f"POST https://discord.com/api/v10/interactions/123456789012345678/{INTERACTION}/callback",
    f"connect postgresql+psycopg://easel:{PASSWORD}@db.example/easel?sslmode=require",
    f"connect redis://:{PASSWORD}@cache:6379/0",
    f"git clone https://{PASSWORD}@example.com/x.git",
    f"connection failed: host=db user=easel password={PASSWORD} dbname=easel",
    f"{{'user': 'easel', 'password': '{PASSWORD} and more', 'port': 5432}}",
    f'{{"secret": "{PASSWORD}", "key": 1}}',
    f"s3fs: access_key={PASSWORD}&secret_key={PASSWORD}",
    f"Cookie: easel={EASEL}; other=1",
    f"(b'cookie', b'easel={EASEL}')",
    f"set-cookie: easel={EASEL}; HttpOnly; Path=/",
    f"Authorization: Bearer {EASEL}",
    f"authorization=Basic {PASSWORD}",
    f"GET /login?token={EASEL}&next=/",
    f"token for Ada is {EASEL}.",
    f"wrong webhook secret: {PASSWORD}",
    f"{TELEGRAM} {DISCORD} {EASEL}",
]


@pytest.fixture
def log(monkeypatch):
    """Yield a function that sets up logging and returns the output; afterwards everything is restored."""
    root, levels = logging.getLogger(), {name: logging.getLogger(name).level for name in logs._TALKATIVE}
    handlers, level = root.handlers[:], root.level

    def begin(format="text", level="debug", known=()):
        written = io.StringIO()
        monkeypatch.setattr(sys, "stderr", written)
        logs.set_up(Log(level=level, format=format), known)
        return written

    yield begin
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    logs._redaction = Redaction()


def without(written):
    """Return the output, and assert that it contains no secret."""
    text = written.getvalue()
    assert not [secret for secret in SECRETS if secret in text]
    return text


@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize("line", PLANTED)
def test_no_secret_is_written(log, format, line):
    """Tokens, passwords and cookies in log records of libraries are masked in message, field, argument and extra."""
    written, logger = log(format), logging.getLogger("some.library")
    logger.debug(line)
    logger.info("%s and %r", line, line)
    logger.warning("lib.event given=%s", line)
    logger.error("with more", extra={"given": line})
    logger.info({"given": line})
    assert without(written).count("\n") == 5


@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize("line", PLANTED)
def test_no_secret_is_in_a_trace(log, format, line):
    """Secrets are masked in tracebacks: in the message of an error, in that of its cause, and in the line of code."""
    written = log(format)
    try:
        try:
            raise ValueError(line)
        except ValueError as error:
            raise RuntimeError(f"because of {line}") from error
    except RuntimeError:
        logging.getLogger("easel.web").exception("web.failed incident=%s", "abc", stack_info=True)
    text = without(written)
    assert "RuntimeError" in text
    assert "Traceback" in text


@pytest.mark.parametrize("line", PLANTED)
def test_no_secret_is_in_an_incident(log, line, tmp_path, monkeypatch):
    """Secrets are masked in the file of an incident, which users send to others."""
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    written = log(level="warning")
    try:
        raise ValueError(line)
    except ValueError as error:
        file = logs.incident(error)
    assert "ValueError" in file.read_text()
    assert not [secret for secret in SECRETS if secret in file.read_text()]
    assert written.getvalue() == ""


def test_known_secrets_are_masked_wherever_they_stand(log, monkeypatch):
    """Known secrets from configuration and environment are masked even if they look like ordinary text."""
    monkeypatch.setenv("EASEL__DISCORD__TOKEN", "plain words here")
    monkeypatch.setenv("EASEL__STORE__URL", "postgresql+psycopg://ann:open%20sesame@host/easel")
    monkeypatch.setenv("EASEL__FILES__URL", "data/pictures")
    written = log(known=("mellon-mellon", "", "abc"))
    logging.getLogger("x").info("he said plain words here, open sesame and open%20sesame, mellon-mellon; abc in data/pictures")
    text = written.getvalue()
    assert not re.search("plain words|sesame|mellon", text)
    assert "abc in data/pictures" in text


def test_what_is_no_secret_stays(log):
    """Ids, file keys, source locations and ordinary words are not masked."""
    lines = [
        "job.failed job=9fQ2xLmN7pRtVw0a attempt=1 reason=memory-spent",
        "file.unkept file=" + "0123456789abcdef" * 4 + ".png reason=[Errno 28] No space left on device",
        "web.failed method=GET path=/files/0a0b0c incident=9fQ2xLmN7pRtVw0a",
        "the bot paints at http://127.0.0.1:8000/ and https://easel.example/x@y",
        "worker.lost device=cuda:0 restarts=12345 at 12:34:56",
        "test_changing_a_table_loses_nothing_that_refers_to_it",
    ]
    written = log()
    for line in lines:
        logging.getLogger("x").info(line)
    assert "***" not in written.getvalue()


FORGED = "a cat\r\n2026-11-21T00:00:00Z [error    ] forged.line\x1b[2K\x1b[31m\u202e\u2028\x00\x85end"


@pytest.mark.parametrize("format", ["text", "json"])
def test_no_line_can_be_forged(log, format):
    """Line breaks, terminal codes and characters that reverse the text direction are escaped in messages, fields and tracebacks."""
    written, logger = log(format), logging.getLogger("x")
    logger.info(FORGED)
    logger.info("some.event given=%s", FORGED)
    try:
        raise ValueError(FORGED)
    except ValueError:
        logger.exception("some.failure")
    text = written.getvalue()
    assert not [sign for sign in text if sign != "\n" and not sign.isprintable()]
    assert not [line for line in text.splitlines() if line.startswith("2026-11-21T00:00:00Z")]


def test_lines_have_fields(log):
    """In JSON, the values of our log records are separate fields with their types, and the event is only the name."""
    written = log("json")
    logging.getLogger("easel.jobs").warning("job.failed job=%s attempt=%s reason=%s", "j-1", 2, "it said a=b c=d")
    line = json.loads(written.getvalue())
    assert line | {"timestamp": ""} == {
        "event": "job.failed",
        "job": "j-1",
        "attempt": 2,
        "reason": "it said a=b c=d",
        "level": "warning",
        "logger": "easel.jobs",
        "timestamp": "",
    }


@pytest.mark.parametrize("format", ["text", "json"])
def test_lines_say_whose_job_they_are_about(log, format):
    """All log records in the context of a job have its job and user, including records of libraries."""
    written = log(format)

    def working():
        log_context("j-1", "p-1")
        logging.getLogger("easel.files").error("file.unkept file=%s reason=%s", "x", "disk full")
        logging.getLogger("some.library").info("hello")

    contextvars.copy_context().run(working)
    logging.getLogger("easel.main").info("main.stopping")
    first, second, last = written.getvalue().splitlines()
    assert all("j-1" in line and "p-1" in line for line in (first, second))
    assert "j-1" not in last


def test_a_line_that_cannot_be_written_tells_nothing(log):
    """A broken log call reports its location, but not the values."""
    written = log()
    logging.getLogger("x").info("%d", PASSWORD)
    assert without(written).startswith("log.broken logger=x file=test_logging.py line=")
    assert "Traceback" not in written.getvalue()


def test_talkative_libraries_are_quiet(log):
    """Step-by-step records of libraries are dropped even at debug, because they contain URLs with tokens, and prompts."""
    written = log()
    for name in ("httpx", "telegram.ext.Updater", "aiosqlite"):
        logging.getLogger(name).info("request")
    logging.getLogger("telegram").warning("telegram is away")
    assert written.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    "piece", ["://:", "bot1", "1", "token=", "token='", "a.", "cookie", "bearer ", "A" * 31, "-", "://a:b@", "AKIA", "hf_"]
)
def test_masking_is_quick(piece):
    """Masking takes little time even for 100,000 characters of the worst kind."""
    text = piece * (100_000 // len(piece))
    began = time.perf_counter()
    Redaction(("a known secret",)).line(text)
    assert time.perf_counter() - began < 5.0


def test_a_start_writes_no_line():
    """Startup neither imports the logging library nor compiles the patterns of secrets; the first record does."""
    import subprocess

    code = (
        "import sys; from adapters.observability import logging, redaction; from bot.config import Log; logging.set_up(Log());"
        "print('structlog' in sys.modules, redaction._compiled.cache_info().currsize)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout == "False 0\n"
