"""What wheels, sdists and editable installs hold, and the entry scripts."""
import importlib.metadata
import importlib.util
import json
import os
import os.path as osp
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile

import pytest

import umurl_mmaction
from umurl_mmaction import __main__ as entry

ROOT = osp.dirname(osp.dirname(osp.abspath(__file__)))
PACKAGE = 'umurl_mmaction'
MIM_ITEMS = ('tools', 'configs', 'model-index.yml')
TREE_ITEMS = MIM_ITEMS + ('LICENSE', 'MANIFEST.in', 'Makefile', 'README.md',
                          'benchmarks', 'demo', 'pyproject.toml',
                          'requirements', 'setup.py', 'tests', PACKAGE)


def list_files(root):
    """Return what git would list below ``root``, relative to it."""
    found = set()
    for folder, dirs, files in os.walk(root):
        dirs[:] = [d for d in dirs if d != '__pycache__' and d[0] != '.']
        found.update(
            osp.relpath(osp.join(folder, name), root).replace(os.sep, '/')
            for name in files if name[0] != '.' and not name.endswith('.pyc'))
    return found


def expected_mim(root):
    """Return ``{path below .mim: path of its source}``."""
    found = {'model-index.yml': osp.join(root, 'model-index.yml')}
    for item in ('tools', 'configs'):
        for name in list_files(osp.join(root, item)):
            found[f'{item}/{name}'] = osp.join(root, item, name)
    return found


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def copy_tree(target):
    """Copy the checkout, with leftovers that must not be packaged."""
    os.makedirs(target)
    for item in TREE_ITEMS:
        source = osp.join(ROOT, item)
        if osp.isdir(source):
            shutil.copytree(
                source,
                osp.join(target, item),
                ignore=shutil.ignore_patterns('__pycache__', '.*'))
        else:
            shutil.copy2(source, target)
    for leftover in ('tools/__pycache__/old.cpython-39.pyc',
                     f'{PACKAGE}/__pycache__/old.cpython-39.pyc',
                     f'build/lib/{PACKAGE}/old.py',
                     f'build/lib/{PACKAGE}/.mim/tools/old.py'):
        path = osp.join(target, leftover)
        os.makedirs(osp.dirname(path), exist_ok=True)
        with open(path, 'w'):
            pass
    return target


def build(kind, tree, out_dir):
    """Build ``tree`` with the hook that pip would call."""
    os.makedirs(out_dir, exist_ok=True)
    code = ('import sys; from setuptools import build_meta; '
            'print(getattr(build_meta, sys.argv[1])(sys.argv[2]))')
    result = subprocess.run(
        [sys.executable, '-c', code, f'build_{kind}', out_dir],
        cwd=tree,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True)
    assert result.returncode == 0, result.stdout
    return osp.join(out_dir, result.stdout.split()[-1])


def wheel_contents(path):
    with zipfile.ZipFile(path) as wheel:
        return {
            info.filename: (wheel.read(info), info.external_attr >> 16)
            for info in wheel.infolist() if not info.is_dir()
        }


@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    return copy_tree(str(tmp_path_factory.mktemp('packaging') / 'a tree'))


@pytest.fixture(scope='module')
def wheel(tree, tmp_path_factory):
    path = build('wheel', tree, str(tmp_path_factory.mktemp('wheel')))
    return wheel_contents(path)


@pytest.fixture(scope='module')
def sdist(tree, tmp_path_factory):
    """Return the unpacked sdist."""
    out_dir = tmp_path_factory.mktemp('sdist')
    with tarfile.open(build('sdist', tree, str(out_dir))) as archive:
        if hasattr(tarfile, 'data_filter'):
            archive.extractall(str(out_dir), filter='data')
        else:
            archive.extractall(str(out_dir))
    return str(out_dir / f'{PACKAGE}-{umurl_mmaction.__version__}')


def test_version(wheel):
    info = f'{PACKAGE}-{umurl_mmaction.__version__}.dist-info'
    metadata = wheel[f'{info}/METADATA'][0].decode()
    assert f'\nVersion: {umurl_mmaction.__version__}\n' in metadata
    assert '\nRequires-Python: >=3.9\n' in metadata


def test_requirements_leave_mmcv_to_the_user(wheel):
    info = f'{PACKAGE}-{umurl_mmaction.__version__}.dist-info'
    lines = wheel[f'{info}/METADATA'][0].decode().splitlines()
    required = [line for line in lines if line.startswith('Requires-Dist')]
    assert any('mmaction2' in line for line in required)
    assert not any('mmcv' in line or '==' in line for line in required
                   if 'extra ==' not in line)


