"""Annotation files: what is written comes back, what would run does not."""
import datetime
import functools
import json
import os
import pickle
import subprocess
import sys
import time
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from conftest import REPO, make_annotations
from mmaction.registry import DATASETS
from payloads import Call, altered, array, run
from tools_loading import load_script, refusal

from umurl_mmaction.fileio import annotations as annotations_module
from umurl_mmaction.fileio.advice import may_be_data
from umurl_mmaction.fileio.annotations import (
    load_annotations,
    save_annotations,
)
from umurl_mmaction.fileio.plain import load_plain

TOOLS = REPO / 'tools' / 'data'
SUFFIXES = ['.pkl', '.npz']
SKELETON = dict(
    joints=[f'joint{v}' for v in range(17)],
    parents=[-1, *range(16)],
    center=3,
    shoulders=None,
    name='größe')


def assert_same(a, b):
    """Equal to the last type, dtype and bit."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            assert_same(x, y)
    elif isinstance(a, (np.ndarray, np.generic)):
        assert a.dtype == b.dtype and a.shape == b.shape
        assert a.tobytes() == b.tobytes()
    else:
        assert a == b


def build(path, split='train', **kwargs):
    return DATASETS.build(
        dict(
            type='SkeletonDataset',
            ann_file=str(path),
            split=split,
            pipeline=[],
            **kwargs))


@pytest.fixture
def rich():
    """All that the published files have, and more."""
    rng = np.random.default_rng(0)
    clips = []
    for i in range(7):
        shape = (i % 3 + 1, 5 + i, 17)
        clips.append(
            dict(
                frame_dir=f'clip{i}' + 'é' * i,
                label=i % 2,
                total_frames=5 + i,
                keypoint=rng.random((*shape, 2)).astype(np.float16),
                keypoint_score=rng.random(shape).astype(np.float16),
                img_shape=(1080, 1920),
                original_shape=[1080, 1920],
                box=rng.random((5 + i, 4)),
                valid=np.arange(i),
                ratio=i / 7,
                flipped=i > 3,
                source='' if i else 'camera',
                subject=np.int16(i),
                city=np.str_('x' * i),
                nothing=()))
    # Bodies that never are there, and keys that not all have.
    clips[2]['keypoint'] = np.zeros((0, 7, 17, 2), np.float16)
    clips[1]['keypoint'] = np.asfortranarray(clips[1]['keypoint'])
    for key in ('label', 'ratio', 'box', 'subject'):
        del clips[4][key]
    names = [clip['frame_dir'] for clip in clips]
    return dict(
        split=dict(train=names[:4], val=names[4:] + ['elsewhere'], test=[]),
        annotations=clips,
        classes=['a', 'b'],
        skeleton=SKELETON,
        version=2,
        rate=29.97,
        origin='here',
        mean=rng.random((17, 2)),
        flags=(True, False))


# What is written


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_round_trip(tmp_path, rich, suffix):
    path = tmp_path / 'new' / f'a{suffix}'
    save_annotations(rich, path)
    loaded = load_annotations(path)
    assert_same({**loaded, 'annotations': 0}, {**rich, 'annotations': 0})
    for old, new in zip(rich['annotations'], loaded['annotations']):
        assert_same(dict(sorted(old.items())), dict(sorted(new.items())))
    assert [x.name for x in path.parent.iterdir()] == [path.name]
    # Same data, same bytes.
    again = tmp_path / f'b{suffix}'
    save_annotations(load_annotations(path), again)
    save_annotations(rich, path)
    if suffix == '.npz':
        assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize('dtype', ['<f2', '>f4', 'f8', 'i2'])
def test_dtype_of_coordinates_is_kept(tmp_path, dtype):
    data = make_annotations()
    for clip in data['annotations']:
        clip['keypoint'] = clip['keypoint'].astype(dtype)
    for suffix in SUFFIXES:
        path = tmp_path / f'a{suffix}'
        save_annotations(data, path)
        assert_same(load_annotations(path), data)


def test_an_npz_is_arrays(tmp_path, rich):
    """As the description in `annotations_npz.py` says, for any reader."""
    path = tmp_path / 'a.npz'
    save_annotations(rich, path)
    clips = rich['annotations']
    with np.load(path, allow_pickle=False) as file:
        keypoint = file['annotations/keypoint']
        rows = [x['keypoint'].shape[0] * x['keypoint'].shape[1] for x in clips]
        assert keypoint.shape == (sum(rows), 17, 2)
        assert keypoint.dtype == np.float16
        assert file['annotations/keypoint.shape'].tolist() == [
            list(x['keypoint'].shape) for x in clips
        ]
        first = file['annotations/keypoint.offset'].tolist()
        assert first == [sum(rows[:i]) for i in range(7)]
        np.testing.assert_array_equal(
            keypoint[first[5]:first[6]].reshape(clips[5]['keypoint'].shape),
            clips[5]['keypoint'])
        assert file['annotations/frame_dir'].tolist() == [
            x['frame_dir'] for x in clips
        ]
        assert file['annotations/label'].tolist() == [0, 1, 0, 1, 1, 0]
        assert file['annotations/label.clips'].tolist() == [0, 1, 2, 3, 5, 6]
        assert 'annotations/keypoint.clips' not in file
        assert file['split/train'].tolist() == rich['split']['train']
        assert file['classes'].tolist() == ['a', 'b']
        assert {file[name].dtype.hasobject for name in file} == {False}


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_no_clips(tmp_path, suffix):
    data = dict(split=dict(train=[]), annotations=[])
    save_annotations(data, tmp_path / f'a{suffix}')
    assert_same(load_annotations(tmp_path / f'a{suffix}'), data)


def test_a_bare_list_has_no_split(tmp_path):
    path = tmp_path / 'a.pkl'
    clips = make_annotations()['annotations']
    path.write_bytes(pickle.dumps(clips))
    assert_same(load_annotations(path), dict(annotations=clips, split={}))
    assert len(build(path, split=None)) == 18


def test_float_that_is_no_number_comes_back(tmp_path):
    data = make_annotations()
    for clip in data['annotations']:
        clip['score'] = float('nan')
    save_annotations(data, tmp_path / 'a.npz')
    clip = load_annotations(tmp_path / 'a.npz')['annotations'][0]
    assert np.isnan(clip['score']) and type(clip['score']) is float


UNFIT = {
    'a set': (lambda clips: clips[1].update(extra={1}),
              'extra of the clips: set does not go into an .npz'),
    'nothing': (lambda clips: clips[0].update(extra=None), 'NoneType does'),
    'a list of two kinds': (lambda clips: clips[0].update(extra=[1, 'a']),
                            'list does not go into an .npz'),
    'two kinds': (lambda clips: clips[1].update(label=1.5),
                  'label of the clips: clip001 has float, those before int'),
    'lists of two lengths': (lambda clips: [
        clips[i].update(extra=[0] * i) for i in range(3)], 'extra of the cl'),
    'objects': (lambda clips: clips[0].update(extra=np.array([None])),
                'ndarray does not go into an .npz'),
    'two dtypes': (lambda clips: clips[1].update(
        keypoint=clips[1]['keypoint'].astype(np.float64)),
        'keypoint of the clips: its arrays are not of one dtype'),
    'two scalars': (lambda clips: [
        clips[i].update(extra=(np.int8, np.int64)[i](3)) for i in range(2)],
        'extra of the clips: its NumPy scalars are not of one dtype'),
    'two numbers of axes': (lambda clips: clips[1].update(
        keypoint=clips[1]['keypoint'][0]), 'the same number of axes'),
    'a large number': (lambda clips: clips[0].update(extra=1 << 70), 'extra'),
    'zeros': (lambda clips: clips[0].update(extra='a\0'), 'end with zeros'),
    'a key that is no string': (lambda clips: clips[0].update({3: 4}),
                                'the key 3 is no string'),
    'a dict of arrays': (lambda clips: clips[0].update(
        extra=dict(a=np.zeros(2))), 'dict does not go into an .npz'),
    'a name twice': (lambda clips: clips[0].update(
        {'label.clips': 3, 'keypoint.shape': 3}), 'two things'),
}


@pytest.mark.parametrize('change, message', UNFIT.values(), ids=UNFIT)
def test_what_does_not_go_into_an_npz(tmp_path, change, message):
    data = make_annotations()
    change(data['annotations'])
    path = tmp_path / 'a.npz'
    path.write_bytes(b'old')
    with pytest.raises(ValueError, match=message) as info:
        save_annotations(data, path)
    assert '\n' not in str(info.value)
    assert path.read_bytes() == b'old' and list(tmp_path.iterdir()) == [path]
    # A pickle takes it.
    save_annotations(data, tmp_path / 'a.pkl')


@pytest.mark.parametrize('suffix', SUFFIXES)
@pytest.mark.parametrize('error', [OSError(28, 'disk full'),
                                   KeyboardInterrupt()])
def test_failed_write_leaves_the_old_file(monkeypatch, tmp_path, error,
                                          suffix):

    def half(data, f, **kwargs):
        f.write(b'half')
        raise error

    path = tmp_path / f'a{suffix}'
    path.write_bytes(b'old')
    monkeypatch.setattr(annotations_module.pickle, 'dump', half)
    monkeypatch.setattr(annotations_module, 'write_npz', half)
    with pytest.raises(type(error)):
        save_annotations({}, path)
    assert path.read_bytes() == b'old' and list(tmp_path.iterdir()) == [path]


# Who reads and writes both


def test_dataset_reads_both(tmp_path):
    data = make_annotations()
    items = []
    for suffix in SUFFIXES:
        path = tmp_path / f'a{suffix}'
        save_annotations(data, path)
        items.append(list(build(path, 'val')))
    assert len(items[0]) == 6
    assert_same(*items)


def both(tool, tmp_path, *argv):
    """What a converter writes, as a pickle and as an .npz."""
    loaded = []
    for suffix in SUFFIXES:
        path = tmp_path / f'out{suffix}'
        tool.main([x.format(path) for x in map(str, argv)])
        loaded.append(load_annotations(path))
    assert zipfile.is_zipfile(path)
    assert_same(*loaded)
    return path


def test_custom_clips_writes_both(tmp_path):
    for name in ('a', 'b'):
        np.save(tmp_path / f'{name}.npy', np.random.rand(9, 5, 3))
    (tmp_path / 'labels.csv').write_text(
        'name,label,split\na,wave,train\nb,,val\n')
    both(load_script(TOOLS / 'custom_clips.py'), tmp_path, tmp_path, '--out',
         '{}', '--workers', 1)


def test_make_synthetic_writes_both(tmp_path):
    both(load_script(TOOLS / 'make_synthetic.py'), tmp_path, '{}',
         '--subjects', 2, '--repeats', 1)


@pytest.mark.parametrize('source', ['ntu_rgbd', 'pkummd'])
def test_raw_files_become_both(tmp_path, shared, source):
    folder, more = dict(
        ntu_rgbd=('ntu_raw', ['--dataset', 120]),
        pkummd=('pkummd_v2_raw', []))[source]
    both(load_script(TOOLS / f'{source}.py'), tmp_path,
         shared(f'fixtures/{folder}'), '--out', '{}', '--workers', 1, *more)


def test_agcn_arrays_read_and_write_both(tmp_path):
    tool = load_script(TOOLS / 'agcn_arrays.py')
    save_annotations(make_annotations(), tmp_path / 'a.npz')
    tool.main(['from-pickle', str(tmp_path / 'a.npz'), '--split', 'train',
               '--out-prefix', str(tmp_path / 'x')])
    both(tool, tmp_path, 'to-pickle', '--train', tmp_path / 'x', '--out',
         '{}', '--workers', 1)


@pytest.fixture(scope='module')
def tool():
    return load_script(TOOLS / 'convert_annotations.py')


def test_convert_there_and_back(tmp_path, capsys, tool, rich):
    # That of the other tools counts frames.
    rich['annotations'] = rich['annotations'][:2]
    first, middle, last = (tmp_path / x for x in ('a.pkl', 'b.npz', 'c.pkl'))
    first.write_bytes(pickle.dumps(rich, 2))
    for source, target in ((first, middle), (middle, last)):
        tool.main([str(source), str(target)])
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == '2 clips, 2 classes, 11 frames, 3 bodies'
        assert lines[-1] == f'written to {target}'
    assert_same(pickle.loads(last.read_bytes()), rich)


def test_convert_keeps_x_and_y(tmp_path, capsys, tool):
    data = make_annotations()
    deep, flat = (tmp_path / f'{name}.pkl' for name in ('deep', 'flat'))
    save_annotations(data, deep)
    tool.main([str(deep), str(flat), '--xy'])
    made = load_annotations(flat)
    for clip, other in zip(made['annotations'], data['annotations']):
        np.testing.assert_array_equal(clip['keypoint'],
                                      other['keypoint'][..., :2])
        assert clip['keypoint'].shape[-1] == 2
    assert made['split'] == data['split']
    line = refusal(tool, capsys, flat, tmp_path / 'flatter.pkl', '--xy')
    assert "clip 'clip000' has 2 coordinates; --xy wants x, y and z" in line
    assert not (tmp_path / 'flatter.pkl').exists()


def test_convert_refuses(tmp_path, capsys, tool):
    save_annotations(make_annotations(), tmp_path / 'a.pkl')
    (tmp_path / 'evil.pkl').write_bytes(pickle.dumps(datetime.date.min))
    (tmp_path / 'b.npz').write_bytes(b'old')
    for source, target, message in (
            ('a.pkl', 'b.txt', 'DST must be a .pkl or .npz file'),
            ('no.pkl', 'b.npz', 'no.pkl: No such file or directory'),
            ('b.npz', 'b.npz', 'b.npz: no .npz of annotations'),
            ('evil.pkl', 'b.npz', 'it asks for datetime.date')):
        line = refusal(tool, capsys, tmp_path / source, tmp_path / target)
        assert message in line
    assert (tmp_path / 'b.npz').read_bytes() == b'old'


def test_convert_adds_a_skeleton(tmp_path, capsys, tool):
    path = tmp_path / 'a.npz'
    save_annotations(make_annotations(num_joints=17), path)
    (tmp_path / 'mine.json').write_text(json.dumps(SKELETON))
    for skeleton, wanted in ((tmp_path / 'mine.json', SKELETON),
                             ('coco', 'coco')):
        tool.main(
            [str(path), str(path), '--skeleton', str(skeleton)])
        assert load_annotations(path)['skeleton'] == wanted
    line = refusal(tool, capsys, path, path, '--skeleton', 'openpose')
    assert line.endswith("but layout 'openpose' wants 18 joints: "
                         '(..., 18, C)') and "clip 'clip000'" in line
    assert load_annotations(path)['skeleton'] == 'coco'


def test_convert_shows_an_example():
    done = subprocess.run(
        [sys.executable, TOOLS / 'convert_annotations.py', '--help'],
        capture_output=True, text=True)
    assert done.returncode == 0
    assert 'convert_annotations.py ntu60_3d.pkl ntu60_3d.npz' in done.stdout


# Pickles of other versions


@pytest.mark.parametrize('protocol', range(6))
def test_plain_data_of_any_protocol(tmp_path, protocol):
    data = [
        1, 1 << 80, -2.5, 3j, True, None, 'é', b'', b'\xff', bytearray(b'a'),
        (), {1, 'a'}, frozenset([2]), {}, OrderedDict(a=[1]),
        np.arange(6, dtype=np.float16).reshape(2, 3), np.ones((2, 0, 3)),
        np.asfortranarray(np.eye(3)[:2]), np.array(7), np.array(['ab', 'c']),
        np.array([b'ab']), np.arange(3, dtype='>i4'), np.float32(.5),
        np.int64(3), np.bool_(True), np.str_('ab'), np.complex64(1j)
    ]
    path = tmp_path / 'a.pkl'
    content = pickle.dumps(data, protocol)
    path.write_bytes(content)
    # Of another byte order it makes its own, which is as well.
    assert_same(load_plain(path), pickle.loads(content))
    mixed = np.array(['a', 1, None], object)
    path.write_bytes(pickle.dumps([mixed, mixed], protocol))
    first, second = load_plain(path)
    assert first is second and first.tolist() == ['a', 1, None]


@pytest.mark.parametrize('package', [b'numpy.core', b'numpy._core'])
def test_either_numpy(tmp_path, package):
    expected = [np.arange(3.), np.float32(2), np.arange(2, dtype='i2')]
    buffer = expected[2].__reduce_ex__(5)
    content = pickle.dumps(
        [*expected[:2], Call(buffer[0], b'\0\0\1\0', *buffer[1][1:])], 2)
    for name in (b'numpy.core', b'numpy._core'):
        for module in (b'multiarray', b'numeric'):
            content = content.replace(b'c%s.%s\n' % (name, module),
                                      b'c%s.%s\n' % (package, module))
    assert content.count(b'c' + package) == 3
    path = tmp_path / 'a.pkl'
    path.write_bytes(content)
    assert_same(load_plain(path), expected)


def test_strings_of_python_2(tmp_path):
    path = tmp_path / 'a.pkl'
    path.write_bytes(b"((lp0\nS'S001'\np1\na(lp2\nI7\natp3\n.")
    assert load_plain(path) == (['S001'], [7])
    path.write_bytes(b'c_codecs\nencode\n(Vabc\nVlatin1\ntR.')
    assert load_plain(path) == b'abc'
    path.write_bytes(b'c_codecs\nencode\n(Vabc\nVrot13\ntR.')
    with pytest.raises(ValueError, match='makes bytes of a str'):
        load_plain(path)


# Those that would run code


# What they ask for first, and how.
PAYLOADS = dict(
    system=('posix.system', run),
    popen=('subprocess.Popen', lambda c: Call(subprocess.Popen, c.split())),
    eval=('builtins.eval', lambda c: Call(
        eval, f'__import__("os").system("{c}")')),
    exec=('builtins.exec', lambda c: Call(
        exec, f'import os; os.system("{c}")')),
    getattr_chain=('builtins.getattr', lambda c: Call(
        Call(getattr, Call(__import__, 'os'), 'system'), c)),
    partial=('functools.partial', lambda c: Call(
        functools.partial(os.system, c))),
    in_set=('posix.system', lambda c: Call(set, [run(c)])),
    in_array=('posix.system', lambda c: np.array([run(c), None], object)),
    as_dtype=('posix.system', lambda c: array(run(c))),
    as_state=('posix.system', lambda c: Call(
        np.empty(0).__reduce__()[0], np.ndarray, (0, ), b'b', state=run(c))),
    loads=('_pickle.loads', lambda c: Call(
        pickle.loads, pickle.dumps(run(c)))),
    numpy_load=('numpy.load', lambda c: Call(np.load, c)),
    memmap=('numpy.memmap', lambda c: Call(np.memmap, c)),
    subtype=('numpy.matrix', lambda c: Call(
        np.empty(0).__reduce__()[0], np.matrix, (0, ), b'b')),
    our_own=('umurl_mmaction.fileio.plain.load_plain',
             lambda c: Call(load_plain, c, True)))
HARMLESS = ('numpy_load', 'memmap', 'subtype', 'our_own')


def scalar(*args):
    return Call(np.float64(0).__reduce__()[0], *args)


@pytest.fixture
def craft(tmp_path):
    """Write annotations with something else in them; a pickle's path."""

    def write(content, place='keypoint', protocol=4):
        data = make_annotations()
        if place == 'top':
            data['more'] = content
        elif place == 'split':
            data['split']['train'] = content
        else:
            data['annotations'][3][place] = content
        path = tmp_path / 'crafted.pkl'
        path.write_bytes(pickle.dumps(data, protocol))
        return path

    return write


