"""What the networks share: parts of a layer by name, and the unit of convolution they repeat."""
