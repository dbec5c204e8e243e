"""Random changes of valid files: each is loaded or refused, and no more.

The environment variable UMURL_FUZZ is the number of changed files of each
kind. 15000 of the seven kinds take some minutes.
"""
import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from child_process import outcomes
from conftest import make_annotations
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mmengine.logging import HistoryBuffer

from umurl_mmaction.fileio.annotations import (
    load_annotations,
    save_annotations,
)
from umurl_mmaction.fileio.checkpoints import load_checkpoint
from umurl_mmaction.fileio.plain import load_plain
from umurl_mmaction.fileio.results import load_results

COUNT = int(os.environ.get('UMURL_FUZZ', 150))
FREE, FACTOR = 256 << 20, 16
# Sizes, counts and places on which a reader may rely.
NUMBERS = [0, 1, 127, 128, 255, 256, 1 << 15, 1 << 16, 1 << 31, (1 << 31) - 1,
           (1 << 32) - 1, 1 << 40, 1 << 62, (1 << 63) - 1, (1 << 64) - 1]
INSTRUCTIONS = bytes(
    getattr(pickle, name)[0] for name in pickle.__all__
    if name.isupper() and type(getattr(pickle, name)) is bytes)


def annotations(protocol):
    data = make_annotations(2, 1)
    data['annotations'][0].update(
        extra=np.array([None, 'a', [1]], object), names={'a', 'b'},
        box=(1, 2.5, True), score=np.float32(1), text=np.array(['ab']))
    return pickle.dumps(data, protocol)


def results():
    return pickle.dumps([
        dict(gt_label=torch.tensor([i]), pred_score=torch.rand(3))
        for i in range(3)
    ])


def checkpoint(**kwargs):
    file = io.BytesIO()
    torch.save(
        dict(
            meta=dict(epoch=1, shape=torch.Size([2, 3])),
            state_dict={
                name: torch.rand(2, 3).to(dtype)
                for name, dtype in dict(
                    a=torch.float32, b=torch.float16, c=torch.int64).items()
            },
            optimizer=dict(state={0: dict(step=torch.tensor(3.))}),
            message_hub=dict(loss=HistoryBuffer([1., 2.], [1, 1]))), file,
        **kwargs)
    return file.getvalue()


def npz(tmp_path):
    save_annotations(make_annotations(2, 1), tmp_path / 'seed.npz')
    return (tmp_path / 'seed.npz').read_bytes()


def changed(rng, content):
    """Change some bytes of a file in a random way."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(data) + 1))
        size = int(2**rng.uniform(0, 7))
        other = int(rng.integers(len(data) + 1))
        number = NUMBERS[rng.integers(len(NUMBERS))]
        new = [
            rng.bytes(size),
            number.to_bytes(8, 'little')[:2**rng.integers(4)],
            bytes([INSTRUCTIONS[rng.integers(len(INSTRUCTIONS))]]),
            bytes(data[other:other + size]), b''
        ][rng.integers(5)]
        # In their place, or between two bytes.
        data[at:at + int(rng.choice([0, len(new), size]))] = new
    return bytes(data)


def changed_within(rng, content):
    """Change a member of a zip, whose sums and sizes are right then."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(
            file, 'w') as new:
        members = old.namelist()
        # Half of the changes are in the pickle of a checkpoint.
        chosen = members[rng.integers(len(members))]
        if rng.integers(2):
            chosen = next((x for x in members if x.endswith('.pkl')), chosen)
        for name in members:
            data = old.read(name)
            new.writestr(name, changed(rng, data) if name == chosen else data)
    return file.getvalue()


KINDS = dict(
    pickle_2=(lambda _: annotations(2), changed, load_annotations, '.pkl'),
    pickle_4=(lambda _: annotations(4), changed, load_plain, '.pkl'),
    pickle_5=(lambda _: annotations(5), changed, load_annotations, '.pkl'),
    results=(lambda _: results(), changed, load_results, '.pkl'),
    npz=(npz, changed_within, load_annotations, '.npz'),
    checkpoint=(lambda _: checkpoint(), changed_within, load_checkpoint,
                '.pth'),
    old_checkpoint=(
        lambda _: checkpoint(_use_new_zipfile_serialization=False), changed,
        load_checkpoint, '.pth'),
)


