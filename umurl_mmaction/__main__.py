"""Run a script after importing this package, or a command of its own.

The import registers the modules, closes the gaps of the released stack and
makes the ``umurl_mmaction::`` configs known, so that MMAction2's own scripts
work unchanged. They also take these configs by name, and configs that import
modules beside them. What a script cannot use ends it in one line.
"""
import importlib.util
import os.path as osp
import runpy
import sys
from typing import NoReturn, Optional

# Commands, and the tools that they are.
COMMANDS = dict(start='start.py')
USAGE = '''usage: python -m umurl_mmaction start FILE [ARGS...]
       python -m umurl_mmaction SCRIPT [ARGS...]

`start` writes the configs of an experiment on an annotation file; see
`python -m umurl_mmaction start --help`.

The other form runs a Python script, for example MMAction2's own
tools/train.py, with umurl_mmaction imported first. In ARGS, a config of this
package may go by its base name, such as umurl-knn_synthetic.py, or
umurl_mmaction::PATH, and a config's custom_imports may name modules in its
folder.
'''


def fail(message: str) -> NoReturn:
    """Exit with status 2 and one line that says why."""
    print(f'umurl_mmaction: error: {message}', file=sys.stderr)
    raise SystemExit(2)


def _locate_config(arg: str) -> str:
    """Replace the name of a config by its path; let it import neighbours."""
    from .apis.loading import find_config, find_neighbours
    if not arg.endswith('.py') and '::' not in arg:
        return arg
    if osp.isfile(arg):
        find_neighbours(arg)
        return arg
    try:
        return str(find_config(arg))
    except FileNotFoundError:
        return arg


def run_script(script: str, args: Optional[list[str]] = None) -> None:
    """Run a script as ``__main__`` after importing this package.

    Args:
        script (str): Path of the script.
        args (list[str], optional): Its arguments. Defaults to those of this
            process.
    """
    if not osp.isfile(script):
        fail(f'no such script: {script}')
    import umurl_mmaction  # noqa: F401
    from umurl_mmaction import silent_settings
    from umurl_mmaction.command_line import failing_in_one_line

    # Like the interpreter, let a script import its neighbours.
    sys.path.insert(0, osp.dirname(osp.abspath(script)))
    args = sys.argv[1:] if args is None else args
    with failing_in_one_line(), silent_settings.refused():
        sys.argv = [script, *map(_locate_config, args)]
        runpy.run_path(script, run_name='__main__')


def run_command(name: str, args: list[str]) -> None:
    """Run a command of this package; it imports what it needs.

    Args:
        name (str): A key of ``COMMANDS``.
        args (list[str]): Its arguments.
    """
    package = osp.dirname(osp.abspath(__file__))
    # In a checkout, the tools are beside the package.
    for root in (osp.join(package, '.mim'), osp.dirname(package)):
        script = osp.join(root, 'tools', COMMANDS[name])
        if osp.isfile(script):
            sys.argv = [script, *args]
            runpy.run_path(script, run_name='__main__')
            return
    fail(f'tools/{COMMANDS[name]} is not there; reinstall umurl_mmaction')


def run_mmaction_tool(name: str) -> None:
    """Run one of the scripts that MMAction2 installs with itself.

    Args:
        name (str): Path of the script below MMAction2's ``tools``.
    """
    spec = importlib.util.find_spec('mmaction')
    if spec is None or not spec.submodule_search_locations:
        fail('MMAction2 is not installed, run: pip install mmaction2')
    root = osp.abspath(list(spec.submodule_search_locations)[0])
    # The second folder is that of a checkout.
    for tools in (osp.join(root, '.mim'), osp.dirname(root)):
        script = osp.join(tools, 'tools', name)
        if osp.isfile(script):
            return run_script(script)
    fail(f'the MMAction2 in {root} has no .mim/tools/{name}; reinstall it '
         '(pip install --force-reinstall --no-deps mmaction2) or run '
         f'"python -m umurl_mmaction SCRIPT" with the tools/{name} of an '
         'MMAction2 checkout as SCRIPT')


def main() -> None:
    args = sys.argv[1:]
    if not args:
        fail('SCRIPT is missing, see python -m umurl_mmaction --help')
    if args[0] in ('-h', '--help'):
        print(USAGE, end='')
    elif args[0].startswith('-'):
        fail(f'SCRIPT must come first, not {args[0]}')
    elif args[0] in COMMANDS:
        run_command(args[0], args[1:])
    else:
        run_script(args[0], args[1:])


if __name__ == '__main__':
    main()
