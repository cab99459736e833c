"""Depth and segmentation as PNGs: lossless, in shades of grey of 16 bits and of 8."""

from __future__ import annotations

import numpy as np

from mmil.contracts import STREAMS, UserError, map_dtype

LEVEL = 3  # of compression: 6 takes twice the time for a seventh less
FILE = rf"\.(?:{'|'.join(STREAMS)})\.\d{{4,}}\.png"  # after the camera's name
_HEADER = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + b"IHDR"
_GREY = 0


def map_file(name: str, frame: int) -> str:
    """The member of a sample that holds this frame of the map <camera>.<stream>."""
    return f"{name}.{frame:04d}.png"


def encode_map(frame: np.ndarray) -> bytes:
    """PNG of uint8 or uint16 (h, w); the same frame gives the same bytes."""
    import cv2

    done, data = cv2.imencode(".png", frame, [cv2.IMWRITE_PNG_COMPRESSION, LEVEL])
    if not done:
        raise ValueError(f"cv2 cannot encode a map {frame.dtype} {frame.shape}")
    return data.tobytes()


def decode_map(data: bytes, name: str, size: tuple[int, ...]) -> np.ndarray:
    """(h, w) in the dtype of its stream; what says that it is of another size or kind is not even unpacked."""
    import cv2

    kind, (height, width) = map_dtype(name), size
    if png_header(data) != (height, width, 8 * kind.itemsize):
        raise UserError(
            f"a map {name} that is no PNG of {height} × {width} pixels of {8 * kind.itemsize} bits: "
            f"{len(data)} bytes starting with {data[:4].hex()!r}"
        )
    frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if frame is None or frame.shape != (height, width) or frame.dtype != kind:
        raise UserError(f"a map {name} that is damaged or cut short")
    return frame


def png_header(data: bytes) -> tuple[int, int, int] | None:
    """Height, width and bits a pixel that a PNG in shades of grey declares (RFC 2083, 4.1.1); None where it is none."""
    if not data.startswith(_HEADER) or len(data) < 33 or data[25] != _GREY or data[28] != 0:
        return None
    return int.from_bytes(data[20:24]), int.from_bytes(data[16:20]), data[24]
