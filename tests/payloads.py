"""Files that run code, touch memory or ask for more of it than they have.

`BOMBS` are pickles, and most of them bytes that no writer makes.
"""
import io
import os
import pickle
import struct
import zipfile

import numpy as np
import torch

_RECONSTRUCT = np.empty(0).__reduce__()[0]


class Call:
    """Pickled as a call of ``function``, be that another one or not."""

    def __init__(self, function, *args, state=None):
        self.function, self.args, self.state = function, args, state

    def __call__(self):
        raise NotImplementedError

    def __reduce__(self):
        return self.function, self.args, self.state

    # A test's name, which is to be the same in every process.
    def __repr__(self):
        return f'{self.function.__name__}{self.args}{self.state or ""}'


def run(command):
    return Call(os.system, command)


def altered(code, byteorder='<', subarray=None, names=None, fields=None,
            size=-1, flags=0):
    """A dtype with a state that NumPy would never write."""
    return Call(np.dtype, code, False, True, state=(
        3, byteorder, subarray, names, fields, size, -1, flags))


def array(dtype, data=b'\0' * 8, shape=(1, )):
    return Call(
        _RECONSTRUCT, np.ndarray, (0, ), b'b',
        state=(1, shape, dtype, False, data))


# What NumPy believes


CORRUPTIONS = dict(
    # 112 bytes end the process.
    short_list=lambda: array(np.dtype('O'), [], (1 << 20, )),
    slots_of_the_file=lambda: array(np.dtype('O'), [1.5], (6, )),
    list_flag=lambda: array(altered('f8', flags=0x10), [1.5], (1, )),
    list_flag_and_bytes=lambda: array(altered('f8', flags=0x3f)),
    size_of_strings=lambda: array(
        altered('S8', '|', size=1 << 16), b'\0' * 8, (1, )),
    state_twice=lambda: [
        array(np.dtype('f8')),
        Call(_RECONSTRUCT, np.ndarray, (1 << 30, ), b'b')
    ],
    no_state=lambda: Call(_RECONSTRUCT, np.ndarray, (1 << 30, ), b'b'),
)


# Bombs


def _doubled(levels, pair):
    """A pickle of a pair that holds one pair twice, and so on."""
    return b'\x80\x04K\x01' + b''.join(
        b'\x94h' + bytes([level]) + pair for level in range(levels))


def _as_key(content):
    return b'\x80\x04}' + content[2:] + b'K\x01s.'


def _deep(start, end, levels=200_000):
    return b'\x80\x04' + start * levels + end * levels + b'.'


def _deep_arrays(levels):
    """An array of objects in an array of objects, and so on."""
    return (b'\x80\x04cnumpy.core.multiarray\n_reconstruct\nq\x000'
            b'cnumpy\nndarray\nK\x00\x85C\x01b\x87q\x010'
            b'cnumpy\ndtype\n(X\x02\x00\x00\x00O8\x89\x88tRq\x020'
            b'K\x01\x85q\x030' + b'h\x00h\x01R(h\x03h\x02\x89]' * levels +
            b'N' + b'atb' * levels + b'.')


