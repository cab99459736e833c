"""A self-contained HTML page: one file, no scripts, nothing fetched, every text escaped."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmil.contracts import UserError

TEMPLATES = Path(__file__).parent / "templates"


def write_page(path: Path, template: str, /, *, folders: Sequence[Path] = (), **values: Any) -> Path:
    """Render `template` (looked up in `folders`, then beside this file) to `path`; appears whole or not at all."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,  # whatever the template's name: sentences come from files that anybody may have written
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, duration=duration, amount=amount, size=size)
    text = environment.get_template(template).render(**values)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return path


def data_uri(content: bytes, media: str) -> str:
    """`content` as an address that holds it."""
    return f"data:{media};base64,{base64.b64encode(content).decode()}"


def picture(image: np.ndarray, *, quality: int = 88) -> str:
    """uint8 (h, w, 3) RGB → JPEG as a data address."""
    import cv2

    _, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data_uri(encoded.tobytes(), "image/jpeg")


def percent(value: float) -> str:
    """0.95 → 95.0 %."""
    return f"{100 * value:.1f} %"


def duration(seconds: float) -> str:
    """[s] as a person would say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def size(count: float) -> str:
    """Bytes in decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def amount(value: Any) -> str:
    """A number with thin spaces between thousands, or four significant digits; a list with commas; else as it is."""
    if isinstance(value, list | tuple):
        return ", ".join(map(amount, value))
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return "–" if value is None else str(value)
    number = float(value)
    if number.is_integer() and abs(number) < 1e15:
        return f"{int(number):,}".replace(",", "\u2009")
    return f"{number:.4g}".replace("-", "\u2212")
