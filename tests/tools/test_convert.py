import subprocess
import sys

import pytest
import torch
from conftest import REPO

from umurl_mmaction.models import UmURLBackbone

SCRIPT = REPO / 'tools' / 'convert' / 'convert_umurl_checkpoint.py'


def convert(*args):
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120)


@pytest.mark.shared
@pytest.mark.parametrize('name, embed_dims', [('model_h32', 32),
                                              ('trained_h128', 128)])
def test_official_checkpoints_load_completely(shared, tmp_path, name,
                                              embed_dims):
    source = shared(f'fixtures/golden/{name}.pth.tar')
    target = tmp_path / 'ours.pth'
    done = convert(source, target)
    assert done.returncode == 0, done.stdout
    ours = torch.load(target)
    official = torch.load(source)['state_dict']
    # All but the position table.
    assert len(ours['state_dict']) == len(official) - 1
    backbone = UmURLBackbone(embed_dims=embed_dims)
    backbone.load_state_dict(
        {
            key[len('backbone.'):]: value
            for key, value in ours['state_dict'].items()
            if key.startswith('backbone.')
        },
        strict=True)
    positions = official['module.backbone.ma_encoder.pe.pe'][0, :64]
    torch.testing.assert_close(backbone.positions, positions)
    assert [p.name for p in tmp_path.iterdir()] == ['ours.pth']


def test_help_shows_an_example():
    done = convert('--help')
    assert done.returncode == 0 and 'example:' in done.stdout


@pytest.mark.parametrize('content, message', [
    (dict(weights={}), "has no 'state_dict'"),
    (dict(state_dict={'module.fc.weight': torch.zeros(1)}),
     "'fc.weight' is no weight of the UmURL code"),
])
def test_other_files_are_refused(tmp_path, content, message):
    source, target = tmp_path / 'other.pth', tmp_path / 'ours.pth'
    torch.save(content, source)
    done = convert(source, target)
    assert done.returncode == 2
    assert message in done.stdout.splitlines()[-1]
    assert not target.exists()


def test_a_missing_file_is_named(tmp_path):
    done = convert(tmp_path / 'lost.pth', tmp_path / 'ours.pth')
    assert done.returncode == 2 and 'lost.pth is not there' in done.stdout