@pytest.mark.parametrize('protocol', [0, 2, 5])
@pytest.mark.parametrize('name', PAYLOADS)
def test_crafted_pickle_is_refused(tmp_path, craft, name, protocol):
    marker = tmp_path / 'marker'
    asks_for, payload = PAYLOADS[name]
    for place in ('top', 'split', 'keypoint', 'label'):
        path = craft(payload(f'touch {marker}'), place, protocol)
        with pytest.raises(ValueError) as info:
            load_annotations(path)
        message = str(info.value)
        # Up to protocol 2 some modules have their names of Python 2.
        wanted = asks_for.rpartition('.')[2] if protocol < 3 else asks_for
        assert message.startswith(f'{path}: no pickle of plain data: it asks '
                                  'for ')
        assert message.endswith(
            f'{wanted}, which no data need and which can run anything; do not '
            'use the file')
        assert not marker.exists()
    if name not in HARMLESS:
        try:
            pickle.loads(path.read_bytes())
        except Exception:  # noqa: S110  Some fail once their call is done.
            pass
        for _ in range(100):  # One does not wait for its process.
            if marker.exists():
                break
            time.sleep(.05)
        assert marker.exists()


@pytest.mark.parametrize('protocol', [2, 5])
@pytest.mark.parametrize('content', [
    # Bytes of the file as pointers.
    array(altered('O8', byteorder='|'), b'A' * 8),
    scalar(altered('O8'), b'A' * 8),
    # Items that reach beyond the array.
    array(altered('f8', subarray=(np.dtype('f8'), (1000, )))),
    array(altered('f8', names=('a', ), fields=dict(
        a=(np.dtype('f8'), 4096)))),
    array(np.dtype([('a', 'f8')])),
    array(altered('U2', size=-8), shape=(0, ), data=b''),
    array(altered('S8', size=0), shape=(1 << 40, ), data=b''),
    scalar(altered('S8', size=-8), b''),
    scalar(altered('U2', size=4), b'\0' * 4),
    scalar('f8', b'\0' * 8),
    scalar(np.dtype('f8'), b''),
    array(np.dtype('f8'), shape=(2, )),
    array(np.dtype('f8'), shape=(1 << 62, 1 << 62)),
    array(np.dtype('f8'), shape=(-1, )),
    array(np.dtype('M8[s]')),
    array(7),
    Call(np.dtype, dict(names=['a'], formats=['O'], offsets=[0])),
    Call(np.dtype, 'f8,O'),
    Call(np.ndarray, (1 << 20, ), np.dtype('f8'))], ids=str)
