"""Which store an address means."""

from __future__ import annotations

import re
from pathlib import Path

from mmil.contracts import UserError
from mmil.data.store import Folder, Store

Place = Store | Path | str  # a folder, an address, or what was opened already
SCHEMES = {  # where a PUT is all or nothing → what pip must have installed
    "s3": "mmil[s3]",
    "gs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "memory": "fsspec",  # of this very process
}
_ADDRESS = re.compile(r"(pipe|[A-Za-z][A-Za-z0-9+.-]+(?=:/)):/*")


def store_at(place: Place) -> Store:
    """The folder, or the prefix of an object store; no other address is followed, no command run."""
    if isinstance(place, Store):
        return place
    found = _ADDRESS.match(str(place))
    if found is None:
        return Folder(Path(place))
    scheme, prefix = found[1], str(place)[found.end() :].strip("/")
    address = f"{scheme}://{prefix}"  # as typed: a Path makes one slash of two
    if scheme not in SCHEMES or not prefix:
        known = ", ".join(f"{name}://…" for name in SCHEMES)
        raise UserError(f"{address} is an address that no data set lies at; there are folders and {known}")
    return _bucket(scheme, address)


def _bucket(scheme: str, address: str) -> Store:
    try:
        from fsspec.core import url_to_fs

        from mmil.data.bucket import Bucket

        fs, prefix = url_to_fs(address, use_listings_cache=False)
    except ImportError:
        raise UserError(f"{address} needs a library: pip install '{SCHEMES[scheme]}'") from None
    except (OSError, ValueError) as error:  # such as credentials that are no credentials
        raise UserError(f"{address} cannot be reached: {error}") from None
    return Bucket(fs, prefix, address=address)
