"""Variants of one command: values of its options, each a picture of its own, all on one contact sheet."""

import re
from argparse import Action, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from neuralstyle.command.options import parser, spelled
from neuralstyle.command.terminal import costing_nothing_else, tell
from neuralstyle.files import InputError, unfinished

if TYPE_CHECKING:
    import numpy as np

#: Files beside the picture, which every variant would write again.
_BESIDE = (
    *("checkpoint_output", "timelapse", "history", "progress_write", "progress_plot", "logdir", "record"),
)

#: Groups of options, and single ones, that do not decide the picture.
_NOT_DECIDING = ("options", "machine", "several processes or machines", "what a run leaves behind")
_NOT_VARIED = ("output", "overwrite", "bits", "quality")

#: How many variants of one option stand in a row.
_COLUMNS = 4

#: How many variants one command may ask for.
_MOST = 256


@dataclass(frozen=True)
class _Variant:
    """One picture: what sets it apart, and how to ask for it."""

    label: str
    arguments: tuple[str, ...]
    output: Path


def render(
    options: Namespace,
    arguments: Sequence[str],
    prepare: Callable[[Namespace, Sequence[str]], Callable[[], int]],
) -> int:
    """Make a picture for each combination of the values that options are to take.

    Parameters
    ----------
    options : argparse.Namespace
    arguments : sequence of str
        What the options were parsed from.
    prepare : callable
        Finds the options and arguments of one variant good, and gives the function that makes its picture,
        whose result is an exit status.

    Returns
    -------
    int
        0, or the status of the first variant that was not finished.

    Raises
    ------
    InputError
        If an option or a value cannot be used, or a picture exists already; nothing has been made then.
    """
    from neuralstyle.pictures.writing import check_output

    _check(options)
    variants = _variants(options)
    works = []
    for variant in variants:
        given = [*arguments, *variant.arguments]
        chosen = parser().parse_args(given)
        chosen.vary = chosen.contact_sheet = None
        stopped = unfinished(variant.output).exists()
        chosen.resume = options.resume and stopped
        if options.resume and variant.output.exists() and not stopped:
            works.append(lambda: 0)
            continue
        check_output(variant.output, options.overwrite or options.resume, options.bits, options.quality)
        works.append(prepare(chosen, given))
    sheet = Path(options.contact_sheet) if options.contact_sheet else None
    if sheet:
        check_output(sheet, options.overwrite or options.resume)
    columns = len(_values(options.vary[-1])) if len(options.vary) > 1 else _COLUMNS
    shown: list[tuple[str, np.ndarray]] = []
    for done, (variant, work) in enumerate(zip(variants, works, strict=True), start=1):
        if not options.quiet:
            tell(f"{variant.label} ({done} of {len(variants)}): {variant.output}")
        status = work()
        if sheet and variant.output.exists():
            _write_sheet(sheet, shown, variant, columns)
        if status:
            return status
    return 0


def _check(options: Namespace) -> None:
    """Refuse what does not go with variants."""
    if not options.vary:
        raise InputError("--contact-sheet shows variants; name what varies, as --vary style-weight 500 2000")
    for name in _BESIDE:
        if getattr(options, name):
            raise InputError(
                f"{spelled(name)} does not go with --vary, whose variants would all write it; "
                "a PNG carries its record"
            )


def _variants(options: Namespace) -> list[_Variant]:
    """All combinations, the last option's values changing fastest."""
    names = [given[0] for given in options.vary]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"--vary {repeated} is given twice; name all its values at once")
    combinations = list(product(*(_values(given) for given in options.vary)))
    if len(combinations) > _MOST:
        raise InputError(f"--vary asks for {len(combinations)} pictures; {_MOST} are the most")
    variants, used = [], set()
    for values in combinations:
        pairs = list(zip(names, values, strict=True))
        output = Path(options.output)
        stem = "-".join([output.stem, *(f"{name}-{_short(value)}" for name, value in pairs)])
        path, number = output.with_name(stem + output.suffix), 1
        while path in used:  # pictures of one name in two folders
            number += 1
            path = output.with_name(f"{stem}-{number}{output.suffix}")
        used.add(path)
        arguments = [word for name, value in pairs for word in _words(name, value)]
        label = ", ".join(f"{name} {_short(value)}" for name, value in pairs)
        variants.append(_Variant(label, (*arguments, "--output", str(path)), path))
    return variants


def _action(name: str) -> Action:
    """The option that a name is for.

    Raises
    ------
    InputError
        If there is none, or it does not decide the picture.
    """
    for group in parser()._action_groups:
        for action in group._group_actions:
            if f"--{name}" in action.option_strings:
                if group.title in _NOT_DECIDING or action.dest in _NOT_VARIED:
                    raise InputError(f"--vary {name}: this option does not decide the picture; vary another")
                return action
    raise InputError(f"--vary {name}: there is no option --{name}; --help shows them all")


def _values(given: Sequence[str]) -> list[str]:
    """The values of one --vary: its words, with such as 1..8 written out."""
    name, *words = given[0], *given[1:]
    action, values = _action(name), []
    if not words:
        raise InputError(f"--vary {name}: name the values that it is to take")
    for word in words:
        found = re.fullmatch(r"(\d+)\.\.(\d+)", word)
        if action.type is int and found:
            first, last = map(int, found.groups())
            if not first <= last < first + _MOST:
                raise InputError(f"--vary {name} {word}: the range goes from the lower number to the higher")
            values += map(str, range(first, last + 1))
        else:
            values.append(word)
    return list(dict.fromkeys(values))


def _words(name: str, value: str) -> list[str]:
    """What is typed for a value of an option."""
    if _action(name).nargs != 0:
        return [f"--{name}", value]
    if value not in ("yes", "no"):
        raise InputError(f"--vary {name} {value}: this option is on or off; its values are yes and no")
    off = [f"--no-{name}"] if f"--no-{name}" in _action(name).option_strings else []
    return [f"--{name}"] if value == "yes" else off


def _short(value: str) -> str:
    """A value as part of a file's name: of a path its last part, without what names should not have."""
    short = Path(value).stem if "/" in value or "\\" in value or Path(value).is_file() else value
    return re.sub(r"[^\w.+-]+", "-", short).strip("-") or "value"


def _write_sheet(sheet: Path, shown: "list[tuple[str, np.ndarray]]", variant: _Variant, columns: int) -> None:
    """Add a variant to those that are shown, and write the sheet with what there is so far."""
    from neuralstyle.pictures.contact_sheet import contact_sheet, fitted
    from neuralstyle.pictures.reading import read_image
    from neuralstyle.pictures.writing import write_image

    with costing_nothing_else():
        shown.append((variant.label, fitted(read_image(variant.output))))
        write_image(sheet, contact_sheet(shown, columns))