def test_an_extra_serves_an_empty_environment(wheel):
    info = f'{PACKAGE}-{umurl_mmaction.__version__}.dist-info'
    metadata = wheel[f'{info}/METADATA'][0].decode()
    wanted = {}
    for name, extra in re.findall(
            '^Requires-Dist: (.*?) *; extra == "(.*)"$', metadata, re.M):
        wanted.setdefault(extra, set()).add(name)
    # What MMAction2 1.2 takes; without the old setuptools of OpenXLab.
    assert wanted['all'] == wanted['bvh'] | wanted['mim'] | wanted[
        'export'] | wanted['visualization'] | {'mmcv-lite<2.2,>=2.0.0'}
    assert wanted['mim'] == {'openmim', 'opendatalab<0.0.10'}


def test_wheel_contents(tree, wheel):
    expected = {
        f'{PACKAGE}/{name}': osp.join(tree, PACKAGE, name)
        for name in list_files(osp.join(tree, PACKAGE))
    }
    for name, source in expected_mim(tree).items():
        expected[f'{PACKAGE}/.mim/{name}'] = source
    info = f'{PACKAGE}-{umurl_mmaction.__version__}.dist-info/'
    found = {name for name in wheel if not name.startswith(info)}
    assert found == set(expected)
    for name, source in expected.items():
        assert wheel[name][0] == read(source), name


def test_wheel_scripts_are_executable(wheel):
    scripts = [name for name in wheel if name.endswith('.sh')]
    assert len(scripts) >= 4
    assert all(wheel[name][1] & stat.S_IXUSR for name in scripts)


def test_sdist_contents(tree, sdist):
    mim = expected_mim(tree)
    for name, source in mim.items():
        assert read(osp.join(sdist, PACKAGE, '.mim', name)) == read(source)
        assert read(osp.join(sdist, name)) == read(source)
    assert list_files(osp.join(sdist, PACKAGE, '.mim')) == set(mim)
    for name in ('LICENSE', 'README.md', 'setup.py', 'pyproject.toml'):
        assert read(osp.join(sdist, name)) == read(osp.join(tree, name))
    for item in (PACKAGE, 'benchmarks', 'demo', 'tests', 'requirements'):
        assert list_files(osp.join(sdist, item)) == list_files(
            osp.join(tree, item))
    for _, dirs, files in os.walk(sdist):
        assert '__pycache__' not in dirs
        assert 'old.py' not in files


def test_wheel_from_sdist_is_the_same(wheel, sdist, tmp_path):
    again = wheel_contents(build('wheel', sdist, str(tmp_path)))
    record = f'{PACKAGE}-{umurl_mmaction.__version__}.dist-info/RECORD'
    assert set(again) == set(wheel)
    for name in set(wheel) - {record}:
        assert again[name][0] == wheel[name][0], name


def test_editable_install(tmp_path):
    tree = copy_tree(str(tmp_path / 'tree'))
    site_dir = str(tmp_path / 'site')
    with zipfile.ZipFile(build('editable', tree, str(tmp_path))) as editable:
        editable.extractall(site_dir)
    mim_dir = osp.join(tree, PACKAGE, '.mim')
    assert set(os.listdir(mim_dir)) == set(MIM_ITEMS)
    for name, source in expected_mim(tree).items():
        assert osp.samefile(osp.join(mim_dir, name), source)
    # Without site-packages, where there may be another umurl_mmaction.
    code = ('import importlib.util, site, sys; site.addsitedir(sys.argv[1]);'
            f'print(importlib.util.find_spec({PACKAGE!r}).origin)')
    origin = subprocess.check_output(
        [sys.executable, '-I', '-S', '-c', code, site_dir], text=True)
    assert osp.samefile(origin.strip(), osp.join(tree, PACKAGE, '__init__.py'))
    # A second time, with the links there, and a wheel after it.
    build('editable', tree, str(tmp_path / 'again'))
    wheel = wheel_contents(build('wheel', tree, str(tmp_path / 'wheel')))
    mim = [name for name in wheel if name.startswith(f'{PACKAGE}/.mim/')]
    assert len(mim) == len(expected_mim(tree))


def test_installed_copy_is_this_checkout():
    try:
        dist = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip('not installed')
    url = json.loads(dist.read_text('direct_url.json') or '{}')
    if url.get('dir_info', {}).get('editable'):
        pytest.skip('an editable install')
    assert dist.version == umurl_mmaction.__version__
    installed = str(dist.locate_file(PACKAGE))
    ours = osp.join(ROOT, PACKAGE)
    assert list_files(installed) == list_files(ours)
    for name in list_files(ours):
        assert read(osp.join(installed, name)) == read(osp.join(ours, name))
    for name, source in expected_mim(ROOT).items():
        assert read(osp.join(installed, '.mim', name)) == read(source), name


def run_python(*args, cwd):
    """Run Python with the umurl_mmaction of this process importable."""
    code_dir = osp.dirname(osp.dirname(osp.abspath(umurl_mmaction.__file__)))
    paths = [code_dir, os.environ.get('PYTHONPATH')]
    env = dict(
        os.environ, PYTHONPATH=os.pathsep.join(filter(None, paths)))
    return subprocess.run(
        [sys.executable, *args],
        cwd=str(cwd),
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True)


