default_scope = 'mmaction'
# The import registers UmURL and closes the gaps of the released stack.
custom_imports = dict(imports=['umurl_mmaction'], allow_failed_imports=False)

default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='TerseLoggerHook', interval=20, ignore_last=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='SafeCheckpointHook',
        interval=10,
        max_keep_ckpts=3,
        save_best='auto'),
    check_data=dict(type='CheckDataHook'),
    inspect_data=dict(type='InspectDataHook'),
    check_weights=dict(type='CheckWeightsHook'),
    check_preparation=dict(type='CheckPreparationHook'),
    check_loss=dict(type='CheckLossHook'),
    throughput=dict(type='ThroughputHook'),
    commit=dict(type='CommitHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    sync_buffers=dict(type='SyncBuffersHook'),
    lock_work_dir=dict(type='LockWorkDirHook'),
    launcher=dict(type='EndWithLauncherHook'),
    preemption=dict(type='PreemptionHook'),
    resume=dict(type='ResumeHook'))

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))

log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
visualizer = dict(
    type='ActionVisualizer',
    vis_backends=[
        dict(type='LocalVisBackend'),
        dict(type='TensorboardVisBackend')
    ])
log_level = 'INFO'
load_from = None
resume = False
