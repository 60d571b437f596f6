"""The ``input`` of embeddings and the ``prompt`` of completions: texts or token ids, one or many.

A token id stands in a text as four digits, so that it counts as one token.
"""

from typing import Any

from apps.sandbox.wire import Refused

MOST_INPUTS = 2048


def read_texts(value: Any, name: str) -> list[str]:
    refusal = Refused(
        f"'$.{name}' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.",
        param=name,
    )
    if value in ("", [], None):
        raise refusal
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or len(value) > MOST_INPUTS:
        raise refusal
    if _are_tokens(value):
        return [_spell(value)]
    texts = []
    for one in value:
        if isinstance(one, str) and one:
            texts.append(one)
        elif isinstance(one, list) and one and _are_tokens(one):
            texts.append(_spell(one))
        else:
            raise refusal
    return texts


def _are_tokens(value: list[Any]) -> bool:
    return all(isinstance(one, int) and not isinstance(one, bool) for one in value)


def _spell(tokens: list[int]) -> str:
    return "".join(f"{token % 10_000:04d}" for token in tokens)
