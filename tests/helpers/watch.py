"""Run Python in a subprocess and record its network connections and the files it creates."""

import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field

from helpers.paths import ROOT

#: Records events of the interpreter, one line of JSON each, in the file $WATCH_LOG.
HOOK = """
import json, os, sys

_log = os.open(os.environ["WATCH_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def _record(event, args):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        plain = [value for value in args if isinstance(value, (str, bytes, int, tuple))]
        os.write(_log, (json.dumps([event, repr(plain)]) + "\\n").encode())

sys.addaudithook(_record)
"""
#: Events that contact nobody: a server's own address.
LOCAL_EVENTS = ("socket.bind",)
#: Numerical addresses and local names in the arguments of an event.
LOOPBACK = re.compile(r"127\.0\.0\.1|localhost|::1|0\.0\.0\.0")
STRACE = shutil.which("strace")


@dataclass
class Access:
    """What a command did.

    Attributes:
        remote: connections and name lookups, except of this computer.
        created: files that exist afterwards in the empty home, cache and temporary folders.
        traced: whether native code was observed too.
    """

    remote: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    traced: bool = False


def watch(folder, *arguments, native=True, **environment):
    """Run `python *arguments` with empty home, cache and temporary folders below `folder`.

    Python events are recorded by an audit hook. Native code, which the hook cannot observe, is
    recorded by strace where that is installed.
    """
    private = {name: folder / name for name in ("home", "cache", "config", "data", "tmp", "site")}
    for path in private.values():
        path.mkdir()
    (private["site"] / "sitecustomize.py").write_text(HOOK)
    log, trace = folder / "events.jsonl", folder / "strace.txt"
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(
            [str(private["site"]), str(ROOT / "src"), str(ROOT / "tests")]
        ),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(private["home"]),
        "XDG_CACHE_HOME": str(private["cache"]),
        "XDG_CONFIG_HOME": str(private["config"]),
        "XDG_DATA_HOME": str(private["data"]),
        "TMPDIR": str(private["tmp"]),
        "WATCH_LOG": str(log),
    }
    traced = bool(STRACE and native)
    prefix = [STRACE, "-f", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", trace]
    done = subprocess.run(
        [*map(str, prefix if traced else []), sys.executable, *map(str, arguments)],
        env=variables | environment, cwd=private["home"], capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    remote = []
    for line in log.read_text().splitlines() if log.exists() else ():
        event, args = json.loads(line)
        if event not in LOCAL_EVENTS and not LOOPBACK.search(args) and "'/" not in args:
            remote.append(f"{event} {args}")
    if traced:
        remote += [line for line in trace.read_text().splitlines() if _is_remote(line)]
    created = [
        f"{name}/{path.relative_to(private[name])}"
        for name in ("home", "cache", "config", "data", "tmp")
        for path in sorted(private[name].rglob("*"))
        if not path.is_dir()
    ]
    return Access(remote, created, traced)


def _is_remote(call):
    """Whether a system call in strace's notation names an internet address of another computer."""
    addresses = re.findall(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"', call)
    return any(
        not (ip := _address(v4 or v6)).is_loopback and not ip.is_unspecified for v4, v6 in addresses
    )


def _address(text):
    """Return an address; IPv4 addresses that are written as IPv6 as IPv4."""
    address = ipaddress.ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address
