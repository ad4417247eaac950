"""Damaged checkpoints and impossible devices are reported in one line with a remedy."""

import pytest
import torch

from camerapose.train.checkpoint import FILE, Checkpoint, write_state
from camerapose.train.monitor import AdversarialMonitor
from camerapose.train.progress import Progress
from camerapose.train.trainer import select_device


def load(folder):
    monitor = AdversarialMonitor({}, {})
    return Checkpoint(folder, Progress(), {}, {}, monitor, torch.Generator()).load()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_checkpoint(tmp_path, share):
    write_state({"progress": {}, "weights": torch.zeros(1000)}, tmp_path / FILE)
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"training\.pt is damaged.*delete it") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("state", [{}, {"progress": {"epoch": 1}}, {"progress": 3}])
def test_checkpoint_with_other_content(tmp_path, state):
    write_state(state, tmp_path / FILE)
    with pytest.raises(ValueError, match=r"training\.pt is damaged or of another version"):
        load(tmp_path)


def test_checkpoint_with_code_is_not_executed(tmp_path):
    class Evil:
        def __reduce__(self):
            return exec, ("raise SystemExit('executed')",)

    torch.save({"progress": Evil()}, tmp_path / FILE)
    with pytest.raises(ValueError, match="is damaged"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["tpu", "", "cuda:-1", "cuda:9999999", "meta", "cpu:0", "CPU"])
def test_devices(name):
    with pytest.raises(ValueError, match="device = "):
        select_device(name)
    assert select_device("cpu").type == "cpu"
