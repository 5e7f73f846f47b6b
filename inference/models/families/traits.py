"""What a model family is: its classes in diffusers, its native size, what fits it. Free of torch."""

import msgspec

#: Schedulers for models that predict noise or velocity.
DIFFUSION_SCHEDULERS = (
    "euler", "euler a", "dpm++ 2m", "dpm++ 2m karras", "dpm++ 2m sde", "dpm++ 2m sde karras", "lms", "pndm",
    "ddim", "ddpm", "unipc", "heun", "dpm2", "dpm2 a", "deis", "lcm",
)  # fmt: skip

#: Schedulers for models that predict a flow.
FLOW_SCHEDULERS = ("flow euler", "flow heun", "flow dpm++ 2m", "flow unipc")

#: The schedulers that fit what a denoiser predicts.
SCHEDULERS_OF = {"epsilon": DIFFUSION_SCHEDULERS, "v_prediction": DIFFUSION_SCHEDULERS, "flow": FLOW_SCHEDULERS}

#: The (library, class) pairs that a component of a model folder may name; any other class is refused unread.
COMPONENTS = {
    "unet": {("diffusers", "UNet2DConditionModel")},
    "transformer": {("diffusers", "SD3Transformer2DModel")},
    "vae": {("diffusers", "AutoencoderKL")},
    "text_encoder": {("transformers", "CLIPTextModel"), ("transformers", "CLIPTextModelWithProjection")},
    "text_encoder_2": {("transformers", "CLIPTextModelWithProjection")},
    "text_encoder_3": {("transformers", "T5EncoderModel")},
    "tokenizer": {("transformers", "CLIPTokenizer"), ("transformers", "CLIPTokenizerFast")},
    "tokenizer_2": {("transformers", "CLIPTokenizer"), ("transformers", "CLIPTokenizerFast")},
    "tokenizer_3": {("transformers", "T5Tokenizer"), ("transformers", "T5TokenizerFast")},
}

#: Components that a folder may name and that are never loaded, whatever class they name.
IGNORED = frozenset({"safety_checker", "feature_extractor", "image_encoder"})


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of model.

    The pipelines are names of stock diffusers classes, looked up in the worker; `accepted` are the classes that a model folder
    of this family may name. `components` are the parts that a model must have, `optional` those that it may lack. `native` is
    the side of the square pictures it was trained on; `reach` says how many times that side a picture of any shape may have
    in pixels. `patch` is how many latent positions make one token of the denoiser.
    """

    name: str
    title: str
    text_to_image: str
    image_to_image: str
    accepted: tuple[str, ...]
    denoiser: str
    components: tuple[str, ...]
    optional: tuple[str, ...] = ()
    native: int
    reach: float
    prediction: str
    patch: int = 1
    steps: int = 24
    guidance: float = 7.0
    scheduler: str = "dpm++ 2m karras"

    @property
    def schedulers(self) -> tuple[str, ...]:
        """Return the schedulers that fit every model of this family."""
        return SCHEDULERS_OF[self.prediction]


FAMILIES = {
    family.name: family
    for family in (
        Family(
            name="sd1",
            title="Stable Diffusion 1.x",
            text_to_image="StableDiffusionPipeline",
            image_to_image="StableDiffusionImg2ImgPipeline",
            accepted=("StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline", "LatentConsistencyModelPipeline"),
            denoiser="unet",
            components=("unet", "vae", "text_encoder", "tokenizer", "scheduler"),
            native=512,
            reach=2.0,
            prediction="epsilon",
        ),
        Family(
            name="sd2",
            title="Stable Diffusion 2.x",
            text_to_image="StableDiffusionPipeline",
            image_to_image="StableDiffusionImg2ImgPipeline",
            accepted=("StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"),
            denoiser="unet",
            components=("unet", "vae", "text_encoder", "tokenizer", "scheduler"),
            native=768,
            reach=2.0,
            prediction="v_prediction",
        ),
        Family(
            name="sdxl",
            title="Stable Diffusion XL",
            text_to_image="StableDiffusionXLPipeline",
            image_to_image="StableDiffusionXLImg2ImgPipeline",
            accepted=("StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline"),
            denoiser="unet",
            components=("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler"),
            native=1024,
            reach=1.5,
            prediction="epsilon",
            guidance=6.0,
        ),
        Family(
            name="sd3",
            title="Stable Diffusion 3",
            text_to_image="StableDiffusion3Pipeline",
            image_to_image="StableDiffusion3Img2ImgPipeline",
            accepted=("StableDiffusion3Pipeline", "StableDiffusion3Img2ImgPipeline"),
            denoiser="transformer",
            components=("transformer", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler"),
            optional=("text_encoder_3", "tokenizer_3"),
            native=1024,
            reach=1.5,
            prediction="flow",
            patch=2,
            steps=28,
            guidance=5.0,
            scheduler="flow euler",
        ),
    )
}
