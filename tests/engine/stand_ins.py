"""What takes the place of a stage where its work is not what a test is about."""

import shutil


def learn_nothing(settings, inputs, out):
    """In place of training: the network as it was built, and a history of one epoch."""
    shutil.copy(inputs["build"] / "model.keras", out / "model.keras")
    (out / "history.csv").write_text("epoch,val_accuracy,val_loss\n1,0.1,2.0\n")
    return {"epochs": 1, "best_epoch": 1, "val_accuracy": 0.1}
