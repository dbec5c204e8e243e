"""The settings of a run, and the rows of its results."""
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Optional, TypeVar

import torch

T = TypeVar('T')
DTYPES = dict(fp32=torch.float32, bf16=torch.bfloat16, fp16=torch.float16)
MIB = 2**20


@dataclass(frozen=True)
class Settings:
    """The options of ``benchmark.py`` with all defaults filled in.

    ``num_clips`` may be None: each part has its own default.
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
        """Choose the value for this run."""
        if self.smoke:
            return smoke
        return cuda if self.device == 'cuda' else cpu

    @property
    def precisions(self) -> list[str]:
        """Full precision, and the chosen precision if it differs."""
        return list(dict.fromkeys(('fp32', self.precision)))


@dataclass
class Row:
    """One measured number.

    Attributes:
        part (str): A key of ``PARTS``.
        variant (str): The name of the variant. Names of baselines start with
            ``'plain'``.
        value (float): The number; for several rounds, from their median.
        unit (str): The unit. For units per second, larger is better.
        what (str): The subject, if the part measures several.
        embed_dims (int | None): The width, if it matters.
        batch_size (int | None): The batch size, if it matters.
        seconds (list[float]): The seconds of all rounds.
        more (dict): Further facts about the number.
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


def speed(part: str, variant: str, count: float, seconds: list[float],
          unit: str = 'samples/s', **facts: Any) -> Row:
    """Make a row of a rate: a count over the median of the seconds."""
    return Row(part, variant, count / median(seconds), unit, seconds=seconds,
               **facts)
