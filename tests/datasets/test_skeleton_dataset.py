import copy
import pickle
import subprocess
import sys
from pathlib import Path

import mmengine
import numpy as np
import pytest
from conftest import make_annotations
from mmaction.registry import DATASETS

from umurl_mmaction.datasets import skeleton_dataset
from umurl_mmaction.datasets.subset import class_balanced_subset
from umurl_mmaction.datasets.transforms import SkeletonPreNormalize
from umurl_mmaction.fileio.annotations import load_annotations


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


def test_names_of_the_classes_are_metainfo(ann_file, tmp_path):
    path = str(tmp_path / 'named.pkl')
    mmengine.dump(dict(make_annotations(), classes=['a', 'b', 'c']), path)
    assert build(path).metainfo['classes'] == ['a', 'b', 'c']
    named = build(path, metainfo=dict(classes=['x', 'y', 'z']))
    assert named.metainfo['classes'] == ['x', 'y', 'z']
    assert 'classes' not in build(ann_file).metainfo


@pytest.mark.parametrize('kept', [True, False])
@pytest.mark.parametrize('overlap', [True, False])
def test_another_split_of_the_file(tmp_path, monkeypatch, kept, overlap):
    data = make_annotations()
    if overlap:
        data['split']['val'].append(data['split']['train'][0])
    ann_file = str(tmp_path / 'set.pkl')
    mmengine.dump(data, ann_file)
    prepare = [dict(type='SkeletonPreNormalize')]
    want = build(ann_file, 'val', prepare=prepare, test_mode=True)
    reads = []
    monkeypatch.setattr(
        skeleton_dataset, 'load_annotations',
        lambda *args: reads.append(args) or load_annotations(*args))
    train = build(
        ann_file, prepare=prepare, keep_splits=kept, label_fraction=0.5)
    before = [x['keypoint'] for x in train]
    got = train.other_split('val')
    # The arrays of a clip in both are prepared already.
    assert len(reads) == (1 if kept and not overlap else 2)
    assert got.test_mode and len(got) == len(want) > 0
    for a, b in zip(got, want):
        assert a['frame_dir'] == b['frame_dir'] and a['label'] == b['label']
        np.testing.assert_array_equal(a['keypoint'], b['keypoint'])
    assert not train.test_mode and len(train) == len(before)
    for a, b in zip(train, before):
        np.testing.assert_array_equal(a['keypoint'], b)
    # Used up: a second one is read again.
    assert len(train.other_split('val')) == len(got)
    assert len(reads) == (2 if kept and not overlap else 3)
    with pytest.raises(ValueError, match="no split 'test'"):
        train.other_split('test')


def test_kept_splits_stay_where_they_were_read(ann_file):
    train = build(ann_file, keep_splits=True)
    size = len(pickle.dumps(train))
    assert size == len(pickle.dumps(copy.deepcopy(train)))
    train.drop_splits()
    assert size == len(pickle.dumps(train))


def test_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match="'nowhere.pkl' is not there"):
        build('nowhere.pkl')


def test_empty_split_is_named(tmp_path):
    data = make_annotations()
    data['split']['train'] = []
    path = str(tmp_path / 'empty.pkl')
    mmengine.dump(data, path)
    with pytest.raises(ValueError, match="split 'train' of .* has no clip"):
        build(path)


def test_missing_split_lists_those_there(ann_file):
    with pytest.raises(
            ValueError, match=r"no split 'xsub', only \['train', 'val'\]"):
        build(ann_file, 'xsub')


@pytest.mark.parametrize('fraction, counts', [(0.01, (1, 1, 1)),
                                              (0.1, (10, 2, 1)),
                                              (1.0, (100, 20, 1))])
def test_subset_is_class_balanced_with_one_of_each(fraction, counts):
    labels = [0] * 100 + [1] * 20 + [2]
    drawn = class_balanced_subset(labels, fraction)
    assert drawn == sorted(set(drawn))
    assert tuple(sum(labels[i] == c for i in drawn)
                 for c in range(3)) == counts
    assert drawn == class_balanced_subset(labels, fraction)
    if 0.01 < fraction < 1:
        assert drawn != class_balanced_subset(labels, fraction, seed=1)


def test_a_smaller_subset_is_part_of_a_larger_one():
    labels = [i % 7 for i in range(700)]
    small, large = (set(class_balanced_subset(labels, f)) for f in (.05, .1))
    assert small < large


def test_subset_is_drawn_evenly():
    hits = [0] * 20
    for seed in range(400):
        for i in class_balanced_subset([0] * 20, 0.25, seed):
            hits[i] += 1
    # 400 draws at 1/4: five standard deviations are 43.
    assert all(abs(n - 100) < 44 for n in hits)


@pytest.mark.parametrize('fraction', [0, -0.1, 1.5])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(ValueError, match='above 0 and at most 1'):
        class_balanced_subset([0, 1], fraction)


def test_label_fraction_of_a_dataset_is_logged(ann_file, monkeypatch):
    lines = []
    monkeypatch.setattr(
        'umurl_mmaction.datasets.skeleton_dataset.print_log',
        lambda message, logger: lines.append(message))
    names = [x['frame_dir'] for x in build(ann_file, label_fraction=0.5)]
    assert len(names) == 6
    assert lines[0].startswith('6 of 12 labelled clips are kept')
    assert lines[0].endswith(' '.join(names))


