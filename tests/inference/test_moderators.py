"""The model of a moderation whose client names none."""

import pytest

from apps.common.errors import ModelNotFound
from apps.inference.choosing import USUAL_MODERATOR, usual_moderator
from tests.catalog.made import make_model, make_offering, make_provider, make_snapshot

MODERATES = ("moderation",)
USUAL = make_model(USUAL_MODERATOR, gives=MODERATES)
DEAR = make_model("acme/guard", gives=MODERATES, usd="2")
CHEAP = make_model("acme/light-guard", gives=MODERATES, usd="1")
TALKER = make_model("acme/talker", usd="0")
SANDBOX = make_model(
    "sandbox/moderation",
    make_offering("sandbox/moderation", make_provider("sandbox", is_sandbox=True), usd="0"),
    gives=MODERATES,
)


@pytest.mark.parametrize(
    ("models", "is_test_key", "chosen"),
    [
        ((DEAR, USUAL, CHEAP, SANDBOX), False, USUAL),
        ((DEAR, CHEAP, TALKER, SANDBOX), False, CHEAP),
        ((TALKER, SANDBOX), False, SANDBOX),
        ((USUAL, DEAR, SANDBOX), True, SANDBOX),
    ],
)
def test_moderator_is_openais_else_the_cheapest(models, is_test_key, chosen):
    assert usual_moderator(make_snapshot(*models), is_test_key=is_test_key) == chosen.id


@pytest.mark.parametrize(("models", "is_test_key"), [((TALKER,), False), ((USUAL, DEAR), True)])
def test_model_must_be_named_when_nobody_moderates(models, is_test_key):
    with pytest.raises(ModelNotFound) as refused:
        usual_moderator(make_snapshot(*models), is_test_key=is_test_key)

    assert refused.value.param == "model"
