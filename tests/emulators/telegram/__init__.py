"""An emulated Telegram: the Bot API with polling, webhooks and files that a bot needs, over real sockets, with Telegram's refusals.

It implements Telegram's rules and knows nothing of the bot under test. Tests act as the users; see `server.Telegram` and `person.Person`.
"""

from tests.emulators.telegram.faults import Fault
from tests.emulators.telegram.flood import Limits
from tests.emulators.telegram.messages import Message
from tests.emulators.telegram.person import Person
from tests.emulators.telegram.routing import Request
from tests.emulators.telegram.server import Telegram
from tests.emulators.telegram.updates import Update
from tests.emulators.telegram.uses import Press, Query
from tests.emulators.telegram.world import Chat, Topic

__all__ = ["Chat", "Fault", "Limits", "Message", "Person", "Press", "Query", "Request", "Telegram", "Topic", "Update"]
