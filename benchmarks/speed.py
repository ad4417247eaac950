"""How fast: training, data, metrics, inference, beside the bare products and the usual way.

    python benchmarks/speed.py --quick                  # within 5 minutes on 2 quiet cores
    python benchmarks/speed.py --data DIR --write       # everything, and dev/results.md

Everything runs on one thread and is measured in seconds of that thread's processor time, so that
other programs on the machine count little. What is compared runs in turn, A B A B, in one process;
a ratio is the median of the rounds' ratios, a time the median of the rounds. "Of bare products" is
the time that the matrix products of the same step take by themselves, with the same shapes and
strides, over the time of the step: what is left is everything else. "The usual way" is
`benchmarks/peer.py`.

DIR holds h36m (the true data) for the first batch from the raw files and the error of int8.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy and torch are imported
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import peer
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from camerapose.core.camera import Camera
from camerapose.core.formats import H36M_16
from camerapose.core.poses import Poses
from camerapose.evaluate import metrics
from camerapose.models.camerapose import build
from camerapose.train import config as settings
from camerapose.train.data import mirror_half
from camerapose.train.joint import complete_wild, learning_groups, some_wild
from camerapose.train.steps import update
from camerapose.train.trainer import PRECISION, Run
from camerapose.train.warmup import learn, play

DOCUMENT = Path(__file__).parents[1] / "dev" / "results.md"
LIFTERS = ("videopose", "mlp", "parts", "semgcn", "stgcn")
#: The paper's schedule: pairs of Human3.6M, their batches, and passes of each stage.
PAIRS, BATCH, EPOCHS = 1_464_400, 1024, {"refine": 100, "warmup": 10, "joint": 75}
PRODUCTS = ("mm", "addmm", "bmm", "baddbmm")
#: Operations that only look at memory in another way, or name it.
VIEWS = {
    "t", "detach", "view", "slice", "unsqueeze", "transpose", "expand", "select", "empty",
    "empty_like", "_unsafe_view", "split", "split_with_sizes", "alias", "squeeze", "permute",
    "unbind", "_reshape_alias", "as_strided", "diagonal", "new_empty", "empty_strided",
}  # fmt: skip
WAITS = {"_local_scalar_dense", "is_nonzero", "nonzero", "item", "equal"}
#: What a GPU of the H200's class needs for each kernel of a recorded graph whose work is small,
#: and to be told of one from Python; seconds. Its products in TF32, at the size of these layers;
#: operations a second. Assumed, not measured: see `schedule`.
GRAPH_KERNEL, EAGER_KERNEL, TF32 = 2.0e-6, 8.0e-6, 200e12


class Row(NamedTuple):
    """One line of a table."""

    what: str
    time: float
    unit: str
    of_products: float | None = None
    ratio: float | None = None
    goal: str = ""
    note: str = ""


# --- clocks --------------------------------------------------------------------------------------


def race(rounds: int, **runners: Callable[[], Any]) -> dict[str, list[float]]:
    """Seconds of processor time of each, in turn, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in runners}
    for number in range(rounds + 1):
        for name, run in runners.items():
            started = time.process_time()
            run()
            if number:
                times[name].append(time.process_time() - started)
    return times


def ratio(slow: list[float], fast: list[float]) -> float:
    return median(a / b for a, b in zip(slow, fast, strict=True))


class Calls(TorchDispatchMode):
    """Every operation that reaches the processor, backward and optimiser included."""

    def __init__(self):
        super().__init__()
        self.names: Counter[str] = Counter()
        self.products: Counter[tuple] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        self.names[name] += 1
        if name in PRODUCTS:
            tensors = [a for a in args if isinstance(a, Tensor)]
            self.products[name, tuple((a.shape, a.stride()) for a in tensors)] += 1
        return function(*args, **(kwargs or {}))

    def work(self) -> int:
        """Operations that are more than another view of memory."""
        return sum(count for name, count in self.names.items() if name not in VIEWS)

    def waits(self) -> int:
        return sum(count for name, count in self.names.items() if name in WAITS)

    def flops(self) -> float:
        total = 0.0
        for (name, tensors), count in self.products.items():
            (a, _), (b, _) = tensors[-2:]
            batch = a[0] if "bmm" in name else 1
            total += 2.0 * count * batch * a[-2] * a[-1] * b[-1]
        return total


