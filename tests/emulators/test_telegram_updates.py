"""The emulated Telegram, used by a plain python-telegram-bot bot: what it receives, its chats, and faults."""

import asyncio
import re

import pytest
from aiohttp import web

from tests.emulators.telegram.library import telegram as library
from tests.emulators.telegram.plain_bot import PNG, client, picture, polled, refused

error = library.error


async def test_updates_wait_until_they_are_confirmed(telegram, bot, ann):
    """Unconfirmed updates are sent again; an offset confirms older updates; a negative offset keeps only the last."""
    for number in range(20):
        await ann.say(ann.dm(), str(number))
    first = await polled(bot, limit=5)
    assert [one.message.text for one in first] == list("01234")
    assert (telegram.updates_waiting, telegram.updates_delivered) == (20, 5)
    assert [one.update_id for one in await polled(bot, limit=5)] == [one.update_id for one in first]
    assert len(await polled(bot, first[-1].update_id + 1)) == 15
    assert (telegram.updates_waiting, telegram.updates_confirmed) == (15, 6)
    assert [one.message.text for one in await polled(bot, -1)] == ["19"]
    assert telegram.updates_waiting == 1


async def test_an_update_comes_twice(telegram, bot, ann):
    """A confirmed update can be sent again with the same number, and edits by users arrive as updates."""
    said = await ann.say(ann.dm(), "one")
    (first,) = await polled(bot)
    await polled(bot, first.update_id + 1)
    telegram.repeat(said)
    await ann.edit(said, "two /help")
    again, edited = await polled(bot, first.update_id + 1)
    assert (again.update_id, again.message.text) == (first.update_id, "one")
    assert (edited.edited_message.text, [one.type for one in edited.edited_message.entities]) == ("two /help", ["bot_command"])


async def test_a_poll_waits(telegram, bot, ann):
    """A poll lasts until an update arrives; a client that disconnected gets nothing; kinds that were not requested are not sent."""
    waiting = asyncio.create_task(bot.get_updates(timeout=5, allowed_updates=["message", "message_reaction"]))
    await telegram.ready()
    said = await ann.say(ann.dm(), "x")
    (update,) = await asyncio.wait_for(waiting, 1)
    await ann.edit(said, "y")
    await ann.react(said, "👍")
    (reaction,) = await polled(bot, update.update_id + 1)
    assert reaction.message_reaction.new_reaction[0].emoji == "👍"
    lost = asyncio.create_task(bot.get_updates(reaction.update_id + 1, timeout=5))
    await telegram.until(lambda: telegram.updates.is_polled)
    lost.cancel()
    await asyncio.gather(lost, return_exceptions=True)
    await ann.say(ann.dm(), "z")
    await telegram.until(lambda: not telegram.updates.is_polled)
    assert telegram.updates.waiting[0].times == 0


async def test_of_two_pollers_the_older_is_refused(telegram, bot):
    """If two bots poll, the older poll ends with a conflict; so does a poll while a webhook is set."""
    async with client(telegram) as other:
        older = asyncio.create_task(other.get_updates(timeout=5))
        await telegram.ready()
        await polled(bot)
        with pytest.raises(error.Conflict, match="terminated by other getUpdates request; make sure that only one bot instance"):
            await older
    await bot.set_webhook("http://127.0.0.1:9/hook")
    active = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
    await refused(telegram, bot.get_updates(), active, 409)


async def test_changes_of_members_come_where_they_are_asked_for(telegram, bot, group):
    """An administrator that requests it receives joins, promotions, demotions and leaves; every bot receives joins and leaves."""
    await polled(bot, allowed_updates=["message", "chat_member"])
    group.add(telegram.bot, "administrator")
    bob = telegram.user("bob")
    await bob.join(group)
    await bob.promote(group, title="boss")
    await bob.demote(group)
    await bob.leave(group)
    told = await polled(bot)
    changes = [one.chat_member.new_chat_member.status for one in told if one.chat_member]
    assert changes == ["member", "administrator", "member", "left"]
    assert [one.message.left_chat_member is not None for one in told if one.message] == [False, True]


