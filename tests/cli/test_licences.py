"""`camerapose --licences` lists every dependency and download with a licence."""

import re

from camerapose.cli.licences import dependencies
from camerapose.cli.main import main
from camerapose.io.assets import ASSETS


def test_overview(capsys):
    assert main(["--licences"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = {line.split()[0].lower() for line in lines}
    assert {"camerapose", "numpy", "onnxruntime", "pillow", "av"} <= names
    assert {asset.package.spec.lower() for asset in ASSETS.values()} <= names
    assert all("  " in line for line in lines)
    libraries = [line.split() for line in lines if "report.html" in line]
    assert [row[0] for row in libraries] == ["three.js", "uPlot"]
    assert all(row[-1] == "MIT" and re.fullmatch(r"[\d.]+", row[1]) for row in libraries)


def test_indirect_dependencies():
    names = {item.metadata["Name"].lower() for item in dependencies()}
    assert {"flatbuffers", "cycler"} & names
