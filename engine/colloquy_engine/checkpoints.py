"""Checkpoints that are whole or do not count.

checkpoint_dir/step-N/ is complete only with its marker file, which is written last, after everything else has reached
the disk: a process killed while writing leaves a directory that no later run trusts.
"""

import os
import re
import shutil
from pathlib import Path

MARKER = "COMPLETE"
_STEP = re.compile(r"^step-(\d+)$")


def newest_complete(checkpoint_dir: Path, fingerprint: str) -> tuple[int, Path] | None:
    """The complete checkpoint with the highest step, of the job with this fingerprint (another job's is not ours)."""
    complete = [(step, path) for step, path in _steps(checkpoint_dir) if _marker(path) == fingerprint]
    return max(complete, default=None)


def begin(checkpoint_dir: Path, step: int) -> Path:
    """An empty directory for this step; what an earlier attempt left of it is removed."""
    path = checkpoint_dir / f"step-{step}"
    (path / MARKER).unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def complete(path: Path, fingerprint: str) -> None:
    """Declares a checkpoint whole, and removes the others: only the newest is ever used."""
    sync_tree(path)
    marker = path / f".{MARKER}"
    marker.write_text(fingerprint)
    os.replace(marker, path / MARKER)
    sync_tree(path)
    step = int(_STEP.match(path.name)[1])
    for other, other_path in _steps(path.parent):
        if other != step:
            (other_path / MARKER).unlink(missing_ok=True)
            shutil.rmtree(other_path, ignore_errors=True)


def sync_tree(directory: Path) -> None:
    """Waits until the directory and the files in it are on the disk."""
    for path in [*directory.rglob("*"), directory, directory.parent]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _marker(path: Path) -> str | None:
    try:
        return (path / MARKER).read_text()
    except OSError:
        return None


def _steps(checkpoint_dir: Path) -> list[tuple[int, Path]]:
    if not checkpoint_dir.is_dir():
        return []
    matches = [(_STEP.match(path.name), path) for path in checkpoint_dir.iterdir()]
    return [(int(match[1]), path) for match, path in matches if match]
