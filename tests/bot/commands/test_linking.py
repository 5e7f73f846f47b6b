"""Users link their accounts by a code and a confirmation, unlink them, export their data, and are deleted on request."""

import asyncio
import io
import json
import re
import zipfile

import pytest
from sqlalchemy import func, select

from adapters.shared.command_line import read_line
from bot.commands import account, linking
from bot.core.errors import BadInput, NotAllowed
from bot.core.limits import Policy, Tier
from bot.core.values import Invocation, MessageRef, UserRef
from bot.framework.reply import MOST_FILE
from bot.store.tables.core import Base, UserRow
from bot.store.users.users import OPERATOR
from bot.views import data_export
from tests.stores import books_are_right
from tests.talk import talk


class Name:
    """The account of a user on one platform, in a private chat."""

    def __init__(self, bot, platform, id):
        self.bot, self.caller, self.address = bot, UserRef(platform, id, id.title()), MessageRef(platform, id)

    async def say(self, line, **more):
        """Return the reply to a typed line."""
        read = read_line(line)
        call = Invocation(command=read.command, given={}, words=read.words, line=line, caller=self.caller, address=self.address, **more)
        return await self.bot.app.handle(call)

    async def press(self, button):
        """Return the reply to a pressed button."""
        return await self.bot.app.pressed(button if isinstance(button, str) else button.wire, self.caller, self.address)

    async def user(self):
        """Return the current user of this account."""
        return await self.bot.store.people.user(self.caller)

    async def code(self):
        """Return a new code of this account, as it is to be typed, and the button that checks who typed it."""
        reply = await self.say("/link")
        (button,) = reply.buttons
        return reply.text.partition("/link ")[2].split()[0], button

    async def linked(self, other):
        """Link another account to the same user."""
        code, check = await self.code()
        await other.say(f"/link {code}")
        return await self.press((await self.press(check)).buttons[0])


@pytest.fixture
async def bot(tmp_path):
    """Return a bot where every user has ten credits a day."""
    async with talk(tmp_path, policy=Policy(tiers={"": Tier(credits=10_000)})) as open_one:
        yield open_one


@pytest.fixture
def ada(bot):
    """Return Ada's account on the first platform."""
    return Name(bot, "one", "ada")


@pytest.fixture
def eve(bot):
    """Return Eve's account on the second platform."""
    return Name(bot, "two", "eve")


async def people(bot):
    """Return the number of users."""
    async with bot.store.database.read() as session:
        return await session.scalar(select(func.count()).select_from(UserRow))


async def test_two_names_become_one_person(bot, ada, eve):
    """A code typed on the other platform and confirmed on the first links both accounts to one history and one quota."""
    await ada.say("/imagine a red circle --size 64x64")
    await eve.say("/imagine a blue star --size 64x64")
    code, check = await ada.code()
    assert (await ada.press(check)).text == "The code has not been entered yet."

    assert "press Check and confirm" in (await eve.say(f"/link {code}")).text
    assert (await ada.user()).id != (await eve.user()).id

    asks = await ada.press(check)
    assert [(one.name, one.told) for one in asks.facts] == [("name", "Eve"), ("two", "eve")]
    join, no = asks.buttons
    assert (join.careful, no.careful) == (True, False)
    assert (await ada.press(join)).text == "Your accounts are linked: one, two."
    assert (await ada.user()).id == (await eve.user()).id
    assert [reply.text for reply in (await ada.say("/queue"), await eve.say("/queue"))] == ["You have 2 queued or running jobs."] * 2
    assert (await ada.say("/quota")).facts == (await eve.say("/quota")).facts
    (act,) = await bot.store.audit.latest(1)
    assert (act.act, act.facts) == ("link", {"platforms": "one, two"})
    assert await books_are_right(bot.store)


async def test_fifty_presses_join_once(bot, ada, eve):
    """Fifty simultaneous confirmations link once, and every other press is refused because no account is waiting."""
    await eve.say("/imagine a blue star --size 64x64")
    code, check = await ada.code()
    await eve.say(f"/link {code}")
    join = (await ada.press(check)).buttons[0]
    replies = await asyncio.gather(*(ada.press(join) for _ in range(50)), return_exceptions=True)
    refused = [one for one in replies if isinstance(one, NotAllowed)]
    assert (len(refused), {one.problem.key for one in refused}) == (49, {"denied-link"})
    assert await people(bot) == 1
    assert len(await bot.store.jobs.open_of((await ada.user()).id)) == 1
    assert await books_are_right(bot.store)


