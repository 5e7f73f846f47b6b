"""Permissions: every command, and every button, for each kind of user."""

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bot.commands import COMMANDS
from bot.core.errors import BadInput, NotAllowed
from bot.core.values import Invocation, MessageRef, UserRef
from bot.store.users.privacy import Privacy
from bot.store.users.users import OPERATOR
from tests.stores import linked, on_board
from tests.talk import PLATFORM, talk

PLACE = "studio"

#: The users who try. The twin has the owner's id on another platform, in a channel of the same name; the forgotten user comes back.
ROLES = ("owner", "member", "stranger", "moderator", "operator", "twin", "forgotten")

EVERYBODY = frozenset(ROLES)
HERE = EVERYBODY - {"stranger", "twin", "forgotten"}
OWNER = frozenset({"owner"})
#: Users who were given a code; for a deleted user nothing exists any more.
TOLD = EVERYBODY - {"forgotten"}
LOOKS_AFTER = frozenset({"owner", "moderator", "operator"})

#: The input of each command, and the users who may run it. `{waiting}`, `{done}` and `{picture}` belong to the owner, in the channel.
MATRIX = {
    "imagine": ({"prompt": "a red circle"}, EVERYBODY),
    "again": ({"job": "{done}"}, HERE),
    "vary": ({"picture": "{picture}"}, HERE),
    "edit": ({"job": "{done}"}, HERE),
    "branch": ({"picture": "{picture}"}, HERE),
    "info": ({"picture": "{picture}"}, HERE),
    "original": ({"picture": "{picture}"}, HERE),
    "delete": ({"picture": "{picture}"}, OWNER),
    "queue": ({}, EVERYBODY),
    "cancel": ({"job": "{waiting}"}, LOOKS_AFTER),
    "move": ({"job": "{waiting}", "way": "first"}, LOOKS_AFTER),
    "retry": ({"job": "{done}"}, OWNER),
    "resend": ({"job": "{done}"}, LOOKS_AFTER),
    "explain": ({"prompt": "a red circle"}, EVERYBODY),
    "history": ({}, EVERYBODY),
    "favourite": ({"picture": "{picture}"}, HERE),
    "compare": ({"pictures": "{picture}"}, HERE),
    "settings": ({"here": "yes", "steps": 9}, frozenset({"moderator", "operator"})),
    "settle": ({"steps": 9}, EVERYBODY),
    "preset_use": ({"preset": "night a circle"}, EVERYBODY),
    "fill": ({"preset": "poster", "slot_1": "a circle"}, EVERYBODY),
    "preset_list": ({}, EVERYBODY),
    "preset_show": ({"preset": "{preset}"}, HERE),
    "preset_save": ({"name": "mine a circle"}, EVERYBODY),
    "preset_keep": ({"picture": "{picture}"}, OWNER),
    "preset_edit": ({"name": "{preset}", "steps": 9}, OWNER),
    "preset_fork": ({"preset": "{preset}", "name": "mine"}, HERE),
    "preset_share": ({"preset": "{preset}"}, OWNER),
    "preset_delete": ({"preset": "{preset}"}, LOOKS_AFTER),
    "preset_export": ({"preset": "{preset}"}, HERE),
    "preset_import": ({"text": '[{{"name": "mine", "prompt": "a circle"}}]'}, EVERYBODY),
    "share": ({"prompt": "a circle"}, EVERYBODY),
    "board": ({}, EVERYBODY),
    "use": ({"code": "{code}"}, TOLD),
    "like": ({"code": "{code}"}, TOLD),
    "keep": ({"code": "{code}", "name": "mine"}, TOLD),
    "report": ({"code": "{code}"}, TOLD),
    "reports": ({}, frozenset({"moderator", "operator"})),
    "dismiss": ({"code": "{code}"}, frozenset({"moderator", "operator"})),
    "pin": ({"code": "{code}"}, frozenset({"moderator", "operator"})),
    "remove": ({"code": "{code}"}, LOOKS_AFTER),
    "digest": ({"switch": "on"}, frozenset({"moderator", "operator"})),
    "rules": ({"most": "steps=30"}, frozenset({"moderator", "operator"})),
    "group_link": ({}, frozenset({"moderator", "operator"})),
    "group_unlink": ({}, frozenset({"moderator", "operator"})),
    "quota": ({}, EVERYBODY),
    "grant": ({"person": "{owner}", "credits": 1}, frozenset({"operator"})),
    "pause": ({"person": "{owner}"}, frozenset({"moderator", "operator"})),
    "resume": ({"person": "{owner}"}, frozenset({"moderator", "operator"})),
    "link": ({}, EVERYBODY),
    # No account waits to be linked with any of them, and each has one account.
    "link_check": ({}, frozenset()),
    "link_join": ({"person": "{owner}"}, frozenset()),
    "link_no": ({}, EVERYBODY),
    "unlink": ({}, frozenset()),
    "me_export": ({}, EVERYBODY),
    "me_forget": ({}, EVERYBODY),
    "forget_me": ({"person": "{owner}", "until": 2**40}, OWNER),
    "help": ({}, EVERYBODY),
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Return a folder with the owner's data, and its ids: every attempt starts from a copy of it."""
    folder = tmp_path_factory.mktemp("scene")

    async def make():
        async with talk(folder) as bot:
            return await things(bot)

    with ThreadPoolExecutor(1) as beside:
        return folder, beside.submit(asyncio.run, make()).result()


@asynccontextmanager
async def trying(scene, role):
    """Return the bot as the owner left it, the ids of the owner's data, and the user who tries, with their channel."""
    made, ids = scene
    with TemporaryDirectory(dir=made.parent) as folder:
        shutil.copytree(made, folder, dirs_exist_ok=True)
        async with talk(Path(folder)) as bot:
            yield bot, ids, await who(bot, role, ids["owner"])


async def things(bot):
    """Return the ids of the owner's data in the channel."""
    done, (picture, *_) = await bot.painted("a red circle --size 64x64", "owner", PLACE)
    waiting = await bot.job(await bot.say("a blue star", "owner", PLACE))
    await linked(bot.store, MessageRef(PLATFORM, PLACE))
    preset, code = await on_board(bot.store, done.user, MessageRef(PLATFORM, PLACE))
    return {"done": done.id, "picture": picture.id, "waiting": waiting.id, "owner": done.user, "preset": preset, "code": code}


async def who(bot, role, owner):
    """Return the user who tries, and their channel."""
    if role == "operator":
        await bot.appointed("operator", role=OPERATOR)
    if role == "forgotten":
        rights = Privacy(bot.store.database, bot.store.files, bot.store.policy)
        await rights.forget(owner)
    platform, name = ("elsewhere", "owner") if role == "twin" else (PLATFORM, "owner" if role == "forgotten" else role)
    channel = "another" if role == "stranger" else PLACE
    return UserRef(platform, name, name.title(), moderates=role == "moderator"), MessageRef(platform, channel)


def given_to(command, ids):
    """Return the input of a command."""
    return {name: value.format(**ids) if isinstance(value, str) else value for name, value in MATRIX[command][0].items()}


async def is_let(doing):
    """Return whether a call is allowed; a refused call is refused as not permitted, or as not found."""
    try:
        await doing
    except NotAllowed:
        return False
    except BadInput as error:
        # A deleted user no longer exists; any other mistake is a mistake of this test.
        if not error.problem.key.startswith(("input-person", "input-preset-unknown")):
            raise
        return False
    return True


def test_every_command_has_a_row():
    """Every command has a row in the matrix of permissions."""
    assert MATRIX.keys() == {one.name for one in COMMANDS}


@pytest.mark.parametrize("role", ROLES)
async def test_commands(scene, role):
    """A command runs for the permitted users, and for no others."""
    wrong = []
    for command in MATRIX:
        async with trying(scene, role) as (bot, ids, (caller, address)):
            call = Invocation(command=command, given=given_to(command, ids), caller=caller, address=address)
            wrong += [] if await is_let(bot.app.handle(call)) == (role in MATRIX[command][1]) else [command]
    assert wrong == []


@pytest.mark.parametrize("role", ROLES)
async def test_buttons(scene, role):
    """A button does what its command does for the user who presses it, even if it was shown to another user."""
    wrong = []
    for command in [name for name, (given, _) in MATRIX.items() if given]:
        async with trying(scene, role) as (bot, ids, (caller, address)):
            wire = bot.app.commands[command].wire(**given_to(command, ids))
            wrong += [] if await is_let(bot.app.pressed(wire, caller, address)) == (role in MATRIX[command][1]) else [command]
    assert wrong == []
