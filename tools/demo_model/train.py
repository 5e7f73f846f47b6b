"""Train the demo model from scratch: `python -m tools.demo_model.train --out FOLDER`.

There are three stages, each resumable (`--work` keeps checkpoints): the autoencoder, the pictures as latents, the denoiser with its text
encoder. A short fourth stage teaches the decoder small shapes. Two CPU cores need about three hours; a GPU is used if there is one.
"""

import argparse
import itertools
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path
from random import Random

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from inference.demo.words import SHAPES, SYNONYMS
from inference.models.model_card import CARD
from tools.demo_model.build import (
    SIDE,
    make_card,
    make_pipeline,
    make_scheduler,
    make_text_encoder,
    make_tokenizer,
    make_unet,
    make_vae,
    pixels,
)
from tools.demo_model.captions import captioned
from tools.demo_model.draw import draw
from tools.demo_model.sharpen import FINE, sharpen

#: Every word for a shape in captions.
SHAPE_WORDS = {*SHAPES, *(word for name in SHAPES for word in SYNONYMS.get(name, ()))}

#: Words for the shapes that are hard to generate small.
FINE_SHAPES = {*FINE, *SYNONYMS["ring"]}

#: Sizes (width, height) that the model learns, and how many batches in a hundred each gets.
SIZES = {(SIDE, SIDE): 86, (SIDE * 3 // 2, SIDE): 7, (SIDE, SIDE * 3 // 2): 7}

#: Pictures drawn from one seed, one after the other.
TOGETHER = 250


@dataclass(frozen=True)
class Plan:
    """The amounts and rates of the training.

    The shipped weights used the default steps (their first rate was planned for longer and shortened on the way), and after that two runs
    with `--start` and `--unet-steps 0`: `--polish-steps` of 3,000, then of 1,700.
    """

    work: Path
    device: str
    pictures: int = 48_000
    vae_steps: int = 3_600
    unet_steps: int = 3_800
    polish_steps: int = 1_150
    sharpen_steps: int = 2_900
    batch: int = 64
    vae_rate: float = 6e-4
    unet_rate: float = 1e-3
    polish_rate: float = 6e-4
    save_every: int = 250
    start: Path | None = None


def drawn(seed: int, count: int, size: tuple[int, int]) -> tuple[np.ndarray, list[str]]:
    """Draw `count` captioned pictures as uint8 (count, height, width, 3) with their captions."""
    rng = Random(seed)
    chosen = [captioned(rng) for _ in range(count)]
    images = np.stack([np.asarray(draw(one.picture, size, rng)) for one in chosen])
    return images, [one.caption for one in chosen]


def seeds(pictures: int) -> dict[tuple[int, int], range]:
    """Return the seeds that training draws with: for each size, one seed per `TOGETHER` pictures."""
    return {
        size: range(1000 * number, 1000 * number + pictures * share // 100 // TOGETHER)
        for number, (size, share) in enumerate(SIZES.items(), 1)
    }


def _rate(step: int, total: int, warm_up: int) -> float:
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm_up) / max(1, total - warm_up))))


def _save(path: Path, state: dict[str, object]) -> None:
    torch.save(state, path.with_suffix(".tmp"))
    os.replace(path.with_suffix(".tmp"), path)


def _fit(conv: nn.Conv2d, features: Tensor, targets: Tensor, rows: int) -> None:
    """Set the first `rows` outputs of a 3x3 convolution by least squares, so that training starts from a useful image."""
    columns = F.unfold(features.float(), 3, padding=1).transpose(1, 2).reshape(-1, features.shape[1] * 9)
    wanted = targets.permute(0, 2, 3, 1).reshape(-1, targets.shape[1])
    keep = torch.randperm(len(columns))[:200_000]
    columns = torch.cat([columns[keep], torch.ones(len(keep), 1)], dim=1)
    ridge = columns.T @ columns + 1e-2 * torch.eye(columns.shape[1])
    solved = torch.linalg.solve(ridge, columns.T @ wanted[keep])
    conv.weight.data[:rows] = solved[:-1].T.reshape(rows, features.shape[1], 3, 3)
    conv.bias.data[:rows] = solved[-1]  # type: ignore[union-attr]  # these convolutions have a bias


