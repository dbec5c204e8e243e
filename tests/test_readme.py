"""The README's Python, and the line that installs."""
import re

from conftest import REPO
from tools_loading import load_script

README = (REPO / 'README.md').read_text()


def test_the_snippets_run_as_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'data').mkdir()
    load_script(REPO / 'tools' / 'data' / 'make_synthetic.py').main([
        'data/synthetic.pkl', '--subjects', '2', '--repeats', '1'])
    section = README.split('\n## In Python\n')[1].split('\n## ')[0]
    blocks = re.findall('```python\n(.*?)```', section, re.DOTALL)
    assert len(blocks) == 3
    scope = {}
    for block in blocks:
        assert block.count('\n') <= 12
        exec(block, scope)
    # What the comments say.
    assert scope['fused'].shape == scope['bone'].shape == (4, 256)
    assert {x.shape for x in scope['streams'].values()} == {
        scope['joints'].shape}
    assert '(2, 256)\n' in capsys.readouterr().out
    assert scope['found']['nearest_names'].shape == (2, 3)


def test_make_installs_by_the_line_of_the_readme():
    line, = re.findall('^pip (install .* -c .*)$', README, re.MULTILINE)
    makefile = (REPO / 'Makefile').read_text()
    assert f'\t@$(PIP) -qq {line} $(PIP_ARGS)\n' in makefile
    assert f'\npip {line}\n' in (REPO / 'projects_readme.md').read_text()
