"""TOML of unknown origin: limits of size, depth and numbers."""

import pytest

from camerapose.core import toml


def test_ordinary_text():
    assert toml.parse("a = 1\n[b]\nc = [1, {d = [2]}]") == {"a": 1, "b": {"c": [1, {"d": [2]}]}}


@pytest.mark.parametrize("depth", [40, 5_000, 100_000])
@pytest.mark.parametrize("pair", ["[]", ("{a = ", "}")])
def test_deep_nesting(depth, pair):
    with pytest.raises(ValueError, match="nested more than 32 levels"):
        toml.parse("a = " + pair[0] * depth + ("" if pair[0] == "[" else "1") + pair[1] * depth)


def test_dotted_keys_and_tables():
    with pytest.raises(ValueError, match="nested"):
        toml.parse(".".join(["a"] * 100) + " = 1")


@pytest.mark.parametrize("number", [1 << 63, -(1 << 63), 10**400])
def test_large_integers(number):
    with pytest.raises(ValueError, match="64 bits"):
        toml.parse(f"a = [{number}]")
    with pytest.raises(ValueError):
        toml.parse("a = " + "9" * 5000)


def test_long_text():
    with pytest.raises(ValueError, match="at most 1000000"):
        toml.parse("#" * 1_000_001)


@pytest.mark.parametrize("text", ["a", "a = ", "[", "a = 1\na = 2", "a = nan b", "\0"])
def test_damaged_text(text):
    with pytest.raises(ValueError):
        toml.parse(text)
