# SPDX-License-Identifier: Apache-2.0
"""Scenarios by name or from a YAML file, and one clear sentence for every mistake in them."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from ns3_scenarios.errors import ScenarioError, UserError
from ns3_scenarios.scenario import ScenarioConfig

M = TypeVar("M", bound=BaseModel)

SUFFIXES = (".yaml", ".yml", ".json")

#: What units may end a field's name.
UNITS = (
    *("hz", "khz", "mhz", "ghz", "kbps", "mbps", "gbps", "bps", "bytes", "kb", "rb"),
    *("dbm", "db", "w", "mw", "us", "ms", "s", "m", "km", "mps", "kmh", "deg", "pct"),
)


def scenario_names() -> list[str]:
    """Names of the scenarios in the package, sorted."""
    folder = resources.files("ns3_scenarios") / "scenarios"
    return sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name[-5:] == ".yaml")


def load_scenario(name_or_path: str | Path) -> ScenarioConfig:
    """A scenario of the package by its name, or any scenario from a YAML (or JSON) file.

    A string with a slash or a YAML suffix is a path, any other one a name.

    Raises:
        ScenarioError: unknown, unreadable, or impossible; the message names file and field.
    """
    if isinstance(name_or_path, str) and not is_path(name_or_path):
        names = scenario_names()
        if name_or_path not in names:
            raise ScenarioError(
                f"there is no scenario {name_or_path!r}{_did_you_mean(name_or_path, names)}; "
                f"the package has {', '.join(names)}, and a path to a YAML file works as well"
            )
        data = parse_yaml(_packaged(name_or_path), name_or_path)
        return parse_model(ScenarioConfig, data, name_or_path)
    return parse_model(ScenarioConfig, read_yaml(Path(name_or_path)), str(name_or_path))


def scenario_text(name_or_path: str) -> str:
    """The YAML of a scenario as it was written, comments and all.

    Raises:
        ScenarioError: unknown or unreadable.
    """
    load_scenario(name_or_path)
    if is_path(name_or_path):
        return Path(name_or_path).read_text(encoding="utf-8")
    return _packaged(name_or_path)


def is_path(name_or_path: str) -> bool:
    """Whether a string means a file rather than the name of a scenario."""
    return "/" in name_or_path or name_or_path.endswith(SUFFIXES)


def read_yaml(path: Path, error: type[UserError] = ScenarioError) -> Any:
    """The content of a YAML file.

    Raises:
        UserError: of the given class; the file is missing, unreadable or no YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise error(f"cannot read {path}: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise error(f"{path} is not a text file in UTF-8") from None
    return parse_yaml(text, str(path), error)


def parse_yaml(text: str, source: str, error: type[UserError] = ScenarioError) -> Any:
    """The content of YAML text.

    Raises:
        UserError: of the given class; not YAML.
    """
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        what = getattr(problem, "problem", None) or "unreadable"
        raise error(f"{source} is not YAML{where}: {what}") from None


def parse_model(
    model: type[M], data: Any, source: str, error: type[UserError] = ScenarioError
) -> M:
    """Check data against a model.

    Raises:
        UserError: of the given class, with one sentence on the first mistake.
    """
    if not isinstance(data, dict):
        got = "nothing" if data is None else f"a {type(data).__name__}"
        raise error(f"{source} must be a mapping of field names to values, not {got}")
    try:
        return model.model_validate(data)
    except ValidationError as problem:
        raise error(format_validation_error(problem, source, model)) from None


def format_validation_error(
    error: ValidationError, source: str, model: type[BaseModel] = ScenarioConfig
) -> str:
    """One sentence on the first mistake that pydantic found.

    Args:
        error: what pydantic raised.
        source: file or name that the data came from; it opens the sentence.
        model: what was validated, which tells the allowed field names.

    Returns:
        Source, dotted path of the field, the value, and what is allowed.
    """
    # A misspelt field also counts as a missing one: say what was misspelt.
    problems = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    first = problems[0]
    loc, kind, value = first["loc"], first["type"], first["input"]
    path, parent = _follow(model, loc)
    if kind == "extra_forbidden":
        name = str(loc[-1])
        fields = list(parent.model_fields) if parent else []
        hint = _did_you_mean_unit(name, fields)
        return f"{source}: {path} is not a field{hint}; allowed are {', '.join(fields)}"
    if kind == "missing":
        return f"{source}: {path} is missing"
    if kind == "value_error":
        text = first["msg"].removeprefix("Value error, ")
        return f"{source}: {path + ': ' if path else ''}{text}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tags = first["ctx"].get("expected_tags", "")
        tag = value.get("kind") if isinstance(value, Mapping) else value
        allowed = tags or ", ".join(repr(k) for k in _kinds(model, loc))
        given = f"{path}.kind is missing" if tag is None else f"{path}.kind={tag!r} is unknown"
        return f"{source}: {given}; allowed are {allowed}"
    limits = _limits(parent, loc)
    if limits and kind.startswith(("greater_", "less_", "float_", "int_", "finite_")):
        return f"{source}: {path}={_shown(value)} is not allowed; it must be {limits}"
    return f"{source}: {path}={_shown(value)} is not allowed; it must {_demand(first)}"


def _packaged(name: str) -> str:
    folder = resources.files("ns3_scenarios") / "scenarios"
    return (folder / f"{name}.yaml").read_text(encoding="utf-8")


def _demand(problem: Any) -> str:
    """What pydantic wants, as the end of 'it must …', in the words of YAML."""
    kind, text = problem["type"], str(problem["msg"])
    if kind == "too_short":
        return f"have at least {problem['ctx']['min_length']} item"
    if kind == "too_long":
        return f"have at most {problem['ctx']['max_length']} items"
    if kind in ("tuple_type", "list_type"):
        return "be a list"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "be a mapping of field names to values"
    for opening in ("Input should ", "String should ", "Value should "):
        text = text.removeprefix(opening)
    return text


def _limits(parent: type[BaseModel] | None, loc: tuple[int | str, ...]) -> str:
    """The range of a number field, as in: at least 5 and at most 2000."""
    field = parent.model_fields.get(str(loc[-1])) if parent else None
    bounds = {
        name: bound
        for constraint in (field.metadata if field else ())
        for name in ("ge", "gt", "le", "lt")
        if (bound := getattr(constraint, name, None)) is not None
    }
    words = {"ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}"}
    return " and ".join(
        text.format(f"{bounds[name]:.12g}") for name, text in words.items() if name in bounds
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _follow(model: type[BaseModel], loc: Iterable[int | str]) -> tuple[str, type[BaseModel] | None]:
    """The dotted path that a location means, and the model of which its last part is a field.

    pydantic puts the tag of a union's member, or its name, into the location; it is no part of the
    path.
    """
    parts: list[str] = []
    here: Any = model
    parent: type[BaseModel] | None = None
    for step in loc:
        here, members = _element(here)
        if members:
            tagged = [m for m in members if step == _tag(m) or _is_name(str(step), m)]
            if tagged:
                here = tagged[0]
                continue
        parts.append(str(step))
        if isinstance(here, type) and issubclass(here, BaseModel):
            parent = here
            field = here.model_fields.get(str(step))
            here = field.annotation if field else None
        elif isinstance(here, _Items):
            here = here.of
    return ".".join(parts), parent


class _Items:
    """A tuple, list or mapping of something."""

    def __init__(self, of: Any) -> None:
        self.of = of


def _element(annotation: Any) -> tuple[Any, list[type[BaseModel]]]:
    """Strip an annotation down to a model or `_Items`; list the models of a union."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _element(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        members = [a for a in get_args(annotation) if a is not type(None)]
        if len(members) == 1:
            return _element(members[0])
        models = [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]
        return annotation, models
    if origin in (tuple, list):
        return _Items(get_args(annotation)[0]), []
    if origin is dict:
        return _Items(get_args(annotation)[1]), []
    return annotation, []


def _tag(model: type[BaseModel]) -> Any:
    kind = model.model_fields.get("kind")
    return get_args(kind.annotation)[0] if kind and get_origin(kind.annotation) is Literal else None


def _is_name(step: str, model: type[BaseModel]) -> bool:
    """Whether this is how pydantic calls a member of a union without tags."""
    return step == model.__name__ or step.endswith(f", {model.__name__}]")


def _kinds(model: type[BaseModel], loc: Iterable[int | str]) -> list[Any]:
    here: Any = model
    for step in loc:
        here, _ = _element(here)
        if isinstance(here, _Items):
            here = here.of
        elif isinstance(here, type) and issubclass(here, BaseModel):
            here = here.model_fields[str(step)].annotation
    return [_tag(m) for m in _element(here)[1]]


def _did_you_mean(name: str, allowed: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(allowed), n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def _did_you_mean_unit(name: str, allowed: list[str]) -> str:
    """A guess at what was meant, which says so when only the unit is wrong."""
    stem, _, unit = name.rpartition("_")
    if unit in UNITS:
        for field in allowed:
            field_stem, _, field_unit = field.rpartition("_")
            if field_stem == stem and field_unit in UNITS:
                return f", did you mean {field!r}? (its unit is {field_unit}, not {unit})"
    else:
        for field in allowed:
            if field.startswith(f"{name}_"):
                return f", did you mean {field!r}?"
    return _did_you_mean(name, allowed)
