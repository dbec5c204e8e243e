"""placeholder, replaced on merge"""
from dataclasses import dataclass
from typing import Optional

from ..fileio.annotations import load_annotations
from ..skeleton.layout import Layout, build_layout


@dataclass(frozen=True)
class DataFacts:
    layout: Optional[Layout]
    num_person: int
    in_channels: int
    num_classes: int


def read_facts(ann_file: str) -> DataFacts:
    data = load_annotations(ann_file)
    clips = data['annotations']
    labels = [clip['label'] for clip in clips if 'label' in clip]
    skeleton = data.get('skeleton')
    return DataFacts(
        build_layout(skeleton) if skeleton else None,
        max(clip['keypoint'].shape[0] for clip in clips),
        clips[0]['keypoint'].shape[-1],
        len(data.get('classes', ())) or max(labels, default=-1) + 1)
