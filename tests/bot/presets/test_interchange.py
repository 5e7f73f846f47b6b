"""Presets as files: every format is read back as written, as far as it can hold a preset, and hostile files give one sentence."""

import csv
import io
import json
import math
import re
import time
import unicodedata
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.core.errors import BadInput
from bot.generation.fields import LIMITED, LOCKABLE, WHOLE
from bot.presets import interchange, template
from bot.presets.interchange import Carried
from bot.presets.template import Body, Use
from tests.stores import tries

FORMATS = ("easel", "a1111", "fooocus", "invokeai")

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=60).map(str.strip)
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True)
NUMBERS = st.integers(1, 60) | st.floats(0.5, 30, allow_nan=False)
BODIES = st.builds(
    Body,
    prompt=st.one_of(WORDS.filter(bool), WORDS.map(lambda said: f"{said} {{prompt}} {{title=a cat}}".strip())),
    negative=WORDS,
    settings=st.dictionaries(st.sampled_from(["steps", "guidance", "size", "model"]), NUMBERS | WORDS, max_size=4),
    locked=st.lists(st.sampled_from(LOCKABLE), max_size=3, unique=True).map(tuple),
    most=st.dictionaries(st.sampled_from(LIMITED), NUMBERS.map(float), max_size=2).map(
        lambda most: {name: float(math.ceil(value)) if name in WHOLE else value for name, value in most.items()}
    ),
)
# No setting is above its own limit.
BODIES = BODIES.filter(lambda body: all(template._number(body.settings.get(name, 0)) <= most for name, most in body.most.items()))
TAGS = st.lists(st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True), max_size=4, unique=True).map(tuple)
CARRIED = st.lists(st.builds(Carried, NAMES, BODIES, TAGS), min_size=1, max_size=5, unique_by=lambda one: one.name)


def painted(body, words):
    """Return the prompt that a preset makes from a user's words."""
    return template.filled(Use("", "x", 1, replace(body, locked=())), words)


@settings(max_examples=tries(200))
@given(CARRIED)
def test_easels_own_format_keeps_everything(some):
    """A file in Easel's format is read back with equal presets."""
    _, data = interchange.written(some, "easel")
    read = interchange.read(data)
    assert read.presets == tuple(some)
    assert read.refused == ()


@settings(max_examples=tries(200))
@given(CARRIED, st.sampled_from(FORMATS[1:]))
def test_other_formats_keep_the_words(some, form):
    """In the other formats names and prompts are kept and give the same result, and a second round trip changes nothing more."""
    _, data = interchange.written(some, form)
    read = interchange.read(data).presets
    assert [one.name for one in read] == [one.name for one in some]
    for one, first in zip(read, some, strict=True):
        assert one.body.negative == first.body.negative
        assert painted(one.body, "a red circle").strip(" ,") == painted(first.body, "a red circle").strip(" ,")
    assert interchange.read(interchange.written(read, form)[1]).presets == read


def test_files_of_a1111_are_read():
    """A file as A1111 writes it is read: with BOM, group headings, quoted line breaks, and styles without a slot for the prompt."""
    file = '\ufeffname,prompt,negative_prompt\r\n--- Light ---,,\r\nNight!,"{prompt}, at night","day, \nsun"\r\nGlow,"soft glow",\r\n'
    night, glow = interchange.read(file.encode()).presets
    assert (night.name, night.body.prompt, night.body.negative) == ("Night", "{prompt}, at night", "day, \nsun")
    assert painted(glow.body, "a cat") == "a cat, soft glow"


def test_files_of_fooocus_and_invokeai_are_read():
    """Lists of Fooocus and tables of InvokeAI are read, with their names for the slots."""
    fooocus = [{"name": "sai-3d", "prompt": "3d {prompt} . octane", "negative_prompt": "ugly"}, {"name": "sai-none"}]
    read = interchange.read(json.dumps(fooocus).encode())
    assert [one.name for one in read.presets] == ["sai-3d"]
    assert read.refused[0][0] == "sai-none"
    invoke = "name,positive_prompt,negative_prompt\nSketch (Hand-Drawn),a sketch of {prompt},photo\n"
    (sketch,) = interchange.read(invoke.encode()).presets
    assert (sketch.name, sketch.body.prompt) == ("Sketch-Hand-Drawn", "a sketch of {prompt}")


