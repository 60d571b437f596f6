"""The breaker's circuit, by a clock that the test moves, and the same circuit shared through Redis."""

import asyncio

import msgspec
import pytest
import redis.asyncio
from django.conf import settings

from apps.inference.breaker import Circuit, LocalBreaker, Rules, Standing, kept_claim
from apps.inference.breaker_redis import RedisBreaker

RULES = Rules(failures=5, share=0.5, least=10, window=60, cool_down=15, successes=2)
QUICK = Rules(failures=3, share=0.5, least=10, window=60, cool_down=0.3, successes=2)


def circuit_after(verdicts: str, *, at: float = 100.0) -> Circuit:
    circuit = Circuit()
    for verdict in verdicts:
        circuit.record(RULES, at, by="request", succeeded=verdict == "1")
    return circuit


@pytest.mark.parametrize(
    ("verdicts", "standing"),
    [
        ("0000", Standing.CLOSED),
        ("00000", Standing.OPEN),
        ("0000100001", Standing.CLOSED),  # never five in a row; only failures open
        ("00001000010", Standing.OPEN),  # nine of eleven in the window
        ("010101010", Standing.CLOSED),  # half and more, but of too few
        ("0101010101", Standing.CLOSED),
        ("01010101010", Standing.OPEN),
        ("1111111100000", Standing.OPEN),
        ("11111111110000", Standing.CLOSED),
    ],
)
def test_circuit_opens_by_failures_in_a_row_or_by_their_share(verdicts, standing):
    assert circuit_after(verdicts).standing(RULES, 101) is standing


def test_old_failures_are_forgotten_when_the_window_has_passed():
    circuit = circuit_after("000010000", at=100.0)
    for second in range(165, 170):
        circuit.record(RULES, second, by="request", succeeded=True)
    circuit.record(RULES, 170, by="request", succeeded=False)

    assert circuit.standing(RULES, 170) is Standing.CLOSED


def test_circuit_is_half_open_when_it_has_cooled_down_and_closes_after_two_successes():
    circuit = circuit_after("00000", at=100.0)

    assert not circuit.claim(RULES, 114.9, by="request")
    assert circuit.standing(RULES, 115) is Standing.HALF_OPEN
    assert circuit.claim(RULES, 115, by="request")
    circuit.record(RULES, 116, by="request", succeeded=True)
    assert circuit.standing(RULES, 116) is Standing.HALF_OPEN
    assert circuit.claim(RULES, 116, by="request")
    circuit.record(RULES, 117, by="request", succeeded=True)

    assert circuit.standing(RULES, 117) is Standing.CLOSED


def test_one_probe_at_a_time_when_half_open():
    circuit = circuit_after("00000", at=100.0)

    assert [circuit.claim(RULES, 120, by=name) for name in "abc"] == [True, False, False]
    circuit.give_back(by="a")
    assert circuit.claim(RULES, 120, by="b")
    assert not circuit.claim(RULES, 120 + RULES.claim - 1, by="c")
    assert circuit.claim(RULES, 120 + RULES.claim, by="c")  # its process is dead


def test_circuit_opens_again_when_the_probe_fails():
    circuit = circuit_after("00000", at=100.0)
    circuit.claim(RULES, 120, by="request")
    circuit.record(RULES, 121, by="request", succeeded=False)

    assert circuit.standing(RULES, 135) is Standing.OPEN
    assert circuit.standing(RULES, 136) is Standing.HALF_OPEN


def test_late_answers_change_nothing_when_the_circuit_is_open():
    circuit = circuit_after("00000" + "111", at=100.0)

    assert circuit.standing(RULES, 101) is Standing.OPEN


async def test_hosts_are_judged_apart_when_one_fails():
    breaker = LocalBreaker(RULES, now=lambda: 100.0)
    for _ in range(5):
        breaker.record("one", by="request", succeeded=False)

    assert breaker.standing("one") is Standing.OPEN
    assert breaker.seconds_left("one") == 15
    assert breaker.seconds_left("other") == 0
    assert not await breaker.claim("one", by="request")
    assert breaker.standing("other") is Standing.CLOSED
    assert await breaker.claim("other", by="request")


async def eventually(seen) -> None:
    deadline = asyncio.get_running_loop().time() + 5
    while not seen():
        assert asyncio.get_running_loop().time() < deadline, "it never came"
        await asyncio.sleep(0.02)


QUICK_PROBE = msgspec.structs.replace(QUICK, failures=1, cool_down=0.1, claim=0.3)


@pytest.fixture(params=["in the process", *(["in Redis"] if settings.REDIS_URL else [])])
async def breaker(request):
    """Of either kind; it opens at the first failure and is half open a tenth of a second later."""
    if request.param == "in the process":
        yield LocalBreaker(QUICK_PROBE)
        return
    prefix = f"{settings.REDIS_PREFIX}-{request.node.name}"
    found = RedisBreaker(settings.REDIS_URL, QUICK_PROBE, prefix=prefix)
    yield found
    await found.close()


async def tell(breaker, succeeded: bool, *, by: str) -> None:
    """A verdict, and what it has come to."""
    breaker.record("host", by=by, succeeded=succeeded)
    await told(breaker)


async def told(breaker) -> None:
    if isinstance(breaker, RedisBreaker):
        await breaker.settle()


async def half_open(breaker) -> None:
    await tell(breaker, False, by="the first")
    assert breaker.standing("host") is Standing.OPEN
    await eventually(lambda: breaker.standing("host") is Standing.HALF_OPEN)


