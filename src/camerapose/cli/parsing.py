"""Parsing of a command's arguments; errors are one line."""

import functools
import io
import itertools
import re
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from difflib import get_close_matches

import tyro

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
#: Options with several values, in a help.
_LISTS = r"^--[a-z-]+ \S+ \.\.\."
#: Messages about types, in the words of a user.
_TYPE_ERRORS = {
    r"no type matching \{None\}\|(\S+) could be instantiated from \[(.*)\]": r"expected \1, got \2",
    r"invalid literal for int\(\) with base 10: ": "expected INT, got ",
    r"could not convert string to float: ": "expected FLOAT, got ",
}


def parse(function: Callable[..., int], name: str, arguments: list[str]) -> Callable[[], int]:
    """Return the call of a command with its parsed arguments, to be made by the caller.

    Args:
        function: the command; its signature and docstring define options and help.
        name: the command as typed, such as "camerapose data check".
        arguments: those after the name.

    Raises:
        ValueError: an argument is unknown, missing or invalid.
        SystemExit: the help was requested and has been printed.
    """

    @functools.wraps(function)
    def deferred(*values, **options):
        return functools.partial(function, *values, **options)

    arguments = _combined(arguments, deferred, name)
    errors = io.StringIO()
    try:
        with redirect_stderr(errors):
            return tyro.cli(deferred, prog=name, args=arguments)
    except SystemExit as end:
        if not end.code:
            raise
    known = _options(deferred, name)
    for argument in arguments:
        option = _option(argument)
        if option and option not in known:
            raise ValueError(
                f"unknown option {option!r}{suggestion(option, known)}; see {name} --help"
            )
    text = _message(errors.getvalue())
    raise ValueError(f"{text[:1].lower()}{text[1:]}; see {name} --help")


def _combined(arguments: list[str], function: Callable, name: str) -> list[str]:
    """Return the arguments with the values of a repeated list option after its first occurrence.

    `--export csv --export bvh` is the same as `--export csv bvh`; tyro would keep the last ones.
    """
    options = [_option(argument) for argument in arguments]
    repeated = {o for o in options if o and options.count(o) > 1}
    repeated &= set(_options(function, name, _LISTS)) if repeated else set()
    lists: dict[str, list[str]] = {}
    parts: list[list[str]] = [[]]
    current = parts[0]
    for argument, option in zip(arguments, options, strict=True):
        if not option:
            current.append(argument)
        elif option in lists:
            current = lists[option]
            current += argument.split("=", 1)[1:]
        elif option in repeated:
            current = lists[option] = [option, *argument.split("=", 1)[1:]]
            parts.append(current)
        else:
            current = [argument]
            parts.append(current)
    return [argument for part in parts for argument in part]


def _option(argument: str) -> str:
    """Return the name of an option with hyphens, or nothing for a value."""
    known = re.match(r"--?[a-zA-Z][^=]*", argument)
    return known.group().replace("_", "-") if known else ""


def suggestion(given: str, known: Iterable[str]) -> str:
    """Return ", did you mean ...?" with the most similar name, or nothing."""
    similar = get_close_matches(given, list(known), n=1)
    return f", did you mean {similar[0]!r}?" if similar else ""


def _message(text: str) -> str:
    """Return an error box of tyro, without title and footer, as one line."""
    lines = [_COLOUR.sub("", line).strip("│─╭╮╰╯ ") for line in text.splitlines()]
    lines = ["" if line.strip("-") == "" else line for line in lines]  # ASCII terminals
    title = next((i for i, line in enumerate(lines) if line), 0)
    content = itertools.takewhile(bool, itertools.dropwhile(lambda x: not x, lines[title + 1 :]))
    message = " ".join(content).removeprefix("Error parsing ").rstrip(".")
    for pattern, replacement in _TYPE_ERRORS.items():
        message = re.sub(pattern, replacement, message)
    return message


def _options(function: Callable, name: str, pattern: str = "") -> list[str]:
    """Return the option names of a command in lines of its help that match a pattern."""
    text = io.StringIO()
    try:
        with redirect_stdout(text):
            tyro.cli(function, prog=name, args=["--help"])
    except SystemExit:
        pass
    lines = [line.strip("│ ") for line in _COLOUR.sub("", text.getvalue()).splitlines()]
    return [
        option
        for line in lines
        if line.startswith("-") and re.search(pattern, line)
        for option in re.findall(r"(?:^|, )(--?[a-z][a-z0-9-]*)", line)
    ]
