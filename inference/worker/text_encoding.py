"""From weighted words to embeddings, with compel's embedding maths.

Only compel's arithmetic is used. Its text parser never sees a person's words: it takes exponential time on nested brackets.
"""

from typing import Any

import torch
from compel.embeddings_provider import EmbeddingsProvider, ReturnedEmbeddingsType
from torch import Tensor

from inference.contract.request import Fragment, Prompt
from inference.worker.model_loader import Loaded

#: The keyword arguments with which the pipelines take embeddings.
Embedded = dict[str, Tensor]

_KINDS = {
    "sd1": ReturnedEmbeddingsType.LAST_HIDDEN_STATES_NORMALIZED,
    "sd2": ReturnedEmbeddingsType.LAST_HIDDEN_STATES_NORMALIZED,
    "sdxl": ReturnedEmbeddingsType.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED,
}


class TextEncoder:
    """Turns prompts into embeddings for one model; `device` is where its text encoders are."""

    def __init__(self, loaded: Loaded, device: torch.device) -> None:
        self._loaded, self._device = loaded, device
        self._providers = [] if loaded.model_info.family == "sd3" else self._clip_providers()

    def _clip_providers(self) -> list[EmbeddingsProvider]:
        parts, kind = self._loaded.components, _KINDS[self._loaded.model_info.family]
        pairs = [(parts[f"tokenizer{end}"], parts[f"text_encoder{end}"]) for end in ("", "_2") if parts.get(f"text_encoder{end}")]
        return [
            EmbeddingsProvider(tokenizer, encoder, truncate=False, returned_embeddings_type=kind, device=self._device)
            for tokenizer, encoder in pairs
        ]

    def embed(self, prompt: Prompt, negative: Prompt, guided: bool) -> Embedded:
        """Return the embeddings of a prompt, in float32, and of its negative where guidance needs one."""
        if self._loaded.model_info.family == "sd3":
            return self._embed_sd3(prompt, negative, guided)
        words = self._weighted(prompt)
        embedded = {"prompt_embeds": words}
        if guided:
            unwanted = self._weighted(negative)
            if not negative.parts and self._loaded.zero_empty:
                unwanted = torch.zeros_like(unwanted)
            length = max(words.shape[1], unwanted.shape[1])
            embedded = {"prompt_embeds": self._longer(words, length), "negative_prompt_embeds": self._longer(unwanted, length)}
        if len(self._providers) > 1:
            embedded |= self._pooled(prompt, negative, guided)
        return embedded

    def _weighted(self, prompt: Prompt) -> Tensor:
        """Return (1, windows * 77, channels): every part of the prompt starts a window of its own."""
        windows = []
        for part in prompt.parts or ((Fragment(""),),):
            texts, weights = [self._plain(one.text) for one in part], [one.weight for one in part]
            columns = [
                provider.get_embeddings_for_weighted_prompt_fragments([texts], [weights], device=self._device)
                for provider in self._providers
            ]
            windows.append(torch.cat(columns, dim=-1))
        return torch.cat(windows, dim=1).float()

    def _plain(self, text: str) -> str:
        """Return words without the tokenizer's own marks: a person who types one must not end the prompt with it."""
        for mark in self._loaded.components["tokenizer"].all_special_tokens:
            text = text.replace(mark, " ")
        # Half a surrogate pair is no character: tokenizers refuse the whole text for it.
        return text.encode("utf-8", "replace").decode()

    def _spoken(self, prompt: Prompt) -> str:
        return self._plain(" ".join(fragment.text for part in prompt.parts for fragment in part))

    def _longer(self, embedded: Tensor, length: int) -> Tensor:
        """Pad with windows of the empty prompt."""
        if embedded.shape[1] == length:
            return embedded
        empty = torch.cat([provider.empty_z.to(self._device) for provider in self._providers], dim=-1).float()
        missing = (length - embedded.shape[1]) // empty.shape[1]
        return torch.cat([embedded, *[empty] * missing], dim=1)

    def _pooled(self, prompt: Prompt, negative: Prompt, guided: bool) -> Embedded:
        """Return the whole-prompt vector of the second encoder; emphasis does not reach it."""

        def pool(words: Prompt) -> Tensor:
            said: Tensor = self._providers[-1].get_pooled_embeddings([self._spoken(words)], device=self._device)
            return said.float()

        pooled = {"pooled_prompt_embeds": pool(prompt)}
        if guided:
            none = not negative.parts and self._loaded.zero_empty
            unwanted = torch.zeros_like(pooled["pooled_prompt_embeds"]) if none else pool(negative)
            pooled["negative_pooled_prompt_embeds"] = unwanted
        return pooled

    def _embed_sd3(self, prompt: Prompt, negative: Prompt, guided: bool) -> Embedded:
        """Return what the stock pipeline makes of the plain words: weights have no agreed meaning for three encoders."""
        pipeline: Any = self._loaded.text_pipeline
        names = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
        words, unwanted = self._spoken(prompt), self._spoken(negative)
        made = pipeline.encode_prompt(
            words, words, words, negative_prompt=unwanted, device=self._device, do_classifier_free_guidance=guided
        )
        return {name: value.float() for name, value in zip(names, made, strict=True) if value is not None}
