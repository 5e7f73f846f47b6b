"""The emulated Telegram, used by a plain python-telegram-bot bot: what it sends, shows and gets as answers."""

import asyncio
import io

import aiohttp
import pytest
from PIL import Image

from tests.emulators.telegram.library import telegram as library
from tests.emulators.telegram.plain_bot import PNG, keyboard, picture, png, polled, refused

error = library.error
TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"


async def test_a_command_is_answered_with_a_picture(telegram, app, ann):
    """A command arrives by polling; its answer is edited into a photo with a button, and the earlier version is kept."""
    said = await ann.say(ann.dm(), "/paint a circle")
    await telegram.until(lambda: ann.dm().messages[-1].photo)
    shown = ann.dm().messages[-1]
    assert shown.caption == "done"
    assert shown.photo.uploaded == PNG
    assert shown.keyboard == [[{"text": "Again", "callback_data": "again:1"}]]
    assert [one.words for one in shown.edits] == ["wait, a circle"]
    assert shown.edits[0].entities == [{"type": "bold", "offset": 6, "length": 8}]
    assert app.bot_data["heard"][0].message.message_id == said.id
    await telegram.until(lambda: telegram.updates_waiting == 0)
    assert (telegram.updates_delivered, telegram.updates_confirmed) == (1, 2)


@pytest.mark.usefixtures("app")
async def test_a_press_is_answered_once_and_in_time(telegram, bot, ann):
    """A press reaches the bot and is answered with an alert; a second or late answer is refused."""
    await ann.say(ann.dm(), "/paint x")
    await telegram.until(lambda: ann.dm().messages[-1].buttons() == [("Again", "again:1")])
    press = await ann.press(ann.dm().messages[-1], "Again")
    answer = await press.answered()
    assert (answer.text, answer.show_alert) == ("pressed again:1", True)
    await telegram.until(lambda: not press.message.keyboard)
    with pytest.raises(error.BadRequest):
        await bot.answer_callback_query(press.id)
    assert telegram.asked("answerCallbackQuery")[-1].description == TOO_OLD
    telegram.callback_seconds = 0.0
    await bot.send_message(ann.id, "x", reply_markup=keyboard())
    late = await ann.press(ann.dm().messages[-1], "again:1")
    await telegram.until(lambda: telegram.asked("answerCallbackQuery")[-1].args["callback_query_id"] == late.id)
    assert late.answer is None


@pytest.mark.usefixtures("app")
async def test_inline_results_are_proposed_and_sent(telegram, bot, ann):
    """A user sees the bot's inline results and sends one, and the bot edits it by its inline id."""
    results = await ann.inline("cat")
    assert ([one["title"] for one in results], results.next_offset) == (["One"], "more")
    sent = await ann.choose(results[0])
    assert (sent.words, sent.via, sent.entities[0]["type"]) == ("cat", telegram.bot, "italic")
    press = await ann.press(sent, "Again")
    assert (await press.answered()).text == "pressed again:1"
    await telegram.until(lambda: not sent.keyboard)
    assert await bot.edit_message_text("dog", inline_message_id=sent.inline_id) is True
    assert sent.words == "dog"
    with pytest.raises(error.BadRequest, match="new files to inline messages"):
        await bot.edit_message_media(picture(), inline_message_id=sent.inline_id)


async def test_inline_answers_are_checked(telegram, bot, ann, call):
    """Too many results, a duplicate, an unknown picture and an answer to no query are refused."""
    asking = asyncio.create_task(ann.inline("cat"))
    await telegram.until(lambda: telegram.queries)
    query = telegram.queries[0].id
    many = [library.InlineQueryResultCachedPhoto(str(number), "x") for number in range(51)]
    results = [one.to_dict() for one in many]  # the library itself sends at most fifty
    told = await call("answerInlineQuery", inline_query_id=query, results=results)
    assert told["description"] == "Bad Request: RESULTS_TOO_MUCH"
    told = await call("answerInlineQuery", inline_query_id=query, results=[{"type": "article", "id": "1", "title": "x"}])
    assert told["description"].endswith("Inline query result must contain input message content")
    wrong = "Bad Request: wrong file identifier/HTTP URL specified"
    await refused(telegram, bot.answer_inline_query(query, many[:1]), wrong)
    sent = await bot.send_photo(ann.id, PNG)
    known = library.InlineQueryResultCachedPhoto("1", sent.photo[-1].file_id)
    await refused(telegram, bot.answer_inline_query(query, [known, known]), "Bad Request: RESULT_ID_DUPLICATE")
    assert await bot.answer_inline_query(query, [known])
    assert (await ann.choose((await asking)[0])).photo.uploaded == PNG
    await refused(telegram, bot.answer_inline_query(query, [known]), TOO_OLD)


