import pickle
import subprocess
import sys
from pathlib import Path

import mmengine
import numpy as np
import pytest
from conftest import make_annotations
from mmaction.registry import DATASETS

from umurl_mmaction.datasets.subset import draw_per_class
from umurl_mmaction.datasets.transforms import SkeletonPreNormalize
from umurl_mmaction.fileio.annotations import (
    MissingSplitError,
    save_annotations,
)
from umurl_mmaction.skeleton import build_layout


def build(ann_file, split='train', **kwargs):
    return DATASETS.build(
        dict(
            type='SkeletonDataset',
            ann_file=ann_file,
            split=split,
            **dict(dict(pipeline=[]), **kwargs)))


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


SKELETON = dict(
    name='mine',
    joints=list('abcde'),
    parents=[-1, 0, 1, 1, 1],
    center=2,
    shoulders=[3, 4])


def write(path, **kwargs):
    """Write a set of five joints that says so."""
    data = dict(make_annotations(num_joints=5), skeleton=SKELETON)
    save_annotations(dict(data, **kwargs), path)
    return str(path)


@pytest.mark.parametrize('suffix', ['.pkl', '.npz'])
def test_the_skeleton_goes_where_it_is_needed(tmp_path, suffix):
    path = write(tmp_path / f'a{suffix}')
    prepared = build(path, prepare=[dict(type='SkeletonPreNormalize')])
    told = build(path, prepare=[
        dict(type='SkeletonPreNormalize', layout=SKELETON)])
    assert prepared.layout == build_layout(SKELETON)
    assert prepared.metainfo['skeleton'] == SKELETON
    assert [x['layout'] for x in prepared] == 12 * [prepared.layout]
    for a, b in zip(prepared, told):
        np.testing.assert_array_equal(a['keypoint'], b['keypoint'])
        assert not a['keypoint'][0, :, 2].any()  # the centre
    # It is not stored with each clip.
    assert 'layout' not in pickle.loads(prepared.data_bytes[:int(
        prepared.data_address[0])])


def test_a_transform_s_own_layout_counts_more(tmp_path):
    path = write(tmp_path / 'a.pkl')
    own = dict(SKELETON, center=0, shoulders=None)
    clip = build(path, prepare=[
        dict(type='SkeletonPreNormalize', layout=own)])[0]['keypoint']
    assert not clip[0, :, 0].any() and clip[0, :, 2].any()


def test_a_file_without_a_skeleton_has_no_layout(ann_file):
    dataset = build(ann_file)
    assert dataset.layout is None and 'layout' not in dataset[0]
    assert 'skeleton' not in dataset.metainfo


def test_clips_that_are_not_of_the_skeleton_are_named(tmp_path):
    path = write(tmp_path / 'a.pkl', skeleton='coco')
    with pytest.raises(ValueError) as info:
        build(path)
    assert str(info.value) == (
        f"clip 'clip000' of {path!r} has shape (1, 42, 5, 3), but layout "
        "'coco' wants 17 joints: (..., 17, C)")


def test_a_split_of_an_npz_does_not_keep_the_others(tmp_path):
    path = write(tmp_path / 'a.npz')
    for split, number in (('train', 12), ('val', 6), (None, 18)):
        dataset = build(path, split)
        bases = {id(x.base): x.base for x in dataset._keypoints
                 if x.base is not None}
        held = sum(base.size for base in bases.values()) or sum(
            x.size for x in dataset._keypoints)
        assert held == sum(x.size for x in dataset._keypoints)
        assert len(dataset) == number


def test_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=(
            "'nowhere.pkl' is not there; `mim run umurl_mmaction "
            'make_synthetic data/synthetic.pkl` makes')) as error:
        build('nowhere.pkl')
    assert '\n' not in str(error.value)


def test_empty_split_is_named(tmp_path):
    data = make_annotations()
    data['split']['train'] = []
    path = str(tmp_path / 'empty.pkl')
    mmengine.dump(data, path)
    with pytest.raises(ValueError, match="split 'train' of .* has no clip"):
        build(path)


def test_missing_split_lists_those_there(ann_file):
    with pytest.raises(
            MissingSplitError,
            match=r"no split 'xsub', only \['train', 'val'\]"):
        build(ann_file, 'xsub')
    assert issubclass(MissingSplitError, ValueError)


def test_label_fraction_of_a_dataset_is_logged(ann_file, monkeypatch):
    lines = []
    monkeypatch.setattr(
        'umurl_mmaction.datasets.skeleton_dataset.print_log',
        lambda message, logger: lines.append(message))
    names = [x['frame_dir'] for x in build(ann_file, label_fraction=0.5)]
    assert len(names) == 6
    assert lines[0].startswith('6 of 12 labelled clips are kept')
    assert lines[0].endswith(' '.join(names))


