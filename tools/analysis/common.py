"""What the tools in this folder share."""
import warnings
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Callable


def register() -> None:
    """What a config of ours does when a Runner starts."""
    # With mmcv-lite MMAction2 warns of operators that no skeleton model uses.
    warnings.filterwarnings('ignore', message='Fail to import')
    from mmengine.registry import init_default_scope

    import umurl_mmaction  # noqa: F401
    init_default_scope('mmaction')


def make_folders(parser: ArgumentParser, paths: Iterable[Any]) -> None:
    """Make the folders of files that will be written, where one is asked for.

    Args:
        parser (ArgumentParser): Ends the program where that fails.
        paths (iterable of Path | None): The files.
    """
    for path in filter(None, paths):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            parser.error(f'cannot write {path}: {error.strerror}')


def save_text(path: Path, text: str) -> None:
    """Write a file; ``path`` holds the old one or the whole new one."""
    from umurl_mmaction.files import replacing
    with replacing(path) as part:
        part.write_text(text, encoding='utf-8')


def count_flops(run: Callable[[], Any]) -> int:
    """FLOPs of the matrix products of a call, forward and backward.

    Args:
        run (Callable): Called once. Under ``FakeTensorMode`` it takes no
            time.

    Returns:
        int: A multiply-add counts as 2.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # The counter does not know each backend's fused attention.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(
            SDPBackend.MATH):
        run()
    return counter.get_total_flops()