@pytest.fixture
async def hook(telegram, bot):
    """Yield a list of responses to give, and a list of the (secret, update) pairs that arrived."""
    answers, came = [], []

    async def take(request):
        came.append((request.headers.get("X-Telegram-Bot-Api-Secret-Token"), await request.json()))
        answer = answers.pop(0) if answers else 200
        return web.Response(status=answer) if isinstance(answer, int) else web.json_response(answer)

    server = web.Application()
    server.router.add_post("/hook", take)
    runner = web.AppRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    telegram.webhook_retry_seconds = 0.05
    await bot.set_webhook(f"http://127.0.0.1:{runner.addresses[0][1]}/hook", secret_token="s3cret", max_connections=2)
    yield answers, came
    await bot.delete_webhook()
    await runner.cleanup()


async def test_a_webhook_is_told_until_it_takes_it(telegram, bot, ann, hook):
    """A webhook gets updates with the secret and in order, repeatedly until it accepts them; its response may call a method."""
    answers, came = hook
    answers += [500, 503, 200, {"method": "sendMessage", "chat_id": ann.id, "text": "so be it"}]
    await ann.say(ann.dm(), "one")
    await telegram.until(lambda: len(came) == 2)
    assert (await bot.get_webhook_info()).last_error_message.startswith("Wrong response from the webhook: 50")
    second = await ann.say(ann.dm(), "two")
    await telegram.until(lambda: telegram.updates_waiting == 0)
    assert [(secret, told["message"]["text"]) for secret, told in came] == [("s3cret", one) for one in ("one", "one", "one", "two")]
    await telegram.until(lambda: ann.dm().messages[-1].text == "so be it")
    assert telegram.asked("sendMessage")[-1].is_by_webhook
    telegram.repeat(second)
    await telegram.until(lambda: len(came) == 5)
    assert came[4] == came[3]
    await telegram.stop()
    await telegram.start()
    await ann.say(ann.dm(), "three")
    await telegram.until(lambda: len(came) == 6)


async def test_webhooks_are_checked(telegram, bot):
    """A secret with invalid characters is refused; with `https_only`, so is every URL except https on four ports."""
    with pytest.raises(error.BadRequest, match=r"(?i)secret token contains unallowed characters"):
        await bot.set_webhook("https://a.example/hook", secret_token="a b")
    telegram.https_only = True
    https = "Bad Request: bad webhook: An HTTPS URL must be provided for webhook"
    await refused(telegram, bot.set_webhook("http://a.example/hook"), https)
    ports = "Bad Request: bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443"
    await refused(telegram, bot.set_webhook("https://a.example:8000/hook"), ports)


async def test_a_bot_in_a_group_hears_what_is_meant_for_it(telegram, bot, ann, group):
    """In privacy mode the bot receives commands, replies to it and service messages, but no other messages or commands of other bots."""
    name, other = telegram.bot.username, telegram.user("other", is_bot=True)
    sent = await bot.send_message(group.id, "hello")
    said = group.message(sent.message_id)
    heard = [await ann.say(group, "/x"), await ann.say(group, f"/x@{name} y"), await ann.photo(group, PNG, caption="/x")]
    heard += [await ann.say(group, "yes", reply_to=said), await telegram.user("bob").join(group)]
    for words in ("talk", f"@{name} look", "/x@other_bot", "see /x"):
        await ann.say(group, words)
    telegram.add_message(group, other, None)
    await ann.say(group, "/y")  # the other bot sent the last message
    assert [one.about for one in telegram.updates.waiting] == heard
    telegram.privacy = False
    everything = await ann.say(group, "talk")
    assert telegram.updates.waiting[-1].about is everything
    assert (await bot.get_me()).can_read_all_group_messages
    telegram.privacy = True
    group.add(telegram.bot, "administrator")  # administrators receive everything
    assert (await ann.say(group, "talk")).was_heard


async def test_a_person_has_to_begin(telegram, bot, group):
    """A bot cannot write to a user first, nor to a user who blocked it; blocking and unblocking arrive as updates."""
    bob = telegram.user("bob")
    await refused(telegram, bot.send_message(bob.id, "x"), "Bad Request: chat not found")
    await bob.say(group, "hello")
    await refused(telegram, bot.send_message(bob.id, "x"), "Forbidden: bot can't initiate conversation with a user", 403)
    await bob.start("deep-link_1")
    sent = await bot.send_message(bob.id, "x")
    await bob.block()
    await refused(telegram, bot.send_message(bob.id, "x"), "Forbidden: bot was blocked by the user", 403)
    await sent.edit_text("y")
    await bob.unblock()
    await bot.send_message(bob.id, "x")
    told = await polled(bot)
    assert told[0].message.text == "/start deep-link_1"
    assert [one.my_chat_member.new_chat_member.status for one in told[1:]] == ["kicked", "member"]