@pytest.mark.parametrize("succeeded", [True, False])
async def test_request_that_began_before_the_circuit_opened_moves_it_no_more(breaker, succeeded):
    assert await breaker.claim("host", by="slow")
    await half_open(breaker)

    for _ in range(QUICK_PROBE.successes):
        await tell(breaker, succeeded, by="slow")

    assert breaker.standing("host") is Standing.HALF_OPEN


@pytest.mark.parametrize("how", ["verdict", "give back"])
async def test_probe_is_ended_by_nobody_else(breaker, how):
    assert await breaker.claim("host", by="slow")
    await half_open(breaker)
    assert await breaker.claim("host", by="probe")

    if how == "verdict":
        await tell(breaker, True, by="slow")
    else:
        breaker.give_back("host", by="slow")

    assert not await breaker.claim("host", by="third")
    breaker.give_back("host", by="probe")
    assert await breaker.claim("host", by="third")


async def test_circuit_goes_by_its_probes_alone(breaker):
    await half_open(breaker)

    for _ in range(QUICK_PROBE.successes):
        assert await breaker.claim("host", by="probe")
        await tell(breaker, True, by="probe")
    assert breaker.standing("host") is Standing.CLOSED

    await half_open(breaker)
    assert await breaker.claim("host", by="probe")
    await tell(breaker, False, by="probe")
    assert breaker.standing("host") is Standing.OPEN


async def test_probe_stays_the_only_one_for_as_long_as_it_takes(breaker, settings):
    settings.BREAKER_CLAIM_SECONDS = QUICK_PROBE.claim
    await half_open(breaker)

    assert await breaker.claim("host", by="probe")
    async with kept_claim(breaker, "host", by="probe"):
        await asyncio.sleep(3 * QUICK_PROBE.claim)
        assert not await breaker.claim("host", by="other")

    # Its process is dead: it has given nothing back.
    await asyncio.sleep(1.5 * QUICK_PROBE.claim)
    assert await breaker.claim("host", by="other")


def shared(test):
    """No test where there is nothing to share: the suite runs once more with Redis."""
    return test if settings.REDIS_URL else None


@pytest.fixture
async def pair(request):
    """The breakers of two processes, with news of each other."""
    prefix = f"{settings.REDIS_PREFIX}-{request.node.name}"
    breakers = [RedisBreaker(settings.REDIS_URL, QUICK, prefix=prefix) for _ in range(2)]
    watches = [asyncio.ensure_future(breaker.watch()) for breaker in breakers]
    yield breakers
    for watch in watches:
        watch.cancel()
    await asyncio.gather(*watches, return_exceptions=True)
    for breaker in breakers:
        await breaker.close()


@shared
async def test_both_processes_know_when_one_saw_the_host_fail(pair):
    here, there = pair
    for _ in range(2):
        here.record("host", by="request", succeeded=False)
    there.record("host", by="request", succeeded=False)

    await eventually(lambda: here.standing("host") is not Standing.CLOSED)
    await eventually(lambda: there.standing("host") is not Standing.CLOSED)
    assert all(breaker.seconds_left("host") <= QUICK.cool_down for breaker in (here, there))
    await eventually(lambda: here.standing("host") is Standing.HALF_OPEN)
    assert here.seconds_left("host") == 0
    claims = await asyncio.gather(
        *[breaker.claim("host", by="request") for breaker in (here, there, here, there)]
    )
    assert sorted(claims) == [False, False, False, True]

    here.record("host", by="request", succeeded=True)
    await asyncio.sleep(0.2)
    assert await there.claim("host", by="request")
    there.record("host", by="request", succeeded=True)
    await eventually(lambda: there.standing("host") is Standing.CLOSED)
    await eventually(lambda: here.standing("host") is Standing.CLOSED)


@shared
async def test_circuit_that_redis_has_forgotten_is_closed_everywhere(pair, request):
    here, there = pair
    for _ in range(3):
        here.record("host", by="request", succeeded=False)
    await eventually(lambda: there.standing("host") is not Standing.CLOSED)
    prefix = f"{settings.REDIS_PREFIX}-{request.node.name}:breaker"

    async with redis.asyncio.Redis.from_url(settings.REDIS_URL) as server:
        assert await server.delete(f"{prefix}:{{host}}") == 1  # as when an hour has passed
        await eventually(lambda: there.standing("host") is Standing.CLOSED)
        assert await server.exists(f"{prefix}:open") == 0


@shared
async def test_shared_circuit_moves_as_the_local_one_when_both_get_the_same_verdicts(pair):
    breaker, _ = pair
    for name, verdicts in {"row": "110100", "share": "1010101010", "fine": "1111101101"}.items():
        local = LocalBreaker(QUICK)
        for verdict in verdicts:
            breaker.record(name, by="request", succeeded=verdict == "1")
            local.record(name, by="request", succeeded=verdict == "1")
        await asyncio.sleep(0.15)
        assert (breaker.standing(name), name) == (local.standing(name), name)


async def test_each_process_judges_alone_when_redis_is_away():
    breaker = RedisBreaker("redis://127.0.0.1:1/0", QUICK, prefix="away")
    breaker.record("host", by="request", succeeded=True)
    await asyncio.sleep(0.2)
    for _ in range(3):
        breaker.record("host", by="request", succeeded=False)

    assert breaker.standing("host") is Standing.OPEN
    assert not await breaker.claim("host", by="request")
    await breaker.close()
