"""The pre-trainings of a comparison: methods x encoders."""
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from mmengine.config import Config

from ..apis.loading import configs_folder, load_config

# An encoder that replaces another one sees the same clips, at its width.
SHARED = ('ann_file', 'graph_cfg', 'in_channels', 'num_person', 'clip_len',
          'modalities')
WIDTH = 'embed_dims'
OWN = 'own'
STEP_LOOPS = ('IterBasedTrainLoop', 'PassesTrainLoop')


@dataclass(frozen=True)
class Candidate:
    """A method with an encoder.

    Attributes:
        method (str): Base name of the pre-training config.
        encoder (str): Name of the encoder.
        cfg (Config): Its pre-training, at the config's own length.
    """
    method: str
    encoder: str
    cfg: Config

    @property
    def name(self) -> str:
        return f'{self.method} x {self.encoder}'

    @property
    def digest(self) -> str:
        """Tells the settings apart, whatever their budget."""
        text = repr(self.cfg.to_dict())
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def encoder_cfg(self) -> dict[str, Any]:
        return self.cfg.model.backbone.to_dict()


def load_encoder(name: str) -> dict[str, Any]:
    """Load the ``encoder`` of a file of configs.

    Args:
        name (str): A path, or a name in ``configs/_base_/models``, such as
            ``'stgcnpp'``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no ``encoder``.
    """
    folder = configs_folder() / '_base_' / 'models'
    path = Path(name) if Path(name).is_file() else folder / f'{name}.py'
    known = [
        file.stem for file in sorted(folder.glob('*.py'))
        if '\nencoder = ' in file.read_text(encoding='utf-8')
    ]
    if not path.is_file():
        raise FileNotFoundError(
            f'encoder {name!r} is neither a file nor one of {OWN}, '
            f'{", ".join(known)}')
    encoder = Config.fromfile(path).get('encoder')
    if encoder is None:
        raise ValueError(f'{path} has no encoder = dict(type=...)')
    return encoder.to_dict()


def _own_name(backbone: Mapping[str, Any]) -> str:
    return (backbone['trunk'] if 'trunk' in backbone else backbone)['type']


def cross(methods: Sequence[str], encoders: Sequence[str],
          cfg_options: Optional[Mapping[str, Any]]) -> list[Candidate]:
    """Give each method each encoder.

    Args:
        methods (sequence of str): Pre-training configs that count steps.
        encoders (sequence of str): As for :func:`load_encoder`, or ``'own'``.
        cfg_options (dict, optional): Settings of the pre-trainings to change.

    Raises:
        FileNotFoundError: If a config or an encoder is not there.
        ValueError: If a config is none of a pre-training that counts steps.
    """
    loaded = {x: load_encoder(x) for x in encoders if x != OWN}
    candidates = []
    for method in methods:
        cfg = load_config(method, cfg_options)
        loop = cfg.get('train_cfg', {}).get('type')
        if 'backbone' not in cfg.get('model', {}) or loop not in STEP_LOOPS:
            raise ValueError(
                f'{method} is no pre-training that counts steps; wanted is '
                'one such as umurl-plus_1xb64-3k_synthetic.py, with '
                "train_cfg of type 'PassesTrainLoop'")
        for encoder in encoders:
            mine = load_config(cfg)
            name = Path(encoder).stem
            if encoder == OWN:
                name = _own_name(mine.model.backbone)
            else:
                own = mine.model.backbone
                kept = [*SHARED, WIDTH] if WIDTH in loaded[encoder] else SHARED
                mine.model.backbone = dict(
                    loaded[encoder], **{k: own[k] for k in kept if k in own})
            candidates.append(Candidate(Path(method).stem, name, mine))
    return candidates


def shorten(cfg: Config, steps: int) -> Config:
    """Make a pre-training of so many steps, without validations.

    The milestones of its schedulers move with its end.

    Args:
        cfg (Config): Counts steps; it stays as it is.
        steps (int): At least 1.
    """
    cfg = load_config(cfg)
    train = cfg.train_cfg
    nominal = train.get('max_iters') or train.get('min_iters', 3000)
    for scheduler in cfg.param_scheduler:
        for key in ('begin', 'end', 'T_max'):
            if scheduler.get(key):
                scheduler[key] = round(scheduler[key] * steps / nominal)
        if 'milestones' in scheduler:
            scheduler.milestones = [
                round(x * steps / nominal) for x in scheduler.milestones
            ]
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=steps)
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint.update(
        interval=max(1, min(500, steps // 4)), max_keep_ckpts=1)
    # The length is meant.
    cfg.default_hooks.pop('check_steps', None)
    return cfg
