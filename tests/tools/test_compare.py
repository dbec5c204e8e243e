"""Methods and encoders at an equal budget, in one table."""
import json
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import REPO
from mmengine.config import Config
from tiny_models import KNN, tiny_config
from tools_loading import load_script, refusal

from umurl_mmaction.analysis.candidates import load_encoder, shorten
from umurl_mmaction.analysis.comparison import shorten_names, to_markdown
from umurl_mmaction.analysis.encoder_scores import EncoderScores
from umurl_mmaction.apis.loading import load_config, load_model
from umurl_mmaction.fileio.checkpoints import load_checkpoint

TOOL = load_script(REPO / 'tools/analysis/compare.py')
SMALL_GCN = '''encoder = dict(
    type='EarlyFusionEncoder',
    trunk=dict(type='STGCN', graph_cfg=dict(mode='spatial'), base_channels=4,
               num_stages=2, inflate_stages=[], down_stages=[]))
'''
LINEAR = 'logistic, 50 % of the labels'


def tiny_method(ann_file, name, path):
    cfg = Config.fromfile(REPO / 'configs' / name)
    cfg.model.backbone.embed_dims = 16
    necks = [cfg.model.neck, cfg.model.get('part_neck', {})]
    for neck in necks:
        neck.update(out_channels=8)
    cfg.train_dataloader.update(
        batch_size=4, num_workers=0, persistent_workers=False)
    cfg.train_dataloader.dataset.ann_file = ann_file
    cfg.visualizer.vis_backends = [dict(type='LocalVisBackend')]
    cfg.dump(str(path))


@pytest.fixture
def run(ann_file, tmp_path):
    """Configs of two methods and an encoder; the command with them."""
    tiny_config(ann_file, KNN).dump(str(tmp_path / 'knn.py'))
    for method, folder in (('umurl-plus', 'umurl/pretrain'),
                           ('usdrl', 'usdrl')):
        tiny_method(ann_file, f'{folder}/{method}_1xb64-3k_synthetic.py',
                    tmp_path / f'{method}_tiny.py')
    (tmp_path / 'gcn.py').write_text(SMALL_GCN)

    def argv(*more, budget=('--clips', 12), work_dir='work'):
        methods = [tmp_path / f'{x}_tiny.py' for x in ('umurl-plus', 'usdrl')]
        return [
            str(x) for x in (tmp_path / 'knn.py', '--methods', *methods,
                             '--encoders', 'own', tmp_path / 'gcn.py',
                             *budget, '--share', 0.5, '--draws', 2,
                             '--work-dir', tmp_path / work_dir,
                             # A tuple, which JSON does not know.
                             '--train-options',
                             'model.backbone.modalities=(joint,bone,motion)',
                             *more)
        ]

    def read(work_dir='work'):
        path = tmp_path / work_dir / 'comparison.json'
        return json.loads(path.read_text())

    return SimpleNamespace(argv=argv, read=read, folder=tmp_path / 'work')


def names(rows):
    return [(row['method'], row['encoder']) for row in rows]


def test_the_table_grows_and_an_interrupted_command_goes_on(
        run, tmp_path, monkeypatch, capsys):
    calls = []
    score = EncoderScores.__call__

    def interrupt(self, *args):
        calls.append(args)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return score(self, *args)

    plot = tmp_path / 'rows.png'
    with monkeypatch.context() as patch:
        patch.setattr(EncoderScores, '__call__', interrupt)
        with pytest.raises(SystemExit) as info:
            TOOL.main(run.argv('--seeds', '0', '--plot', str(plot)))
    assert info.value.code == 130
    assert len(run.read()['rows']) == 4
    TOOL.main(run.argv('--seeds', '0', '--plot', str(plot)))
    content = run.read()
    assert names(content['rows']) == [
        ('raw joints', ''), ('untrained', 'UmURLBackbone'),
        ('untrained', 'gcn'), ('umurl-plus_tiny', 'UmURLBackbone'),
        ('umurl-plus_tiny', 'gcn'), ('usdrl_tiny', 'UmURLBackbone')
    ]
    assert content['left_out'] == {
        'usdrl_tiny x gcn':
        "model.parts names 'spatial', but the parts of EarlyFusionEncoder "
        'are []'
    }
    assert content['budget'] == {'clips': 12} and plot.stat().st_size > 1000
    trained = content['rows'][3:]
    assert [row['steps'] for row in trained] == [3, 3, 3]
    printed = capsys.readouterr().out
    assert 'left out: usdrl_tiny x gcn: model.parts' in printed
    assert '| umurl-plus | gcn | 1 |' in printed

    # The scores are those of the checkpoint, with its own encoder.
    row = trained[1]
    checkpoint = run.folder / 'umurl-plus_tiny/gcn/seed-0/iter_3.pth'
    assert load_checkpoint(checkpoint)['meta']['iter'] == 3
    cfg = load_config(tmp_path / 'knn.py')
    cfg.model.backbone = load_encoder(str(tmp_path / 'gcn.py'))
    model = load_model(cfg, checkpoint)
    expected = EncoderScores(cfg, (), 2, fractions=(0.5, ))(model, ['fused'])
    assert row['scores'] == {'0': expected['fused']}
    assert list(row['mean']) == ['1-NN', '1-NN standardised', 'logistic',
                                 LINEAR]
    assert row['params'] == sum(x.numel() for x in model.parameters())

    # Another seed is added, and what is there is not made again.
    before = checkpoint.stat().st_mtime_ns
    TOOL.main(
        run.argv('--seeds', '0', '1', '--methods',
                 tmp_path / 'umurl-plus_tiny.py', '--encoders',
                 tmp_path / 'gcn.py'))
    again = run.read()['rows']
    assert names(again) == names(content['rows'])
    assert checkpoint.stat().st_mtime_ns == before
    row = again[4]
    assert row['seeds'] == [0, 1] and row['scores']['0'] == expected['fused']
    values = [row['scores'][seed]['logistic'] for seed in '01']
    assert row['mean']['logistic'] == pytest.approx(np.mean(values))
    assert row['deviation']['logistic'] == pytest.approx(np.std(values))
    # Raw joints have no seeds.
    assert again[0] == content['rows'][0]

    # Nothing of it is mixed with another budget.
    wanted = 'is asked for; wanted is another --json'
    assert wanted in refusal(
        TOOL, capsys, *run.argv(budget=('--clips', 24)))
    assert 'wanted is another --work-dir' in refusal(
        TOOL, capsys, *run.argv('--json', tmp_path / 'other.json',
                                budget=('--minutes', 0.01)))


