"""The one training loop every stage that trains uses."""
