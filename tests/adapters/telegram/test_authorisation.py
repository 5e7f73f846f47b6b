"""Authorisation on Telegram: every command as a message and as a button, by members of a group, strangers and deleted users."""

import asyncio

import pytest
from msgspec.structs import replace

from bot.core.values import MessageRef, UserRef
from bot.store.users.users import OPERATOR
from tests.adapters.telegram.chat import open_chat
from tests.bot.test_authorisation import MATRIX, ROLES, given_to, is_let
from tests.emulators.telegram.messages import Draft
from tests.stores import accepted, done, linked, on_board, painted, png, some

#: A user has the same id everywhere on Telegram, while a twin is a user of another platform.
HERE = tuple(role for role in ROLES if role != "twin")

#: A stranger acts in their own chat, where they may change some settings.
OWN = {"digest": frozenset({"stranger"})}


class Case:
    """A group in which a user has a picture and a queued job, and the user who tries to act on them."""

    def __init__(self, chat, role):
        self.chat, self.role = chat, role
        self.owner, self.other = chat.telegram.user("owner"), chat.telegram.user("other")
        self.group = chat.telegram.supergroup("Studio", self.owner)
        self.tries = self.owner if role in ("owner", "forgotten") else self.other
        self.channel = self.other.dm() if role == "stranger" else self.group
        if role == "moderator":
            self.group.add(self.other, "administrator")
        elif role in ("member", "operator"):
            self.group.add(self.other)

    async def user(self, who):
        """Return the stored user of a Telegram user."""
        return await self.chat.store.people.user(UserRef("telegram", str(who.id), who.name))

    async def things(self):
        """Return the ids of the owner's objects in the group."""
        owner = await self.user(self.owner)
        where = {"channel": str(self.group.id), "platform": "telegram"}
        file = await self.chat.store.files.put(png())
        made = replace(painted(file=file, thumbnail=file), width=64, height=64)
        (picture,) = await done(self.chat.store, owner.id, pictures=[made], params='{"prompt": "a red circle"}', **where)
        waiting = await accepted(self.chat.store, owner.id, **where)
        await linked(self.chat.store, MessageRef("telegram", str(self.group.id)))
        preset, code = await on_board(self.chat.store, owner.id, MessageRef("telegram", str(self.group.id)))
        if self.role == "operator":
            await self.chat.store.people.appoint((await self.user(self.other)).id, role=OPERATOR)
        if self.role == "forgotten":
            await self.chat.store.rights.forget(owner.id)
        return {"done": picture.job, "picture": picture.id, "waiting": waiting.id, "owner": owner.id, "preset": preset, "code": code}

    async def is_let_say(self, command, given):
        """Return whether a command is allowed as a message."""
        line = " ".join([f"/{command}@{self.chat.telegram.bot.username}", *(f"--{name} {value}" for name, value in given.items())])
        return await self._is_let("handle", lambda: self.tries.say(self.channel, line))

    async def is_let_press(self, wire):
        """Return whether a command is allowed as a button."""
        draft = Draft(text="Copied", reply_markup={"inline_keyboard": [[{"text": "Copied", "callback_data": wire}]]})
        self.tries.dm().is_started = True
        message = self.chat.telegram.add_message(self.channel, self.chat.telegram.bot, draft)
        return await self._is_let("pressed", lambda: self.tries.press(message, "Copied"))

    async def _is_let(self, name, act):
        app, outcomes = self.chat.adapter._bot.app, []
        real = getattr(app, name)

        async def watched(*args, **more):
            ended = asyncio.ensure_future(real(*args, **more))
            outcomes.append(await is_let(ended))
            return await ended

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(app, name, watched)
            await act()
            await self.chat.telegram.until(lambda: outcomes and not self.chat.telegram.updates_waiting)
        return outcomes[0]


@pytest.mark.parametrize("role", HERE)
async def test_messages_and_buttons(telegram, tmp_path, role):
    """A role that may use a command in a group may use it as a message and as a button, and any other role as neither."""
    async with open_chat(tmp_path, telegram, paints=False) as chat:
        # The whole matrix is tried without a platform in `tests/bot`; here each role tries others of its commands.
        for command, (values, who) in some(MATRIX.items(), len(HERE), HERE.index(role)):
            allowed = who | OWN.get(command, frozenset())
            case = Case(chat, role)
            given = given_to(command, await case.things())
            assert await case.is_let_say(command, given) == (role in allowed), f"/{command} as {role}"
            if values:
                case = Case(chat, role)
                wire = chat.adapter._bot.app.commands[command].wire(**given_to(command, await case.things()))
                assert await case.is_let_press(wire) == (role in allowed), f"the button {command} as {role}"
