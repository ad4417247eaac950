"""Configuration: defaults of the paper, inheritance, checks, and writing."""

import dataclasses
import math
import tomllib
from pathlib import Path

import pytest

from camerapose.train import config_io
from camerapose.train.config import Config, Schedule
from camerapose.train.config_io import (
    as_dict,
    check,
    read,
    read_differences,
    to_toml,
    update,
)
from camerapose.train.schedule import learning_rate
from camerapose.train.temporal.config import TemporalConfig

CONFIGS = [
    path
    for path in sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))
    if config_io.recipe(path) == "stages"  # others: test_simulated.py, test_temporal_training.py
]


@pytest.fixture
def write(tmp_path):
    def to_file(text):
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


@pytest.fixture
def refused(write):
    """Read an invalid configuration; return the error."""

    def to_error(text):
        with pytest.raises(ValueError) as error:
            read(write(text))
        assert "mine.toml" in str(error.value)
        return str(error.value)

    return to_error


class TestRoundTrip:
    @pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
    def test_ours(self, path, write):
        config = check(read(path))
        assert read(write(to_toml(config))) == config

    def test_documented_files_exist(self):
        assert {path.stem for path in CONFIGS} >= {"paper", "quick", "smoke"}

    def test_everything_is_written(self):
        assert tomllib.loads(to_toml(Config())).keys() == as_dict(Config()).keys()

    @pytest.mark.parametrize(
        "differences",
        [
            {"data": {"human36m": False, "held_out": ["S8"], "detections": "cpn"}},
            {"data": {"mpii": 'C:\\a "b"\n', "human36m": "/datén/ü/😀"}},
            {"joint": {"lr": 1, "decay": "linear", "milestones": [1, 2]}},
            {"adversarial": {"lr": 1e-12, "layout": False}},
            {"model": {"lifter_arguments": {"width": 3, "dropout": 0.5, "widths": [1, 2]}}},
        ],
    )
    def test_differences(self, differences, write):
        config = update(Config(), differences, "the test")
        assert config != Config()
        assert read(write(to_toml(config))) == config

    def test_dictionaries(self):
        config = read(CONFIGS[0])
        assert update(Config(), as_dict(dataclasses.replace(config, seed=3)), "x").seed == 3


class TestDefaults:
    """Section 4.3 of the paper."""

    def test_schedule(self):
        config = Config()
        epochs = [s.epochs for s in (config.refine, config.warmup, config.joint)]
        rates = [s.lr for s in (config.refine, config.warmup, config.joint)]
        assert epochs == [100, 10, 75] and rates == [1e-4, 1e-4, 5e-4]
        assert config.refine.milestones == (30, 60, 90)
        assert config.joint.milestones == (30, 60)
        assert {config.refine.decay, config.joint.decay} == {"steps"}

    def test_batch(self):
        assert [getattr(Config(), s).batch for s in ("refine", "warmup", "joint")] == [1024] * 3

    def test_weights_of_the_losses(self):
        weights = Config().weights
        assert weights.camera == 0.01 and weights.pose == 1.0
        assert weights.reprojection == 0.5 and weights.reprojection_unlabelled == 0.2

    def test_data(self):
        assert Config().data.subjects == ("S1", "S5", "S6", "S7", "S8")
        assert Config().data.skeleton == "h36m_16"

    def test_configurations_are_independent(self):
        one, other = Config(), Config()
        one.model.lifter_arguments["width"] = 3
        one.joint.epochs = 1
        assert other == Config()


