import pytest
from mmaction.registry import DATASETS


def build(ann_file, split='train', **kwargs):
    return DATASETS.build(
        dict(
            type='SkeletonDataset',
            ann_file=ann_file,
            split=split,
            pipeline=[],
            **kwargs))


def test_reads_what_the_stock_dataset_reads(ann_file):
    ours = build(ann_file)
    stock = DATASETS.build(
        dict(
            type='PoseDataset',
            ann_file=ann_file,
            split='train',
            pipeline=[]))
    assert len(ours) == len(stock) == 12
    for a, b in zip(ours, stock):
        assert a['frame_dir'] == b['frame_dir'] and a['label'] == b['label']
        assert (a['keypoint'] == b['keypoint']).all()


def test_without_a_split_all_clips(ann_file):
    assert len(build(ann_file, split=None)) == 18


def test_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match="'nowhere.pkl' is not there"):
        build('nowhere.pkl')


def test_missing_split_lists_those_there(ann_file):
    with pytest.raises(
            ValueError, match=r"no split 'xsub', only \['train', 'val'\]"):
        build(ann_file, 'xsub')
