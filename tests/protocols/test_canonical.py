"""What a fixture means is what was read and found right: a decoder that reads another meaning shows in the difference."""

import pytest

from tests.protocols import canonical
from tests.protocols.cases import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=str)
def test_fixture_means_what_was_written_down(case: Case):
    assert canonical.render(case).decode() == canonical.path_of(case).read_text()
