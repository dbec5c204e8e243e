"""Pickles of the form that MMAction2 publishes, read as they are."""
import mmengine
import numpy as np
import pytest
import torch
from conftest import REPO
from mmaction.registry import DATASETS
from tools_loading import load_script

TO_MODEL = [
    dict(type='TemporalCropResize', ratio=(1, 1)),
    dict(type='PackSkeletonInputs', num_person=2)
]


def released(path, num_joints, coords, dtype, **fields):
    """Clips of one and two bodies with MMAction2's split names."""
    rng = np.random.default_rng(0)
    annotations = []
    for i in range(4):
        shape = (1 + i % 2, 30 + i, num_joints, coords)
        annotations.append(
            dict(
                frame_dir=f'S001C001P00{i}R001A001',
                label=i,
                total_frames=30 + i,
                keypoint=(100 * rng.random(shape)).astype(dtype),
                **{
                    name: make(shape)
                    for name, make in fields.items()
                }))
    names = [x['frame_dir'] for x in annotations]
    split = {f'{p}_{s}': names for p in ('xsub', 'xview')
             for s in ('train', 'val')}
    mmengine.dump(dict(split=split, annotations=annotations), str(path))
    return str(path)


@pytest.fixture
def ntu60_3d(tmp_path):
    return released(tmp_path / 'ntu60_3d.pkl', 25, 3, np.float16)


@pytest.fixture
def ntu60_2d(tmp_path):
    return released(
        tmp_path / 'ntu60_2d.pkl',
        17,
        2,
        np.float16,
        keypoint_score=lambda shape: np.ones(shape[:-1], np.float16),
        img_shape=lambda shape: (1080, 1920),
        original_shape=lambda shape: (1080, 1920))


def read(dataset, ann_file, pipeline):
    data = DATASETS.build(
        dict(
            type=dataset,
            ann_file=ann_file,
            split='xview_val',
            pipeline=pipeline))
    return torch.stack([sample['inputs'] for sample in data])


@pytest.mark.parametrize('dataset', ['PoseDataset', 'SkeletonDataset'])
def test_3d(dataset, ntu60_3d):
    inputs = read(dataset, ntu60_3d,
                  [dict(type='SkeletonPreNormalize')] + TO_MODEL)
    assert inputs.shape == (4, 1, 2, 64, 25, 3)
    assert inputs.dtype == torch.float32 and inputs.isfinite().all()
    assert not inputs[0, :, 1].any() and inputs[1, :, 1].any()


@pytest.mark.parametrize('dataset', ['PoseDataset', 'SkeletonDataset'])
def test_2d(dataset, ntu60_2d):
    inputs = read(dataset, ntu60_2d, [dict(type='PreNormalize2D')] + TO_MODEL)
    assert inputs.shape == (4, 1, 2, 64, 17, 2)
    assert inputs[:, :, 0].abs().max() <= 1


@pytest.mark.parametrize('dataset', ['PoseDataset', 'SkeletonDataset'])
def test_2d_with_the_score_as_a_coordinate(dataset, ntu60_2d):
    """MMAction2's own step appends it."""
    inputs = read(dataset, ntu60_2d, [
        dict(type='PreNormalize2D'),
        dict(type='GenSkeFeat', dataset='coco', feats=['j'])
    ] + TO_MODEL)
    assert inputs.shape == (4, 1, 2, 64, 17, 3)
    assert (inputs[:, :, 0, ..., 2] == 1).all()


def test_2d_as_it_is_in_the_2d_configs(ntu60_2d, tmp_path):
    """Scores of 0 are missing joints; the layout can be added."""
    data = mmengine.load(ntu60_2d)
    first = data['annotations'][0]
    first['keypoint_score'][0, 3, 5] = 0
    pixels = first['keypoint'].astype(np.float32)
    mmengine.dump(data, ntu60_2d)
    tool = load_script(REPO / 'tools' / 'data' / 'convert_annotations.py')
    with_layout = tmp_path / 'mine.pkl'
    tool.main([ntu60_2d, str(with_layout), '--skeleton', 'coco'])
    for ann_file in (ntu60_2d, str(with_layout)):
        dataset = DATASETS.build(
            dict(
                type='SkeletonDataset',
                ann_file=ann_file,
                split='xsub_train',
                prepare=[dict(type='SkeletonPreNormalize2D')],
                nonfinite='missing',
                pipeline=[]))
        want = (pixels - [960, 540]) / [960, 540]
        want[0, 3, 5] = 0
        np.testing.assert_allclose(dataset[0]['keypoint'], want, atol=1e-3)
    assert dataset.layout.name == 'coco'