def test_abused_arrays_are_refused(craft, content, protocol):
    path = craft(content, protocol=protocol)
    with pytest.raises(ValueError) as info:
        load_annotations(path)
    message = str(info.value)
    assert message.startswith(f'{path}: ') and '\n' not in message


def test_plain_pickle_believes_in_pointers(craft):
    """What is guarded against is real: it ends the process."""
    path = craft(array(altered('O8', byteorder='|'), b'A' * 8))
    code = ('import pickle, sys; data = pickle.load(open(sys.argv[1], "rb"));'
            ' print(data["annotations"][3]["keypoint"][0])')
    done = subprocess.run([sys.executable, '-c', code, path],
                          capture_output=True)
    assert done.returncode < 0


def test_functions_that_are_called_stay_as_they_are(craft):
    """A pickle can set attributes of what it names."""
    frombuffer = np.empty(0).__reduce_ex__(5)[0]
    before = dict(vars(frombuffer)), frombuffer.__defaults__

    content = (b'cnumpy.core.numeric\n_frombuffer\n(N}V__defaults__\n(I1\ntstb'
               b'.')
    path = craft(0)
    path.write_bytes(content)
    pickle.loads(content.replace(b'numpy.core.', b'numpy._core.') if hasattr(
        np, '_core') else content)
    changed = frombuffer.__defaults__
    frombuffer.__defaults__ = before[1]
    assert changed == (1, )
    with pytest.raises(ValueError, match='no pickle of plain data'):
        load_plain(path)
    assert (dict(vars(frombuffer)), frombuffer.__defaults__) == before