async def test_the_bot_comes_and_goes(telegram, bot, ann):
    """A bot outside a group cannot write there; being removed and added arrive as updates."""
    for made, kind in ((telegram.group, "group"), (telegram.supergroup, "supergroup"), (telegram.channel, "channel")):
        place = made("Studio", ann)
        await bot.send_message(place.id, "x")
        await place.kick_bot(ann)
        await refused(telegram, bot.send_message(place.id, "x"), f"Forbidden: bot was kicked from the {kind} chat", 403)
        place.add(telegram.bot, "left")
        await refused(telegram, bot.send_message(place.id, "x"), f"Forbidden: bot is not a member of the {kind} chat", 403)
    channel, shut = place, "Bad Request: need administrator rights in the channel chat"
    await channel.add_bot(ann)
    await refused(telegram, bot.send_message(channel.id, "x"), shut)
    await channel.promote_bot(ann)
    assert await bot.leave_chat(channel.id)
    statuses = [one.my_chat_member.new_chat_member.status for one in await polled(bot)]
    assert statuses == ["kicked"] * 3 + ["member", "administrator", "left"]
    quiet = telegram.supergroup("Quiet", ann).deny("photo")
    await bot.send_message(quiet.id, "x")
    await refused(telegram, bot.send_photo(quiet.id, PNG), "Bad Request: not enough rights to send photos to the chat")


async def test_a_group_becomes_a_supergroup(telegram, bot, ann):
    """The old group refuses with the id of the new one, and both have a service message."""
    group = telegram.group("Studio", ann)
    await bot.send_message(group.id, "x")
    grown = await group.migrate()
    upgraded = "Bad Request: group chat was upgraded to a supergroup chat"
    assert (await refused(telegram, bot.send_message(group.id, "x"), upgraded)).new_chat_id == grown.id
    old, new = await polled(bot)
    assert (old.message.migrate_to_chat_id, new.message.migrate_from_chat_id) == (grown.id, group.id)
    assert (await bot.send_message(grown.id, "x")).message_id == 2


async def test_topics(telegram, bot, ann):
    """Messages in a topic name it and reply to its first message; a closed topic, and the general topic by number, are refused."""
    forum = telegram.forum("Studio", ann)
    topic = forum.topic("Pictures")
    said = await ann.say(forum, "/x", topic=topic)
    await ann.say(forum, "/y")
    told, general = [one.message for one in (await polled(bot))[1:]]
    assert (told.is_topic_message, told.message_thread_id, told.reply_to_message.message_id) == (True, topic.id, topic.id)
    assert (general.is_topic_message, general.message_thread_id) == (None, None)
    await bot.send_message(forum.id, "z", reply_parameters=library.ReplyParameters(said.id))
    assert forum.messages[-1].topic is topic
    await refused(telegram, bot.send_message(forum.id, "x", message_thread_id=1), "Bad Request: message thread not found")
    await forum.topics[1].close()
    await refused(telegram, bot.send_message(forum.id, "x"), "Bad Request: TOPIC_CLOSED")
    await forum.topics[1].reopen()
    await bot.send_message(forum.id, "x")
    await topic.close()
    await refused(telegram, bot.send_message(forum.id, "x", message_thread_id=topic.id), "Bad Request: TOPIC_CLOSED")
    forum.add(telegram.bot, "administrator")
    await bot.send_message(forum.id, "x", message_thread_id=topic.id)
    await topic.delete()
    await refused(telegram, bot.send_message(forum.id, "x", message_thread_id=topic.id), "Bad Request: message thread not found")


