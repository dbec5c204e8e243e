"""What a run is asked for, and the rows that it answers with."""
from dataclasses import dataclass, field
from typing import Any, Optional, TypeVar

import torch

T = TypeVar('T')
DTYPES = dict(fp32=torch.float32, bf16=torch.bfloat16, fp16=torch.float16)


@dataclass(frozen=True)
class Settings:
    """The options of ``benchmark.py``, none of them open.

    Args:
        device (str): ``'cpu'`` or ``'cuda'``.
        precision (str): A key of ``DTYPES``, compared with ``'fp32'``.
        embed_dims (tuple[int]): Widths of the encoder.
        batch_sizes (tuple[int]): Samples of a step.
        steps (int): Timed rounds.
        num_workers (int): Worker processes of a dataloader.
        num_clips (int, optional): Size of the generated sets; each part has
            its own default.
        compile (bool): Also measure the product under ``torch.compile``.
        smoke (bool): Everything as small as it gets.
    """
    device: str
    precision: str
    embed_dims: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    steps: int
    num_workers: int
    num_clips: Optional[int] = None
    compile: bool = False
    smoke: bool = False

    def pick(self, smoke: T, cpu: T, cuda: T) -> T:
        """The value that fits this run."""
        if self.smoke:
            return smoke
        return cuda if self.device == 'cuda' else cpu

    @property
    def precisions(self) -> list[str]:
        """Full precision and, if it is another one, the chosen one."""
        return list(dict.fromkeys(('fp32', self.precision)))

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """All pairs of embed_dims and batch size."""
        return [(width, batch) for width in self.embed_dims
                for batch in self.batch_sizes]


@dataclass
class Row:
    """A number that was measured.

    Attributes:
        part (str): A key of ``PARTS``.
        variant (str): What was run; names of baselines start with
            ``'plain'``.
        value (float): The number, a median where there are several times.
        unit (str): Its unit. Larger is better for those per second.
        what (str): What of the part it is about, if there are several.
        embed_dims (int | None): Width, where it matters.
        batch_size (int | None): Batch size, where it matters.
        seconds (list[float]): The times that it is the median of.
        more (dict): Whatever else belongs to it.
    """
    part: str
    variant: str
    value: float
    unit: str
    what: str = ''
    embed_dims: Optional[int] = None
    batch_size: Optional[int] = None
    seconds: list[float] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
