"""Honest measurement of .tflite files, without TensorFlow."""