def test_dataset_and_tools_refuse(tmp_path, craft, capsys, tool):
    marker = tmp_path / 'marker'
    path = craft(run(f'touch {marker}'))
    with pytest.raises(ValueError, match='it asks for posix.system, which'):
        build(path)
    agcn = load_script(TOOLS / 'agcn_arrays.py')
    for line in (refusal(tool, capsys, path, tmp_path / 'b.pkl'),
                 refusal(agcn, capsys, 'from-pickle', path, '--split',
                         'train', '--out-prefix', tmp_path / 'x')):
        assert f'{path}: no pickle of plain data: it asks for ' in line
    assert not marker.exists() and list(tmp_path.iterdir()) == [path]


def test_trusted_files_are_loaded(tmp_path, craft, tool):
    path = craft(datetime.date(2020, 1, 2), 'day')
    with pytest.raises(ValueError, match='datetime.date, only containers'):
        build(path)
    assert build(path, trusted=True)[3]['day'] == datetime.date(2020, 1, 2)
    # And made plain, if it is.
    marker = tmp_path / 'marker'
    path = craft(run(f'touch {marker}'), 'label')
    tool.main([str(path), str(tmp_path / 'plain.pkl'), '--trusted'])
    assert marker.exists()
    assert build(tmp_path / 'plain.pkl')[3]['label'] == 0