def test_a_number_of_clips_of_each_class(ann_file):
    data = build(ann_file, clips_per_class=2)
    assert sorted(label for _, label in data.labels) == [0, 0, 1, 1, 2, 2]
    kept = draw_per_class([x % 3 for x in range(12)], 2)
    everything = build(ann_file).labels
    assert data.labels == [everything[i] for i in kept]
    other = build(ann_file, clips_per_class=2, subset_seed=1)
    assert other.labels != data.labels
    assert len(build(ann_file, clips_per_class=99)) == 12


def test_a_test_set_too_can_be_a_few_clips(ann_file):
    few = dict(split='val', label_fraction=0.5)
    kept = build(ann_file, test_mode=True, **few).labels
    assert kept == build(ann_file, **few).labels
    assert len(kept) == 3


def test_numbers_that_choose_no_clips_are_refused(ann_file):
    with pytest.raises(ValueError, match='clips_per_class=0 must be at'):
        build(ann_file, clips_per_class=0)
    for fraction in (0, -1, 10):
        with pytest.raises(ValueError, match='must be above 0 and at most 1'):
            build(ann_file, label_fraction=fraction)
    with pytest.raises(ValueError, match='set one of them'):
        build(ann_file, clips_per_class=1, label_fraction=0.5)


@pytest.mark.parametrize('change', [
    lambda clip: clip.pop('label'), lambda clip: clip.update(label=None)
], ids=['absent', 'none'])
def test_clips_without_a_label(tmp_path, change):
    data = make_annotations()
    change(data['annotations'][3])
    path = str(tmp_path / 'unlabelled.pkl')
    mmengine.dump(data, path)
    dataset = build(path, pipeline=[dict(type='PackSkeletonInputs')])
    assert dataset.labels[3] == ('clip003', None)
    assert [i for i, sample in enumerate(dataset)
            if 'gt_label' not in sample['data_samples']] == [3]
    for few in (dict(label_fraction=0.5), dict(clips_per_class=1)):
        with pytest.raises(ValueError, match="'clip003' of .* has none"):
            build(path, **few)


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


@pytest.mark.parametrize('value', [-1e30, 1e30])
def test_a_coordinate_beyond_any_unit_is_named(tmp_path, value):
    data = make_annotations()
    data['annotations'][0]['keypoint'][0, 2, 4, 1] = value
    path = str(tmp_path / 'far.pkl')
    mmengine.dump(data, path)
    with pytest.raises(ValueError, match='has the coordinate -?1e.30 at body '
                       '0, frame 2, joint 4'):
        build(path, test_mode=True)


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
    # What is prepared twice differs.
    halve = [dict(type='SkeletonPreNormalize', scale=2)]
    once, raw = build(path, prepare=halve), build(path)
    expected = SkeletonPreNormalize(scale=2)(dict(raw[0]))['keypoint']
    for clip in (once[0], once[1]):
        np.testing.assert_array_equal(clip['keypoint'], expected)


def test_part_of_a_prepared_set(ann_file):
    whole = build(ann_file)
    part = build(ann_file, indices=[5, 2])
    for clip, index in zip(part, (5, 2)):
        np.testing.assert_array_equal(clip['keypoint'],
                                      whole[index]['keypoint'])
    # What the checks and the scores read follows.
    assert part.labels == [whole.labels[i] for i in (5, 2)]
    assert part.shapes == [whole.shapes[i] for i in (5, 2)]
    assert [x.tobytes() for x in part.keypoints] == [
        whole.keypoints[i].tobytes() for i in (5, 2)
    ]


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


def test_what_a_split_lacks_or_shares_is_said_with_counts(
        tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr('umurl_mmaction.datasets.skeleton_dataset.print_log',
                        lambda text, *args, **kwargs: said.append(text))
    path = str(tmp_path / 'set.pkl')
    data = make_annotations()
    data['split']['val'] += ['lost1', 'lost2', 'clip000', 'clip001', 'clip002']
    mmengine.dump(data, path)
    assert len(build(path, 'val')) == 9 and len(build(path, 'train')) == 12
    lines = [x for x in said if x.startswith('Split ')]
    assert [x.partition(f'{path!r}: ')[2] for x in lines] == [
        "2 of 11 names have no clip, such as 'lost1'",
        "3 of 11 clips are also in 'train', and no test of what was learned "
        "there, such as 'clip000'"]
    data['split']['train'] = ['lost1']
    mmengine.dump(data, path)
    with pytest.raises(ValueError, match="split 'train' of .* has no clip"):
        build(path)


def test_files_besides_the_annotations_are_refused(ann_file):
    with pytest.raises(ValueError, match="'clips'} must be empty: all of a"):
        build(ann_file, data_prefix=dict(skeleton='clips'))
    assert len(build(ann_file, data_prefix=dict(skeleton='')).labels) > 0
