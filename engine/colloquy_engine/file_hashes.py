"""SHA-256 of files, remembered while a file's size and time stay the same."""

import hashlib
from pathlib import Path

_known: dict[tuple[str, int, int], str] = {}


def file_sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    status = path.stat()
    identity = (str(path.resolve()), status.st_size, status.st_mtime_ns)
    if identity not in _known:
        with path.open("rb") as file:
            _known[identity] = hashlib.file_digest(file, "sha256").hexdigest()
    return _known[identity]


def weights_sha256(directory: Path) -> str:
    """One hash of all weight files of a model or adapter directory; a single file's hash is its own."""
    files = sorted(directory.glob("*.safetensors")) or sorted(directory.glob("*.bin"))
    if not files:
        raise FileNotFoundError(f"{directory} holds no weights (*.safetensors)")
    if len(files) == 1:
        return file_sha256(files[0])
    return hashlib.sha256("\n".join(f"{file.name} {file_sha256(file)}" for file in files).encode()).hexdigest()