@pytest.mark.parametrize('suffix', SUFFIXES)
@pytest.mark.parametrize('trusted', ['no', 'True', 1, None])
def test_trusted_is_true_or_false(tmp_path, trusted, suffix):
    path = tmp_path / f'a{suffix}'
    save_annotations(make_annotations(), path)
    for load in (load_annotations, build):
        with pytest.raises(ValueError, match='must be True or False'):
            load(path, trusted=trusted)


@pytest.mark.parametrize('module, name, may_be', [
    ('datetime', 'date', True), ('numpy', 'matrix', False),
    ('sklearn.utils', 'Bunch', True), ('mine', 'Pose', True),
    ('mine', 'rebuild', False), ('mine', 'Pose.load', False),
    ('os', 'system', False), ('posix', 'system', False),
    ('subprocess', 'Popen', False), ('commands', 'Popen', False),
    ('', 'eval', False), ('builtins', 'exec', False),
    ('__builtin__', 'getattr', False), ('torch.storage', '_load', False),
    ('importlib', 'import_module', False), ('_ctypes', 'CDLL', False)])
def test_who_asks_for_a_function_is_not_to_be_trusted(module, name, may_be):
    assert may_be_data(module, name) == may_be


# What is broken


def broken(path, load=load_annotations):
    with pytest.raises((OSError, ValueError)) as info:
        load(path)
    message = str(info.value)
    assert message.startswith(f'{path}: ') and '\n' not in message, message
    return message[len(f'{path}: '):]


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_missing_and_empty_files(tmp_path, suffix):
    path = tmp_path / f'a{suffix}'
    assert broken(path) == 'No such file or directory'
    path.touch()
    assert broken(path).endswith(': the file is empty')
    assert broken(path, build).endswith(': the file is empty')
    path.unlink()
    path.mkdir()
    assert broken(path) == 'Is a directory'


