"""An emulated Discord: the gateway, the routes and the attachments that a bot needs, over real sockets, with Discord's refusals.

It knows Discord's rules and nothing of the bot that is tested. Tests play the persons; see `server.Discord` and `person.Person`.
"""

from tests.emulators.discord.messages import Message
from tests.emulators.discord.person import Person
from tests.emulators.discord.routing import Request
from tests.emulators.discord.server import Discord
from tests.emulators.discord.uses import Use
from tests.emulators.discord.world import Channel, Guild

__all__ = ["Channel", "Discord", "Guild", "Message", "Person", "Request", "Use"]
