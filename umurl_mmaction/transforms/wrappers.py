from collections.abc import Sequence
from typing import Callable, Union

from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform, Compose


@TRANSFORMS.register_module()
class SkeletonMultiView(BaseTransform):
    """Run pipelines on copies of a clip, one pipeline a view.

    Required Keys:

        - keypoint

    Added Keys:

        - views

    Args:
        transforms (list[list[dict]]): The pipelines.
        num_views (sequence of int, optional): How many views each pipeline
            gives. Defaults to one each.
    """

    def __init__(self,
                 transforms: Sequence[Sequence[Union[dict, Callable]]],
                 num_views: Union[Sequence[int], None] = None) -> None:
        num_views = num_views or [1] * len(transforms)
        if len(num_views) != len(transforms):
            raise ValueError(f'num_views={list(num_views)} must have one '
                             f'number for each of {len(transforms)} pipelines')
        self.num_views = list(num_views)
        self.pipelines = [Compose(pipeline) for pipeline in transforms]

    def transform(self, results: dict) -> dict:
        """Add ``views``, a list of joint arrays (M, T, V, C)."""
        results['views'] = [
            pipeline(dict(results))['keypoint']
            for pipeline, count in zip(self.pipelines, self.num_views)
            for _ in range(count)
        ]
        return results

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(transforms={self.pipelines}, '
                f'num_views={self.num_views})')
