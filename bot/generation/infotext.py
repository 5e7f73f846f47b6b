"""Read the settings text of A1111 and the many tools that write it like A1111, pasted in place of a prompt.

    a castle in the snow
    Negative prompt: fog
    Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 42, Size: 512x768, Model: dream

The settings line is a list of `Name: value`; a value with a comma is quoted
(https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/master/modules/infotext_utils.py).
"""

import re
from collections.abc import Collection

from bot.generation.fields import FIELDS

#: The settings line: it begins with the steps and names at least one thing more.
_SETTINGS = re.compile(r"^\s*Steps:\s*[0-9]+\s*,\s*\w.*$", re.MULTILINE | re.IGNORECASE | re.DOTALL)
_NEGATIVE = re.compile(r"^\s*Negative prompt:\s*", re.MULTILINE | re.IGNORECASE)
_PAIR = re.compile(r'\s*([\w /+-]+?):\s*("(?:\\.|[^"\\])*+"|[^,\n]*+)(?:,|$)', re.MULTILINE)

#: The parameters that a settings line can give, by their names in it. A strength belongs to a picture that did not come along.
_PARAMETERS = {
    one.traits.infotext.casefold(): name
    for name, one in FIELDS.items()
    if one.traits.infotext and not one.row.words and not one.row.of_image
}

#: Schedule types that add nothing to the name of a sampler.
_PLAIN_SCHEDULES = ("", "automatic", "normal", "uniform", "simple")


def is_pasted(text: str) -> bool:
    """Return whether a text has a settings line."""
    return _SETTINGS.search(text) is not None


def pasted(text: str, models: Collection[str]) -> tuple[str, dict[str, str]]:
    """Return the prompt of a pasted text, and the parameters that its other lines give.

    A model that is not among `models` is left out, because its name is that of a file on another computer.
    """
    line = _SETTINGS.search(text)
    assert line is not None, "only a text with a settings line is read"
    wanted, *unwanted = _NEGATIVE.split(text[: line.start()], maxsplit=1)
    said = {name.strip().casefold(): value.strip().strip('"') for name, value in _PAIR.findall(line[0])}
    given = {parameter: said[name] for name, parameter in _PARAMETERS.items() if said.get(name)}
    if "scheduler" in given and (schedule := said.get("schedule type", "").casefold()) not in _PLAIN_SCHEDULES:
        given["scheduler"] += f" {schedule}"
    if given.get("model", "").casefold() not in {name.casefold() for name in models}:
        given.pop("model", None)
    if unwanted and unwanted[0].strip():
        given["negative"] = unwanted[0].strip()
    return wanted.strip(), given
