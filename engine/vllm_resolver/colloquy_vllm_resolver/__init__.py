"""A plugin of vLLM: adapters of Colloquy are found by their names and never have to be loaded. docs/servers.md says how it is installed."""
