"""An image's Dockerfile: as it stands, or rendered from a template; and what it may be made from.

All that a build stands on is declared: FROM is ${BASE} (what the stack file's `from` says), scratch, or a stage of the same file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from bluegreen.core.chain import SCRATCH, ImageSpec
from bluegreen.errors import UsageError

TEMPLATE = ".j2"
BASE = ("${BASE}", "$BASE")
_FROM = re.compile(r"FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$", re.I)
_COPY = re.compile(r"(?:COPY|ADD)\s+(?:--\S+\s+)*?--from=(\S+)", re.I)
_MOUNT = re.compile(r"--mount=\S*\bfrom=([^,\s]+)", re.I)


def text(image: ImageSpec, folder: Path) -> str:
    """The Dockerfile of `image`, rendered and checked. `folder` is the stack file's. Raises UsageError with file and line."""
    path = folder / image.dockerfile
    found = _render(image, folder, path) if path.name.endswith(TEMPLATE) else _plain(image, path)
    _check(image, str(path), found)
    return found


def with_labels(found: str, labels: Mapping[str, str]) -> str:
    """The labels as the last instruction: one step, where the engine would make one of each."""
    quoted = " ".join(f'{name}="{_quoted(value)}"' for name, value in labels.items())
    return f"{found}\nLABEL {quoted}\n" if labels else found


def _quoted(value: str) -> str:
    return re.sub(r'(["$\\])', r"\\\1", " ".join(value.split()))


def _plain(image: ImageSpec, path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        raise UsageError(
            f"image {image.name}: there is no {path}", next=f"write it, or correct images.{image.name}.dockerfile"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"image {image.name}: {path} cannot be read", why=str(error)) from None


def _render(image: ImageSpec, folder: Path, path: Path) -> str:
    """Includes and imports come from the one folder of templates, and a name that is not set is an error."""
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    shared = folder / image.templates if image.templates else path.parent
    source = _plain(image, path)
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FileSystemLoader(shared),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    try:
        template = environment.from_string(source)
        return template.render(name=image.name, platform=image.platform, args=dict(image.args))
    except jinja2.TemplateNotFound as error:
        why = f"{error.name} is not in {shared}, where templates include from"
        raise UsageError(f"image {image.name}: {path} cannot be rendered", why=why) from None
    except jinja2.TemplateSyntaxError as error:
        where = f"{shared / error.name if error.name else path}:{error.lineno}"
        raise UsageError(
            f"image {image.name}: {path.name} is no template", where=where, why=error.message or ""
        ) from None
    except (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        where = f"{path}:{_line(error)}"
        raise UsageError(f"image {image.name}: {path.name} cannot be rendered", where=where, why=str(error)) from None


def _line(error: BaseException) -> int:
    """The template's line that the error came from: jinja2 puts it into the traceback."""
    line, trace = 1, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _check(image: ImageSpec, path: str, found: str) -> None:
    stages: list[str] = []
    uses_base = False
    for number, line in _instructions(path, found):
        sources = [*_COPY.findall(line), *_MOUNT.findall(line)]
        if start := _FROM.match(line):
            sources.append(start[1])
            uses_base |= start[1] in BASE
        for source in sources:
            known = source in (SCRATCH, *BASE, *stages) or source.isdecimal()
            if not known:
                raise _undeclared(image, f"{path}:{number}", source)
        if start:
            stages.append(start[2] or "")
    if not stages:
        raise UsageError(f"image {image.name}: its Dockerfile has no FROM", where=path)
    if uses_base == (image.base == SCRATCH):
        what = "uses ${BASE}, but is declared from scratch" if uses_base else "does not say FROM ${BASE}"
        raise UsageError(
            f"image {image.name}: its Dockerfile {what}",
            where=path,
            next="begin it with ARG BASE and FROM ${BASE}; `from` in the stack file says what that is",
        )


def _undeclared(image: ImageSpec, where: str, source: str) -> UsageError:
    return UsageError(
        f"image {image.name} is made from {source}, which is not declared",
        where=where,
        why="an image that moves unseen makes another image of the same key",
        next="write ARG BASE and FROM ${BASE} there, and `from` in the stack file",
    )


def _instructions(path: str, found: str) -> Iterator[tuple[int, str]]:
    """(line number, instruction on one line), comments left out. A syntax line would load a builder from outside."""
    number, pending = 0, ""
    for n, line in enumerate(found.splitlines(), 1):
        stripped = line.strip()
        if directive := re.match(r"#\s*(syntax|escape)\s*=", stripped, re.I):
            raise UsageError(
                f"a line # {directive[1]}= in a Dockerfile is not supported", where=f"{path}:{n}", next="remove it"
            )
        if stripped.startswith("#") or (not stripped and not pending):
            continue
        number = number if pending else n
        pending += stripped
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        yield number, pending
        pending = ""
    if pending:
        raise UsageError("the Dockerfile ends in the middle of an instruction", where=f"{path}:{number}")