async def test_who_is_what(telegram, bot, ann, group):
    """Members, administrators and chats can be queried; anonymous administrators and messages on behalf of a channel hide the user."""
    bob, channel = telegram.user("bob"), telegram.channel("News", ann, username="the_news")
    await bob.promote(group, anonymous=True, title="boss", lacking=["can_promote_members"])
    member = await bot.get_chat_member(group.id, bob.id)
    assert (member.status, member.custom_title, member.can_promote_members) == ("administrator", "boss", False)
    assert (await bot.get_chat_member(group.id, ann.id)).status == "member"
    assert [one.user.id for one in await bot.get_chat_administrators(group.id)] == [bob.id]
    await refused(telegram, bot.get_chat_member(group.id, 5), "Bad Request: user not found")
    private = "Bad Request: there are no administrators in the private chat"
    await refused(telegram, bot.get_chat_administrators(ann.id), private)
    eve = telegram.user("eve")
    group.add(eve, "restricted")
    assert ((await bot.get_chat_member(group.id, eve.id)).status, await bot.get_chat_member_count(group.id)) == ("restricted", 4)
    assert (await bot.get_chat("@the_news")).id == channel.id
    assert (await bot.get_chat(group.id)).permissions.can_send_photos
    await bob.say(group, "/x")
    await ann.say(group, "/y", as_chat=channel)
    await ann.say(channel, "news")
    hidden, masked, post = await polled(bot)
    assert (hidden.message.from_user.username, hidden.message.sender_chat.id) == ("GroupAnonymousBot", group.id)
    assert (masked.message.from_user.username, masked.message.sender_chat.id) == ("Channel_Bot", channel.id)
    assert (post.channel_post.text, post.channel_post.from_user) == ("news", None)
    said = await ann.say(group, "Bob, /x", mentions=[bob])
    assert [one["type"] for one in said.entities] == ["text_mention", "bot_command"]
    await refused(telegram, bot.delete_message(group.id, said.id), "Bad Request: message can't be deleted for everyone")


