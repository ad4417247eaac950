"""Mutated images and videos are read or refused by name, without another exception."""

import random

import pytest
from helpers.mutations import limits, seeds
from helpers.videos import asymmetric_image, write_moving
from PIL import Image

from camerapose.io.completeness import GAP, TOLERATED_FRAMES
from camerapose.io.source import Source

STILLS = ["a.jpg", "a.png", "a.webp", "a.tif", "a.bmp", "a.jp2", "a.tga", "a.qoi", "a.mpo"]
VIDEOS = {
    "a.mp4": "libx264",
    "a.mkv": "libx264",
    "a.avi": "mpeg4",
    "a.ts": "libx264",
    "a.mpg": "mpeg2video",
    "a.flv": "flv1",
    "a.wmv": "wmv2",
    "a.gif": "gif",
    "a.apng": "apng",
}
MUTATIONS = 12


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    for name in STILLS:
        Image.fromarray(asymmetric_image()).save(folder / name)
    for name, codec in VIDEOS.items():
        write_moving(folder / name, codec, 8)
    return folder


def mutate(content, rng):
    content = bytearray(content)
    place = rng.randrange(len(content))
    length = rng.randrange(1, len(content) // 3)
    match rng.randrange(5):
        case 0:
            del content[place:]
        case 1:
            for _ in range(rng.choice([1, 8, 64])):
                content[rng.randrange(len(content))] = rng.randrange(256)
        case 2:
            content[rng.randrange(min(len(content), 200))] = rng.choice([0, 127, 128, 255])
        case 3:
            content[place : place + length] = bytes(min(length, len(content) - place))
        case _:
            del content[place : place + length]
    return bytes(content)


@pytest.mark.parametrize("name", [*STILLS, *VIDEOS])
def test_is_read_or_refused_by_name(originals, tmp_path, name):
    path = tmp_path / name
    for seed in seeds(MUTATIONS):
        path.write_bytes(mutate((originals / name).read_bytes(), random.Random(f"{name} {seed}")))
        messages, frames = [], []
        with limits(f"seed {seed}"):
            try:
                source = Source.open(path, log=messages.append)
                source.info()
                frames += source.frames()
            except ValueError as error:
                assert str(path) in str(error) and "\n" not in str(error), f"seed {seed}"
                continue
            except Exception as error:
                raise AssertionError(f"seed {seed}: {error!r}") from error
        assert frames and frames[0].image.ndim == 3, f"seed {seed}"
        lost = (8 if name in VIDEOS else 1) - len(frames)
        assert lost <= max(TOLERATED_FRAMES, GAP) or messages, f"seed {seed}: silent loss"


@pytest.mark.parametrize("damaged", ["header", "all"])
def test_damaged_key_frames_are_reported(tmp_path, damaged):
    """Also if no frame before or after it is intact; these are otherwise those of a cut video."""
    content = bytearray(write_moving(tmp_path / "a.mpg", "mpeg2video", 8).read_bytes())
    place = content.index(b"\0\0\1\1") + 100  # in the first slice
    for i in range(place, place + 300 if damaged == "header" else len(content) - 64, 40):
        content[i] ^= 0xFF
    path = tmp_path / "damaged.mpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        list(Source.open(path).frames())


def test_metadata_in_another_encoding(tmp_path):
    path = write_moving(tmp_path / "a.mkv", n_frames=3)
    content = path.read_bytes()
    assert b"ENCODER" in content
    path.write_bytes(content.replace(b"ENCODER", b"ENC\xd6DER"))
    assert len(list(Source.open(path).frames())) == 3
