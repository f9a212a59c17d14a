"""Pictures: sources, splits, batches, augmentation."""
