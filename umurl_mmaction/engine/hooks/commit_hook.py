import os
import subprocess
from pathlib import Path
from typing import Optional

from mmaction.registry import HOOKS
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from ...version import __version__

PACKAGE = Path(__file__).resolve().parents[2]


def git_commit(folder: Path) -> Optional[str]:
    """Return the git commit of a folder.

    Returns:
        str | None: The first 7 digits of the hash, or more if these are
        ambiguous, with ``-dirty`` if tracked files have changed since; None
        if git does not track the folder, such as an installed package.
    """

    def git(*args: str) -> str:
        return subprocess.run(
            ['git', *args],
            cwd=folder,
            # Without this, git may write to the index.
            env=dict(os.environ, GIT_OPTIONAL_LOCKS='0'),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            text=True).stdout.strip()

    try:
        # An environment may lie in the checkout of another project.
        if not git('ls-files', '.'):
            return None
        return git('describe', '--always', '--dirty', '--abbrev=7',
                   '--exclude=*')
    except (OSError, subprocess.CalledProcessError):
        return None


def code_version() -> str:
    """Name the code of this package that runs.

    Returns:
        str: The git commit of a checkout, as :func:`git_commit` gives it,
        else the version, such as ``v0.1.0``.
    """
    return git_commit(PACKAGE) or f'v{__version__}'


@HOOKS.register_module()
class CommitHook(Hook):
    """Log the git commit of this package, or its version if it has none."""

    def before_run(self, runner: Runner) -> None:
        """Log it on the first rank."""
        if dist.is_main_process():
            version = code_version()
            what = 'version' if version.startswith('v') else 'git commit'
            print_log(f'umurl_mmaction {what}: {version}', 'current')
