"""Our own data sets as a source."""

from __future__ import annotations

from pathlib import Path

from data_tools.convert.takes import Header, Source, Take, Unfit, told_of_attempts
from mmil.data.dataset import Dataset
from mmil.data.sample import decode_extras, decode_sample, frame_name
from mmil.data.sentences import read_sentences


class ShardSource(Source):
    """A finished data set of shards."""

    def __init__(self, path: Path) -> None:
        self._dataset = Dataset.open(path)
        manifest = self._dataset.manifest
        self.header = Header(
            format="mmil",
            spec=self._dataset.spec,
            config=manifest["config"],
            sentences=read_sentences(manifest),
            attempts=told_of_attempts(manifest),
        )
        self.names = [row.key for row in self._dataset.rows]

    def take(self, index: int) -> Take:
        row = self._dataset.rows[index]
        try:
            sample = self._dataset.sample(index)
            episode = decode_sample(sample)
        except Exception as error:  # whatever a decoder makes of altered bytes
            raise Unfit(str(error)) from error
        jpegs = {camera: [sample[frame_name(camera, i)] for i in range(row.steps + 1)] for camera in episode.images}
        return Take(row.key, episode, row.attempts, jpegs, decode_extras(sample))

    def close(self) -> None:
        """No file stays open."""
