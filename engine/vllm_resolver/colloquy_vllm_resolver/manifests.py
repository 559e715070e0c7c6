"""The manifest of an adapter, its seal, and what a file of an adapter may be. Nothing that is read here is trusted.

It is written by colloquy_engine/training/outputs.py and sealed by src/store/files/sealed.ts. This package stands alone, in vLLM's
environment, which has no colloquy_engine and may have Python 3.10, without hashlib.file_digest: so it has the names and the hashing again.
"""

import contextlib
import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

MANIFEST = "manifest.json"
SEAL = "manifest.json.ref.json"

# This excludes folders, hidden files, and files that Python would unpickle.
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\.(?:json|safetensors|jinja|md|txt)")
_NEEDED = ("adapter_config.json", "adapter_model.safetensors")
_LARGEST_MANIFEST = 16 * 2**20


class AdapterRefused(Exception):
    """An adapter is not given to vLLM. The message says why, as a sentence."""


@dataclass(frozen=True)
class Facts:
    sha256: str
    bytes: int


def manifest_of(source: Path, sealed: bool) -> bytes:
    """The manifest of a finished adapter, compared with its seal where it has one. Raises AdapterRefused."""
    manifest = read_small(source / MANIFEST)
    if manifest is None:
        raise AdapterRefused(f"{source} has no {MANIFEST}: it is not finished.")
    if sealed:
        seal = read_small(source / SEAL)
        if seal is None:
            raise AdapterRefused(f"{source} has no {SEAL}: it is not finished.")
        with contextlib.suppress(ValueError, TypeError, KeyError):
            if json.loads(seal)["sha256"] == hashlib.sha256(manifest).hexdigest():
                return manifest
        raise AdapterRefused(f"{source / MANIFEST} has other bytes than its seal ({SEAL}) names.")
    return manifest


def files_in(manifest: bytes) -> dict[str, Facts]:
    """The files that a manifest names. Raises AdapterRefused when they are not those of an adapter."""
    try:
        parsed = json.loads(manifest)
        files = {name: Facts(str(facts["sha256"]), int(facts["bytes"])) for name, facts in parsed["files"].items()}
        form = parsed.get("form", "adapter")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise AdapterRefused(f"The {MANIFEST} cannot be read: {error!r}.") from error
    if form != "adapter":
        raise AdapterRefused("It is a whole model, not an adapter.")
    for name in files:
        if not _FILE.fullmatch(name) or name in (MANIFEST, SEAL):
            raise AdapterRefused(f"The {MANIFEST} names {name!r}, which is not a file of an adapter.")
    for name in _NEEDED:
        if name not in files:
            raise AdapterRefused(f"The {MANIFEST} names no {name}.")
    return files


def read_small(path: Path) -> bytes | None:
    """A small file; None when there is none."""
    try:
        with open_regular(path) as file:
            content = file.read(_LARGEST_MANIFEST + 1)
    except FileNotFoundError:
        return None
    if len(content) > _LARGEST_MANIFEST:
        raise AdapterRefused(f"{path} is too large.")
    return content


def open_regular(path: Path):
    """Opens a regular file. Links are refused, because they could lead anywhere, and pipes, because their end may never come."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink():
            raise AdapterRefused(f"{path} is a link.") from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise AdapterRefused(f"{path} is not a regular file.")
    return os.fdopen(descriptor, "rb")
