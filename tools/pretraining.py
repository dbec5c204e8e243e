"""Runs inside a tool: quiet, and with a bar."""
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.hooks import Hook

if TYPE_CHECKING:
    from mmengine.runner import Runner


def quiet_runner(cfg: Any, seed: int, folder: Path, *hooks: Hook,
                 **settings: Any) -> 'Runner':
    """Build the runner of a config, which shows only a progress bar.

    Args:
        cfg (Config | str | Path): As for ``load_config``.
        seed (int): Seed of the run.
        folder (Path): For logs and checkpoints.
        hooks (Hook): More hooks for the run.
        settings: Of the config, by dotted key.
    """
    from mmengine.runner import Runner
    from progress_hook import ProgressHook

    from umurl_mmaction.apis.loading import load_config
    runner = Runner.from_cfg(load_config(cfg, {
        'work_dir': str(folder),
        # MMEngine keeps loggers and visualizers by name and second: runs in
        # other folders have other names.
        'experiment_name': '_'.join(folder.resolve().parts[-2:]),
        'log_level': 'ERROR',
        'randomness': dict(seed=seed),
        **settings
    }))
    for hook in (ProgressHook(), *hooks):
        runner.register_hook(hook)
    return runner


def pretrain(cfg: Any, seed: int, folder: Path,
             *hooks: Hook) -> tuple[Path, int]:
    """Pre-train, or go on from the last checkpoint of an interrupted run.

    Args:
        cfg (Config): A pre-training.
        seed (int): Its seed.
        folder (Path): For logs and checkpoints. What MMEngine prints goes to
            ``console.log``.
        hooks (Hook): More hooks for the run.

    Returns:
        tuple[Path, int]: The last checkpoint, and the steps of a whole run.
    """
    from mmengine.runner import find_latest_checkpoint
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / 'console.log', 'a') as log, redirect_stdout(log):
        runner = quiet_runner(cfg, seed, folder, *hooks, resume=True)
        runner.train()
    return Path(find_latest_checkpoint(str(folder))), runner.max_iters
