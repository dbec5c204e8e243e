import logging

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from ...datasets import SkeletonDataset
from ...datasets.inspection import (
    copies_line,
    find_all,
    find_copies,
    line_of,
)
from .check_data_hook import bare_dataset

# Validation clips that are looked for in the training set.
LIMIT = 512


@HOOKS.register_module()
class InspectDataHook(Hook):
    """Say before a training what is odd about its clips, a line for each.

    Up to 256 clips of the training set are looked at as they are before the
    normalisation, and up to 512 clips of the validation set are looked for in
    the training set. ``tools/data/inspect_annotations.py`` looks at all, and
    draws some.

    Args:
        allow_reversed_shoulders (bool): Whether to train although the
            shoulder line of bodies points to -x in most clips (70 %), where
            the rotation of ``SkeletonPreNormalize`` depends on noise. Defaults
            to False.

    Raises:
        ValueError: If it does. Says which order of the shoulders is meant.
    """

    def __init__(self, allow_reversed_shoulders: bool = False) -> None:
        self.allow_reversed_shoulders = allow_reversed_shoulders

    def before_train(self, runner: Runner) -> None:
        """Log what the training set is like, or refuse it."""
        train = bare_dataset(runner.train_loop.dataloader.dataset)
        measures = getattr(train, 'measures', None)
        if measures is not None:
            print_log(f'Data: {line_of(measures)}', 'current')
            for finding in find_all(measures):
                if finding.refused and not self.allow_reversed_shoulders:
                    raise ValueError(
                        f'{train.ann_file}: {finding.text}. Write it into the '
                        'skeleton of the file (tools/data/convert_annotations'
                        '.py --skeleton), or the layout of '
                        'SkeletonPreNormalize. default_hooks.inspect_data.'
                        'allow_reversed_shoulders=True trains nevertheless')
                print_log(f'Data: {finding.text}', 'current',
                          logging.WARNING)
        if runner.val_loop is not None:
            self._look_for_copies(
                bare_dataset(runner.val_loop.dataloader.dataset), train)

    @staticmethod
    def _look_for_copies(val: object, train: object) -> None:
        if not isinstance(val, SkeletonDataset) or not isinstance(
                train, SkeletonDataset):
            return
        center = 0 if train.layout is None else train.layout.center
        copies = find_copies(val.keypoints, train.keypoints, center, LIMIT)
        line = copies_line(copies, f'{val.split}', f'{train.split}')
        if line:
            print_log(f'Data, after prepare: {line}', 'current',
                      logging.WARNING)
