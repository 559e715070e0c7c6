"""A fine-tuning job as it arrives: one JSON line."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError, model_validator

from .training_failure import TrainingFailure

Name = Annotated[StrictStr, Field(min_length=1)]
Count = Annotated[StrictInt, Field(ge=1)]


class Settings(BaseModel):
    """TRL's and PEFT's names, with TRL's defaults. An unknown name is an error: a misspelt setting must not be ignored."""

    model_config = ConfigDict(extra="forbid")
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 2e-5
    num_train_epochs: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3
    per_device_train_batch_size: Count = 8
    gradient_accumulation_steps: Count = 1
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup", "polynomial"] = "linear"
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] = 0
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    max_length: Count = 1024  # tokens of prompt and completion together
    save_steps: Count = 500
    gradient_checkpointing: StrictBool = True
    use_peft: StrictBool = True
    lora_r: Count = 16
    lora_alpha: Count = 32
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    lora_target_modules: Name | Annotated[list[Name], Field(min_length=1)] = "all-linear"


class TrainingJob(BaseModel):
    """What to train, on what, and where the result goes."""

    model_config = ConfigDict(extra="forbid")
    id: Name
    base_model: Name
    init_adapter: Name | None = None
    dataset: Name
    output_dir: Name
    checkpoint_dir: Name
    seed: Annotated[StrictInt, Field(ge=0, lt=2**32)]
    settings: Settings = Settings()

    @model_validator(mode="after")
    def _adapter_needs_peft(self) -> "TrainingJob":
        if self.init_adapter is not None and not self.settings.use_peft:
            raise ValueError("init_adapter needs use_peft: true")
        return self


def parse_job(line: str) -> TrainingJob:
    """The job in a line of stdin, or a TrainingFailure `bad_settings` that names the field at fault."""
    try:
        return TrainingJob.model_validate_json(line)
    except ValidationError as invalid:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'job'}: {fault['msg']}" for fault in invalid.errors()]
        raise TrainingFailure("bad_settings", "; ".join(faults)) from invalid
