"""The benchmark runs, times the same thing twice, and shows what it found."""
import json
import math
import os
import shutil
import subprocess
import sys
from importlib import import_module
from statistics import median

import numpy as np
import pytest
import torch
from conftest import REPO
from reference import augment as plain
from reference import model as oracle
from reference import module
from tools_loading import load_script, refusal

from umurl_mmaction.skeleton.augment import (
    corruption_map,
    map_joints,
    shear_map,
)

FOLDER = REPO / 'benchmarks'
PARTS = ('data', 'forward', 'step', 'memory', 'methods', 'probe', 'retrieval',
         'loader', 'loop')
TERMS = ('loss_intra', 'loss_inter', 'loss_var', 'loss_cov')


def run(*args, script=FOLDER / 'benchmark.py', expect=0):
    """Run the tool; what it printed, or its last line if it must refuse."""
    done = subprocess.run([sys.executable, str(script), *map(str, args)],
                          env=dict(os.environ, OMP_NUM_THREADS='1'),
                          capture_output=True,
                          text=True,
                          timeout=300)
    assert done.returncode == expect, done.stderr[-4000:]
    return done.stdout if not expect else done.stderr.strip().split('\n')[-1]


@pytest.fixture(scope='module')
def smoke(tmp_path_factory):
    """What `--smoke` leaves: folder, printed text and numbers."""
    folder = tmp_path_factory.mktemp('benchmark')
    printed = run('--smoke', '--device', 'cpu', '--json',
                  folder / 'new' / 'smoke.json', '--plot',
                  folder / 'smoke.png')
    (folder / 'new' / 'smoke.json').rename(folder / 'smoke.json')
    return folder, printed, json.loads((folder / 'smoke.json').read_text())


