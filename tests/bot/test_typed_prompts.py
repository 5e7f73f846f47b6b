"""Prompts and flags as people type and paste them: each case is what once gave another picture than its author meant."""

import pytest

from bot.commands.generate import imagine
from bot.commands.inputs import Sources, runs
from bot.core.errors import BadInput
from bot.core.values import Invocation, MessageRef, UserRef
from bot.framework.binding import bind
from bot.generation import resolve
from bot.prompting import grammar
from inference.contract.request import SEEDS, PictureRequest, Prompt

MODELS = ("demo", "Dream")


async def read(line):
    """Return each run of a line: the fragments that have a weight, the negative words, and what else is given."""
    call = Invocation(command="imagine", given={}, caller=UserRef("web", "ann"), address=MessageRef("web", "here"), words=line)
    read_ones = []
    for values in await runs(imagine, call, Sources(None, None, None), "ann", MODELS):
        want = bind(imagine, values)
        reading = grammar.read(want.prompt)
        negative = grammar.join(grammar.read(want.negative or "").prompt, reading.negative)
        more = {name: value for name, value in want.model_dump(exclude_none=True).items() if name not in ("prompt", "negative")}
        read_ones.append((weighed(reading.prompt), weighed(negative), more))
    return read_ones


def weighed(prompt):
    """Return a prompt in short: its text, with the weight of each fragment that has one."""
    fragments = [one for part in prompt.parts for one in part]
    return "".join(one.text if one.weight == 1 else f"<{one.text}*{one.weight:g}>" for one in fragments)


DASHES = ["-", "\u2212", "\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2015", "\ufe58", "\ufe63", "\uff0d"]

#: What is typed, and what it means: prompt, negative prompt and other values of its one run.
ONE = {
    **{f"a cat ({dash}bad hands)": ("a cat", "bad hands", {}) for dash in DASHES},
    **{f"a cat （{dash}bad hands）": ("a cat", "bad hands", {}) for dash in DASHES[:3]},
    **{f"a cat {dash}{dash}steps 10": ("a cat", "", {"steps": 10}) for dash in DASHES},
    **{f"a cat {dash}steps 10": ("a cat", "", {"steps": 10}) for dash in "\u2013\u2014\u2015"},
    "a cat ( bad hands )": ("a cat < bad hands*1.1>", "", {}),
    "a cat (-bad hands —bad feet)": ("a cat", "bad hands, bad feet", {}),
    "a cat (-bad hands --bad feet) --steps 4": ("a cat", "bad hands, bad feet", {"steps": 4}),
    "a cat --steps 4 (-fog −rain)": ("a cat", "fog, rain", {"steps": 4}),
    "a cat — sleeping": ("a cat — sleeping", "", {}),
    "a half-timbered house (old-fashioned)": ("a half-timbered house <old-fashioned*1.1>", "", {}),
    "a cat (smile:1,5) by the sea": ("a cat <smile*1.5> by the sea", "", {}),
    "a cat (smile:1.5)": ("a cat <smile*1.5>", "", {}),
    "a cat （smile：1.5）": ("a cat <smile*1.5>", "", {}),
    "a cat （smile：１．５）": ("a cat <smile*1.5>", "", {}),
    "a cat （smile）": ("a cat <smile*1.1>", "", {}),
    "a cat (smile: 0,5 )": ("a cat <smile*0.5>", "", {}),
    "a cat (-fog:1,3)": ("a cat", "<fog*1.3>", {}),
    "a cat （-fog：1,3）": ("a cat", "<fog*1.3>", {}),
    "a cat ［fog］": ("a cat <fog*0.9091>", "", {}),
    "a cat (black, white)": ("a cat <black, white*1.1>", "", {}),
    "a cat --seed -1": ("a cat", "", {}),
    "a cat --seed −1": ("a cat", "", {}),
    "a cat --seed random": ("a cat", "", {}),
    "a cat --seed=Random": ("a cat", "", {}),
    "a cat --seed ７": ("a cat", "", {"seed": 7}),
    "a cat --steps ２０": ("a cat", "", {"steps": 20}),
    "a cat --steps＝20": ("a cat", "", {"steps": 20}),
    "a cat --cfg 7,5": ("a cat", "", {"guidance": 7.5}),
    "a cat --cfg ７．５": ("a cat", "", {"guidance": 7.5}),
    "||a secret cat|| --steps 4": ("a secret cat", "", {"steps": 4}),
    "a cat || --steps 4": ("a cat", "", {"steps": 4}),
    "a cat ｜｜ --steps 4": ("a cat", "", {"steps": 4}),
    "a cat ||": ("a cat", "", {}),
    "|| a cat": ("a cat", "", {}),
    "a {cat || cat}": ("a cat", "", {}),
    "a ｛cat｜cat｝": ("a cat", "", {}),
    r"a \[cat:dog:0.5\]": ("a [cat:dog:0.5]", "", {}),
    r"a cat \AND a dog": ("a cat AND a dog", "", {}),
    "A CAT AND A DOG": ("A CAT AND A DOG", "", {}),
    "a band and a landing": ("a band and a landing", "", {}),
    "a clock at 10:30": ("a clock at 10:30", "", {}),
    "std::vector on a board": ("std::vector on a board", "", {}),
    "a [blurry] cat": ("a <blurry*0.9091> cat", "", {}),
    "a cat\nNegative prompt: fog\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 42, Size: 512x768": (
        "a cat",
        "fog",
        {"steps": 20, "scheduler": "DPM++ 2M karras", "guidance": 7.5, "seed": 42, "size": "512x768"},
    ),
    "a cat, sitting\nSteps: 20, Sampler: Euler a, Seed: 4294967295, Model hash: abc, Model: dream, Clip skip: 2": (
        "a cat, sitting",
        "",
        {"steps": 20, "scheduler": "Euler a", "seed": 4294967295, "model": "dream", "clip_skip": 2},
    ),
    'a cat\nNegative prompt: fog,\nrain\nSteps: 9, Sampler: Euler, Model: "v1, best", Denoising strength: 0.4': (
        "a cat",
        "fog,\nrain",
        {"steps": 9, "scheduler": "Euler"},
    ),
    "steps: 20 of a stair": ("steps: 20 of a stair", "", {}),
}

