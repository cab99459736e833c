"""Encoded pictures: how large they say they are, before anybody makes room for them."""

from __future__ import annotations

import numpy as np

from data_tools.convert.takes import Unfit

MOST_BYTES = 64 << 20
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_FRAMES = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))  # JPEG's SOF


def encode_png(image: np.ndarray) -> bytes:
    """Lossless, of an RGB frame uint8 (h, w, 3)."""
    import cv2

    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError(f"cv2 cannot encode a frame {image.dtype} {image.shape}")
    return data.tobytes()


def decode_picture(data: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """uint8 RGB (h, w, 3) of a PNG or JPEG that must have this shape."""
    import cv2

    size = picture_size(data)
    if size != tuple(shape[:2]):
        raise Unfit(f"a picture of {size[0]}×{size[1]} where the data set says {shape[0]}×{shape[1]}")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None or image.shape != tuple(shape):
        raise Unfit("a picture that is damaged or cut short")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def is_jpeg(data: bytes) -> bool:
    return data.startswith(_JPEG)


def picture_size(data: bytes) -> tuple[int, int]:
    """Height and width as its header says."""
    if len(data) > MOST_BYTES:
        raise Unfit(f"a picture of {len(data) >> 20} MiB; {MOST_BYTES >> 20} are the most")
    if data.startswith(_PNG) and len(data) >= 24:
        return int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")
    if data.startswith(_JPEG):
        return _jpeg_size(data)
    raise Unfit(f"a picture that is neither PNG nor JPEG: it begins with {data[:4].hex()!r}")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] in _FRAMES:
            return int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
        at += 2 + length
    raise Unfit("a JPEG without a frame")
