"""Tiny pipelines with random weights in the real layout of each family, as diffusers folders and as original single files.

The widths that distinguish the families (768, 1024, 2048) are real; everything else is as small as possible.
"""

from collections.abc import Callable
from pathlib import Path

import diffusers
import torch
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    PreTrainedModel,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from tests import original_layout

#: Side of the images of the tiny models, in pixels.
SIDE = 64


def make_tokenizer() -> CLIPTokenizer:
    """Return a CLIP tokenizer that knows single letters and a few words."""
    inbox_updates = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    merges = [("r", "e"), ("re", "d</w>"), ("b", "l"), ("bl", "u"), ("blu", "e</w>")]
    tokens = [
        *inbox_updates,
        *(f"{inbox_update}</w>" for inbox_update in inbox_updates),
        *("".join(pair) for pair in merges),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    return CLIPTokenizer(vocab={token: number for number, token in enumerate(tokens)}, merges=merges, model_max_length=77)


def make_clip(kind: type[PreTrainedModel], width: int, layers: int, tokenizer: CLIPTokenizer, act: str) -> PreTrainedModel:
    """Return a CLIP text encoder of one of the two classes."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=32,
        projection_dim=width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=77,
        hidden_act=act,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return kind(config)


def make_vae(latent_channels: int, scaling: float, **more: object) -> diffusers.AutoencoderKL:
    """Return an autoencoder with the topology of all Stable Diffusion ones: four levels, attention in the middle."""
    return diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=2,
        latent_channels=latent_channels,
        norm_num_groups=4,
        sample_size=SIDE,
        scaling_factor=scaling,
        **more,
    )


def make_unet(cross: int, **more: object) -> diffusers.UNet2DConditionModel:
    """Return a denoiser with the topology of SD 1.x and 2.x unless `more` says otherwise."""
    shape: dict[str, object] = {
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        "block_out_channels": (32, 32, 64, 64),
        "attention_head_dim": 4,
    }
    options = {**shape, "layers_per_block": 2, "norm_num_groups": 8, "cross_attention_dim": cross, "sample_size": SIDE // 8, **more}
    return diffusers.UNet2DConditionModel(**options)


def make_transformer(**more: object) -> diffusers.SD3Transformer2DModel:
    """Return an SD 3 denoiser with two joint blocks."""
    return diffusers.SD3Transformer2DModel(
        sample_size=SIDE // 8,
        patch_size=2,
        in_channels=16,
        out_channels=16,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=96,
        caption_projection_dim=32,
        pooled_projection_dim=80,
        pos_embed_max_size=16,
        **more,
    )


def _noise_schedule(prediction: str) -> dict[str, object]:
    return {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "prediction_type": prediction, "steps_offset": 1}


def make_sd1() -> diffusers.DiffusionPipeline:
    """Return a tiny SD 1.x pipeline."""
    words = make_tokenizer()
    return diffusers.StableDiffusionPipeline(
        unet=make_unet(768),
        vae=make_vae(4, 0.18215),
        text_encoder=make_clip(CLIPTextModel, 768, 2, words, "quick_gelu"),
        tokenizer=words,
        scheduler=diffusers.PNDMScheduler(skip_prk_steps=True, set_alpha_to_one=False, **_noise_schedule("epsilon")),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def make_sd2() -> diffusers.DiffusionPipeline:
    """Return a tiny SD 2.x pipeline that predicts velocity."""
    words = make_tokenizer()
    return diffusers.StableDiffusionPipeline(
        unet=make_unet(1024, use_linear_projection=True, attention_head_dim=(2, 2, 4, 4)),
        vae=make_vae(4, 0.18215),
        text_encoder=make_clip(CLIPTextModel, 1024, 2, words, "gelu"),
        tokenizer=words,
        scheduler=diffusers.DDIMScheduler(clip_sample=False, set_alpha_to_one=False, **_noise_schedule("v_prediction")),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def make_sdxl() -> diffusers.DiffusionPipeline:
    """Return a tiny SDXL pipeline with both text encoders."""
    words = make_tokenizer()
    unet = make_unet(
        2048,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(32, 32, 64),
        attention_head_dim=(2, 2, 4),
        transformer_layers_per_block=(1, 1, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=1280 + 6 * 8,
    )
    return diffusers.StableDiffusionXLPipeline(
        unet=unet,
        vae=make_vae(4, 0.13025),
        text_encoder=make_clip(CLIPTextModel, 768, 2, words, "quick_gelu"),
        text_encoder_2=make_clip(CLIPTextModelWithProjection, 1280, 1, words, "gelu"),
        tokenizer=words,
        tokenizer_2=words,
        scheduler=diffusers.EulerDiscreteScheduler(**_noise_schedule("epsilon")),
        add_watermarker=False,
    )


def make_sd3(**more: object) -> diffusers.DiffusionPipeline:
    """Return a tiny SD 3 pipeline with all three text encoders."""
    words = make_tokenizer()
    first = make_clip(CLIPTextModelWithProjection, 32, 2, words, "quick_gelu")
    # The original files keep no projection for this encoder: it is the identity.
    torch.nn.init.eye_(first.get_parameter("text_projection.weight"))
    t5 = T5Config(vocab_size=40, d_model=96, d_kv=8, d_ff=32, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu")
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((chr(code), -3.0) for code in range(ord("a"), ord("z") + 1))]
    parts = {"text_encoder_3": T5EncoderModel(t5), "tokenizer_3": T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=77)}
    return diffusers.StableDiffusion3Pipeline(
        transformer=make_transformer(**more),
        vae=make_vae(16, 1.5305, shift_factor=0.0609, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=first,
        text_encoder_2=make_clip(CLIPTextModelWithProjection, 48, 2, words, "gelu"),
        tokenizer=words,
        tokenizer_2=words,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        **parts,
    )


def make_sd35() -> diffusers.DiffusionPipeline:
    """Return a tiny SD 3.5 medium pipeline: normalized queries and keys, a second attention, and no T5."""
    pipeline = make_sd3(qk_norm="rms_norm", dual_attention_layers=(0,))
    pipeline.register_modules(text_encoder_3=None, tokenizer_3=None)
    return pipeline


TINY: dict[str, Callable[[], diffusers.DiffusionPipeline]] = {
    "sd1": make_sd1,
    "sd2": make_sd2,
    "sdxl": make_sdxl,
    "sd3": make_sd3,
    "sd35": make_sd35,
}


def make(name: str) -> diffusers.DiffusionPipeline:
    """Return the tiny pipeline `name`; the same name always has the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(sorted(TINY).index(name))
        return TINY[name]()


def write_folder(pipeline: diffusers.DiffusionPipeline, folder: Path, **options: object) -> Path:
    """Write a pipeline as a diffusers folder."""
    pipeline.save_pretrained(folder, **options)
    return folder


def write_file(name: str, pipeline: diffusers.DiffusionPipeline, path: Path, **extra: torch.Tensor) -> Path:
    """Write a pipeline made as `name` as one original file, plus the `extra` tensors."""
    tensors = original_layout.LAYOUTS[name](pipeline) | extra
    save_file({key: tensor.detach().clone().contiguous() for key, tensor in tensors.items()}, path)
    return path
