"""The emulated Discord, used by a plain discord.py bot."""

import asyncio

import aiohttp
import pytest
import yarl

from tests.emulators.discord import Discord
from tests.emulators.discord.library import discord as library
from tests.emulators.discord.plain_bot import PNG, Bot, file

GALLERY = {"type": 17, "components": [{"type": 10, "content": "Done"}, {"type": 12, "items": [{"media": {"url": "attachment://a.png"}}]}]}
ROW = {"type": 1, "components": [{"type": 2, "style": 1, "label": "Again", "custom_id": "again:1"}]}
V2 = 1 << 15


@pytest.fixture
async def discord(monkeypatch):
    async with Discord() as started:
        # Late responses are tested below; elsewhere a busy computer must not cause them.
        started.clock(ack=60.0)
        monkeypatch.setattr(library.http.Route, "BASE", started.api_base)
        monkeypatch.setattr(library.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(started.gateway_url))
        monkeypatch.setattr(library.asset.Asset, "BASE", started.cdn_base)
        yield started
        assert not started.misspoken


@pytest.fixture
async def bot(discord):
    client = Bot()
    running = asyncio.create_task(client.start(discord.token))
    try:
        await discord.ready()
        yield client
        assert not discord.rejected
    finally:
        await client.close()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def channel(discord):
    return discord.guild("Studio").channel("general")


@pytest.fixture
def ann(discord):
    return discord.user("ann")


@pytest.fixture
async def call(discord):
    """Yield a function that sends a request without a library and returns (status, Discord's error code)."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {discord.token}"}) as session:

        async def send(method, path, body=None, files=()):
            form = aiohttp.FormData(quote_fields=False)
            form.add_field("payload_json", library.utils._to_json(body or {}))
            for index, name in enumerate(files):
                form.add_field(f"files[{index}]", PNG, filename=name)
            sent = {"data": form} if files else {"json": body} if body is not None else {}
            async with session.request(method, discord.api_base + path, **sent) as answer:
                told = await answer.json() if answer.status != 204 else {}
                return answer.status, told.get("code") if isinstance(told, dict) else None

        yield send


@pytest.mark.usefixtures("bot")
async def test_a_command_is_deferred_and_filled_with_a_picture(discord, channel, ann):
    """A slash command with an attachment is deferred, then edited with a file and a button."""
    use = await ann.use(channel, "imagine", prompt="a circle", image=("cat.png", PNG))
    assert await use.answered() == 5
    await discord.until(lambda: use.message.attachments)
    assert use.message.texts() == [f"a circle demo {len(PNG)}"]
    assert use.message.data("cat.png") == PNG
    assert use.message.buttons() == [("Again", "again:1", False)]
    assert [len(one.attachments) for one in use.message.edits] == [0]
    assert discord.puts == 1


@pytest.mark.usefixtures("bot")
async def test_autocomplete_proposes(channel, ann):
    """The bot's suggestions for an option reach the user, and the bot sees the other options typed so far."""
    assert await ann.complete(channel, "imagine", "model", "de", prompt="x") == [{"name": "de for x", "value": "demo"}]


@pytest.mark.usefixtures("bot")
async def test_one_person_alone_sees_an_ephemeral_answer(discord, channel, ann, call):
    """An ephemeral response and its follow-up are not messages of the channel."""
    use = await ann.use(channel, "peek")
    await discord.until(lambda: use.followups)
    assert use.kind == 4
    assert use.is_ephemeral
    assert use.followups[0].texts() == ["more"]
    assert await call("GET", f"/channels/{channel.id}/messages/{use.message.id}") == (404, 10008)


@pytest.mark.usefixtures("bot")
async def test_a_command_within_a_command_and_in_a_dm(ann):
    """Subcommands arrive with their options, in direct messages too."""
    use = await ann.use(ann.dm(), "preset save", name="night")
    await use.answered()
    assert use.message.content == "saved night"


@pytest.mark.usefixtures("bot")
async def test_a_menu_shows_the_message(channel, ann):
    """A command from the context menu of a message receives the message."""
    said = await ann.say(channel, "hello")
    use = await ann.menu(channel, "Info", said)
    await use.answered()
    assert use.message.content == "ann said hello, 0"


