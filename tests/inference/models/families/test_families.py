"""Model families: the declarations of each family, and that no other code names a family."""

import ast
import inspect
from pathlib import Path

import diffusers
import pytest
from compel.embeddings_provider import ReturnedEmbeddingsType

from inference.contract.modes import MODES, Mode
from inference.models.families import FAMILIES
from inference.models.families.base import ClipText, StockText

ROOT = Path(__file__).parents[4]

every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def test_only_a_family_s_own_file_names_it():
    """No code outside `families` contains the name of a family, so a new family needs no changes elsewhere."""
    home = ROOT / "inference" / "models" / "families"
    paths = [path for package in ("inference", "bot", "adapters") for path in (ROOT / package).rglob("*.py") if home not in path.parents]
    literals = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in FAMILIES
    ]
    assert len(paths) > 200
    assert not literals


@every_family
def test_every_mode_has_a_pipeline(family):
    """Each family names a diffusers class for every mode, or that it has none; the class accepts the family's components."""
    for mode in MODES.values():
        name = family.pipeline(mode)
        if not name:
            continue
        taken = inspect.signature(getattr(diffusers, name).__init__).parameters
        assert {*family.components, *family.optional, *family.extras} <= set(taken)
        assert family.accepts(name)


@every_family
def test_text_encoding_is_there(family):
    """The text encoding that a family declares exists: a member of compel's enum, or arguments of the stock pipeline."""
    if isinstance(family.text, ClipText):
        assert family.text.states in ReturnedEmbeddingsType.__members__
    else:
        taken = inspect.signature(getattr(diffusers, family.pipeline(MODES["txt2img"])).encode_prompt).parameters
        assert {*family.text.prompts, *family.text.negatives} <= set(taken)


@every_family
def test_defaults_fit_the_family(family):
    """A family's default scheduler fits the prediction of its models, and its denoiser is one of its components."""
    assert family.scheduler in family.schedulers
    assert family.denoiser in family.components


def test_a_family_may_differ_from_the_rule():
    """If diffusers names a pipeline differently or lacks it, the family lists the exception by the name of the mode."""
    flux = family_like(pipelines={"inpaint": "OddInpaintPipeline", "upscale": ""})
    assert flux.pipeline(MODES["img2img"]) == "FluxImg2ImgPipeline"
    assert flux.pipeline(Mode(name="inpaint", pipeline="Inpaint")) == "OddInpaintPipeline"
    assert not flux.pipeline(Mode(name="upscale"))


def test_a_family_without_guidance_asks_once():
    """A family that takes guidance as a number never calls its denoiser a second time without the prompt."""
    assert FAMILIES["sd1"].is_guided(1.5)
    assert not FAMILIES["sd1"].is_guided(1.0)
    assert not family_like(has_guidance=False).is_guided(3.5)


def family_like(**changes):
    """Return a family with other pipelines than the existing families, and everything else as in SD 3."""
    model = FAMILIES["sd3"]
    kept = {name: getattr(model, name) for name in model.__dataclass_fields__}
    text = StockText(("prompt", "prompt_2"), (), ("prompt_embeds", "pooled_prompt_embeds", ""))
    return type(model)(**{**kept, "name": "flux", "stem": "Flux", "text": text, **changes})
