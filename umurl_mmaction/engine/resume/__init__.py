"""Checkpoints that survive interruptions, and runs that resume exactly.

This folder uses private or undocumented state of MMEngine's runner, loops and
hooks and of torch's data loader. Check this list on each update of MMEngine or
torch. All names exist in MMEngine 0.10.0 to 0.10.7 (``setup.py`` asks for
0.10); "since" names the first release that is known to have them.

Runner (MMEngine, since 0.7.0), read in ``resume_hook.py``:
    ``_resume``, ``_has_loaded``, ``_load_from``: the hook checks the file
    before the runner loads it, and no public name tells which file that is.

CheckpointHook (MMEngine), overridden in ``safe_checkpoint_hook.py``:
    ``_save_checkpoint_with_step`` (since 0.7.4): the stock method removes
    outdated files before it writes the new one.
    ``_save_best_checkpoint`` (since 0.7.0): the same.
    ``keep_ckpt_ids``, ``last_ckpt`` (since 0.7.4), ``best_ckpt_path``,
    ``best_ckpt_path_dict``, ``file_backend``, ``out_dir``, ``backend_args``
    (since 0.7.0): public by name but undocumented; the two methods above
    work on them.

IterBasedTrainLoop (MMEngine, since 0.7.0), replaced in ``resume_hook.py``:
    ``dataloader_iterator``: the loop makes this iterator before the hook can
    number the passes over the set.

Both training loops (MMEngine, since 0.7.0), called in ``resume_hook.py``:
    ``_decide_current_val_interval``: tells whether a validation was due.

DataLoader (torch, since 1.7), set in ``resume_hook.py``:
    ``_iterator``: with persistent workers, a new iterator would reuse the
    workers and the plain indices that they have begun to load.

Other modules need a private name where they stand:
    ``loops/passes_train_loop.py`` sets ``_max_iters`` of its parent, and
    ``silent_settings.py`` reads it and ``_max_epochs`` (MMEngine, since
    0.7.0).
    ``hooks/check_data_hook.py`` reads ``OptimWrapper._accumulative_counts``
    (same).
    ``datasets/skeleton_dataset.py`` fills ``BaseDataset._metainfo`` (same).
    ``registry.py`` reads ``Registry._locations`` (MMEngine, since 0.7.0), to
    give the scope of this package the locations of its parent.
    ``fileio/checkpoints.py`` lets checkpoints name ``_annealing_cos`` and
    ``_annealing_linear`` of the one-cycle schedulers (MMEngine since 0.7.0,
    torch 2.0), because the files of these schedulers hold them.
"""
from .preemption_hook import PreemptionHook
from .resume_hook import ResumeHook
from .safe_checkpoint_hook import SafeCheckpointHook

__all__ = ['PreemptionHook', 'ResumeHook', 'SafeCheckpointHook']
