"""Metadata of a finished picture: settings for other tools, settings for Easel, and the mark that a model generated it."""

import functools
import importlib.metadata
import json
import re
from collections.abc import Mapping

import msgspec

from inference.contract.inputs import Role
from inference.contract.model_info import ModelInfo
from inference.contract.modes import mode_of
from inference.contract.request import TRAITS, PictureRequest, Prompt
from inference.images.encode import Chunk, international, text

#: The text chunk in which A1111, and every tool that reads its pictures, looks for the settings.
INFOTEXT_KEYWORD = "parameters"
SETTINGS_KEYWORD = "easel"
#: Given by the XMP specification for PNG files.
XMP_KEYWORD = "XML:com.adobe.xmp"

#: A1111's names for Easel's schedulers: sampler and schedule type.
SAMPLERS: dict[str, tuple[str, str]] = {
    "euler": ("Euler", "Automatic"),
    "euler a": ("Euler a", "Automatic"),
    "dpm++ 2m": ("DPM++ 2M", "Automatic"),
    "dpm++ 2m karras": ("DPM++ 2M", "Karras"),
    "dpm++ 2m sde": ("DPM++ 2M SDE", "Automatic"),
    "dpm++ 2m sde karras": ("DPM++ 2M SDE", "Karras"),
    "lms": ("LMS", "Automatic"),
    "pndm": ("PLMS", "Automatic"),
    "ddim": ("DDIM", "Automatic"),
    "ddpm": ("DDPM", "Automatic"),
    "unipc": ("UniPC", "Automatic"),
    "heun": ("Heun", "Automatic"),
    "dpm2": ("DPM2", "Automatic"),
    "dpm2 a": ("DPM2 a", "Automatic"),
    "deis": ("DEIS", "Automatic"),
    "lcm": ("LCM", "Automatic"),
    "flow euler": ("Euler", "Simple"),
    "flow heun": ("Heun", "Simple"),
    "flow dpm++ 2m": ("DPM++ 2M", "Simple"),
    "flow unipc": ("UniPC", "Simple"),
}

#: Words at which readers split the text into its parts. The exact prompt is in the JSON chunk.
_SIGNAL = re.compile(r"(negative prompt|steps):", re.IGNORECASE)
_LINE_END = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_UNPRINTABLE = re.compile("[\0-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")

_DIGITAL_SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/">\
<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType><xmp:CreatorTool>Easel {version}</xmp:CreatorTool>\
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


def chunks(
    request: PictureRequest, model_info: ModelInfo, seed: int, size: tuple[int, int], versions: Mapping[str, str], *, seats: str = ""
) -> tuple[Chunk, ...]:
    """Return all chunks of a finished picture; `seed`, `size` (width, height) and `seats` are those of this picture."""
    return (
        text(INFOTEXT_KEYWORD, parameters(request, model_info, seed, size)),
        text(SETTINGS_KEYWORD, settings_json(request, model_info, seed, size, versions, seats=seats)),
        international(XMP_KEYWORD, xmp(composite=Role.INIT in request.roles)),
    )


def parameters(request: PictureRequest, model_info: ModelInfo, seed: int, size: tuple[int, int]) -> str:
    """Return the settings as A1111's text, which most tools read: the prompts, then a line of name and value pairs.

    Words of a prompt that readers would take for settings get a space before their colon, so that a prompt cannot fake settings.
    """
    lines = [_harmless(request.prompt.text)]
    if negative := _harmless(request.negative.text):
        lines.append(f"{TRAITS['negative'].infotext}: {negative}")
    pairs = _pairs(request, model_info, seed, size)
    lines.append(", ".join(f"{name}: {_quoted(str(value))}" for name, value in pairs.items() if value not in ("", None)))
    return "\n".join(lines).strip()


def _pairs(request: PictureRequest, model_info: ModelInfo, seed: int, size: tuple[int, int]) -> dict[str, object]:
    """Return the pairs of A1111's settings line; the caller leaves out values that are empty or None."""
    sampler, schedule = SAMPLERS.get(request.scheduler, (request.scheduler, "Automatic"))
    own: dict[str, object] = {
        "scheduler": sampler,
        "seed": seed,
        "width": f"{size[0]}x{size[1]}",
        "model": model_info.name,
        "strength": request.strength if "strength" in mode_of(request).fields else None,
    }
    after = {"scheduler": {"Schedule type": schedule}, "width": {"Model hash": model_info.sha256[:10]}}
    pairs: dict[str, object] = {}
    for name, traits in TRAITS.items():
        value = own.get(name, getattr(request, name))
        if traits.infotext and not isinstance(value, Prompt):
            pairs[traits.infotext] = f"{value:g}" if isinstance(value, float) else value
            pairs |= after.get(name, {})
    # Noise is drawn on the CPU for every device; readers take a missing value for the GPU.
    return pairs | {"RNG": "CPU", "Version": f"Easel {version()}"}


def settings_json(
    request: PictureRequest, model_info: ModelInfo, seed: int, size: tuple[int, int], versions: Mapping[str, str], *, seats: str = ""
) -> str:
    """Return everything that is needed to generate this picture again, as ASCII JSON.

    It leaves out the input pictures, the requester and the model's path on disk, because pictures are shown to other users.
    """
    asked = msgspec.to_builtins(msgspec.structs.replace(request, inputs=()))
    # Requested batch slots do not define the picture. The slots that it had are in its own entry.
    for beside in ("inputs", "share", "weight", "previews", "seats"):
        del asked[beside]
    return json.dumps(
        {
            "version": version(),
            "request": asked,
            "picture": {
                "seed": seed,
                "width": size[0],
                "height": size[1],
                "mode": mode_of(request).name,
                "from_source": Role.INIT in request.roles,
                **({"seats": seats} if seats else {}),
            },
            "model": {
                "name": model_info.name,
                "family": model_info.family,
                "prediction": model_info.prediction,
                "precision": model_info.precision,
                "sha256": model_info.sha256,
            },
            "versions": dict(versions),
        },
        separators=(",", ":"),
    )


def xmp(composite: bool) -> str:
    """Return the XMP packet that says that a model generated this picture, from another picture if `composite`."""
    kind = "compositeWithTrainedAlgorithmicMedia" if composite else "trainedAlgorithmicMedia"
    return _XMP.format(source=_DIGITAL_SOURCE + kind, version=version())


@functools.cache
def version() -> str:
    """Return the installed version of Easel, or 0 if it runs from a folder without being installed."""
    try:
        return importlib.metadata.version("easel")
    except importlib.metadata.PackageNotFoundError:
        return "0"


def _harmless(words: str) -> str:
    """Return the text without line ends other than newlines, control characters and words that read as settings."""
    plain = _UNPRINTABLE.sub("", _LINE_END.sub("\n", words))
    return _SIGNAL.sub(r"\1 :", plain).strip()


def _quoted(value: str) -> str:
    """Return a value of the settings line, as a JSON string if it holds a character that would end it."""
    return json.dumps(value, ensure_ascii=False) if re.search(r'[,:\n"]', value) else value
