"""The page on a run's numbers: its formula, its table, its commands."""
import re
import shlex

import pytest
import torch
from conftest import REPO
from mmaction.registry import MODELS
from mmengine.config import Config, DictAction
from tools_loading import page_blocks

PAGE = REPO / 'tools' / 'reading_a_run.md'
NAMES = ('joint', 'bone', 'motion')


@pytest.fixture
def floor():
    code, = page_blocks(PAGE, 'python')
    found = {}
    exec(code, found)
    return found['floor']


@pytest.fixture
def head():
    return MODELS.build(dict(type='VarianceCovarianceHead'))


def test_the_table_is_that_of_the_formula(floor):
    rows = re.findall(r'^\| (\d+) \| (\d+) \| (.*) \|$', PAGE.read_text(),
                      re.MULTILINE)
    assert len(rows) == 4
    for batch, width, cells in rows:
        sigma, *terms = floor(int(batch), int(width))
        assert cells.split(' | ') == [
            f'{sigma:.2f}', *(f'{x:.1f}' for x in (*terms, sum(terms)))
        ]


@pytest.mark.parametrize('batch, width', [(16, 64), (16, 24), (12, 8)])
def test_free_projections_end_on_the_floor(floor, head, batch, width):
    """Wide ones, slightly wide ones, and those that have no floor."""
    projections = {
        name: (0.3 * torch.randn(batch, width)).requires_grad_()
        for name in NAMES
    }
    optimizer = torch.optim.Adam(projections.values(), lr=0.03)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
    for _ in range(400):
        terms = head(projections, {})
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
        schedule.step()
    _, *wanted = floor(batch, width, features=3)
    assert terms['loss_var'].item() == pytest.approx(wanted[0], abs=0.02)
    assert terms['loss_cov'].item() == pytest.approx(wanted[1], abs=0.02)
    assert sum(terms.values()).item() >= sum(wanted) - 0.01


def test_the_upper_end_is_that_of_equal_projections(head):
    uni, decomposed = ({name: torch.ones(5, 7)
                        for name in NAMES} for _ in range(2))
    terms = head(uni, decomposed)
    assert terms['loss_var'].item() == pytest.approx(29.7)
    assert terms['loss_cov'].item() == 0


def test_the_commands_change_settings_that_exist():
    block, = page_blocks(PAGE, 'shell')
    lines = [
        shlex.split(line)
        for line in block.replace('\\\n', ' ').splitlines()
    ]
    trainings = [line for line in lines if line[1] == 'tools/train.py']
    assert len(trainings) == 2
    for line in trainings:
        cfg = Config.fromfile(REPO / line[2])
        for option in line[line.index('--cfg-options') + 1:]:
            key, _, value = option.partition('=')
            *path, last = key.split('.')
            place = cfg
            for part in path:
                place = place[int(part) if part.isdigit() else part]
            assert last in place, key
            assert DictAction._parse_iterable(value) is not None
    for line in lines:
        assert (REPO / line[1]).is_file()


def test_the_pictures_are_there_and_small():
    pictures = re.findall(r'!\[.*\]\((.*)\)', PAGE.read_text())
    assert len(pictures) == 2
    for name in pictures:
        assert (PAGE.parent / name).stat().st_size < 100_000
