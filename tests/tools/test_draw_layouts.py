"""The page of the layouts is what the command writes, and its Python runs."""
import re

from conftest import REPO
from PIL import Image
from tools_loading import load_script, page_blocks

from umurl_mmaction.skeleton import LAYOUTS
from umurl_mmaction.skeleton.skeleton_file import read_skeleton

PAGE = REPO / 'tools' / 'data' / 'layouts.md'
PICTURE = REPO / 'tools' / 'data' / 'pictures' / 'layouts.png'


def test_the_page_has_the_list_and_the_picture_of_the_command(
        tmp_path, capsys):
    tool = load_script(REPO / 'tools' / 'visualizations' / 'draw_layouts.py')
    out = tmp_path / 'pictures' / 'layouts.png'
    tool.main(['--out', str(out)])
    page = PAGE.read_text()
    assert page.endswith('\n## The joints\n\n' + capsys.readouterr().out)
    assert Image.open(out).size == Image.open(PICTURE).size
    assert PICTURE.stat().st_size < 200_000
    assert '](pictures/layouts.png)' in page
    assert f'\n{tool.EXAMPLE}\n' in page


def test_the_list_holds_all_of_a_layout():
    """Read back from the page, it is the layout."""
    sections = re.findall(
        r'^### (\S+)\n\n\d+ joints: (.*)\.\n\n- Parents: (.*)\.\n'
        r'- Centre: (\d+) .* Shoulders: (\d+) .* to (\d+) .*\n'
        r'- Source: <(.*)>$', PAGE.read_text(), re.MULTILINE)
    assert [name for name, *_ in sections] == list(LAYOUTS)
    for name, joints, parents, center, start, end, source in sections:
        layout = LAYOUTS[name]
        assert joints.split(', ') == [
            f'{v} {joint}' for v, joint in enumerate(layout.joints)]
        assert tuple(map(int, parents.split(', '))) == layout.parents
        assert int(center) == layout.center
        assert (int(start), int(end)) == layout.shoulders
        assert source == layout.source


def test_the_table_of_the_page_has_every_layout():
    rows = re.findall(r'^\| \[`(\S+)`\]\(#(\S+)\) \| (\d+) \|',
                      PAGE.read_text(), re.MULTILINE)
    assert [(name, int(joints)) for name, _, joints in rows] == [
        (name, layout.num_joints) for name, layout in LAYOUTS.items()]
    # GitHub's anchors of headings.
    assert [anchor for _, anchor, _ in rows] == [
        name.replace('+', '') for name in LAYOUTS]


def test_the_python_of_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parts, reverse = page_blocks(PAGE, 'python')
    names = {}
    exec(parts, names)
    assert names['layout'].parts['left_arm'] == (11, 12, 13)
    exec(reverse, {})
    assert read_skeleton('skeleton.json') == dict(
        LAYOUTS['h36m'].to_dict(), shoulders=[14, 11])


def test_the_page_is_linked():
    for page, link in (('README.md', 'tools/data/layouts.md'),
                       ('tools/data/own_skeletons.md', 'layouts.md'),
                       ('tools/data/README.md', 'layouts.md'),
                       ('tools/visualizations/README.md',
                        '../data/layouts.md')):
        assert f']({link})' in (REPO / page).read_text()