def test_a_budget_of_time_is_turned_into_steps(run, monkeypatch):
    monkeypatch.setattr(TOOL, 'measure_step', lambda candidate: 0.1)
    argv = run.argv('--seeds', '0', budget=('--minutes', 0.01))
    argv[argv.index('--encoders') + 2:argv.index('--minutes')] = []
    TOOL.main(argv)
    rows = [row for row in run.read()['rows'] if 'steps' in row]
    assert [row['steps'] for row in rows] == [6, 6]
    assert all(row['clips_a_second'] == pytest.approx(40) for row in rows)


def test_the_time_of_a_step_is_measured(run, tmp_path):
    cfg = load_config(tmp_path / 'usdrl_tiny.py')
    assert 0 < TOOL.measure_step(SimpleNamespace(cfg=cfg)) < 60


def test_a_shorter_run_keeps_the_shape_of_its_schedule():
    cfg = load_config('srcl_1xb64-3k_synthetic.py')
    cfg.param_scheduler.insert(
        0, dict(type='LinearLR', by_epoch=False, begin=0, end=300))
    short = shorten(cfg, 100)
    assert short.param_scheduler[0].end == 10
    assert short.param_scheduler[1].milestones == [78]
    assert short.train_cfg.max_iters == 100 and short.val_cfg is None
    assert cfg.param_scheduler[1].milestones == [2340]


def test_names_lose_the_end_that_all_methods_share():
    rows = [
        dict(method='raw joints'),
        dict(method='umurl-plus_3k_set', steps=1),
        dict(method='hico_3k_set', steps=1)
    ]
    assert [x['method'] for x in shorten_names(rows)
            ] == ['raw joints', 'umurl-plus', 'hico']
    assert shorten_names(rows[:2])[1]['method'] == 'umurl-plus_3k_set'
    score = dict(mean={'1-NN': 0.5}, deviation={'1-NN': 0.01}, params=2e6,
                 flops=3e9, clips_a_second=12.3, encoder='x')
    table = to_markdown([dict(rows[1], seeds=[0, 1], **score)])
    assert table.splitlines()[-1] == (
        '| umurl-plus_3k_set | x | 2 | 50.0 ± 1.0 | 2.00 | 3.000 | 12 | 1 |')


def test_the_page_shows_the_measured_rows():
    page = (REPO / 'configs/README.md').read_text()
    paths = sorted((REPO / 'configs/results').glob('*.json'))
    assert len(paths) == 4
    for path in paths:
        content = json.loads(path.read_text())
        assert to_markdown(content['rows']) in page, path.name
        for row in content['rows']:
            assert set(row['commits']) == set(row['scores'])
            load_config(row['method'] + '.py' if 'steps' in row else
                        content['config'])


def test_misuse_is_one_line(run, capsys):
    assert '--clips: must be at least 1, got 0' in refusal(
        TOOL, capsys, *run.argv(budget=('--clips', 0)))
    table = run.folder / 'comparison.json'
    table.parent.mkdir()
    for text, message in (('[]', 'is no table of a comparison'),
                          ('{', f'{table}: Expecting property name')):
        table.write_text(text)
        assert message in refusal(TOOL, capsys, *run.argv())
    assert "encoder 'gcnn' is neither a file nor one of own, aagcn" in refusal(
        TOOL, capsys, *run.argv('--encoders', 'gcnn'))
    argv = run.argv('--methods', 'umurl_1xb64_synthetic.py')
    assert ('umurl_1xb64_synthetic.py is no pre-training that counts steps'
            in refusal(TOOL, capsys, *argv))
    argv = run.argv('--methods', 'hico_1xb64-3k_synthetic.py', '--encoders',
                    'stgcn_small')
    assert "model.levels.clip names 'temporal_1'" in refusal(
        TOOL, capsys, *argv)