@pytest.fixture
def parts(monkeypatch):
    """Imports a module of the tool."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return lambda name: import_module(f'parts.{name}')


def rows_of(numbers, part, **wanted):
    return [
        row for row in numbers['rows']
        if row['part'] == part and wanted.items() <= row.items()
    ]


def test_every_part_measures_something(smoke):
    numbers = smoke[2]
    assert {row['part'] for row in numbers['rows']} == set(PARTS)
    assert set(numbers['peak']) == {'fp32', 'bf16'}
    for row in numbers['rows']:
        for value in (row['value'], *row['seconds']):
            assert math.isfinite(value) and value > 0, row
    speeds = [row for row in numbers['rows'] if row['unit'] == 'samples/s']
    assert len(speeds) == 4 + 4 + 4 + 8 + 1
    for row in speeds:
        if row['part'] != 'loader':
            assert row['value'] == pytest.approx(
                row['batch_size'] / median(row['seconds']))


def test_both_methods_are_timed_on_the_same_losses(smoke):
    losses = {
        row['variant']: row['more']['losses']
        for row in rows_of(smoke[2], 'forward')
    }
    assert set(losses) == {
        'plain fp32', 'plain bf16', 'product fp32', 'product bf16'
    }
    assert set(losses['plain fp32']) == set(TERMS)
    assert losses['product fp32'] == pytest.approx(
        losses['plain fp32'], rel=1e-4)
    assert losses['product bf16'] == pytest.approx(
        losses['plain bf16'], rel=0.05)


def test_another_loss_is_not_timed(parts):
    training = parts('training')
    settings = parts('settings').Settings('cpu', 'fp32', (16, ), (4, ), 1, 0,
                                          smoke=True)
    contest = training.Contest(16, 4, settings)
    assert set(contest.losses()) == {'plain fp32', 'product fp32'}
    weight = contest.variants['product fp32'].model.neck['bone'].mlp[6].weight
    with torch.no_grad():
        weight.mul_(1.01)
    with pytest.raises(RuntimeError, match='do not compute the same thing'):
        contest.losses()


def test_ratios_and_shares_follow_from_the_numbers(smoke):
    numbers = smoke[2]
    steps = {row['variant']: row for row in rows_of(numbers, 'step')}
    row, base = steps['product bf16'], steps['plain fp32']
    assert row['ratios']['plain fp32'] == pytest.approx(
        median(base['seconds']) / median(row['seconds']))
    assert set(row['ratios']) == {'plain fp32', 'plain bf16'}
    assert row['more']['share_of_peak'] == pytest.approx(
        row['more']['flops'] / median(row['seconds']) /
        numbers['peak']['bf16'])
    # Covariances are D x D in one and B x B in the other.
    assert base['more']['flops'] > row['more']['flops']
    # Of memory and time less is better.
    plain_row, row = rows_of(numbers, 'memory')[:2]
    assert row['variant'] == 'product fp32' and row['ratios'][
        'plain fp32'] == pytest.approx(plain_row['value'] / row['value'])


def test_tables_and_picture_come_from_the_numbers(smoke, tmp_path):
    folder, printed, numbers = smoke
    again = run('--table', folder / 'smoke.json', '--plot',
                tmp_path / 'again.png')
    assert again == printed
    assert ' OMP_NUM_THREADS=1.' in printed
    for part in PARTS:
        assert f'**{part}**: ' in printed
    assert printed.count('\n|') == len(numbers['rows']) + 2 * len(PARTS)
    for path in (folder / 'smoke.png', tmp_path / 'again.png'):
        assert path.read_bytes().startswith(b'\x89PNG')
        assert path.stat().st_size > 10000

    page = '# Title\n\n<!-- table: {} -->\nNot yet.\n<!-- end -->\n\nMore.\n'
    path = folder / 'page.md'
    path.write_text(page.format('smoke.json') + page.format('none.json'))
    run('--fill', path)
    filled = path.read_text()
    assert printed.strip() in filled and filled.count('Not yet.') == 1
    run('--fill', path)
    assert path.read_text() == filled


def test_the_page_says_what_the_files_say(parts):
    path = REPO / 'benchmarks' / 'README.md'
    page = path.read_text()
    assert '<!-- table: results/' in page
    assert parts('report').fill(page, path.parent) == page


def test_without_the_plain_method_it_says_so(tmp_path):
    shutil.copytree(FOLDER, tmp_path / 'a' / 'b')
    line = run('--smoke', script=tmp_path / 'a' / 'b' / 'benchmark.py',
               expect=2)
    assert 'augment.py is not there: run benchmark.py in a checkout' in line


@pytest.mark.parametrize('args, message', [
    (['--batch-size', 8, 1], '--batch-size must be at least 2, got [8, 1]'),
    (['--parts', 'data', '--plot', 'x.png'], 'add step to --parts'),
    (['--table', 'lost.json'], 'lost.json is not there'),
    (['--device', 'cpu', '--precision', 'fp16'], 'fp16 wants a GPU'),
    (['--device', 'cpu', '--batch-size', 9, '--num-clips', 8],
     '--num-clips 8 do not fill a batch of 9'),
])
def test_misuse_ends_in_one_clear_line(args, message, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in ('CUDA_VISIBLE_DEVICES', 'KINETO_LOG_LEVEL'):
        monkeypatch.setenv(name, '')  # as it was, at the end
    tool = load_script(FOLDER / 'benchmark.py')
    assert message in refusal(tool, capsys, *args)


def test_peak_memory_is_that_of_the_allocations(parts):

    def call():
        first = torch.empty(250_000)  # 1 MB
        second = torch.empty(500_000)
        del first
        third = torch.empty(125_000)
        del second
        return third

    assert parts('timing').peak_bytes(call, 'cpu') == 3_000_000


def test_generated_clips_are_as_long_as_said(parts):
    clips = parts('product').make_clips(400)
    assert {len(clip) for clip in clips} == {1, 2}
    lengths = [clip.shape[1] for clip in clips]
    assert 32 <= min(lengths) < 40 and 290 < max(lengths) <= 300
    assert {clip.shape[2:] for clip in clips} == {(25, 3)}


@pytest.mark.parametrize('num_frames, start, length',
                         [(5, 0, 5), (64, 0, 64), (90, 7, 64), (300, 1, 299)])
def test_the_baseline_resizes_as_spelt_out(num_frames, start, length):
    clip = np.random.standard_normal((2, num_frames, 25, 3))
    np.testing.assert_allclose(
        plain.resize(clip, start, length, 64),
        plain.crop_resize(clip, start, length, 64),
        atol=1e-12)


def test_the_baseline_augments_as_the_product():
    clip = torch.randn(2, 64, 25, 3)
    matrix = torch.randn(3, 3)
    chosen = torch.randperm(25)[:15]
    joints = torch.zeros(25, dtype=torch.bool)
    joints[chosen] = True
    for given, wanted in ((matrix, matrix), (None, torch.zeros(3, 3))):
        got = plain.corrupt(clip.numpy().copy(), chosen.numpy(),
                            None if given is None else given.numpy())
        expected = map_joints(clip, corruption_map(joints, wanted))
        np.testing.assert_allclose(got, expected, atol=1e-5)
    np.testing.assert_allclose(
        plain.shear(clip.numpy(), matrix.numpy()),
        map_joints(clip, shear_map(matrix, 25)),
        atol=1e-5)


@pytest.mark.parametrize('num_heads, num_layers', [(1, 1), (2, 2)])
def test_the_baseline_computes_what_the_oracle_spells_out(
        num_heads, num_layers):
    model = module.UmURL(16, 24, (2, 8, 25, 3), num_heads, num_layers)
    model = model.double()
    views = [torch.randn(5, 2, 8, 25, 3).double() for _ in range(4)]
    weights = {
        name: weight.detach().clone().requires_grad_()
        for name, weight in model.named_parameters()
    }
    calls = []
    for encoder in model.backbone.encoder.values():
        encoder.register_forward_hook(lambda *args: calls.append(args[0]))
    losses = model(views)
    expected = oracle.umurl_losses(weights, views, num_heads, num_layers)
    torch.testing.assert_close(losses, expected)
    # Torch's own encoder, with all views at once.
    assert [type(x) for x in calls] == 2 * [torch.nn.TransformerEncoder]
    sum(losses.values()).backward()
    sum(expected.values()).backward()
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.grad, weights[name].grad)


def test_the_baseline_draws_as_the_paper_says():
    rng = np.random.default_rng(0)
    crops = np.array([plain.draw_crop(200, rng) for _ in range(4000)])
    start, length = crops.T
    assert length.min() == 64 and length.max() == 199
    assert start.min() == 0 and (start + length).max() == 200
    # floor(200 s) <= 64 for s < 0.325, of s ~ U(0.1, 1).
    assert (length == 64).mean() == pytest.approx(0.25, abs=0.035)
    assert plain.draw_crop(30, rng) == (0, 30)

    clips = [np.random.standard_normal((m, 20, 25, 3)).astype(np.float32)
             for m in (1, 2)] * 50
    views = plain.views(clips, rng)
    assert views.shape == (4, 100, 2, 64, 25, 3) and views.dtype == np.float32
    assert not views[:, ::2, 1].any()
    whole = np.stack([plain.crop_resize(clip, 0, 20, 64)[0] for clip in clips])
    unchanged = (np.abs(views[:, :, 0] - whole) < 1e-5).all(axis=(2, 4)).sum(2)
    assert set(unchanged.ravel()) == {0, 10}
    # Five standard deviations of 400 draws with probability 1/2.
    assert abs((unchanged == 10).sum() - 200) < 50