@pytest.mark.parametrize("form", FORMATS)
def test_files_are_read_by_others(form):
    """The written files are plain JSON or CSV with the names that each program expects."""
    name, data = interchange.written([Carried("calm", Body(prompt="a blue {prompt}", negative="fog"))], form)
    if name.endswith(".csv"):
        (row,) = csv.DictReader(io.StringIO(data.decode("utf-8-sig")))
    else:
        (row,) = json.loads(data)["presets"] if form == "easel" else json.loads(data)
    assert row["name"] == "calm"
    assert row["prompt"] == "a blue {prompt}"
    assert (row.get("negative_prompt") or row.get("negative")) == "fog"


HEAD = "name;prompt;negative_prompt\r\n"
FILM = f"{HEAD}Film;Filmbild von {{prompt}}, körnig;unscharf, überbelichtet\r\n"

#: Tables as people have them, and the prompt and negative prompt of their first preset.
TABLES = {
    "semicolons in Windows-1252": (FILM.encode("cp1252"), "Filmbild von {prompt}, körnig", "unscharf, überbelichtet"),
    "UTF-16": (FILM.encode("utf-16"), "Filmbild von {prompt}, körnig", "unscharf, überbelichtet"),
    "UTF-16, big end first": (b"\xfe\xff" + FILM.encode("utf-16-be"), "Filmbild von {prompt}, körnig", "unscharf, überbelichtet"),
    "two byte-order marks": (("\ufeff" * 2 + FILM).encode(), "Filmbild von {prompt}, körnig", "unscharf, überbelichtet"),
    "tabs": (FILM.replace(";", "\t").encode(), "Filmbild von {prompt}, körnig", "unscharf, überbelichtet"),
    "blank lines first": (("\r\n\r\n" + FILM).encode(), "Filmbild von {prompt}, körnig", "unscharf, überbelichtet"),
    "columns that Easel does not know": (b"name,prompt,negative_prompt,rating,\nA,a {prompt},fog,5,x,y,z\n", "a {prompt}", "fog"),
    "empty columns behind": (b"name,prompt,negative_prompt" + b"," * 200 + b"\nA,a {prompt},fog" + b"," * 200 + b"\n", "a {prompt}", "fog"),
    "fewer cells than columns": (b"name,prompt,negative_prompt\nA,a {prompt}\n", "a {prompt}", ""),
    "a mark of inches": (b'name,prompt\nA,"a {prompt}, 5"" pipe"\n', 'a {prompt}, 5" pipe', ""),
    "a mark of inches without quotes": (b'name,prompt\nA,a {prompt} 5" pipe\n', 'a {prompt} 5" pipe', ""),
    "a slot in the negative": (b'name,prompt,negative_prompt\nA,a {prompt},"bad {prompt}, blurry"\n', "a {prompt}", "bad, blurry"),
    "nothing but a slot in the negative": (b"name,prompt,negative_prompt\nA,a {prompt},{prompt}\n", "a {prompt}", ""),
    "an end of the last line": (b"name,prompt,negative_prompt\nA,a {prompt},fog", "a {prompt}", "fog"),
    "line ends of old Macs": (b"name,prompt,negative_prompt\rA,a {prompt},fog\r", "a {prompt}", "fog"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_are_read_as_people_have_them(kind):
    """Separators, encodings, marks and columns of spreadsheets: the prompt is what its author wrote."""
    data, prompt, negative = TABLES[kind]
    read = interchange.read(data)
    assert [(one.body.prompt, one.body.negative) for one in read.presets] == [(prompt, negative)]
    assert read.refused == ()


@pytest.mark.parametrize("bad", ['Bad,"oops, no end', 'Bad,"oops" again,x', '"Bad,x', 'Bad,"'])
def test_a_damaged_quote_costs_one_row(bad):
    """The row is named with what is wrong with it, and the rows around it are read, cells of several lines too."""
    read = interchange.read(f'name,prompt\nFirst,"a, {{prompt}}"\n{bad}\nNext,"two\nlines {{prompt}}"\nLast,c {{prompt}}\n'.encode())
    assert [one.name for one in read.presets] == ["First", "Next", "Last"]
    assert [(name.partition(",")[0], error.problem.key) for name, error in read.refused] == [("Bad", "input-preset-quote")]


#: Files of 4 MB that once cost seconds to hours.
COSTLY = {
    "columns and rows": b"name,prompt" + b"," * 2_000_000 + b"\n" + b"x\n" * 990_000,
    "thousands of columns": b"name,prompt" + b"," * 9_000 + b"\n" + b"x\n" * 8_000,
    "named columns": b"name,prompt" + b",a" * 1_000_000 + b"\n" + b"x\n" * 900_000,
    "short rows": b"name,prompt\n" + b"x\n" * 1_990_000,
    "blank rows": b"name,prompt\n" + b"\n" * 3_990_000,
    "rows of separators": b"name,prompt\n" + b",,,\n" * 990_000,
    "open quotes": b"name,prompt\n" + (b'a,"b\n' + b"c,d\n" * 150) * 6_000,
    "a quote for each row": b"name,prompt\n" + b'a,"\n' * 900_000,
    "nothing but quotes": b"name,prompt\n" + b'"' * 3_900_000,
    "empty lists": b"[" + b"[]," * 1_300_000 + b"[]]",
    "empty objects": b"[" + b"{}," * 1_300_000 + b"{}]",
    "deep lists": b"[" * 2_000_000 + b"]" * 1_900_000,
}


@pytest.mark.parametrize("kind", COSTLY)
def test_reading_costs_little_whatever_a_file_holds(kind):
    """Four megabytes are read or refused within two seconds of processor time: work is bounded by lines and columns."""
    began = time.process_time()
    with suppress(BadInput):
        interchange.read(COSTLY[kind])
    assert time.process_time() - began < 2.0


HOSTILE = [
    b"",
    b"\x00\x01\x02",
    b"\xff\xfe" + b"x" * 100,
    b"\x89PNG\r\n\x1a\n" + b"\x00" * 100,
    b"PK\x03\x04" + b"\x00" * 100,
    b"[" * 100_000,
    b"{" * 100_000,
    b'{"a":' * 50_000,
    b"null",
    b"[1, 2, 3]",
    b'{"easel_presets": 1}',
    b'{"easel_presets": 1, "presets": {"a": 1}}',
    b"name,prompt\n" + b'"' * 1000,
    b"prompt,negative_prompt\na,b\n",
    b"name,prompt\n" + b"a,b\n" * 1_001,
    b"x" * 5_000_000,
    b'[{"name": "a", "prompt": NaN}]',
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a/>',
    b"name,prompt\n" + b"a," + b"x" * 200_000 + b"\n" + b"name",
]


@pytest.mark.parametrize("data", HOSTILE, ids=lambda data: repr(data[:20]))
def test_hostile_files_are_one_sentence(data):
    """A file that contains no presets, or is too large, too deep or too long, is refused as a whole."""
    try:
        read = interchange.read(data)
    except BadInput:
        return
    assert read.presets == ()
    assert read.refused


@pytest.mark.parametrize(
    "row",
    [
        {"name": "../../etc/passwd", "prompt": 7},
        {"name": "", "prompt": "a circle"},
        {"name": "a", "prompt": "x" * 10_000},
        {"name": "a", "prompt": ["a"]},
        {"name": ["a"], "prompt": "a"},
        {"name": "a", "prompt": "b", "settings": {"runner": "/bin/sh"}},
        {"name": "a", "prompt": "b", "settings": {"steps": [1]}},
        {"name": "a", "prompt": "b", "locked": ["everything"]},
        {"name": "a", "prompt": "b", "most": {"steps": "many"}},
        {"name": "a", "prompt": "b", "tags": 7},
        {"name": "a"},
    ],
    ids=str,
)
def test_a_wrong_preset_is_left_out(row):
    """From a file with one invalid preset the others are imported, and the invalid one is named."""
    file = {"easel_presets": 1, "presets": [row, {"name": "calm", "prompt": "a blue {prompt}"}]}
    read = interchange.read(json.dumps(file).encode())
    assert [one.name for one in read.presets] == ["calm"]
    assert len(read.refused) == 1


HALVES = [
    {"name": "a\ud800b", "prompt": "a circle"},
    {"name": "a", "prompt": "a \udfff circle", "tags": ["x\ud800"]},
    {"name": "a", "prompt": "a circle", "settings": {"model": "\ud800"}},
    {"name": "a", "prompt": "a circle", "locked": ["\ud800"]},
    {"name": "a", "prompt": "a circle", "most": {"\ud800": 3}},
    {"name": "\ud800", "prompt": 7},
]


@pytest.mark.parametrize("row", HALVES, ids=ascii)
@pytest.mark.parametrize("form", ["easel", "fooocus"])
def test_halves_of_characters_are_left_out(row, form):
    """Characters that no database accepts and no platform sends are left out of imported presets and of the reply."""
    read = interchange.read(json.dumps({"easel_presets": 1, "presets": [row]} if form == "easel" else [row]).encode())
    told = [name + str(dict(error.problem.facts)) for name, error in read.refused]
    kept = [str(msgspec.to_builtins(one)) for one in read.presets]
    assert len(told) + len(kept) == 1
    assert "\\ud" not in "".join((*told, *kept))
    assert not re.search("[\ud800-\udfff]", "".join((*told, *kept)))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["für", "हिन्दी", "Việt-nam", "한국어", "映画"])
def test_names_keep_their_accents(form, name):
    """However a file encodes an accent, the name is imported with it as the same name."""
    for written in (name, unicodedata.normalize("NFD", name)):
        _, data = interchange.written([Carried(written, Body(prompt="a {prompt}"))], form)
        assert [one.name for one in interchange.read(data).presets] == [unicodedata.normalize("NFC", name)]


@pytest.mark.parametrize("form", FORMATS[1:])
@pytest.mark.parametrize(
    ("prompt", "outward"),
    [
        ("{prompt=a cat} in rain", "{prompt} in rain"),
        ("a {colour=red} {title}, {prompt}", "a red title, {prompt}"),
        ("a {colour=red} car", "a red car, {prompt}"),
        ("a {film_title} poster{end=}", "a film title poster, {prompt}"),
        ("{image} of {red|blue}", "{image} of {red|blue}, {prompt}"),
        ("{prompt}, {prompt}", "{prompt}, {prompt}"),
        ("", "{prompt}"),
    ],
)
def test_others_know_one_slot(form, prompt, outward):
    """Programs that know only the prompt slot find the default of another slot in its place, or its name."""
    _, data = interchange.written([Carried("a", Body(prompt=prompt, negative="fog"))], form)
    rows = json.loads(data) if form == "fooocus" else list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert [row["prompt"] for row in rows] == [outward]


@pytest.mark.parametrize("sign", "=+-@\t\r")
@pytest.mark.parametrize("form", ["a1111", "invokeai"])
def test_spreadsheets_find_no_formulas(form, sign):
    """No cell of a table begins like a formula, and its text is read back unchanged."""
    body = Body(prompt=f"{sign}1+1|cmd, {{prompt}}", negative=f"{sign}2")
    _, data = interchange.written([Carried("a", body)], form)
    cells = [cell for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert [(one.body.prompt, one.body.negative) for one in interchange.read(data).presets] == [
        (body.prompt.strip(), body.negative.strip())
    ]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("many", "word", "times"), [(501, "a", 1), (1_000, "a", 1), (300, "x", 1_990), (1_000, "車", 1_990)])
def test_own_exports_are_taken_in(form, many, word, times):
    """However many and however long a user's presets are, their export is a set of files that can be imported completely."""
    some = [Carried(f"dots-{number}", Body(prompt=word * times, negative=word * times), ("red",)) for number in range(many)]
    files = interchange.files(some, form)
    assert len({name for name, _ in files}) == len(files) <= 10
    assert [one.name for _, data in files for one in interchange.read(data).presets] == [one.name for one in some]


@settings(max_examples=tries(300))
@given(st.binary(max_size=400) | st.text(max_size=400).map(lambda said: said.encode("utf-8", "ignore")))
def test_whatever_comes_is_read_or_refused(data):
    """Any file is either read or refused."""
    try:
        read = interchange.read(data)
    except BadInput:
        return
    assert read.presets or read.refused