ROWS = library.InlineKeyboardMarkup([[library.InlineKeyboardButton("x", callback_data="x")] * 8] * 13)
WIDE = library.InlineKeyboardMarkup([[library.InlineKeyboardButton("x", callback_data="x")] * 9])
TEXTS = [
    ({"text": ""}, "message text is empty"),
    ({"text": " \n "}, "text must be non-empty"),
    ({"text": "x" * 4097}, "message is too long"),
    ({"text": "😀" * 2049}, "message is too long"),
    ({"text": "<b>x</b>" * 4097, "parse_mode": "HTML"}, "message is too long"),
    ({"text": "x", "parse_mode": "Word"}, "unsupported parse_mode"),
    ({"text": "x", "chat_id": 17}, "chat not found"),
    ({"text": "x", "chat_id": "@nobody_here"}, "chat not found"),
    ({"text": "x", "reply_markup": keyboard("é" * 33)}, "BUTTON_DATA_INVALID"),
    ({"text": "x", "reply_markup": keyboard("")}, "BUTTON_DATA_INVALID"),
    ({"text": "x", "reply_markup": ROWS}, "reply markup is too long"),
    ({"text": "x", "reply_markup": WIDE}, "reply markup is too long"),
    ({"text": "x", "reply_parameters": library.ReplyParameters(99)}, "message to be replied not found"),
    ({"text": "x", "message_thread_id": 99}, "message thread not found"),
    (
        {"text": "x", "entities": [library.MessageEntity("bold", 0, 2)]},
        "entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 1",
    ),
]


@pytest.mark.parametrize(("given", "words"), TEXTS)
async def test_what_telegram_refuses_is_refused(telegram, bot, ann, given, words):
    """A text beyond a limit is refused with Telegram's description and not sent."""
    await refused(telegram, bot.send_message(**{"chat_id": ann.id} | given), f"Bad Request: {words}")
    assert len(ann.dm().messages) == 1


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("<h1>x</h1>", 'Unsupported start tag "h1" at byte offset 0'),
        ("é <b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("é <b>x</i>", 'Unmatched end tag at byte offset 7, expected "</b>", found "</i>"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("1 <3", "Unclosed start tag at byte offset 2"),
        ("1 < 3 >", 'Unsupported start tag "" at byte offset 2'),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("<a href='x>y</a", "Unclosed start tag at byte offset 0"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
    ],
)
async def test_broken_html_is_refused(telegram, bot, ann, raw, words):
    """Invalid HTML is refused with the byte offset."""
    await refused(telegram, bot.send_message(ann.id, raw, "HTML"), f"Bad Request: can't parse entities: {words}")


async def test_html_becomes_text_and_entities(bot, ann):
    """Markup becomes entities counted in UTF-16, escaped characters become text, and links are detected."""
    raw = (
        "  😀 <b>bold <i>both</i></b> &lt;x&gt; &amp;amp; &#33; &copy; <a href='https://a.example/'>there</a> "
        '<pre><code class="language-py">print()</code></pre> <tg-spoiler>psst</tg-spoiler> https://t.me/x @the_ann /help  '
    )
    sent = await bot.send_message(ann.id, raw, "HTML")
    said = ann.dm().messages[-1]
    assert said.text == "😀 bold both <x> &amp; ! &copy; there print() psst https://t.me/x @the_ann /help"
    found = {entity.type: text for entity, text in sent.parse_entities().items()}
    assert found == {
        **{"bold": "bold both", "italic": "both", "text_link": "there", "pre": "print()", "spoiler": "psst"},
        **{"url": "https://t.me/x", "mention": "@the_ann", "bot_command": "/help"},
    }
    assert next(one for one in said.entities if one["type"] == "pre")["language"] == "py"
    assert len((await bot.send_message(ann.id, "<b>x</b>" * 4000, "HTML")).text) == 4000
    raw = f'<a href="tg://user?id={ann.id}">Ann</a> <a href="nowhere">x</a><blockquote expandable>long</blockquote>'
    sent = await bot.send_message(ann.id, raw, "HTML")
    assert [(one.type, one.user and one.user.id) for one in sent.entities] == [("text_mention", ann.id), ("expandable_blockquote", None)]
    sent = await bot.send_message(ann.id, " x y", entities=[library.MessageEntity("bold", 1, 1), library.MessageEntity("url", 3, 1)])
    assert [one.to_dict() for one in sent.entities] == [{"type": "bold", "offset": 0, "length": 1}]


