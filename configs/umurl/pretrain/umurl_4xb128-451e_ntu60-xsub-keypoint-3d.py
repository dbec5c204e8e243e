_base_ = [
    '../../_base_/models/umurl.py', '../../_base_/datasets/pretrain.py',
    '../../_base_/schedules/pretrain_451e.py',
    '../../_base_/pretrain_runtime.py'
]

model = dict(data_preprocessor=dict(views=_base_.views, num_person=2))
train_dataloader = dict(
    dataset=dict(ann_file='data/skeleton/ntu60_3d.pkl', split='xsub_train'))
