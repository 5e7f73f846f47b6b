"""Encodes weighted prompts into embeddings, with compel's arithmetic.

compel's text parser is not used and never sees a user's prompt: it takes exponential time on nested brackets.
"""

from functools import partial
from typing import Any

import torch
from compel.embeddings_provider import EmbeddingsProvider, ReturnedEmbeddingsType
from torch import Tensor

from inference.contract.request import Fragment, PictureRequest, Prompt
from inference.models.families import FAMILIES
from inference.models.families.base import ClipText, StockText
from inference.worker.model_loader import Loaded

#: The keyword arguments with which the pipelines take embeddings.
Embedded = dict[str, Tensor]


class ClipLayer(EmbeddingsProvider):  # type: ignore[misc]  # compel ships no types
    """Returns the output of a CLIP layer, counted from the last, which is 1; an encoder with fewer layers gives its first."""

    def __init__(self, number: int, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._number = number

    def _encode_token_ids_to_embeddings(self, token_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        read = self.text_encoder(token_ids, attention_mask, output_hidden_states=True, return_dict=True)
        # The first hidden state is the token embedding, before any layer.
        states = read.hidden_states[1:]
        state: Tensor = states[-min(self._number, len(states))]
        if self.returned_embeddings_type is ReturnedEmbeddingsType.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED:
            return state
        encoder: Any = self.text_encoder
        normalised: Tensor = getattr(encoder, "text_model", encoder).final_layer_norm(state)
        return normalised


class TextEncoder:
    """Turns prompts into embeddings for a model; `device` is that of its text encoders."""

    def __init__(self, loaded: Loaded, device: torch.device) -> None:
        self._loaded, self._device = loaded, device
        self._family = FAMILIES[loaded.model_info.family]
        self._text = self._family.text
        self._providers = self._clip_providers(self._text, None) if isinstance(self._text, ClipText) else []

    def _clip_providers(self, text: ClipText, clip_skip: int | None) -> list[EmbeddingsProvider]:
        parts, kind = self._loaded.components, ReturnedEmbeddingsType[text.states]
        pairs = [(parts[f"tokenizer{end}"], parts[f"text_encoder{end}"]) for end in ("", "_2") if parts.get(f"text_encoder{end}")]
        make = EmbeddingsProvider if clip_skip is None else partial(ClipLayer, clip_skip)
        return [
            make(tokenizer, encoder, truncate=False, returned_embeddings_type=kind, device=self._device) for tokenizer, encoder in pairs
        ]

    def key(self, request: PictureRequest) -> tuple[object, ...]:
        """Return everything that `read` uses of a request: requests with equal keys share their embeddings."""
        return (self._is_guided(request), *request.embedding_key)

    def read(self, request: PictureRequest) -> Embedded:
        """Return the embeddings of a request's prompts."""
        return self.embed(request.prompt, request.negative, self._is_guided(request), request.clip_skip)

    def _is_guided(self, request: PictureRequest) -> bool:
        return self._family.is_guided(request.guidance)

    def embed(self, prompt: Prompt, negative: Prompt, guided: bool, clip_skip: int | None = None) -> Embedded:
        """Return the embeddings of a prompt, in float32, and of the negative prompt if guidance needs it."""
        if isinstance(self._text, StockText):
            return self._stock(self._text, prompt, negative, guided)
        providers = self._providers if clip_skip is None else self._clip_providers(self._text, clip_skip)
        words = self._weighted(prompt, providers)
        embedded = {"prompt_embeds": words}
        if guided:
            unwanted = self._weighted(negative, providers)
            if not negative.parts and self._loaded.zero_empty:
                unwanted = torch.zeros_like(unwanted)
            length = max(words.shape[1], unwanted.shape[1])
            embedded = {
                "prompt_embeds": self._longer(words, length, providers),
                "negative_prompt_embeds": self._longer(unwanted, length, providers),
            }
        if self._text.pooled:
            embedded |= self._pooled(prompt, negative, guided)
        return embedded

    def _weighted(self, prompt: Prompt, providers: list[EmbeddingsProvider]) -> Tensor:
        """Return embeddings (1, windows * 77, channels): every part of the prompt starts a new window."""
        windows = []
        for part in prompt.parts or ((Fragment(""),),):
            texts, weights = [self._plain(one.text) for one in part], [one.weight for one in part]
            columns = [
                provider.get_embeddings_for_weighted_prompt_fragments([texts], [weights], device=self._device) for provider in providers
            ]
            windows.append(torch.cat(columns, dim=-1))
        return torch.cat(windows, dim=1).float()

    def _plain(self, text: str) -> str:
        """Return a text without the tokenizer's special tokens, so that a user who types one cannot end the prompt with it."""
        for mark in self._loaded.components["tokenizer"].all_special_tokens:
            text = text.replace(mark, " ")
        # A lone surrogate is not a character, and tokenizers refuse the whole text because of it.
        return text.encode("utf-8", "replace").decode()

    def _spoken(self, prompt: Prompt) -> str:
        return self._plain(" ".join(fragment.text for part in prompt.parts for fragment in part))

    def _longer(self, embedded: Tensor, length: int, providers: list[EmbeddingsProvider]) -> Tensor:
        """Return embeddings padded to `length` with windows of the empty prompt."""
        if embedded.shape[1] == length:
            return embedded
        empty = torch.cat([provider.empty_z.to(self._device) for provider in providers], dim=-1).float()
        missing = (length - embedded.shape[1]) // empty.shape[1]
        return torch.cat([embedded, *[empty] * missing], dim=1)

    def _pooled(self, prompt: Prompt, negative: Prompt, guided: bool) -> Embedded:
        """Return the pooled (whole-prompt) embeddings of the last encoder; prompt weights have no effect on them."""

        def pool(words: Prompt) -> Tensor:
            said: Tensor = self._providers[-1].get_pooled_embeddings([self._spoken(words)], device=self._device)
            return said.float()

        pooled = {"pooled_prompt_embeds": pool(prompt)}
        if guided:
            none = not negative.parts and self._loaded.zero_empty
            unwanted = torch.zeros_like(pooled["pooled_prompt_embeds"]) if none else pool(negative)
            pooled["negative_pooled_prompt_embeds"] = unwanted
        return pooled

    def _stock(self, text: StockText, prompt: Prompt, negative: Prompt, guided: bool) -> Embedded:
        """Return the embeddings of the stock pipeline for the prompts without weights."""
        pipeline: Any = self._loaded.text_pipeline
        given: dict[str, Any] = dict.fromkeys(text.prompts, self._spoken(prompt))
        if text.negatives:
            given |= dict.fromkeys(text.negatives, self._spoken(negative)) | {"do_classifier_free_guidance": guided}
        made = pipeline.encode_prompt(**given, device=self._device)
        return {name: value.float() for name, value in zip(text.results, made, strict=True) if name and value is not None}