@pytest.mark.parametrize('name, options', [
    ('train.py', ['--amp', '--auto-scale-lr', '--launcher']),
    ('test.py', ['checkpoint', '--dump', '--launcher']),
])
def test_tools_are_those_of_mmaction(name, options, tmp_path):
    result = run_python(osp.join(ROOT, 'tools', name), '--help', cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f'usage: {name}')
    assert all(option in result.stdout for option in options)
    # Else `mim train` would add arguments of OpenMMLab 1.0.
    assert '--gpus' not in result.stdout


def test_module_runs_a_script(tmp_path):
    (tmp_path / 'scripts').mkdir()
    (tmp_path / 'scripts' / 'neighbour.py').write_text('WORD = "hello"\n')
    (tmp_path / 'scripts' / 'script.py').write_text(
        'import sys\n'
        'print("umurl_mmaction" in sys.modules, __name__, sys.argv)\n'
        'import neighbour\n'
        'print(neighbour.WORD)\n')
    script = osp.join('scripts', 'script.py')
    result = run_python(
        '-m', PACKAGE, script, '--help', '-x', 'a b', cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        f"True __main__ {[script, '--help', '-x', 'a b']}", 'hello'
    ]


def test_module_without_script(tmp_path):
    result = run_python('-m', PACKAGE, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1] == (
        'umurl_mmaction: error: SCRIPT is missing, see '
        'python -m umurl_mmaction --help')


@pytest.mark.parametrize('args, message', [
    ([], 'SCRIPT is missing'),
    (['--foo', 'script.py'], 'SCRIPT must come first, not --foo'),
    (['no/such.py'], 'no such script: no/such.py'),
])
def test_module_misuse(args, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', [PACKAGE, *args])
    with pytest.raises(SystemExit) as info:
        entry.main()
    assert info.value.code == 2
    assert message in capsys.readouterr().err


def test_module_help(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', [PACKAGE, '--help'])
    entry.main()
    assert capsys.readouterr().out == entry.USAGE


def test_mmaction_without_tools(monkeypatch, tmp_path, capsys):
    package = tmp_path / 'mmaction'
    package.mkdir()
    (package / '__init__.py').write_text('')
    spec = importlib.util.spec_from_file_location(
        'mmaction',
        str(package / '__init__.py'),
        submodule_search_locations=[str(package)])
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: spec)
    with pytest.raises(SystemExit):
        entry.run_mmaction_tool('train.py')
    message = capsys.readouterr().err
    assert 'no .mim/tools/train.py' in message
    assert 'pip install' in message

    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(SystemExit):
        entry.run_mmaction_tool('train.py')
    assert 'MMAction2 is not installed' in capsys.readouterr().err


@pytest.mark.skipif(os.name == 'nt', reason='shell scripts')
@pytest.mark.parametrize('name, args, expected', [
    ('dist_train.sh', ['c.py', '4', '--amp'],
     '-m torch.distributed.run --nnodes=1 --node_rank=0 '
     '--master_addr=127.0.0.1 --master_port=29501 --nproc_per_node=4 '
     '{tools}/train.py c.py --launcher pytorch --amp'),
    ('dist_test.sh', ['c.py', 'a b.pth', '2', '--dump', 'x.pkl'],
     '-m torch.distributed.run --nnodes=1 --node_rank=0 '
     '--master_addr=127.0.0.1 --master_port=29501 --nproc_per_node=2 '
     '{tools}/test.py c.py a b.pth --launcher pytorch --dump x.pkl'),
    ('slurm_train.sh', ['part', 'job', 'c.py', '--amp'],
     'srun -p part --job-name=job --gres=gpu:2 --ntasks=2 '
     '--ntasks-per-node=2 --cpus-per-task=5 --kill-on-bad-exit=1 -x node1 '
     'echo -u {tools}/train.py c.py --launcher slurm --amp'),
    ('slurm_test.sh', ['part', 'job', 'c.py', 'p.pth'],
     'srun -p part --job-name=job --gres=gpu:2 --ntasks=2 '
     '--ntasks-per-node=2 --cpus-per-task=5 --kill-on-bad-exit=1 -x node1 '
     'echo -u {tools}/test.py c.py p.pth --launcher slurm'),
])
def test_launch_scripts(name, args, expected, tmp_path):
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\necho srun "$@"\n')
    srun.chmod(0o755)
    env = dict(
        os.environ,
        PATH=f'{tmp_path}{os.pathsep}{os.environ["PATH"]}',
        PYTHON='echo',
        PORT='29501',
        GPUS='2',
        GPUS_PER_NODE='2',
        SRUN_ARGS='-x node1')
    tools = osp.join(ROOT, 'tools')
    script = osp.join(tools, name)
    output = subprocess.check_output([script, *args], env=env, text=True)
    assert output.strip() == expected.format(tools=tools)
    result = subprocess.run(
        [script], env=env, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith('usage: ')
