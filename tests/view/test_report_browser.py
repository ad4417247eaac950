"""The HTML report in headless Chromium."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.browser import chromium, errors, resize, wait
from helpers.reports import grey_video, one_person, two_people

from camerapose.core.ground import Ground
from camerapose.view.report import Recording, write_report


@pytest.fixture(scope="module")
def poses():
    return one_person()


@pytest.fixture(scope="module")
def people():
    return two_people()


@pytest.fixture(scope="module")
def video():
    return grey_video()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


def opened(browser, path, width=900, height=700, mobile=False):
    """Open a report; return a function that evaluates JavaScript."""
    resize(browser, width, height, mobile)
    browser.get(path.as_uri())
    wait(lambda: browser.execute_script("return Boolean(window.report)"), "the page", 60)
    return lambda code: browser.execute_script(f"return {code}")


def visible(run):
    return run(
        "report.people.filter(p => p.row(report.player.time, report.data.interval) >= 0)"
        ".map(p => p.number)"
    )


def test_video_and_scene_are_in_sync(people, video, browser, tmp_path):
    """In both directions: the slider moves the video, and the video moves the scene."""
    level = Ground(np.diag([1.0, -1.0, -1.0]), 1.5)
    recording = Recording(span=(0.0, 119 / 30), video=video, ground=level)
    path = write_report(people, tmp_path / "report.html", "walk", recording)
    run = opened(browser, path)
    wait(lambda: run("report.player.video.readyState >= 2"), "the video", 60)
    assert visible(run) == [0]
    run("(document.querySelector('#time').value = 1.5, "
        "document.querySelector('#time').dispatchEvent(new Event('input')))")  # fmt: skip
    wait(lambda: run("!report.player.video.seeking"), "the jump", 60)
    assert run("report.player.video.currentTime") == pytest.approx(1.5, abs=0.02)
    assert visible(run) == [0, 3] and run("report.scene.figures[1].group.visible")
    run("(report.player.video.currentTime = 2.6)")
    wait(lambda: run("Math.abs(report.player.time - 2.6) < 0.04"), "the scene", 60)
    assert visible(run) == [0] and not run("report.scene.figures[1].group.visible")
    run("document.querySelector('#play').click()")
    wait(lambda: run("report.player.time > 3.2"), "playing", 60)
    difference = run("Math.abs(report.player.time - report.player.video.currentTime)")
    assert difference < 0.3  # a loaded machine presents frames late
    run("document.querySelector('#gravity').click()")
    assert run("report.scene.aligned") and run("report.scene.world.matrix.elements[13]") == 1.5
    assert errors(browser) == []


@pytest.mark.parametrize("width", [320, 390, 820, 1440])
def test_layout_and_wheel(people, browser, tmp_path, width):
    refined = replace(people, refined2d=people.pose2d)  # the page has both tables
    path = write_report(refined, tmp_path / "report.html", "walk")
    run = opened(browser, path, width, 844, mobile=width < 500)
    assert run("document.documentElement.scrollWidth") <= width
    boxes = run(
        "[...document.querySelectorAll('#media, .view, figure')]"
        ".map(e => e.getBoundingClientRect()).map(e => [e.left, e.right])"
    )
    assert all(left >= 0 and right <= width for left, right in boxes)
    run("(document.querySelector('details').open = true)")
    wider = "[...document.querySelectorAll('.scroll')].map(e => e.scrollWidth - e.clientWidth)"
    assert run(wider) == [0, 0], "no table has to be scrolled sideways"
    if width < 500:
        assert len({round(left) for left, _ in boxes}) == 1  # one column
    place = "report.scene.views[0].camera.position.toArray()"
    before = run(place)
    middle = run("(e => [e.left + e.width / 2, Math.min(e.top + e.height / 2, 700)])"
                 "(document.querySelector('.view').getBoundingClientRect())")  # fmt: skip
    for key, moved in ((0, False), (2, True)):  # 2: Ctrl
        browser.execute_cdp_cmd("Input.dispatchMouseEvent", {
            "type": "mouseWheel", "x": middle[0], "y": middle[1], "deltaX": 0, "deltaY": 120,
            "modifiers": key,
        })  # fmt: skip
        if moved:
            wait(lambda: run(place) != before, "zoom", 30)
        else:
            wait(lambda: run("window.scrollY") > 50, "scrolling", 30)
            assert run(place) == before
            run("window.scrollTo(0, 0)")
    assert errors(browser) == []


def test_keypoints_without_times_and_images(poses, browser, tmp_path):
    bare = replace(poses[:5], labels={"frame": np.arange(5)})
    run = opened(browser, write_report(bare, tmp_path / "a.html"))
    legend = "[...document.querySelectorAll('.u-value')].slice(0, 2).map(e => e.textContent)"
    knee = "[0, 3].map(row => report.people[0].panels[0].lines[0].values[row].toFixed(0))"
    wait(lambda: run(legend) == ["0", run(knee)[0]], "values of the curves without a mouse", 30)
    run("report.player.seek(3)")
    assert run(legend) == ["3", run(knee)[1]]
    assert run("document.querySelector('#clock').textContent") == "frame 3"
    images = {i: np.full((360, 640, 3), 60 * i, np.uint8) for i in (0, 4)}
    path = write_report(bare, tmp_path / "b.html", "images", Recording(images=images))
    run = opened(browser, path)
    source = run("document.querySelector('#media img').src")
    run("report.player.seek(4)")
    assert run("document.querySelector('#media img').src") != source
    assert run("document.querySelectorAll('#media video').length") == 0
    path = write_report(poses[:1], tmp_path / "c.html", "image", Recording(images=images))
    run = opened(browser, path)
    assert run("document.querySelector('#player').hidden") and errors(browser) == []
