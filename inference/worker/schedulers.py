"""Schedulers by their common names; a new instance is made for each picture."""

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

import diffusers
from diffusers import SchedulerMixin

from inference.contract.errors import NotOffered


class SchedulerRecipe(NamedTuple):
    """A diffusers class and its options besides the model's noise schedule."""

    kind: str
    options: Mapping[str, object]


RECIPES: dict[str, SchedulerRecipe] = {
    "euler": SchedulerRecipe("EulerDiscreteScheduler", {}),
    "euler a": SchedulerRecipe("EulerAncestralDiscreteScheduler", {}),
    "dpm++ 2m": SchedulerRecipe("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "dpm++ 2m karras": SchedulerRecipe("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True}),
    "dpm++ 2m sde": SchedulerRecipe("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "dpm++ 2m sde karras": SchedulerRecipe("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++", "use_karras_sigmas": True}),
    "lms": SchedulerRecipe("LMSDiscreteScheduler", {}),
    # Otherwise PNDM's Runge-Kutta warm-up fails with fewer than four steps; latent diffusion never used the warm-up.
    "pndm": SchedulerRecipe("PNDMScheduler", {"skip_prk_steps": True}),
    "ddim": SchedulerRecipe("DDIMScheduler", {"clip_sample": False}),
    "ddpm": SchedulerRecipe("DDPMScheduler", {"clip_sample": False}),
    "unipc": SchedulerRecipe("UniPCMultistepScheduler", {}),
    "heun": SchedulerRecipe("HeunDiscreteScheduler", {}),
    "dpm2": SchedulerRecipe("KDPM2DiscreteScheduler", {}),
    "dpm2 a": SchedulerRecipe("KDPM2AncestralDiscreteScheduler", {}),
    "deis": SchedulerRecipe("DEISMultistepScheduler", {}),
    "lcm": SchedulerRecipe("LCMScheduler", {"clip_sample": False}),
    "flow euler": SchedulerRecipe("FlowMatchEulerDiscreteScheduler", {}),
    "flow heun": SchedulerRecipe("FlowMatchHeunDiscreteScheduler", {}),
    "flow dpm++ 2m": SchedulerRecipe("DPMSolverMultistepScheduler", {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}),
    "flow unipc": SchedulerRecipe("UniPCMultistepScheduler", {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}),
}

#: Settings of a solver that must not leak from the model's scheduler configuration into a different solver.
_OWN = frozenset(
    {
        *("algorithm_type", "solver_order", "solver_type", "lower_order_final", "euler_at_final", "final_sigmas_type"),
        *("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_flow_sigmas"),
        *("skip_prk_steps", "variance_type", "thresholding", "clip_sample"),
    }
)


def make(name: str, config: Mapping[str, Any]) -> SchedulerMixin:
    """Return a new scheduler for a model whose own scheduler has `config`; raises `NotOffered` for an unknown name."""
    if name not in RECIPES:
        raise NotOffered("unknown-scheduler", given=name, nearest="", offered=", ".join(RECIPES))
    recipe = RECIPES[name]
    shared = {key: value for key, value in config.items() if key not in _OWN and not key.startswith("_")}
    if recipe.options.get("use_flow_sigmas"):
        # Flow models call their time shift `shift`, these two solvers `flow_shift` (diffusers 0.42).
        shared = {"flow_shift": config.get("shift", 1.0), "num_train_timesteps": config.get("num_train_timesteps", 1000)}
    kind = getattr(diffusers, recipe.kind)
    taken = inspect.signature(kind.__init__).parameters
    made: Any = kind(**{key: value for key, value in {**shared, **recipe.options}.items() if key in taken})
    if not hasattr(made, "scale_noise") and recipe.options.get("use_flow_sigmas"):
        # Flow pipelines add noise through a method with this name and argument order (diffusers 0.42).
        made.scale_noise = lambda sample, timestep, noise: made.add_noise(sample, noise, timestep)
    fresh: SchedulerMixin = made
    return fresh
