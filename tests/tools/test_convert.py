import runpy
import subprocess
import sys
import time

import pytest
import torch
from conftest import REPO
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner

from umurl_mmaction.models import UmURLBackbone
from umurl_mmaction.models.official.files import to_official
from umurl_mmaction.models.official.names import our_name

SCRIPT = REPO / 'tools' / 'convert' / 'convert_umurl_checkpoint.py'


@pytest.fixture
def convert(monkeypatch, capsys):
    """Run the script in this process: (exit status, last line, output)."""

    def run(*args):
        monkeypatch.setattr(sys, 'argv', [str(SCRIPT), *map(str, args)])
        status = 0
        try:
            runpy.run_path(str(SCRIPT), run_name='__main__')
        except SystemExit as stop:
            status = stop.code
        captured = capsys.readouterr()
        output = captured.out + captured.err
        return status, output.splitlines()[-1], output

    return run


def our_checkpoint(num_layers=1):
    """As after a pre-training run, without what tests do not need."""
    model = MODELS.build(
        dict(
            type='UmURL',
            backbone=dict(
                type='UmURLBackbone',
                embed_dims=16,
                clip_len=8,
                num_layers=num_layers),
            neck=dict(
                type='ModalityProjector', in_channels=32, out_channels=48),
            heads={}))
    return dict(meta=dict(epoch=7, iter=70), state_dict=model.state_dict())