async def test_a_photo_becomes_smaller_jpegs(telegram, bot, ann):
    """A photo is stored as JPEG in several sizes, downloads as JPEG, and can be sent again by its id."""
    sent = await bot.send_photo(ann.id, png(400, 200), caption="<b>x</b>", parse_mode="HTML", has_spoiler=True, filename="a.png")
    assert [(one.width, one.height) for one in sent.photo] == [(90, 45), (320, 160), (400, 200)]
    file = await bot.get_file(sent.photo[-1].file_id)
    data = bytes(await file.download_as_bytearray())
    assert Image.open(io.BytesIO(data)).format == "JPEG"
    said = ann.dm().messages[-1]
    assert (said.photo.data, said.photo.uploaded) == (data, png(400, 200))
    assert (said.caption, said.has_spoiler, sent.has_media_spoiler) == ("x", True, True)
    again = await bot.send_photo(ann.id, sent.photo[-1].file_id)
    assert again.photo[-1].file_unique_id == sent.photo[-1].file_unique_id
    telegram.file_seconds = -1
    file = await bot.get_file(sent.photo[0].file_id)
    with pytest.raises(error.TelegramError):
        await file.download_as_bytearray()


async def test_a_document_stays_what_it_is(telegram, bot, ann):
    """A document keeps its bytes and name, an animation its size; a file of another kind cannot be sent as a photo."""
    sent = await bot.send_document(ann.id, PNG, filename="original.png", caption="it")
    assert (sent.document.file_name, sent.document.mime_type) == ("original.png", "image/png")
    assert bytes(await (await bot.get_file(sent.document.file_id)).download_as_bytearray()) == PNG
    assert ann.dm().messages[-1].document.data == PNG
    film = await bot.send_animation(ann.id, b"film", filename="film.mp4", width=64, height=48, duration=2)
    assert (film.animation.width, film.document.file_name) == (64, "film.mp4")
    gif = io.BytesIO()
    Image.new("RGB", (30, 20)).save(gif, "GIF")
    moving = await bot.send_document(ann.id, gif.getvalue(), filename="a.gif")
    assert (moving.animation.width, ann.dm().messages[-1].animation.data) == (30, gif.getvalue())
    still = await bot.send_document(ann.id, gif.getvalue(), filename="a.gif", disable_content_type_detection=True)
    assert still.animation is None
    mixed = "Bad Request: can't use file of type Document as Photo"
    await refused(telegram, bot.send_photo(ann.id, sent.document.file_id), mixed)
    await refused(telegram, bot.get_file("nothing"), "Bad Request: invalid file_id")
    big = await ann.document(ann.dm(), bytes(21 * 1024 * 1024), "big.bin")
    await refused(telegram, bot.get_file(big.document.file_id), "Bad Request: file is too big")


def buttons(*row):
    """Return arguments with a keyboard as it is on the wire."""
    return {"text": "x", "reply_markup": {"inline_keyboard": [row]}}