class TestRefused:
    def test_unknown_key(self, refused):
        error = refused("sed = 3")
        assert "unknown key sed" in error and "did you mean seed?" in error

    def test_unknown_key_in_a_table(self, refused):
        error = refused("[joint]\nepoch = 3")
        assert "unknown key joint.epoch" in error and "did you mean joint.epochs?" in error
        assert "milestones" in error  # all keys of that table

    def test_unknown_key_without_a_similar_one(self, refused):
        error = refused("zzzzzz = 3")
        assert "unknown key zzzzzz" in error and "did you mean" not in error

    def test_unknown_table(self, refused):
        assert "did you mean warmup?" in refused("[warm_up]\nepochs = 3")

    @pytest.mark.parametrize(
        ("text", "key", "came", "takes"),
        [
            ('seed = "a"', "seed", "str", "int"),
            ("seed = 1.5", "seed", "float", "int"),
            ("seed = true", "seed", "bool", "int"),
            ("flip_augmentation = 1", "flip_augmentation", "int", "bool"),
            ("checkpoint_minutes = true", "checkpoint_minutes", "bool", "float"),
            ("[joint]\nlr = '1e-3'", "joint.lr", "str", "float"),
            ("[data]\nmpii = 3", "data.mpii", "int", "str"),
            ("[data]\nmpii = true", "data.mpii", "bool", "str"),
            ("[data]\nsubjects = 'S1'", "data.subjects", "str", "tuple"),
            ("[model]\nlifter_arguments = 3", "model.lifter_arguments", "int", "dict"),
            ("[seed]\na = 1", "seed", "dict", "int"),
        ],
    )
    def test_wrong_type(self, refused, text, key, came, takes):
        error = refused(text)
        assert f" {key} = " in error and f"of type {came};" in error
        assert f"accepted: {takes}" in error

    @pytest.mark.parametrize(
        "text",
        ["[joint]\nmilestones = ['a']", "[data]\nsubjects = [1]", "[joint]\nmilestones = [1.5]"],
    )
    def test_wrong_type_in_a_list(self, refused, text):
        assert "accepted: a list" in refused(text)

    def test_a_value_instead_of_a_table(self, refused):
        assert "joint is a table: write [joint]" in refused("joint = 3")

    def test_not_toml(self, refused):
        assert "is not a TOML file" in refused("seed: 3")

    def test_binary(self, tmp_path):
        (tmp_path / "a.toml").write_bytes(b"\xff\xfe\x00seed")
        with pytest.raises(ValueError, match="is not a TOML file"):
            read(tmp_path / "a.toml")

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no configuration at .*absent\.toml; pass"):
            read(tmp_path / "absent.toml")

    def test_keys_of_dictionaries_are_merged_if_wanted(self):
        config = update(TemporalConfig(), {"arguments": {"width": 96}}, "--set", merge=True)
        both = update(config, {"arguments": {"dropout": 0.2}}, "--set", merge=True)
        assert both.arguments == {"width": 96, "dropout": 0.2}
        assert update(both, {"arguments": {"width": 8}}, "--set").arguments == {"width": 8}

    def test_source_is_named(self):
        with pytest.raises(ValueError, match="^--set: unknown key joint.epoch;"):
            update(Config(), {"joint": {"epoch": 3}}, "--set")


class TestInheritance:
    @pytest.fixture
    def base(self, tmp_path):
        (tmp_path / "sub").mkdir()
        (tmp_path / "base.toml").write_text(
            "seed = 5\n[joint]\nepochs = 3\nlr = 0.1\n"
            "[model]\nlifter_arguments = { width = 8, blocks = 2 }\n"
        )
        return tmp_path / "base.toml"

    def test_tables_are_merged(self, base, write):
        config = read(write('extends = "base.toml"\n[joint]\nlr = 0.2\n'))
        assert (config.seed, config.joint.epochs, config.joint.lr) == (5, 3, 0.2)
        assert config.model.lifter_arguments == {"width": 8, "blocks": 2}

    def test_a_setting_that_is_a_table_is_replaced(self, base, write):
        path = write('extends = "base.toml"\nmodel.lifter_arguments = { width = 9 }\n')
        assert read(path).model.lifter_arguments == {"width": 9}

    def test_paths_are_relative_to_the_file(self, base):
        path = base.parent / "sub" / "mine.toml"
        path.write_text('extends = "../base.toml"\n')
        assert read(path).seed == 5

    def test_several_levels(self, base, write):
        (base.parent / "middle.toml").write_text('extends = "base.toml"\njoint.epochs = 4\n')
        config = read(write('extends = "middle.toml"\njoint.lr = 0.3\n'))
        assert (config.seed, config.joint.epochs, config.joint.lr) == (5, 4, 0.3)

    def test_differences_of_all_files(self, base, write):
        path = write('extends = "base.toml"\nfigures = 0\njoint.lr = 0.2\n')
        assert read_differences(path) == {
            "seed": 5, "figures": 0, "joint": {"epochs": 3, "lr": 0.2},
            "model": {"lifter_arguments": {"width": 8, "blocks": 2}},
        }  # fmt: skip
        assert update(Config(), read_differences(path), "x") == read(path)

    @pytest.mark.parametrize("other", ["mine.toml", "other.toml"])
    def test_cycle(self, other, write, tmp_path):
        (tmp_path / "other.toml").write_text('extends = "mine.toml"\n')
        with pytest.raises(ValueError, match="extend each other: mine.toml -> .*mine.toml"):
            read(write(f'extends = "{other}"\n'))

    def test_missing_base(self, write):
        with pytest.raises(FileNotFoundError, match=r"absent\.toml"):
            read(write('extends = "absent.toml"\n'))

    def test_errors_name_the_file_of_the_error(self, base, write):
        base.write_text("sed = 3\n")
        with pytest.raises(ValueError, match=r"base\.toml: unknown key sed"):
            read(write('extends = "base.toml"\n'))

    def test_extends_needs_a_path(self, refused):
        assert "extends = 3; accepted: the path" in refused("extends = 3")

    def test_no_line_is_repeated_in_our_files(self):
        """Except in paper.toml, which shares nothing with the others on purpose."""
        lines = {}
        for path in CONFIGS:
            if path.stem == "paper":
                continue
            for line in path.read_text().splitlines():
                if line and not line.startswith(("#", "[", "extends")):
                    lines.setdefault(line, set()).add(path.name)
        assert [line for line, files in lines.items() if len(files) > 1] == []