async def test_a_press_and_a_pick_change_the_message(discord, bot, channel, ann):
    """The response to a button or a select changes its message, also with callback type 6 and an edit."""

    async def answer(interaction):
        await interaction.response.defer()
        await interaction.edit_original_response(content=str(interaction.data.get("values", "pressed")))

    bot.answer = answer
    message = (await painted(discord, ann, channel)).message
    use = await ann.click(message, "Again")
    await discord.until(lambda: message.content == "pressed")
    assert use.kind == 6
    assert use.message is message
    await ann.pick(message, "size", ["wide"])
    await discord.until(lambda: message.content == "['wide']")
    assert message.data("cat.png") == PNG


async def painted(discord, ann, channel):
    """Return the interaction of a command whose response has a picture and buttons."""
    use = await ann.use(channel, "imagine", prompt="x")
    await discord.until(lambda: use.message and use.message.attachments)
    return use


async def test_a_form_is_filled_in(bot, channel, ann):
    """A form is submitted with text, choice and file; an untouched field keeps its default."""
    answers = []

    async def take(interaction):
        answers.append(interaction.data)
        await interaction.response.send_message("thanks")

    bot.answer = take
    asked = await ann.use(channel, "ask")
    assert await asked.answered() == 9
    sent = await ann.submit(asked, {"size": ["wide"], "start": ("sea.png", PNG)})
    await sent.answered()
    words, size, start = (one["component"] for one in answers[0]["components"])
    assert (words["value"], size["values"]) == ("a circle", ["wide"])
    assert answers[0]["resolved"]["attachments"][start["values"][0]]["filename"] == "sea.png"


async def test_only_what_is_meant_for_the_bot_can_be_read(discord, bot, channel, ann):
    """Without the content intent a message arrives blank, except for mentions and direct messages."""
    for place, words in ((channel, "secret"), (channel, "<@BOT> hello"), (ann.dm(), "hi")):
        await ann.say(place, words, files=[("cat.png", PNG)])
    await discord.until(lambda: len(bot.heard) == 3)
    assert [one.content for one in bot.heard] == ["", f"<@{discord.bot.id}> hello", "hi"]
    assert await bot.heard[2].attachments[0].read() == PNG


async def test_the_same_nonce_says_it_once(bot, channel):
    """A second message with the same nonce returns the first message."""
    place = await bot.fetch_channel(int(channel.id))
    one, two = [await place.send("hello", nonce="job-1") for _ in range(2)]
    assert one.id == two.id
    assert len(channel.messages) == 1


async def test_a_limit_of_rate_is_waited_for(discord, bot, channel):
    """discord.py waits and retries after a 429, whether from a fault or from an exhausted rate limit."""
    discord.bucket(2, 0.2)
    fault = discord.fault("POST", r"/channels/\d+/messages$", ("429", 0.1))
    place = await bot.fetch_channel(int(channel.id))
    await asyncio.gather(*(place.send(str(number)) for number in range(5)))
    assert fault.hits == 1
    assert len(channel.messages) == 5
    assert 429 in [one.status for one in discord.requests]


async def test_a_lost_answer_is_a_message_all_the_same(discord, bot, channel):
    """After `timeout-after-success` the message exists, after `reset` it does not, and a page of Cloudflare is an error without a retry."""
    place = await bot.fetch_channel(int(channel.id))
    for kind, error in (
        ("timeout-after-success", aiohttp.ClientError),
        ("reset", aiohttp.ClientError),
        ("cloudflare", library.HTTPException),
    ):
        discord.fault("POST", "/messages$", kind)
        with pytest.raises(error):
            await place.send(kind)
    assert [one.content for one in channel.messages] == ["timeout-after-success"]


@pytest.mark.parametrize("how", ["op 7", "4009"])
async def test_a_session_is_resumed(discord, bot, channel, ann, how):
    """After a lost connection the bot resumes, and receives the messages sent in the meantime."""
    await (discord.reconnect() if how == "op 7" else discord.close_gateway(4009))
    await ann.say(channel, "<@BOT> meanwhile")
    await discord.until(lambda: bot.resumed and bot.heard)
    assert (discord.identifies, discord.resumes) == (1, 1)


