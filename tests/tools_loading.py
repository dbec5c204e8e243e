"""Scripts of `tools`, called in this process, and their pages."""
import importlib.util
import pickle
import re
import runpy
import sys

import pytest
from conftest import REPO


def load_script(path):
    """A script as a module; worker processes cannot import it."""
    # As Python does for a script, so that it finds its neighbours.
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_command(command, monkeypatch):
    """Run ``python SCRIPT ARGS``, as Python does, but in this process."""
    program, script, *argv = command
    assert program == 'python'
    path = REPO / script
    with monkeypatch.context() as patch:
        patch.setattr(sys, 'argv', [str(path), *argv])
        patch.setattr(sys, 'path', [str(path.parent), *sys.path])
        try:
            runpy.run_path(str(path), run_name='__main__')
        except SystemExit as end:
            assert not end.code, command


def closing_lines(tool, capsys, *argv):
    """Run a converter; what it printed after the bar."""
    tool.main([str(arg) for arg in argv])
    lines = capsys.readouterr().out.splitlines()
    start = next(i for i, line in enumerate(lines) if ' clips, ' in line)
    return lines[start:]


def convert(tool, capsys, *argv, out):
    """Run a converter in this process; its closing lines and the pickle."""
    lines = closing_lines(tool, capsys, *argv, '--out', out, '--workers', 1)
    return lines, pickle.loads(out.read_bytes())


def refusal(tool, capsys, *argv):
    """Run a converter that must refuse; its last line."""
    with pytest.raises(SystemExit) as info:
        tool.main([str(arg) for arg in argv])
    assert info.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1]


def page_blocks(path, language):
    """The code blocks of a language in a page."""
    return re.findall(rf'```{language}\n(.*?)```', path.read_text(), re.DOTALL)


def page_files(path):
    """The Python files that a page names before each block: name -> code."""
    names = re.findall(r'`(my_\w+\.py)`', path.read_text())
    blocks = page_blocks(path, 'python')
    assert len(names) == len(blocks) > 0
    return dict(zip(names, blocks))


def write_page_configs(path, folder):
    """Write the Python files of a page; their paths."""
    files = page_files(path)
    for name, code in files.items():
        (folder / name).write_text(code)
    return [folder / name for name in files]
