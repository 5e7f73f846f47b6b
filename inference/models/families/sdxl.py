"""Stable Diffusion XL: two CLIP text encoders side by side, the pooled embedding of the second, and sizes as time ids."""

from functools import partial

from inference.models.families import original_unet
from inference.models.families.base import CLIP, CLIP_PROJECTED, CLIP_TOKENIZER, UNET, VAE, ClipText, Family

SDXL = Family(
    name="sdxl",
    title="Stable Diffusion XL",
    in_file=partial(original_unet.has_width, width=2048),
    channels_in_file=original_unet.channels,
    denoiser="unet",
    components={
        "unet": UNET,
        "vae": VAE,
        "text_encoder": CLIP | CLIP_PROJECTED,
        "text_encoder_2": CLIP_PROJECTED,
        "tokenizer": CLIP_TOKENIZER,
        "tokenizer_2": CLIP_TOKENIZER,
    },
    extras={"feature_extractor": None, "image_encoder": None, "add_watermarker": False},
    stem="StableDiffusionXL",
    text=ClipText("PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED", pooled=True),
    native=1024,
    reach=1.5,
    prediction="epsilon",
    guidance=6.0,
)
