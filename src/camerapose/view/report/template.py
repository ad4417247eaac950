"""HTML of the report."""

import html
import json
from collections.abc import Iterable, Sequence
from importlib.resources import files
from string import Template
from typing import Any

#: Scripts of the page in the order in which they depend on each other.
SCRIPTS = ("data.js", "figures.js", "scene.js", "media.js", "charts.js", "page.js")
_VIEWS = (
    ("angle", "oblique"), ("front", "front"), ("side", "side"), ("top", "from above"),
    ("camera", "camera"), ("all", "with camera"),
)  # fmt: skip


def page(title: str, data: dict[str, Any], top: Sequence[str], bottom: Sequence[str]) -> str:
    """Return the complete page.

    Args:
        title: plain text.
        data: see `camerapose.view.report.payload`.
        top, bottom: HTML above and below the interactive part.
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("</", "<\\/")
    return Template(_read("page.html")).substitute(
        title=html.escape(title),
        style=_read("uplot.min.css") + _read("style.css"),
        top="\n".join(top),
        bottom="\n".join(bottom),
        views="".join(_view() for _ in range(2)),
        data=text,
        libraries=_read("libraries.min.js"),
        scripts="\n".join(_read(name) for name in SCRIPTS),
    )


def heading(text: str) -> str:
    """Return the heading of a section."""
    return f"<h2>{html.escape(text)}</h2>"


def paragraph(text: str) -> str:
    """Return a paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of plain texts; on narrow screens, lines of its cells break."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    content = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll">{content}</div>'


def _view() -> str:
    options = "".join(f'<option value="{value}">{name}</option>' for value, name in _VIEWS)
    return (
        f'<div class="view"><div></div><nav><select aria-label="view">{options}</select>'
        '<button name="in" aria-label="closer">+</button>'
        '<button name="out" aria-label="farther">−</button></nav></div>'
    )


def _read(name: str) -> str:
    folder = files("camerapose") / "view" / "report" / "assets"
    return (folder / name).read_text(encoding="utf-8")
