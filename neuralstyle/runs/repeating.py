"""The run of a record again: its pictures and its network found, and what differs between two runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from neuralstyle.files import InputError
from neuralstyle.networks import Network
from neuralstyle.optimizers import LBFGS
from neuralstyle.recipes import Recipe
from neuralstyle.runs.records import Record, hash_file, recipe_from_record


@dataclass(frozen=True)
class Inputs:
    """The files that a run was made from.

    Attributes
    ----------
    content : pathlib.Path
    styles : list of pathlib.Path
    masks, style_masks : list of (pathlib.Path or None)
    content_mask : pathlib.Path or None
        Where the content is painted.
    regions : list of pathlib.Path
        The content's picture of regions, and each style's; empty where there are none.
    """

    content: Path
    styles: list[Path]
    masks: list[Path | None]
    style_masks: list[Path | None]
    content_mask: Path | None = None
    regions: list[Path] = field(default_factory=list)


def inputs_from_record(record: Record) -> Inputs:
    """Find the pictures of a record again, and make sure that they are the same.

    The picture that a recipe starts from is checked as well; `recipe_from_record` has its path.

    Parameters
    ----------
    record : dict

    Returns
    -------
    Inputs

    Raises
    ------
    InputError
        If one of the files is gone, or holds something else than it did.
    """

    def found(entry: Record | None, what: str) -> Path | None:
        if entry is None:
            return None
        if entry["path"] is None:
            raise InputError(f"the record's {what} picture was given as an array; there is no file to read")
        path = Path(entry["path"])
        if not path.is_file():
            raise InputError(f"{path}: the record's {what} picture is gone; start from the same folder again")
        if hash_file(path) != entry["sha256"]:
            raise InputError(f"{path}: the record's {what} picture has changed since; put the old one back")
        return path

    found(record["start"], "starting")
    return Inputs(
        content=found(record["content"], "content"),
        styles=[found(entry, "style") for entry in record["styles"]],
        masks=[found(entry, "mask") for entry in record["masks"]],
        style_masks=[found(entry, "style mask") for entry in record["style_masks"]],
        content_mask=found(record.get("content_mask"), "content mask"),
        regions=[found(entry, "regions") for entry in record.get("regions", ())],
    )


def check_network(record: Record, network: Network) -> None:
    """Make sure that a network is the one that a record was made with.

    Raises
    ------
    InputError
        If its file holds other weights.
    """
    entry = record["network"]
    found = network.digest
    if found != entry["sha256"]:
        raise InputError(
            f"{network.path or 'the network'}: other weights than the record's; name with --network the file "
            f"{entry['name']} of SHA-256 {entry['sha256']}"
        )


def difference(before: Record, now: Record, ignoring: Sequence[str] = ()) -> str | None:
    """What decides the picture in one record and is otherwise in another.

    Versions, paths and results are not compared; of files only what they hold counts.

    Parameters
    ----------
    before, now : dict
        Records, with or without a result.
    ignoring : sequence of str
        Fields of the recipe, and options, that may differ.

    Returns
    -------
    str or None
        A phrase such as "style_weight 500.0 instead of 300.0", `before` first; None where there is no
        difference.
    """
    # What the listing says counts where it is followed, and then as the fields that it sets.
    old, new = (recipe_from_record(record).with_listing() for record in (before, now))
    # A file to start from is compared by what it holds.
    ignoring = (*ignoring, "listing", *(("start",) if before["start"] and now["start"] else ()))
    values = [
        (entry.name, getattr(old, entry.name), getattr(new, entry.name))
        for entry in fields(Recipe)
        if entry.name not in ignoring
    ]
    values.append(("seed", before["seed"], now["seed"]))
    options = {**before["options"], **now["options"]}
    values += [
        (name, before["options"].get(name), now["options"].get(name))
        for name in options
        if name not in ignoring
    ]
    for name, was, is_now in values:
        if was != is_now:
            return f"{name} {was!r} instead of {is_now!r}"

    def contents(entry: Record | Sequence[Record | None] | None) -> object:
        if isinstance(entry, list):
            return [contents(item) for item in entry]
        return entry and entry["sha256"]

    files = {
        "content": "content picture",
        "styles": "style pictures",
        "masks": "masks",
        "style_masks": "style masks",
        "content_mask": "content mask",
        "regions": "regions",
        "start": "starting picture",
        "network": "weight file",
    }
    for name, what in files.items():
        if contents(before.get(name)) != contents(now.get(name)):
            return f"other {what}" if what.endswith("s") else f"another {what}"
    return None


def resumed(record: Record, before: Record, iteration: int) -> Record:
    """The record of a run that goes on from where another left off.

    With the optimisers whose runs go on bit for bit there is nothing to say. SciPy's L-BFGS forgets what it
    remembered, so a run of it that was never stopped would give another picture.

    Parameters
    ----------
    record : dict
        Of the run that goes on.
    before : dict
        Of the run that was stopped.
    iteration : int
        Where it was stopped.
    """
    if not isinstance(recipe_from_record(record).optimizer, LBFGS):
        return record
    return {**record, "resumed": [*before.get("resumed", ()), int(iteration)]}


def stopped_at(record: Record | None) -> int | None:
    """The iteration that the run of a record was stopped after; None where it ran to its end.

    Raises
    ------
    InputError
        If no run can repeat what that run did.
    """
    if record is None:
        return None
    if record.get("resumed"):
        at = ", ".join(map(str, record["resumed"]))
        raise InputError(
            f"the record's run was stopped and went on with an empty memory (after iteration {at}), which no "
            "run repeats; give the same options without --from-record"
        )
    return record.get("result", {}).get("stopped")
