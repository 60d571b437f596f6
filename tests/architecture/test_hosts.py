"""The paths that are answered ahead of Django know the gateway's host names as Django does."""

import pytest

from gatewayz import hosts


@pytest.fixture
def listed(settings):
    def listed(*names: str) -> None:
        settings.ALLOWED_HOSTS = list(names)
        hosts.is_ours.cache_clear()

    yield listed
    hosts.is_ours.cache_clear()


@pytest.mark.parametrize(
    ("names", "host", "ours"),
    [
        (["gateway.example"], b"gateway.example", True),
        (["gateway.example"], b"GATEWAY.example:8000", True),
        (["gateway.example"], b"gateway.example.", True),
        (["gateway.example"], b"elsewhere.example", False),
        (["gateway.example"], b"a.gateway.example", False),
        ([".gateway.example"], b"a.gateway.example", True),
        ([".gateway.example"], b"gateway.example", True),
        ([".gateway.example"], b"notgateway.example", False),
        (["[::1]"], b"[::1]:8000", True),
        (["*"], b"any.example", True),
        (["*"], b"any/example", False),
        (["*"], b"\xff", False),
    ],
)
def test_host_is_ours_when_the_setting_lists_it(listed, names, host, ours):
    listed(*names)

    assert hosts.is_for_us({"headers": [(b"accept", b"*/*"), (b"host", host)]}) is ours
    assert hosts.is_for_us({"headers": [(b"host", host)]}) is ours  # as remembered


def test_host_is_not_ours_when_there_are_two(listed):
    listed("a.example", "b.example")

    assert not hosts.is_for_us({"headers": [(b"host", b"a.example"), (b"host", b"b.example")]})


@pytest.mark.parametrize(
    ("server", "ours"), [(("a.example", 80), True), (("b.example", 80), False), (None, False)]
)
def test_address_of_the_server_counts_when_no_host_is_named(listed, server, ours):
    listed("a.example")

    assert hosts.is_for_us({"headers": [], "server": server}) is ours
