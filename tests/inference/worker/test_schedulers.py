"""Every offered scheduler can be created, generates images, and stays isolated from the others."""

import pytest

from inference.contract.errors import NotOffered
from inference.contract.inputs import Input, Role
from inference.contract.request import Done
from inference.models.families.base import DIFFUSION_SCHEDULERS, FLOW_SCHEDULERS
from inference.worker.model_loader import load
from inference.worker.schedulers import RECIPES, make
from tests import tiny_models
from tests.room import asked, room


def test_what_passports_offer_is_what_can_be_made():
    """The names in the model infos and the recipes are the same."""
    assert set(RECIPES) == {*DIFFUSION_SCHEDULERS, *FLOW_SCHEDULERS}


def test_an_unknown_scheduler_is_refused():
    """A name that is not offered raises, even if diffusers has an attribute of that name."""
    with pytest.raises(NotOffered):
        make("DDIMScheduler", {})


def test_all_of_them_paint_in_one_batch():
    """Every scheduler for diffusion models finishes its image beside all the others."""
    with room() as opened:
        outcomes = opened.paint(*[asked(scheduler=name, steps=4, share=name) for name in DIFFUSION_SCHEDULERS])

    assert all(isinstance(outcome.end, Done) for outcome in outcomes)


@pytest.mark.parametrize("scheduler", FLOW_SCHEDULERS)
def test_flow_schedulers_paint(scheduler, tmp_path):
    """Every flow scheduler finishes an image of a Stable Diffusion 3, from a prompt and from an image."""
    from inference.models.registry import inspect

    tiny_models.write_folder(tiny_models.make("sd3"), tmp_path / "model")
    model_info = inspect(tmp_path / "model")
    side = model_info.defaults.width
    with room({model_info.name: model_info}, load=load) as opened:
        request = asked(model=model_info.name, width=side, height=side, steps=3, scheduler=scheduler)
        first = opened.paint(request)[0]
        image = next(event.image for event in first.events if hasattr(event, "image"))
        second = opened.paint(
            asked(model=model_info.name, width=side, height=side, steps=4, scheduler=scheduler, inputs=(Input(Role.INIT, image),))
        )[0]

    assert isinstance(first.end, Done)
    assert isinstance(second.end, Done)


def test_the_models_own_solver_settings_do_not_leak():
    """The saved settings of one solver do not reach another: clipping ruins latents, sigmas change the steps."""
    saved = {"use_karras_sigmas": True, "clip_sample": True, "algorithm_type": "sde-dpmsolver++", "num_train_timesteps": 1000}

    assert not make("ddim", saved).config.clip_sample
    assert not make("euler", saved).config.use_karras_sigmas
    assert make("dpm++ 2m", saved).config.algorithm_type == "dpmsolver++"