async def test_the_library_reads_its_own_layout(bot, channel, ann):
    """A layout with pictures can be sent, passed to a menu command, and edited with one picture kept and one added."""
    place, view = await bot.fetch_channel(int(channel.id)), library.ui.LayoutView(timeout=None)
    box = library.ui.Container(library.ui.MediaGallery(library.MediaGalleryItem("attachment://cat.png", description="a cat")))
    box.add_item(library.ui.Section("Words", accessory=library.ui.Button(label="Again", custom_id="again:1")))
    sent = await place.send(view=view.add_item(box), files=[file()])
    (said,) = channel.messages
    assert (said.texts(), said.buttons()) == (["Words"], [("Again", "again:1", False)])
    assert sent.components[0].children[0].items[0].media.attachment_id == int(said.files[0].id)
    use = await ann.menu(channel, "Info", said)
    await use.answered()
    assert use.message.content.endswith("1")
    await sent.edit(view=view, attachments=[file(), file("dog.png")])
    assert [one["filename"] for one in said.attachments] == ["cat.png", "dog.png"]


async def test_the_bot_is_used_in_threads_and_where_it_is_not(discord, bot, channel, ann):
    """Interactions in a thread, a forum post and a server without the bot arrive in a form that the library understands."""
    elsewhere = discord.guild("Elsewhere", has_bot=False).channel("general")
    channels = [channel.thread("one"), channel.guild.forum("ideas").post("two"), elsewhere]
    discord.registered[None] = [one | {"integration_types": [0, 1]} for one in discord.registered[None]]
    for place in channels:
        use = await ann.use(place, "peek")
        assert await use.answered() == 4
    thread = await (await bot.fetch_channel(int(channel.id))).create_thread(name="three", type=library.ChannelType.public_thread)
    await thread.send("hello")
    user = await bot.fetch_user(int(ann.id))
    await user.send("hello")
    assert ann.dm().messages[0].texts() == channel.guild.threads[-1].messages[0].texts() == ["hello"]


async def test_an_intent_that_was_not_granted_is_refused(discord):
    """A privileged intent that is not granted closes with 4014; a refused connection closes with the configured code."""
    for code, intents in ((4014, library.Intents(guilds=True, members=True)), (4010, library.Intents(guilds=True))):
        async with library.AutoShardedClient(intents=intents, shard_count=1) as client:
            with pytest.raises(library.PrivilegedIntentsRequired if code == 4014 else library.ConnectionClosed):
                await client.start(discord.token)
        discord.refuse_gateway(1, 4010)


async def test_an_invalid_session_begins_anew(discord, bot, channel):
    """After an invalid session the bot identifies again."""
    await discord.invalidate()
    await discord.until(lambda: discord.identifies == 2)
    await discord.ready()
    await discord.until(lambda: bot.get_channel(int(channel.id)))


async def test_an_outage_is_survived(discord, bot):
    """The emulator can stop and restart at the same address with all its objects."""
    await discord.stop()
    await discord.start()
    await discord.until(lambda: bot.resumed or discord.identifies == 2)
    await discord.ready()


@pytest.mark.usefixtures("discord")
async def test_a_wrong_token_is_refused():
    """A bot with a wrong token fails at its first request."""
    async with Bot() as client:
        with pytest.raises(library.LoginFailure):
            await client.login("wrong")


async def test_two_shards_share_the_servers(discord, ann):
    """The events of each server go to its shard."""
    channels = [discord.guild(f"Studio {number}").channel("general") for number in range(4)]
    client = Bot(shards=2)
    running = asyncio.create_task(client.start(discord.token))
    await discord.ready()
    uses = [await ann.use(place, "peek") for place in channels]
    assert [await use.answered() for use in uses] == [4] * 4
    await client.close()
    await asyncio.gather(running, return_exceptions=True)


def message(**told):
    """Return the body of a message with a picture and a button."""
    return {"flags": V2, "components": [GALLERY, ROW]} | told


REFUSED = [
    ({"content": "x" * 2001}, ("a.png",), 50035),
    ({"content": ""}, (), 50006),
    ({"embeds": [{"image": {"url": "attachment://b.png"}}]}, ("a.png",), 50035),
    ({"content": "x"}, [f"{number}.png" for number in range(11)], 30015),
    (message(components=[{"type": 12, "items": [{"media": {"url": "attachment://b.png"}}]}]), ("a.png",), 50035),
    (message(content="x"), ("a.png",), 50035),
    (message(components=[{"type": 10, "content": "x" * 4001}]), (), 50035),
    (message(components=[{"type": 10, "content": "x"}] * 41), (), 50035),
    ({"components": [{"type": 1, "components": ROW["components"] * 2}]}, (), 50035),
    ({"components": [{"type": 1, "components": [{"type": 2, "style": 1, "label": "x", "custom_id": "x" * 101}]}]}, (), 50035),
    ({"embeds": [{"description": "x" * 4000}, {"description": "x" * 4000}]}, (), 50035),
    ({"content": "x", "message_reference": {"message_id": "1"}}, (), 50035),
]


