"""A pre-training inside a tool: quiet, with a bar, and resumed if begun."""
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook


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
    from mmengine.runner import Runner, find_latest_checkpoint
    from progress_hook import ProgressHook

    from umurl_mmaction.apis.loading import load_config
    cfg = load_config(
        cfg,
        dict(
            work_dir=str(folder),
            # MMEngine keeps loggers and visualizers by name and second: runs
            # in other folders have other names.
            experiment_name='_'.join(folder.resolve().parts[-2:]),
            log_level='ERROR',
            resume=True,
            randomness=dict(seed=seed)))
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / 'console.log', 'a') as log, redirect_stdout(log):
        runner = Runner.from_cfg(cfg)
        for hook in (ProgressHook(), *hooks):
            runner.register_hook(hook)
        runner.train()
    return Path(find_latest_checkpoint(str(folder))), runner.max_iters