NO_TEXT = 'can\'t parse inline keyboard button: Field "text" must be of type String'
WRONG = [
    ("sendMessage", {"chat_id": "", "text": "x"}, "chat_id is empty"),
    ("sendMessage", {"text": "*x*", "parse_mode": "MarkdownV2"}, "can't parse entities: Markdown is not emulated, send HTML or entities"),
    ("sendMessage", buttons({"text": "x"}), "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"),
    ("sendMessage", buttons({"callback_data": "x"}), NO_TEXT),
    ("sendMessage", buttons({"text": " ", "callback_data": "x"}), "BUTTON_TEXT_INVALID"),
    ("sendMessage", buttons({"text": "x", "callback_data": "x", "url": "a.example"}), "BUTTON_TYPE_INVALID"),
    ("sendMessage", buttons({"text": "x", "url": "no where"}), "inline keyboard button URL 'no where' is invalid: Wrong HTTP URL"),
    ("sendMessage", {"text": "x", "reply_markup": "[]"}, "object expected as reply markup"),
    ("sendMessage", {"text": "x", "reply_parameters": {"message_id": 1, "chat_id": 5}}, "chat not found"),
    ("sendPhoto", {}, "there is no photo in the request"),
    ("sendPhoto", {"photo": "attach://lost"}, "wrong file identifier/HTTP URL specified"),
    ("sendMediaGroup", {"media": [{"type": "photo"}]}, "can't parse InputMedia: media not found"),
    ("sendMediaGroup", {"media": [{"type": "sticker", "media": "x"}]}, 'can\'t parse InputMedia: type "sticker" is unsupported'),
    ("sendMediaGroup", {"media": {}}, "expected an Array of InputMedia"),
    ("sendMediaGroup", {"media": [], "reply_markup": {}}, "reply markup can't be used in sendMediaGroup"),
    ("sendChatAction", {"action": "dancing"}, "wrong parameter action in request"),
    ("setMessageReaction", {"message_id": 1001, "reaction": [{"type": "emoji", "emoji": "👍"}] * 2}, "REACTIONS_TOO_MANY"),
    ("editMessageText", {"chat_id": None, "text": "x"}, "message identifier is not specified"),
    ("editMessageText", {"text": "x", "inline_message_id": "x"}, "MESSAGE_ID_INVALID"),
    ("editMessageMedia", {"message_id": 1001}, 'parameter "media" is required'),
    ("deleteMessages", {"message_ids": []}, "message identifiers are not specified"),
    ("getFile", {}, "file_id not specified"),
    ("leaveChat", {}, "chat member status can't be changed in private chats"),
    ("answerCallbackQuery", {"callback_query_id": "1"}, TOO_OLD.removeprefix("Bad Request: ")),
    ("setMyCommands", {"commands": [], "language_code": "deu"}, "LANG_CODE_INVALID"),
    ("setMyCommands", {"commands": [], "scope": {"type": "planet"}}, "can't parse BotCommandScope: unsupported type specified"),
    ("setMyCommands", {"commands": [], "scope": {"type": "chat", "chat_id": 5}}, "chat not found"),
    ("setWebhook", {"url": "ftp://a.example"}, "invalid webhook URL specified"),
    ("setWebhook", {"url": "https://a.example", "secret_token": "x" * 257}, "secret token is too long"),
]


@pytest.mark.parametrize(("method", "args", "words"), WRONG)
async def test_what_is_wrong_is_refused(telegram, ann, call, method, args, words):
    """Arguments that no library would send are refused with Telegram's description, and nothing is done."""
    told = await call(method, **{"chat_id": ann.id} | args)
    assert (told["error_code"], told["description"]) == (400, f"Bad Request: {words}")
    assert (len(ann.dm().messages), telegram.commands, telegram.updates.webhook.url) == (1, {}, "")


PHOTOS = [
    (b"no picture", {}, "IMAGE_PROCESS_FAILED"),
    (PNG[:60], {}, "IMAGE_PROCESS_FAILED"),
    (b"", {}, "file must be non-empty"),
    (png(9000, 1100), {}, "PHOTO_INVALID_DIMENSIONS"),
    (png(210, 10), {}, "PHOTO_INVALID_DIMENSIONS"),
    (
        PNG + bytes(10 * 1024 * 1024),
        {},
        f"file of size {len(PNG) + 10485760} bytes is too big for a photo; the maximum size is 10485760 bytes",
    ),
    (PNG, {"caption": "x" * 1025}, "message caption is too long"),
]


@pytest.mark.parametrize(("data", "given", "words"), PHOTOS)
async def test_a_bad_photo_is_refused(telegram, bot, ann, data, given, words):
    """A photo that is no image, too large or too elongated is refused, and so is a caption that is too long."""
    await refused(telegram, bot.send_photo(ann.id, library.InputFile(data, "a.png"), **given), f"Bad Request: {words}")


async def test_an_upload_that_is_too_large_is_refused(telegram, bot, ann):
    """An upload of more than 50 MiB is refused."""
    await refused(telegram, bot.send_document(ann.id, bytes(50 * 1024 * 1024 + 1), filename="a"), "Request Entity Too Large", 413)


NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a "
    "current content and reply markup of the message"
)


