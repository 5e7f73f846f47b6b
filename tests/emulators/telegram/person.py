"""Actions of a user on Telegram: write, send pictures, press buttons, block the bot."""

from itertools import count

from tests.emulators.telegram import markup
from tests.emulators.telegram.access import ADMINISTRATOR, CREATOR, KICKED, LEFT, MEMBER
from tests.emulators.telegram.inline import drafted
from tests.emulators.telegram.keyboards import deed
from tests.emulators.telegram.media import Animation, Document, Photo
from tests.emulators.telegram.messages import Draft, Message
from tests.emulators.telegram.routing import Upload
from tests.emulators.telegram.uses import Press, Query
from tests.emulators.telegram.world import Chat, Member, Topic, User


class Person(User):
    """A human user."""

    _dm: Chat | None = None

    def dm(self):
        """Return the private chat of this user and the bot; the bot cannot write there before the user has."""
        if self._dm is None:
            self._dm = Chat(self.telegram, "private", self.id, user=self)
        return self._dm

    async def start(self, payload="", chat=None):
        """Press the start button, or follow a link that ends in `?start=payload`; in a group, `?startgroup=payload`."""
        command = "/start" if chat is None else f"/start@{self.telegram.bot.username}"
        if chat is None:
            await self.unblock()
        return await self.say(chat or self.dm(), f"{command} {payload}".strip())

    async def say(self, chat, text, *, reply_to=None, topic=None, mentions=(), quote=None, as_chat=None, via=None):
        """Send a text; `mentions` are users mentioned by name in it, `as_chat` is the channel on whose behalf it is sent."""
        entities = [self._mention(text, one) for one in mentions]
        entities += markup.detected(text, entities)
        draft = Draft(text=text, entities=sorted(entities, key=lambda one: one["offset"]))
        return self._said(chat, draft, reply_to, topic, quote=quote, as_chat=as_chat, via=via)

    def _mention(self, text, user):
        name = user.name.title()
        assert name in text, f"{name} is not in {text!r}"
        channel = {"offset": markup.units(text[: text.index(name)]), "length": markup.units(name)}
        return {"type": "text_mention", **channel, "user": user.payload()}

    async def photo(self, chat, data, *, caption="", reply_to=None, topic=None, spoiler=False, as_chat=None):
        """Send a photo."""
        media = Photo(self.telegram, Upload("photo.png", data))
        return self._said(chat, self._shown(media, caption, spoiler), reply_to, topic, as_chat=as_chat)

    async def document(self, chat, data, name="file.png", *, caption="", reply_to=None, topic=None, as_chat=None):
        """Send a file as a document."""
        media = Document(self.telegram, Upload(name, data))
        return self._said(chat, self._shown(media, caption), reply_to, topic, as_chat=as_chat)

    async def animation(self, chat, data, name="film.mp4", *, caption="", reply_to=None, topic=None):
        """Send a silent video."""
        return self._said(chat, self._shown(Animation(self.telegram, Upload(name, data)), caption), reply_to, topic)

    async def album(self, chat, pictures, *, caption="", documents=False, reply_to=None, topic=None):
        """Send several pictures as an album of photos or documents: one message each, with the caption on the first."""
        group, made = str(next(self.telegram.ids.albums)), []
        for number, data in zip(count(), pictures):
            upload = Upload(f"picture{number + 1}.png", data)
            media = Document(self.telegram, upload) if documents else Photo(self.telegram, upload)
            draft = self._shown(media, caption if number == 0 else "")
            made.append(self._said(chat, draft, reply_to, topic, group_id=group))
        return made

    def _shown(self, media, caption, spoiler=False):
        return Draft(caption=caption or None, entities=markup.detected(caption), media=media, has_spoiler=spoiler)

    def _said(self, chat, draft, reply_to=None, topic=None, *, as_chat=None, **more) -> Message:
        self._enter(chat)
        thread = topic.id if isinstance(topic, Topic) else topic
        if thread is None and reply_to and reply_to.topic:
            thread = reply_to.message_thread_id
        assert thread is None or thread in chat.topics, f"{chat} has no topic {thread}"
        thread = None if thread == 1 else thread
        sender, sender_chat = self._appears(chat, as_chat)
        return self.telegram.add_message(chat, sender, draft, thread=thread, reply_to=reply_to, sender_chat=sender_chat, **more)

    def _appears(self, chat, as_chat):
        """Return (sender, sender chat): posts in a channel, anonymous administrators and messages on behalf of a channel hide the user."""
        if chat.kind == "channel":
            return None, chat
        if as_chat:
            return self.telegram.channel_bot, as_chat
        if not chat.user and chat.members[self.id].is_anonymous:
            return self.telegram.anonymous, chat
        return self, None

    def _enter(self, chat):
        assert chat.user in (None, self), f"{self.name} does not see {chat}"
        assert not chat.moved_to, f"{chat} has become {chat.moved_to}"
        if chat.user:
            assert not chat.is_blocked, f"{self.name} has blocked the bot"
            chat.is_started = True
        elif chat.kind == "channel":
            assert chat.is_admin(self), f"{self.name} may not post in {chat}"
        elif chat.status_of(self) in (LEFT, KICKED):
            chat.add(self)

    async def edit(self, message, words):
        """Edit one of the user's own messages."""
        assert not message.is_deleted, "The message is gone"
        after = message.before_edit()
        name = "caption" if message.media else "text"
        setattr(after, name, words)
        after.entities = markup.detected(words)
        self.telegram.edit_message(message, after)
        return message

    async def delete(self, message):
        """Delete a message; the bot is not notified."""
        self.telegram.delete_message(message)

    async def press(self, message, button):
        """Press a button, named by its text or its callback data."""
        found = [one for row in message.keyboard for one in row if button in (one["text"], one.get("callback_data"))]
        assert found, f"No button {button!r} among {message.buttons()}"
        assert "callback_data" in found[0], f"{button!r} tells the bot nothing: {deed(found[0])}"
        assert not message.is_deleted, "The message is gone"
        assert message.chat.user in (None, self), f"{self.name} does not see {message.chat}"
        press = Press(self.telegram, self, message, found[0]["callback_data"])
        self.telegram.presses.append(press)
        self.telegram.updates.add("callback_query", press.payload(), about=press, key=self.id)
        return press

    async def inline(self, query, *, offset="", chat_type="sender", timeout=90.0):  # noqa: ASYNC109 - says how long a person waits
        """Type `@bot query` in a chat, and return the bot's results: a list with a `next_offset`."""
        assert self.telegram.is_inline, "The bot has no inline mode"
        asked = Query(self.telegram, self, query, offset, chat_type)
        self.telegram.queries.append(asked)
        self.telegram.updates.add("inline_query", asked.payload(), about=asked, key=self.id)
        await self.telegram.until(lambda: asked.answer is not None, timeout)
        return asked.answer

    async def choose(self, result, chat=None, query=""):
        """Send one of the results to a chat; the bot receives which, as if that feedback were switched on."""
        channel = chat or self.dm()
        sent = self._said(channel, drafted(self.telegram, result), via=self.telegram.bot)
        told = {"result_id": result["id"], "from": self.payload(), "query": query}
        if sent.reply_markup:
            sent.inline_id = f"AgAAA{sent.id}x{abs(channel.id)}"
            told["inline_message_id"] = sent.inline_id
        self.telegram.updates.add("chosen_inline_result", told, key=self.id)
        return sent

    async def react(self, message, *emoji):
        """Replace the user's reactions to a message; the bot is notified if it requested that."""
        old, new = message.reactions.get(self.id, []), [{"type": "emoji", "emoji": one} for one in emoji]
        message.reactions[self.id] = new
        told = {"chat": message.chat.payload(), "message_id": message.id, "user": self.payload(), "date": self.telegram.now()}
        if message.chat.user or message.chat.is_admin(self.telegram.bot):
            self.telegram.updates.add("message_reaction", told | {"old_reaction": old, "new_reaction": new}, key=message.chat.id)

    async def block(self):
        """Block the bot."""
        self._blocks(is_blocked=True)

    async def unblock(self):
        """Unblock the bot."""
        self._blocks(is_blocked=False)

    def _blocks(self, *, is_blocked):
        chat, bot = self.dm(), self.telegram.bot
        if chat.is_blocked == is_blocked:
            return
        chat.is_blocked = is_blocked
        old, new = Member(bot, MEMBER if is_blocked else KICKED), Member(bot, KICKED if is_blocked else MEMBER)
        self.telegram.updates.add("my_chat_member", chat.changed_member(self, old, new), key=chat.id)

    async def join(self, chat):
        """Join a group, with a service message."""
        self._becomes(chat, MEMBER)
        return chat.happened({"new_chat_members": [self.payload()]}, by=self)

    async def leave(self, chat):
        """Leave a group, with a service message."""
        self._becomes(chat, LEFT)
        return chat.happened({"left_chat_member": self.payload()}, by=self)

    async def promote(self, chat, *, anonymous=False, title=None, lacking=(), creator=False):
        """Become an administrator or the creator; `lacking` are the rights that this administrator does not have."""
        self._becomes(chat, CREATOR if creator else ADMINISTRATOR, anonymous=anonymous, title=title, lacking=lacking)
        return self

    async def demote(self, chat):
        """Become an ordinary member again."""
        self._becomes(chat, MEMBER)
        return self

    def _becomes(self, chat, status, **more):
        old = chat.members.get(self.id) or Member(self, LEFT)
        chat.add(self, status, **more)
        if chat.is_admin(self.telegram.bot):  # only an administrator receives updates about other members
            self.telegram.updates.add("chat_member", chat.changed_member(self, old, chat.members[self.id]), key=chat.id)