@pytest.mark.parametrize(("body", "files", "code"), REFUSED)
async def test_what_discord_refuses_is_refused(channel, call, body, files, code):
    """A message beyond a limit is refused with Discord's error code and not created."""
    assert (await call("POST", f"/channels/{channel.id}/messages", body, files))[1] == code
    assert not channel.messages


async def test_a_file_too_large_is_refused(discord, channel, call):
    """A file beyond the size limit is refused with 413."""
    discord.attachment_size_limit = 10
    assert await call("POST", f"/channels/{channel.id}/messages", {"content": "x"}, ["a.png"]) == (413, 40005)


async def test_a_message_of_components_stays_one(channel, call):
    """Files shown by components are not in `attachments`, the components flag cannot be removed, and an edit keeps only listed files."""
    assert await call("POST", f"/channels/{channel.id}/messages", message(), ["a.png"]) == (200, None)
    (said,) = channel.messages
    assert said.payload()["attachments"] == []
    assert said.texts() == ["Done"]
    path = f"/channels/{channel.id}/messages/{said.id}"
    assert await call("PATCH", path, {"flags": 0}) == (400, 50035)
    kept = [{"id": said.files[0].id, "filename": "a.png"}]
    assert await call("PATCH", path, {"components": [GALLERY], "attachments": kept}) == (200, None)
    assert await call("PATCH", path, {"components": [GALLERY], "attachments": []}) == (400, 50035)
    assert await call("PATCH", path, {"components": [ROW], "attachments": []}) == (200, None)
    assert said.files == []


async def test_rights_are_kept(discord, channel, ann, call):
    """Without the permission to view, send or attach the bot cannot do so, nor message a user who refuses, nor edit others' messages."""
    path, said = f"/channels/{channel.id}/messages", await ann.say(channel, "hello")
    assert await call("PATCH", f"{path}/{said.id}", {"content": "x"}) == (403, 50005)
    channel.deny("attach_files")
    assert await call("POST", path, {"content": "x"}, ["a.png"]) == (403, 50013)
    channel.deny("view_channel")
    assert await call("POST", path, {"content": "x"}) == (403, 50001)
    elsewhere = discord.guild("Elsewhere", has_bot=False).channel("general")
    assert await call("POST", f"/channels/{elsewhere.id}/messages", {"content": "x"}) == (403, 50001)
    ann.dm_closed = True
    assert await call("POST", f"/channels/{ann.dm().id}/messages", {"content": "x"}) == (403, 50007)
    assert await call("POST", "/channels/1/messages", {"content": "x"}) == (404, 10003)


async def test_threads_and_posts(channel, call):
    """A message reopens an archived thread but not a locked one; a forum accepts posts."""
    open_one, locked = channel.thread("old", archived=True), channel.thread("shut", archived=True, locked=True)
    assert await call("POST", f"/channels/{open_one.id}/messages", {"content": "x"}) == (200, None)
    assert not open_one.is_archived
    assert await call("POST", f"/channels/{locked.id}/messages", {"content": "x"}) == (400, 50083)
    assert await call("PATCH", f"/channels/{locked.id}", {"archived": False}) == (403, 50013)
    forum = channel.guild.forum("ideas")
    assert await call("POST", f"/channels/{forum.id}/threads", {"name": "one", "message": message()}, ["a.png"]) == (201, None)
    assert channel.guild.threads[-1].messages[0].data("a.png") == PNG
    said = open_one.messages[0]
    assert await call("POST", f"/channels/{open_one.id}/messages/{said.id}/threads", {"name": "in"}) == (400, 50024)