class TestCheck:
    @pytest.mark.parametrize("subject", ["S9", "S11"])
    @pytest.mark.parametrize("field", ["subjects", "held_out"])
    def test_the_test_set_is_used_neither_for_training_nor_for_validation(self, subject, field):
        config = update(Config(), {"data": {field: ["S1", subject]}}, "x")
        with pytest.raises(ValueError, match=f"data.{field} contains {subject}, .*test set"):
            check(config)

    @pytest.mark.parametrize("stage", ["refine", "warmup", "joint"])
    @pytest.mark.parametrize(
        "bad",
        [{"epochs": -1}, {"batch": 1}, {"batch": 0}, {"lr": 0.0}, {"lr": -1e-3}, {"lr": math.nan},
         {"lr": math.inf}],
    )  # fmt: skip
    def test_schedule(self, stage, bad):
        key, value = next(iter(bad.items()))
        with pytest.raises(ValueError, match=f"{stage}.{key} = {value}; accepted: "):
            update(Config(), {stage: bad}, "x")
        config = Config()
        setattr(getattr(config, stage), key, value)
        with pytest.raises(ValueError, match=f"{stage}.{key} = {value}; accepted: "):
            check(config)

    def test_decay(self, write):
        """Refused with and without type checks at run time."""
        stage = dataclasses.replace(Config().joint)
        object.__setattr__(stage, "decay", "cosine")
        config = Config()
        object.__setattr__(config, "joint", stage)
        with pytest.raises(ValueError, match="joint.decay = 'cosine'; accepted: 'steps', 'linear'"):
            check(config)

    def test_precision(self):
        config = Config()
        object.__setattr__(config, "precision", "float16")
        with pytest.raises(ValueError, match="'float16'; accepted: 'float32', 'bfloat16'"):
            check(config)

    def test_frame_step(self):
        with pytest.raises(ValueError, match="data.frame_step = 0; accepted: 1 to"):
            check(update(Config(), {"data": {"frame_step": 0}}, "x"))

    def test_a_stage_may_be_skipped(self):
        config = update(Config(), {"refine": {"epochs": 0}}, "x")
        assert check(config) == config


class TestLearningRate:
    def rate(self, progress, **schedule):
        return learning_rate(Schedule(**{"epochs": 100, "lr": 1.0} | schedule), float(progress))

    @pytest.mark.parametrize(
        ("progress", "expected"),
        [(0, 1), (0.2999, 1), (0.3, 0.1), (0.59, 0.1), (0.6, 0.01), (0.9, 0.001), (1, 0.001)],
    )
    def test_steps(self, progress, expected):
        assert self.rate(progress, milestones=(30, 60, 90)) == pytest.approx(expected)

    def test_steps_without_milestones(self):
        assert self.rate(0.99) == 1

    @pytest.mark.parametrize(("progress", "expected"), [(0, 2), (0.25, 1.5), (0.5, 1), (1, 0)])
    def test_linear(self, progress, expected):
        assert self.rate(progress, decay="linear", lr=2.0) == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("progress", "expected"),
        [
            (0, 0.04),
            (0.05, 0.52),  # half of the way up
            (0.1, 1),
            (0.55, 0.0005 + 0.9995 / 2),  # half of the way down
            (0.325, 0.0005 + 0.9995 * (1 + math.sqrt(0.5)) / 2),  # an eighth of the circle
            (1, 0.0005),
        ],
    )
    def test_one_cycle(self, progress, expected):
        assert self.rate(progress, decay="one_cycle") == pytest.approx(expected)

    def test_one_cycle_has_no_jump(self):
        rates = [self.rate(i / 1000, decay="one_cycle") for i in range(1001)]
        assert max(abs(a - b) for a, b in zip(rates, rates[1:], strict=False)) < 0.011