#: What is typed, and the sentence that refuses it.
REFUSED = {
    "[cat:dog:0.5] on a hill": "input-prompt-editing",
    "[cat::0.5] on a hill": "input-prompt-editing",
    "[:cat:0.5] on a hill": "input-prompt-editing",
    "[cat:10] on a hill": "input-prompt-editing",
    "[cat:dog:0,5]": "input-prompt-editing",
    "［cat：dog：0.5］": "input-prompt-editing",
    "[(cat:1.2):dog:0.5]": "input-prompt-editing",
    "[cat|dog] on a hill": "input-prompt-alternation",
    "a cat AND a dog": "input-prompt-together",
    "a cat :1.2 AND a dog": "input-prompt-together",
    "space:: ship": "input-prompt-share",
    "hot::2 dog": "input-prompt-share",
    "hot::1.5 dog::-1": "input-prompt-share",
    "<lora:film:0.8> a cat": "input-prompt-lora",
    "＜lora：film：0.8＞ a cat": "input-prompt-lora",
    "<film-style> a cat": "input-prompt-concept",
    "embedding:film a cat": "input-prompt-concept",
    "(embedding:film:1.2) a cat": "input-prompt-concept",
    "a __colour__ cat": "input-prompt-list",
    "\u200b\u200b": "input-prompts-empty",
    "\u2060\ufeff\u00ad": "input-prompts-empty",
    "\u3000": "input-prompts-empty",
    "a cat --stylize 100": "input-flag-unknown",
    "a cat ——stylize 100": "input-flag-unknown",
    "a cat --seed -2": "input-range",
}


@pytest.mark.parametrize("line", ONE)
async def test_a_line_means_what_its_author_meant(line):
    """Dashes, full-width signs, decimal commas, bars, braces and pasted settings give the prompt, the negative prompt and the values."""
    assert await read(line) == [ONE[line]]


@pytest.mark.parametrize("line", REFUSED)
async def test_what_easel_cannot_do_is_refused_by_name(line):
    """Syntax of other programs, and a prompt without a visible character, are refused with a sentence and never painted as words."""
    with pytest.raises(BadInput) as refused:
        await read(line)
    assert refused.value.problem.key == REFUSED[line]


async def test_several_prompts_keep_their_flags():
    """Each prompt between bars has its own flags; a piece of flags alone belongs to the prompt before it."""
    assert await read("a cat --steps 3 || a dog || --steps 4") == [("a cat", "", {"steps": 3}), ("a dog", "", {"steps": 4})]


def test_a_read_prompt_reads_the_same_again():
    """The escaped form of every text of the table reads as exactly that text."""
    for line in (*ONE, *REFUSED):
        if grammar.is_visible(line):
            assert grammar.read(grammar.escape(line)).prompt.text == grammar.escape(line)
            assert weighed(grammar.read(grammar.escape(line)).prompt) == line.strip()


def test_every_seed_that_is_told_can_be_requested():
    """Behind the largest seed the seeds of a request go on at 0."""
    request = PictureRequest(
        prompt=Prompt.plain("a cat"), model="demo", width=64, height=64, steps=1, guidance=1.0, scheduler="euler", seed=SEEDS - 1, count=3
    )
    assert [request.seed_of(index) for index in range(3)] == [SEEDS - 1, 0, 1]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Euler a", "euler a"),
        ("euler_ancestral", "euler a"),
        ("k_euler_ancestral", "euler a"),
        ("k_euler", "euler"),
        ("dpmpp_2m", "dpm++ 2m"),
        ("dpmpp_2m_sde", "dpm++ 2m sde"),
        ("dpmpp_2m_sde_gpu", "dpm++ 2m sde"),
        ("sample_dpmpp_2m", "dpm++ 2m"),
        ("DPM++ 2M Karras", "dpm++ 2m karras"),
        ("DPM++ 2M Automatic", "dpm++ 2m"),
        ("dpm++2m karras", "dpm++ 2m karras"),
        ("dpm_2", "dpm2"),
        ("dpm_2_ancestral", "dpm2 a"),
        ("uni_pc", "unipc"),
        ("PLMS", "pndm"),
        ("heun", "heun"),
        ("ddim", "ddim"),
        ("lcm", "lcm"),
    ],
)
def test_schedulers_of_other_programs(said, name):
    """Names of k-diffusion, ComfyUI and A1111 mean Easel's scheduler."""
    assert resolve.scheduler_of(said) == name
