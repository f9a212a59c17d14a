"""Several networks that answer as one: how their pictures are drawn, and how they are combined."""