def calls_of(run: Callable[[], Any]) -> Calls:
    with Calls() as calls:
        run()
    return calls


def bare(calls: Calls, dtype: torch.dtype = torch.float32) -> Callable[[], None]:
    """The same matrix products, and nothing else."""
    work = []
    for (name, tensors), count in calls.products.items():
        made = [torch.randn(_span(*one)).to(dtype).as_strided(*one) for one in tensors]
        work.append((getattr(torch, name), made, count))

    def run():
        for product, made, count in work:
            for _ in range(count):
                product(*made)

    return run


def _span(shape, stride) -> int:
    return 1 + sum((n - 1) * s for n, s in zip(shape, stride, strict=True))


# --- training ------------------------------------------------------------------------------------


class Ours:
    """A run on made bodies, ready for single steps."""

    def __init__(self, lifter: str, batch: int, folder: Path, plain: bool):
        """Args: plain: PoseAug's parts alone: no refiner, no 2D-only poses, no noise, and no camera
        branch to speak of. (D_2D stays ours, which looks at parts: eight times PoseAug's work.)"""
        chosen: dict[str, Any] = {
            "device": "cpu", "pictures": 0,
            "data": {"human36m": False, "mpii": False, "synthetic": 4 * batch},
            "model": {"lifter": lifter}, "adversary": {"batch": batch},
        }  # fmt: skip
        if plain:
            chosen["model"] |= {"refiner_hidden": 0, "camera_hidden": 8, "camera_blocks": 0}
            chosen["noise"] = {"exact": 1.0}
            chosen["wild_batch"] = 0
        self.run = run = Run(settings.update(settings.Config(), chosen, "speed.py"), folder)
        run.optimizers["model"] = torch.optim.AdamW(
            learning_groups(run.model, run.config.refiner_rate), lr=1e-4, fused=True
        )
        pairs = run.data.pairs
        if not plain:
            wild = Poses(pairs.skeleton, pairs.pose2d, pairs.confidence)
            run.data = run.data._replace(wild=wild, complete=torch.arange(len(wild)))
        self.rows = torch.randperm(len(pairs))[:batch]
        kind = type(run.model.lifter)
        self.alone = kind(H36M_16)
        self.alone_optimizer = torch.optim.Adam(self.alone.parameters(), lr=1e-4, fused=True)

    def lifter(self) -> None:
        """The lifter by itself: rows taken, one step."""
        pairs = self.run.data.pairs
        pose2d, pose3d = (c.index_select(0, self.rows) for c in (pairs.pose2d, pairs.pose3d))
        loss = torch.nn.functional.mse_loss(self.alone(pose2d), pose3d - pose3d[:, :1])
        update(self.alone_optimizer, loss)

    def supervised(self) -> None:
        """The warm-up without its game: noise, refiner, lifter, camera branch, all losses."""
        exact, _ = mirror_half(self.run.data.pairs[self.rows], None)
        learn(self.run, exact, None, 0.0, None)

    def adversarial(self) -> None:
        """An iteration of the joint stage."""
        run = self.run
        exact, _ = mirror_half(run.data.pairs[self.rows], None)
        play(run, exact, complete_wild(run), feedback=0.5)
        learn(run, exact, None, run.config.adversary.share, some_wild(run))
        run.iteration += 1

    def refinement(self) -> None:
        """An iteration of the stage that trains the refiner alone."""
        from camerapose.models.crop import VirtualCamera
        from camerapose.train.data import observe
        from camerapose.train.steps import refinement_term

        run = self.run
        if not hasattr(self, "refiner_optimizer"):
            parameters = run.model.refiner.parameters()
            self.refiner_optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True)
        exact, _ = mirror_half(run.data.pairs[self.rows], None)
        pose2d, confidence = observe(exact, None, run.config.noise, run.rng)
        view = VirtualCamera.on(pose2d, confidence)
        refined = view.leave(run.model.refiner(view.enter(pose2d), confidence))
        update(
            self.refiner_optimizer, refinement_term(refined, confidence, exact, exact.confidence)
        )

    def camera(self) -> Callable[[], None]:
        """The camera branch by itself, forward and backward."""
        from camerapose.models.crop import VirtualCamera

        pairs, branch = self.run.data.pairs[self.rows], self.run.model.camera_branch
        view = VirtualCamera.on(pairs.pose2d, pairs.confidence)
        person, facing = view.enter(pairs.pose2d), pairs.pose3d - pairs.pose3d[:, :1]

        def run():
            _, found = branch(person, pairs.confidence, facing, view)
            sum(part.sum() for part in found).backward()

        return run


