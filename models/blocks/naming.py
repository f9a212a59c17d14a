"""Names of the parts of a layer."""


def part(name: str | None, of: str) -> str | None:
    """Name a part of the layer `name`: `stem`, `scale` give `stem.scale`; None leaves it to Keras.

    Keras gives no name with a dot in it, so that parts never clash with what it names itself.
    """
    return None if name is None else f"{name}.{of}"
