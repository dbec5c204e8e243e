from abc import ABCMeta, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from mmengine.model import BaseModule
from torch import Tensor

from ...datasets.facts import read_facts
from ...skeleton.batch import fit_bodies
from ...skeleton.layout import build_layout
from ...skeleton.modalities import check_modalities, generate_modalities
from ..official.checks import check_weights

# A recognizer merges the first two axes before the encoder sees them.
MISSING_AXIS = ('; an axis is missing: a recognizer wants (N, num_clips, '
                'num_person, clip_len, joints, in_channels), with num_clips=1 '
                'for whole clips')


class _FrozenAfterInit(ABCMeta):
    """Applies ``frozen`` after a subclass has made all its weights."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        encoder = super().__call__(*args, **kwargs)
        if encoder.frozen:
            encoder.requires_grad_(False)
        return encoder.train()


class SkeletonEncoder(BaseModule, metaclass=_FrozenAfterInit):
    """Base class of encoders of modality streams.

    It keeps the settings below and checks inputs and weights. A subclass
    passes the settings on and writes :meth:`encode`; pre-training, probe,
    retrieval, monitors, FLOPs, inference and export need nothing else.

    Args:
        out_channels (int): Channels F of the feature.
        graph_cfg (dict, optional): ``layout`` is the name of a known layout
            or a dict with ``joints`` and ``parents``. Defaults to the layout
            of ``ann_file``, else to ``dict(layout='nturgb+d')``.
        in_channels (int, optional): Coordinates C. Defaults to those of
            ``ann_file``, else to 3.
        num_person (int, optional): Bodies M. Defaults to those of
            ``ann_file``, else to 2.
        clip_len (int): Frames T. Defaults to 64.
        modalities (sequence of str): Modalities that are encoded. Defaults to
            ``('joint', 'bone', 'motion')``.
        ann_file (str, optional): Annotation file that describes the data.
            Defaults to None.
        frozen (bool): Keep all weights fixed and stay in eval mode.
            Defaults to False.
        init_cfg (dict, optional): MMEngine's initialisation.

    Attributes:
        layout (Layout): The skeleton.
        modalities (tuple[str]): Modalities that are encoded.
        input_shape (tuple[int]): (M, T, V, C).
        out_channels (int): Channels F of the feature.
        feature_parts (dict[str, slice]): Channels of the named parts of the
            feature, such as ``temporal``; a subclass sets it.
        takes_features (bool): If set, ``forward`` returns tensors unchanged:
            they are features (N, F), which linear evaluation encodes once.

    Raises:
        ValueError: If the layout or a modality is unknown.
    """

    def __init__(self,
                 out_channels: int,
                 graph_cfg: Optional[Mapping] = None,
                 in_channels: Optional[int] = None,
                 num_person: Optional[int] = None,
                 clip_len: int = 64,
                 modalities: Sequence[str] = ('joint', 'bone', 'motion'),
                 ann_file: Optional[str] = None,
                 frozen: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        check_modalities(modalities)
        facts = read_facts(ann_file) if ann_file else None
        layout = graph_cfg['layout'] if graph_cfg else facts and facts.layout
        self.layout = build_layout(layout or 'nturgb+d')
        if in_channels is None:
            in_channels = facts.in_channels if facts else 3
        if num_person is None:
            num_person = facts.num_person if facts else 2
        self.modalities = tuple(modalities)
        self.input_shape = (num_person, clip_len, self.layout.num_joints,
                            in_channels)
        self.out_channels = out_channels
        self.feature_parts: dict[str, slice] = {}
        self.frozen = frozen
        self.takes_features = False
        # MMEngine only logs that a checkpoint does not fit.
        self._register_load_state_dict_pre_hook(self._check_checkpoint)

    @abstractmethod
    def encode(self, streams: Mapping[str, Tensor]) -> Tensor:
        """Encode a batch; a subclass writes this.

        Args:
            streams (dict[str, Tensor]): Streams (N, M, T, V, C) of some of
                the ``modalities``.

        Returns:
            Tensor: Feature, (N, out_channels).
        """

    def encode_views(self,
                     views: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """Encode several views; a subclass may use one pass for all.

        Args:
            views (sequence of dict[str, Tensor]): The streams of each view;
                views may differ in modalities and N.

        Returns:
            list[Tensor]: Feature of each view, (N, out_channels).

        Raises:
            ValueError: If a modality is unknown or a shape differs.
        """
        return [self.encode(self._fit(streams)) for streams in views]

    def forward(self, x: Union[Tensor, Mapping[str, Tensor]]) -> Tensor:
        """Encode a batch of joints or streams.

        Args:
            x (Tensor | dict[str, Tensor]): Joints (N, M, T, V, C), or streams
                of some of the ``modalities``, of that shape each. Missing
                bodies become zeros; bodies beyond M are left out.

        Returns:
            Tensor: Feature, (N, out_channels).

        Raises:
            ValueError: If a modality is unknown or a shape differs.
        """
        if self.takes_features and isinstance(x, Tensor):
            return x
        streams = x if isinstance(x, Mapping) else self.streams(x)
        return self.encode_views([streams])[0]

    def streams(self,
                joints: Tensor,
                modalities: Optional[Sequence[str]] = None
                ) -> dict[str, Tensor]:
        """Generate modality streams from joints.

        Args:
            joints (Tensor): (N, M, T, V, C).
            modalities (sequence of str, optional): Defaults to those of the
                encoder.

        Returns:
            dict[str, Tensor]: A stream of the same shape for each modality.

        Raises:
            ValueError: If the shape is not the encoder's.
        """
        joints = self._fit_shape('the joint array', joints)
        return generate_modalities(joints, modalities or self.modalities,
                                   self.layout)

    def train(self, mode: bool = True) -> 'SkeletonEncoder':
        """Stay in eval mode while frozen."""
        super().train(mode and not self.frozen)
        return self

    def _fit(self, streams: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Check the streams of a view and fit their bodies."""
        if not streams:
            raise ValueError('no modality stream was given; known here are '
                             f'{self.modalities}')
        for name in streams:
            if name not in self.modalities:
                raise ValueError(f'unknown modality {name!r}; this encoder '
                                 f'was built for {self.modalities}')
        return {
            name: self._fit_shape(f'the {name!r} stream', stream)
            for name, stream in streams.items()
        }

    def _fit_shape(self, what: str, x: Tensor) -> Tensor:
        self.layout.check(x.shape, what)
        if x.ndim != 5 or x.shape[2:] != self.input_shape[1:]:
            raise ValueError(
                f'{what} has shape {tuple(x.shape)}, wanted is (N, '
                f'{", ".join(map(str, self.input_shape))}): (N, num_person, '
                'clip_len, joints, in_channels)'
                f'{"" if x.ndim != 4 else MISSING_AXIS}')
        return fit_bodies(x, self.input_shape[0])

    def _check_checkpoint(self, state_dict: dict[str, Tensor], prefix: str,
                          *args: Any) -> None:
        """Refuse weights of another size or model before they are loaded."""
        check_weights(self, state_dict, prefix)
