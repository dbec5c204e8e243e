from typing import Optional

import torch
from torch import Tensor

from ...skeleton.clip_generator import ClipGenerator
from ...skeleton.layout import Layout
from .base import SkeletonTransform


class ViewTransform(SkeletonTransform):
    """An augmentation of one clip in a pipeline, or of a batch of views.

    A subclass writes ``apply`` and ``describe``, and ``draw`` if it is
    random.

    Required Keys:

        - keypoint
        - layout (optional)

    Modified Keys:

        - keypoint
        - augmentations (optional): a list of str; the result of ``describe``
          is appended
    """

    def draw(self,
             num: int,
             shape: tuple[int, ...],
             layout: Layout,
             generator: Optional[ClipGenerator] = None) -> Tensor:
        """Draw independently for several clips.

        Args:
            num (int): Number of clips.
            shape (tuple[int]): (M, T, V, C) of a clip.
            layout (Layout): The skeleton.
            generator (ClipGenerator, optional): That of the clips. Defaults
                to torch's own.

        Returns:
            Tensor: (num, ...) on the generator's device. Defaults to
            nothing, (num, 0).
        """
        device = generator.device if generator else None
        return torch.empty(num, 0, device=device)

    def apply(self, joints: Tensor, drawn: Tensor, layout: Layout) -> Tensor:
        """Augment clips.

        Args:
            joints (Tensor): (N, M, T, V, C).
            drawn (Tensor): What was drawn for them, (N, ...).
            layout (Layout): The skeleton.

        Returns:
            Tensor: (N, M, T, V, C).
        """
        raise NotImplementedError

    def describe(self, drawn: Tensor) -> str:
        """Describe what was drawn for a clip, (...), in a few words."""
        raise NotImplementedError

    def transform(self, results: dict) -> dict:
        """Augment ``keypoint``, (M, T, V, C)."""
        joints = torch.from_numpy(results['keypoint'])[None]
        layout = self.layout_of(results)
        drawn = self.draw(1, joints.shape[1:], layout)
        if 'augmentations' in results:
            results['augmentations'].append(self.describe(drawn[0]))
        results['keypoint'] = self.apply(joints, drawn, layout)[0].numpy()
        return results
