"""The engine of Colloquy: what answers (serve.py) and what learns (train.py)."""
