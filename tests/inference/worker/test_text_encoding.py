"""Words become embeddings as the stock pipelines make them; weights, long prompts and hostile words change only what they should."""

import pytest
import torch

from inference.contract.request import Fragment, Prompt
from inference.models.registry import inspect
from inference.worker.model_loader import load
from inference.worker.text_encoding import TextEncoder
from tests import tiny_models

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["sd1", "sd2", "sdxl", "sd3"])
def loaded(request, tmp_path_factory):
    """A tiny model of each family."""
    folder = tmp_path_factory.mktemp(request.param) / "model"
    tiny_models.write_folder(tiny_models.make(request.param), folder)
    return load(inspect(folder), torch.float32)


@torch.no_grad()
def test_plain_words_are_embedded_as_the_stock_pipeline_does(loaded):
    """Without emphasis the embeddings are the pipeline's own."""
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
    """Emphasis moves the embedding, more weight further, and weight one not at all."""
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
    """Beyond one window of the text encoder the words still count, and the negative is padded to the same length."""
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
    """Every part of a prompt has a window of its own."""
    if loaded.model_info.family == "sd3":
        pytest.skip("the stock encoders of SD 3 read one window")
    parts = ((Fragment("a red circle"),), (Fragment("a blue star"),))

    assert TextEncoder(loaded, CPU).embed(Prompt("", parts), Prompt(), guided=False)["prompt_embeds"].shape[1] == 2 * 77


@torch.no_grad()
@pytest.mark.parametrize("words", ["<|endoftext|> cat", "", "(((((((((", "\x00\ud800 ü 漢", "a" * 2000])
def test_no_words_break_the_reader(loaded, words):
    """Tokenizer marks, empty, nested, odd and endless words are words."""
    embedded = TextEncoder(loaded, CPU).embed(Prompt("", ((Fragment(words, 1.3), Fragment("x", 0.5)),)), Prompt(), guided=True)

    assert all(bool(tensor.isfinite().all()) for tensor in embedded.values())
