"""Settings that are read from text: what is wrong ends the process with one sentence."""

import pytest

from gatewayz import env


@pytest.mark.parametrize(
    ("text", "points"),
    [("5", 500), ("0", 0), ("100", 10_000), ("100.00", 10_000), ("0.01", 1), ("12.5", 1250), ("33.33", 3333), ("", 500)],
)  # fmt: skip
def test_percentage_is_read_exactly(monkeypatch, text, points):
    monkeypatch.setenv("BYOK_FEE_PERCENT", text)

    assert env.basis_points("BYOK_FEE_PERCENT") == points


@pytest.mark.parametrize("text", ["100.01", "-1", "5 %", "0.001", "1e1", "five", "+5", "٥"])
def test_percentage_is_refused_when_it_is_none(monkeypatch, capsys, text):
    monkeypatch.setenv("BYOK_FEE_PERCENT", text)

    with pytest.raises(env.SettingsError):
        env.basis_points("BYOK_FEE_PERCENT")

    assert "BYOK_FEE_PERCENT" in capsys.readouterr().err
