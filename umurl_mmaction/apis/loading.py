"""Loading of configs by name, and of models with all their weights."""
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional, Union

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.hub import get_config

from ..fileio.checkpoints import load_checkpoint
from ..models.official.checks import check_weights
from ..models.official.names import strip_module

PACKAGE = Path(__file__).resolve().parents[1]


def configs_folder() -> Path:
    """Find the folder of this package's experiments and their metafile."""
    installed = PACKAGE / '.mim' / 'configs'
    configs = installed if installed.is_dir() else PACKAGE.parent / 'configs'
    return configs / 'umurl'


def find_config(name: str) -> Path:
    """Find a config of this package by its base name, as ``mim`` does.

    Args:
        name (str): Such as ``'umurl-knn_synthetic.py'``; ``.py`` may be left
            out.

    Raises:
        FileNotFoundError: If there is none.
    """
    wanted = name if name.endswith('.py') else f'{name}.py'
    for path in sorted(configs_folder().rglob('*.py')):
        if path.name == wanted:
            return path
    raise FileNotFoundError(
        f'config {name!r} is neither a file nor one of this package; '
        'configs/umurl/metafile.yml lists those')


def load_config(config: Union[str, Path, Config],
                cfg_options: Optional[Mapping[str, Any]] = None) -> Config:
    """Load a config, or copy a loaded one.

    Args:
        config (str | Path | Config): A path, the base name of a config of
            this package, ``package::path``, or a loaded config.
        cfg_options (dict, optional): Settings to change, by dotted key.

    Raises:
        FileNotFoundError: If there is no such config.
    """
    if isinstance(config, Config):
        cfg = Config(
            config._cfg_dict.to_dict(), filename=config.filename)
    elif '::' in str(config):
        cfg = get_config(str(config))
    elif Path(config).is_file():
        cfg = Config.fromfile(config)
    else:
        cfg = Config.fromfile(find_config(str(config)))
    cfg.merge_from_dict(dict(cfg_options or {}))
    return cfg


def fill_facts(cfg: Config, checkpoint: Mapping[str, Any]) -> None:
    """Describe the data by a checkpoint if the annotation file is not there.

    The encoder and the classifier read missing settings from ``ann_file``.
    Without that file they come from the ``metainfo`` of the training set,
    which MMEngine's checkpoints hold.

    Args:
        cfg (Config): Has ``model``, which is changed in place.
        checkpoint (dict): The loaded checkpoint.

    Raises:
        ValueError: If neither file says what the model needs.
    """
    meta = (checkpoint.get('meta') or {}).get('dataset_meta') or {}
    skeleton = meta.get('skeleton')
    facts: dict[str, dict[str, Any]] = dict(
        backbone=dict(
            graph_cfg=skeleton and dict(layout=skeleton),
            in_channels=meta.get('in_channels'),
            num_person=meta.get('num_person')),
        cls_head=dict(num_classes=meta.get('num_classes')))
    for name, settings in facts.items():
        module: Any = cfg.model.get(name) or {}
        ann_file = module.get('ann_file')
        if ann_file is None or Path(ann_file).is_file():
            continue
        for key, value in settings.items():
            if module.get(key) is None:
                module[key] = value
        missing = [
            f'model.{name}.{key}' for key in settings if module[key] is None
        ]
        if missing:
            raise ValueError(
                f'annotation file {ann_file!r} is not there, and the '
                'checkpoint does not describe the data either: set '
                f'{", ".join(missing)}')
        module.ann_file = None


def load_model(cfg: Config,
               checkpoint: Union[str, Path],
               device: Optional[str] = None) -> Any:
    """Build the model of a config with the weights of a checkpoint.

    MMEngine's loading keeps random weights if the checkpoint lacks some; this
    raises an error.

    Args:
        cfg (Config): Has ``model``; see :func:`fill_facts`.
        checkpoint (str | Path): Path or URL of a checkpoint, of ours or of
            the paper's code.
        device (str, optional): Defaults to the best available device.

    Returns:
        nn.Module: The model, on the device, in eval mode, with ``cfg`` and
        ``dataset_meta``, what the checkpoint says of its data, as attributes.

    Raises:
        FileNotFoundError: If the checkpoint is not there.
        ValueError: If it cannot be loaded, lacks a weight of the model or
            has one of another shape, or if the device is not there.
    """
    # Imported late: MMAction2's visualizers come with it.
    from mmaction.apis import init_recognizer
    device = device or get_device()
    if torch.device(device).type == 'cuda' and not torch.cuda.is_available():
        raise ValueError(f'device {device!r} is not there: torch sees no GPU')
    loaded = load_checkpoint(checkpoint)
    fill_facts(cfg, loaded)
    model = init_recognizer(cfg, device=device)
    weights = {
        strip_module(key): value
        for key, value in loaded.get('state_dict', loaded).items()
    }
    # The encoder checks its own weights on loading.
    check_weights(
        model,
        weights,
        '',
        part='cls_head.',
        required=None,
        size_hint='num_classes and in_channels must be those of the training')
    meta = loaded.get('meta') or {}
    model.dataset_meta = meta.get('dataset_meta') or {}
    missing = model.load_state_dict(weights, strict=False).missing_keys
    if missing:
        raise ValueError(
            f'{checkpoint} has no {missing[0]}, which this '
            f'{type(model).__name__} needs; a classifier is in checkpoints of '
            'linear and fine-tuning runs only, and every modality of the '
            'config must be one of the pre-training')
    return model
