"""A plugin for vLLM: it finds adapters of Colloquy by their names, so nobody has to load them. docs/servers.md says how to install it."""
