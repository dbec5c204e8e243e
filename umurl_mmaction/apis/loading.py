"""Loading of configs by name, and of models with all their weights."""
import copy
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional, Union

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.hub import get_config
from mmengine.logging import print_log

from ..datasets.preparation import find_difference
from ..fileio.checkpoints import load_checkpoint, weights_of
from ..models.official.checks import load_all_weights
from ..models.official.hico import rename_hico

PACKAGE = Path(__file__).resolve().parents[1]


def configs_folder() -> Path:
    """Find the folder of all configs; UmURL's are in its ``umurl``."""
    installed = PACKAGE / '.mim' / 'configs'
    return installed if installed.is_dir() else PACKAGE.parent / 'configs'


def find_config(name: str) -> Path:
    """Find a config of this package.

    Args:
        name (str): Its base name, as for ``mim``, such as
            ``'umurl-knn_synthetic.py'``, where ``.py`` may be left out; or
            ``'umurl_mmaction::umurl/knn/umurl-knn_synthetic.py'``.

    Raises:
        FileNotFoundError: If there is none.
    """
    package, _, inner = name.rpartition('::')
    folder = configs_folder()
    wanted = inner if inner.endswith('.py') else f'{inner}.py'
    if package == PACKAGE.name and (folder / wanted).is_file():
        return folder / wanted
    for path in () if package else folder.glob('[!_]*/**/*.py'):
        if path.name == wanted:
            return path
    raise FileNotFoundError(
        f'config {name!r} is neither a file nor one of this package; '
        'configs/*/metafile.yml list those')


def find_neighbours(config: Union[str, Path]) -> None:
    """Let ``custom_imports`` of a config name modules in its folder.

    The folder comes last on ``sys.path``, so that it hides no package, and
    stays there for the workers of dataloaders.
    """
    folder = str(Path(config).resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)


def load_config(config: Union[str, Path, Config],
                cfg_options: Optional[Mapping[str, Any]] = None) -> Config:
    """Load a config, or copy a loaded one.

    Modules in the folder of a file can be named in its ``custom_imports``.

    Args:
        config (str | Path | Config): A path, the base name of a config of
            this package, ``package::path``, or a loaded config.
        cfg_options (dict, optional): Settings to change, by dotted key.

    Raises:
        FileNotFoundError: If there is no such config.
    """
    package = str(config).partition('::')[0]
    if isinstance(config, Config):
        cfg = copy.deepcopy(config)
    elif package not in (str(config), PACKAGE.name):
        cfg = get_config(str(config))
    elif Path(config).is_file():
        find_neighbours(config)
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


def _check_device(device: str) -> None:
    """Raise ``ValueError`` if torch cannot compute on a device."""
    try:
        kind = torch.device(device).type
    except RuntimeError:
        raise ValueError(f'device {device!r} is none that torch knows; such '
                         'as cpu or cuda:0 is wanted') from None
    if kind == 'meta':
        raise ValueError(f'device {device!r} computes nothing')
    if kind == 'cuda' and not torch.cuda.is_available():
        raise ValueError(f'device {device!r} is not there: torch sees no GPU')
    try:
        torch.empty(0, device=device)
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        reason = str(error).split('\n')[0].split('. ')[0]
        raise ValueError(f'device {device!r} is not there: {reason}') from None


def load_model(cfg: Config,
               checkpoint: Union[str, Path],
               device: Optional[str] = None) -> Any:
    """Build the model of a config with the weights of a checkpoint.

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
    _check_device(device)
    loaded = load_checkpoint(checkpoint)
    weights = weights_of(loaded, checkpoint)
    fill_facts(cfg, loaded)
    model = init_recognizer(cfg, device=device)
    model.dataset_meta = (loaded.get('meta') or {}).get('dataset_meta') or {}
    rename_hico(weights, model)
    load_all_weights(model, weights, str(checkpoint))
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    difference = find_difference(model.dataset_meta, dataset.get('prepare'))
    if difference:
        print_log(f'{checkpoint}: {difference}', 'current', logging.WARNING)
    return model
