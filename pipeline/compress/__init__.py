"""Smaller models: the tf_keras mirror and what tfmot does through it."""
