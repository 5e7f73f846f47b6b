"""Forms as modals: shows the fields of a command, and reads the values submitted."""

from collections.abc import Iterator, Mapping
from typing import Any

import discord
from discord import ui

from adapters.discord.attachments import fetched, of_data
from bot.core.values import Given
from bot.framework.help import help_with
from bot.framework.params import Kind
from bot.framework.reply import Asked, Form
from bot.i18n.translate import text

#: The prefix of a modal's id; the wire of its command follows, so that it can be submitted after a restart.
FORM = "form:"

#: The same of one that asks what to paint from a picture that was laid aside.
SOURCE = "source:"

#: A modal has so many fields, a list so many lines, a text so many characters, a field's name and description so many.
_MOST_FIELDS, _MOST_OPTIONS, _MOST_TEXT, _MOST_LABEL, _MOST_HELP = 5, 25, 4_000, 45, 100

#: Longer texts get a large field.
_LARGE = 200


def modal(form: Form, known_as: str = "") -> ui.Modal:
    """Return a form as a modal; what it is `known_as` when it is sent in is its wire where nothing else is said."""
    shown = ui.Modal(title=form.title[:_MOST_LABEL], custom_id=known_as or f"{FORM}{form.wire}", timeout=None)
    # As with buttons nobody waits for this one: what is sent in says itself what it is.
    shown.stop()
    for asked in form.fields[:_MOST_FIELDS]:
        label = asked.name.capitalize()[:_MOST_LABEL]
        shown.add_item(ui.Label(text=label, description=help_with(asked.param), component=_field(asked)))
    return shown


def _field(asked: Asked) -> ui.TextInput[ui.Modal] | ui.Select[ui.Modal] | ui.FileUpload[ui.Modal]:
    param = asked.param
    if param.kind is Kind.PICTURE:
        return ui.FileUpload(custom_id=param.name, required=param.required, min_values=0, max_values=1)
    offered = param.choices or asked.offered
    if offered:
        values = dict.fromkeys((*([asked.value] if asked.value else []), *offered))
        options = [discord.SelectOption(label=one, value=one, default=one == asked.value) for one in values]
        return ui.Select(custom_id=param.name, options=options[:_MOST_OPTIONS], min_values=0, required=param.required)
    is_large = (param.longest or 0) > _LARGE
    return ui.TextInput(
        custom_id=param.name,
        style=discord.TextStyle.paragraph if is_large else discord.TextStyle.short,
        default=asked.value or None,
        placeholder=_range(asked) or None,
        required=param.required,
        max_length=min(param.longest or _MOST_TEXT, _MOST_TEXT),
    )


def _range(asked: Asked) -> str:
    low, high = asked.param.low, asked.param.high
    return text("discord-range", low=f"{low:g}", high=f"{high:g}") if low is not None and high is not None else ""


async def filled(client: discord.Client, data: Mapping[str, Any]) -> dict[str, Given]:
    """Return the values of a submitted modal, by the names of its fields: an empty field is included, and empty."""
    given: dict[str, Given] = {}
    attached = data.get("resolved", {}).get("attachments", {})
    for field in _fields(data.get("components", ())):
        name, values = field["custom_id"], [*field.get("values", ())]
        if field["type"] == discord.ComponentType.file_upload.value:
            given[name] = await fetched(client, of_data(attached[values[0]])) if values and values[0] in attached else b""
        else:
            given[name] = str(field.get("value") or (values[0] if values else ""))
    return given


def _fields(components: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the fields of a modal; each is in a label, or in a row."""
    for one in components:
        if "custom_id" in one:
            yield one
        yield from _fields([one["component"]] if "component" in one else one.get("components", ()))
