"""The time: aware UTC for what is stored, monotonic seconds for what is measured."""

import datetime
import time


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


monotonic = time.monotonic