def test_unlabelled_clips_have_no_fraction(tmp_path):
    data = make_annotations()
    del data['annotations'][3]['label']
    path = str(tmp_path / 'unlabelled.pkl')
    mmengine.dump(data, path)
    assert len(build(path)) == 12
    with pytest.raises(ValueError, match="'clip003' of .* has none"):
        build(path, label_fraction=0.5)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_joints_that_are_not_finite_can_count_as_missing(tmp_path, value):
    data = make_annotations()
    data['annotations'][0]['keypoint'][0, 2, 4, 1] = value
    path = str(tmp_path / 'nan.pkl')
    mmengine.dump(data, path)
    clip = build(path, nonfinite='missing')[0]['keypoint']
    assert not clip[0, 2, 4].any()
    expected = data['annotations'][0]['keypoint'].copy()
    expected[0, 2, 4] = 0
    assert (clip == expected).all() and clip.dtype == expected.dtype
    with pytest.raises(ValueError, match="'error' or 'missing'"):
        build(path, nonfinite='ignore')


def test_clips_are_prepared_once(ann_file, monkeypatch):
    calls = []
    transform = SkeletonPreNormalize.transform
    monkeypatch.setattr(
        SkeletonPreNormalize, 'transform', lambda self, results: calls.append(
            results['frame_dir']) or transform(self, results))
    dataset = build(ann_file, prepare=[dict(type='SkeletonPreNormalize')])
    raw = build(ann_file)
    for _ in range(2):
        for prepared, clip in zip(dataset, raw):
            expected = transform(SkeletonPreNormalize(), dict(clip))
            np.testing.assert_array_equal(prepared['keypoint'],
                                          expected['keypoint'])
    assert calls == [clip['frame_dir'] for clip in raw]


def test_a_pipeline_cannot_change_the_data(ann_file):
    dataset = build(ann_file)
    expected = dataset[3]['keypoint'].copy()
    dataset[3]['keypoint'][:] = 7
    np.testing.assert_array_equal(dataset[3]['keypoint'], expected)


def test_half_precision_stays_half(tmp_path):
    data = make_annotations()
    for clip in data['annotations']:
        clip['keypoint'] = clip['keypoint'].astype(np.float16)
    path = str(tmp_path / 'half.pkl')
    mmengine.dump(data, path)
    dataset = build(path, prepare=[dict(type='SkeletonPreNormalize')])
    got = dataset[0]['keypoint']
    assert got.dtype == np.float16
    expected = SkeletonPreNormalize()(dict(
        keypoint=data['annotations'][0]['keypoint'].astype(np.float32)))
    np.testing.assert_allclose(got, expected['keypoint'], atol=2e-3)


def test_clips_may_share_an_array(tmp_path):
    data = make_annotations()
    first, second = data['annotations'][:2]
    second.update(
        keypoint=first['keypoint'], total_frames=first['total_frames'])
    path = str(tmp_path / 'shared.pkl')
    mmengine.dump(data, path)
    shift = [dict(type='SkeletonPreNormalize')]
    once, raw = build(path, prepare=shift), build(path)
    expected = SkeletonPreNormalize()(dict(raw[0]))['keypoint']
    for clip in (once[0], once[1]):
        np.testing.assert_array_equal(clip['keypoint'], expected)


def test_part_of_a_prepared_set(ann_file):
    whole = build(ann_file)
    part = build(ann_file, indices=[5, 2])
    for clip, index in zip(part, (5, 2)):
        np.testing.assert_array_equal(clip['keypoint'],
                                      whole[index]['keypoint'])


MEMORY = '''
import sys, numpy as np, torch
import umurl_mmaction
from mmaction.registry import DATASETS
from mmengine.registry import init_default_scope
from torch.utils.data import DataLoader
init_default_scope('mmaction')

def held(pid):
    """MiB of a process, what it shares counted in part."""
    lines = open(f'/proc/{pid}/smaps_rollup').read().splitlines()
    return sum(int(x.split()[1]) for x in lines if x.startswith('Pss:')) / 1024

before = held('self')
dataset = DATASETS.build(dict(
    type='SkeletonDataset', ann_file=sys.argv[1], split='train',
    prepare=[dict(type='SkeletonPreNormalize')],
    pipeline=[dict(type='PackSkeletonInputs', ragged=True)]))
loader = DataLoader(dataset, batch_size=16, num_workers=2, shuffle=True,
                    persistent_workers=True,
                    collate_fn=umurl_mmaction.datasets.pack_collate)
for epoch in range(2):
    for batch in loader:
        pass
workers = [held(w.pid) for w in loader._iterator._workers]
empty = torch.utils.data.DataLoader(range(8), num_workers=2)
iterator = iter(empty)
idle = [held(w.pid) for w in iterator._workers]
print(held('self') - before + sum(workers) - sum(idle))
'''


@pytest.mark.skipif(
    not Path('/proc/self/smaps_rollup').exists(),
    reason='the memory of processes is read from Linux /proc')
def test_workers_share_the_arrays(tmp_path):
    rng = np.random.default_rng(0)
    shape = (2, 300, 25, 3)
    clips = [
        dict(
            frame_dir=f'{i}',
            total_frames=300,
            label=0,
            keypoint=rng.normal(size=shape).astype(np.float32))
        for i in range(1200)
    ]
    size = sum(clip['keypoint'].nbytes for clip in clips) / 2**20
    path = str(tmp_path / 'large.pkl')
    mmengine.dump(
        dict(
            split=dict(train=[x['frame_dir'] for x in clips]),
            annotations=clips), path)
    result = subprocess.run([sys.executable, '-c', MEMORY, path],
                            capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stderr
    used = float(result.stdout.split()[-1])
    # The rest is batches on their way; a copy per worker would add 400 MiB.
    assert size > 200 and used < 1.5 * size, (used, size)