def the_peer(lifter: str, batch: int, pairs: Poses) -> peer.Peer:
    n = len(pairs)
    camera = np.zeros((n, 9), np.float32)
    camera[:, :2] = 2.29
    return peer.Peer(lifter, pairs.pose3d.numpy(), pairs.pose2d.numpy(), camera, batch)


def training(
    lifters, batch: int, rounds: int, folder: Path, quick: bool
) -> tuple[list[Row], dict[str, Any]]:
    """Steps of every lifter; and what the projection needs."""
    rows: list[Row] = []
    known: dict[str, Any] = {}
    goals = {
        ("videopose", "lifter", "float32"): "2.4x", ("mlp", "lifter", "float32"): "1.15x",
        ("videopose", "lifter", "bfloat16"): "4.5x", ("mlp", "lifter", "bfloat16"): "2.2x",
        ("videopose", "adversarial", "float32"): "2.0x",
        ("mlp", "adversarial", "float32"): "1.2x",
        ("videopose", "adversarial", "bfloat16"): "3.8x",
        ("mlp", "adversarial", "bfloat16"): "2.3x",
    }  # fmt: skip
    for lifter in lifters:
        plain = Ours(lifter, batch, folder / f"{lifter}-plain", plain=True)
        whole = Ours(lifter, batch, folder / f"{lifter}-whole", plain=False)
        other = the_peer(lifter, batch, plain.run.data.pairs) if lifter in peer.LIFTERS else None
        steps = {
            "lifter": ("the lifter alone", plain.lifter, other and other.supervised),
            "adversarial": ("PoseAug's iteration", plain.adversarial, other and other.adversarial),
            "supervised": ("CameraPose, supervised", whole.supervised, None),
            "joint": ("CameraPose, joint iteration", whole.adversarial, None),
        }
        for key, (what, step, theirs) in steps.items():
            step()
            calls = calls_of(step)
            known[lifter, key] = calls
            for precision, name in PRECISION.items():
                if quick and precision != "float32" and key in ("supervised", "joint"):
                    continue
                torch.set_float32_matmul_precision(name)
                runners = {"step": step, "bare": bare(calls)}
                if theirs is not None:
                    runners["theirs"] = _highest(theirs)
                times = race(rounds, **runners)
                known[lifter, key, precision] = median(times["step"]) / batch
                rows.append(
                    Row(
                        f"{lifter}: {what}, {precision}",
                        1e3 * median(times["step"]) / batch,
                        "ms a sample",
                        ratio(times["bare"], times["step"]),
                        ratio(times["theirs"], times["step"]) if theirs else None,
                        goals.get((lifter, key, precision), ""),
                    )
                )
                _say(rows[-1])
            torch.set_float32_matmul_precision("highest")
        if other is not None:
            known[lifter, "peer"] = calls_of(other.adversarial)
            known[lifter, "plain"] = known[lifter, "adversarial"]
        if lifter == lifters[0]:
            camera, refinement = whole.camera(), whole.refinement
            times = race(rounds, camera=camera, refinement=refinement)
            known["refine"] = median(times["refinement"]) / batch
            known["refine calls"] = calls_of(refinement)
            seconds = median(times["camera"])
            rows.append(
                Row("camera branch, forward and backward", 1e3 * seconds / batch, "ms a sample")
            )
    return rows, known


def _highest(run: Callable[[], Any]) -> Callable[[], Any]:
    """The peers know no lower precision."""

    def in_float32():
        now = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        run()
        torch.set_float32_matmul_precision(now)

    return in_float32


