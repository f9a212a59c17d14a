"""Which pictures, and the random changes to them."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.choices import Count, Positive, Share
from pipeline.settings.base import Options, Section


class Ingest(Section):
    """Where the pictures come from, what becomes of each, and how they are split.

    Its seed is its own: another `seed` at the top of a recipe trains again on the same split.
    """

    given = frozenset()
    dataset: str = Field("digits", description="a row of `show datasets`; `tfds:NAME` with a name")
    path: Path | None = Field(None, description="folder or file of the source, where it takes one")
    data_dir: Path | None = Field(
        None, description="where tensorflow-datasets keeps its files; default: where it always does"
    )
    classes: tuple[str, ...] | None = Field(
        None, description="names in the order of their numbers; default: those found, sorted"
    )
    separator: str | None = Field(
        None,
        min_length=1,
        description="stands between the labels of a picture in a table, which may then have "
        "several or none; default: `;` in a column `labels`, a column `label` holds one",
    )
    size: Count | tuple[Count, Count] | None = Field(
        None, description="height and width in pixels; default: arrays as they are, files 96"
    )
    fit: Literal["crop", "pad", "stretch"] = Field(
        "crop", description="how a picture of other proportions comes to size"
    )
    interpolation: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] = Field(
        "bilinear", description="Pillow's filter, which averages when it shrinks"
    )
    color: Literal["gray", "rgb"] | None = Field(
        None, description="channels; default: arrays as they are, files rgb"
    )
    background: Literal["white", "gray", "black"] = Field(
        "white", description="behind transparent pixels, and around padded pictures"
    )
    max_pixels: Count = Field(100_000_000, description="a picture of more is set aside unread")
    max_bad_fraction: Annotated[float, Field(strict=True, ge=0, le=1)] = Field(
        0.05, description="share of pictures set aside above which the run stops"
    )
    duplicates: Literal["error", "drop"] = Field(
        "error", description="one picture in two given splits: stop, or keep one of each picture"
    )
    validation: Share = Field(0.1, description="share of the training pictures kept apart")
    test: Share = Field(0.2, description="share kept for test where the source has no split")
    folds: Annotated[int, Field(strict=True, ge=2)] | None = Field(
        None, description="parts for cross-validation: validation is then one of so many"
    )
    fold: Count = Field(1, description="which part validation is, from 1")
    limit: Count | None = Field(
        None, description="stratified part: at most so many training pictures, the others alike"
    )

    @field_validator("path", "data_dir", mode="before")
    @classmethod
    def _path_says_something(cls, path: Any) -> Any:
        if isinstance(path, str) and not path.strip():  # to pathlib, that is the working folder
            raise ValueError("empty; leave it out, or name a file or folder")
        return path

    @field_validator("classes")
    @classmethod
    def _classes_differ(cls, classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in classes or ():
            if not name.strip() or (classes or ()).count(name) > 1:
                raise ValueError(f"class {name!r} {'twice' if name.strip() else 'has no name'}")
        if classes is not None and len(classes) < 2:
            raise ValueError("two classes at least are needed to tell apart")
        return classes

    @model_validator(mode="after")
    def _data_dir_is_of_use(self) -> Self:
        if self.data_dir is not None and self.dataset.partition(":")[0] not in {"tfds", "idx"}:
            raise ValueError(f"data_dir is for tfds:NAME; {self.dataset} takes path")
        return self

    @model_validator(mode="after")
    def _separator_is_of_use(self) -> Self:
        if self.separator is not None and self.dataset != "table":
            raise ValueError(f"separator is for tables; {self.dataset} has no cells to cut")
        return self

    @model_validator(mode="after")
    def _fold_is_there(self) -> Self:
        if self.fold > (self.folds or 1):
            raise ValueError(f"fold {self.fold} of {self.folds or 1}: there are not so many")
        return self


class Augment(Section):
    """Random changes to training pictures."""

    policy: str | tuple[str | dict[str, Options | None], ...] = Field(
        "none", description="a policy's name, or a list of `show augmentations` with arguments"
    )
    strength: Positive = Field(
        1.0, description="times the policy's factors: 0.5 halves turns, shifts, mixup's alpha; "
        "`show augmentations` marks what is scaled"
    )  # fmt: skip
    preview: Count = Field(6, description="pictures in the preview figure")