async def test_an_edit_must_change_something(telegram, bot, ann):
    """An edit without a change is refused, a keyboard that is not sent again is removed, and a missing message cannot be edited."""
    sent = await bot.send_message(ann.id, "one", reply_markup=keyboard())
    said = ann.dm().messages[-1]
    await refused(telegram, sent.edit_text("<b></b>one", "HTML", reply_markup=keyboard()), NOT_MODIFIED)
    await sent.edit_text("one")
    assert (said.buttons(), [one.buttons() for one in said.edits]) == ([], [[("Again", "again:1")]])
    await refused(telegram, sent.edit_caption("x"), "Bad Request: there is no caption in the message to edit")
    await sent.edit_media(picture())
    await refused(telegram, sent.edit_text("x"), "Bad Request: there is no text in the message to edit")
    for message, words in ((999, "message to edit not found"), (ann.dm().messages[0].id, "message can't be edited")):
        await refused(telegram, bot.edit_message_text("x", ann.id, message), f"Bad Request: {words}")
    asked = await bot.send_message(ann.id, "x", reply_markup=library.ForceReply())
    await refused(telegram, asked.edit_text("y"), "Bad Request: message can't be edited")
    await sent.delete()
    assert said.is_deleted
    await refused(telegram, sent.edit_text("x"), "Bad Request: message to edit not found")
    await refused(telegram, sent.delete(), "Bad Request: message to delete not found")


@pytest.mark.parametrize("is_same", [False, True])
async def test_the_same_picture_again(telegram, bot, ann, is_same):
    """A picture sent by its id counts as unchanged; whether a repeated upload does is configurable."""
    telegram.same_upload_is_same = is_same
    sent = await bot.send_photo(ann.id, PNG, caption="x")
    by_id = library.InputMediaPhoto(sent.photo[-1].file_id, caption="x")
    await refused(telegram, sent.edit_media(by_id), NOT_MODIFIED)
    if is_same:
        await refused(telegram, sent.edit_media(picture(caption="x")), NOT_MODIFIED)
    else:
        assert (await sent.edit_media(picture(caption="x"))).photo[-1].file_unique_id != sent.photo[-1].file_unique_id


async def test_an_album_is_one_message_for_each(telegram, bot, ann):
    """The messages of an album share an id; an album that is too small or mixed is refused, and its items keep their kind."""
    sent = await bot.send_media_group(ann.id, [picture(caption="all"), picture(png(colour="blue"))])
    said = ann.dm().messages[-2:]
    assert [one.caption for one in said] == ["all", None]
    assert len({one.media_group_id for one in said} | {one.media_group_id for one in sent}) == 1
    document = library.InputMediaDocument(PNG, filename="a.png")
    for items, words in (
        ([picture(), document], "document can't be mixed with other media types"),
        ([picture()], "there must be at least two messages in an album"),
        ([picture()] * 11, "too many messages to send as an album"),
    ):
        await refused(telegram, bot.send_media_group(ann.id, items), f"Bad Request: {words}")
    await sent[1].edit_caption("<tg-spoiler>new</tg-spoiler>", parse_mode="HTML", show_caption_above_media=True)
    assert (said[1].caption, said[1].entities[0]["type"], said[1].is_caption_above) == ("new", "spoiler", True)
    wrong = "Bad Request: can't use the media of the specified type in the album"
    await refused(telegram, sent[0].edit_media(document), wrong)
    album = await ann.album(ann.dm(), [PNG, PNG], caption="mine", documents=True)
    assert [one.document.data for one in album] == [PNG, PNG]
    assert len({one.message.media_group_id for one in await polled(bot)}) == 1


async def test_copies_and_reactions(telegram, bot, ann):
    """A copy is a message of the bot, a forward names its origin, and only known reactions are accepted."""
    sent = await bot.send_photo(ann.id, PNG, caption="x", protect_content=True)
    await refused(telegram, sent.forward(ann.id), "Bad Request: message can't be forwarded")
    said = await ann.photo(ann.dm(), PNG, caption="mine")
    await bot.copy_message(ann.id, ann.id, said.id, caption="copy")
    assert (ann.dm().messages[-1].caption, ann.dm().messages[-1].photo) == ("copy", said.photo)
    forwarded = await bot.forward_message(ann.id, ann.id, said.id)
    assert forwarded.forward_origin.sender_user.id == ann.id
    posted = await ann.say(telegram.channel("News", ann), "news")
    forwarded = await bot.forward_message(ann.id, posted.chat.id, posted.id)
    assert forwarded.forward_origin.chat.id == posted.chat.id
    await bot.set_message_reaction(ann.id, said.id, "👀")
    assert said.reactions == {telegram.bot.id: [{"type": "emoji", "emoji": "👀"}]}
    await refused(telegram, bot.set_message_reaction(ann.id, said.id, "🧪"), "Bad Request: REACTION_INVALID")
    await ann.react(said, "👍")
    assert telegram.updates_waiting == 2  # reactions must be requested
    assert await bot.delete_messages(ann.id, [said.id, 999])
    await bot.send_chat_action(ann.id, "upload_photo")
    assert telegram.actions == [(ann.dm(), "upload_photo", None)]


