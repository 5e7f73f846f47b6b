"""Stable Diffusion 1.x: one CLIP text encoder of width 768."""

from functools import partial

from inference.models.families import original_unet
from inference.models.families.base import CLIP, CLIP_PROJECTED, CLIP_TOKENIZER, UNET, VAE, ClipText, Family

#: The width of Stable Diffusion 2. A folder with any other width is a small or unusual model of version 1.
_SD2_WIDTH = 1024

SD1 = Family(
    name="sd1",
    title="Stable Diffusion 1.x",
    in_file=partial(original_unet.has_width, width=768),
    channels_in_file=original_unet.channels,
    in_configuration=lambda unet: unet.get("cross_attention_dim") != _SD2_WIDTH,
    accepted=("LatentConsistencyModelPipeline",),
    denoiser="unet",
    components={"unet": UNET, "vae": VAE, "text_encoder": CLIP | CLIP_PROJECTED, "tokenizer": CLIP_TOKENIZER},
    extras={"feature_extractor": None, "image_encoder": None, "safety_checker": None, "requires_safety_checker": False},
    stem="StableDiffusion",
    text=ClipText("LAST_HIDDEN_STATES_NORMALIZED"),
    native=512,
    reach=2.0,
    prediction="epsilon",
)
