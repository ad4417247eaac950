"""Large JSON files are parsed in blocks, with the same result as one by one."""

import json

import numpy as np
import pytest

from camerapose.io.keypoints import _stream
from camerapose.io.keypoints._stream import load

N = 500


def rows(n=N):
    return [
        {"id": i, "image_id": f'a}}, {{"id": "{i}.jpg', "keypoints": [i + 0.5] * 51,
         "attributes": {"id": i}, "idx": [float(i % 2)], "box": [1, 2, 3, 4]}
        for i in range(n)
    ]  # fmt: skip


@pytest.fixture(params=[300, 1 << 22], ids=["small chunks", "one chunk"])
def chunk(request, monkeypatch):
    monkeypatch.setattr(_stream, "CHUNK", request.param)


def write(path, content, **options):
    path.write_text(json.dumps(content, **options))
    return path


@pytest.mark.parametrize("indent", [None, 2])
def test_objects_in_a_list(chunk, indent, tmp_path):
    """The text of the separator occurs within strings and nested objects, too."""
    table = load(write(tmp_path / "a.json", rows(), indent=indent))
    assert len(table) == N and "box" not in table.keys
    np.testing.assert_array_equal(table.take("id"), np.arange(N))
    assert table.take("image_id") == [row["image_id"] for row in rows()]
    assert table.take("keypoints").shape == (N, 51)
    np.testing.assert_array_equal(table.take("idx"), np.arange(N) % 2)
    assert table.take("attributes") == [{"id": i} for i in range(N)]


def test_what_only_the_standard_library_reads(chunk, tmp_path):
    """NaN, numbers of more than 64 bits, unpaired surrogates."""
    content = rows()
    content[400]["keypoints"][3] = float("nan")
    content[401]["id"] = 10**30 + 1
    content[402]["image_id"] = "\ud800"
    table = load(write(tmp_path / "a.json", content))
    assert np.isnan(table.take("keypoints")[400, 3])
    assert table.take("id")[401] == 10**30 + 1
    assert table.take("image_id")[402] == "\ud800"


def test_long_numbers_are_not_rounded(chunk, tmp_path):
    content = rows()
    for i, row in enumerate(content):
        row["image_id"] = 10**20 + i
    assert load(write(tmp_path / "a.json", content)).take("image_id")[77] == 10**20 + 77


def test_other_elements_among_objects(chunk, tmp_path):
    content = load(write(tmp_path / "a.json", [*rows(9), 5, *rows(9)]))
    assert isinstance(content, list) and len(content) == 19 and content[9] == 5


@pytest.mark.parametrize(
    ("old", "new"), [("}, {", "} {"), (": [", ": [,"), ("51.5", "051.5"), ('"id"', "id")]
)
def test_damage_anywhere_is_reported(chunk, old, new, tmp_path):
    text = json.dumps(rows(100))
    middle = text.index(old, len(text) // 3)
    (tmp_path / "a.json").write_text(text[:middle] + text[middle:].replace(old, new, 1))
    with pytest.raises(ValueError):
        load(tmp_path / "a.json")


def test_other_encodings(chunk, tmp_path):
    text = json.dumps([row | {"image_id": "naïve"} for row in rows(50)], ensure_ascii=False)
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        (tmp_path / "a.json").write_text(text, encoding=encoding)
        assert load(tmp_path / "a.json").take("image_id") == ["naïve"] * 50
