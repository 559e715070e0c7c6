"""Fine-tunes models, one job after another."""
