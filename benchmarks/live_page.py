"""Frame rate of the page's live view in headless Chromium, with a video as its camera.

    python benchmarks/live_page.py walk.mp4 --seconds 60

Requires chromium and chromedriver. Prints the frames per second that were reached, and the
processor time of the server and of the browser per frame, above that of the idle page with the
camera on: on a processor that other programs share, their sum is the time a frame takes.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import av

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from helpers.browser import chromium, errors, wait

from camerapose.infer.options import PredictOptions
from camerapose.server import live
from camerapose.server.limits import ServerLimits
from camerapose.server.serve import open_page

SIZE, FPS = (640, 360), 30
#: Frames before the measurement, during which models are loaded.
WARM_UP = 3
#: Starts the stream.
CAPTURE = """document.querySelector('#camera [aria-label="capture photo"]').click()"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--seconds", type=float, default=60, help="of the measurement")
    parser.add_argument("--idle", type=float, default=20, help="seconds of the idle page")
    parser.add_argument("--screenshot", type=Path)
    arguments = parser.parse_args()
    frames = count_frames()
    with tempfile.TemporaryDirectory() as folder:
        camera = Path(folder) / "camera.mjpeg"
        write_camera(arguments.video, camera)
        flags = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
                 f"--use-file-for-fake-video-capture={camera}")  # fmt: skip
        options = PredictOptions(threads=1)
        with (
            open_page("127.0.0.1", 7861, options, ServerLimits()) as address,
            chromium(Path(folder), flags) as driver,
        ):
            driver.get(address)
            start_camera(driver)
            idle = used(driver, arguments.idle)
            driver.execute_script(CAPTURE)
            wait(lambda: len(frames) > WARM_UP, "frames", 600)
            before, began = len(frames), time.monotonic()
            busy = used(driver, arguments.seconds)
            n, seconds = len(frames) - before, time.monotonic() - began
            if arguments.screenshot:
                driver.set_window_size(1440, 1600)
                driver.save_screenshot(str(arguments.screenshot))
            print(f"{n} frames in {seconds:.0f} s: {n / seconds:.2f} frames/s")
            for name, rest, spent in zip(("server", "browser"), idle, busy, strict=True):
                above = spent - rest * arguments.seconds / max(arguments.idle, 1e-9)
                print(f"{name}: {1000 * above / max(n, 1):.0f} ms of processor time per frame")
            print(f"load average: {os.getloadavg()[0]:.0f}; console errors: {errors(driver)}")


def count_frames() -> list[float]:
    """Return a list to which the time of each processed frame is appended from now on."""
    frames: list[float] = []
    original = live.LiveCamera.__call__

    def counted(camera: live.LiveCamera, image: Any) -> Any:
        view = original(camera, image)
        frames.append(time.monotonic())
        return view

    live.LiveCamera.__call__ = counted  # type: ignore[method-assign]
    return frames


def write_camera(video: Path, path: Path) -> None:
    """Write a video as motion JPEG, which Chromium plays as a camera."""
    with av.open(str(video)) as source, av.open(str(path), "w", format="mjpeg") as file:
        stream = file.add_stream("mjpeg", rate=FPS)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuvj420p"
        for frame in source.decode(video=0):
            file.mux(stream.encode(frame.reformat(*SIZE, format="yuvj420p")))
        file.mux(stream.encode())


def start_camera(driver: Any) -> None:
    """Open the live view and switch the camera on."""

    def click(selector: str) -> bool:
        script = "const e = document.querySelector(arguments[0]); if (e) e.click(); return !!e"
        return driver.execute_script(script, selector)

    wait(lambda: click("#live button"), "the live view")
    wait(lambda: click("#camera button:not([aria-label])"), "the camera")
    wait(lambda: driver.find_elements("css selector", "#camera video"), "the picture")


def used(driver: Any, seconds: float) -> tuple[float, float]:
    """Return the processor seconds of this process and of the browser during some time."""
    before = time.process_time(), browser_time(driver)
    time.sleep(seconds)
    return time.process_time() - before[0], browser_time(driver) - before[1]


def browser_time(driver: Any) -> float:
    """Return the processor seconds of the browser and its processes so far."""
    parents, spent = {}, {}
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if entry.name.isdigit():
            parents[int(entry.name)] = int(fields[1])
            spent[int(entry.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    family, grown = {driver.service.process.pid}, True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in family} - family
        family, grown = family | children, bool(children)
    return sum(spent[pid] for pid in family & spent.keys())


if __name__ == "__main__":
    main()