@pytest.mark.parametrize('suffix', SUFFIXES)
@pytest.mark.parametrize('content', [b'text\nof\nlines', b'\x93NUMPY', b'PK',
                                     b'\x80\x04', b'{"a": 1}'])
def test_files_of_another_kind(tmp_path, suffix, content):
    path = tmp_path / f'a{suffix}'
    path.write_bytes(content)
    what = dict(zip(SUFFIXES, ('pickle of plain data', '.npz of annotations')))
    assert broken(path).startswith(f'no {what[suffix]}: ')


def test_each_as_the_other(tmp_path):
    for suffix, other in (SUFFIXES, SUFFIXES[::-1]):
        save_annotations(make_annotations(), tmp_path / f'a{suffix}')
        os.replace(tmp_path / f'a{suffix}', tmp_path / f'b{other}')
        broken(tmp_path / f'b{other}')


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_cut_and_changed_files(tmp_path, suffix):
    """Whatever is wrong, the message is one line with the name."""
    whole = tmp_path / f'whole{suffix}'
    data = make_annotations(2, 1)
    save_annotations(data, whole)
    content, path = whole.read_bytes(), tmp_path / f'a{suffix}'
    for size in range(0, len(content) - 1, len(content) // 97):
        path.write_bytes(content[:size])
        broken(path)
    rng = np.random.default_rng(0)
    failed = 0
    # Not in the coordinates, which have no wrong values.
    low, high = (0, 400) if suffix == '.pkl' else (
        content.index(b'annotations/keypoint.shape'), len(content))
    for _ in range(300):
        changed = bytearray(content)
        for i in rng.integers(low, high, 3):
            changed[int(i)] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        try:
            load_annotations(path)
        except (OSError, ValueError) as error:
            assert str(error).startswith(f'{path}: ')
            assert '\n' not in str(error)
            failed += 1
    assert failed > 50


STRUCTURES = {
    'a tuple': (lambda data: (1, 2), 'expected MMAction2'),
    'no annotations': (lambda data: data.pop('annotations') and data,
                       "and annotations, got one with the keys 'split'"),
    'annotations no list': (lambda data: {**data, 'annotations': {}},
                            'got dict as annotations'),
    'split no dict': (lambda data: {**data, 'split': ['a']},
                      'got list as split'),
    'names no list': (lambda data: data['split'].update(a=7) or data,
                      "split 'a' is of type int, not a list of names"),
    'no dict': (lambda data: data['annotations'].insert(2, 7) or data,
                'annotation 2: expected a dict, got int'),
    **{f'no {key}': (
        lambda data, key=key: data['annotations'][4].pop(key) and data,
        f'annotation 4: no {key}')
       for key in ('frame_dir', 'total_frames')},
    'no keypoint': (lambda data: data['annotations'][4].popitem() and data,
                    'annotation 4: no keypoint'),
    'keypoint no array': (
        lambda data: data['annotations'][4].update(keypoint=[1]) or data,
        'annotation 4: keypoint is of type list'),
    'name no string': (
        lambda data: data['annotations'][4].update(frame_dir=1) or data,
        'annotation 4: frame_dir is of type int'),
    'classes no list': (lambda data: {**data, 'classes': 'ab'},
                        "classes must be a list of names, got 'ab'"),
    'classes no names': (lambda data: {**data, 'classes': ['a', 1]},
                         "classes must be a list of names, got ['a', 1]"),
    'skeleton no dict': (lambda data: {**data, 'skeleton': [1]},
                         'skeleton must be the name of a layout or a dict, '
                         'got list'),
    'skeleton without joints': (
        lambda data: {**data, 'skeleton': dict(parents=[-1])},
        'skeleton has no joints'),
    'skeleton with another key': (
        lambda data: {**data, 'skeleton': dict(SKELETON, root=0)},
        "skeleton has the unknown key 'root', known are joints, parents, "
        'center, shoulders, name'),
    **{f'{key} of the skeleton': (
        lambda data, key=key, value=value: {
            **data, 'skeleton': {**SKELETON, key: value}},
        f'{key} of the skeleton must be {wanted}, got {value!r}')
       for key, value, wanted in (
           ('joints', [1, 2], 'a list of names'),
           ('parents', [-1, 0.5], 'a list of integers'),
           ('center', None, 'an integer'),
           ('shoulders', [1], 'a pair of integers, or None'),
           ('name', 7, 'a string'))},
}


@pytest.mark.parametrize('change, message', STRUCTURES.values(),
                         ids=STRUCTURES)
def test_other_structures(tmp_path, change, message):
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps(change(make_annotations())))
    assert message in broken(path)
    assert message in broken(path, build)


