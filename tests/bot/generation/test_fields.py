"""Every generation field is on every surface that its row in the table names, and on no other."""

import inspect
import re
from pathlib import Path

import msgspec
import pytest

from adapters.cli.main import paint
from bot.commands import COMMANDS, reference
from bot.core.errors import BadInput
from bot.framework.help import param_keys
from bot.framework.params import Params
from bot.generation import resolve
from bot.generation.fields import CHANGEABLE, FIELDS, GenerationField, GenerationFields, GenerationParams, Row, label, taking
from bot.generation.param_types import JobId
from bot.generation.resolve import ModelCatalog
from bot.i18n.translate import ENGLISH, LANGUAGES, keys, speaking
from bot.presets.template import Body, checked
from bot.store.users.users import SavedDefaults
from inference.contract.inputs import Input, Role
from inference.contract.request import TRAITS, PictureRequest, Prompt
from inference.demo import WEIGHTS
from inference.images.metadata import parameters
from inference.models.registry import read_catalogue
from tests.fields import example

KNOWN = {one.name: one for one in COMMANDS}
DEMO = read_catalogue([], None, WEIGHTS)["demo"]
DOCS = Path(__file__).parents[3] / reference.FILE

#: A field that is on no surface: every check of a surface must report it as missing.
GHOST = GenerationField("ghost", Row(priced=True, limit="whole"), GenerationFields.model_fields["steps"], int)

#: Fields that are not in A1111's settings line: the prompt stands before it, and the file is one of `count` pictures.
UNWRITTEN = {"prompt", "count", "image", "preset", "smaller"}


def taken(name):
    """Return a surface: the fields of the table that a command accepts."""

    def look(_fields):
        infos = KNOWN[name].params_type.model_fields.items()
        return {field for field, info in infos if any(isinstance(mark, Row) for mark in info.metadata)}

    return look


def accepted(body):
    """Return a surface: the fields with which a preset's body is valid."""

    def look(fields):
        return {name for name in fields if is_accepted(name)}

    def is_accepted(name):
        try:
            checked(body(name))
        except BadInput:
            return False
        return True

    return look


def asked(**changes):
    """Return a request in which every field has a value."""
    base = PictureRequest(prompt=Prompt.plain("a boat"), model="demo", width=64, height=72, steps=5, guidance=4.0, scheduler="ddim", seed=3)
    values = {one: example(one) for one in FIELDS if one in PictureRequest.__struct_fields__ and one not in ("prompt", "negative", "model")}
    return msgspec.structs.replace(base, **{**values, "negative": Prompt.plain("fog"), **changes})


def other(value):
    """Return another value of the same type."""
    if isinstance(value, Prompt):
        return Prompt.plain(f"{value.text} more")
    if isinstance(value, bool):
        return not value
    return f"{value} more" if isinstance(value, str) else 4 * value + 8


def changing(said):
    """Return a surface: the fields that change a result computed from the request."""

    def look(fields):
        request = asked()
        of_request = {name: one.becomes for name, one in fields.items() if set(one.becomes) <= set(PictureRequest.__struct_fields__)}
        changed = {
            name: [msgspec.structs.replace(request, **{part: other(getattr(request, part))}) for part in parts]
            for name, parts in of_request.items()
        }
        return {name for name, requests in changed.items() if any(said(one) != said(request) for one in requests)}

    return look


def settled(fields):
    """Return the fields that take effect as defaults."""
    (layer,) = resolve.layers(SavedDefaults(user={name: "demo" for name in fields}), ("demo",))
    return set(layer.values)


def pinned(_fields):
    """Return the fields that a repeated request takes from the first request, and not from today's model."""
    params = GenerationParams(prompt="a boat", image="key")
    return {name for name, value in resolve.pinned(params, asked()).model_dump().items() if value != getattr(params, name)}


def written(_fields):
    """Return the fields in A1111's text."""
    text = parameters(asked(inputs=(Input(Role.INIT),)), DEMO, 3, (64, 72))
    return {name for name, one in FIELDS.items() if one.traits.infotext and f"{one.traits.infotext}: " in text}


def documented(_fields):
    """Return the fields whose syntax the command reference explains."""
    section = DOCS.read_text(encoding="utf-8").partition("## imagine\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(?:--|<)(\w+)", section, re.MULTILINE))


def described(_fields):
    """Return the fields that have a description and a label in every language."""
    params = {one.name: one for one in KNOWN["imagine"].params}
    others = [keys(language) for language in LANGUAGES if language != ENGLISH]
    found = {name for name, one in params.items() if one.help and all(set(param_keys(one)) & known for known in others)}
    return {name for name in found if FIELDS[name].row.fact is False or all(is_labelled(name, language) for language in LANGUAGES)}