@pytest.mark.usefixtures("bot")
async def test_an_interaction_is_answered_once_and_in_time(discord, channel, ann, call):
    """A second response is 40060, a late one 10062, an expired token 50027, and a token without an acknowledged interaction 10015."""
    use = await ann.use(channel, "peek")
    await use.answered()
    path = f"/interactions/{use.id}/{use.token}/callback"
    assert await call("POST", path, {"type": 5}) == (400, 40060)
    original = f"/webhooks/{discord.application_id}/{use.token}/messages/@original"
    assert await call("GET", original) == (200, None)
    discord.clock(ack=0.0, token=0.0)
    assert await call("GET", original) == (401, 50027)
    late = await ann.use(channel, "peek")
    assert await call("POST", f"/interactions/{late.id}/{late.token}/callback", {"type": 5}) == (404, 10062)
    assert not late.acknowledged


async def test_a_follow_up_keeps_the_promise(discord, channel, ann, call):
    """The first follow-up after a deferred ephemeral response becomes that response and stays ephemeral; the next is a new message."""
    await register(discord, call)
    use = await ann.use(channel, "imagine")
    assert await call("POST", f"/interactions/{use.id}/{use.token}/callback", {"type": 5, "data": {"flags": V2}}) == (400, 50035)
    assert await call("POST", f"/interactions/{use.id}/{use.token}/callback", {"type": 5, "data": {"flags": 64}}) == (204, None)
    assert use.message.is_thinking
    path = f"/webhooks/{discord.application_id}/{use.token}"
    assert await call("POST", path, message(), ["a.png"]) == (200, None)
    assert (use.message.is_thinking, use.message.is_ephemeral, use.message.is_v2) == (False, True, True)
    assert await call("POST", path, {"content": "more"}) == (200, None)
    assert [one.content for one in use.followups] == ["more"]


async def test_only_five_follow_ups_where_a_person_brought_the_bot(discord, ann, call):
    """A user-installed bot outside the server has five follow-ups."""
    await register(discord, call, integration_types=[0, 1])
    use = await ann.use(discord.guild("Elsewhere", has_bot=False).channel("general"), "imagine")
    await call("POST", f"/interactions/{use.id}/{use.token}/callback", {"type": 4, "data": {"content": "x"}})
    path = f"/webhooks/{discord.application_id}/{use.token}"
    answers = [await call("POST", path, {"content": "more"}) for _ in range(6)]
    assert answers == [(200, None)] * 5 + [(400, 40094)]


async def register(discord, call, **more):
    """Register a command without a bot."""
    command = {"name": "imagine", "description": "Paint.", **more}
    assert (await call("PUT", f"/applications/{discord.application_id}/commands", [command]))[0] == 200


async def test_bad_commands_are_refused(discord, call):
    """A command that Discord refuses is not registered."""
    path, option = f"/applications/{discord.application_id}/commands", {"type": 3, "name": "a", "description": "x"}
    bad = [
        {"name": "Bad"},
        {"description": "x" * 101},
        {"options": [option, option | {"name": "b", "required": True}]},
        {"options": [option] * 26},
    ]
    for one in bad:
        assert await call("PUT", path, [{"name": "good", "description": "x"} | one]) == (400, 50035)
    assert discord.commands == []


@pytest.mark.parametrize("body", [{"content": "x", "colour": "red"}, {"content": ["x"]}, {"components": [{"type": 1, "componets": []}]}])
async def test_what_the_document_does_not_know_is_noticed(discord, channel, call, body):
    """A body that violates Discord's document is recorded in `rejected`, including one with a misspelt key."""
    if not discord.is_validating:
        pytest.skip("Discord's document is not at hand")
    with_reasons = await call("POST", f"/channels/{channel.id}/messages", {"content": "fine"})
    assert (with_reasons, discord.rejected) == ((200, None), [])
    await call("POST", f"/channels/{channel.id}/messages", body)
    assert len(discord.rejected) >= 1


async def test_links_of_attachments_are_signed_and_expire(discord, channel, ann):
    """A signed attachment URL returns the file, but not with a different signature or after its expiry."""
    said = await ann.say(channel, "look", files=[("cat.png", PNG)])
    url = said.attachments[0]["url"]
    async with aiohttp.ClientSession() as session:
        assert await (await session.get(url)).read() == PNG
        assert (await session.get(url.replace("hm=", "hm=0"))).status == 404
        discord.cdn_seconds = -1
        assert (await session.get(said.attachments[0]["url"])).status == 404