def assert_same(a, b):
    """The same types, order of keys and bits."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        assert getattr(a, '_metadata', None) == getattr(b, '_metadata', None)
        for key in a:
            assert_same(a[key], b[key])
    elif torch.is_tensor(a):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert a.numpy().tobytes() == b.numpy().tobytes()
    else:
        assert a == b


@pytest.mark.shared
@pytest.mark.parametrize('name, embed_dims', [('model_h32', 32),
                                              ('trained_h128', 128)])
def test_official_checkpoints_go_there_and_back(shared, tmp_path, convert,
                                                name, embed_dims):
    source = shared(f'fixtures/golden/{name}.pth.tar')
    target, back = tmp_path / 'ours.pth', tmp_path / 'back.pth.tar'
    status, _, output = convert(source, target)
    assert status == 0, output
    ours = torch.load(target, weights_only=True)
    official = torch.load(source, weights_only=True)
    # All but the position table.
    assert len(ours['state_dict']) == len(official['state_dict']) - 1
    backbone = UmURLBackbone(embed_dims=embed_dims)
    backbone.load_state_dict(
        {
            key[len('backbone.'):]: value
            for key, value in ours['state_dict'].items()
            if key.startswith('backbone.')
        },
        strict=True)
    positions = official['state_dict']['module.backbone.ma_encoder.pe.pe']
    torch.testing.assert_close(backbone.positions, positions[0, :64])

    status, _, output = convert('--to-official', target, back)
    assert status == 0, output
    assert_same(torch.load(back, weights_only=True), official)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        'back.pth.tar', 'ours.pth'
    ]


@pytest.mark.parametrize('num_layers', [1, 2])
def test_nothing_is_lost_on_the_way(tmp_path, convert, num_layers):
    """Optimizer, further entries, metadata of the modules, odd bits."""
    official = to_official(our_checkpoint(num_layers))
    state_dict = torch.nn.Module().state_dict()
    state_dict.update(official['state_dict'])
    state_dict._metadata['module'] = dict(version=1)
    table = state_dict['module.backbone.ma_encoder.pe.pe']
    table[0, 0, 0] = torch.nan
    weight = torch.nn.Parameter(torch.randn(2, 3))
    optimizer = torch.optim.Adam([weight], lr=5e-4, weight_decay=1e-5)
    weight.sum().backward()
    optimizer.step()
    source, ours, back = (tmp_path / f'{i}.pth' for i in range(3))
    torch.save(
        dict(
            epoch=451,
            state_dict=state_dict,
            optimizer=optimizer.state_dict(),
            arch='umurl'), source)
    assert convert(source, ours)[0] == 0
    assert convert('--to-official', ours, back)[0] == 0
    assert_same(
        torch.load(back, weights_only=True),
        torch.load(source, weights_only=True))


@pytest.mark.parametrize('index', ['1000000000', '9' * 5000, '2'])
def test_layers_are_counted(tmp_path, convert, index):
    source, ours = tmp_path / 'a.pth', our_checkpoint()
    key = 'backbone.encoder.temporal.layers.0.linear1.weight'
    weights = ours['state_dict']
    weights[key.replace('.0.', f'.{index}.')] = weights[key]
    torch.save(ours, source)
    started = time.monotonic()
    status, line, _ = convert('--info', source)
    assert status == 2 and 'layers.1.' in line
    assert time.monotonic() - started < 5


def test_own_checkpoints_become_official(tmp_path, convert):
    source, target, back = (tmp_path / f'{i}.pth' for i in range(3))
    ours = our_checkpoint()
    torch.save(ours, source)
    assert convert('--to-official', source, target)[0] == 0
    official = torch.load(target, weights_only=True)
    assert list(official) == ['epoch', 'state_dict']
    assert official['epoch'] == 7
    assert all(key.startswith('module.') for key in official['state_dict'])
    table = official['state_dict']['module.backbone.ma_encoder.pe.pe']
    assert table.shape == (1, 200, 16)
    assert convert(target, back)[0] == 0
    again = torch.load(back, weights_only=True)['state_dict']
    assert_same({key: again[key]
                 for key in ours['state_dict']}, dict(ours['state_dict']))
    assert len(again) == len(ours['state_dict'])


def test_a_run_from_an_official_file_gives_one(tmp_path, convert, ann_file):
    """The checkpoints MMEngine writes hold more than plain weights."""
    start, end = tmp_path / 'start.pth.tar', tmp_path / 'end.pth.tar'
    cfg = Config.fromfile(REPO / 'configs/umurl/pretrain/'
                          'umurl_1xb64_synthetic.py')
    cfg.merge_from_dict(
        dict(
            model=dict(
                backbone=dict(embed_dims=16, clip_len=64),
                neck=dict(in_channels=32, out_channels=48)),
            train_dataloader=dict(
                batch_size=4,
                num_workers=0,
                persistent_workers=False,
                dataset=dict(ann_file=ann_file)),
            train_cfg=dict(max_epochs=1),
            val_cfg=None,
            val_dataloader=None,
            val_evaluator=None,
            load_from=str(start),
            work_dir=str(tmp_path / 'run'),
            experiment_name='from_official'))
    # Without a step, the weights stay those of the file.
    cfg.optim_wrapper.optimizer = dict(type='SGD', lr=0.)
    model = MODELS.build(cfg.model)
    official = to_official(dict(state_dict=model.state_dict()))
    torch.save(official, start)
    Runner.from_cfg(cfg).train()

    trained = tmp_path / 'run' / 'epoch_1.pth'
    status, _, output = convert('--info', trained)
    assert status == 0, output
    assert output.splitlines()[-1].split() == ['optimizer', 'yes']
    status, _, output = convert('--to-official', trained, end)
    assert status == 0, output
    again = torch.load(end, weights_only=True)
    assert again['epoch'] == 1
    assert list(again['state_dict']) == list(official['state_dict'])
    for name, parameter in model.named_parameters():
        key = next(
            key for key in again['state_dict'] if our_name(key) == name)
        assert torch.equal(again['state_dict'][key], parameter), key


def test_info_says_what_a_file_is(tmp_path, convert):
    ours, official, back = (tmp_path / f'{i}.pth' for i in range(3))
    checkpoint = our_checkpoint(num_layers=2)
    torch.save(checkpoint, ours)
    torch.save(dict(to_official(checkpoint), optimizer={}), official)
    convert(official, back)
    # All but the statistics of the batch normalisation.
    count = sum(
        value.numel() for key, value in checkpoint['state_dict'].items()
        if not key.endswith(('mean', 'var', 'tracked')))
    before = sorted(tmp_path.iterdir())
    for path, kind, optimizer in (
        (ours, 'of this package', 'no'),
        (official, "of the paper's code", 'yes'),
        (back, "of this package, converted from the paper's",
         'kept for --to-official, not used for resuming')):
        status, _, output = convert('--info', path)
        assert status == 0, output
        found = dict(line.split(None, 1) for line in output.splitlines())
        assert found == {
            'checkpoint': kind,
            'epoch': '7',
            'embed_dims': '16',
            'layers': '2',
            'modalities': 'joint, bone, motion',
            'clip_len*C': '24',
            'num_person*joints*C': '150',
            'projectors': '32-32-32-48',
            'parameters': f'{count:,}',
            'optimizer': optimizer,
        }
    assert sorted(tmp_path.iterdir()) == before


def test_info_on_a_part_of_the_model(tmp_path, convert):
    """As of a linear probe on two modalities."""
    state_dict = {
        f'backbone.{key}': value
        for key, value in UmURLBackbone(
            embed_dims=16, modalities=('bone', 'motion')).state_dict().items()
    }
    state_dict['cls_head.fc.weight'] = torch.zeros(3, 32)
    source = tmp_path / 'probe.pth'
    torch.save(dict(state_dict=state_dict), source)
    status, _, output = convert('--info', source)
    assert status == 0, output
    assert 'bone, motion' in output and 'joint,' not in output
    status, line, _ = convert('--to-official', source, tmp_path / 'no.pth')
    assert status == 2
    assert ("'cls_head.fc.weight' is no weight of the UmURL code; its shape "
            'is (3, 32)') in line


def test_help_shows_an_example():
    done = subprocess.run([sys.executable, SCRIPT, '--help'],
                          stdout=subprocess.PIPE,
                          text=True,
                          timeout=120)
    assert done.returncode == 0 and 'example:' in done.stdout


@pytest.mark.parametrize('content, message', [
    (dict(weights={}), "has no 'state_dict'"),
    (dict(state_dict={}), "its 'state_dict' is empty"),
    (torch.zeros(1), 'it holds a Tensor'),
    (dict(state_dict={'module.fc.weight': torch.zeros(1)}),
     "'fc.weight' is no weight of the UmURL code; its shape is (1,)"),
])
def test_other_files_are_refused(tmp_path, convert, content, message):
    source, target = tmp_path / 'other.pth', tmp_path / 'ours.pth'
    torch.save(content, source)
    for args in ((source, target), ('--to-official', source, target),
                 ('--info', source)):
        status, line, _ = convert(*args)
        assert status == 2 and 'other.pth is no ' in line
        assert message in line
    assert not target.exists()


@pytest.mark.parametrize('content', [b'', b'PK', b'\x80\x02', b'text\nfile'])
def test_files_that_torch_cannot_load_are_refused(tmp_path, convert, content):
    source, target = tmp_path / 'other.pth', tmp_path / 'ours.pth'
    source.write_bytes(content)
    status, line, _ = convert(source, target)
    assert status == 2 and 'torch cannot load it as weights' in line
    assert not target.exists()


EMBEDDING = 'module.backbone.b_emb.s_embedding.0.weight'
LAYER = 'module.backbone.ma_encoder.{}_tr.layers.1.linear1.weight'


@pytest.mark.parametrize('key, value, message', [
    (EMBEDDING, None, f'{EMBEDDING} is missing; wanted is shape (16, 24)'),
    (EMBEDDING, torch.zeros(16, 30), f'{EMBEDDING} has shape (16, 30), the '
     'other weights want (16, 24)'),
    (LAYER.format('s'), torch.zeros(16, 16),
     f'{LAYER.format("t").replace("linear1.", "self_attn.in_proj_")} is '
     'missing; wanted is shape (48, 16)'),
    ('module.j_projector.6.scale', torch.zeros(3), 'module.j_projector.6.scale'
     ' of shape (3,) is no weight of a UmURL model of this size'),
    ('module.m_projector.3.bias', torch.zeros(16), 'module.m_projector.3.bias '
     'has shape (16,), the other weights want (32,)'),
    ('module.fc.bias', torch.zeros(60),
     "'fc.bias' is no weight of the UmURL code; its shape is (60,)"),
    ('module.j_projector.6.weight', 3, 'has shape that of a int'),
])
def test_weights_that_do_not_fit_each_other_are_refused(
        tmp_path, convert, key, value, message):
    checkpoint = to_official(our_checkpoint())
    checkpoint['state_dict'].pop(key, None)
    if value is not None:
        checkpoint['state_dict'][key] = value
    source, target = tmp_path / 'other.pth', tmp_path / 'ours.pth'
    torch.save(checkpoint, source)
    status, line, _ = convert(source, target)
    assert status == 2 and message in line
    assert not target.exists()


def test_a_model_without_projectors_does_not_become_official(
        tmp_path, convert):
    checkpoint = our_checkpoint()
    checkpoint['state_dict'] = {
        key: value
        for key, value in checkpoint['state_dict'].items()
        if key.startswith('backbone.')
    }
    torch.save(checkpoint, tmp_path / 'ours.pth')
    status, line, _ = convert('--to-official', tmp_path / 'ours.pth',
                              tmp_path / 'official.pth')
    assert status == 2 and 'neck.joint.mlp.0.weight is missing' in line


def test_the_wrong_direction_is_named(tmp_path, convert):
    ours, official = tmp_path / 'ours.pth', tmp_path / 'official.pth'
    target = tmp_path / 'target.pth'
    torch.save(our_checkpoint(), ours)
    torch.save(to_official(our_checkpoint()), official)
    status, line, _ = convert(ours, target)
    assert status == 2 and 'its weights have our names already' in line
    status, line, _ = convert('--to-official', official, target)
    assert status == 2 and "have the paper's names already" in line


def test_missing_paths_are_named(tmp_path, convert):
    status, line, _ = convert(tmp_path / 'lost.pth', tmp_path / 'ours.pth')
    assert status == 2 and 'lost.pth is not there' in line
    source = tmp_path / 'official.pth'
    torch.save(to_official(our_checkpoint()), source)
    status, line, _ = convert(source, tmp_path / 'nowhere' / 'ours.pth')
    assert status == 2 and 'nowhere is not there' in line
    status, line, _ = convert(source)
    assert status == 2 and 'DST is missing' in line
