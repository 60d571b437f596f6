"""A host that says that its account has no quota is left alone for as long as its row says."""

from unittest.mock import AsyncMock, MagicMock

import orjson
import pytest

from apps.catalog.providers.registry import PROVIDERS
from apps.inference.attempts import Attempts
from apps.inference.breaker import LocalBreaker, Standing, rules
from apps.inference.faults import UpstreamFault, from_status
from apps.inference.resting import Resting, rest_for
from apps.inference.runtime import Runtime

ALIBABA = PROVIDERS["alibaba"].rests


def refusal(status, code, message):
    return from_status(status, {}, orjson.dumps({"error": {"code": code, "message": message}}))


@pytest.mark.parametrize(
    ("status", "code", "message", "seconds"),
    [
        (
            429,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan.",
            900,
        ),
        (
            403,
            "AllocationQuota.FreeTierOnly",
            "The free tier of the model has been exhausted.",
            900,
        ),
        (
            400,
            "Arrearage",
            "Access denied, please make sure your account is in good standing.",
            900,
        ),
        (401, "invalid_api_key", "Incorrect API key provided.", 900),
        (429, "limit_requests", "You exceeded your current requests list.", None),
        (400, "InvalidParameter", "Range of input length should be [1, 6000]", None),
        (500, "internal_error", "Try again.", None),
    ],
)
def test_refusal_means_a_rest_when_the_row_knows_its_words(status, code, message, seconds):
    rest = rest_for(ALIBABA, refusal(status, code, message))

    assert (rest.seconds if rest else None) == seconds
    assert rest_for((), refusal(status, code, message)) is None


def test_host_rests_until_its_time_is_over():
    now = 100.0
    resting = Resting(lambda: now)
    resting.rest("alibaba/qwen-plus", 900)

    assert resting.is_resting("alibaba/qwen-plus")
    assert not resting.is_resting("alibaba-china/qwen-plus")
    now = 999.0
    assert resting.is_resting("alibaba/qwen-plus")
    now = 1000.0
    assert not resting.is_resting("alibaba/qwen-plus")


async def test_refusal_that_looks_like_the_clients_is_the_hosts_when_its_row_says_so():
    """Alibaba says 400 when the bill is not paid: the next host is asked, and this one not again for a while."""
    fault = refusal(400, "Arrearage", "Access denied.")
    assert fault.client_error is not None
    breaker, runtime = LocalBreaker(rules()), MagicMock()
    runtime.resting, runtime.breaker = Resting(), breaker
    runtime.standing = lambda key: Runtime.standing(runtime, key)
    delivery = MagicMock(run=AsyncMock(side_effect=fault))
    delivery.target.key = "alibaba:qwen-plus"
    delivery.target.offering.provider.rests = ALIBABA
    attempts = Attempts(MagicMock(), MagicMock(), MagicMock(), runtime)

    with pytest.raises(UpstreamFault) as raised:
        await attempts._attempt(delivery)

    assert raised.value.client_error is None
    assert runtime.standing("alibaba:qwen-plus") is Standing.OPEN
    assert runtime.standing("alibaba-china:qwen-plus") is Standing.CLOSED
