"""What is printed, and what is not."""
import io
import logging
import warnings

import pytest
import torch
from torch.utils.data import DataLoader

from umurl_mmaction.noise import shorten_terminal, silence_warnings
from umurl_mmaction.progress import bar_file, track

OTHERS = [
    'Fail to import ``MultiScaleDeformableAttention`` from ``mmcv.ops.multi_'
    'scale_deform_attn``, You should install ``mmcv`` rather than ``mmcv-lite'
    '`` if you need this module. ',
    'pkg_resources is deprecated as an API. See https://setuptools.pypa.io/'
    'en/latest/pkg_resources.html.'
]


class Terminal(io.StringIO):

    def isatty(self):
        return True


def test_only_the_named_warnings_are_silent():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        silence_warnings()
        for text in OTHERS:
            warnings.warn(text, UserWarning, stacklevel=1)
        warnings.warn('pkg_resources is missing', UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in seen] == [
        'pkg_resources is missing']


@pytest.mark.skipif(
    torch.cuda.is_available(), reason='there is an accelerator to pin for')
def test_configs_may_pin_memory_without_an_accelerator():
    for silenced, count in ((False, 1), (True, 0)):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter('always')
            if silenced:
                silence_warnings()
            list(DataLoader([torch.zeros(1)], pin_memory=True))
        assert len(seen) == count


def test_a_log_file_has_the_lines_that_a_terminal_lacks(tmp_path):
    terminal = logging.StreamHandler(io.StringIO())
    file = logging.FileHandler(tmp_path / 'log')
    logger = logging.Logger('one')
    for handler in (terminal, file):
        logger.addHandler(handler)
    shorten_terminal(logger)
    logger.warning('"FileClient" will be deprecated in future.')
    logger.warning('A line of "FileClient" will be deprecated')
    file.close()
    assert terminal.stream.getvalue().startswith('A line of')
    assert len((tmp_path / 'log').read_text().splitlines()) == 2


def test_bars_are_drawn_on_terminals_only(monkeypatch):
    for stream, drawn in ((io.StringIO(), False), (Terminal(), True)):
        monkeypatch.setattr('sys.stdout', stream)
        assert list(track([3, 4])) == [3, 4]
        assert ('2/2' in stream.getvalue()) is drawn
        assert bool(stream.getvalue()) is drawn
    # Python has none in a window without a console.
    bar_file(None).write('nothing')