@torch.no_grad()
def start_vae(vae: AutoencoderKL, images: Tensor) -> None:
    """Start the autoencoder as a principal component analysis of its patches: with a random start it stays grey for long."""
    patches = F.unfold(images, 16, stride=16).transpose(1, 2).reshape(-1, 768)
    mean = patches.mean(0)
    _, _, axes = torch.linalg.svd((patches - mean)[:20_000], full_matrices=False)
    parts = (patches - mean) @ axes[: vae.config.latent_channels].T
    latents = (parts / parts.std(0)).reshape(len(images), 8, 8, -1).permute(0, 3, 1, 2)
    count = vae.config.latent_channels
    caught: list[Tensor] = []
    hooks = [net.conv_out.register_forward_pre_hook(lambda _m, given: caught.append(given[0])) for net in (vae.encoder, vae.decoder)]
    vae.encoder(images)
    _fit(vae.encoder.conv_out, caught[0], latents, count)
    vae.encoder.conv_out.weight.data[count:] = 0.0
    vae.encoder.conv_out.bias.data[count:] = -5.0
    for conv in (vae.quant_conv, vae.post_quant_conv):
        conv.weight.data.copy_(torch.eye(conv.weight.shape[0])[:, :, None, None])
        conv.bias.data.zero_()
    vae.decoder(latents)
    _fit(vae.decoder.conv_out, caught[1], images, 3)
    for hook in hooks:
        hook.remove()


def _views(images: Tensor, step: int, total: int) -> Tensor:
    """Return a batch: crops of 64 at first (cheap), whole images in the last quarter."""
    if step > 0.75 * total:
        return pixels(images[torch.randint(len(images), (5,))])
    chosen = images[torch.randint(len(images), (16,))]
    tops, lefts = torch.randint(65, (16,)).tolist(), torch.randint(65, (16,)).tolist()
    return pixels(torch.stack([one[t : t + 64, x : x + 64] for one, t, x in zip(chosen, tops, lefts, strict=True)]))


def train_vae(plan: Plan) -> AutoencoderKL:
    """Train the autoencoder, or resume it from an earlier run."""
    vae, path = make_vae(), plan.work / "vae.pt"
    if plan.start is not None:
        vae.load_state_dict(AutoencoderKL.from_pretrained(plan.start / "vae").state_dict())
        return vae.to(plan.device).eval()
    images = torch.from_numpy(drawn(1, 6000, (SIDE, SIDE))[0])
    state = torch.load(path, weights_only=True) if path.exists() else None
    if state is None:
        start_vae(vae, pixels(images[:256]))
    else:
        vae.load_state_dict(state["vae"])
    vae.to(plan.device)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=plan.vae_rate, betas=(0.9, 0.99), weight_decay=1e-4)
    first = 0
    if state is not None:
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    began = time.monotonic()
    for step in range(first, plan.vae_steps):
        optimizer.param_groups[0]["lr"] = plan.vae_rate * _rate(step, plan.vae_steps, 100)
        seen = _views(images, step, plan.vae_steps).to(plan.device)
        with torch.autocast(plan.device.split(":")[0], dtype=torch.bfloat16):
            code = vae.encode(seen).latent_dist
            painted = vae.decode(code.sample()).sample
        off = painted.float() - seen
        loss = off.abs().mean() + 2 * off.square().mean() + 3e-4 * code.kl().mean() / code.mean[0].numel()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 0 or step + 1 == plan.vae_steps:
            print(f"vae {step} l1 {off.abs().mean():.4f} spread {code.mean.std():.2f} {time.monotonic() - began:.0f} s", flush=True)
        if (step + 1) % plan.save_every == 0 or step + 1 == plan.vae_steps:
            _save(path, {"vae": vae.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1})
    return vae.eval()


@torch.no_grad()
def psnr(vae: AutoencoderKL, device: str) -> float:
    """Return the autoencoder's PSNR in dB on 64 images that it has not seen."""
    seen = pixels(torch.from_numpy(drawn(999, 64, (SIDE, SIDE))[0])).to(device)
    painted = vae.decode(vae.encode(seen).latent_dist.mean).sample.clamp(-1, 1)
    return float(10 * torch.log10(4 / (painted - seen).square().mean()))


