"""The benchmark of the search runs, in a tiny size."""
from conftest import REPO
from tools_loading import load_script


def test_each_step_is_timed(tmp_path, capsys, monkeypatch):
    tool = load_script(REPO / 'benchmarks' / 'search_windows.py')
    monkeypatch.setattr(tool, 'BLOCK', 300)
    tool.main([
        '--windows', '700', '--dims', '8', '--dtype', 'float16', '--folder',
        str(tmp_path)
    ])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('700 windows, 8 x float16, 0.')
    assert [line.split('  ')[-1] for line in lines[2:-1]] == list(tool.STEPS)
    assert not list(tmp_path.iterdir())
