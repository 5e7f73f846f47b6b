"""The batching benchmark on the real SD 1.5 and SDXL architectures, with random weights, on a GPU if there is one.

Time does not depend on the values of the weights, only on their shapes; random normal values keep clocks and power as they are with real
weights. The share of the matrix rate is the denoiser's floating point operations over the time, divided by the rate of a plain 8192 x 8192
matrix product measured in the same run.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.asking import Asking, Stock, farthest
from benchmarks.batching import mixed
from benchmarks.measure import race, report
from inference.contract.model_info import ModelInfo
from inference.contract.request import PictureRequest
from inference.contract.settings import EngineSettings
from inference.models.registry import inspect
from tools.demo_model.build import make_tokenizer

#: Operations of one denoiser row in units of 10^12, by family and side (counted on the architectures, attention included).
TFLOP = {("sd1", 512): 0.803, ("sdxl", 1024): 6.761}

#: The promise at 512 pixels.
LEAST_RATIO = 4.0


def _clip(kind: Any, **shape: Any) -> Any:
    from transformers import CLIPTextConfig

    tokenizer = make_tokenizer()
    marks = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    return kind(CLIPTextConfig(vocab_size=49408, max_position_embeddings=77, **marks, **shape))


def _vae(scale: float) -> Any:
    from diffusers import AutoencoderKL

    channels = (128, 256, 512, 512)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=channels,
        layers_per_block=2,
        sample_size=512,
        scaling_factor=scale,
    )


def make_sd15() -> Any:
    """Return Stable Diffusion 1.5 with random weights."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel

    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    text = _clip(CLIPTextModel, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
    scheduler = DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False, steps_offset=1)
    return StableDiffusionPipeline(
        vae=_vae(0.18215), text_encoder=text, tokenizer=make_tokenizer(), unet=unet, scheduler=scheduler,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def make_sdxl() -> Any:
    """Return Stable Diffusion XL's base model with random weights."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    unet = UNet2DConditionModel(
        sample_size=128,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(320, 640, 1280),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20),
        cross_attention_dim=2048,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )
    small = _clip(CLIPTextModel, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
    big = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20, "projection_dim": 1280}
    return StableDiffusionXLPipeline(
        vae=_vae(0.13025), text_encoder=small, text_encoder_2=_clip(CLIPTextModelWithProjection, **big, hidden_act="gelu"),
        tokenizer=make_tokenizer(), tokenizer_2=make_tokenizer(), unet=unet,
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, steps_offset=1),
        add_watermarker=False,
    )  # fmt: skip


def matrix_rate(device: str) -> float:
    """Return the rate of a plain bfloat16 matrix product in units of 10^12 operations per second."""
    side = 8192
    one, other = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(12):
        torch.cuda.synchronize()
        began = time.perf_counter()
        one @ other
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return 2 * side**3 / median(seconds[2:]) / 1e12


def _requests(model_info: ModelInfo) -> list[PictureRequest]:
    side = model_info.defaults.width
    # Without image to image: a random autoencoder produces no usable source image.
    return [request for request in mixed(model_info, side, side, b"") if not request.inputs]


def measured(name: str, pipeline: Any, folder: Path, device: str) -> dict[str, object]:
    """Return the figures of one architecture: ours against one by one, and the share of the matrix rate."""
    pipeline.to(torch.bfloat16).save_pretrained(folder)
    del pipeline
    model_info = inspect(folder)
    requests, side = _requests(model_info), model_info.defaults.width
    rate = matrix_rate(device)
    settings = EngineSettings(devices=(device,))
    stock = Stock(model_info, device, torch.bfloat16)
    with Asking(settings, {model_info.name: model_info}) as engine:
        off = farthest(engine.paint(requests), [stock.paint(request) for request in requests])
        run = race(lambda: engine.paint(requests), lambda: [stock.paint(request) for request in requests], repeats=5)
    shutil.rmtree(folder)
    # Heun makes two calls per step except in the last; guidance makes two rows per call.
    calls = sum(2 * one.steps - 1 if one.scheduler == "heun" else one.steps for one in requests)
    share = 2 * calls * TFLOP.get((model_info.family, side), 0.0) / run.ours.median / rate
    return {"model": name, "side": side, "ratio": run.ratio, "farthest_pixel": off, "share_of_matrix_rate": share, "matrix_tflops": rate}


def main() -> int:
    """Measure both architectures and report the ratio of the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["sd15", "sdxl"], action="append")
    chosen = parser.parse_args().only or ["sd15", "sdxl"]
    if not torch.cuda.is_available():
        print("There is no GPU here: nothing was measured.")
        report(ratio=None, measured=False)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        makers = {"sd15": make_sd15, "sdxl": make_sdxl}
        rows = [measured(name, makers[name](), Path(folder) / name, "cuda:0") for name in chosen]
    report(ratio=float(str(rows[0]["ratio"])), measured=True, rows=rows, promised=LEAST_RATIO)
    return 0 if rows[0]["model"] != "sd15" or float(str(rows[0]["ratio"])) >= LEAST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