@torch.no_grad()
def latents_of(vae: AutoencoderKL, plan: Plan) -> dict[tuple[int, int], tuple[Tensor, list[str]]]:
    """Return latents (fp16) and captions of every training picture, per size; cached in the work folder."""
    path = plan.work / "latents.pt"
    if path.exists():
        kept: dict[tuple[int, int], tuple[Tensor, list[str]]] = torch.load(path, weights_only=True)
        return kept
    made = {}
    with Pool(2) as pool:
        for size, blocks in seeds(plan.pictures).items():
            tasks = [(seed, TOGETHER, size) for seed in blocks]
            codes, captions = [], []
            for images, said in pool.starmap(drawn, tasks, chunksize=1):
                for part in pixels(torch.from_numpy(images)).split(50):
                    codes.append(vae.encode(part.to(plan.device)).latent_dist.mean.half().cpu())
                captions += said
            made[size] = (torch.cat(codes), captions)
    square = made[(SIDE, SIDE)][0].float()
    vae.register_to_config(scaling_factor=float(1 / square.std()))
    made = {size: (codes * vae.config.scaling_factor, captions) for size, (codes, captions) in made.items()}
    torch.save(made, path)
    torch.save(vae.config.scaling_factor, plan.work / "scale.pt")
    return made


class Denoiser(nn.Module):
    """The UNet and the text encoder, trained together."""

    def __init__(self, unet: UNet2DConditionModel, text: nn.Module) -> None:
        super().__init__()
        self.unet, self.text = unet, text

    def forward(self, noisy: Tensor, times: Tensor, tokens: Tensor) -> Tensor:
        """Return the predicted v for noisy latents (n, 8, h, w), timesteps (n,) and token ids (n, 77)."""
        words = self.text(tokens).last_hidden_state
        predicted: Tensor = self.unet(noisy, times, encoder_hidden_states=words).sample
        return predicted


def _times(count: int, rng: torch.Generator) -> Tensor:
    """Draw timesteps: 70 % logit-normal (spread 1.2) around the middle, the rest even."""
    middle = torch.sigmoid(torch.randn(count, generator=rng) * 1.2)
    even = torch.rand(count, generator=rng)
    chosen = torch.where(torch.rand(count, generator=rng) < 0.7, middle, even)
    return (chosen * 1000).long().clamp(0, 999)


def _denoiser_rate(plan: Plan, step: int) -> float:
    """Return the learning rate: one cosine for the main part, a second and lower one for the polish."""
    if step < plan.unet_steps:
        return plan.unet_rate * _rate(step, plan.unet_steps, 200)
    return plan.polish_rate * _rate(step - plan.unet_steps, plan.polish_steps, 30)


def _stress(caption: str) -> float:
    """Return how many more times the polish sees a picture: shapes are learned last, and shapes with fine parts last of all."""
    words = caption.split()
    return 3.0 if any(word in FINE_SHAPES for word in words) else 1.0 if any(word in SHAPE_WORDS for word in words) else 0.0


#: Latents, token ids, and the stress of the caption, of every picture of one size.
Taught = tuple[Tensor, Tensor, Tensor]


def _batches(data: dict[tuple[int, int], Taught], plan: Plan, first: int, rng: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    sizes = list(data)
    weights = torch.tensor([float(SIZES[size]) for size in sizes])
    for step in itertools.count(first):
        size = sizes[int(torch.multinomial(weights, 1, generator=rng))]
        codes, tokens, shapes = data[size]
        likely = shapes * (1.0 if step >= plan.unet_steps else 0.0) + 1.0
        picked = torch.multinomial(likely, plan.batch, replacement=True, generator=rng)
        yield codes[picked].float(), tokens[picked]


def tokenizer_for(plan: Plan) -> CLIPTokenizer:
    """Return the tokenizer of this training, from an earlier run if there is one.

    Pairs of equal frequency get their numbers by chance: two tokenizers of the same words need not agree.
    """
    folder = plan.work / "tokenizer"
    if not folder.exists():
        made = make_tokenizer() if plan.start is None else CLIPTokenizer.from_pretrained(plan.start / "tokenizer")
        made.save_pretrained(folder)
    tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder)
    return tokenizer


