"""Every number that a user can set has a range: options of commands, configurations, limits."""

import dataclasses
import math
import typing

import pytest

from camerapose.cli.main import main
from camerapose.infer.options import PredictOptions
from camerapose.server.limits import ServerLimits
from camerapose.train import config_io
from camerapose.train.config import Config
from camerapose.train.simulated.config import SimulatedConfig
from camerapose.train.temporal.config import TemporalConfig

#: Values of floating-point settings that none accepts, but for -1 in some.
WRONG = (math.nan, math.inf, -math.inf, -1.0, 1e300)


def numbers(kind):
    """Return the names of the fields of a dataclass that hold numbers."""
    hints = typing.get_type_hints(kind)
    return [
        field.name
        for field in dataclasses.fields(kind)
        if {int, float} & {hints[field.name], *typing.get_args(hints[field.name])}
        and hints[field.name] is not bool
    ]


def settings(config):
    """Yield section and name of every number in a training configuration."""
    for name in numbers(type(config)):
        yield None, name
    for field in dataclasses.fields(config):
        section = getattr(config, field.name)
        if dataclasses.is_dataclass(section):
            for name in numbers(type(section)):
                yield field.name, name


def values(default):
    """Return values of the type of a default that no setting accepts."""
    return (10**15, -(10**15)) if isinstance(default, int) else WRONG


def accepted(make, wrong):
    """Return the wrong values that are accepted; errors must be one line."""
    result = []
    for value in wrong:
        try:
            make(value)
        except ValueError as error:
            assert str(error) and "\n" not in str(error)
        else:
            result.append(value)
    return result


@pytest.mark.parametrize("kind", [PredictOptions, ServerLimits])
def test_options(kind):
    names = numbers(kind)
    assert len(names) >= 6
    for name in names:
        whole = float not in {hint := typing.get_type_hints(kind)[name], *typing.get_args(hint)}
        wrong = values(0 if whole else 0.0)
        assert not accepted(lambda value, name=name: kind(**{name: value}), wrong), name


@pytest.mark.parametrize("config", [Config(), SimulatedConfig(), TemporalConfig()], ids=type)
def test_configuration(config):
    """As in a TOML file; some settings may be negative, but not by this much."""
    names = list(settings(config))
    assert len(names) > 40
    for section, name in names:
        default = getattr(getattr(config, section) if section else config, name)
        wrong = [value for value in values(default) if value != -1.0]

        def make(value, section=section, name=name):
            config_io.update(config, {section: {name: value}} if section else {name: value}, "x")

        assert not accepted(make, wrong), (section, name)


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1e300", "99999999999999999999"])
@pytest.mark.parametrize(
    "command",
    [
        ["predict", "missing.png", "-o", "out", "--max-people"],
        ["predict", "missing.png", "-o", "out", "--focal"],
        ["predict", "missing.png", "-o", "out", "--fps"],
        ["predict", "missing/*.png", "-o", "out", "--engine", "local", "--workers"],
        ["serve", "--port"], ["serve", "--max-megabytes"], ["serve", "--workers"],
        ["adapt", "missing.json", "-o", "out", "--held-out"],
        ["adapt", "missing.json", "-o", "out", "--steps"],
        ["adapt", "missing.json", "-o", "out", "--seed"],
    ],
)  # fmt: skip
def test_commands(command, value, capsys, tmp_path, monkeypatch):
    """Nothing is created, and the message is one line."""
    monkeypatch.chdir(tmp_path)
    assert main([*command, value]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
