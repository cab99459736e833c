"""`mmil convert`: demonstrations from and to robomimic / LIBERO HDF5 and LeRobotDataset v3.

Every format has a Source that turns its episodes into Takes and a Sink that writes Takes: source ─Take─▶ sink. Each
format has a place that its own loaders pass over, and there a Sink puts what the format has no field for.
"""
