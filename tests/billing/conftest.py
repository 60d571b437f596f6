"""Organisations with credit in any bucket, on the rolled-back database."""

import pytest

from tests.billing.books import open_books


@pytest.fixture
def make_books(db):
    return open_books


@pytest.fixture
def books(make_books):
    """An organisation with 1,000 nano-dollars of purchased credit."""
    return make_books(purchased=1_000)
