import os
import subprocess
from pathlib import Path
from typing import Optional

from mmaction.registry import HOOKS
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

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


@HOOKS.register_module()
class CommitHook(Hook):
    """Log the git commit of this package if it runs from a checkout."""

    def before_run(self, runner: Runner) -> None:
        """Log the commit on the first rank."""
        commit = git_commit(PACKAGE) if dist.is_main_process() else None
        if commit is not None:
            print_log(f'git commit: {commit}', 'current')
