"""From episode to batch; the only home of webdataset."""
