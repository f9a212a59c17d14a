"""A network from a list: its layers as a schema, how they are joined, and the Keras model of it."""
