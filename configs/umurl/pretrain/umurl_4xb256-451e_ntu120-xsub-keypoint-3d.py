_base_ = './umurl_4xb128-451e_ntu60-xsub-keypoint-3d.py'

train_dataloader = dict(
    batch_size=256, dataset=dict(ann_file='data/skeleton/ntu120_3d.pkl'))
auto_scale_lr = dict(base_batch_size=1024)