# By the name of what happens to a reader that believes them.
BOMBS = dict(
    room_for_the_memo=b'\x80\x02Nr\xff\xff\xff\x7f.',
    room_for_the_memo_in_text=b'\x80\x02Np2000000000\n.',
    room_for_bytes=b'\x80\x04\x8e' + struct.pack('<Q', 8 << 30) + b'x.',
    room_for_an_array=b'\x80\x05\x96' + struct.pack('<Q', 8 << 30) + b'x.',
    room_for_a_string=b'\x80\x04\x8d' + struct.pack('<Q', 8 << 30) + b'x.',
    room_for_a_frame=b'\x80\x04\x95' + struct.pack('<Q', 8 << 30) + b'N.',
    zeros=b'cbuiltins\nbytearray\n(J\xff\xff\xff\x7ftR.',
    zero_bytes=b'cbuiltins\nbytes\n(J\xff\xff\xff\x7ftR.',
    slots=pickle.dumps(array(np.dtype('O'), [], (1 << 30, ))),
    empty_strings=pickle.dumps(array(np.dtype('S0'), b'', (1 << 30, ))),
    empty_texts=pickle.dumps(array(np.dtype('U0'), b'', (1 << 30, ))),
    too_deep_to_hash=_as_key(b'\x80\x04)' + b'\x85' * 200_000),
    too_often_to_hash=_as_key(_doubled(60, b'\x86')),
    too_often_to_hash_in_a_set=(
        b'\x80\x04\x8f(' + _doubled(60, b'\x86')[2:] + b'\x90.'),
    too_deep_lists=_deep(b']', b'a').replace(b']a', b']', 1),
    too_deep_tuples=b'\x80\x04)' + b'\x85' * 200_000 + b'.',
    too_deep_to_free=_deep_arrays(65_000),
    too_often_to_print=_doubled(60, b'\x86') + b'.',
    in_itself=b'\x80\x04]\x94h\x00a.',
    digits=b'I' + b'9' * 1_000_000 + b'\n.',
    one_hash=pickle.dumps({i * (2**61 - 1): 0 for i in range(3000)}),
)


def zip_bomb(path, name, content=b'', zeros=1 << 30):
    """Write a zip whose member is ``content`` and then a GiB of zeros."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        with archive.open(name, 'w') as f:
            f.write(content)
            for _ in range(zeros >> 20):
                f.write(bytes(1 << 20))


def npy(dtype, shape, data=b''):
    """A member of an .npz with a header of its own."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, dict(descr=dtype, fortran_order=False, shape=shape))
    return file.getvalue() + data


# Checkpoints


def checkpoint(path, change):
    """Save a checkpoint and change its pickle, in the format of today."""
    torch.save(dict(state_dict=dict(weight=torch.ones(4)), meta={}), path)
    with zipfile.ZipFile(path) as archive:
        members = {x.filename: archive.read(x) for x in archive.infolist()}
    with zipfile.ZipFile(path, 'w') as archive:
        for name, data in members.items():
            if name.endswith('data.pkl'):
                data = change(data)
            archive.writestr(name, data)


def _last(data):
    """Put a value's instructions before those that end the dict."""
    return lambda content: content[:-2] + b'X\x01\x00\x00\x00x' + data + b'u.'


CHECKPOINT_BOMBS = dict(
    zeros=_last(b'cbuiltins\nbytearray\n(J\xff\xff\xff\x7ftR'),
    tensor=_last(b'ctorch\nFloatTensor\n(J\xff\xff\xff\x7ftR'),
    storage=_last(b'ctorch.storage\nUntypedStorage\n(J\xff\xff\xff\x7ftR'),
    by_type=_last(b'ctorch._tensor\n_rebuild_from_type_v2\n('
                  b'cbuiltins\nbytearray\nctorch\nTensor\n'
                  b'(J\xff\xff\xff\x7ft}tR'),
    quantized=_last(
        b'ctorch._utils\n_rebuild_qtensor\n((X\x07\x00\x00\x00storage'
        b'ctorch\nQInt8Storage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ'
        b'K\x00(J\xff\xff\xff\x7ft(K\x01t(ctorch\nper_tensor_affine\n'
        b'G?\xf0\x00\x00\x00\x00\x00\x00K\x00t\x89}tR'),
    # Four values in the file, of which 2**30 are taken.
    beyond_the_storage=lambda content: content.replace(
        b'K\x04tq', b'J\x00\x00\x00\x40tq', 1),
    too_deep_lists=_last(_deep(b']', b'a').replace(b']a', b']', 1)[2:-1]),
    too_deep_to_hash=_last(_as_key(
        b'\x80\x02)' + b'\x85' * 200_000)[2:-1]),
    too_often_to_hash=_last(_as_key(b'\x80\x02K\x01' + b''.join(
        b'q' + bytes([level]) + b'h' + bytes([level]) + b'\x86'
        for level in range(60)))[2:-1]),
    codec=_last(b'c_codecs\nencode\n(X\x01\x00\x00\x00aX\x08\x00\x00\x00'
                b'punycodetR'),
)
