"""Velocity mode: limits shrink while providers fail in masses, and come back by themselves."""

import pytest

from apps.common.ratelimit import Limits
from apps.inference import runtime
from apps.inference.velocity import Velocity
from tests.gateway import make_customer
from tests.hosting import Host
from tests.surfaces import Surface, ask, check_error

LIMITS = Limits(requests_per_minute=100, tokens_per_minute=1001, concurrency=1)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def real_numbers(settings):
    settings.VELOCITY_LEAST_REQUESTS = 100


def end(velocity: Velocity, *, answered: int, failed: int) -> None:
    for _ in range(answered):
        velocity.ended(failed=False)
    for _ in range(failed):
        velocity.ended(failed=True)


@pytest.mark.parametrize(
    ("answered", "failed", "is_on"),
    [(75, 25, True), (76, 25, False), (74, 25, False), (0, 99, False), (0, 100, True), (1000, 100, False)],
)  # fmt: skip
def test_is_on_from_a_quarter_of_a_hundred(real_numbers, answered, failed, is_on):
    velocity = Velocity(Clock())

    end(velocity, answered=answered, failed=failed)

    assert velocity.is_on is is_on


def test_forgets_what_is_older_than_a_minute(real_numbers):
    clock = Clock()
    velocity = Velocity(clock)
    end(velocity, answered=0, failed=60)
    clock.now += 60

    end(velocity, answered=0, failed=60)

    assert not velocity.is_on
    clock.now += 59
    end(velocity, answered=0, failed=40)
    assert velocity.is_on


def test_ends_after_three_minutes_and_begins_again_when_it_is_still_so(real_numbers):
    clock = Clock()
    velocity = Velocity(clock)
    end(velocity, answered=0, failed=100)
    seen = []
    for seconds in (179.9, 0.2):
        clock.now += seconds
        seen.append(velocity.is_on)
    end(velocity, answered=0, failed=100)

    assert [*seen, velocity.is_on] == [True, False, True]


def test_shrinks_to_the_part_of_the_plan_and_never_to_no_request_at_a_time(real_numbers):
    velocity = Velocity(Clock())
    assert velocity.shrink(LIMITS, percent=50) is LIMITS

    end(velocity, answered=0, failed=100)

    assert velocity.shrink(LIMITS, percent=50) == Limits(50, 500, 1)
    assert velocity.shrink(LIMITS, percent=90) == Limits(90, 900, 1)


@pytest.fixture
def mode():
    """The gateway's own; forgotten afterwards."""
    (running,) = runtime._runtimes.values()
    running.velocity = Velocity()
    yield running
    running.velocity = Velocity()


def test_limits_of_every_key_shrink_while_a_model_fails(gateway, make_model, settings, mode):
    settings.VELOCITY_LEAST_REQUESTS = 8
    failing, whole = make_model("echo+status=503"), make_model("echo")
    customer = make_customer(requests_per_minute=20)
    client = gateway.client(customer)

    def call(model):
        return ask(client, Surface.CHAT, Surface.CHAT.body(model))

    for model in (whole, whole, whole, whole, whole, failing):
        before = call(model)
    assert before.headers["x-ratelimit-limit-requests"] == "20"
    assert "x-velocity-mode-active" not in before.headers
    call(failing)
    call(failing)
    answers = [call(whole) for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[0].headers["x-ratelimit-limit-requests"] == "10"
    assert answers[0].headers["x-velocity-mode-active"] == "true"
    assert answers[0].headers["x-velocity-mode-multiplier"] == "0.5"
    error = check_error(answers[2], Surface.CHAT)
    assert error["code"] == "rate_limit_exceeded"
    assert "while many providers fail" in error["message"]
    metrics = client.get("/metrics").text
    assert "\ngatewayz_velocity_mode 1.0\n" in metrics


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        ((Host("echo+status=503"), Host("echo")), 200),
        ((Host("echo+filter"),), 400),
    ],
    ids=["another provider answered", "the client caused it"],
)
def test_requests_that_no_provider_failed_do_not_count(
    gateway, customer, make_model, settings, mode, hosts, status
):
    settings.VELOCITY_LEAST_REQUESTS = 4
    body = Surface.CHAT.body(make_model(*hosts))

    for _ in range(5):
        assert ask(gateway.client(customer), Surface.CHAT, body).status == status

    assert not mode.velocity.is_on


def test_failures_of_the_sandbox_do_not_count(gateway, customer, settings, mode):
    settings.VELOCITY_LEAST_REQUESTS = 4
    body = Surface.CHAT.body("sandbox/echo+status=503")

    for _ in range(5):
        assert ask(gateway.client(customer), Surface.CHAT, body).status == 503

    assert not mode.velocity.is_on
