"""What the build of the seed makes of prices that cannot be."""

import sys
from collections import Counter

import pytest
from django.conf import settings

sys.path.append(str(settings.BASE_DIR / "scripts"))  # where the build finds its own modules

from seeds.entries import Entry
from seeds.outliers import plausible


def embedding(name, dollars):
    return Entry(
        provider="cohere",
        upstream=name,
        prices={"input": int(dollars * 10**9)},
        outputs=("embeddings",),
    )


SIBLINGS = [
    embedding(f"embed-{name}", 0.1) for name in ("english-v3.0", "v4.0", "english-light-v3.0")
]


@pytest.mark.parametrize(
    ("told", "kept"), [(100, 0.1), (0.12, 0.12), (50_000, None), (0.0001, None), (2, None)]
)
def test_price_a_thousand_times_its_siblings_is_one_for_a_thousand_when_built(told, kept):
    left_out: Counter[str] = Counter()
    lines: list[str] = []

    found = list(plausible([embedding("embed-odd-v3.0", told), *SIBLINGS], left_out, lines))

    odd = [entry.prices["input"] / 10**9 for entry in found if entry.upstream == "embed-odd-v3.0"]
    assert odd == ([kept] if kept else [])
    assert len(lines) == (told != kept)
    assert left_out.total() == (kept is None)