async def test_replies_and_quotes(telegram, bot, ann, group):
    """A reply contains the original message and the quote; if the original is gone, it is sent without it if that is allowed."""
    said = await ann.say(group, "/paint a circle")
    quoting = library.ReplyParameters(said.id, quote="a circle")
    sent = await bot.send_message(group.id, "yes", reply_parameters=quoting)
    assert (sent.reply_to_message.text, sent.quote.text, sent.quote.position) == ("/paint a circle", "a circle", 7)
    assert group.messages[-1].reply_to is said
    unsaid = library.ReplyParameters(said.id, quote="a square")
    await refused(telegram, bot.send_message(group.id, "x", reply_parameters=unsaid), "Bad Request: QUOTE_TEXT_INVALID")
    await ann.delete(said)
    lost = library.ReplyParameters(said.id, allow_sending_without_reply=True)
    assert (await bot.send_message(group.id, "x", reply_parameters=lost)).reply_to_message is None


async def test_arguments_come_in_four_ways(telegram, ann):
    """Arguments are accepted as query, form, multipart and JSON; the name of a method is case-insensitive."""
    url, said = f"{telegram.api_base}{telegram.token}/sendmessage", {"chat_id": str(ann.id), "text": "true"}
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in said.items():
        form.add_field(name, value)
    async with aiohttp.ClientSession() as session:
        for sent in ({"params": said}, {"data": said}, {"data": form}, {"json": {"chat_id": ann.id, "text": "true"}}):
            async with session.post(url, **sent) as answer:
                assert answer.status == 200, await answer.text()
        for sent in ({"data": b"{", "headers": {"Content-Type": "application/json"}}, {"data": said | {"reply_markup": "{"}}):
            async with session.post(url, **sent) as answer:
                assert "can't parse" in (await answer.json())["description"]
    assert [one.text for one in ann.dm().messages[1:]] == ["true"] * 4
    assert telegram.asked("sendMessage")[0].args == {"chat_id": ann.id, "text": "true"}


STRAYS = [
    ({"text": "x", "chat_id": 1.5}, "chat_id"),
    ({"text": "x", "texd": "y"}, "texd"),
    ({"text": "x", "link_preview_options": {"is_off": True}}, "link_preview_options.is_off"),
    ({"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "x", "callback_data": 7}]]}}, "reply_markup.inline_keyboard"),
    ({"text": "x", "reply_markup": {"force_reply": True, "input_field_placeholder": "x" * 65}}, "input_field_placeholder"),
    ({"text": "x", "entities": [{"type": "bold", "offset": 0}]}, "entities[0].length is required"),
]


@pytest.mark.parametrize(("given", "channel"), STRAYS)
async def test_what_the_document_does_not_know_is_noticed(telegram, bot, ann, call, given, channel):
    """A request that violates Telegram's document is recorded in `rejected` and refused, and nothing is done."""
    if not telegram.is_validating:
        pytest.skip("The machine-readable Bot API is not at hand")
    await bot.send_message(ann.id, "fine")
    assert telegram.rejected == []
    assert (await call("sendMessage", **{"chat_id": ann.id} | given))["error_code"] == 400
    assert any(channel in one for one in telegram.rejected), telegram.rejected
    assert len(ann.dm().messages) == 2


async def test_without_the_document_the_rest_is_refused_all_the_same(telegram, bot, ann):
    """Without Telegram's document, only the emulator's own checks refuse requests."""
    telegram.schema = None
    assert not telegram.is_validating
    await refused(telegram, bot.send_message(ann.id, "x" * 4097), "Bad Request: message is too long")
    await refused(telegram, bot.send_photo(ann.id, "nothing"), "Bad Request: wrong file identifier/HTTP URL specified")
    await refused(telegram, bot.send_photo(ann.id, "https://a.example/a.png"), "Bad Request: failed to get HTTP URL content")
    assert telegram.rejected == []


async def test_an_unknown_method_is_noticed(telegram, bot):
    """A method that is not emulated is refused as unknown and recorded in `rejected`."""
    with pytest.raises(error.InvalidToken):
        await bot.send_dice(1)
    assert telegram.rejected == ["sendDice: no such method here"]