def limits(rounds: int) -> list[Row]:
    """What one core does in the largest products of these networks."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    a16, b16 = a.bfloat16(), b.bfloat16()
    times = race(5 * rounds, float32=lambda: a @ b, bfloat16=lambda: a16 @ b16)
    return [
        Row(f"1024 x 1024 x 1024, {name}", 2 * 1024**3 / median(seconds) / 1e9, "GFLOP/s")
        for name, seconds in times.items()
    ]


def host(known: dict[str, Any], lifters) -> list[Row]:
    """Operations and waits of one adversarial iteration."""
    rows = []
    for lifter in lifters:
        if (lifter, "peer") not in known:
            continue
        theirs, plain, joint = (known[lifter, k] for k in ("peer", "plain", "joint"))
        for what, calls, goal in (
            ("the usual way", theirs, ""),
            ("PoseAug's iteration", plain, "half, no wait"),
            ("CameraPose, joint iteration", joint, "no wait"),
        ):
            share = theirs.names.total() / calls.names.total()
            rows.append(
                Row(
                    f"{lifter}: {what}", calls.names.total(), "operations", None,
                    None if calls is theirs else share, goal,
                    f"{calls.work()} that are no views; {calls.waits()} waits",
                )
            )  # fmt: skip
    return rows


# --- data ----------------------------------------------------------------------------------------


def delivery(rounds: int, n: int = 100_000, batch: int = BATCH) -> list[Row]:
    """Batches of pairs from memory."""
    rng = np.random.default_rng(0)

    def columns(*shapes):
        return [rng.standard_normal((n, *shape), np.float32) for shape in shapes]

    pose2d, pose3d, focal, center, place = columns((16, 2), (16, 3), (2,), (2,), (3,))
    ones = np.ones((n, 16), np.float32)
    pairs = Poses(H36M_16, pose2d, ones, pose3d, Camera(focal, center, place)).to_torch()
    order = torch.randperm(n)
    theirs = peer.batches(pose3d, pose2d, np.zeros((n, 9), np.float32), batch=batch)
    state = {"at": 0}

    def ours():
        for _ in range(20):
            state["at"] = (state["at"] + batch) % (n - batch)
            pairs[order[state["at"] : state["at"] + batch]]

    times = race(rounds, ours=ours, theirs=lambda: next(theirs))
    faster = median(20 * t / o for o, t in zip(times["ours"], times["theirs"], strict=True))
    return [
        Row("batches: 2D, confidence, 3D, camera", 1e6 * median(times["ours"]) / 20 / batch,
            "us a sample", None, faster, "50x"),
    ]  # fmt: skip


#: Most megabytes that a process has had; not getrusage, which begins with the parent's.
PEAK = """
def peak():
    status = open("/proc/self/status").read()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
"""
#: Run in a process of its own, so that time and memory are those of the start.
FIRST_BATCH = f"""{PEAK}
import json, sys, time
import torch
from camerapose.data.cache import cached
from camerapose.data.datasets import human36m, synthetic
from camerapose.train.data import _on
root, many = sys.argv[1] or None, int(sys.argv[2])
before = peak()
started = time.process_time()
poses = cached(human36m.load, root) if root else cached(synthetic.load, None, n=many, seed=0)
pairs = _on(poses, torch.device("cpu"))
pairs[torch.randperm(len(pairs))[:1024]]
print(json.dumps({{"seconds": time.process_time() - started, "poses": len(pairs),
                  "megabytes": peak(), "before": before}}))
"""
#: The joint stage on a few made bodies: what training needs beside its data.
STEPS = f"""{PEAK}
import json, sys, tempfile
from pathlib import Path
import torch
from camerapose.train import config
from camerapose.train.joint import joint
from camerapose.train.trainer import Run
lifter, batch = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(1)
changes = {{
    "device": "cpu", "pictures": 0, "model": {{"lifter": lifter}},
    "data": {{"human36m": False, "mpii": False, "synthetic": 2 * batch}},
    "joint": {{"epochs": 1, "batch": batch}}, "adversary": {{"batch": batch}},
}}
with tempfile.TemporaryDirectory() as folder:
    run = Run(config.update(config.Config(), changes, "speed.py"), Path(folder))
    before = peak()
    joint(run)
