"""HTML and CSS of the report."""

import html
from collections.abc import Iterable, Sequence

_STYLE = (
    "body{font-family:system-ui,sans-serif;color:#20242c;background:#fff;max-width:1240px;"
    "margin:1.5em auto;padding:0 1em}h1{font-size:1.5em}h2{font-size:1.15em;margin:1.5em 0 .3em}"
    "table{border-collapse:collapse;font-size:.95em}thead th{border-bottom:1px solid #dfe3e9}"
    "td,th{padding:.25em 1.6em .25em 0;text-align:left;font-weight:normal}"
    "th{color:#5c6370}p{color:#5c6370;font-size:.9em;max-width:60em}"
)


def page(title: str, parts: Sequence[str]) -> str:
    """Return the complete page; `title` is plain text, `parts` are HTML."""
    title = html.escape(title)
    body = "\n".join([f"<h1>{title}</h1>", *parts])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<link rel="icon" href="data:,"><style>{_STYLE}</style></head><body>{body}</body></html>'
    )


def heading(text: str) -> str:
    """Return the heading of a section."""
    return f"<h2>{html.escape(text)}</h2>"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of plain texts."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
