"""The demo model's architecture: a real `StableDiffusionPipeline`, small enough to live in the repository.

Latents have 8x8 positions of 8 channels for a 128x128 image: few enough for the global shape to depend on few tokens, and the UNet attends
to the prompt at both of its resolutions. Figures: `docs/decisions.md`.
"""

import tempfile
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from inference.contract.model_info import Defaults, Limits
from inference.demo.words import known_words
from inference.models.families.base import DIFFUSION_SCHEDULERS
from inference.models.model_card import ModelCard

#: Side of the images that the model was trained on, and side of a latent position, both in pixels.
SIDE, FACTOR = 128, 16

LATENT_CHANNELS = 8


def make_vae() -> AutoencoderKL:
    """Return an untrained autoencoder: 16 pixels per latent position, 8 channels, 1.8 M parameters."""
    channels = (16, 32, 48, 64, 96)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        block_out_channels=channels,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=4,
        sample_size=SIDE,
        mid_block_add_attention=False,
    )


def make_unet() -> UNet2DConditionModel:
    """Return an untrained denoiser: cross-attention at both resolutions, 6.3 M parameters."""
    return UNet2DConditionModel(
        sample_size=SIDE // FACTOR,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(96, 144),
        layers_per_block=1,
        attention_head_dim=4,
        cross_attention_dim=128,
        norm_num_groups=8,
    )


def make_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Return an untrained CLIP text encoder of two layers, 0.45 M parameters."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def make_tokenizer() -> CLIPTokenizer:
    """Return a CLIP byte-pair tokenizer in which every known word is one token; other words are split into several tokens."""
    pairs = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    pairs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inbox_updates = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=4096, min_frequency=1, initial_alphabet=inbox_updates, end_of_word_suffix="</w>")
    pairs.train_from_iterator([[word] for word in known_words()], trainer)
    with tempfile.TemporaryDirectory() as folder:
        pairs.model.save(folder)
        lines = (Path(folder) / "merges.txt").read_text(encoding="utf-8").splitlines()
    merges = [(left, right) for left, right in (line.split(" ") for line in lines if not line.startswith("#version"))]
    tokens = [
        *inbox_updates,
        *(f"{inbox_update}</w>" for inbox_update in inbox_updates),
        *("".join(merge) for merge in merges),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


def make_scheduler() -> DPMSolverMultistepScheduler:
    """Return the scheduler that the model is saved with; training uses the same noise schedule."""
    scheduler = DPMSolverMultistepScheduler(
        num_train_timesteps=1000,
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.02,
        prediction_type="v_prediction",
        timestep_spacing="leading",
        steps_offset=1,
    )
    # DDIM and DDPM made from this configuration would clip the latents to -1..1, which ruins them.
    scheduler.register_to_config(clip_sample=False, set_alpha_to_one=False)
    return scheduler


def make_pipeline(vae: AutoencoderKL, unet: UNet2DConditionModel, text: CLIPTextModel, tokenizer: CLIPTokenizer) -> StableDiffusionPipeline:
    """Join trained components into a pipeline that can be saved."""
    return StableDiffusionPipeline(
        vae=vae,
        unet=unet,
        text_encoder=text,
        tokenizer=tokenizer,
        scheduler=make_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def make_card() -> ModelCard:
    """Return the card stored beside the weights: the model's defaults and limits, and its vocabulary."""
    return ModelCard(
        title="Easel's demo model",
        defaults=Defaults(width=SIDE, height=SIDE, steps=20, guidance=2.5, scheduler="dpm++ 2m"),
        limits=Limits(multiple=FACTOR, smallest=SIDE // 2, largest=2 * SIDE, most_pixels=(2 * SIDE) ** 2),
        # The two linear multistep solvers extrapolate noise across a schedule that ends far noisier than theirs, and produce wrong colours.
        schedulers=tuple(name for name in DIFFUSION_SCHEDULERS if name not in ("pndm", "lms")),
        words=known_words(),
    )


def pixels(images: torch.Tensor) -> torch.Tensor:
    """Return uint8 images (n, height, width, 3) as floats (n, 3, height, width) in -1..1."""
    return images.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
