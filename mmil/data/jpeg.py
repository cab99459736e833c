"""Pictures as JPEGs, colour at full resolution; what declares more pixels than a camera has is not even unpacked."""

from __future__ import annotations

import numpy as np

from mmil.contracts import UserError
from mmil.data.schema import SIDE


def encode_frame(frame: np.ndarray, *, quality: int = 95) -> bytes:
    """JPEG of an RGB frame uint8 (h, w, 3)."""
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ValueError(f"cv2 cannot encode a frame {frame.dtype} {frame.shape}")
    return data.tobytes()


def decode_frame(data: bytes) -> np.ndarray:
    """RGB frame uint8 (h, w, 3)."""
    import cv2

    size = jpeg_size(data)
    if size and max(size) > SIDE:
        raise UserError(f"a JPEG frame of {size[0]} × {size[1]} pixels; no camera has more than {SIDE} a side")
    frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if size else None
    if frame is None:
        raise UserError(f"not a JPEG frame: {len(data)} bytes starting with {data[:4].hex()!r}")
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Height and width that a JPEG declares (ITU T.81, B.2.2), without decoding it; None where it is none."""
    at = 2
    while data[:2] == b"\xff\xd8" and data[at : at + 1] == b"\xff" and at + 9 <= len(data):
        if 0xC0 <= data[at + 1] <= 0xCF and data[at + 1] not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 7 : at + 9])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None
