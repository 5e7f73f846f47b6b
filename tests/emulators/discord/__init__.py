"""An emulated Discord: the gateway, routes and attachments that a bot needs, over real sockets, with Discord's refusals.

It implements Discord's rules and knows nothing about the bot under test. Tests act as the users; see `server.Discord` and `person.Person`.
"""

from tests.emulators.discord.messages import Message
from tests.emulators.discord.person import Person
from tests.emulators.discord.routing import Request
from tests.emulators.discord.server import Discord
from tests.emulators.discord.uses import Use
from tests.emulators.discord.world import Channel, Guild

__all__ = ["Channel", "Discord", "Guild", "Message", "Person", "Request", "Use"]
