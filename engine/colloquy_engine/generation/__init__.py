"""Answers chat requests with one base model and many LoRA adapters."""
