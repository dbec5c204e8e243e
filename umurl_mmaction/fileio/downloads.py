"""Checkpoints from the net, kept on the disk by their whole URL."""
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlparse
from urllib.request import Request, urlopen

import torch

from .atomic import replacing, write_text


def fetch(url: str, model_dir: Optional[str] = None) -> Path:
    """Return the file of a URL; it is downloaded if it is not here.

    torch keeps downloads by the last part of their URLs, so that one file may
    be taken for another, and takes a file that was cut off for a whole one.

    Args:
        url (str): ``http://`` or ``https://``.
        model_dir (str, optional): Folder of the downloads. Defaults to
            torch's own.

    Returns:
        Path: The file. It has the size and the hash that it had when it was
        downloaded.

    Raises:
        OSError: If it cannot be downloaded as a whole.
    """
    folder = Path(model_dir or Path(torch.hub.get_dir()) / 'checkpoints')
    folder /= hashlib.sha256(url.encode()).hexdigest()[:16]
    path = folder / (Path(urlparse(url).path).name or 'checkpoint.pth')
    note = folder / 'download.json'
    if not path.is_file() or _read(note) != _describe(url, path):
        print(f'Downloading {url} to {path}')
        _download(url, path)
        write_text(note, json.dumps(_describe(url, path)))
    return path


def _download(url: str, path: Path) -> None:
    request = Request(url, headers={'User-Agent': 'umurl_mmaction'})
    # A search for *.pth does not find the temporary file.
    with urlopen(request) as source, replacing(
            path, keep_suffix=False) as part:
        size = source.headers.get('Content-Length')
        with open(part, 'wb') as target:
            shutil.copyfileobj(source, target, 1 << 20)
        got = os.path.getsize(part)
        if size is not None and got != int(size):
            raise OSError(f'{url}: {got} of {size} bytes came; try again')


def _describe(url: str, path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(1 << 20), b''):
            digest.update(block)
    return dict(
        url=url, size=path.stat().st_size, sha256=digest.hexdigest())


def _read(note: Path) -> Any:
    try:
        return json.loads(note.read_bytes())
    except (OSError, ValueError):
        return None