@pytest.mark.parametrize('kind', KINDS)
def test_changed_files_are_loaded_or_refused(tmp_path, kind):
    make, change, load, suffix = KINDS[kind]
    seed = make(tmp_path)
    path = tmp_path / f'a{suffix}'

    def content(number):
        return change(np.random.default_rng(number), seed)

    def load_changed(number):
        path.write_bytes(content(number))
        load(path)

    path.write_bytes(seed)
    load(path)
    # What a library makes once is not the files' doing.
    limit = FACTOR * 2 * len(seed) + FREE
    found = outcomes(load_changed, list(range(COUNT)), limit=2 * limit)
    loaded = 0
    for number, (outcome, seconds, memory) in enumerate(found):
        loaded += outcome == 'loaded'
        assert outcome == 'loaded' or outcome.startswith(
            ('ValueError: ', 'FileNotFoundError: ')), (number, outcome)
        assert 'MemoryError' not in outcome and 'llocate' not in outcome, (
            number, outcome)
        assert seconds < 10, number
        assert memory < limit, (number, memory)
    assert number == COUNT - 1 and loaded < COUNT


# What is there comes back -------------------------------------------------

single = st.one_of(
    st.none(), st.booleans(), st.integers(-2**70, 2**70), st.text(max_size=9),
    st.floats(allow_nan=False), st.binary(max_size=9),
    st.complex_numbers(allow_nan=False))
keys = st.one_of(
    st.text(max_size=5), st.integers(-2**63, 2**63 - 1),
    st.tuples(st.integers(0, 9), st.text(max_size=2)))
arrays = st.builds(
    lambda dtype, shape, order: np.asarray(
        np.arange(np.prod(shape)).reshape(shape).astype(dtype), order=order),
    st.sampled_from(['f2', '<f4', '>f4', 'f8', 'i1', '>i8', 'u2', '?', 'S3',
                     'U2', 'c8', 'O']),
    st.lists(st.integers(0, 4), max_size=4).map(tuple),
    st.sampled_from('CF'))
plain = st.recursive(
    single | arrays, lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
        st.sets(keys, max_size=4),
        st.frozensets(keys, max_size=4)), max_leaves=12)


@settings(max_examples=200, deadline=None)
@given(data=plain, protocol=st.integers(0, 5))
@example(
    data=np.asfortranarray(np.arange(4).reshape(2, 2).astype(object)),
    protocol=0)
def test_plain_data_come_back_as_from_pickle(tmp_path_factory, data, protocol):
    path = tmp_path_factory.mktemp('plain') / 'a.pkl'
    content = pickle.dumps(data, protocol)
    path.write_bytes(content)
    loaded, expected = load_plain(path), pickle.loads(content)
    assert repr(loaded) == repr(expected)
    # Types, dtypes and orders; a set has no order of its own.
    if not any(kind in repr(data) for kind in ('{', 'set(')):
        assert pickle.dumps(loaded, 4) == pickle.dumps(expected, 4)


@settings(max_examples=200, deadline=None)
@given(instructions=st.lists(
    st.one_of(
        st.sampled_from(sorted(INSTRUCTIONS)).map(lambda x: bytes([x])),
        st.binary(max_size=9),
        st.sampled_from([
            b'cnumpy\ndtype\n', b'cnumpy.core.multiarray\n_reconstruct\n',
            b'cbuiltins\nbytearray\n', b'ccollections\nOrderedDict\n',
            b'\x8c\x02f8', b'(K\x02t', b'\x85R', b'\x94h\x00'])),
    max_size=60))
def test_random_instructions_are_loaded_or_refused(
        tmp_path_factory, instructions):
    path = tmp_path_factory.mktemp('random') / 'a.pkl'
    path.write_bytes(b''.join(instructions) + b'.')
    for load in (load_plain, load_results, load_checkpoint):
        try:
            load(path)
        except ValueError as error:
            assert str(error).startswith(f'{path}: ')
            assert '\n' not in str(error)
