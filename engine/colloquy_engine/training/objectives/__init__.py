"""By what does a model learn from its rows? Each objective is one file here, with TRL's own trainer of it; the file's name is the objective's name.

A file has a class `Trainer`: a JobTrainer and a trainer of TRL. Nothing else has to know a new one but the objectives of src/algorithm/objectives.ts.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..job_trainer import JobTrainer

OBJECTIVES = tuple(sorted(file.stem for file in Path(__file__).parent.glob("[a-z]*.py")))


def trainer_of(objective: str) -> "type[JobTrainer]":
    """The trainer of one of OBJECTIVES. Its libraries are loaded only here."""
    return import_module(f"{__name__}.{objective}").Trainer
