"""The layout of original checkpoint files: converts the tensor names of diffusers back to those of the first implementations."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

Tensors = dict[str, Tensor]

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_OPEN_CLIP = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}


def unet(model: Any) -> Tensors:
    """Return the tensors of a UNet under the names of latent-diffusion."""
    every = model.config.layers_per_block + 1
    return {f"model.diffusion_model.{_unet_name(key, every)}": tensor for key, tensor in model.state_dict().items()}


def _unet_name(key: str, every: int) -> str:
    for new, old in _UNET_ENDS.items():
        if key.startswith(f"{new}."):
            return key.replace(new, old, 1)
    if match := re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d)\.(.+)", key):
        kind, number, rest = match[1], int(match[2]), match[3]
        return f"middle_block.1.{rest}" if kind == "attentions" else f"middle_block.{number * 2}.{_resnet(rest)}"
    match = re.fullmatch(r"(down|up)_blocks\.(\d)\.(resnets|attentions|downsamplers|upsamplers)\.(\d)\.(.+)", key)
    assert match, key
    side, block, kind, layer, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
    first = 1 if side == "down" else 0
    name = "input_blocks" if side == "down" else "output_blocks"
    at = first + block * every + layer
    if kind == "resnets":
        return f"{name}.{at}.0.{_resnet(rest)}"
    if kind == "attentions":
        return f"{name}.{at}.1.{rest}"
    if kind == "downsamplers":
        return f"{name}.{(block + 1) * every}.0.{rest.replace('conv', 'op', 1)}"
    return f"{name}.{(block + 1) * every - 1}.UP.{rest}"


def _resnet(rest: str) -> str:
    part, end = rest.rsplit(".", 1)
    return f"{_RESNET[part]}.{end}"


def _place_upsamplers(tensors: Tensors) -> Tensors:
    """Put each upsampler behind the attention of its block, if the block has attention."""
    placed = {}
    for key, tensor in tensors.items():
        stem = key.split(".UP.")[0]
        last = 2 if any(other.startswith(f"{stem}.1.") for other in tensors) else 1
        placed[key.replace(".UP.", f".{last}.")] = tensor
    return placed


def vae(model: Any) -> Tensors:
    """Return the tensors of an autoencoder under the names of latent-diffusion; attention weights become 1x1 convolutions."""
    levels = len(model.config.block_out_channels)
    made = {}
    for key, tensor in model.state_dict().items():
        name = re.sub(r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2", key)
        name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
        name = re.sub(r"up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"up.{levels - 1 - int(m[1])}.block.{m[2]}", name)
        name = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{levels - 1 - int(m[1])}.upsample", name)
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
        if "mid_block.attentions.0" in name:
            name = name.replace("mid_block.attentions.0", "mid.attn_1").replace("group_norm", "norm")
            name = re.sub(r"to_([qkv])", r"\1", name).replace("to_out.0", "proj_out")
            tensor = tensor[:, :, None, None] if tensor.ndim == 2 else tensor
        name = name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
        made[f"first_stage_model.{name}"] = tensor
    return made


def clip(model: Any, prefix: str) -> Tensors:
    """Return the tensors of a CLIP text encoder under its original names, with the position ids that old files contain."""
    made = {f"{prefix}{_inner(key)}": tensor for key, tensor in model.state_dict().items()}
    return made | {f"{prefix}text_model.embeddings.position_ids": torch.arange(77)[None]}


def _inner(key: str) -> str:
    # Since transformers 5.6 the class without a projection has no `text_model` inside.
    return key if key.startswith(("text_model.", "text_projection")) else f"text_model.{key}"


def open_clip(model: Any, prefix: str) -> Tensors:
    """Return the tensors of a CLIP text encoder under the names of OpenCLIP: joined queries, keys and values, a transposed projection."""
    state = {_inner(key).removeprefix("text_model."): tensor for key, tensor in model.state_dict().items()}
    made = {
        "positional_embedding": state.pop("embeddings.position_embedding.weight"),
        "token_embedding.weight": state.pop("embeddings.token_embedding.weight"),
        "ln_final.weight": state.pop("final_layer_norm.weight"),
        "ln_final.bias": state.pop("final_layer_norm.bias"),
        "logit_scale": torch.tensor(4.6),
    }
    width = made["ln_final.bias"].shape[0]
    made["text_projection"] = state.pop("text_projection.weight", torch.eye(width)).T
    for layer in range(model.config.num_hidden_layers):
        old, new = f"encoder.layers.{layer}.", f"transformer.resblocks.{layer}."
        for end in ("weight", "bias"):
            made[f"{new}attn.in_proj_{end}"] = _joined(state, f"{old}self_attn.", ("q_proj", "k_proj", "v_proj"), end)
            for theirs, ours in _OPEN_CLIP.items():
                made[f"{new}{ours}.{end}"] = state.pop(f"{old}{theirs}.{end}")
    assert not state, state.keys()
    return {f"{prefix}{key}": tensor for key, tensor in made.items()}


def _joined(state: Tensors, prefix: str, names: Iterable[str], end: str) -> Tensor:
    return torch.cat([state.pop(f"{prefix}{name}.{end}") for name in names])


def transformer(model: Any) -> Tensors:
    """Return the tensors of an SD 3 denoiser under the names of its first implementation: one joined qkv for each stream."""
    state = dict(model.state_dict())
    made = {"pos_embed": state.pop("pos_embed.pos_embed")}
    for end in ("weight", "bias"):
        made[f"x_embedder.proj.{end}"] = state.pop(f"pos_embed.proj.{end}")
        for number, layer in (("0", "linear_1"), ("2", "linear_2")):
            made[f"t_embedder.mlp.{number}.{end}"] = state.pop(f"time_text_embed.timestep_embedder.{layer}.{end}")
            made[f"y_embedder.mlp.{number}.{end}"] = state.pop(f"time_text_embed.text_embedder.{layer}.{end}")
        made[f"context_embedder.{end}"] = state.pop(f"context_embedder.{end}")
        made[f"final_layer.linear.{end}"] = state.pop(f"proj_out.{end}")
        made[f"final_layer.adaLN_modulation.1.{end}"] = _swapped(state.pop(f"norm_out.linear.{end}"))
    for block in range(model.config.num_layers):
        made |= _joint_block(state, block, last=block == model.config.num_layers - 1)
    assert not state, state.keys()
    return {f"model.diffusion_model.{key}": tensor for key, tensor in made.items()}


def _joint_block(state: Tensors, block: int, *, last: bool) -> Tensors:
    old, new = f"transformer_blocks.{block}.", f"joint_blocks.{block}."
    made = {}
    for end in ("weight", "bias"):
        made[f"{new}x_block.attn.qkv.{end}"] = _joined(state, f"{old}attn.", ("to_q", "to_k", "to_v"), end)
        names = ("add_q_proj", "add_k_proj", "add_v_proj")
        made[f"{new}context_block.attn.qkv.{end}"] = _joined(state, f"{old}attn.", names, end)
        if f"{old}attn2.to_q.{end}" in state:
            made[f"{new}x_block.attn2.qkv.{end}"] = _joined(state, f"{old}attn2.", ("to_q", "to_k", "to_v"), end)
        context = state.pop(f"{old}norm1_context.linear.{end}")
        made[f"{new}context_block.adaLN_modulation.1.{end}"] = _swapped(context) if last else context
    renamed = {
        "attn.to_out.0": "x_block.attn.proj", "attn2.to_out.0": "x_block.attn2.proj", "attn.to_add_out": "context_block.attn.proj",
        "attn.norm_q": "x_block.attn.ln_q", "attn.norm_k": "x_block.attn.ln_k",
        "attn2.norm_q": "x_block.attn2.ln_q", "attn2.norm_k": "x_block.attn2.ln_k",
        "attn.norm_added_q": "context_block.attn.ln_q", "attn.norm_added_k": "context_block.attn.ln_k",
        "norm1.linear": "x_block.adaLN_modulation.1",
        "ff.net.0.proj": "x_block.mlp.fc1", "ff.net.2": "x_block.mlp.fc2",
        "ff_context.net.0.proj": "context_block.mlp.fc1", "ff_context.net.2": "context_block.mlp.fc2",
    }  # fmt: skip
    for theirs, ours in renamed.items():
        for end in ("weight", "bias"):
            if f"{old}{theirs}.{end}" in state:
                made[f"{new}{ours}.{end}"] = state.pop(f"{old}{theirs}.{end}")
    return made


def _swapped(tensor: Tensor) -> Tensor:
    """Exchange scale and shift, which the two implementations keep in opposite order."""
    scale, shift = tensor.chunk(2)
    return torch.cat([shift, scale])


def _sd1(pipe: Any) -> Tensors:
    return _place_upsamplers(unet(pipe.unet)) | vae(pipe.vae) | clip(pipe.text_encoder, "cond_stage_model.transformer.")


def _sd2(pipe: Any) -> Tensors:
    return _place_upsamplers(unet(pipe.unet)) | vae(pipe.vae) | open_clip(pipe.text_encoder, "cond_stage_model.model.")


def _sdxl(pipe: Any) -> Tensors:
    first = clip(pipe.text_encoder, "conditioner.embedders.0.transformer.")
    return _place_upsamplers(unet(pipe.unet)) | vae(pipe.vae) | first | open_clip(pipe.text_encoder_2, "conditioner.embedders.1.model.")


def _sd3(pipe: Any) -> Tensors:
    first = clip(pipe.text_encoder, "text_encoders.clip_l.transformer.")
    del first["text_encoders.clip_l.transformer.text_projection.weight"]
    made = transformer(pipe.transformer) | vae(pipe.vae) | first | clip(pipe.text_encoder_2, "text_encoders.clip_g.transformer.")
    if pipe.text_encoder_3 is not None:
        # The tied second name of the embeddings is not written.
        state = {key: tensor for key, tensor in pipe.text_encoder_3.state_dict().items() if key != "encoder.embed_tokens.weight"}
        made |= {f"text_encoders.t5xxl.transformer.{key}": tensor for key, tensor in state.items()}
    return made


LAYOUTS: dict[str, Callable[[Any], Tensors]] = {"sd1": _sd1, "sd2": _sd2, "sdxl": _sdxl, "sd3": _sd3, "sd35": _sd3}