print(json.dumps({{"megabytes": peak(), "before": before}}))
"""


def first_batch(data: Path | None, rounds: int, folder: Path) -> list[Row]:
    """From the raw files (once), then from the cache."""
    root, many = (str(data / "h36m"), 0) if data else ("", 20_000)
    environment = os.environ | {"CAMERAPOSE_CACHE": str(folder / "cache")}
    found = []
    for _ in range(1 + max(rounds, 2)):
        command = [sys.executable, "-c", FIRST_BATCH, root, str(many)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    poses = found[0]["poses"]
    rows = [
        Row(
            f"first batch from the cache ({poses:,} poses)",
            median(f["seconds"] for f in found[1:]), "s", None, None, "0.1 s",
            f"peak {found[-1]['megabytes']:.0f} MB, {found[-1]['before']:.0f} of them torch",
        )
    ]  # fmt: skip
    if data:
        note = f"peak {found[0]['megabytes']:.0f} MB"
        raw = Row("first batch from the raw npz", found[0]["seconds"], "s", None, None, "4 s", note)
        rows.append(raw)
    return rows


def memory(lifter: str, batch: int) -> Row:
    """What two whole iterations of the joint stage need."""
    command = [sys.executable, "-c", STEPS, lifter, str(batch)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    name = f"{lifter}: joint iteration, batches of {batch}, most memory"
    return Row(name, found["megabytes"], "MB", note=f"{found['before']:.0f} of them before it")


# --- metrics, inference ---------------------------------------------------------------------------


def errors(rounds: int, n: int) -> list[Row]:
    """MPJPE and PA-MPJPE; AUC."""
    target = torch.randn(n, 16, 3) * torch.tensor([0.15, 0.45, 0.1])
    predicted = target + 0.05 * torch.randn(n, 16, 3)
    x, y = predicted.numpy(), target.numpy()
    few = slice(n // 10)
    times = race(
        rounds,
        ours=lambda: (metrics.mpjpe(predicted, target), metrics.pa_mpjpe(predicted, target)),
        theirs=lambda: (peer.mpjpe(x, y), peer.pa_mpjpe(x, y)),
        our_auc=lambda: metrics.auc(predicted, target),
        their_auc=lambda: peer.auc(x[few], y[few]),
    )
    times["their_auc"] = [10 * t for t in times["their_auc"]]
    return [
        Row(f"{what}, {n:,} poses", 1e6 * median(times[a]) / n, "us a pose", None,
            ratio(times[b], times[a]), goal)
        for what, a, b, goal in (
            ("MPJPE and PA-MPJPE", "ours", "theirs", "15x"), ("AUC", "our_auc", "their_auc", ""),
        )
    ]  # fmt: skip


def inference(rounds: int, folder: Path) -> list[Row]:
    """The lifter `videopose` and the whole network, beside the peers' lifter."""
    import onnxruntime

    from camerapose.models.onnx_export import export_model

    def session(path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    torch.manual_seed(0)
    theirs = peer.ConvLifter().eval()
    # A lifter with hardly anything about it, and everything
    small = build(H36M_16, "videopose", {}, 0, 8, 0).eval()
    whole = build(H36M_16, "videopose", {}, 512, 512, 2).eval()
    files = {}
    for name, model in (("lifter", small), ("whole network", whole)):
        files[name] = folder / f"{name.partition(' ')[0]}.onnx"
        export_model(model, files[name])
        files[f"{name}, int8"] = files[name].with_suffix(".int8.onnx")
        export_model(model, files[f"{name}, int8"], int8=True)
    sessions = {name: session(path) for name, path in files.items()}
    rows = []
    for batch, goal in ((1, "1.6x"), (1024, "2.3x")):
        pose2d, ones = torch.rand(batch, 16, 2), torch.ones(batch, 16)
        fed = {"pose2d": pose2d.numpy(), "confidence": ones.numpy()}
        repeat = 50 if batch == 1 else 1

        def torch_runner(network, *inputs, repeat=repeat):
            def run():
                with torch.inference_mode():
                    for _ in range(repeat):
                        network(*inputs)

            return run

        def onnx_runner(one, repeat=repeat, fed=fed):
            def run():
                for _ in range(repeat):
                    one.run(None, fed)

            return run

        runners = {"theirs": torch_runner(theirs, pose2d)}
        runners["lifter, torch"] = torch_runner(small.lifter, pose2d)
        runners["whole network, torch"] = torch_runner(whole, pose2d, ones)
        for name, one in sessions.items():
            kind = "ONNX Runtime" if "int8" in name else "ONNX Runtime, float32"
            runners[f"{name.partition(',')[0]}, {kind}{', int8' if 'int8' in name else ''}"] = (
                onnx_runner(one)
            )
        times = race(2 * rounds, **runners)
        for name in list(runners)[1:]:
            aim = {"lifter, ONNX Runtime, float32": goal, "lifter, ONNX Runtime, int8": "9x"}
            rows.append(
                Row(f"{name}, batch {batch}", 1e3 * median(times[name]) / repeat, "ms", None,
                    ratio(times["theirs"], times[name]), aim.get(name, ""))
            )  # fmt: skip
    return rows


def start(rounds: int) -> list[Row]:
    """What a user waits for: the import, and one frame of keypoints."""
    from camerapose import Predictor

    def imported(code):
        script = f"import time; a = time.process_time(); {code}; print(time.process_time() - a)"
        return float(subprocess.check_output([sys.executable, "-c", script]))

    package = median(imported("import camerapose") for _ in range(rounds))
    using = median(imported("from camerapose import Predictor; Predictor()") for _ in range(rounds))
    predictor = Predictor(threads=1)
    keypoints = np.random.default_rng(0).uniform(100, 500, (1, 17, 2))
    fed = {"pose2d": np.random.rand(1, 16, 2), "confidence": np.ones((1, 16))}
    fed = {name: value.astype(np.float32) for name, value in fed.items()}
    network = predictor._session

    def one():
        for _ in range(100):
            predictor(keypoints, image_size=(640, 640))

    def alone():
        for _ in range(100):
            network.run(None, fed)

    times = race(rounds, one=one, alone=alone)
    extra = median(a - b for a, b in zip(times["one"], times["alone"], strict=True)) / 100
    return [
        Row("import camerapose", package, "s", None, None, "1 s"),
        Row("import, and the bundled network ready", using, "s"),
        Row("Predictor, one person: beyond the network", 1e3 * extra, "ms", None, None, "1 ms"),
        Row("Predictor, one person: the network", 10 * median(times["alone"]), "ms"),
    ]


# --- the whole schedule ---------------------------------------------------------------------------


def schedule(known: dict[str, Any], lifter: str, batch: int) -> str:
    """Projected time of the paper's schedule, here and on a GPU, with the reasoning.

    Args:
        batch: that the steps were measured with.
    """
    steps = PAIRS // BATCH
    seconds = {
        "refine": known["refine"],
        "warmup": known[lifter, "adversarial", "float32"],
        "joint": known[lifter, "joint", "float32"],
    }
    hours = {k: EPOCHS[k] * PAIRS * s / 3600 for k, s in seconds.items()}
    calls = {
        "refine": known["refine calls"],
        "warmup": known[lifter, "adversarial"],
        "joint": known[lifter, "joint"],
    }
    lines = [
        f"The paper's schedule ({EPOCHS['refine']} + {EPOCHS['warmup']} + {EPOCHS['joint']} epochs "
        f"of {PAIRS:,} pairs, `{lifter}`, batches of {BATCH}, {steps:,} iterations an epoch):",
        "",
        "| stage | iterations | one core, hours | operations (no views) | products, GFLOP | "
        "GPU: products, ms | eager, min | recorded graph, min | fused to a sixth, min |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    total = Counter()
    for stage, one in calls.items():
        many, flops = EPOCHS[stage] * steps, one.flops() * BATCH / batch
        busy, work = flops / TF32, one.work()
        found = {
            "one core": hours[stage] * 60,
            "eager": many * max(busy, work * EAGER_KERNEL) / 60,
            "graph": many * (busy + work * GRAPH_KERNEL) / 60,
            "fused": many * (busy + work / 6 * GRAPH_KERNEL) / 60,
        }
        total.update(found)
        lines.append(
            f"| {stage} | {many:,} | {hours[stage]:.0f} | {work:,} | {flops / 1e9:.0f} | "
            f"{busy * 1e3:.2f} | {found['eager']:.0f} | {found['graph']:.0f} | "
            f"{found['fused']:.0f} |"
        )
    lines += [
        f"| all | | {total['one core'] / 60:.0f} | | | | {total['eager']:.0f} | "
        f"{total['graph']:.0f} | {total['fused']:.0f} |",
        "",
        f"Two cores: about {total['one core'] / 120:.0f} hours, if two threads are twice as fast. "
        "The GPU's columns are an estimate, none was at hand: every operation that is no view is "
        f"one kernel; Python needs {EAGER_KERNEL * 1e6:.0f} us to ask for one, a kernel of a "
        f"recorded graph {GRAPH_KERNEL * 1e6:.0f} us; products run at {TF32 / 1e12:.0f} TFLOP/s "
        "in TF32 beside that; a compiler that fuses what stands between products leaves about a "
        "sixth of the kernels. Recording needs steps that never wait for the device and whose "
        "shapes stay: both hold.",
    ]
    return "\n".join(lines)


# --- tables ---------------------------------------------------------------------------------------


def table(rows: list[Row], heads: tuple[str, ...]) -> str:
    lines = [heads, ("---",) * len(heads)]
    for row in rows:
        cells = [row.what, f"{_digits(row.time)} {row.unit}"]
        if "of bare products" in heads:
            cells.append("" if row.of_products is None else f"{100 * row.of_products:.0f}%")
        if any("usual way" in head for head in heads):
            cells.append("" if row.ratio is None else f"{row.ratio:.2f}x")
        cells.append(row.goal)
        if "note" in heads:
            cells.append(row.note)
        lines.append(tuple(cells))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _say(row: Row) -> None:
    faster = "" if row.ratio is None else f"  {row.ratio:.2f}x"
    print(f"  {row.what}: {_digits(row.time)} {row.unit}{faster}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller batches")
    parser.add_argument("--data", type=Path, help="folder with h36m")
    parser.add_argument("--lifters", nargs="*", default=list(LIFTERS), choices=LIFTERS)
    parser.add_argument("--write", action="store_true", help="the tables into dev/results.md")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rounds, batch = (2, 256) if arguments.quick else (7, 1024)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["CAMERAPOSE_CACHE"] = str(folder / "cache")
        steps, known = training(arguments.lifters, batch, rounds, folder, arguments.quick)
        versus = ("usual way", "goal")
        parts = [
            "Limits of one core:",
            table(limits(rounds), ("product", "speed", "goal")),
            f"Training, batches of {batch}:",
            table(steps, ("step", "time", "of bare products", f"against the {versus[0]}", "goal")),
            "Operations of one adversarial iteration, forward, backward and optimisers:",
            table(host(known, arguments.lifters),
                  ("iteration", "count", "fewer than the usual way", "goal", "note")),
            "Data, metrics, the start of the package:",
            table([*delivery(rounds), memory(arguments.lifters[0], batch),
                   *first_batch(arguments.data, rounds, folder),
                   *errors(rounds, 20_000 if arguments.quick else 200_000), *start(rounds)],
                  ("what", "time", "against the usual way", "goal", "note")),
            "Inference; the usual way is the lifter `videopose` made of convolutions, in torch:",
            table(inference(rounds, folder), ("what", "time", "against the usual way", "goal")),
            schedule(known, arguments.lifters[0], batch),
        ]  # fmt: skip
    processor = _processor()
    parts.append(
        f"Torch {torch.__version__}, one thread, {processor}; {rounds} rounds, "
        f"{(time.monotonic() - started) / 60:.0f} minutes."
    )
    text = "\n\n".join(parts)
    print(text)
    if arguments.write:
        write(text)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return sys.platform
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    known = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16")
    return "a processor with " + ", ".join(name for name in known if name in flags)


def write(text: str) -> None:
    """Put the tables between the marks in dev/results.md."""
    start, end = "<!-- begin speed -->", "<!-- end speed -->"
    document = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = document.partition(start)
    _, _, after = rest.partition(end)
    if not rest or end not in rest:
        raise SystemExit(f"{DOCUMENT} has no {start} ... {end}")
    DOCUMENT.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")
    print(f"wrote {DOCUMENT}", file=sys.stderr)


if __name__ == "__main__":
    main()
