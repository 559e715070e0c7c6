"""The engine of Colloquy: `generation` answers (serve.py), `training` fine-tunes (train.py), `protocol` is what both say to their clients.

`training` imports from `generation`, and both import from `protocol`; nothing imports the other way.
"""
