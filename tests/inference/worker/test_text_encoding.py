"""Prompts become embeddings as in the stock pipelines; weights, long prompts and hostile text change only what they should."""

import msgspec
import pytest
import torch

from inference.contract.request import TRAITS, Fragment, PictureRequest, Prompt
from inference.models.registry import inspect
from inference.worker.model_loader import load
from inference.worker.text_encoding import TextEncoder
from tests import tiny_models
from tests.stores import some

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["sd1", "sd2", "sdxl", "sd3"])
def loaded(request, tmp_path_factory):
    """Return a tiny model of each family."""
    folder = tmp_path_factory.mktemp(request.param) / "model"
    tiny_models.write_folder(tiny_models.make(request.param), folder)
    return load(inspect(folder), torch.float32)


@torch.no_grad()
def test_plain_words_are_embedded_as_the_stock_pipeline_does(loaded):
    """Without emphasis the embeddings equal those of the stock pipeline."""
    ours = TextEncoder(loaded, CPU).embed(Prompt.plain("a red circle"), Prompt.plain("blue"), guided=True)
    pipeline = loaded.text_pipeline
    if loaded.model_info.family in ("sd1", "sd2"):
        theirs = pipeline.encode_prompt("a red circle", CPU, 1, True, "blue")
    elif loaded.model_info.family == "sdxl":
        theirs = pipeline.encode_prompt("a red circle", device=CPU, negative_prompt="blue")
    else:
        theirs = pipeline.encode_prompt("a red circle", "a red circle", "a red circle", negative_prompt="blue", device=CPU)
    names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")

    for name, tensor in zip(names, theirs, strict=False):
        assert torch.allclose(ours[name], tensor, atol=1e-5), name


@torch.no_grad()
def test_weights_pull_and_push_words(loaded):
    """Emphasis moves the embedding, more weight moves it further, and weight one not at all."""
    if loaded.model_info.family == "sd3":
        pytest.skip("three encoders have no agreed meaning for weights: the words are read plainly")
    reader = TextEncoder(loaded, CPU)

    def embedded(weight):
        prompt = Prompt("", ((Fragment("a "), Fragment("red", weight), Fragment(" circle")),))
        return reader.embed(prompt, Prompt(), guided=False)["prompt_embeds"]

    plain = embedded(1.0)
    stray = [float((embedded(weight) - plain).abs().mean()) for weight in (1.2, 1.5, 2.0)]

    assert stray == sorted(stray)
    assert stray[0] > 0
    assert float((embedded(0.5) - plain).abs().mean()) > 0


@torch.no_grad()
def test_long_prompts_are_read_to_their_end(loaded):
    """Words beyond one window of the text encoder still count, and the negative prompt is padded to the same length."""
    if loaded.model_info.family == "sd3":
        pytest.skip("the stock encoders of SD 3 read one window")
    reader = TextEncoder(loaded, CPU)
    long = " ".join(["red circle blue star"] * 40)
    one = reader.embed(Prompt.plain(long + " cat"), Prompt.plain("x"), guided=True)
    other = reader.embed(Prompt.plain(long + " boat"), Prompt.plain("x"), guided=True)

    assert one["prompt_embeds"].shape[1] > 77
    assert one["negative_prompt_embeds"].shape == one["prompt_embeds"].shape
    assert not torch.equal(one["prompt_embeds"], other["prompt_embeds"])


@torch.no_grad()
def test_break_starts_a_window(loaded):
    """Every part of a prompt starts a new window."""
    if loaded.model_info.family == "sd3":
        pytest.skip("the stock encoders of SD 3 read one window")
    parts = ((Fragment("a red circle"),), (Fragment("a blue star"),))

    assert TextEncoder(loaded, CPU).embed(Prompt("", parts), Prompt(), guided=False)["prompt_embeds"].shape[1] == 2 * 77


@torch.no_grad()
@pytest.mark.parametrize("words", ["<|endoftext|> cat", "", "(((((((((", "\x00\ud800 ü 漢", "a" * 2000])
def test_no_words_break_the_reader(loaded, words):
    """Tokenizer marks and empty, nested, odd and endless text are encoded as plain words."""
    embedded = TextEncoder(loaded, CPU).embed(Prompt("", ((Fragment(words, 1.3), Fragment("x", 0.5)),)), Prompt(), guided=True)

    assert all(bool(tensor.isfinite().all()) for tensor in embedded.values())


#: Other values for the fields of a request, by name or else by type.
OTHER = {"prompt": (Prompt.plain("blue"),), "negative": (Prompt.plain("red"),), "inputs": ((),), "guidance": (1.0,), "seats": (("",),)}
OTHERS = {bool: (True,), int: (3,), float: (0.5,), str: ("x",), type(None): (1, 2)}


def unkeyed(reader):
    """Return the fields that change the embeddings of a request but are not part of its cache key."""
    request = PictureRequest(
        prompt=Prompt.plain("a red circle"), model="m", width=64, height=64, steps=2, guidance=5.0, scheduler="euler", seed=1
    )
    before, found = reader.read(request), set()
    for name in PictureRequest.__struct_fields__:
        for value in OTHER[name] if name in OTHER else OTHERS[type(getattr(request, name))]:
            other = msgspec.structs.replace(request, **{name: value})
            after = reader.read(other)
            is_same = before.keys() == after.keys() and all(torch.equal(before[one], after[one]) for one in before)
            if not is_same and reader.key(other) == reader.key(request):
                found.add(name)
    return found


@torch.no_grad()
def test_the_key_has_everything_that_words_are_read_by(loaded, monkeypatch):
    """No two requests share embeddings that should differ; a field missing from the key is found."""
    reader = TextEncoder(loaded, CPU)
    assert unkeyed(reader) == set()
    # Half of the fields with every other family.
    for name in some([name for name, traits in TRAITS.items() if traits.embeds], 2, loaded.model_info.family in ("sd1", "sdxl")):
        with monkeypatch.context() as patched:
            patched.setitem(TRAITS, name, msgspec.structs.replace(TRAITS[name], embeds=False))
            is_refused = TRAITS[name].needs and TRAITS[name].needs not in loaded.model_info.features
            assert unkeyed(reader) == (set() if is_refused else {name})
