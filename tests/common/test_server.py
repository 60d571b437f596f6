"""The server's transport: an answer's head and the beginning of its body are one write."""

import asyncio

import pytest

from gatewayz.server import GatheringTransport

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"


class Wire:
    """A transport that notes its system calls."""

    def __init__(self):
        self.calls = []

    def write(self, data):
        self.calls.append(data)

    def writelines(self, parts):
        self.calls.append(b"".join(parts))

    def close(self):
        self.calls.append("closed")

    def is_closing(self):
        return "closed" in self.calls


@pytest.fixture
def wire():
    return Wire()


async def test_head_goes_out_with_the_body_when_both_are_written_in_one_turn(wire):
    transport = GatheringTransport(wire)

    transport.write(HEAD)
    transport.write(b"body")
    await asyncio.sleep(0)

    assert wire.calls == [HEAD + b"body"]


async def test_head_goes_out_alone_when_the_turn_ends_without_a_body(wire):
    transport = GatheringTransport(wire)

    transport.write(HEAD)
    assert wire.calls == []
    await asyncio.sleep(0)
    transport.write(b"first")
    transport.write(b"second")

    assert wire.calls == [HEAD, b"first", b"second"]


async def test_head_is_not_lost_when_the_connection_closes_behind_it(wire):
    transport = GatheringTransport(wire)

    transport.write(HEAD)
    transport.close()
    await asyncio.sleep(0)

    assert wire.calls == [HEAD, "closed"]
    assert transport.is_closing()


async def test_two_answers_keep_their_order_when_written_in_one_turn(wire):
    transport = GatheringTransport(wire)

    transport.write(HEAD)
    transport.write(HEAD)
    await asyncio.sleep(0)

    assert b"".join(wire.calls) == HEAD + HEAD