def train_denoiser(plan: Plan, pictures: dict[tuple[int, int], tuple[Tensor, list[str]]], tokenizer: CLIPTokenizer) -> Denoiser:
    """Train UNet and text encoder together; return their moving average."""
    net = Denoiser(make_unet(), make_text_encoder(tokenizer)).to(plan.device)
    smooth = {name: value.clone() for name, value in net.state_dict().items()}
    path, first = plan.work / "denoiser.pt", 0
    optimizer = torch.optim.AdamW(net.parameters(), lr=plan.unet_rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    if path.exists():
        state = torch.load(path, weights_only=True, map_location=plan.device)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        smooth, first = state["smooth"], state["step"]
    elif plan.start is not None:
        net.unet.load_state_dict(UNet2DConditionModel.from_pretrained(plan.start / "unet").state_dict())
        net.text.load_state_dict(CLIPTextModel.from_pretrained(plan.start / "text_encoder").state_dict())
        smooth = {name: value.clone() for name, value in net.state_dict().items()}
    alphas = make_scheduler().alphas_cumprod.to(plan.device)
    empty = tokenizer("", padding="max_length", return_tensors="pt").input_ids[0]
    data = {
        size: (
            codes,
            tokenizer(said, padding="max_length", return_tensors="pt").input_ids,
            torch.tensor([_stress(caption) for caption in said]),
        )
        for size, (codes, said) in pictures.items()
    }
    rng = torch.Generator().manual_seed(7 + first)
    batches, began, losses = _batches(data, plan, first, rng), time.monotonic(), [0.0]
    last = plan.unet_steps + plan.polish_steps
    for step in range(first, last):
        optimizer.param_groups[0]["lr"] = _denoiser_rate(plan, step)
        clean, tokens = next(batches)
        tokens = torch.where(torch.rand(plan.batch, 1, generator=rng) < 0.1, empty, tokens).to(plan.device)
        times, noise = _times(plan.batch, rng).to(plan.device), torch.randn(clean.shape, generator=rng).to(plan.device)
        clean, level = clean.to(plan.device), alphas[times].view(-1, 1, 1, 1)
        noisy, wanted = level.sqrt() * clean + (1 - level).sqrt() * noise, level.sqrt() * noise - (1 - level).sqrt() * clean
        with torch.autocast(plan.device.split(":")[0], dtype=torch.bfloat16):
            predicted = net(noisy, times, tokens)
        loss = F.mse_loss(predicted.float(), wanted)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        keep = min(0.999, (step + 1) / (step + 20))
        with torch.no_grad():
            for name, value in net.state_dict().items():
                if value.is_floating_point():
                    smooth[name].lerp_(value, 1 - keep)
        losses.append(loss.item())
        if step % 50 == 0:
            print(f"denoiser {step} loss {sum(losses[-50:]) / len(losses[-50:]):.4f} {time.monotonic() - began:.0f} s", flush=True)
        if (step + 1) % plan.save_every == 0 or step + 1 == last:
            _save(path, {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "smooth": smooth, "step": step + 1})
    net.load_state_dict(smooth)
    return net.eval()


def main() -> None:
    """Run the stages that are not finished yet and save the pipeline in fp16."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the finished pipeline")
    parser.add_argument("--work", type=Path, default=Path("data/demo-training"), help="folder for checkpoints")
    parser.add_argument("--unet-steps", type=int, default=Plan.unet_steps)
    parser.add_argument("--polish-steps", type=int, default=Plan.polish_steps)
    parser.add_argument("--vae-steps", type=int, default=Plan.vae_steps)
    parser.add_argument("--pictures", type=int, default=Plan.pictures)
    parser.add_argument("--sharpen-steps", type=int, default=Plan.sharpen_steps)
    parser.add_argument("--start", type=Path, help="folder of a finished pipeline to continue from, instead of starting from scratch")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    plan = Plan(
        given.work,
        device,
        pictures=given.pictures,
        vae_steps=given.vae_steps,
        unet_steps=given.unet_steps,
        polish_steps=given.polish_steps,
        sharpen_steps=given.sharpen_steps,
        start=given.start,
    )
    torch.manual_seed(1)
    vae = train_vae(plan)
    print(f"vae psnr {psnr(vae, device):.1f} dB", flush=True)
    pictures = latents_of(vae, plan)
    vae.register_to_config(scaling_factor=torch.load(plan.work / "scale.pt", weights_only=True))
    tokenizer = tokenizer_for(plan)
    net = train_denoiser(plan, pictures, tokenizer)
    vae = sharpen(vae, plan.sharpen_steps, device)
    make_pipeline(vae, net.unet, net.text, tokenizer).to(torch.float16).save_pretrained(given.out)
    (given.out / CARD).write_bytes(msgspec.json.format(msgspec.json.encode(make_card()), indent=2) + b"\n")


if __name__ == "__main__":
    main()
