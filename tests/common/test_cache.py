"""Snapshots: a reset holds for what is being loaded at that moment, too."""

import threading

import pytest

from apps.common import cache


@pytest.fixture
def make_snapshot():
    made = []

    def make(load):
        made.append(cache.Snapshot("test", load=load, epoch=lambda: 1))
        return made[-1]

    yield make
    for snapshot in made:
        cache._snapshots.remove(snapshot)


def test_value_that_was_being_loaded_is_forgotten_when_reset(make_snapshot):
    begun, go_on = threading.Event(), threading.Event()
    loads = []

    def load():
        loads.append("load")
        begun.set()
        assert go_on.wait(5)
        return len(loads)

    snapshot = make_snapshot(load)
    threads = [threading.Thread(target=snapshot.get), threading.Thread(target=snapshot.reset)]
    threads[0].start()
    assert begun.wait(5)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(5)

    assert snapshot.get() == 2


def test_value_is_loaded_once_while_its_epoch_stays(make_snapshot):
    loads = []

    def load():
        loads.append("load")
        return len(loads)

    snapshot = make_snapshot(load)

    assert [snapshot.get(), snapshot.get()] == [1, 1]
    snapshot.check()
    assert snapshot.get() == 1
