"""Names of models: what makes a provider's name on its bill and its name in requests the same. Rules are data, pure.

    {"prefix": "models/"}            is taken from the beginning
    {"suffix": ":free"}              is taken from the end
    {"cut": ", "}                    this, and all that follows it, is left out
    {"replace": [" ", "-"]}          everywhere
    {"drop_date": true}              a date at the end: -2024-08-06, -20250929, -1106
    {"rename": ["theirs", "ours"]}   the whole name

Names are compared in lower case. The rules are told as words, not as patterns: no text of a bill can make them slow.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError

VERBS = ("prefix", "suffix", "cut", "replace", "drop_date", "rename")
PAIRS = ("replace", "rename")
LONGEST = 200
_DATE = re.compile(r"-(20\d\d-\d\d-\d\d|20\d{6}|(0[1-9]|1[0-2])([0-2]\d|3[01]))$")


def normal_name(name: str, rules: Iterable[Mapping[str, Any]]) -> str:
    """The name by which it is compared."""
    found = name.strip().lower()
    for rule in rules:
        for verb, value in rule.items():
            found = _apply(found, verb, value)
    return found[:LONGEST]


def _apply(name: str, verb: str, value: Any) -> str:
    match verb:
        case "prefix":
            return name.removeprefix(value.lower())
        case "suffix":
            return name.removesuffix(value.lower())
        case "cut":
            return name.split(value.lower(), 1)[0].strip()
        case "replace":
            return name.replace(value[0].lower(), value[1].lower())
        case "rename":
            return str(value[1].lower()) if name == value[0].lower() else name
        case "drop_date":
            return _DATE.sub("", name) if value else name
    raise AssertionError(verb)


def check_rules(value: Any) -> None:
    """Raises ValidationError, naming the rule, for what is none of those above."""
    if not isinstance(value, list):
        raise ValidationError("A list of rules.")
    for number, rule in enumerate(value, 1):
        if not isinstance(rule, dict) or len(rule) != 1:
            raise ValidationError(
                f'Rule {number}: one of {", ".join(VERBS)}, as in {{"cut": ","}}.'
            )
        ((verb, told),) = rule.items()
        if verb not in VERBS:
            raise ValidationError(
                f"Rule {number}: '{str(verb)[:40]}' is not one of {', '.join(VERBS)}."
            )
        if verb == "drop_date":
            is_right = isinstance(told, bool)
        elif verb in PAIRS:
            is_right = isinstance(told, list) and [type(one) for one in told] == [str, str]
            is_right = is_right and bool(told[0])
        else:
            is_right = isinstance(told, str) and bool(told)
        if not is_right:
            raise ValidationError(f"Rule {number}: that is no value of '{verb}'.")