def members(path):
    with np.load(path) as file:
        return dict(file)


@pytest.mark.parametrize('change, message', [
    (lambda x: x.pop('format'), 'it has no array called format'),
    (lambda x: x.update(format='{}'), "'format'"),
    (lambda x: x.update(format='{"format": "other"}'), "is 'other', not"),
    (lambda x: x.pop('annotations/keypoint'), 'annotations/keypoint'),
    (lambda x: x.pop('annotations/keypoint.shape'), 'keypoint.shape'),
    (lambda x: x.update({
        'annotations/keypoint': x['annotations/keypoint'][:-1]}), 'go with'),
    (lambda x: x['annotations/keypoint.offset'].__setitem__(1, 1), 'go with'),
    (lambda x: x['annotations/keypoint.shape'].__imul__(-1), 'go with'),
    (lambda x: x['annotations/keypoint.shape'].__setitem__(
        0, [1 << 62, 1 << 62, 25, 3]), ''),
    (lambda x: x.update({
        'annotations/label': x['annotations/label'][1:]}), '17 values for 18'),
    (lambda x: x.update({'annotations/label.clips': np.arange(18) + 1}),
     'index out of range'),
    (lambda x: x.update({'annotations/frame_dir': np.arange(18)}),
     'frame_dir is of type int')])
def test_npz_that_does_not_fit_together(tmp_path, change, message):
    path = tmp_path / 'a.npz'
    save_annotations(make_annotations(), path)
    arrays = members(path)
    change(arrays)
    np.savez(path, **arrays)
    assert message in broken(path)


@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_npz_written_by_numpy_is_read(tmp_path, save, rich):
    path = tmp_path / 'a.npz'
    save_annotations(rich, path)
    before = load_annotations(path)
    save(path, **members(path))
    assert_same(load_annotations(path), before)


def test_pickles_in_an_npz_are_not_loaded(tmp_path):
    marker, path = tmp_path / 'marker', tmp_path / 'a.npz'
    save_annotations(make_annotations(), path)
    whole = members(path)
    for name in ('format', 'annotations/frame_dir', 'annotations/keypoint',
                 'split/train'):
        np.savez(path, **{
            **whole, name: np.array([run(f'touch {marker}'), None], object)})
        broken(path)
        assert not marker.exists()
    with np.load(path, allow_pickle=True) as file:
        file['split/train']
    assert marker.exists()
