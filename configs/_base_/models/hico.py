_base_ = './hico_encoder.py'

# Four levels of contrast between a query of the online network and keys of its
# moving average. The sizes are those of run_pretraining.sh and hico/ in the
# authors' code (https://github.com/HuiGuanLab/HiCo).
clips = ['temporal_1', 'temporal_2', 'temporal_3', 'temporal_4']
parts = ['spatial_1', 'spatial_2', 'spatial_3', 'spatial_4']
head = dict(
    type='QueueContrastHead', channels=128, queue_size=2048, temperature=0.2)
model = dict(
    type='OnlineTarget',
    backbone=_base_.encoder,
    momentum=0.001,
    # A projector each.
    levels=dict(
        clip=clips,
        part=parts,
        temporal=['temporal'],
        spatial=['spatial'],
        instance=['instance']),
    neck=dict(
        type='ContrastiveProjector', hidden_channels=512, out_channels=128),
    heads=dict(
        clip=dict(head, name='clip', query='temporal_1', keys=clips),
        part=dict(head, name='part', query='spatial_1', keys=parts),
        temporal=dict(
            head, name='temporal', query='temporal', keys=['spatial']),
        spatial=dict(head, name='spatial', query='spatial', keys=['temporal']),
        instance=dict(head, name='instance', query='instance')),
    # Stock recognizers look it up outside MMAction2's scope.
    data_preprocessor=dict(type='mmaction.SkeletonDataPreprocessor'))
