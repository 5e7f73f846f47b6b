"""Stable Diffusion 3 and 3.5: a transformer that predicts a flow, with two CLIP text encoders and an optional T5 encoder."""

from inference.models.families.base import CLIP, CLIP_PROJECTED, CLIP_TOKENIZER, T5, T5_TOKENIZER, VAE, Family, StockText
from inference.models.safetensors_file import Header

_BLOCK = "model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"
_ENTRANCE = "model.diffusion_model.x_embedder.proj.weight"
_LATENTS = 16


def _channels(header: Header) -> int:
    entrance = header.tensors.get(_ENTRANCE)
    return entrance.shape[1] if entrance is not None and len(entrance.shape) == 4 else _LATENTS


SD3 = Family(
    name="sd3",
    title="Stable Diffusion 3",
    in_file=lambda header: _BLOCK in header.tensors,
    channels_in_file=_channels,
    denoiser="transformer",
    components={
        "transformer": frozenset({("diffusers", "SD3Transformer2DModel")}),
        "vae": VAE,
        "text_encoder": CLIP | CLIP_PROJECTED,
        "text_encoder_2": CLIP_PROJECTED,
        "tokenizer": CLIP_TOKENIZER,
        "tokenizer_2": CLIP_TOKENIZER,
    },
    optional={"text_encoder_3": T5, "tokenizer_3": T5_TOKENIZER},
    extras={"feature_extractor": None, "image_encoder": None},
    stem="StableDiffusion3",
    # Prompt weights have no agreed meaning across three encoders.
    text=StockText(
        prompts=("prompt", "prompt_2", "prompt_3"),
        negatives=("negative_prompt",),
        results=("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds"),
    ),
    native=1024,
    reach=1.5,
    patch=2,
    latents=_LATENTS,
    prediction="flow",
    steps=28,
    guidance=5.0,
    scheduler="flow euler",
)
