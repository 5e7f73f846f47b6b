"""Stable Diffusion 2.x: the pipelines of 1.x with an OpenCLIP text encoder of width 1024."""

from functools import partial

from inference.models.families import original_unet
from inference.models.families.base import CLIP, CLIP_PROJECTED, CLIP_TOKENIZER, UNET, VAE, ClipText, Family

_WIDTH = 1024

SD2 = Family(
    name="sd2",
    title="Stable Diffusion 2.x",
    in_file=partial(original_unet.has_width, width=_WIDTH),
    channels_in_file=original_unet.channels,
    in_configuration=lambda unet: unet.get("cross_attention_dim") == _WIDTH,
    denoiser="unet",
    components={"unet": UNET, "vae": VAE, "text_encoder": CLIP | CLIP_PROJECTED, "tokenizer": CLIP_TOKENIZER},
    extras={"feature_extractor": None, "image_encoder": None, "safety_checker": None, "requires_safety_checker": False},
    stem="StableDiffusion",
    text=ClipText("LAST_HIDDEN_STATES_NORMALIZED"),
    native=768,
    # A model that predicts noise is the 512 base model or derived from it.
    natives={"epsilon": 512},
    reach=2.0,
    prediction="v_prediction",
)