async def test_a_stolen_code_is_refused(bot, ada, eve):
    """A thief who types the code first is shown by name and refused, and the code is then void for everyone."""
    thief = Name(bot, "two", "thief")
    code, check = await ada.code()
    await thief.say(f"/link {code}")
    with pytest.raises(BadInput, match="input-link-code"):
        await eve.say(f"/link {code}")
    asks = await ada.press(check)
    assert ("two", "thief") in [(one.name, one.told) for one in asks.facts]
    for button in asks.buttons[:1]:
        with pytest.raises(NotAllowed):
            await thief.press(button)
    assert "no longer valid" in (await ada.press(asks.buttons[1])).text
    with pytest.raises(NotAllowed):
        await ada.press(asks.buttons[0])
    with pytest.raises(BadInput, match="input-link-code"):
        await eve.say(f"/link {code}")
    assert await people(bot) == 3


async def test_a_code_that_was_used_is_refused(bot, ada, eve):
    """A code works once, and a used code gives the same error as any wrong code."""
    bob = Name(bot, "three", "bob")
    code, check = await ada.code()
    await eve.say(f"/link {code}")
    await ada.press((await ada.press(check)).buttons[0])
    for wrong in (code, "nonsense", "0" * 26):
        with pytest.raises(BadInput) as refused:
            await bob.say(f"/link {wrong}")
        assert (refused.value.problem.key, refused.value.problem.facts) == ("input-link-code", {})
    with pytest.raises(NotAllowed):
        await ada.press(check)
    assert await people(bot) == 2


async def test_buttons_carry_no_code(ada, eve):
    """No button contains any part of a code, because buttons appear in chats, are logged and copied."""
    code, check = await ada.code()
    await eve.say(f"/link {code}")
    wires = [check.wire, *(one.wire for one in (await ada.press(check)).buttons)]
    assert not [wire for wire in wires if any(group in wire for group in code.split("-")[:-1])]


async def test_whoever_has_a_role_is_told_what_they_share(ada, eve):
    """An operator is warned before confirming that the other account becomes operator too, and then it does."""
    user = await ada.user()
    await ada.bot.store.people.appoint(user.id, role=OPERATOR)
    code, check = await ada.code()
    await eve.say(f"/link {code}")
    asks = await ada.press(check)
    assert "your role as operator" in asks.text
    await ada.press(asks.buttons[0])
    assert (await eve.user()).role == OPERATOR


async def test_parting_makes_somebody_new(bot, ada, eve):
    """An unlinked account keeps only today's usage; everything else stays with the other account."""
    await bot.painted("/imagine a red circle --size 64x64", "zoe")
    await eve.say("/imagine a blue star --size 64x64")
    await ada.linked(eve)
    before = await bot.store.ledger.balance((await ada.user()).id)
    assert "Your two account is now separate" in (await eve.say("/unlink")).text
    assert (await ada.user()).id != (await eve.user()).id
    assert (await eve.say("/queue")).text == "You have no queued or running jobs."
    assert (await ada.say("/queue")).text == "You have 1 queued or running job."
    assert (await bot.store.ledger.balance((await eve.user()).id)).left == before.left < 10_000
    with pytest.raises(NotAllowed, match="denied-unlink"):
        await eve.say("/unlink")
    (act,) = await bot.store.audit.latest(1)
    assert (act.act, act.facts) == ("unlink", {"platforms": "two"})


async def test_a_platform_can_be_named(ada, eve):
    """Another platform can be unlinked by name, and an unknown one is refused with the list of linked platforms."""
    await ada.linked(eve)
    with pytest.raises(BadInput) as refused:
        await ada.say("/unlink nowhere")
    assert refused.value.problem.facts == {"given": "nowhere", "offered": "one, two"}
    await ada.say("/unlink Two")
    assert (await ada.user()).id != (await eve.user()).id
    with pytest.raises(NotAllowed, match="denied-unlink"):
        await ada.say("/unlink one")


async def test_what_is_asked_for_in_that_very_moment_is_kept_or_told(bot, ada, eve):
    """A request made while accounts are being linked is accepted or asked to be repeated, and never half done."""
    code, check = await ada.code()
    await eve.say(f"/link {code}")
    join = (await ada.press(check)).buttons[0]
    lines = [eve.say(f"/settings --steps {steps}") for steps in range(5, 15)] + [eve.say("/imagine a red circle") for _ in range(5)]
    _, *replies = await asyncio.gather(ada.press(join), *lines, return_exceptions=True)
    refused = [one for one in replies if isinstance(one, BaseException)]
    assert {(type(one), one.problem.key) for one in refused} <= {(NotAllowed, "denied-person-new"), (NotAllowed, "denied-credits")}
    assert await people(bot) == 1
    assert await books_are_right(bot.store)


