"""Send updates to the bot: one after the other in each chat, and repeatedly until the bot accepts them."""

import asyncio
import contextlib
import time

import aiohttp

from tests.emulators.telegram.errors import Refusal

HEADER = "X-Telegram-Bot-Api-Secret-Token"


class Webhook:
    """The webhook of the bot, if it has set one."""

    def __init__(self, telegram, updates):
        self.telegram, self.updates = telegram, updates
        self.url, self.secret, self.most = "", None, 40
        self.error, self.failed_at = None, None
        self._bell, self._running = asyncio.Event(), None
        self._busy, self._tasks, self._again = {}, set(), []

    def set(self, url, secret, most):
        """Send all updates to this URL from now on; an empty URL removes the webhook."""
        self.url, self.secret, self.most = url, secret, most
        self.error = self.failed_at = None
        if url and self._running is None:
            self._running = asyncio.create_task(self._run())
        self.ring()

    def ring(self):
        """Check for updates to send."""
        self._bell.set()

    async def stop(self):
        """Stop sending until the webhook is set or resumed."""
        running, self._running = self._running, None
        for task in (*self._tasks, running):
            if task:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        self._busy.clear()

    def resume(self):
        """Resume after a stop."""
        if self.url and self._running is None:
            self._running = asyncio.create_task(self._run())

    def payload(self):
        """Return the result of getWebhookInfo."""
        told = {"url": self.url, "has_custom_certificate": False, "pending_update_count": len(self.updates.waiting)}
        if self.url:
            told |= {"max_connections": self.most, "ip_address": "127.0.0.1"}
        if self.error:
            told |= {"last_error_date": self.failed_at, "last_error_message": self.error}
        return told | ({"allowed_updates": self.updates.allowed} if self.updates.allowed else {})

    async def _run(self):
        limit = aiohttp.ClientTimeout(total=self.telegram.webhook_seconds)
        async with aiohttp.ClientSession(timeout=limit) as session:
            while True:
                self._bell.clear()
                self._begin(session)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._bell.wait(), 0.05 if self._busy else 1.0)

    def _begin(self, session):
        """Start sending the next update of each chat, up to the maximum number of connections."""
        self._again += self.updates.take_again() if self.url else []
        for update in [*self._again, *self.updates.waiting] if self.url else ():
            if len(self._tasks) >= self.most:
                return
            if self._busy.get(update.key, 0.0) < time.monotonic():
                self._busy[update.key] = float("inf")
                task = asyncio.create_task(self._send(session, update))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _send(self, session, update):
        try:
            self.error = await self._posted(session, update)
        except (aiohttp.ClientError, TimeoutError) as failed:
            self.error = "Connection refused" if isinstance(failed, aiohttp.ClientConnectorError) else str(failed) or "Connection timed out"
        if self.error:
            self.failed_at = self.telegram.now()
            self._busy[update.key] = time.monotonic() + self.telegram.webhook_retry_seconds
        else:
            update.is_confirmed = True
            self._again = [one for one in self._again if one is not update]
            del self._busy[update.key]
            self.ring()
        self.telegram.changed()

    async def _posted(self, session, update):
        """Send an update; return an error description, or None."""
        headers = {HEADER: self.secret} if self.secret else {}
        update.times += 1
        async with session.post(self.url, json=update.payload(), headers=headers) as answer:
            if not 200 <= answer.status < 300:
                return f"Wrong response from the webhook: {answer.status} {answer.reason}"
            body = await answer.json() if answer.content_type == "application/json" else None
        if isinstance(body, dict) and "method" in body:
            await self.telegram.api.perform(body.pop("method"), body)
        return None


def check_address(telegram, url):
    """Refuse a URL that Telegram would not send updates to."""
    scheme, _, rest = url.partition("://")
    if telegram.https_only and scheme != "https":
        raise Refusal("bad webhook: An HTTPS URL must be provided for webhook")
    if scheme not in ("http", "https") or not rest:
        raise Refusal("invalid webhook URL specified")
    port = rest.partition("/")[0].rpartition(":")[2] if ":" in rest.partition("/")[0] else "443"
    if telegram.https_only and port not in ("80", "88", "443", "8443"):
        raise Refusal("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
