"""The messages that the two programs exchange with their clients, and how they live as processes."""
