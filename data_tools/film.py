"""Episodes as films: one with all of them side by side, or one each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from data_tools.mapped import shown
from data_tools.studio import Studio, StudioPlan
from mmil import parallel
from mmil.contracts import Episode, UserError
from mmil.evaluation.video import side_by_side, write_video
from mmil.progress import progress_bar

MOST = 24  # episodes in one picture
HEIGHT = 256  # [pixels], about, of an episode in it
CAPTION = 26  # [pixels]
WIDE = 16 / 9


def write_film(plan: StudioPlan, path: Path, indexes: Sequence[int], *, workers: int | None) -> Path:
    """`path`: an mp4 with all of them, which end when the longest does; any other name is a folder for one each."""
    together = path.suffix == ".mp4"
    if together and len(indexes) > MOST:
        raise UserError(f"{len(indexes)} episodes in one film, at most {MOST}; name a folder to get one each")
    control_hz = 0.0
    tiles: dict[int, np.ndarray] = {}
    with progress_bar("film", total=len(indexes), unit="episodes") as advance:
        workers = min(workers or parallel.available_cores(), len(indexes))
        work = parallel.run(_shoot, indexes, make=plan, workers=workers, env=parallel.simulation_env())
        with closing(work):
            for index, (key, tile, control_hz) in work:
                if together:
                    tiles[index] = tile
                else:
                    write_video(path / f"{key}.mp4", {"": tile}, control_hz=control_hz, scale=1)
                advance()
    if together:
        write_video(path, {"": grid([tiles[index] for index in indexes])}, control_hz=control_hz, scale=1)
    return path


def grid(tiles: Sequence[np.ndarray]) -> np.ndarray:
    """uint8 (T, H, W, 3) of tiles (t, h, w, 3) of one size, row by row; a shorter one stands still at its end."""
    length, (height, width) = max(map(len, tiles)), tiles[0].shape[1:3]
    columns = min(len(tiles), max(1, round(np.sqrt(len(tiles) * WIDE * height / width))))
    rows = -(-len(tiles) // columns)
    canvas = np.zeros((length, rows * height, columns * width, 3), np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // columns * height, number % columns * width
        canvas[: len(tile), top : top + height, left : left + width] = tile
        canvas[len(tile) :, top : top + height, left : left + width] = tile[-1]
    return canvas


def _shoot(studio: Studio, index: int) -> tuple[str, np.ndarray, float]:
    episode = studio.episode(index)
    return episode.key, tile(episode), studio.dataset.spec.control_hz


def tile(episode: Episode) -> np.ndarray:
    """uint8 (T+1, H, W, 3): its cameras and their maps side by side, and what was asked for."""
    import cv2

    scale = max(1, round(HEIGHT / max(images.shape[1] for images in episode.images.values())))
    pictures = side_by_side(shown(episode), scale=scale)
    caption = np.zeros((CAPTION, pictures.shape[2], 3), np.uint8)
    letters = pictures.shape[2] // 9
    text = episode.instruction.encode("ascii", "replace").decode()  # the font has no other letters
    text = text if len(text) <= letters else f"{text[: letters - 3]}..."
    cv2.putText(caption, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (235, 235, 235), 1, cv2.LINE_AA)
    return np.concatenate([pictures, np.repeat(caption[None], len(pictures), axis=0)], axis=1)
