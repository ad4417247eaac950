"""Twenty visitors use the web page at the same time: mixed files, some leave before the result.

    python benchmarks/visitors.py

Every accepted job must end with its own result or a clear reason. When all have left, only the
results that visitors received may be left, which stay until they expire.
"""

import json
import os
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import tyro
from gradio_client import Client, handle_file
from PIL import Image

from camerapose.infer.options import PredictOptions
from camerapose.io.assets import asset
from camerapose.io.source import Source
from camerapose.server.limits import ServerLimits
from camerapose.server.results import PREFIX
from camerapose.server.serve import open_page


def make_inputs(folder: Path, visitors: int) -> list[Path]:
    """Write a file for each visitor: photos of one to three people, a damaged one, text."""
    frame = next(Source.open(asset("demo.mp4")).frames(start=70, end=71)).image
    inputs = []
    for i in range(visitors):
        path = folder / f"visitor{i:02d}.{'txt' if i % 10 == 9 else 'png'}"
        if i % 10 == 9:
            path.write_text("no image")
        else:
            width = frame.shape[1] - 7 * i  # so that each result tells whose it is
            Image.fromarray(np.ascontiguousarray(frame[:, :width])).save(path)
        if i % 10 == 4:
            path.write_bytes(path.read_bytes()[:5000])
        inputs.append(path)
    return inputs


def visit(address: str, path: Path, leave: float | None, got: Path) -> str:
    """Upload a file and return what came of it.

    Args:
        leave: seconds after which the visitor closes the page; None: after the result.
        got: folder for downloads.
    """
    client = None
    try:
        client = Client(address, verbose=False, download_files=str(got / path.stem),
                        httpx_kwargs={"timeout": 600})  # fmt: skip
        job = client.submit(handle_file(path), 1, 0, False, api_name="/predict")
        if leave is not None:
            time.sleep(leave)
            return "left"
        files = job.result(timeout=600)[3]
        names = {Path(file).name: Path(file) for file in files["value"]}
        pose = json.loads(names["poses.json"].read_text())["poses"][0]
        with Image.open(path) as image:
            own = pose["image"] == path.name and pose["image_size"] == list(image.size)
        return "own result" if own else "FOREIGN RESULT"
    except Exception as error:
        return f"reason: {' '.join(str(error).split())[:90]}"
    finally:
        if client is not None:
            client.close()


def main(visitors: int = 20, workers: int = 2, port: int = 7899) -> None:
    """Run the visitors.

    Args:
        visitors: number of visitors.
        workers: of the server.
        port: of the server.
    """
    outcomes: dict[int, str] = {}
    options, limits = PredictOptions(model="full", threads=1), ServerLimits(workers=workers)
    with tempfile.TemporaryDirectory() as name:
        tempfile.tempdir = name  # Gradio's client leaves folders there
        inputs = make_inputs(Path(name), visitors)
        with open_page("127.0.0.1", port, options, limits) as address:
            folder, began = Path(os.environ["GRADIO_TEMP_DIR"]), time.monotonic()

            def run(i: int) -> None:
                leave = 0.2 * i if i % 5 == 1 else None
                outcomes[i] = visit(address, inputs[i], leave, Path(name) / "got")
                if leave is not None:  # reload
                    again = visit(address, inputs[i], None, Path(name) / "again")
                    outcomes[i] = f"left, then {again}"

            threads = [threading.Thread(target=run, args=[i]) for i in range(visitors)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            seconds = time.monotonic() - began
            left: list[str] = []
            for _ in range(120):
                files = [p.relative_to(folder) for p in folder.rglob("*")
                         if p.is_file() and p.name[0] != "."]  # fmt: skip
                results = {p.parts[0] for p in files if p.parts[0].startswith(PREFIX)}
                left = [p.name for p in files if p.parts[0] not in results]
                received = sum(text.endswith("own result") for text in outcomes.values())
                if not left and len(results) == received:
                    break
                time.sleep(1)
            cleaned = time.monotonic() - began - seconds
    for outcome, n in sorted(Counter(outcomes.values()).items()):
        print(f"{n:3} {outcome}")
    print(
        f"{visitors} visitors in {seconds:.0f} s; after {cleaned:.0f} s, {len(left)} uploads and "
        f"{len(results)} results were left, of {received} that were received"
    )


if __name__ == "__main__":
    tyro.cli(main)