async def test_commands_by_scope_and_language(telegram, bot, ann, group):
    """Each scope and language has its own commands; a user sees those of the narrowest scope."""
    scope = library.BotCommandScopeChat(group.id)
    await bot.set_my_commands([("paint", "Paint")])
    await bot.set_my_commands([("male", "Malen")], language_code="de")
    await bot.set_my_commands([("group", "Here")], scope=scope)
    assert [one["command"] for one in telegram.commands_for(ann, ann.dm())] == ["male"]
    assert [one["command"] for one in telegram.commands_for(ann, group)] == ["group"]
    assert [one["command"] for one in telegram.commands_for(telegram.user("bob"), ann.dm())] == ["paint"]
    assert [one.command for one in await bot.get_my_commands(scope)] == ["group"]
    await bot.delete_my_commands(scope)
    assert (("chat", group.id), "") not in telegram.commands
    await refused(telegram, bot.set_my_commands([("Paint", "x")]), "Bad Request: BOT_COMMAND_INVALID")
    await refused(telegram, bot.set_my_commands([("paint", "")]), "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
    await refused(telegram, bot.set_my_commands([("paint", "x")] * 101), "Bad Request: BOT_COMMANDS_TOO_MUCH")
    await bot.set_my_description("It paints.", language_code="de")
    assert (await bot.get_my_description("de")).description == "It paints."
    await refused(telegram, bot.set_my_short_description("x" * 121), "Bad Request: BOT_SHORT_DESCRIPTION_INVALID")
    await bot.set_chat_menu_button(menu_button=library.MenuButtonCommands())
    assert telegram.menu_buttons == {None: {"type": "commands"}}
    assert (await bot.get_chat_menu_button(ann.id)).type == "commands"
    await ann.promote(group)
    await bot.set_my_commands([("rule", "Rule")], scope=library.BotCommandScopeAllChatAdministrators())
    assert [one["command"] for one in telegram.commands_for(ann, group)] == ["rule"]


async def test_what_is_sent_too_fast_is_refused(telegram, bot, group):
    """Messages and edits beyond the limit of a group are refused with the seconds to wait, after which they are accepted."""
    # So long that a busy machine sends everything within the same window.
    telegram.minute = 6000.0
    telegram.flood = {"chat": None, "group": 4}
    sent = await bot.send_message(group.id, "x")
    await bot.send_media_group(group.id, [picture(), picture()])
    await sent.edit_text("y")
    with pytest.raises(error.RetryAfter):
        await sent.edit_text("z")
    refusal = telegram.requests[-1]
    assert (refusal.status, telegram.floods) == (429, 1)
    seconds = re.fullmatch(r"Too Many Requests: retry after (\d+)", refusal.description)
    assert 1000 < int(seconds[1]) <= 1500
    for limits in ({"overall": 1, "chat": None, "group": None}, {"burst": 1}):
        telegram.flood = limits
        await bot.send_message(group.id, "x")
        with pytest.raises(error.RetryAfter):
            await bot.send_message(group.id, "x")


FAULTS = [
    (("429", 3), error.RetryAfter, "Too Many Requests: retry after 3"),
    (("flood", 3), error.RetryAfter, "Too Many Requests: retry after 3"),
    (("429-bare", 3), error.TelegramError, "Too Many Requests: retry after 3"),
    ((400, "CHAT_WRITE_FORBIDDEN"), error.BadRequest, "Bad Request: CHAT_WRITE_FORBIDDEN"),
    (401, error.InvalidToken, "Unauthorized"),
    (403, error.Forbidden, "Forbidden: bot was blocked by the user"),
    (404, error.InvalidToken, "Not Found"),
    (409, error.Conflict, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"),
    (413, error.NetworkError, "Request Entity Too Large"),
    (500, error.NetworkError, "Internal Server Error"),
    (502, error.NetworkError, "502 Bad Gateway"),
    (503, error.NetworkError, "Service Unavailable"),
    (504, error.NetworkError, "Gateway Timeout"),
    ("reset", error.NetworkError, None),
    ("cut", error.NetworkError, None),
]


@pytest.mark.parametrize(("kind", "raised", "words"), FAULTS)
async def test_a_fault_comes_before_anything_is_done(telegram, bot, ann, kind, raised, words):
    """An armed fault responds as Telegram would, counts its hits, and nothing is done; the next request succeeds."""
    fault = telegram.fault("send.*", kind, chat=None if kind == "cut" else ann.dm())
    with pytest.raises(raised):
        await bot.send_message(ann.id, "x")
    assert telegram.requests[-1].description == words
    assert (fault.hits, len(ann.dm().messages)) == (1, 1)
    if kind != ("flood", 3):
        await bot.send_message(ann.id, "x")


async def test_a_lost_answer_is_a_message_all_the_same(telegram, bot, ann):
    """A message is sent even if its response is cut, held or halved, and `slow` delays it."""
    for kind in ("timeout-after-success", "half", ("hold", 0.4)):
        telegram.fault("sendMessage", kind)
        with pytest.raises(error.NetworkError):
            await bot.send_message(ann.id, str(kind), read_timeout=0.2)
    assert len(ann.dm().messages) == 4
    telegram.fault("sendMessage", ("slow", 0.1))
    with pytest.raises(error.TimedOut):
        await bot.send_message(ann.id, "slow", read_timeout=0.05)
    sent = await bot.send_document(ann.id, PNG * 1000, filename="a.png")
    file = await bot.get_file(sent.document.file_id)
    for kind in ("half", "reset", 502):
        fault = telegram.fault("download", kind)
        with pytest.raises(error.NetworkError):
            await file.download_as_bytearray()
        assert fault.hits == 1
    assert bytes(await file.download_as_bytearray()) == PNG * 1000


async def test_an_outage_is_survived(telegram, app, ann):
    """The emulator can stop and restart at the same address with all its objects, including armed faults of polling."""
    fault = telegram.fault("getUpdates", 502)
    await telegram.stop()
    await telegram.start()
    await ann.say(ann.dm(), "meanwhile")
    await telegram.until(lambda: app.bot_data["heard"])
    assert fault.hits == 1


async def test_a_wrong_token_is_refused(telegram):
    """A bot with a wrong token fails at its first request, with 401, or with 404 if the token is malformed."""
    for token, status in ((f"{telegram.bot.id}:wrong", 401), ("wrong", 404)):
        made = client(telegram, token)
        with pytest.raises(error.InvalidToken):
            await made.initialize()
        await made.shutdown()
        assert telegram.requests[-1].status == status
    old = telegram.token
    assert telegram.new_token() != old
