"""A finished model: a directory that appears at once, whole, with a manifest of what is in it and where it comes from."""

import json
import os
import platform
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from .checkpoints import sync_tree
from .file_hashes import file_sha256

MANIFEST = "manifest.json"


def publish(output_dir: Path, write: Callable[[Path], None], facts: dict) -> dict:
    """Writes the model by `write` into a sibling of `output_dir`, adds the manifest last, and renames it into place.
    Returns the manifest. An `output_dir` that is there already is replaced."""
    unfinished = output_dir.with_name(f".{output_dir.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    write(unfinished)
    manifest = {"format_version": 1, **facts, "files": _files(unfinished), "versions": _versions()}
    sync_tree(unfinished)
    (unfinished / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    sync_tree(unfinished)
    if output_dir.exists():
        shutil.rmtree(output_dir)
    os.rename(unfinished, output_dir)
    sync_tree(output_dir)
    return manifest


def finished_manifest(output_dir: Path, facts: dict) -> dict | None:
    """The manifest of a model that another trainer has finished from the same facts; None when there is none."""
    try:
        manifest = json.loads((output_dir / MANIFEST).read_text())
    except (OSError, ValueError):
        return None
    return manifest if manifest | facts == manifest else None


def _files(directory: Path) -> dict[str, dict]:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): {"sha256": file_sha256(path), "bytes": path.stat().st_size} for path in files}


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in ("torch", "transformers", "peft", "trl")}