async def test_a_failure_of_somebody_who_is_there_stays_one(bot, ada, monkeypatch):
    """An error with another cause is not reported as a concurrent link."""
    await ada.user()
    monkeypatch.setattr(bot.store.jobs, "open_of", None)
    with pytest.raises(TypeError):
        await ada.say("/queue")


async def test_all_that_is_kept_is_handed_over(bot, eve):
    """The export has the rows of all accounts, and the pictures under the names used in the rows."""
    _, (picture,) = await bot.painted("/imagine a red circle --size 64x64", "zoe")
    zoe = Name(bot, "test", "zoe")
    await eve.say("/settings --steps 9")
    await zoe.linked(eve)
    reply = await eve.say("/me export")
    (file,) = reply.files
    assert reply.text == "Everything that is stored about you: 1 job, 1 picture."
    assert (file.name, len(file.data) <= MOST_FILE) == ("easel-export.zip", True)
    with zipfile.ZipFile(io.BytesIO(file.data)) as opened:
        tables = json.loads(opened.read("data.json"))["tables"]
        assert opened.read(tables["picture"][0]["file"]) == await bot.store.files.get(picture.file)
    assert {one["platform"] for one in tables["identity"]} == {"test", "two"}
    assert tables["setting"][0]["given"] == {"steps": 9}


async def test_pictures_that_are_too_large_are_left_out(bot, monkeypatch):
    """If the pictures are too large for a message, the rows come without them; if the rows are too, the reply refers to the operator."""
    await bot.painted("/imagine a red circle --size 64x64 --n 2", "zoe")
    rows = len((await bot.say("/me export", "zoe")).files[0].data)
    # The size of the rows varies by a few bytes because of their timestamps; the pictures take hundreds.
    monkeypatch.setattr(data_export, "MOST_FILE", rows - 100)
    reply = await bot.say("/me export", "zoe")
    assert "except the picture files" in reply.text
    assert "2 pictures" in reply.text
    with zipfile.ZipFile(io.BytesIO(reply.files[0].data)) as opened:
        assert opened.namelist() == ["data.json"]
        assert len(json.loads(opened.read("data.json"))["tables"]["picture"]) == 2
    for name, value in (("MOST_FILE", 10), ("_MOST_JOBS", 0)):
        monkeypatch.setattr(data_export, name, value)
        with pytest.raises(NotAllowed, match="denied-export"):
            await bot.say("/me export", "zoe")


async def test_forgetting_asks_first(bot, ada, eve):
    """The command alone deletes no user; the button below its question does, and is answered, on every platform."""
    await bot.painted("/imagine a red circle --size 64x64", "zoe")
    zoe = Name(bot, "test", "zoe")
    await zoe.linked(eve)
    asks = await eve.say("/me forget")
    assert asks.text.startswith("Permanently delete all your data on test, two, including 1 job and 1 picture?")
    (button,) = asks.buttons
    assert button.careful
    assert await people(bot) == 1
    with pytest.raises(NotAllowed, match="denied-forget"):
        await ada.press(button)

    reply = await zoe.press(button)
    assert reply.text == "All your data is deleted, including 1 job and 1 picture. If you write again, you start as a new user."

    async with bot.store.database.read() as session:
        tables = [table for table in Base.metadata.sorted_tables if table.name != "tombstone"]
        left = repr([tuple(row) for table in tables for row in await session.execute(select(table))])
    # As whole words: a random id may contain any three letters.
    assert not re.findall(r"\b(?:zoe|eve|red circle)\b", left.lower())
    with pytest.raises(NotAllowed):
        await zoe.press(button)
    assert await bot.store.rights.returned() == ()


async def test_an_old_question_forgets_nobody(bot, ada, monkeypatch):
    """A button of an old question deletes no user, and asks to type the command again."""
    (button,) = (await ada.say("/me forget")).buttons
    later = account.time() + 3600
    monkeypatch.setattr(account, "time", lambda: later)
    with pytest.raises(BadInput, match="input-forget-late"):
        await ada.press(button)
    assert await people(bot) == 1


def test_hidden_commands_are_in_no_menu():
    """Commands that only buttons run are not offered in menus."""
    assert all(one.hidden for one in (linking.link_check, linking.link_join, linking.link_no, account.forget_me))
    assert not any(one.hidden for one in (linking.link, linking.unlink, account.me_export, account.me_forget))