def is_labelled(name, language):
    """Return whether a language has a label for a field."""
    with speaking(language):
        return bool(label(name)) and "fact-" not in label(name)


OFFER = ModelCatalog({"demo": DEMO}, "demo", factors={"demo more": 3.0})

#: Each surface: the fields that it has, and those that it should have.
SURFACES = {
    "imagine": (taken("imagine"), lambda _: True),
    "explain": (taken("explain"), lambda _: True),
    "settings": (taken("settings"), lambda one: one.row.settable),
    "settle": (taken("settle"), lambda one: one.row.settable),
    "preset_save": (taken("preset_save"), lambda one: one.row.preset),
    "preset_edit": (taken("preset_edit"), lambda one: one.row.preset),
    "preset_use": (taken("preset_use"), lambda one: one.row.changeable),
    "fill": (taken("fill"), lambda one: one.row.changeable and not (one.is_image or one.row.of_image)),
    "share": (taken("share"), lambda one: one.row.shared),
    "edit": (taken("edit"), lambda one: one.row.changeable),
    "branch": (taken("branch"), lambda one: one.row.changeable),
    "easel paint": (lambda _: set(inspect.signature(paint).parameters) & set(FIELDS) - {"prompt"}, lambda one: one.row.option),
    "defaults": (settled, lambda one: one.row.settable),
    "preset": (accepted(lambda name: Body("a", settings={name: "1"})), lambda one: one.row.preset and not one.row.words),
    "lock": (accepted(lambda name: Body("a", locked=(name,))), lambda one: one.row.lockable),
    "most": (accepted(lambda name: Body("a", most={name: 1.0})), lambda one: one.row.limit is not None),
    "half": (accepted(lambda name: Body("a", most={name: 0.5})), lambda one: one.row.limit == "real"),
    "price": (changing(OFFER.credits), lambda one: one.row.priced),
    "pinned": (pinned, lambda one: one.row.pinned),
    "embedding key": (changing(lambda request: request.embedding_key), lambda one: one.traits.embeds),
    "infotext": (written, lambda one: one.name not in UNWRITTEN),
    "docs": (documented, lambda _: True),
    "languages": (described, lambda _: True),
}


def wrong(surface, fields):
    """Return the fields that a surface lacks, and those that it has but should not have."""
    look, is_wanted = SURFACES[surface]
    return look(fields) ^ {name for name, one in fields.items() if is_wanted(one)}


@pytest.mark.parametrize("surface", SURFACES)
def test_every_surface_has_its_fields(surface):
    """A surface has exactly the fields that the table gives it."""
    assert wrong(surface, FIELDS) == set()


@pytest.mark.parametrize("surface", [one for one in SURFACES if one not in ("half", "embedding key")])
def test_a_forgotten_field_is_noticed(surface):
    """A field that is in the table and on no surface is reported as missing on each of them."""
    assert wrong(surface, {**FIELDS, "ghost": GHOST}) == {"ghost"}


@pytest.mark.parametrize("name", ["steps", "negative"])
def test_a_field_that_a_command_leaves_out_is_noticed(name, monkeypatch):
    """A command that lacks one of its fields is reported."""

    @taking(tuple(one for one in CHANGEABLE if one != name))
    class Edit(Params):
        job: JobId

    monkeypatch.setitem(KNOWN, "edit", KNOWN["edit"].__class__(**{**vars(KNOWN["edit"]), "params_type": Edit}))
    assert wrong("edit", FIELDS) == {name}


def test_a_commands_own_parameters_come_first():
    """Fields of the table follow a command's own parameters, always in the order of the table."""
    order = list(FIELDS)
    for one in COMMANDS:
        infos = one.params_type.model_fields.items()
        channels = [order.index(name) if any(isinstance(mark, Row) for mark in info.metadata) else -1 for name, info in infos]
        assert channels == sorted(channels), one.name


def test_the_engines_traits_are_of_its_fields():
    """Every trait in the engine belongs to a field of the request that the bot has too."""
    assert TRAITS.keys() <= set(PictureRequest.__struct_fields__)
    assert TRAITS.keys() <= {part for one in FIELDS.values() for part in one.becomes}


def test_a_model_says_which_options_it_takes(monkeypatch):
    """A setting that needs a feature of the model is refused by name if the model lacks it, and ignored if it is not given."""
    monkeypatch.setitem(TRAITS, "strength", msgspec.structs.replace(TRAITS["strength"], needs="clip"))
    assert "strength" in DEMO.options
    DEMO.check(asked(width=64, height=64))
    bare = msgspec.structs.replace(DEMO, features=())
    with pytest.raises(Exception, match="unknown-option-here") as refused:
        bare.check(asked(width=64, height=64))
    assert refused.value.problem.facts == {"name": "strength", "model": "demo"}
