"""The webhook to which Telegram sends updates: all other senders are rejected, and updates are stored before they are confirmed."""

import hmac
import json

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.telegram.update_inbox import UpdateInbox

#: More bytes than any update has.
_MOST_BYTES = 1_000_000

#: The header with the secret.
_HEADER = "X-Telegram-Bot-Api-Secret-Token"

_GRACE_SECONDS = 3


def door(inbox_updates: UpdateInbox, secret: str, path: str) -> uvicorn.Config:
    """Return a server for one path, to which only senders with the secret may post. All others learn nothing."""

    async def knock(request: Request) -> Response:
        # The library's comparison takes a time that reveals how much of the secret is right, and logs the wrong secret.
        if not hmac.compare_digest(request.headers.get(_HEADER, "").encode(), secret.encode()):
            return Response(status_code=403)
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > _MOST_BYTES:
                return Response(status_code=413)
        try:
            number = int(json.loads(body)["update_id"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return Response(status_code=400)
        await inbox_updates.take([(str(number), bytes(body))])
        return Response(status_code=200)

    site = Starlette(routes=[Route(path or "/", knock, methods=["POST"])])
    return uvicorn.Config(
        site,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
