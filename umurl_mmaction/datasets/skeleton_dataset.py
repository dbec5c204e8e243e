import os.path as osp

import mmengine
from mmaction.datasets import PoseDataset
from mmaction.registry import DATASETS


@DATASETS.register_module()
class SkeletonDataset(PoseDataset):
    """MMAction2's ``PoseDataset`` that says what is wrong with its input.

    Reads the same pickles: ``split`` (name -> clip names) and
    ``annotations``, a list of dicts with ``frame_dir``, ``total_frames``,
    ``keypoint`` (M, T, V, C) and ``label``. Takes the same arguments.

    Raises:
        FileNotFoundError: If the annotation file is not there.
        ValueError: If it has no split of that name, or the split no clip.
    """

    def load_data_list(self) -> list[dict]:
        """The split's annotations."""
        if not osp.isfile(self.ann_file):
            raise FileNotFoundError(
                f'annotation file {self.ann_file!r} is not there; '
                'tools/data/README.md tells how each one is made')
        data = mmengine.load(self.ann_file)
        if self.split is None:
            return data['annotations'] if isinstance(data, dict) else data
        if self.split not in data['split']:
            raise ValueError(f'annotation file {self.ann_file!r} has no split '
                             f'{self.split!r}, only {sorted(data["split"])}')
        names = set(data['split'][self.split])
        clips = [x for x in data['annotations'] if x['frame_dir'] in names]
        if not clips:
            raise ValueError(f'split {self.split!r} of {self.ann_file!r} has '
                             'no clip')
        return clips
