"""What a job leaves on disk: checkpoints, and the finished model. Each is complete or does not count.

A checkpoint is checkpoint_dir/step-N/. It counts only with its marker file, which is written after everything else has reached the disk,
and which names the job: a process that is killed while writing leaves a directory that later runs ignore.
A finished model is a directory that appears by one rename, with a manifest of its files and of where it comes from.
"""

import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from ..protocol.trainer_messages import FileFacts, Manifest

MANIFEST = "manifest.json"
MARKER = "COMPLETE"
_STEP = re.compile(r"^step-(\d+)$")


def newest_checkpoint(checkpoint_dir: Path, fingerprint: str) -> tuple[int, Path] | None:
    """The step and the path of the newest complete checkpoint of the job with this fingerprint; those of other jobs are ignored."""
    complete = [(step, path) for step, path in _steps(checkpoint_dir) if _marker(path) == fingerprint]
    return max(complete, default=None)


def begin_checkpoint(checkpoint_dir: Path, step: int) -> Path:
    """An empty directory for this step. What an earlier attempt left there is removed."""
    path = checkpoint_dir / f"step-{step}"
    (path / MARKER).unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def complete_checkpoint(path: Path, fingerprint: str) -> None:
    """Marks a checkpoint as complete and removes the others: only the newest is ever used."""
    _sync_tree(path)
    marker = path / f".{MARKER}"
    marker.write_text(fingerprint)
    os.replace(marker, path / MARKER)
    _sync_tree(path)
    step = int(_STEP.match(path.name)[1])
    for other, other_path in _steps(path.parent):
        if other != step:
            (other_path / MARKER).unlink(missing_ok=True)
            shutil.rmtree(other_path, ignore_errors=True)


def _marker(path: Path) -> str | None:
    try:
        return (path / MARKER).read_text()
    except FileNotFoundError:
        return None


def _steps(checkpoint_dir: Path) -> list[tuple[int, Path]]:
    if not checkpoint_dir.is_dir():
        return []
    matches = [(_STEP.match(path.name), path) for path in checkpoint_dir.iterdir()]
    return [(int(match[1]), path) for match, path in matches if match]


def publish(output_dir: Path, write: Callable[[Path], None], facts: dict) -> Manifest:
    """Has `write` write the model into a sibling of `output_dir`, adds the manifest last, and renames the sibling to `output_dir`.

    An existing `output_dir` is replaced. `facts` are the fields of the manifest that are not about its files.
    """
    unfinished = output_dir.with_name(f".{output_dir.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    write(unfinished)
    manifest = Manifest(format_version=1, **facts, files=files_of(unfinished), versions=_versions())
    _sync_tree(unfinished)
    (unfinished / MANIFEST).write_text(json.dumps(manifest.model_dump(), indent=2) + "\n")
    _sync_tree(unfinished)
    if output_dir.exists():
        shutil.rmtree(output_dir)
    os.rename(unfinished, output_dir)
    _sync_tree(output_dir)
    return manifest


def finished_manifest(output_dir: Path, facts: dict) -> Manifest | None:
    """The manifest of a model that another trainer has finished from the same facts; None when there is none.

    Raises OSError when the system refuses to read it: a finished model would otherwise be trained again and replaced.
    """
    try:
        manifest = json.loads((output_dir / MANIFEST).read_text())
        return Manifest.model_validate(manifest) if manifest | facts == manifest else None
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def files_of(directory: Path) -> dict[str, FileFacts]:
    """What a manifest says of the files in a directory, by their names."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): FileFacts(sha256=file_sha256(path), bytes=path.stat().st_size) for path in files}


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in ("torch", "transformers", "peft", "trl")}


def _sync_tree(directory: Path) -> None:
    """Waits until the directory and the files in it are on the disk."""
    for path in [*directory.rglob("*"), directory, directory.parent]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


_known_hashes: dict[tuple[str, int, int], str] = {}


def file_sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal; remembered while the file's size and time of change stay the same."""
    status = path.stat()
    identity = (str(path.resolve()), status.st_size, status.st_mtime_ns)
    if identity not in _known_hashes:
        with path.open("rb") as file:
            _known_hashes[identity] = hashlib.file_digest(file, "sha256").hexdigest()
    return _known_hashes[identity]


def weights_sha256(directory: Path) -> str:
    """One hash of all weight files of a model or adapter directory. The hash of a single file is the file's own."""
    files = sorted(directory.glob("*.safetensors")) or sorted(directory.glob("*.bin"))
    if not files:
        raise FileNotFoundError(f"{directory} holds no weights (*.safetensors)")
    if len(files) == 1:
        return file_sha256(files[0])
    return hashlib.sha256("\n".join(f"{file.name} {file_sha256(file)}" for file in files).encode()).hexdigest()
